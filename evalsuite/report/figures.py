"""Draws one panel of a figure: languages down the side, a point or bar with its interval for each model."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from evalsuite.report.drawing import SERIES_COLOURS, FigureText, Palette, draw_figure
from evalsuite.report.plot import Plot, broken
from evalsuite.report.svg import marks_id

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MARKERS", "Mark", "Panel", "RowLabel", "draw", "marker", "marker_path", "series_class"]

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Shape of each series: colour is never the only sign."""

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 440.0, 112.0, 18.0, 22.0, 46.0
_MOST_LEFT = 200.0
_ROW_MIN, _MARK_STEP, _ROW_PAD = 38.0, 15.0, 14.0


@dataclass(frozen=True, slots=True)
class RowLabel:
    """Label of one row, with a second line in smaller type."""

    text: str
    detail: str = ""
    chance: float | None = None
    """Where the row's dashed mark stands."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One point of a panel."""

    row: int
    series: int
    value: float
    low: float | None = None
    high: float | None = None
    filled: bool = True
    text: str = ""
    key: str = ""
    """Names the row of the table that holds the same number (`Names.key`)."""


@dataclass(frozen=True, slots=True)
class Panel:
    """What one panel shows."""

    id: str
    title: str
    description: str
    rows: tuple[RowLabel, ...]
    marks: tuple[Mark, ...]
    series: int
    """Number of series that share a row."""
    axis: str
    limits: tuple[float, float]
    tick: Callable[[float], str]
    chance_label: str = ""
    zero_line: bool = False
    bars: bool = False
    empty: str = ""
    """What to write in a row that has no marks, so that it is not read as a zero."""
    band: tuple[float, float] | None = None
    """A range of the axis that is shaded."""

    @property
    def left(self) -> float:
        """Room for the labels of the rows, in points."""
        widths = [max(8.2 * text_width(row.text), 6.6 * text_width(row.detail)) for row in self.rows]
        return min(max([_LEFT, *(width + 14 for width in widths)]), _MOST_LEFT)


def text_width(text: str) -> float:
    """Return about how wide a text is, in widths of a Latin letter: full-width characters count twice."""
    return sum(1.75 if unicodedata.east_asian_width(letter) in "WF" else 1.0 for letter in text)


def draw(panel: Panel) -> Markup:
    """Return a panel as an inline SVG element; the same panel always gives the same text."""
    row_height = max(_ROW_MIN, _ROW_PAD + _MARK_STEP * panel.series)
    height = _TOP + _BOTTOM + row_height * len(panel.rows)

    def paint(figure: Figure, palette: Palette) -> None:
        left = panel.left
        box = (left / _WIDTH, _BOTTOM / height, (_WIDTH - left - _RIGHT) / _WIDTH, (height - _TOP - _BOTTOM) / height)
        plot = Plot(figure, box, panel.limits, (len(panel.rows) - 0.5, -0.5))
        plot.scale(panel.tick, panel.axis, palette)
        _rows(plot, panel, palette)
        _marks(plot, panel, row_height, palette)

    return draw_figure(
        FigureText(panel.id, panel.title, panel.description),
        (_WIDTH, height),
        paint,
        columns=("row", "series", "value", "low", "high"),
        rows=[(panel.rows[m.row].text, m.series + 1, m.value, m.low, m.high) for m in panel.marks],
    )


def series_class(series: int) -> int:
    """Return the number (1 to 7) of a series' colour in the style sheet."""
    return series % SERIES_COLOURS + 1


def marker_path(series: int) -> str:
    """Return the shape of a series as an SVG path about the origin, about 10 units across; for keys."""
    return {
        "o": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z",
        "s": "M-4.5 -4.5H4.5V4.5H-4.5Z",
        "^": "M0 -5.5L5.5 4.5H-5.5Z",
        "D": "M0 -6L6 0L0 6L-6 0Z",
        "v": "M0 5.5L5.5 -4.5H-5.5Z",
        "P": "M-1.8 -5.5H1.8V-1.8H5.5V1.8H1.8V5.5H-1.8V1.8H-5.5V-1.8H-1.8Z",
        "X": "M-5 -2.5L-2.5 -5L0 -2.5L2.5 -5L5 -2.5L2.5 0L5 2.5L2.5 5L0 2.5L-2.5 5L-5 2.5L-2.5 0Z",
    }[marker(series)]


def marker_clip(series: int) -> str:
    """Return the shape of a series as a CSS `clip-path` in a box of 14 by 14 pixels; for the rows of tables."""
    return {
        "o": "circle(5px)",
        "s": "inset(2.5px)",
        "^": _polygon("7 1.5,12.5 11.5,1.5 11.5"),
        "D": _polygon("7 1,13 7,7 13,1 7"),
        "v": _polygon("7 12.5,12.5 2.5,1.5 2.5"),
        "P": _polygon("5 1.5,9 1.5,9 5,12.5 5,12.5 9,9 9,9 12.5,5 12.5,5 9,1.5 9,1.5 5,5 5"),
        "X": _polygon("2 4.5,4.5 2,7 4.5,9.5 2,12 4.5,9.5 7,12 9.5,9.5 12,7 9.5,4.5 12,2 9.5,4.5 7"),
    }[marker(series)]


def _polygon(points: str) -> str:
    pairs = (point.split() for point in points.split(","))
    return f"polygon({', '.join(f'{x}px {y}px' for x, y in pairs)})"


def marker(series: int) -> str:
    """Return the shape of a series, as matplotlib names it."""
    # Past seven series the colours repeat; the shift gives the repeated colour another shape.
    return MARKERS[(series + series // SERIES_COLOURS) % len(MARKERS)]


def _rows(plot: Plot, panel: Panel, palette: Palette) -> None:
    if panel.band is not None:
        low, high = panel.band
        look: dict[str, Any] = {"facecolor": palette.grid, "alpha": 0.55, "linewidth": 0, "zorder": 0.3}
        plot.field((low, 0.0), high - low, 1.0, across="y", **look)
    if panel.zero_line:
        plot.line([0.0, 0.0], [0.0, 1.0], across="y", color=palette.ink, linewidth=1.2, zorder=1.5)
    filled = {mark.row for mark in panel.marks}
    for i, row in enumerate(panel.rows):
        plot.row(i, row.text, row.detail, palette)
        if panel.empty and i not in filled:
            plot.text(0, i, panel.empty, shift=(10, 0), across="x", va="center", fontsize=11.5, color=palette.muted)
    plot.between_rows(len(panel.rows), -panel.left / (_WIDTH - panel.left - _RIGHT), palette)
    known = [(i, row.chance) for i, row in enumerate(panel.rows) if row.chance is not None]
    if known:
        xs, ys = broken([(chance, chance) for _, chance in known], [(i - 0.5, i + 0.5) for i, _ in known])
        plot.line(xs, ys, color=palette.ink, linewidth=1.1, dashes=(3, 2.5), zorder=1.5)
    if panel.chance_label and panel.rows and panel.rows[0].chance is not None:
        # Beside the mark rather than on it when the mark is near the left edge, where the label would be cut.
        chance = panel.rows[0].chance
        left = (chance - panel.limits[0]) / (panel.limits[1] - panel.limits[0]) < 0.2
        look = {"ha": "left" if left else "center", "fontsize": 12, "color": palette.ink}
        plot.text(chance, 1, panel.chance_label, shift=(0, 6), across="y", **look)


def _marks(plot: Plot, panel: Panel, row_height: float, palette: Palette) -> None:
    step = _MARK_STEP / row_height
    for series in dict.fromkeys(mark.series for mark in panel.marks):
        colour = palette.series[series % SERIES_COLOURS]
        shift = step * (series - (panel.series - 1) / 2)
        same = [mark for mark in panel.marks if mark.series == series]
        if panel.bars:
            xs, ys = broken([(0.0, mark.value) for mark in same], [(mark.row + shift,) * 2 for mark in same])
            plot.line(xs, ys, color=colour, linewidth=5, alpha=0.55, solid_capstyle="butt", zorder=2)
        ends = [
            (mark.low, mark.high, mark.row + shift) for mark in same if mark.low is not None and mark.high is not None
        ]
        if ends:
            xs, ys = broken([(low, high) for low, high, _ in ends], [(y, y) for *_, y in ends])
            plot.line(xs, ys, color=colour, linewidth=2, solid_capstyle="butt", zorder=2)
        for filled in (True, False):
            alike = [mark for mark in same if mark.filled is filled]
            if alike:
                plot.line(
                    [mark.value for mark in alike],
                    [mark.row + shift for mark in alike],
                    marker=marker(series),
                    markersize=7,
                    markerfacecolor=colour if filled else palette.surface,
                    markeredgecolor=colour,
                    markeredgewidth=1.6,
                    linestyle="none",
                    zorder=3,
                    gid=marks_id([(mark.key, mark.value) for mark in alike]),
                )
        for mark in same:
            if mark.text:
                # Behind the interval, which it would otherwise cover.
                x, y = max(mark.value, mark.high or mark.value), mark.row + shift
                look: dict[str, Any] = {"va": "center", "ha": "left", "fontsize": 11.5, "color": palette.ink}
                plot.text(x, y, mark.text, shift=(9, 0), **look)
