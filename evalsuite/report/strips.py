"""Draws distributions: languages down the side, for each model a strip with a stroke for each request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from evalsuite.report.drawing import SERIES_COLOURS, FigureText, Palette, draw_figure
from evalsuite.report.figures import RowLabel, marker
from evalsuite.report.svg import mark_id

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["STROKES", "Strip", "StripPanel", "draw_strips", "sampled"]

STROKES = 40
"""Most strokes of a strip."""

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 440.0, 112.0, 18.0, 10.0, 46.0
_ROW_PAD, _STRIP = 16.0, 17.0


@dataclass(frozen=True, slots=True)
class Strip:
    """One model in one language."""

    row: int
    series: int
    values: tuple[float, ...]
    """Of the requests, or a sample of them (`sampled`)."""
    median: float
    tails: tuple[float, ...]
    """Those of the 95th and 99th percentile that exist."""
    key: str


@dataclass(frozen=True, slots=True)
class StripPanel:
    """What one panel shows; its axis begins at 0."""

    id: str
    title: str
    description: str
    rows: tuple[RowLabel, ...]
    strips: tuple[Strip, ...]
    series: int
    """Number of series that share a row."""
    axis: str
    tick: Callable[[float], str]


def sampled(values: Sequence[float], most: int = STROKES) -> tuple[float, ...]:
    """Return all values in order, or as many of them as may be drawn, at even ranks: a sample without chance.

    The smallest and the largest are always among them.
    """
    ordered = sorted(values)
    if len(ordered) <= most:
        return tuple(ordered)
    return tuple(ordered[round(i * (len(ordered) - 1) / (most - 1))] for i in range(most))


def draw_strips(panel: StripPanel) -> Markup:
    """Return a panel as an inline SVG element; the same panel always gives the same text."""
    row_height = max(40.0, _ROW_PAD + _STRIP * panel.series)
    height = _TOP + _BOTTOM + row_height * len(panel.rows)

    def paint(figure: Figure, palette: Palette) -> None:
        box = (_LEFT / _WIDTH, _BOTTOM / height, (_WIDTH - _LEFT - _RIGHT) / _WIDTH, (height - _TOP - _BOTTOM) / height)
        axes = figure.add_axes(box)
        axes.set_facecolor("none")
        _frame(axes, panel, palette)
        for strip in panel.strips:
            y = strip.row + _STRIP / row_height * (strip.series - (panel.series - 1) / 2)
            _strip(axes, strip, y, 1 / row_height, palette)

    return draw_figure(
        FigureText(panel.id, panel.title, panel.description),
        (_WIDTH, height),
        paint,
        columns=("row", "series", "value"),
        rows=[(panel.rows[s.row].text, s.series + 1, value) for s in panel.strips for value in s.values],
    )


def _frame(axes: Axes, panel: StripPanel, palette: Palette) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator
    from matplotlib.transforms import ScaledTranslation

    top = max((max(*s.values, *s.tails, s.median) for s in panel.strips), default=1.0)
    axes.set_xlim(0, top * 1.06)
    axes.set_ylim(len(panel.rows) - 0.5, -0.5)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(palette.grid)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: panel.tick(value)))
    axes.tick_params(axis="x", length=0, pad=6, labelsize=12.5, labelcolor=palette.muted)
    axes.set_yticks([])
    axes.grid(visible=True, axis="x", color=palette.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel(panel.axis, fontsize=12.5, color=palette.muted, labelpad=5)
    base = axes.get_yaxis_transform()
    for i, row in enumerate(panel.rows):
        shift = 6.5 if row.detail else 0.0
        for text, dy, size, colour in ((row.text, shift, 14, palette.ink), (row.detail, -9.0, 11.5, palette.muted)):
            if text:
                where = base + ScaledTranslation(-10 / 72, dy / 72, axes.figure.dpi_scale_trans)
                axes.text(0, i, text, transform=where, ha="right", va="center", fontsize=size, color=colour)
        if i:
            ends = [-_LEFT / (_WIDTH - _LEFT - _RIGHT), 1]
            axes.plot(ends, [i - 0.5] * 2, transform=base, color=palette.grid, linewidth=0.6, clip_on=False, zorder=0.5)


def _strip(axes: Axes, strip: Strip, y: float, unit: float, palette: Palette) -> None:
    """Draw one strip; `unit` is a point in units of rows."""
    colour = palette.series[strip.series % SERIES_COLOURS]
    # All strokes are one path: forty marks of a strip would be forty elements.
    xs = [x for value in strip.values for x in (value, value, float("nan"))]
    ys = [part for _ in strip.values for part in (y - 4 * unit, y + 4 * unit, float("nan"))]
    axes.plot(xs, ys, color=colour, linewidth=1.4, alpha=0.65, solid_capstyle="butt", zorder=2)
    for value in strip.tails:
        axes.plot(
            [value] * 2, [y - 7 * unit, y + 7 * unit], color=colour, linewidth=2.4, solid_capstyle="butt", zorder=2.5,
            gid=mark_id(strip.key, value),
        )  # fmt: skip
    axes.plot(
        [strip.median], [y], marker=marker(strip.series), markersize=7, markerfacecolor=colour,
        markeredgecolor=palette.surface, markeredgewidth=1.2, linestyle="none", clip_on=False, zorder=3,
        gid=mark_id(strip.key, strip.median),
    )  # fmt: skip
