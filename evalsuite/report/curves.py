"""Draws one panel of curves: a score against the number of something, a line with its intervals for each model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from evalsuite.report.drawing import FigureText, Palette, draw_figure
from evalsuite.report.figures import MARKERS, series_class
from evalsuite.report.svg import mark_id

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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
        axes = figure.add_axes((_LEFT / _WIDTH, _BOTTOM / _HEIGHT, width / _WIDTH, height / _HEIGHT))
        axes.set_facecolor("none")
        _frame(axes, panel, palette)
        _chance(axes, panel, palette)
        for i, curve in enumerate(panel.curves):
            _curve(axes, curve, _ASIDE * (i - (len(panel.curves) - 1) / 2), palette)

    return draw_figure(
        FigureText(panel.id, panel.title, panel.description),
        (_WIDTH, _HEIGHT),
        paint,
        columns=("x", "series", "value", "low", "high"),
        rows=[(p.x, c.series + 1, p.value, p.low, p.high) for c in panel.curves for p in c.points],
    )


def _frame(axes: Axes, panel: CurvePanel, palette: Palette) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    axes.set_xscale("log", base=2)
    axes.set_xlim(panel.ticks[0] / 1.15, panel.ticks[-1] * 1.15)
    axes.set_ylim(0, panel.top)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(palette.grid)
    axes.xaxis.set_major_locator(FixedLocator(list(panel.ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: panel.tick(value)))
    axes.tick_params(length=0, pad=6, labelsize=12.5, labelcolor=palette.muted)
    axes.grid(visible=True, axis="y", color=palette.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel(panel.x_axis, fontsize=12.5, color=palette.muted, labelpad=5)


def _chance(axes: Axes, panel: CurvePanel, palette: Palette) -> None:
    if not panel.chance:
        return
    xs, ys = zip(*panel.chance, strict=True)
    axes.plot(xs, ys, color=palette.ink, linewidth=1.1, dashes=(3, 2.5), zorder=1.5)
    # Above its second point: from there on the curve is flat enough not to cross the text.
    at = min(1, len(xs) - 1)
    shift = (8, 3)
    axes.annotate(
        panel.chance_label, (xs[at], ys[at]), xytext=shift, textcoords="offset points", fontsize=11.5, color=palette.ink
    )


def _curve(axes: Axes, curve: Curve, aside: float, palette: Palette) -> None:
    from matplotlib.transforms import ScaledTranslation

    place = series_class(curve.series) - 1
    colour = palette.series[place]
    # Past seven series the colours repeat; the shift gives the repeated colour another shape.
    marker = MARKERS[(curve.series + curve.series // len(MARKERS)) % len(MARKERS)]
    where = axes.transData + ScaledTranslation(aside / 72, 0, axes.figure.dpi_scale_trans)
    for point in curve.points:
        if point.low is not None and point.high is not None:
            ends = [point.low, point.high]
            axes.plot(
                [point.x] * 2, ends, color=colour, linewidth=1.6, solid_capstyle="butt", transform=where, zorder=2
            )
    axes.plot(
        [point.x for point in curve.points],
        [point.value for point in curve.points],
        color=colour,
        linewidth=1.6,
        marker=marker,
        markersize=6,
        markerfacecolor=colour,
        markeredgecolor=colour,
        transform=where,
        clip_on=False,
        zorder=3,
    )
    for point in curve.points:
        if point.key:
            # The line's own points are one element: these are seen alike, and each names its number.
            axes.plot(
                [point.x], [point.value], marker=marker, markersize=6, color=colour, linestyle="none", transform=where,
                clip_on=False, zorder=3.1, gid=mark_id(point.key, point.value),
            )  # fmt: skip
