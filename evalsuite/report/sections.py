"""The parts of the report that hold figures and tables: rows by block, with the drawing that shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from markupsafe import Markup

from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import ComparisonRow, GapRow, Scale, ScoreRow, TokenRow
from evalsuite.analysis.tables import Tables
from evalsuite.report.figures import Panel, draw
from evalsuite.report.names import Names
from evalsuite.report.panels import Panels
from evalsuite.report.text import Text

__all__ = ["Block", "Line", "Sections", "build_sections"]

_ALL_PAIRS = 3
"""Up to this many models, every pair has its row."""

Row = TypeVar("Row", ScoreRow, GapRow, TokenRow, ComparisonRow)


@dataclass(frozen=True, slots=True)
class Line(Generic[Row]):
    """The rows of one language, or of one task where a block mixes tasks."""

    language: str
    task: str | None
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Block(Generic[Row]):
    """One panel of a figure and its table."""

    id: str
    title: str
    caption: str
    figure: Markup | None
    lines: tuple[Line[Row], ...]

    @property
    def stacked(self) -> bool:
        """Whether languages head groups of rows; with one row each they are a column instead."""
        return any(len(line.rows) > 1 for line in self.lines)


@dataclass(frozen=True, slots=True)
class Sections:
    """All blocks of the report."""

    scores: tuple[Block[ScoreRow], ...]
    pairs: tuple[Block[ComparisonRow], ...]
    gaps: tuple[Block[GapRow], ...]
    tokens: tuple[Block[TokenRow], ...]
    scorings: tuple[Block[ScoreRow], ...]
    not_choice: tuple[str, ...]
    """Tasks whose score is not made from choices."""


def build_sections(run: Run, tables: Tables, names: Names, text: Text) -> Sections:
    """Return all blocks, with their figures drawn."""
    return _Builder(run, tables, names, text).build()


class _Builder:
    def __init__(self, run: Run, tables: Tables, names: Names, text: Text) -> None:
        self._run, self._tables, self._names, self._text = run, tables, names, text
        self._panels = Panels(text, names, tables.scores)
        self._parallel = {t.parallel_group for t in run.manifest.tasks.values() if t.parallel_group}

    def build(self) -> Sections:
        choice = [r for r in self._tables.scores if any(a.value is not None for a in r.alternatives)]
        scored = {r.task for r in self._tables.scores if r.estimate.value is not None}
        return Sections(
            scores=tuple(self._scores(key, rows) for key, rows in self._blocks(self._tables.scores)),
            pairs=tuple(self._pairs(key, rows) for key, rows in self._blocks(self._tables.comparisons)),
            gaps=tuple(self._gaps(key, rows) for key, rows in self._blocks(self._tables.gaps)),
            tokens=tuple(self._tokens(key, rows) for key, rows in self._blocks(self._tables.tokens)),
            scorings=tuple(self._scorings(key, rows) for key, rows in self._blocks(choice)),
            not_choice=tuple(sorted(scored - {r.task for r in choice})),
        )

    def _blocks(self, rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
        """Gather rows by parallel group; tasks in no group share one block, for a panel of one row each says little."""
        found: dict[str, list[Row]] = {}
        raw = {r.task for r in self._tables.scores if r.scale is Scale.RAW}
        for row in rows:
            alone = row.group not in self._parallel
            # Percentages and other scores cannot share an axis.
            key = self._text("accuracy.single") if alone and row.group not in raw else row.group
            found.setdefault(key, []).append(row)
        return list(found.items())

    def _scores(self, title: str, rows: list[ScoreRow]) -> Block[ScoreRow]:
        caption = self._text(
            "accuracy.caption", group=title, metric=_list(r.metric for r in rows), method=self._methods(_interval(rows))
        )
        ident = self._id("scores", title)
        return self._block(ident, title, caption, self._panels.scores(ident, title, rows, self._tables.scores), rows)

    def _pairs(self, title: str, rows: list[ComparisonRow]) -> Block[ComparisonRow]:
        """Return the pairs of models; of many models only the leader against each other, or the table has no end."""
        if len(self._run.models) > _ALL_PAIRS:
            rows = [shown for row in rows if (shown := self._with_leader(row)) is not None]
        key = "accuracy.pairs_caption" if len(self._run.models) <= _ALL_PAIRS else "accuracy.pairs_caption_leader"
        return self._block(self._id("pairs", title), title, self._paired(key, title, rows), None, rows)

    def _with_leader(self, row: ComparisonRow) -> ComparisonRow | None:
        values = {
            r.model: r.estimate.value
            for r in self._tables.scores
            if (r.task, r.form) == (row.task, row.form) and r.estimate.value is not None
        }
        leader = max(values, key=lambda model: values[model])
        return row if row.model == leader else row.turned() if row.other == leader else None

    def _gaps(self, title: str, rows: list[GapRow]) -> Block[GapRow]:
        key = "gap.caption" if rows[0].scale is Scale.SHARE else "gap.caption_raw"
        ident = self._id("gaps", title)
        panel = self._panels.gaps(ident, title, rows, self._tables.gaps)
        return self._block(ident, title, self._paired(key, title, rows), panel, rows)

    def _tokens(self, title: str, rows: list[TokenRow]) -> Block[TokenRow]:
        ident = self._id("tokens", title)
        caption = self._text("tokens.caption", group=title, method=self._text("name.ratio"))
        return self._block(ident, title, caption, self._panels.tokens(ident, title, rows), rows)

    def _scorings(self, title: str, rows: list[ScoreRow]) -> Block[ScoreRow]:
        return self._block(self._id("scorings", title), title, self._text("method.caption", group=title), None, rows)

    def _block(self, ident: str, title: str, caption: str, panel: Panel | None, rows: Sequence[Row]) -> Block[Row]:
        grouped: dict[tuple[str, str], list[Row]] = {}
        for row in rows:
            grouped.setdefault((row.language, row.group), []).append(row)
        alone = len({row.group for row in rows}) > 1
        lines = tuple(
            Line(language, group if alone else None, tuple(same)) for (language, group), same in grouped.items()
        )
        # Safe to mark: every text in it went through the XML writer.
        figure = Markup(draw(panel)) if panel else None  # noqa: S704
        return Block(ident, title, caption, figure, lines)

    def _paired(self, key: str, title: str, rows: Sequence[GapRow] | Sequence[ComparisonRow]) -> str:
        family = self._tables.gaps if isinstance(rows[0], GapRow) else self._tables.comparisons
        return self._text(
            key,
            group=title,
            interval=self._methods(r.difference.interval_method for r in rows),
            test=self._methods(r.difference.test_method for r in rows),
            references=self._references(rows),
            family=sum(1 for r in family if r.difference.p is not None),
        )

    def _references(self, rows: Sequence[GapRow] | Sequence[ComparisonRow]) -> str:
        codes = dict.fromkeys(r.reference for r in rows if isinstance(r, GapRow))
        return ", ".join(self._names.language(code).english for code in codes)

    def _methods(self, codes: Iterable[str]) -> str:
        return self._text.join([self._text(f"name.{code}") for code in dict.fromkeys(codes) if code]) or "—"

    def _id(self, kind: str, title: str) -> str:
        # A group's name may hold dots and pluses: ids are numbered instead.
        order = [*self._run.groups, self._text("accuracy.single")]
        return f"{kind}-{order.index(title)}"


def _interval(rows: Iterable[ScoreRow]) -> Iterable[str]:
    return (r.estimate.method for r in rows)


def _list(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))
