"""The parts of the report that hold figures and tables: rows by block, with the drawing that shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import ComparisonRow, GapRow, Scale, ScoreRow, TokenRow
from evalsuite.analysis.tables import Tables
from evalsuite.analysis.token_table import family_token_tax
from evalsuite.records import PromptForm
from evalsuite.report.blocks import Block, Blocks, Gathered, Part, Row
from evalsuite.report.figures import Panel, draw
from evalsuite.report.names import Names
from evalsuite.report.panels import Panels
from evalsuite.report.text import Text

__all__ = ["ScoringMean", "Sections", "build_sections"]

_ALL_PAIRS = 3
"""Up to this many models, every pair has its row."""


@dataclass(frozen=True, slots=True)
class Sections:
    """All blocks of the report's main tables, each by family where there are many."""

    scores: tuple[Part[ScoreRow], ...]
    pairs: tuple[Part[ComparisonRow], ...]
    gaps: tuple[Part[GapRow], ...]
    tokens: tuple[Part[TokenRow], ...]
    pooled: bool
    """Whether groups are many, so that `tokens` has families, `scoring_means` stands for `scorings`, and pairs are left out."""
    scorings: tuple[Part[ScoreRow], ...]
    scoring_means: tuple[ScoringMean, ...]
    not_choice: tuple[str, ...]
    """Tasks whose score is not made from choices."""


@dataclass(frozen=True, slots=True)
class ScoringMean:
    """One model's accuracies of a family under each scoring, each the mean over its tasks in all languages."""

    family: str
    model: str
    form: PromptForm
    tasks: int
    metrics: frozenset[str]
    """Those in use: the tasks' primary metrics."""
    means: tuple[tuple[str, float | None], ...]
    """By scoring; none where not every task can have it."""
    n: int
    reproduced: int | None


def build_sections(run: Run, tables: Tables, names: Names, text: Text) -> Sections:
    """Return all blocks, with their figures drawn."""
    return _Builder(run, tables, names, text).build()


class _Builder:
    def __init__(self, run: Run, tables: Tables, names: Names, text: Text) -> None:
        self._run, self._tables, self._names, self._text = run, tables, names, text
        self._panels = Panels(text, names, tables.scores)
        self._blocks = Blocks(run, text, (r.group for r in tables.scores if r.scale is Scale.RAW))

    def build(self) -> Sections:
        choice = [r for r in self._tables.scores if any(a.value is not None for a in r.alternatives)]
        scored = {r.task for r in self._tables.scores if r.estimate.value is not None}
        return Sections(
            scores=self._parts("accuracy", "scores", (*self._tables.scores, *self._tables.trained), self._scores),
            # Of many groups, what is shown of pairs stands in sentences: their tables would be a tenth of the page.
            pairs=() if self._blocks.divided else self._parts("pairs", "pairs", self._tables.comparisons, self._pairs),
            gaps=self._parts("gap", "gaps", self._tables.gaps, self._gaps),
            tokens=self._pooled_tokens()
            if self._blocks.divided
            else self._parts("tokens", "tokens", self._tables.tokens, self._tokens),
            pooled=self._blocks.divided,
            scorings=() if self._blocks.divided else self._parts("method", "scorings", choice, self._scorings),
            scoring_means=self._means(choice) if self._blocks.divided else (),
            not_choice=tuple(sorted(scored - {r.task for r in choice})),
        )

    def _parts(
        self, section: str, kind: str, rows: Iterable[Row], make: Callable[[Gathered[Row]], Block[Row]]
    ) -> tuple[Part[Row], ...]:
        return self._blocks.parts(section, [make(found) for found in self._blocks.gather(kind, rows)])

    def _scores(self, found: Gathered[ScoreRow]) -> Block[ScoreRow]:
        # A figure invites to compare; classifiers that were trained stand in the table only, with a mark.
        rows, title = [row for row in found.rows if row.trained is None], found.title
        caption = self._text(
            "accuracy.caption", group=title, metric=_list(r.metric for r in rows), method=self._methods(_interval(rows))
        )
        return self._block(found, caption, self._panels.scores(found.id, title, rows, self._tables.scores))

    def _pairs(self, found: Gathered[ComparisonRow]) -> Block[ComparisonRow]:
        """Return the pairs of models; of many models only the leader against each other, or the table has no end."""
        rows = found.rows
        if len(self._run.models) > _ALL_PAIRS:
            rows = [shown for row in rows if (shown := self._with_leader(row)) is not None]
        key = "accuracy.pairs_caption" if len(self._run.models) <= _ALL_PAIRS else "accuracy.pairs_caption_leader"
        return self._block(replace(found, rows=rows), self._paired(key, found.title, rows), None)

    def _with_leader(self, row: ComparisonRow) -> ComparisonRow | None:
        leader = self._leaders[row.task, row.form]
        return row if row.model == leader else row.turned() if row.other == leader else None

    @cached_property
    def _leaders(self) -> dict[tuple[str, PromptForm], str]:
        """The model with the highest score, by task and prompt form."""
        best: dict[tuple[str, PromptForm], tuple[float, str]] = {}
        for row in self._tables.scores:
            value, key = row.estimate.value, (row.task, row.form)
            if value is not None and (key not in best or value > best[key][0]):
                best[key] = value, row.model
        return {key: model for key, (_, model) in best.items()}

    def _gaps(self, found: Gathered[GapRow]) -> Block[GapRow]:
        key = "gap.caption" if found.rows[0].scale is Scale.SHARE else "gap.caption_raw"
        panel = self._panels.gaps(found.id, found.title, found.rows, self._tables.gaps)
        return self._block(found, self._paired(key, found.title, found.rows), panel)

    def _tokens(self, found: Gathered[TokenRow]) -> Block[TokenRow]:
        caption = self._text("tokens.caption", group=found.title, method=self._text("name.ratio"))
        return self._block(found, caption, self._panels.tokens(found.id, found.title, found.rows))

    def _pooled_tokens(self) -> tuple[Part[TokenRow], ...]:
        """Return a block for each family: of many groups each by itself, most would say the same."""
        rows = family_token_tax(self._run)
        found = {family: [row for row in rows if row.group == family] for family in self._blocks.families}
        parts = []
        for family, same in found.items():
            title, name = self._blocks.family(family), f"tokens-{family}"
            if same:
                gathered = Gathered(f"{name}-all", title, family, same)
                parts.append(Part(name, title, (self._tokens(gathered),)))
        return tuple(parts)

    def _means(self, rows: Sequence[ScoreRow]) -> tuple[ScoringMean, ...]:
        found: dict[tuple[str, str, PromptForm], list[ScoreRow]] = {}
        tasks = self._run.manifest.tasks
        for row in rows:
            found.setdefault((tasks[row.task].family, row.model, row.form), []).append(row)
        order = self._blocks.families
        return tuple(
            _scoring_mean(self._blocks.family(key[0]), same)
            for key, same in sorted(found.items(), key=lambda one: order.index(one[0][0]))
        )

    def _scorings(self, found: Gathered[ScoreRow]) -> Block[ScoreRow]:
        return self._block(found, self._text("method.caption", group=found.title), None)

    def _block(self, found: Gathered[Row], caption: str, panel: Panel | None) -> Block[Row]:
        figure = draw(panel) if panel else None
        return Block(found.id, found.title, found.family, caption, figure, self._blocks.lines(found.rows))

    def _paired(self, key: str, title: str, rows: Sequence[GapRow] | Sequence[ComparisonRow]) -> str:
        family = self._tables.gaps if isinstance(rows[0], GapRow) else self._tables.comparisons
        return self._text(
            key,
            group=title,
            interval=self._methods(r.difference.interval_method for r in rows),
            test=self._methods(r.difference.test_method for r in rows),
            references=self._references(rows),
            margin=self._margin(rows),
            family=sum(1 for r in family if r.difference.p is not None),
        )

    def _references(self, rows: Sequence[GapRow] | Sequence[ComparisonRow]) -> str:
        codes = dict.fromkeys(r.reference for r in rows if isinstance(r, GapRow))
        return ", ".join(self._names.language(code).shown for code in codes)

    def _margin(self, rows: Sequence[GapRow] | Sequence[ComparisonRow]) -> str:
        margins = {r.margin for r in rows if isinstance(r, GapRow) and r.margin is not None}
        return ", ".join(self._text.number(100 * margin) for margin in sorted(margins))

    def _methods(self, codes: Iterable[str]) -> str:
        return self._text.join([self._text(f"name.{code}") for code in dict.fromkeys(codes) if code]) or "—"


def _scoring_mean(family: str, rows: Sequence[ScoreRow]) -> ScoringMean:
    values = [{other.metric: other.value for other in row.alternatives} for row in rows]
    names = dict.fromkeys(name for found in values for name in found)
    known = [(name, [found.get(name) for found in values]) for name in names]
    again = [row.reproduced for row in rows]
    return ScoringMean(
        family=family,
        model=rows[0].model,
        form=rows[0].form,
        tasks=len(rows),
        metrics=frozenset(row.metric for row in rows),
        means=tuple(
            (name, None if None in found else sum(value or 0.0 for value in found) / len(found))
            for name, found in known
        ),
        n=sum(row.estimate.n for row in rows),
        reproduced=None if None in again else sum(count or 0 for count in again),
    )


def _interval(rows: Iterable[ScoreRow]) -> Iterable[str]:
    return (r.estimate.method for r in rows)


def _list(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))
