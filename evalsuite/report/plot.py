"""A box of a figure with coordinates of its own, in which lines, texts and fields are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from evalsuite.report.drawing import Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform

__all__ = ["Plot"]

_TICK_PAD, _TICK_SIZE, _LABEL_PAD = 6.0, 12.5, 5.0
_LINE_HEIGHT = 1.17
"""Height of a line of text in units of its size."""


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

    def line(self, xs: Sequence[float], ys: Sequence[float], *, across: str = "", **look: Any) -> None:
        """Draw a line, or marks without one."""
        from matplotlib.lines import Line2D

        self._figure.add_artist(Line2D(xs, ys, transform=self._where[across], **look))

    def text(
        self, x: float, y: float, words: str, *, shift: tuple[float, float] = (0.0, 0.0), across: str = "", **look: Any
    ) -> None:
        """Write a text, moved by some points to the right and up."""
        from matplotlib.text import Text
        from matplotlib.transforms import ScaledTranslation

        where = self._where[across]
        if shift != (0.0, 0.0):
            where = where + ScaledTranslation(shift[0] / 72, shift[1] / 72, self._figure.dpi_scale_trans)
        self._figure.add_artist(Text(x, y, words, transform=where, **look))

    def field(self, at: tuple[float, float], width: float, height: float, *, across: str = "", **look: Any) -> None:
        """Fill a rectangle, given by its corner with the least coordinates."""
        from matplotlib.patches import Rectangle

        self._figure.add_artist(Rectangle(at, width, height, transform=self._where[across], **look))

    def scale(self, show: Callable[[float], str], label: str, palette: Palette) -> None:
        """Draw the scale of x below the box, with a line at each of its values.

        Args:
            show: Writes a value.
            label: What the values are.
            palette: Colours.
        """
        from matplotlib.ticker import MaxNLocator

        low, high = self._x
        slack = 1e-9 * (high - low)
        found = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        values = [float(value) for value in found if low - slack <= value <= high + slack]
        for value in values:
            self.line([value, value], [0.0, 1.0], across="y", color=palette.grid, linewidth=0.8, zorder=0.5)
            self.text(
                *(value, 0.0, show(value)),
                shift=(0.0, -_TICK_PAD),
                across="y",
                ha="center",
                va="top",
                fontsize=_TICK_SIZE,
                color=palette.muted,
            )
        self.line([low, high], [0.0, 0.0], across="y", color=palette.grid, linewidth=0.8)
        below = _TICK_PAD + _LINE_HEIGHT * _TICK_SIZE + _LABEL_PAD
        middle, look = (low + high) / 2, {"fontsize": _TICK_SIZE, "color": palette.muted}
        self.text(middle, 0.0, label, shift=(0.0, -below), across="y", ha="center", va="top", **look)

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
