"""Draws one panel of curves: a score against the number of something, a line with its intervals for each model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from evalsuite.report.drawing import FigureText, Palette, draw_figure
from evalsuite.report.figures import MARKERS, series_class
from evalsuite.report.plot import Plot, broken, round_values
from evalsuite.report.svg import marks_id

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Curve", "CurvePanel", "Point", "draw_curves"]

_WIDTH, _HEIGHT = 440.0, 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 18.0, 14.0, 50.0
_ASIDE = 3.0
"""Points by which each series stands beside the one before, so that intervals do not cover each other."""


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a curve, with its interval where there is one."""

    x: float
    value: float
    low: float | None = None
    high: float | None = None
    key: str = ""
    """Names the row of the table that holds the same number."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The values of one series, by x."""

    series: int
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class CurvePanel:
    """What one panel shows; x is on a scale of powers of two."""

    id: str
    title: str
    description: str
    curves: tuple[Curve, ...]
    chance: tuple[tuple[float, float], ...]
    """What guessing scores, by x."""
    chance_label: str
    ticks: tuple[int, ...]
    """Values of x that are labelled, ascending; at least two."""
    x_axis: str
    top: float
    """End of the axis of values, which begins at 0."""
    tick: Callable[[float], str]


def draw_curves(panel: CurvePanel) -> Markup:
    """Return a panel as an inline SVG element; the same panel always gives the same text."""

    def paint(figure: Figure, palette: Palette) -> None:
        width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        box = (_LEFT / _WIDTH, _BOTTOM / _HEIGHT, width / _WIDTH, height / _HEIGHT)
        ends = math.log2(panel.ticks[0] / 1.15), math.log2(panel.ticks[-1] * 1.15)
        plot = Plot(figure, box, ends, (0.0, panel.top))
        _frame(plot, panel, palette)
        _chance(plot, panel, palette)
        for i, curve in enumerate(panel.curves):
            _curve(plot, curve, _ASIDE * (i - (len(panel.curves) - 1) / 2), palette)

    return draw_figure(
        FigureText(panel.id, panel.title, panel.description),
        (_WIDTH, _HEIGHT),
        paint,
        columns=("x", "series", "value", "low", "high"),
        rows=[(p.x, c.series + 1, p.value, p.low, p.high) for c in panel.curves for p in c.points],
    )


def _frame(plot: Plot, panel: CurvePanel, palette: Palette) -> None:
    values = round_values(0.0, panel.top, most=5)
    plot.grid([], values, palette)
    for value in values:
        look: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 12.5, "color": palette.muted}
        plot.text(0, value, panel.tick(value), shift=(-6, 0), across="x", **look)
    plot.scale(lambda place: f"{2**place:.0f}", panel.x_axis, palette, [math.log2(tick) for tick in panel.ticks])


def _chance(plot: Plot, panel: CurvePanel, palette: Palette) -> None:
    if not panel.chance:
        return
    places = [(math.log2(x), y) for x, y in panel.chance]
    xs, ys = zip(*places, strict=True)
    plot.line(xs, ys, color=palette.ink, linewidth=1.1, dashes=(3, 2.5), zorder=1.5)
    # Above its second point: from there on the curve is flat enough not to cross the text.
    x, y = places[min(1, len(places) - 1)]
    plot.text(x, y, panel.chance_label, shift=(8, 3), fontsize=11.5, color=palette.ink)


def _curve(plot: Plot, curve: Curve, aside: float, palette: Palette) -> None:
    colour = palette.series[series_class(curve.series) - 1]
    # Past seven series the colours repeat; the shift gives the repeated colour another shape.
    marker = MARKERS[(curve.series + curve.series // len(MARKERS)) % len(MARKERS)]
    look: dict[str, Any] = {"color": colour, "shift": (aside, 0.0)}
    places = [(math.log2(point.x), point) for point in curve.points]
    ends = [(x, p.low, p.high) for x, p in places if p.low is not None and p.high is not None]
    if ends:
        xs, ys = broken([(x, x) for x, *_ in ends], [(low, high) for _, low, high in ends])
        plot.line(xs, ys, linewidth=1.6, solid_capstyle="butt", zorder=2, **look)
    look |= {"marker": marker, "markersize": 6}
    plot.line([x for x, _ in places], [point.value for _, point in places], linewidth=1.6, zorder=3, **look)
    # The line's own points are one element: these are seen alike, and each names its number.
    told = [(x, point) for x, point in places if point.key]
    if told:
        plot.line(
            [x for x, _ in told],
            [point.value for _, point in told],
            linestyle="none",
            zorder=3.1,
            gid=marks_id([(point.key, point.value) for _, point in told]),
            **look,
        )
