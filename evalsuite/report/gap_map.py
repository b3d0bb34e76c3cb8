"""The map of gaps: every model × task group × language in one picture, with intervals and verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import GapRow, Scale, Verdict
from evalsuite.analysis.tables import Tables
from evalsuite.report.blocks import Blocks
from evalsuite.report.drawing import FigureText, Palette, draw_figure
from evalsuite.report.names import Names, Series
from evalsuite.report.panels import Panels
from evalsuite.report.plot import Plot
from evalsuite.report.svg import mark_id
from evalsuite.report.text import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["GapMap", "MapPanel", "build_gap_map"]

_WIDTH, _LEFT, _TOP, _ROW, _RIGHT = 860.0, 190.0, 50.0, 42.0, 6.0
_SIGNS = {Verdict.BEHIND: "▼", Verdict.AHEAD: "▲", Verdict.WITHIN: "=", Verdict.INCONCLUSIVE: "○"}
"""The same shapes as in the tables: colour is never the only sign."""

_DEEPEST = 0.4
"""Gap, as a share of items, from which on a field is as dark as it gets."""
_FAINT, _STRONG = 0.12, 0.5
"""Opacity of the smallest and of the largest gap that is shown: the number in it must stay readable."""


@dataclass(frozen=True, slots=True)
class MapLine:
    """One task group of one model: its gaps in the order of the columns, none where there is none."""

    group: str
    family: str
    gaps: tuple[GapRow | None, ...]


@dataclass(frozen=True, slots=True)
class MapPanel:
    """One model: its figure, and the lines of its table."""

    series: Series
    figure: Markup
    lines: tuple[MapLine, ...]


@dataclass(frozen=True, slots=True)
class GapMap:
    """All of the map."""

    languages: tuple[str, ...]
    """Columns: every language that has a gap."""
    panels: tuple[MapPanel, ...]
    behind: int
    ahead: int
    within: int
    compared: int


def build_gap_map(run: Run, tables: Tables, names: Names, text: Text) -> GapMap | None:
    """Return the map; none where no language is compared with another."""
    known = [row for row in tables.gaps if row.difference.difference is not None]
    if not known:
        return None
    return _Builder(run, tables, names, text).build(known)


class _Builder:
    def __init__(self, run: Run, tables: Tables, names: Names, text: Text) -> None:
        self._run, self._names, self._text = run, names, text
        self._panels = Panels(text, names, tables.scores)
        self._families = {run.group_of(t.name): t.family for t in run.manifest.tasks.values()}
        self._blocks = Blocks(run, text, ())

    def build(self, known: Sequence[GapRow]) -> GapMap:
        codes = tuple(code for code in self._run.languages if any(row.language == code for row in known))
        verdicts = [row.verdict for row in known]
        return GapMap(
            languages=codes,
            panels=tuple(
                self._panel(
                    series, [row for row in known if (row.model, row.form) == (series.model, series.form)], codes
                )
                for series in self._names.series
                if any((row.model, row.form) == (series.model, series.form) for row in known)
            ),
            behind=verdicts.count(Verdict.BEHIND),
            ahead=verdicts.count(Verdict.AHEAD),
            within=verdicts.count(Verdict.WITHIN),
            compared=len(known),
        )

    def _panel(self, series: Series, rows: Sequence[GapRow], codes: Sequence[str]) -> MapPanel:
        order = {family: i for i, family in enumerate(self._blocks.families)} if self._blocks.divided else {}
        groups = sorted(
            dict.fromkeys(row.group for row in rows), key=lambda group: order.get(self._families.get(group, ""), 0)
        )
        found = {(row.group, row.language): row for row in rows}
        lines = tuple(
            MapLine(
                group,
                self._blocks.family(self._families.get(group, "")),
                tuple(found.get((group, code)) for code in codes),
            )
            for group in groups
        )
        return MapPanel(series, self._draw(series, lines, codes), lines)

    def _draw(self, series: Series, lines: Sequence[MapLine], codes: Sequence[str]) -> Markup:
        height = _TOP + _ROW * len(lines) + 4
        cells = [(y, x, row) for y, line in enumerate(lines) for x, row in enumerate(line.gaps)]

        def paint(figure: Figure, palette: Palette) -> None:
            box = (_LEFT / _WIDTH, 4 / height, (_WIDTH - _LEFT - _RIGHT) / _WIDTH, (height - _TOP - 4) / height)
            plot = Plot(figure, box, (-0.5, len(codes) - 0.5), (len(lines) - 0.5, -0.5))
            self._heads(plot, lines, codes, palette)
            for y, x, row in cells:
                if row is None:
                    look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 13, "color": palette.muted}
                    plot.text(x, y, self._text("word.and_missing"), **look)
                else:
                    self._cell(plot, (x, y), row, palette)

        told = (
            f"{line.group}, {self._names.language(row.language).shown}: {self._said(row)}"
            for line in lines
            for row in line.gaps
            if row is not None
        )
        title = self._text("gap_map.aria", model=series.label)
        return draw_figure(
            FigureText(f"gap-map-{series.index}", title, "; ".join(told) + "."),
            (_WIDTH, height),
            paint,
            columns=("group", "language", "gap", "low", "high", "verdict"),
            rows=[
                (row.group, row.language, d.difference, d.low, d.high, row.verdict or "")
                for _, _, row in cells
                if row is not None and (d := row.difference)
            ],
        )

    def _heads(self, plot: Plot, lines: Sequence[MapLine], codes: Sequence[str], palette: Palette) -> None:
        for x, code in enumerate(codes):
            name = self._names.language(code)
            for words, dy, size, colour in (
                (name.shown, 22 if name.low else 9, 14, palette.ink),
                (self._text("word.low") if name.low else "", 6, 11.5, palette.muted),
            ):
                look: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": size, "color": colour}
                plot.text(x, 1, words, shift=(0, dy), across="y", **look)
        for y, line in enumerate(lines):
            for words, dy, size, colour in (
                (line.group, 7, 13.5, palette.ink),
                (line.family, -9, 11.5, palette.muted),
            ):
                look = {"ha": "right", "va": "center", "fontsize": size, "color": colour}
                plot.text(0, y, words, shift=(-8, dy), across="x", **look)

    def _cell(self, plot: Plot, at: tuple[int, int], row: GapRow, palette: Palette) -> None:
        (x, y), d = at, row.difference
        assert d.difference is not None
        shown = row.verdict in {Verdict.BEHIND, Verdict.AHEAD}
        depth = min(1.0, abs(d.difference) / _DEEPEST) if row.scale is Scale.SHARE else 0.5
        plot.field(
            (x - 0.48, y - 0.46),
            0.96,
            0.92,
            facecolor=(palette.bad if d.difference < 0 else palette.good) if shown else palette.surface,
            alpha=_FAINT + (_STRONG - _FAINT) * depth if shown else 1.0,
            edgecolor=palette.grid,
            linewidth=0.8,
            gid=mark_id(self._names.key(row), self._panels.plotted(d.difference, row.scale)),
        )
        points = self._panels.points(d.difference, row.scale)
        sign = _SIGNS.get(row.verdict, "") if row.verdict else ""
        weight = "bold" if shown else "normal"
        look: dict[str, Any] = {"ha": "center", "va": "center", "color": palette.ink}
        plot.text(x, y - 0.17, f"{sign} {points}", fontsize=13.5, weight=weight, **look)
        if d.low is not None:
            span = self._panels.span(d.low, d.high, row.scale, signed=True)
            plot.text(x, y + 0.25, span, fontsize=11, **look)

    def _said(self, row: GapRow) -> str:
        points = self._panels.points(row.difference.difference, row.scale)
        verdict = self._text(f"verdict.{row.verdict}") if row.verdict else self._text("word.and_missing")
        return f"{points}, {verdict}"
