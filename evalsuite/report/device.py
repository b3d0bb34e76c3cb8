"""The part of the report on the device: what a request costs in each language, as tables, figures and sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evalsuite.analysis.device_fit import FitVerdict
from evalsuite.analysis.device_tables import DeviceTables
from evalsuite.analysis.load import Run
from evalsuite.analysis.profile_rows import EnergyRow, LatencyRow, MemoryRow, TaxRow
from evalsuite.records import CellStatus, Kind, Stretch
from evalsuite.report.figures import Mark, Panel, RowLabel, draw
from evalsuite.report.names import Names
from evalsuite.report.text import MISSING, Text
from evalsuite.stats.energy import Quantity
from evalsuite.stats.intervals import Estimate

__all__ = ["DeviceLine", "DeviceSection", "KindBlock", "Shown", "build_device"]

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """One model in one language, with its token tax."""

    latency: LatencyRow
    tax: TaxRow | None


@dataclass(frozen=True, slots=True)
class KindBlock:
    """One kind of request: a panel of a figure, and its table by language."""

    kind: Kind
    id: str
    title: str
    caption: str
    figure: Markup | None
    tails: bool
    """Whether any row has a 95th percentile."""
    languages: tuple[tuple[str, tuple[DeviceLine, ...]], ...]


@dataclass(frozen=True, slots=True)
class DeviceSection:
    """Everything of the part on the device."""

    tables: DeviceTables
    intro: str
    figure: str
    """What is said below every figure of times."""
    blocks: tuple[KindBlock, ...]
    energies: tuple[EnergyRow, ...]
    """Those with a figure."""
    no_energy: tuple[tuple[str, str | None], ...]
    """Why there is no figure of energy, and what would help."""
    looked_for: tuple[tuple[str, str, str], ...]
    """Meters that were looked for: (name, what came of it, what would help)."""
    conditions: tuple[str, ...]
    """Sentences on the state of the device while it was measured."""
    sentences: tuple[str, ...]
    """For the summary."""


def build_device(run: Run, tables: DeviceTables, names: Names, text: Text) -> DeviceSection | None:
    """Return the part on the device; none where nothing was measured on one."""
    if not run.profiles:
        return None
    return _Builder(run, tables, names, text).build()


class Shown:
    """Figures of a device as they are shown."""

    def __init__(self, text: Text) -> None:
        self._text = text

    def seconds(self, value: float | None) -> str:
        """Return a time: milliseconds below a tenth of a second."""
        if value is None:
            return MISSING
        if value < 0.1:
            return f"{self._text.number(1000 * value, 1 if value < 0.01 else 0)} ms"
        return f"{self._text.number(value, 2 if value < 10 else 1)} s"

    def span(self, estimate: Estimate) -> str:
        """Return the interval of a time."""
        if estimate.low is None or estimate.high is None:
            return MISSING
        return self._text("word.range", low=self.seconds(estimate.low), high=self.seconds(estimate.high))

    def memory(self, value: int | None) -> str:
        """Return a size in MiB."""
        return MISSING if value is None else f"{self._text.number(value / _MIB, 0)} MiB"

    def joules(self, quantity: Quantity) -> str:
        """Return joules with three figures that count, and the interval."""
        if quantity.value is None:
            return MISSING
        if quantity.low is None or quantity.high is None:
            return f"{self._figures(quantity.value)} J"
        return f"{self._figures(quantity.value)} J ({self._figures(quantity.low)} – {self._figures(quantity.high)})"

    def _figures(self, value: float) -> str:
        return self._text.number(value, max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0)


class _Builder:
    def __init__(self, run: Run, tables: DeviceTables, names: Names, text: Text) -> None:
        self._run, self._tables, self._names, self._text = run, tables, names, text
        self._shown = Shown(text)
        self._form = run.forms[0]
        # What was asked in two languages is then not the same content, and must not be said to be.
        self._own = any(profile.facts.cell.settings.own_messages for profile in run.profiles)

    def build(self) -> DeviceSection:
        tables = self._tables
        without = [row for row in tables.energies if row.gross.value is None]
        return DeviceSection(
            tables=tables,
            intro=self._intro(),
            figure=self._text("device.figure_own" if self._own else "device.figure"),
            blocks=tuple(self._block(kind) for kind in Kind if any(r.kind is kind for r in tables.latencies)),
            energies=tuple(row for row in tables.energies if row.gross.value is not None),
            no_energy=tuple(dict.fromkeys((row.gross.reason or "", row.fix) for row in without)),
            looked_for=tuple(
                dict.fromkeys(
                    (meter.name, meter.told, meter.fix or "")
                    for profile in self._run.profiles
                    for meter in profile.facts.meters
                )
            ),
            conditions=tuple(dict.fromkeys(self._conditions())),
            sentences=tuple(self._sentences()),
        )

    def _intro(self) -> str:
        facts = [profile.facts for profile in self._run.profiles]
        return self._text(
            "device.intro_own" if self._own else "device.intro",
            engine=self._text.join(list(dict.fromkeys(f.engine for f in facts if f.engine))) or MISSING,
            threads=self._text.join(list(dict.fromkeys(f"{f.cell.threads} ({f.cell.threads_reason})" for f in facts))),
            rounds=self._text.join(list(dict.fromkeys(str(f.rounds_done) for f in facts))),
        )

    def _block(self, kind: Kind) -> KindBlock:
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
            figure=draw(self._panel(ident, title, codes, rows)),
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

    def _panel(self, ident: str, title: str, codes: Sequence[str], rows: Sequence[LatencyRow]) -> Panel:
        marks = [
            Mark(
                codes.index(row.language),
                self._names.series_of(row.model, self._form).index,
                row.total.median.value,
                row.total.median.low,
                row.total.median.high,
                filled=not row.flagged,
                text=self._shown.seconds(row.total.median.value),
                key=self._names.key(row),
            )
            for row in rows
            if row.total.median.value is not None
        ]
        top = max([mark.high or mark.value for mark in marks], default=1.0)
        # Two ticks must not read the same: steps are at least a quarter of a power of ten below the longest bar.
        digits = max(0, 1 + math.ceil(-math.log10(top)))
        said = "; ".join(
            f"{self._names.language(row.language).shown}, {self._names.model(row.model)}: "
            f"{self._shown.seconds(row.total.median.value)}"
            for row in rows
        )
        return Panel(
            id=ident,
            title=self._text("device.aria", kind=title),
            description=f"{said}.",
            rows=tuple(self._label(code) for code in codes),
            marks=tuple(marks),
            series=len(self._names.series),
            axis=self._text("device.axis"),
            # Room for the number beside the longest bar.
            limits=(0.0, top * 1.3),
            tick=lambda value: self._text.number(value, digits),
            bars=True,
            empty=self._text("word.no_data"),
        )

    def _label(self, code: str) -> RowLabel:
        name = self._names.language(code)
        return RowLabel(name.shown, self._text("word.low") if name.low else "")

    # --- sentences

    def _conditions(self) -> Iterator[str]:
        for profile in self._run.profiles:
            facts, model = profile.facts, self._names.model(profile.model)
            if facts.reason:
                yield self._text("device.failed", model=model, reason=facts.reason)
            elif facts.status is not CellStatus.DONE:
                planned = facts.cell.settings.rounds
                yield self._text("device.unfinished", model=model, done=facts.rounds_done, total=planned)
            rounds = [s for s in facts.stretches if s.block == "latency"]
            yield from self._state(model, rounds)
            if facts.sittings > 1:
                yield self._text("device.sittings", model=model, n=facts.sittings)
            if facts.cool_down:
                yield self._text("device.cool_down", model=model, told=facts.cool_down)

    def _state(self, model: str, rounds: Sequence[Stretch]) -> Iterator[str]:
        noisy = [s for s in rounds if s.noisy]
        throttled = [s for s in rounds if s.throttled]
        for key, found, reasons in (
            ("device.noisy", noisy, (r for s in noisy for r in s.noise)),
            ("device.throttled", throttled, (r for s in throttled for r in s.throttle_reasons)),
        ):
            if found:
                told = self._text.join(list(dict.fromkeys(reasons)))
                yield self._text(key, model=model, hit=len(found), total=len(rounds), reasons=told)
        untold = [s for s in rounds if s.noisy is None]
        if untold:
            told = self._text.join(list(dict.fromkeys(r for s in untold for r in s.noise))) or MISSING
            yield self._text("device.noise_unknown", model=model, reasons=told)
        if rounds and not noisy and not throttled and not untold:
            unknown = any(s.throttled is None for s in rounds)
            yield self._text("device.quiet_unknown" if unknown else "device.quiet", model=model)
        hottest = [s.temperature_max_c for s in rounds if s.temperature_max_c is not None]
        if hottest:
            yield self._text("device.hottest", model=model, celsius=self._text.number(max(hottest), 0))

    def _sentences(self) -> Iterator[str]:
        for row in self._tables.memory:
            yield from self._speed(row.model)
            yield from self._need(row)
        for reason, _ in dict.fromkeys((r.gross.reason, r.fix) for r in self._tables.energies if r.gross.value is None):
            yield self._text("device.summary.no_energy", reason=reason)

    def _speed(self, model: str) -> Iterator[str]:
        rows = [r for r in self._tables.latencies if r.model == model and r.kind is Kind.CLASSIFICATION]
        known = [r for r in rows if r.total.median.value is not None]
        if not known:
            return
        fastest, slowest = (f(known, key=lambda r: r.total.median.value or 0.0) for f in (min, max))
        yield self._text(
            "device.summary.speed" if len(known) > 1 else "device.summary.speed_one",
            model=self._names.model(model),
            fast=self._shown.seconds(fastest.total.median.value),
            quick=self._names.language(fastest.language).shown,
            slow=self._shown.seconds(slowest.total.median.value),
            late=self._names.language(slowest.language).shown,
        )

    def _need(self, row: MemoryRow) -> Iterator[str]:
        fits = next((f.fits for f in self._tables.fits if f.name == row.model), ())
        if row.needed is None:
            return
        yield self._text(
            "device.summary.memory_proven" if row.proven else "device.summary.memory",
            model=self._names.model(row.model),
            size=self._shown.memory(row.needed),
            fits=sum(1 for fit in fits if fit.verdict is FitVerdict.FITS),
            devices=len(fits),
        )
