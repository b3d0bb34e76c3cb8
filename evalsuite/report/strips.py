"""Draws distributions: languages down the side, for each model a strip with a stroke for each request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from evalsuite.report.drawing import SERIES_COLOURS, FigureText, Palette, draw_figure
from evalsuite.report.figures import RowLabel, marker
from evalsuite.report.plot import Plot, broken
from evalsuite.report.svg import mark_id

if TYPE_CHECKING:
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
        top = max((max(*s.values, *s.tails, s.median) for s in panel.strips), default=1.0)
        plot = Plot(figure, box, (0.0, top * 1.06), (len(panel.rows) - 0.5, -0.5))
        plot.scale(panel.tick, panel.axis, palette)
        plot.between_rows(len(panel.rows), -_LEFT / (_WIDTH - _LEFT - _RIGHT), palette)
        for i, row in enumerate(panel.rows):
            plot.row(i, row.text, row.detail, palette)
        for strip in panel.strips:
            y = strip.row + _STRIP / row_height * (strip.series - (panel.series - 1) / 2)
            _strip(plot, strip, y, 1 / row_height, palette)

    return draw_figure(
        FigureText(panel.id, panel.title, panel.description),
        (_WIDTH, height),
        paint,
        columns=("row", "series", "value"),
        rows=[(panel.rows[s.row].text, s.series + 1, value) for s in panel.strips for value in s.values],
    )


def _strip(plot: Plot, strip: Strip, y: float, unit: float, palette: Palette) -> None:
    """Draw one strip; `unit` is a point in units of rows."""
    colour = palette.series[strip.series % SERIES_COLOURS]
    xs, ys = broken([(value, value) for value in strip.values], [(y - 4 * unit, y + 4 * unit)] * len(strip.values))
    plot.line(xs, ys, color=colour, linewidth=1.4, alpha=0.65, solid_capstyle="butt", zorder=2)
    for value in strip.tails:
        look: dict[str, Any] = {"color": colour, "linewidth": 2.4, "solid_capstyle": "butt", "zorder": 2.5}
        plot.line([value] * 2, [y - 7 * unit, y + 7 * unit], gid=mark_id(strip.key, value), **look)
    plot.line(
        [strip.median],
        [y],
        marker=marker(strip.series),
        markersize=7,
        markerfacecolor=colour,
        markeredgecolor=palette.surface,
        markeredgewidth=1.2,
        linestyle="none",
        zorder=3,
        gid=mark_id(strip.key, strip.median),
    )
