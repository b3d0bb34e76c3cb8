"""Draws scores against a cost: a small field for each language, a point for each model, the Pareto front as a step line."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from evalsuite.report.drawing import SERIES_COLOURS, FigureText, Palette, draw_figure
from evalsuite.report.figures import marker
from evalsuite.report.plot import Plot, broken, round_values
from evalsuite.report.svg import mark_id

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Dot", "Field", "FrontPanel", "draw_fronts"]

_WIDTH = 440.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 44.0, 50.0
_BETWEEN, _HEIGHT, _TITLE = 22.0, 112.0, 30.0
_WIDE = 12.0
"""Largest cost over smallest from which on the axis of costs is logarithmic."""


@dataclass(frozen=True, slots=True)
class Dot:
    """One model."""

    series: int
    cost: float
    score: float
    score_ends: tuple[float | None, float | None]
    cost_ends: tuple[float | None, float | None]
    on_front: bool
    key: str


@dataclass(frozen=True, slots=True)
class Field:
    """One language."""

    title: str
    dots: tuple[Dot, ...]
    chance: float | None


@dataclass(frozen=True, slots=True)
class FrontPanel:
    """What one figure shows; all of its fields share both axes."""

    id: str
    title: str
    description: str
    fields: tuple[Field, ...]
    cost_axis: str
    score_axis: str
    cost_tick: Callable[[float], str]
    score_tick: Callable[[float], str]
    top: float
    """End of the axis of scores, which begins at 0."""
    empty: str


def draw_fronts(panel: FrontPanel) -> Markup:
    """Return a panel as an inline SVG element; the same panel always gives the same text."""
    columns = 1 if len(panel.fields) == 1 else 2
    rows = math.ceil(len(panel.fields) / columns)
    height = _TOP + _BOTTOM + rows * _HEIGHT + (rows - 1) * _TITLE
    width = (_WIDTH - _LEFT - _RIGHT - (columns - 1) * _BETWEEN) / columns

    costs = _Costs.of(panel)

    def paint(figure: Figure, palette: Palette) -> None:
        for i, field in enumerate(panel.fields):
            row, column = divmod(i, columns)
            left, bottom = _LEFT + column * (width + _BETWEEN), height - _TOP - (row + 1) * _HEIGHT - row * _TITLE
            box = (left / _WIDTH, bottom / height, width / _WIDTH, _HEIGHT / height)
            plot = Plot(figure, box, (costs.place(costs.low), costs.place(costs.high)), (0.0, panel.top))
            # The last field of each column has the ticks of its column.
            _frame(plot, panel, costs, (column == 0, i + columns >= len(panel.fields)), palette)
            _field(plot, panel, field, costs, palette)
        whole = Plot(figure, (0.0, 0.0, 1.0, 1.0), (0.0, 1.0), (0.0, height))
        whole.text(0.5, 8, panel.cost_axis, ha="center", fontsize=12.5, color=palette.muted)
        whole.text(0, height - 9, panel.score_axis, ha="left", va="center", fontsize=11.5, color=palette.muted)

    return draw_figure(
        FigureText(panel.id, panel.title, panel.description),
        (_WIDTH, height),
        paint,
        columns=("field", "series", "cost", "score", "low", "high", "on_front"),
        rows=[
            (field.title, dot.series + 1, dot.cost, dot.score, *dot.score_ends, dot.on_front)
            for field in panel.fields
            for dot in field.dots
        ],
    )


@dataclass(frozen=True, slots=True)
class _Costs:
    """The axis of costs, by powers of ten where they differ much."""

    low: float
    high: float
    wide: bool
    ticks: list[float]

    @classmethod
    def of(cls, panel: FrontPanel) -> _Costs:
        costs = [dot.cost for one in panel.fields for dot in one.dots] or [1.0]
        highest = max([dot.cost_ends[1] or dot.cost for one in panel.fields for dot in one.dots], default=1.0)
        if min(costs) > 0 and max(costs) / min(costs) > _WIDE:
            low, high = min(costs) / 1.6, highest * 1.6
            return cls(low, high, wide=True, ticks=_decades(low, high))
        high = highest * 1.12
        return cls(0.0, high, wide=False, ticks=round_values(0.0, high, most=4, steps=(1, 2, 5, 10)))

    def place(self, cost: float) -> float:
        """Return where a cost stands; one of nothing has no place among powers of ten, and stands at their beginning."""
        return math.log10(max(cost, self.low)) if self.wide else cost


def _frame(plot: Plot, panel: FrontPanel, costs: _Costs, told: tuple[bool, bool], palette: Palette) -> None:
    """Draw the lines of a field, and the numbers beside it and below it where they are to be told."""
    scores = round_values(0.0, panel.top, most=4)
    plot.grid([costs.place(cost) for cost in costs.ticks], scores, palette, 0.7)
    left, below = told
    for score in scores if left else ():
        look: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 12, "color": palette.muted}
        plot.text(0, score, panel.score_tick(score), shift=(-5, 0), across="x", **look)
    for cost in costs.ticks if below else ():
        look = {"ha": "center", "va": "top", "fontsize": 12, "color": palette.muted}
        plot.text(costs.place(cost), 0, panel.cost_tick(cost), shift=(0, -8), across="y", **look)
    ends = [costs.place(costs.low)] * 2 + [costs.place(costs.high)]
    plot.line(ends, [panel.top, 0.0, 0.0], color=palette.grid, linewidth=0.8, zorder=2.5)


def _field(plot: Plot, panel: FrontPanel, field: Field, costs: _Costs, palette: Palette) -> None:
    look: dict[str, Any] = {"fontsize": 13, "color": palette.ink}
    plot.text(costs.place(costs.low), 1, field.title, shift=(0, 5), across="y", ha="left", va="baseline", **look)
    if field.chance is not None:
        look = {"color": palette.ink, "linewidth": 1, "dashes": (3, 2.5), "zorder": 1.5}
        plot.line([0.0, 1.0], [field.chance] * 2, across="x", **look)
    _step(plot, field.dots, costs, palette)
    for dot in field.dots:
        _dot(plot, dot, costs, palette)
    if not field.dots:
        plot.text(0.5, panel.top / 2, panel.empty, across="x", ha="center", fontsize=12, color=palette.muted)


def _decades(low: float, high: float) -> list[float]:
    """Return 1, 10, 100... within a range; with 3, 30, 300... between them where these are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [10.0**power for power in powers if low <= 10.0**power <= high]
    if len(found) > 2:
        return found
    return [lead * 10.0**power for power in powers for lead in (1, 3) if low <= lead * 10.0**power <= high]


def _step(plot: Plot, dots: Sequence[Dot], costs: _Costs, palette: Palette) -> None:
    """Draw the front: the best score that can be had for a cost."""
    ahead = sorted((dot for dot in dots if dot.on_front), key=lambda dot: dot.cost)
    if not ahead:
        return
    # It begins at its cheapest model: a riser up to that would lie on the model's interval.
    ends = [*(costs.place(dot.cost) for dot in ahead[1:]), costs.place(costs.high)]
    xs = [x for dot, end in zip(ahead, ends, strict=True) for x in (costs.place(dot.cost), end)]
    ys = [dot.score for dot in ahead for _ in range(2)]
    plot.line(xs, ys, color=palette.muted, linewidth=1.3, zorder=1.8)


def _dot(plot: Plot, dot: Dot, costs: _Costs, palette: Palette) -> None:
    colour, at = palette.series[dot.series % SERIES_COLOURS], costs.place(dot.cost)
    (least, most), (low, high) = dot.score_ends, dot.cost_ends
    upright = [((at, at), (least, most))] if least is not None and most is not None else []
    level = [((costs.place(low), costs.place(high)), (dot.score,) * 2)] if low is not None and high is not None else []
    if lines := upright + level:
        xs, ys = broken([x for x, _ in lines], [y for _, y in lines])
        plot.line(xs, ys, color=colour, linewidth=1.5, solid_capstyle="butt", zorder=2)
    # The halo keeps points apart that lie upon each other, and carries the cost; the point itself carries the score.
    for size, fill, edge, value, above in (
        (9.5, palette.surface, palette.surface, dot.cost, 0.0),
        (7.0, colour if dot.on_front else palette.surface, colour, dot.score, 0.1),
    ):
        plot.line(
            [at],
            [dot.score],
            marker=marker(dot.series),
            markersize=size,
            markerfacecolor=fill,
            markeredgecolor=edge,
            markeredgewidth=1.5,
            linestyle="none",
            zorder=3 + above,
            gid=mark_id(dot.key, value),
        )
