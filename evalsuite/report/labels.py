"""The parts of the report on categories: which are confused, how sure answers are, how many there are, how they are named."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from evalsuite.analysis.categories import CategoryRow
from evalsuite.analysis.confidence import LEVELS
from evalsuite.analysis.confusion import Confusion, Mistaken
from evalsuite.analysis.label_sets import ORDERS, LabelSetRow
from evalsuite.analysis.label_wordings import LabelWordingRow
from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import Scale, Verdict
from evalsuite.analysis.tables import Tables
from evalsuite.report.blocks import Block, Blocks, Gathered, Line, Part, Row
from evalsuite.report.curves import Curve, CurvePanel, Point, draw_curves
from evalsuite.report.names import Names
from evalsuite.report.text import Text

__all__ = ["Detail", "Drawing", "LabelSections", "build_labels", "shade"]

_WHOLE_MATRIX = 16
"""Up to this many categories the whole table of confusions is shown, unless the report has many groups."""
_MISTAKES = 10
_SHADES = (0.0, 0.1, 0.25, 0.5)
"""A share of a row above the i-th of these has the shade i + 1."""
_OWN = "labels"


@dataclass(frozen=True, slots=True)
class Detail:
    """What became of each category in one cell."""

    row: CategoryRow
    confusion: Confusion
    matrix: tuple[tuple[tuple[int, int], ...], ...]
    """Items and shade by right category (row) and answer (column); empty where there are too many categories."""
    mistakes: tuple[Mistaken, ...]
    """The most frequent confusions, where the matrix is empty."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """One panel of a figure."""

    title: str
    figure: Markup


@dataclass(frozen=True, slots=True)
class LabelSections:
    """Blocks by section; empty where the run has nothing of the kind."""

    categories: tuple[Part[CategoryRow], ...]
    label_sets: tuple[Part[LabelSetRow], ...]
    label_wordings: tuple[Part[LabelWordingRow], ...]
    details: dict[str, tuple[Detail, ...]] = field(default_factory=dict)
    """By block of `categories`."""
    drawings: dict[str, tuple[Drawing, ...]] = field(default_factory=dict)
    """By block of `label_sets`."""
    added: dict[str, tuple[Line[LabelSetRow], ...]] = field(default_factory=dict)
    """By block of `label_sets`: whose added categories are shown; of many groups, the best model's."""
    levels: tuple[float, ...] = LEVELS

    @property
    def sections(self) -> tuple[str, ...]:
        """Names of the sections that there are, in order."""
        every = {
            "categories": self.categories,
            "label_sets": self.label_sets,
            "label_wordings": self.label_wordings,
        }
        return tuple(name for name, parts in every.items() if parts)


def build_labels(run: Run, tables: Tables, names: Names, text: Text) -> LabelSections:
    """Return the blocks of all three sections, with their figures drawn."""
    return _Builder(run, tables, names, text).build()


def shade(n: int, total: int) -> int:
    """Return how dark a count of a row is shown, 0 to 4; the number stands in it too."""
    return sum(n > limit * total for limit in _SHADES) if total else 0


class _Builder:
    def __init__(self, run: Run, tables: Tables, names: Names, text: Text) -> None:
        self._run, self._tables, self._names, self._text = run, tables, names, text
        self._blocks = Blocks(run, text, (r.group for r in tables.scores if r.scale is Scale.RAW))
        self._details: dict[str, tuple[Detail, ...]] = {}
        self._drawings: dict[str, tuple[Drawing, ...]] = {}
        self._added: dict[str, tuple[Line[LabelSetRow], ...]] = {}

    def build(self) -> LabelSections:
        tables = self._tables
        return LabelSections(
            categories=self._parts("categories", tables.categories, self._categories),
            label_sets=self._parts("label_sets", tables.label_sets, self._label_sets),
            label_wordings=self._parts("label_wordings", tables.label_wordings, self._label_wordings),
            details=self._details,
            drawings=self._drawings,
            added=self._added,
        )

    def _parts(
        self, section: str, rows: Iterable[Row], make: Callable[[Gathered[Row]], Block[Row]]
    ) -> tuple[Part[Row], ...]:
        return self._blocks.parts(section, [make(found) for found in self._blocks.gather(section, rows)])

    def _block(self, found: Gathered[Row], caption: str, note: str) -> Block[Row]:
        return Block(found.id, found.title, found.family, caption, None, self._blocks.lines(found.rows), note)

    def _detailed(self, group: str) -> bool:
        """Return whether a group is shown in every detail: of many groups, only those of a user's own categories."""
        families = {task.family for task in self._run.manifest.tasks.values() if self._run.group_of(task.name) == group}
        return not self._blocks.divided or _OWN in families

    def _categories(self, found: Gathered[CategoryRow]) -> Block[CategoryRow]:
        shown = [row for row in found.rows if row.confusion and self._detailed(row.group)]
        if self._blocks.divided and shown:
            # All models' would be most of a large page.
            best = _best(shown, lambda row: row.confidence.accuracy.value if row.confidence else None)
            shown = [row for row in shown if row.model == best]
        whole = 0 if self._blocks.divided else _WHOLE_MATRIX
        self._details[found.id] = tuple(_detail(row, row.confusion, whole) for row in shown if row.confusion)
        told = [row.confidence.calibration for row in found.rows if row.confidence]
        tested = [c.estimate.value > c.by_chance_high for c in told if c.estimate.value and c.by_chance_high]
        note = self._text("categories.note", shown=sum(tested), n=len(tested)) if tested else ""
        return self._block(found, self._text("categories.caption", group=found.title), note)

    def _label_sets(self, found: Gathered[LabelSetRow]) -> Block[LabelSetRow]:
        drawn = [row for row in found.rows if row.sizes and self._detailed(row.group)]
        tasks = dict.fromkeys((row.language, row.task) for row in drawn)
        # All panels of a figure share their axis.
        highest = max([0.5, *(s.accuracy.high or s.accuracy.value or 0 for row in drawn for s in row.sizes)])
        top = min(1.0, math.ceil(highest * 10) / 10)
        self._drawings[found.id] = tuple(
            self._drawing(f"{found.id}-{i}", language, [row for row in drawn if row.task == task], top)
            for i, (language, task) in enumerate(tasks)
        )
        lost = [(a.lost.value, a.size) for row in found.rows for a in row.added if a.lost.value is not None]
        note = ""
        if lost:
            low, high = (self._text.percent(value) for value in (min(lost)[0], max(lost)[0]))
            note = self._text(
                "label_sets.note", range=low if low == high else self._text("word.range", low=low, high=high)
            )
        block = self._block(found, self._text("label_sets.caption", group=found.title, orders=ORDERS), note)
        known = [row for row in found.rows if row.sizes]
        if self._blocks.divided and known:
            best = _best(known, lambda row: row.sizes[-1].accuracy.value)
            self._added[found.id] = self._blocks.lines([row for row in known if row.model == best])
        else:
            self._added[found.id] = block.lines
        return block

    def _drawing(self, ident: str, language: str, rows: Sequence[LabelSetRow], top: float) -> Drawing:
        series = [self._names.series_of(row.model, row.form) for row in rows]
        curves = tuple(
            Curve(
                one.index,
                tuple(
                    Point(s.size, s.accuracy.value, s.accuracy.low, s.accuracy.high)
                    for s in row.sizes
                    if s.accuracy.value is not None
                ),
            )
            for one, row in zip(series, rows, strict=True)
        )
        sizes = sorted({s.size: s.chance for row in rows for s in row.sizes}.items())
        title = self._names.language(language).shown
        said = "; ".join(
            f"{one.label}: " + ", ".join(f"{s.size}: {self._text.percent(s.accuracy.value)}" for s in row.sizes)
            for one, row in zip(series, rows, strict=True)
        )
        panel = CurvePanel(
            id=ident,
            title=self._text("label_sets.aria", language=title),
            description=said + ".",
            curves=curves,
            chance=tuple(sizes),
            chance_label=self._text("col.chance"),
            ticks=tuple(size for size, _ in sizes),
            x_axis=self._text("label_sets.axis"),
            top=top,
            tick=lambda value: self._text.percent_sign(self._text.number(100 * value, 0)),
        )
        return Drawing(title, draw_curves(panel))

    def _label_wordings(self, found: Gathered[LabelWordingRow]) -> Block[LabelWordingRow]:
        verdicts = [row.verdict for row in found.rows if row.verdict is not None]
        ratios = [row.tokens_ratio.value for row in found.rows if row.tokens_ratio and row.tokens_ratio.value]
        note = ""
        if verdicts and ratios:
            low, high = (self._text.number(value) for value in (min(ratios), max(ratios)))
            note = self._text(
                "label_wordings.note",
                better=verdicts.count(Verdict.AHEAD),
                worse=verdicts.count(Verdict.BEHIND),
                n=len(verdicts),
                ratio=low if low == high else self._text("word.range", low=low, high=high),
            )
        family = sum(1 for r in self._tables.label_wordings if r.difference and r.difference.p is not None)
        return self._block(found, self._text("label_wordings.caption", group=found.title, family=family), note)


def _best(rows: Sequence[Row], right: Callable[[Row], float | None]) -> str:
    """Return the model whose rows have the highest mean share of right answers."""
    shares: dict[str, list[float]] = {}
    for row in rows:
        shares.setdefault(row.model, []).append(right(row) or 0.0)
    return max(shares, key=lambda model: sum(shares[model]) / len(shares[model]))


def _detail(row: CategoryRow, confusion: Confusion, whole: int) -> Detail:
    if len(confusion.categories) > whole:
        return Detail(row, confusion, (), confusion.mistakes(_MISTAKES))
    matrix = tuple(tuple((n, shade(n, sum(counts))) for n in counts) for counts in confusion.matrix)
    return Detail(row, confusion, matrix, ())
