"""The part of the report on trade-offs: what a score costs on the device, and which models no other one beats."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import ComparisonRow, Scale, Verdict
from evalsuite.analysis.tables import Tables
from evalsuite.analysis.tradeoffs import Measure, TradeoffRow
from evalsuite.report.blocks import Blocks
from evalsuite.report.device_shown import Shown
from evalsuite.report.fronts import Dot, Field, FrontPanel, draw_fronts
from evalsuite.report.names import Names
from evalsuite.report.text import Text

__all__ = ["TradeoffBlock", "TradeoffFigure", "TradeoffLine", "TradeoffSection", "build_tradeoffs"]


@dataclass(frozen=True, slots=True)
class TradeoffFigure:
    """Scores against one cost, in all languages."""

    title: str
    figure: Markup
    readings: tuple[str, ...]
    """What the figure shows, in sentences."""


@dataclass(frozen=True, slots=True)
class TradeoffLine:
    """One model in one language, with all of its costs."""

    row: TradeoffRow
    costs: tuple[TradeoffRow, ...]
    """In the order of the block's measures."""


@dataclass(frozen=True, slots=True)
class TradeoffBlock:
    """One group of tasks, or the language index."""

    id: str
    title: str
    intro: str
    measures: tuple[Measure, ...]
    figures: tuple[TradeoffFigure, ...]
    """None where another group of the same family has them."""
    shown: tuple[str, ...]
    """Which differences of scores are shown, in sentences."""
    caption: str
    languages: tuple[tuple[str, tuple[TradeoffLine, ...]], ...]
    scale: Scale

    @property
    def columns(self) -> list[str]:
        """Names of the columns of costs."""
        return [f"front_{measure}" for measure in self.measures]


@dataclass(frozen=True, slots=True)
class TradeoffSection:
    """Everything of the part on trade-offs."""

    blocks: tuple[TradeoffBlock, ...]
    rest: tuple[TradeoffBlock, ...]
    """Further groups of the same families: tables alone."""
    without: str
    """Which models have no figures of a device; empty where all have."""
    cost: Callable[[TradeoffRow], str]
    """Shows a cost with its unit."""
    beaters: Callable[[TradeoffRow], str]
    """Names the models that beat a row."""


def build_tradeoffs(
    run: Run, tables: Tables, rows: Sequence[TradeoffRow], names: Names, text: Text
) -> TradeoffSection | None:
    """Return the part on trade-offs; none where no model has both a score and a cost."""
    if not any(row.score.value is not None and row.cost.value is not None for row in rows):
        return None
    return _Builder(run, tables, rows, names, text).build()


class _Builder:
    def __init__(self, run: Run, tables: Tables, rows: Sequence[TradeoffRow], names: Names, text: Text) -> None:
        self._run, self._tables, self._rows, self._names, self._text = run, tables, rows, names, text
        self._shown_as = Shown(text)
        self._many = Blocks(run, text, ()).divided

    def build(self) -> TradeoffSection:
        groups = [g for g in dict.fromkeys(row.group for row in self._rows) if g and self._compared(g)]
        chosen: dict[str, str] = {}
        for group in groups:
            # The group with most points stands for its family in the figures; of equals the first.
            family = self._of(group)[0].family
            if family not in chosen or self._compared(group) > self._compared(chosen[family]):
                chosen[family] = group
        drawn = [group for group in groups if group in chosen.values()]
        index = [""] if self._compared("") else []
        profiled = {profile.facts.cell.model for profile in self._run.profiles}
        lacking = [self._names.model(name) for name in self._run.models if name not in profiled]
        text = self._text
        return TradeoffSection(
            blocks=tuple(self._block(group, figures=True) for group in [*drawn, *index]),
            rest=()
            if self._many
            else tuple(self._block(group, figures=False) for group in groups if group not in drawn),
            without=text("tradeoffs.without", models=text.join(lacking)) if lacking else "",
            cost=self.cost,
            beaters=lambda row: text.join([self._names.model(name) for name in row.dominated_by]),
        )

    def _of(self, group: str) -> list[TradeoffRow]:
        return [row for row in self._rows if row.group == group]

    def _compared(self, group: str) -> int:
        return sum(row.on_front is not None for row in self._of(group))

    def _block(self, group: str, *, figures: bool) -> TradeoffBlock:
        rows, text = self._of(group), self._text
        measures = tuple(m for m in Measure if any(r.measure is m and r.on_front is not None for r in rows))
        number = self._run.groups.index(group) if group else len(self._run.groups)
        title = group or text("tradeoffs.index")
        kind = next((text(f"device.kind.{row.requests}") for row in rows if row.requests is not None), "")
        return TradeoffBlock(
            id=f"tradeoffs-{number}",
            title=title,
            intro=text("tradeoffs.stands_for", kind=kind) if group else text("tradeoffs.index_intro"),
            measures=measures,
            figures=tuple(
                self._figure(f"tradeoffs-{number}-{measure}", title, measure, [r for r in rows if r.measure is measure])
                for measure in measures
                # Memory is the same whatever is asked: of many groups, the index alone is held against every cost.
                if figures and (measure is Measure.SECONDS or not group or not self._many)
            ),
            shown=(*(self._shown(rows) if group else ()), *self._guessed(rows)),
            caption=text("tradeoffs.caption", group=title),
            languages=tuple(self._languages(rows, measures)),
            scale=rows[0].scale,
        )

    def _languages(
        self, rows: Sequence[TradeoffRow], measures: Sequence[Measure]
    ) -> Iterator[tuple[str, tuple[TradeoffLine, ...]]]:
        for code in dict.fromkeys(row.language for row in rows):
            found: dict[tuple[str, str], dict[Measure, TradeoffRow]] = {}
            for row in rows:
                if row.language == code:
                    found.setdefault((row.model, row.task), {})[row.measure] = row
            yield (
                code,
                tuple(TradeoffLine(one[measures[0]], tuple(one[m] for m in measures)) for one in found.values()),
            )

    # --- figures

    def _figure(self, ident: str, title: str, measure: Measure, rows: Sequence[TradeoffRow]) -> TradeoffFigure:
        text = self._text
        share = rows[0].scale is Scale.SHARE
        costs = [row.cost.value for row in rows if row.cost.value is not None]
        scores = [v for row in rows for v in (row.score.value, row.score.high, row.chance) if v is not None]
        top = max(scores)
        panel = FrontPanel(
            id=ident,
            title=text(f"tradeoffs.aria.{measure}", group=title),
            description=self._describe(rows),
            fields=tuple(self._fields(rows)),
            cost_axis=text(f"tradeoffs.axis.{measure}"),
            score_axis=text(
                "tradeoffs.index" if not rows[0].group else "accuracy.axis" if share else "accuracy.axis_raw"
            ),
            cost_tick=self._cost_tick(costs),
            score_tick=(lambda v: text.percent_sign(text.number(100 * v, 0))) if share else lambda v: text.number(v, 0),
            top=min(1.0, max(0.3, math.ceil(top * 10) / 10)) if share else top * 1.1,
            empty=text("tradeoffs.empty"),
        )
        return TradeoffFigure(
            text(f"tradeoffs.panel.{measure}"), draw_fronts(panel), tuple(self._readings(measure, rows))
        )

    def _fields(self, rows: Sequence[TradeoffRow]) -> Iterator[Field]:
        several = len({(row.language, row.task) for row in rows}) > len({row.language for row in rows})
        for language, task in dict.fromkeys((row.language, row.task) for row in rows):
            same = [row for row in rows if (row.language, row.task) == (language, task)]
            name = self._names.language(language)
            low = self._text("tradeoffs.low", language=name.shown) if name.low else name.shown
            yield Field(task if several else low, tuple(self._dots(same)), same[0].chance)

    def _dots(self, rows: Sequence[TradeoffRow]) -> Iterator[Dot]:
        for row in rows:
            if row.on_front is None or row.score.value is None or row.cost.value is None:
                continue
            yield Dot(
                series=self._names.series_of(row.model, row.form).index,
                cost=row.cost.value,
                score=row.score.value,
                score_ends=(row.score.low, row.score.high),
                cost_ends=(row.cost.low, row.cost.high),
                on_front=row.on_front,
                key=self._names.key(row),
            )

    def _cost_tick(self, costs: Sequence[float]) -> Callable[[float], str]:
        # Two ticks must not read the same: up to four of them stand below the largest cost, or powers of ten from the least.
        digits = max(0, 1 - math.floor(math.log10(max(costs)))) if max(costs) > 0 else 0
        if min(costs) > 0:
            digits = max(digits, -math.floor(math.log10(min(costs) / 1.6)) if max(costs) / min(costs) > 12 else 0)
        return lambda value: self._text.number(value, min(digits, 4))

    def _describe(self, rows: Sequence[TradeoffRow]) -> str:
        text = self._text
        found = []
        for row in rows:
            if row.on_front is None or row.cost.value is None:
                continue
            found.append(
                text(
                    "tradeoffs.said_front" if row.on_front else "tradeoffs.said",
                    language=self._names.language(row.language).shown,
                    model=self._names.model(row.model),
                    score=self.score(row),
                    cost=self.cost(row),
                )
            )
        return " ".join(found)

    # --- sentences

    def _readings(self, measure: Measure, rows: Sequence[TradeoffRow]) -> Iterator[str]:
        """Yield which models are on the front; languages with the same front share a sentence."""
        text = self._text
        fronts: dict[tuple[str, ...], list[str]] = {}
        for language, task in dict.fromkeys((row.language, row.task) for row in rows):
            same = [r for r in rows if (r.language, r.task) == (language, task) and r.on_front is not None]
            ahead = sorted((r for r in same if r.on_front), key=lambda r: r.cost.value or 0.0)
            if len(same) > 1:
                fronts.setdefault(tuple(r.model for r in ahead), []).append(self._names.language(language).shown)
        if not fronts:
            yield text("tradeoffs.single")
        every = len({row.language for row in rows})
        for models, languages in fronts.items():
            yield text(
                f"tradeoffs.front_one.{measure}" if len(models) == 1 else f"tradeoffs.front_several.{measure}",
                languages=text("tradeoffs.all_languages")
                if every > 1 and len(set(languages)) == every
                else text.join(list(dict.fromkeys(languages))),
                models=text.join([self._names.model(name) for name in models]),
            )

    def _shown(self, rows: Sequence[TradeoffRow]) -> Iterator[str]:
        """Yield which scores are shown to be higher, as the comparisons of models have it."""
        tasks = {row.task for row in rows}
        scored = {profile.model: profile.facts.cell.model for profile in self._run.profiles}
        models = {scored[row.model] for row in rows if row.on_front is not None}
        pairs: dict[tuple[str, str], list[str]] = {}
        for found in self._tables.comparisons:
            row: ComparisonRow = found.turned() if found.verdict is Verdict.BEHIND else found
            ours = row.task in tasks and row.form == rows[0].form and {row.model, row.other} <= models
            if ours and row.verdict is Verdict.AHEAD:
                pairs.setdefault((row.model, row.other), []).append(self._names.language(row.language).shown)
        # Models that one beats in the same languages share a sentence.
        beaten: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for (model, other), languages in pairs.items():
            beaten.setdefault((model, tuple(languages)), []).append(self._names.model(other))
        for (model, same), others in beaten.items():
            yield self._text(
                "tradeoffs.shown",
                model=self._names.model(model),
                other=self._text.join(others),
                languages=self._text.join(same),
            )
        if not pairs and len(models) > 1:
            yield self._text("tradeoffs.shown_none")

    def _guessed(self, rows: Sequence[TradeoffRow]) -> Iterator[str]:
        """Yield where a model on the front may only be guessing: what is cheap and knows nothing is on it too."""
        found: dict[str, list[str]] = {}
        for row in rows:
            if row.on_front and row.above_chance is False:
                found.setdefault(row.model, []).append(self._names.language(row.language).shown)
        for model, languages in found.items():
            yield self._text(
                "tradeoffs.guessed",
                model=self._names.model(model),
                languages=self._text.join(list(dict.fromkeys(languages))),
            )

    # --- formats

    def score(self, row: TradeoffRow) -> str:
        """Return a score as it is shown."""
        return (
            self._text.percent(row.score.value) if row.scale is Scale.SHARE else self._text.number(row.score.value, 2)
        )

    def cost(self, row: TradeoffRow) -> str:
        """Return a cost with its unit."""
        return {
            Measure.SECONDS: self._shown_as.seconds,
            Measure.MEMORY: self._shown_as.mib,
            Measure.ENERGY: self._shown_as.bare_joules,
        }[row.measure](row.cost.value)
