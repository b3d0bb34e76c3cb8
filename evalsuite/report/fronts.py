"""Draws scores against a cost: a small field for each language, a point for each model, the Pareto front as a step line."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from evalsuite.report.drawing import SERIES_COLOURS, FigureText, Palette, draw_figure
from evalsuite.report.figures import marker
from evalsuite.report.svg import mark_id

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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

    def paint(figure: Figure, palette: Palette) -> None:
        for i, field in enumerate(panel.fields):
            row, column = divmod(i, columns)
            left, bottom = _LEFT + column * (width + _BETWEEN), height - _TOP - (row + 1) * _HEIGHT - row * _TITLE
            axes = figure.add_axes((left / _WIDTH, bottom / height, width / _WIDTH, _HEIGHT / height))
            axes.set_facecolor("none")
            _frame(axes, panel, field, palette)
            # The last field of each column has the ticks of its column.
            axes.tick_params(labelleft=column == 0, labelbottom=i + columns >= len(panel.fields))
            _step(axes, field.dots, palette)
            for dot in field.dots:
                _dot(axes, dot, palette)
            if not field.dots:
                axes.text(
                    0.5, 0.5, panel.empty, transform=axes.transAxes, ha="center", fontsize=12, color=palette.muted
                )
        figure.text(0.5, 8 / height, panel.cost_axis, ha="center", fontsize=12.5, color=palette.muted)
        figure.text(0, 1 - 9 / height, panel.score_axis, ha="left", va="center", fontsize=11.5, color=palette.muted)

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


def _frame(axes: Axes, panel: FrontPanel, field: Field, palette: Palette) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    costs = [dot.cost for one in panel.fields for dot in one.dots] or [1.0]
    highest = max([dot.cost_ends[1] or dot.cost for one in panel.fields for dot in one.dots], default=1.0)
    if min(costs) > 0 and max(costs) / min(costs) > _WIDE:
        axes.set_xscale("log")
        axes.set_xlim(min(costs) / 1.6, highest * 1.6)
        axes.xaxis.set_major_locator(FixedLocator(_decades(min(costs) / 1.6, highest * 1.6)))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.set_xlim(0, highest * 1.12)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
    axes.set_ylim(0, panel.top)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: panel.cost_tick(value)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: panel.score_tick(value)))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(palette.grid)
    axes.tick_params(length=0, pad=5, labelsize=12, labelcolor=palette.muted)
    axes.tick_params(axis="x", pad=8)
    axes.grid(visible=True, color=palette.grid, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_title(field.title, fontsize=13, color=palette.ink, loc="left", pad=5)
    if field.chance is not None:
        axes.axhline(field.chance, color=palette.ink, linewidth=1, dashes=(3, 2.5), zorder=1.5)


def _decades(low: float, high: float) -> list[float]:
    """Return 1, 10, 100... within a range; with 3, 30, 300... between them where these are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [10.0**power for power in powers if low <= 10.0**power <= high]
    if len(found) > 2:
        return found
    return [lead * 10.0**power for power in powers for lead in (1, 3) if low <= lead * 10.0**power <= high]


def _step(axes: Axes, dots: Sequence[Dot], palette: Palette) -> None:
    """Draw the front: the best score that can be had for a cost."""
    ahead = sorted((dot for dot in dots if dot.on_front), key=lambda dot: dot.cost)
    if not ahead:
        return
    # It begins at its cheapest model: a riser up to that would lie on the model's interval.
    xs = [*(dot.cost for dot in ahead), axes.get_xlim()[1]]
    ys = [*(dot.score for dot in ahead), ahead[-1].score]
    axes.step(xs, ys, where="post", color=palette.muted, linewidth=1.3, zorder=1.8)


def _dot(axes: Axes, dot: Dot, palette: Palette) -> None:
    colour = palette.series[dot.series % SERIES_COLOURS]
    lines = ((dot.score_ends, (dot.cost, dot.cost), False), (dot.cost_ends, (dot.score, dot.score), True))
    for (low, high), across, flat in lines:
        if low is not None and high is not None:
            xs, ys = ((low, high), across) if flat else (across, (low, high))
            axes.plot(xs, ys, color=colour, linewidth=1.5, solid_capstyle="butt", zorder=2)
    # The halo keeps points apart that lie upon each other, and carries the cost; the point itself carries the score.
    for size, fill, edge, value, above in (
        (9.5, palette.surface, palette.surface, dot.cost, 0.0),
        (7.0, colour if dot.on_front else palette.surface, colour, dot.score, 0.1),
    ):
        axes.plot(
            [dot.cost],
            [dot.score],
            marker=marker(dot.series),
            markersize=size,
            markerfacecolor=fill,
            markeredgecolor=edge,
            markeredgewidth=1.5,
            linestyle="none",
            clip_on=False,
            zorder=3 + above,
            gid=mark_id(dot.key, value),
        )
