"""From table rows to what each panel of a figure shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from evalsuite.analysis.rows import ComparisonRow, GapRow, Scale, ScoreRow, TokenRow, Verdict
from evalsuite.report.figures import Mark, Panel, RowLabel
from evalsuite.report.names import Names
from evalsuite.report.text import Text

__all__ = ["Panels"]


class Panels:
    """Builds the panels of one report; all panels of a figure share their axis, so that they can be compared.

    Args:
        text: Wording and formats.
        names: What things are called.
        scores: The table of scores, which says how each task's scores are to be read.
    """

    def __init__(self, text: Text, names: Names, scores: Iterable[ScoreRow]) -> None:
        self._text = text
        self._names = names
        self._scales = {row.task: row.scale for row in scores}

    def scores(self, ident: str, title: str, rows: Sequence[ScoreRow], everything: Iterable[ScoreRow]) -> Panel | None:
        """Return the panel of scores of one block of rows; `everything` sets the axis."""
        known = [r for r in rows if r.estimate.value is not None]
        if not known:
            return None
        share = known[0].scale is Scale.SHARE
        lines = list(dict.fromkeys((r.language, r.task) for r in rows))
        single = len({r.group for r in rows}) > 1
        chances = {(r.language, r.task): r.chance for r in rows}
        alike = len(set(chances.values())) == 1
        chance = rows[0].chance
        marks = [
            self._mark(lines.index((r.language, r.task)), r, r.estimate.value, (r.estimate.low, r.estimate.high))
            for r in known
            if r.estimate.value is not None
        ]
        scope = [r for r in (everything if share else rows) if r.scale is known[0].scale]
        top = max(_numbers(v for r in scope for v in (r.estimate.value, r.estimate.high, r.chance)))
        low = 0.0 if share else min(0.0, *_numbers(v for r in scope for v in (r.estimate.value, r.estimate.low)))
        return Panel(
            id=ident,
            title=self._text("accuracy.aria", group=title),
            description=self._describe((r.model, r.language, self.score(r.estimate.value, r.scale)) for r in known),
            rows=tuple(self._label(code, chances[code, task], task if single else "") for code, task in lines),
            marks=tuple(marks),
            series=len(self._names.series),
            empty=self._text("word.no_data"),
            axis=self._text("accuracy.axis" if share else "accuracy.axis_raw"),
            limits=(low, min(1.0, max(0.5, math.ceil(top * 10) / 10)) if share else top * 1.05),
            tick=self._percent_tick if share else self._plain_tick,
            chance_label=f"{self._text('col.chance')} {self.score(chance, known[0].scale)}" if alike else "",
        )

    def gaps(self, ident: str, title: str, rows: Sequence[GapRow], everything: Iterable[GapRow]) -> Panel | None:
        """Return the panel of gaps of one group; `everything` sets the axis."""
        known = [r for r in rows if r.difference.difference is not None]
        if not known:
            return None
        share = known[0].scale is Scale.SHARE
        factor = 100 if share else 1
        codes = list(dict.fromkeys(r.language for r in rows))
        marks = []
        for r in known:
            d = r.difference
            ends = (_times(d.low, factor), _times(d.high, factor))
            shown = r.verdict in {Verdict.BEHIND, Verdict.AHEAD}
            value = None if d.difference is None else self.plotted(d.difference, r.scale)
            marks.append(self._mark(codes.index(r.language), r, value, ends, filled=shown))
        scope = [r.difference for r in (everything if share else rows) if r.scale is known[0].scale]
        ends_all = _numbers(_times(v, factor) for d in scope for v in (d.low, d.high, d.difference))
        low, high = min(0.0, *ends_all), max(0.0, *ends_all)
        pad = 0.05 * ((high - low) or 1.0)
        return Panel(
            id=ident,
            title=self._text("gap.aria", group=title),
            description=self._describe(
                (r.model, r.language, f"{self.points(r.difference.difference, r.scale)}, {r.verdict or ''}")
                for r in known
            ),
            rows=tuple(self._label(code) for code in codes),
            marks=tuple(marks),
            series=len(self._names.series),
            empty=self._text("word.no_data"),
            axis=self._text("gap.axis" if share else "gap.axis_raw"),
            limits=(low - pad, high + pad),
            tick=lambda value: self._text.signed(value, 0 if share else 2),
            zero_line=True,
        )

    def tokens(self, ident: str, title: str, rows: Sequence[TokenRow]) -> Panel | None:
        """Return the panel of tokens per item of one group."""
        known = [r for r in rows if r.tokens_per_item is not None]
        if not known:
            return None
        lines = list(dict.fromkeys((r.language, r.task) for r in rows))
        marks = [
            self._mark(
                lines.index((r.language, r.task)),
                r,
                r.tokens_per_item,
                text=self._text.number(r.tokens_per_item, 0)
                + ("" if r.ratio.value is None else f" ({self.ratio(r.ratio.value)})"),
            )
            for r in known
        ]
        top = max(_numbers(r.tokens_per_item for r in known))
        return Panel(
            id=ident,
            title=self._text("tokens.aria", group=title),
            description=self._describe((r.model, r.language, self._text.number(r.tokens_per_item)) for r in known),
            rows=tuple(self._label(code) for code, _ in lines),
            marks=tuple(marks),
            series=len(self._names.series),
            empty=self._text("word.no_data"),
            axis=self._text("tokens.axis"),
            # Room for the number beside the longest bar.
            limits=(0.0, (top or 1.0) * 1.28),
            tick=lambda value: self._text.number(value, 0),
            bars=True,
        )

    def score(self, value: float | None, scale: Scale) -> str:
        """Return a score as it is shown."""
        return self._text.percent(value) if scale is Scale.SHARE else self._text.number(value, 2)

    def plotted(self, value: float, scale: Scale) -> float:
        """Return a difference in the units of the figures' axes: points where scores are shares."""
        return 100 * value if scale is Scale.SHARE else value

    def points(self, value: float | None, scale: Scale) -> str:
        """Return a difference of scores as it is shown; of shares in percentage points."""
        return self._text.signed(_times(value, 100)) if scale is Scale.SHARE else self._text.signed(value, 2)

    def span(self, low: float | None, high: float | None, scale: Scale, *, signed: bool = False) -> str:
        """Return an interval of scores, or of differences, as it is shown."""
        if scale is Scale.SHARE:
            return self._text.span(_times(low, 100), _times(high, 100), signed=signed)
        return self._text.span(low, high, digits=2, signed=signed)

    def scale_of(self, row: ComparisonRow) -> Scale:
        """Return how the difference of two models is to be read."""
        return self._scales.get(row.task, Scale.SHARE)

    def ratio(self, value: float | None) -> str:
        """Return a ratio as it is shown."""
        return self._text.number(value, 2) + ("" if value is None else "\N{MULTIPLICATION SIGN}")

    def score_of(self, scale: Scale) -> Callable[[float], str]:
        """Return what shows the scores of a scale."""
        return lambda value: self.score(value, scale)

    def bare_of(self, scale: Scale) -> Callable[[float], str]:
        """Return what shows the ends of an interval of such scores, without a percent sign."""
        return lambda value: self.size(value, scale)

    def hundred(self, value: float) -> str:
        """Return a share in hundredths, without a percent sign."""
        return self._text.number(100 * value)

    def size(self, value: float, scale: Scale) -> str:
        """Return a difference without a sign, in points where scores are shares."""
        return self._text.number(100 * value) if scale is Scale.SHARE else self._text.number(value, 2)

    def _mark(
        self,
        line: int,
        row: ScoreRow | GapRow | TokenRow,
        value: float | None,
        ends: tuple[float | None, float | None] = (None, None),
        *,
        filled: bool = True,
        text: str = "",
    ) -> Mark:
        # Every caller leaves out rows without a value.
        assert value is not None
        series = self._names.series_of(row.model, row.form).index
        return Mark(line, series, value, ends[0], ends[1], filled=filled, text=text, key=self._names.key(row))

    def _label(self, code: str, chance: float | None = None, detail: str = "") -> RowLabel:
        name = self._names.language(code)
        return RowLabel(self._text.title(name.shown), detail or (self._text("word.low") if name.low else ""), chance)

    def _describe(self, parts: Iterable[tuple[str, str, str]]) -> str:
        said = (f"{self._names.language(code).shown}, {self._names.model(model)}: {v}" for model, code, v in parts)
        return "; ".join(said) + "."

    @property
    def _percent_tick(self) -> Callable[[float], str]:
        return lambda value: self._text.percent_sign(self._text.number(100 * value, 0))

    @property
    def _plain_tick(self) -> Callable[[float], str]:
        return lambda value: self._text.number(value, 2)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _numbers(values: Iterable[float | None]) -> list[float]:
    return [v for v in values if v is not None]
