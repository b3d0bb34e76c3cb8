"""The part of the report on long inputs: scores, tokens, time and memory by the length of the text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evalsuite.analysis.lengths import DepthRow, LengthRow
from evalsuite.analysis.load import Run
from evalsuite.analysis.tables import Tables
from evalsuite.report.figures import Mark, Panel, RowLabel, draw, marker_path, series_class
from evalsuite.report.names import Names, Series
from evalsuite.report.text import Text

__all__ = ["LengthBlock", "LengthGroup", "LengthSection", "SizeKey", "build_lengths"]


@dataclass(frozen=True, slots=True)
class SizeKey:
    """Colour and shape of one size in every figure of the section."""

    label: str
    colour: int
    """Number of the colour in the style sheet."""
    path: str
    """Shape, as an SVG path."""


@dataclass(frozen=True, slots=True)
class LengthBlock:
    """One model on one group of tasks: its figures, and its table by language and size."""

    series: Series
    caption: str
    figures: tuple[Markup, ...]
    """Scores, and seconds to read the prompt where these are known."""
    note: str
    """How many items were longer than the model's context; empty where none was."""
    languages: tuple[tuple[str, tuple[LengthRow, ...]], ...]


@dataclass(frozen=True, slots=True)
class LengthGroup:
    """One group of tasks."""

    title: str
    blocks: tuple[LengthBlock, ...]
    depth_caption: str
    depths: tuple[tuple[Series, tuple[DepthRow, ...]], ...]
    """By model; a row for each size."""


@dataclass(frozen=True, slots=True)
class LengthSection:
    """Everything of the part on long inputs."""

    sizes: tuple[SizeKey, ...]
    groups: tuple[LengthGroup, ...]
    measured: bool
    """Whether any row has a time or memory from a profile."""
    unmeasured: tuple[str, ...]
    """Why rows have no time: each reason once."""


def build_lengths(run: Run, tables: Tables, names: Names, text: Text) -> LengthSection | None:
    """Return the part on long inputs; none where the run has no items that name a size."""
    return _Builder(run, tables, names, text).build() if tables.lengths else None


class _Builder:
    def __init__(self, run: Run, tables: Tables, names: Names, text: Text) -> None:
        self._run, self._tables, self._names, self._text = run, tables, names, text
        self._sizes = sorted({row.size for row in tables.lengths})

    def build(self) -> LengthSection:
        rows = self._tables.lengths
        known = any(row.prefill_s.value is not None for row in rows)
        return LengthSection(
            sizes=tuple(
                SizeKey(self._text("lengths.size", n=size), series_class(i), marker_path(i))
                for i, size in enumerate(self._sizes)
            ),
            groups=tuple(self._group(group) for group in dict.fromkeys(row.group for row in rows)),
            measured=known,
            unmeasured=tuple(dict.fromkeys(r.prefill_s.reason or "" for r in rows if r.prefill_s.value is None)),
        )

    def _group(self, group: str) -> LengthGroup:
        rows = [row for row in self._tables.lengths if row.group == group]
        series = {(row.model, row.form): self._names.series_of(row.model, row.form) for row in rows}
        depths = [row for row in self._tables.depths if row.group == group]
        return LengthGroup(
            title=group,
            blocks=tuple(
                self._block(group, one, [row for row in rows if (row.model, row.form) == key])
                for key, one in series.items()
            ),
            depth_caption=self._text("lengths.depth_caption", group=group),
            depths=tuple(
                (one, tuple(row for row in depths if (row.model, row.form) == key)) for key, one in series.items()
            ),
        )

    def _block(self, group: str, series: Series, rows: Sequence[LengthRow]) -> LengthBlock:
        codes = list(dict.fromkeys(row.language for row in rows))
        beyond = sum(row.beyond for row in rows)
        contexts = [row.context for row in rows if row.context is not None]
        note = self._text("lengths.beyond", n=beyond, context=max(contexts)) if contexts else ""
        figures = tuple(draw(panel) for panel in self._panels(group, series, codes, rows))
        return LengthBlock(
            series=series,
            caption=self._text("lengths.caption", group=group, model=series.label),
            figures=figures,
            note=note,
            languages=tuple((code, tuple(row for row in rows if row.language == code)) for code in codes),
        )

    def _panels(self, group: str, series: Series, codes: Sequence[str], rows: Sequence[LengthRow]) -> Iterator[Panel]:
        ident = f"lengths-{self._run.groups.index(group)}-{series.index}"
        scores = [
            self._mark(codes, row, row.estimate.value, (row.estimate.low, row.estimate.high))
            for row in rows
            if row.estimate.value is not None
        ]
        if scores and all(0 <= mark.value <= 1 for mark in scores):
            yield self._panel(
                f"{ident}-score",
                self._text("lengths.aria", group=group, model=series.label),
                codes,
                scores,
                axis=self._text("accuracy.axis"),
                top=1.0,
                tick=lambda value: self._text.percent_sign(self._text.number(100 * value, 0)),
            )
        times = [
            self._mark(codes, row, row.prefill_s.value, (None, None)) for row in rows if row.prefill_s.value is not None
        ]
        if times:
            top = max(mark.value for mark in times)
            # Two ticks must not read the same.
            digits = max(0, 1 + math.ceil(-math.log10(top))) if top > 0 else 0
            yield self._panel(
                f"{ident}-prefill",
                self._text("lengths.prefill_aria", group=group, model=series.label),
                codes,
                times,
                axis=self._text("lengths.prefill_axis"),
                top=(top or 1.0) * 1.05,
                tick=lambda value: self._text.number(value, digits),
            )

    def _panel(
        self, ident: str, title: str, codes: Sequence[str], marks: Sequence[Mark], *,
        axis: str, top: float, tick: Callable[[float], str],
    ) -> Panel:  # fmt: skip
        said = "; ".join(
            f"{self._names.language(codes[mark.row]).shown}, "
            f"{self._text('lengths.size', n=self._sizes[mark.series])}: {tick(mark.value)}"
            for mark in marks
        )
        return Panel(
            id=ident,
            title=title,
            description=f"{said}.",
            rows=tuple(self._label(code) for code in codes),
            marks=tuple(marks),
            series=len(self._sizes),
            axis=axis,
            limits=(0.0, top),
            tick=tick,
            empty=self._text("word.no_data"),
        )

    def _mark(
        self, codes: Sequence[str], row: LengthRow, value: float | None, ends: tuple[float | None, float | None]
    ) -> Mark:
        # Every caller leaves out rows without a value.
        assert value is not None
        return Mark(codes.index(row.language), self._sizes.index(row.size), value, ends[0], ends[1])

    def _label(self, code: str) -> RowLabel:
        name = self._names.language(code)
        return RowLabel(self._text.title(name.shown), self._text("word.low") if name.low else "")
