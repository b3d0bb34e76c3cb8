"""What requests take, as figures and tables: medians, distributions and times to the first token, by kind of request."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evalsuite.analysis.device_tables import DeviceTables
from evalsuite.analysis.load import Run
from evalsuite.analysis.profile_rows import LatencyRow, TaxRow
from evalsuite.records import Kind
from evalsuite.report.device_shown import Shown
from evalsuite.report.figures import Mark, Panel, RowLabel, draw
from evalsuite.report.names import Names
from evalsuite.report.strips import STROKES, Strip, StripPanel, draw_strips, sampled
from evalsuite.report.text import Text
from evalsuite.stats.intervals import Estimate

__all__ = ["DeviceLine", "Drawing", "KindBlock", "build_times", "tick_digits"]


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """One model in one language, with its token tax."""

    latency: LatencyRow
    tax: TaxRow | None


@dataclass(frozen=True, slots=True)
class Drawing:
    """One panel of a figure with its title."""

    title: str
    figure: Markup


@dataclass(frozen=True, slots=True)
class KindBlock:
    """One kind of request: its panels, and its table by language."""

    kind: Kind
    id: str
    title: str
    caption: str
    figure: Markup | None
    """Medians."""
    spread: Drawing | None
    """All times."""
    first: Drawing | None
    """Times to the first token."""
    sampled: bool
    """Whether `spread` draws only some of the requests."""
    tails: bool
    """Whether any row has a 95th percentile."""
    languages: tuple[tuple[str, tuple[DeviceLine, ...]], ...]


def build_times(run: Run, tables: DeviceTables, names: Names, text: Text, *, own: bool) -> tuple[KindBlock, ...]:
    """Return a block for each kind of request.

    Args:
        run: The run.
        tables: Tables of its profiles.
        names: What things are called.
        text: Wording and formats.
        own: Whether a user's own messages were asked, which need not have the same content in two languages.
    """
    builder = _Builder(run, tables, names, text, own=own)
    return tuple(builder.block(kind) for kind in Kind if any(r.kind is kind for r in tables.latencies))


def tick_digits(top: float) -> int:
    """Return how many decimals the ticks of an axis from 0 need, so that no two read the same.

    Steps are at least a quarter of a power of ten below the end of the axis.
    """
    return max(0, 1 + math.ceil(-math.log10(top))) if top > 0 else 0


class _Builder:
    def __init__(self, run: Run, tables: DeviceTables, names: Names, text: Text, *, own: bool) -> None:
        self._run, self._tables, self._names, self._text, self._own = run, tables, names, text, own
        self._shown = Shown(text)
        self._form = run.forms[0]

    def block(self, kind: Kind) -> KindBlock:
        rows = [row for row in self._tables.latencies if row.kind is kind]
        tax = {(row.model, row.language): row for row in self._tables.taxes if row.kind is kind}
        title = self._text(f"device.kind.{kind}")
        codes = [code for code in self._run.languages if any(row.language == code for row in rows)]
        ident = f"device-{kind}"
        return KindBlock(
            kind=kind,
            id=ident,
            title=title,
            caption=self._caption(kind, title),
            figure=draw(self._panel(ident, title, codes, rows, first=False)),
            spread=Drawing(title, draw_strips(self._strips(f"{ident}-spread", title, codes, rows))),
            first=Drawing(title, draw(self._panel(f"{ident}-first", title, codes, rows, first=True))),
            sampled=any(row.n > STROKES for row in rows),
            tails=any(row.total.p95.value is not None for row in rows),
            languages=tuple(
                (
                    code,
                    tuple(DeviceLine(row, tax.get((row.model, code))) for row in rows if row.language == code),
                )
                for code in codes
            ),
        )

    def _caption(self, kind: Kind, title: str) -> str:
        if self._own and kind is Kind.CLASSIFICATION:
            return self._text("device.caption_own", kind=title)
        return self._text("device.caption", kind=title, what=self._text(f"device.what.{kind}"))

    def _panel(self, ident: str, title: str, codes: Sequence[str], rows: Sequence[LatencyRow], *, first: bool) -> Panel:
        def median(row: LatencyRow) -> Estimate:
            return (row.ttft if first else row.total).median

        marks = [
            Mark(
                codes.index(row.language),
                self._names.series_of(row.model, self._form).index,
                value,
                median(row).low,
                median(row).high,
                filled=not row.flagged,
                text=self._shown.seconds(value),
                key=self._names.key(row),
            )
            for row in rows
            if (value := median(row).value) is not None
        ]
        top = max([mark.high or mark.value for mark in marks], default=1.0)
        return Panel(
            id=ident,
            title=self._text("device.first_aria" if first else "device.aria", kind=title),
            description=self._said(rows, lambda row: self._shown.seconds(median(row).value)),
            rows=tuple(self._label(code) for code in codes),
            marks=tuple(marks),
            series=len(self._names.series),
            axis=self._text("device.first_axis" if first else "device.axis"),
            # Room for the number beside the longest bar.
            limits=(0.0, top * 1.3),
            tick=self._tick(top),
            bars=True,
            empty=self._text("word.no_data"),
        )

    def _strips(self, ident: str, title: str, codes: Sequence[str], rows: Sequence[LatencyRow]) -> StripPanel:
        strips = tuple(self._strip_of(codes, rows))
        top = max((max(s.values) for s in strips), default=1.0)
        return StripPanel(
            id=ident,
            title=self._text("device.spread_aria", kind=title),
            description=self._said(rows, self._tail),
            rows=tuple(self._label(code) for code in codes),
            strips=strips,
            series=len(self._names.series),
            axis=self._text("device.axis"),
            tick=self._tick(top),
        )

    def _strip_of(self, codes: Sequence[str], rows: Sequence[LatencyRow]) -> Iterator[Strip]:
        profiles = {profile.model: profile for profile in self._run.profiles}
        for row in rows:
            median, tails = row.total.median.value, (row.total.p95.value, row.total.p99.value)
            if median is not None:
                yield Strip(
                    codes.index(row.language),
                    self._names.series_of(row.model, self._form).index,
                    sampled([r.total_s for r in profiles[row.model].timed(row.language, row.kind)[0]]),
                    median,
                    tuple(value for value in tails if value is not None),
                    self._names.key(row),
                )

    def _tail(self, row: LatencyRow) -> str:
        seconds, total = self._shown.seconds, row.total
        if total.p95.value is None:
            return self._text("device.spread_said", median=seconds(total.median.value))
        return self._text("device.spread_said_tail", median=seconds(total.median.value), p95=seconds(total.p95.value))

    def _said(self, rows: Sequence[LatencyRow], show: Callable[[LatencyRow], str]) -> str:
        said = "; ".join(
            f"{self._names.language(row.language).shown}, {self._names.model(row.model)}: {show(row)}" for row in rows
        )
        return f"{said}."

    def _tick(self, top: float) -> Callable[[float], str]:
        digits = tick_digits(top)
        return lambda value: self._text.number(value, digits)

    def _label(self, code: str) -> RowLabel:
        name = self._names.language(code)
        return RowLabel(self._text.title(name.shown), self._text("word.low") if name.low else "")
