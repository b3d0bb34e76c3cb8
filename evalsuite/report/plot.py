"""A box of a figure with coordinates of its own, in which lines, texts and fields are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from evalsuite.report.drawing import Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform

__all__ = ["Plot", "broken", "round_values"]

Pair = tuple[float, float]

_TICK_PAD, _TICK_SIZE, _LABEL_PAD = 6.0, 12.5, 5.0
_LINE_HEIGHT = 1.17
"""Height of a line of text in units of its size."""


def broken(xs: Sequence[Pair], ys: Sequence[Pair]) -> tuple[list[float], list[float]]:
    """Return several lines as one with gaps: each element by itself costs time and space.

    Args:
        xs: Where each line begins and ends in x.
        ys: The same in y.
    """
    nan = float("nan")
    return [value for pair in xs for value in (*pair, nan)], [value for pair in ys for value in (*pair, nan)]


def round_values(low: float, high: float, *, most: int, steps: Sequence[float] = (1, 2, 2.5, 5, 10)) -> list[float]:
    """Return round values of an axis.

    Args:
        low: Its least value.
        high: Its greatest.
        most: Intervals between them, at most.
        steps: What may lie between two of them, 1 to 10, up to a power of ten.
    """
    from matplotlib.ticker import MaxNLocator

    slack = 1e-9 * (high - low)
    found = MaxNLocator(nbins=most, steps=list(steps)).tick_values(low, high)
    return [float(value) for value in found if low - slack <= value <= high + slack]


class Plot:
    """What matplotlib's `Axes` are for, without what each of them sets up: half of the time of a small figure.

    Coordinates are the data's. Where `across` is "x", the x of an artist is a part of the box's width, 0 to 1; where it is
    "y", the y is a part of its height.

    Args:
        figure: An empty figure.
        box: Left, bottom, width and height, as parts of the figure.
        x: Values at the left and right end.
        y: Values at the bottom and top.
    """

    def __init__(
        self,
        figure: Figure,
        box: tuple[float, float, float, float],
        x: tuple[float, float],
        y: tuple[float, float],
    ) -> None:
        if x[0] == x[1]:
            # Where all values are one, any width will do.
            x = (x[0], x[0] + 1.0)
        self._figure, self._x = figure, x
        left, bottom, width, height = box
        own, part = (left, width, x), (left, width, (0.0, 1.0))
        up, share = (bottom, height, y), (bottom, height, (0.0, 1.0))
        self._where = {"": self._to_figure(own, up), "x": self._to_figure(part, up), "y": self._to_figure(own, share)}

    def line(
        self, xs: Sequence[float], ys: Sequence[float], *, shift: Pair = (0.0, 0.0), across: str = "", **look: Any
    ) -> None:
        """Draw a line, or marks without one, moved by some points to the right and up."""
        from matplotlib.lines import Line2D

        self._figure.add_artist(Line2D(xs, ys, transform=self._shifted(across, shift), **look))

    def text(self, x: float, y: float, words: str, *, shift: Pair = (0.0, 0.0), across: str = "", **look: Any) -> None:
        """Write a text, moved by some points to the right and up."""
        from matplotlib.text import Text

        self._figure.add_artist(Text(x, y, words, transform=self._shifted(across, shift), **look))

    def field(self, at: tuple[float, float], width: float, height: float, *, across: str = "", **look: Any) -> None:
        """Fill a rectangle, given by its corner with the least coordinates."""
        from matplotlib.patches import Rectangle

        self._figure.add_artist(Rectangle(at, width, height, transform=self._where[across], **look))

    def row(self, y: float, name: str, detail: str, palette: Palette) -> None:
        """Write the name of a row to the left of the box, with a second line in smaller type below it."""
        up = 6.5 if detail else 0.0
        for words, dy, size, colour in ((name, up, 14, palette.ink), (detail, -9.0, 11.5, palette.muted)):
            if words:
                look: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": size, "color": colour}
                self.text(0, y, words, shift=(-10, dy), across="x", **look)

    def between_rows(self, rows: int, left: float, palette: Palette) -> None:
        """Part rows, at 0, 1, 2…, by lines that begin at `left`, a part of the box's width."""
        if rows > 1:
            lines = broken([(left, 1.0)] * (rows - 1), [(i - 0.5, i - 0.5) for i in range(1, rows)])
            self.line(*lines, across="x", color=palette.grid, linewidth=0.6, zorder=0.5)

    def grid(self, xs: Sequence[float], ys: Sequence[float], palette: Palette, width: float = 0.8) -> None:
        """Draw a line across the box at each of some values, upright at those of x and level at those of y."""
        look: dict[str, Any] = {"color": palette.grid, "linewidth": width, "zorder": 0.5}
        if xs:
            self.line(*broken([(x, x) for x in xs], [(0.0, 1.0)] * len(xs)), across="y", **look)
        if ys:
            self.line(*broken([(0.0, 1.0)] * len(ys), [(y, y) for y in ys]), across="x", **look)

    def scale(
        self, show: Callable[[float], str], label: str, palette: Palette, values: Sequence[float] | None = None
    ) -> None:
        """Draw the scale of x below the box.

        Args:
            show: Writes a value.
            label: What the values are.
            palette: Colours.
            values: What is written; by default round values, each with a line across the box.
        """
        low, high = self._x
        if values is None:
            values = round_values(low, high, most=5)
            self.grid(values, [], palette)
        for value in values:
            look: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": _TICK_SIZE, "color": palette.muted}
            self.text(value, 0.0, show(value), shift=(0.0, -_TICK_PAD), across="y", **look)
        self.line([low, high], [0.0, 0.0], across="y", color=palette.grid, linewidth=0.8)
        below = _TICK_PAD + _LINE_HEIGHT * _TICK_SIZE + _LABEL_PAD
        look = {"ha": "center", "va": "top", "fontsize": _TICK_SIZE, "color": palette.muted}
        self.text((low + high) / 2, 0.0, label, shift=(0.0, -below), across="y", **look)

    def _shifted(self, across: str, shift: Pair) -> Transform:
        from matplotlib.transforms import ScaledTranslation

        where = self._where[across]
        if shift == (0.0, 0.0):
            return where
        return where + ScaledTranslation(shift[0] / 72, shift[1] / 72, self._figure.dpi_scale_trans)

    def _to_figure(
        self, x: tuple[float, float, tuple[float, float]], y: tuple[float, float, tuple[float, float]]
    ) -> Transform:
        """Return the way from coordinates to the figure; each side is where it begins, how long it is, and its ends."""
        from matplotlib.transforms import Affine2D

        (left, width, (x0, x1)), (bottom, height, (y0, y1)) = x, y
        across, up = width / (x1 - x0), height / (y1 - y0)
        return Affine2D.from_values(across, 0.0, 0.0, up, left - x0 * across, bottom - y0 * up) + (
            self._figure.transSubfigure
        )
