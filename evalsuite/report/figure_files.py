"""Writes each figure of a report by itself, for slides: as SVG and PNG in the colours of the page, and as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.errors import InputError
from evalsuite.report.drawing import DRAWING, Drawn, Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["light_colours", "page_palette", "write_figures"]

_FONTS = (
    *("DejaVu Sans", "Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "Hiragino Sans", "Yu Gothic", "Meiryo"),
    *("Noto Sans", "sans-serif"),
)
"""For pictures, which hold no text: the first is matplotlib's own, the others have what it lacks."""

_DOTS_PER_INCH = 220
_VARIABLE = re.compile(r"--([\w-]+): (#[0-9a-fA-F]{6})")


def light_colours(style: str) -> dict[str, str]:
    """Return the colours of a style sheet's light scheme, by the name of their variable."""
    colours: dict[str, str] = {}
    for block in re.findall(r"^:root \{(.*?)\}", style, re.DOTALL | re.MULTILINE):
        colours |= dict(_VARIABLE.findall(block))
    return colours


def page_palette(style: str) -> Palette:
    """Return the colours of the page in its light scheme.

    Args:
        style: The style sheet, with the theme's rules after it, if there are any.
    """
    colours = light_colours(style)
    many = {
        kind: tuple(colours[name] for name in sorted(colours) if re.fullmatch(rf"{kind}-\d", name))
        for kind in ("series", "language")
    }
    plain = {name: colours[name] for name in ("ink", "muted", "grid", "surface", "good", "bad")}
    return Palette(**plain, series=many["series"], languages=many["language"])


def write_figures(figures: Sequence[Drawn], folder: Path, palette: Palette) -> tuple[Path, ...]:
    """Write every figure as `<id>.svg`, `<id>.png` and `<id>.csv`, and return the files.

    The numbers of the CSV are those that were drawn, in the units of the axis.

    Args:
        figures: From `drawing.collected`.
        folder: Is made where it is missing.
        palette: Colours to draw with.

    Raises:
        InputError: The folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tuple(path for figure in figures for path in _files(figure, folder, palette))
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written to: {error.strerror or error}", fix="give another folder with --figures"
        ) from error


def _files(drawn: Drawn, folder: Path, palette: Palette) -> tuple[Path, ...]:
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    svg, png, table = (folder / f"{drawn.text.id}.{kind}" for kind in ("svg", "png", "csv"))
    metadata = {"Title": drawn.text.title, "Description": drawn.text.description}
    with mpl.rc_context({**DRAWING, "font.family": _known_fonts()}):
        figure = _figure(drawn, palette)
        FigureCanvasSVG(figure)
        figure.savefig(svg, format="svg", metadata={**metadata, "Date": None, "Creator": "evalsuite"})
        figure = _figure(drawn, palette)
        FigureCanvasAgg(figure)
        figure.savefig(png, format="png", dpi=_DOTS_PER_INCH, metadata={**metadata, "Software": "evalsuite"})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(drawn.columns)
    writer.writerows(["" if value is None else value for value in row] for row in drawn.rows)
    # Spreadsheet programs take a file without this mark for one in the system's old encoding.
    table.write_text(out.getvalue(), encoding="utf-8-sig")
    return svg, png, table


def _figure(drawn: Drawn, palette: Palette) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(drawn.size[0] / 72, drawn.size[1] / 72), facecolor=palette.surface)
    drawn.paint(figure, palette)
    return figure


def _known_fonts() -> list[str]:
    # matplotlib warns of every font that is missing.
    from matplotlib import font_manager

    there = set(font_manager.get_font_names())
    return [name for name in _FONTS if name in there] or ["DejaVu Sans"]
