"""The part of the report on the device: what a request costs in each language, as tables, figures and sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from evalsuite.analysis.device_fit import FitVerdict
from evalsuite.analysis.device_tables import DeviceTables
from evalsuite.analysis.load import Run
from evalsuite.analysis.profile_rows import CurveRow, EnergyRow, MemoryRow
from evalsuite.analysis.reading_pace import reading_pace
from evalsuite.catalog.reading_speed import load_reading_speeds
from evalsuite.records import CellStatus, Kind, Stretch
from evalsuite.report.device_context import build_context, context_key
from evalsuite.report.device_energy import build_energy
from evalsuite.report.device_memory import MemorySection, build_memory
from evalsuite.report.device_reading import ReadingSection, build_reading
from evalsuite.report.device_shown import Shown
from evalsuite.report.device_times import Drawing, KindBlock, build_times
from evalsuite.report.names import Names
from evalsuite.report.text import MISSING, Text

__all__ = ["DeviceSection", "build_device"]


@dataclass(frozen=True, slots=True)
class DeviceSection:
    """Everything of the part on the device."""

    tables: DeviceTables
    intro: str
    figure: str
    """What is said below every figure of times."""
    blocks: tuple[KindBlock, ...]
    pace: ReadingSection | None
    """Speed of writing beside that of reading."""
    memory: MemorySection | None
    context: tuple[Drawing, ...]
    context_key: Callable[[CurveRow], str]
    """Names a row of the table of contexts."""
    joules: tuple[Drawing, ...]
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


class _Builder:
    def __init__(self, run: Run, tables: DeviceTables, names: Names, text: Text) -> None:
        self._run, self._tables, self._names, self._text = run, tables, names, text
        self._shown = Shown(text)
        self._pace = reading_pace(tables, load_reading_speeds(run.manifest.sweep.include))
        # What was asked in two languages is then not the same content, and must not be said to be.
        self._own = any(profile.facts.cell.settings.own_messages for profile in run.profiles)

    def build(self) -> DeviceSection:
        tables = self._tables
        without = [row for row in tables.energies if row.gross.value is None]
        return DeviceSection(
            tables=tables,
            intro=self._intro(),
            figure=self._text("device.figure_own" if self._own else "device.figure"),
            blocks=build_times(self._run, tables, self._names, self._text, own=self._own),
            pace=build_reading(self._run, self._pace, self._names, self._text),
            memory=build_memory(self._run, tables, self._names, self._text),
            context=build_context(self._run, tables.curve, self._names, self._text),
            context_key=lambda row: context_key(self._run, row, self._names),
            joules=build_energy(self._run, tables.energies, self._names, self._text),
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
