"""What every figure shares: colours that the style sheet decides, one way to draw, and a list of what was drawn."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from evalsuite.report.svg import inline_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SERIES_COLOURS", "STAND_INS", "Drawn", "FigureText", "Palette", "collected", "draw_figure"]

SERIES_COLOURS = 7
"""Colours of models in the style sheet (Okabe and Ito 2008, without black), and as many of languages."""


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours that a figure may use, as matplotlib takes them."""

    ink: str
    muted: str
    grid: str
    surface: str
    series: tuple[str, ...]
    """Of models: `names.series` is drawn in `series[i % SERIES_COLOURS]`, with a shape of its own."""
    languages: tuple[str, ...]
    """Of languages, in the order of the run, where a figure tells them apart by colour."""
    good: str
    bad: str


STAND_INS = Palette(
    *("#010101", "#020202", "#030303", "#040404"),
    series=tuple(f"#1000{i:02x}" for i in range(SERIES_COLOURS)),
    languages=tuple(f"#2000{i:02x}" for i in range(SERIES_COLOURS)),
    good="#050505",
    bad="#060606",
)
"""What figures of the page are drawn with: `inline_svg` puts the style sheet's variables in their place."""

THEME = {
    STAND_INS.ink: "var(--ink)",
    STAND_INS.muted: "var(--muted)",
    STAND_INS.grid: "var(--grid)",
    STAND_INS.surface: "var(--surface)",
    STAND_INS.good: "var(--good)",
    STAND_INS.bad: "var(--bad)",
    **{colour: f"var(--series-{i + 1})" for i, colour in enumerate(STAND_INS.series)},
    **{colour: f"var(--language-{i + 1})" for i, colour in enumerate(STAND_INS.languages)},
}

DRAWING: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "evalsuite",
    # A model's name may hold dollar signs: never read it as a formula.
    "text.parse_math": False,
    "text.usetex": False,
    "font.family": "DejaVu Sans",
    "path.simplify": False,
}
"""Settings of Matplotlib under which the same figure is always the same text."""

_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@dataclass(frozen=True, slots=True)
class FigureText:
    """What names a figure."""

    id: str
    """Unique in the page; file name of the figure when it is written by itself."""
    title: str
    """Short label: `aria-label` and `<title>`."""
    description: str
    """What the figure shows, with its numbers, for those who do not see it: `<desc>`."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure that was drawn, with what it takes to draw it again in other colours, and its numbers."""

    text: FigureText
    size: tuple[float, float]
    """Width and height in points."""
    paint: Callable[[Figure, Palette], None]
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    """The numbers that the figure shows, as a table."""


_collector: ContextVar[list[Drawn] | None] = ContextVar("figures that are drawn", default=None)


@contextmanager
def collected() -> Iterator[list[Drawn]]:
    """Yield a list that every figure drawn meanwhile is added to."""
    found: list[Drawn] = []
    token = _collector.set(found)
    try:
        yield found
    finally:
        _collector.reset(token)


def draw_figure(
    text: FigureText,
    size: tuple[float, float],
    paint: Callable[[Figure, Palette], None],
    *,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
) -> Markup:
    """Return a figure as an inline SVG element; the same figure always gives the same text.

    Args:
        text: What names it.
        size: Width and height in points.
        paint: Draws on an empty figure with the colours that it is given, and no others.
        columns: Names of the columns of `rows`.
        rows: The numbers that the figure shows.
    """
    found = _collector.get()
    if found is not None:
        found.append(Drawn(text, size, paint, tuple(columns), tuple(tuple(row) for row in rows)))
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(DRAWING), warnings.catch_warnings():
        # Text stays text, in a font of the reader's: that matplotlib's own lacks Japanese does not matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), facecolor="none")
        FigureCanvasSVG(figure)
        paint(figure, STAND_INS)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata=_METADATA)
    # Safe to mark: every text in it went through the XML writer.
    return Markup(  # noqa: S704
        inline_svg(out.getvalue(), prefix=text.id, title=text.title, description=text.description, colours=THEME)
    )
