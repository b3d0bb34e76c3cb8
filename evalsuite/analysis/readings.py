"""The figures of a device as a flat list of readings: value, unit, scope, label, interval, and the reason where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalsuite.analysis.device_tables import device_tables
from evalsuite.analysis.load import load_run
from evalsuite.analysis.profile_rows import CurveRow, EnergyRow, LatencyRow, MemoryRow, TaxRow, ThreadsRow
from evalsuite.records import Reading, ReadingLabel
from evalsuite.stats.energy import Quantity
from evalsuite.stats.intervals import Estimate

__all__ = ["profile_readings"]

_SINGLE = "one request at a time, in process; with tokenising and choosing tokens"


def profile_readings(path: Path) -> list[Reading]:
    """Return every figure of a run folder's profiles as a reading.

    Raises:
        StoreError: The folder cannot be read.
    """
    tables = device_tables(load_run(path))
    estimated = {(row.model, row.kind) for row in tables.energies if row.label is ReadingLabel.ESTIMATED}
    return [
        *(reading for row in tables.latencies for reading in _of_latency(row)),
        *(
            reading
            for tax in tables.taxes
            for reading in _of_tax(tax, energy_estimated=(tax.model, tax.kind) in estimated)
        ),
        *(reading for held in tables.memory for reading in _of_memory(held)),
        *(reading for point in tables.curve for reading in _of_curve(point)),
        *(reading for rates in tables.threads for reading in _of_threads(rates)),
        *(reading for spent in tables.energies for reading in _of_energy(spent)),
    ]


@dataclass(frozen=True, slots=True)
class _About:
    """What readings are of."""

    model: str
    language: str | None = None
    kind: str | None = None
    flags: tuple[str, ...] = ()

    def reading(
        self,
        name: str,
        unit: str,
        value: Estimate | Quantity | float | None,
        scope: str,
        *,
        label: ReadingLabel = ReadingLabel.MEASURED,
        reason: str | None = None,
        n: int | None = None,
    ) -> Reading:
        """Return one; `reason` is why a bare number is missing."""
        low = high = None
        if isinstance(value, Estimate | Quantity):
            low, high, reason = value.low, value.high, value.reason
            n = value.n if isinstance(value, Estimate) else n
            value = value.value
        return Reading(
            name=name,
            value=value,
            unit=unit,
            scope=scope,
            label=ReadingLabel.UNAVAILABLE if value is None else label,
            reason=reason,
            model=self.model,
            language=self.language,
            kind=self.kind,
            low=low,
            high=high,
            n=n,
            flags=self.flags,
        )


def _of_latency(row: LatencyRow) -> Iterator[Reading]:
    about = _About(row.model, row.language, row.kind.value, row.flagged)
    for name, spread in (("total_s", row.total), ("ttft_s", row.ttft), ("inter_token_s", row.step)):
        for part, estimate in (("median", spread.median), ("p95", spread.p95), ("p99", spread.p99)):
            yield about.reading(f"{name}.{part}", "s", estimate, _SINGLE)
    yield about.reading("prefill_tokens_per_s", "tokens/s", row.prefill_rate, "evaluation of the prompt")
    yield about.reading("decode_tokens_per_s", "tokens/s", row.decode_rate, "after the first token")
    yield about.reading("decode_chars_per_s", "characters/s", row.decode_chars, "after the first token")
    for name, unit, value in (
        ("prompt_tokens", "tokens", row.prompt_tokens),
        ("output_tokens", "tokens", row.output_tokens),
        ("prompt_chars", "characters", row.prompt_chars),
        ("prompt_bytes", "bytes", row.prompt_bytes),
        ("output_chars", "characters", row.output_chars),
    ):
        yield about.reading(name, unit, value, "mean of a request", n=row.n)


def _of_tax(row: TaxRow, *, energy_estimated: bool) -> Iterator[Reading]:
    about = _About(row.model, row.language, row.kind.value)
    scope = f"relative to {row.reference}, same content"
    yield about.reading("token_tax.tokens", "ratio", row.tokens, scope)
    yield about.reading("token_tax.time", "ratio", row.time, scope)
    cache = f"{scope}; of the cache, whose cells are tokens"
    yield about.reading("token_tax.memory", "ratio", row.tokens, cache, label=ReadingLabel.DERIVED)
    label = ReadingLabel.ESTIMATED if energy_estimated else ReadingLabel.DERIVED
    yield about.reading("token_tax.energy", "ratio", row.energy, scope, label=label)


def _of_memory(row: MemoryRow) -> Iterator[Reading]:
    about = _About(row.model)
    room = "" if row.context is None else f", context of {row.context} tokens"
    scope = f"peak while serving requests{room}"
    for name, value, told in (
        ("memory.needed_bytes", row.needed, row.basis),
        ("memory.weights_mapped_bytes", row.weights, scope),
        ("memory.anonymous_bytes", row.anonymous, scope),
        ("memory.cache_bytes", row.cache, "as the engine told"),
        ("memory.compute_buffer_bytes", row.compute, "as the engine told"),
        ("memory.program_bytes", row.program, "anonymous memory before the model was loaded"),
        ("memory.vram_bytes", row.vram, scope),
        ("memory.peak_rss_bytes", row.peak_rss, scope),
        ("model_file_bytes", row.file, "the file"),
    ):
        reason = "no accelerator was used" if "vram" in name else "the system does not tell it"
        yield about.reading(name, "bytes", value, told, reason=reason if value is None else None)
    for name, (seconds, why) in (("load_cold_s", row.load_cold), ("load_warm_s", row.load_warm)):
        yield about.reading(name, "s", seconds, "from the start of loading to the first token evaluated", reason=why)


def _of_curve(row: CurveRow) -> Iterator[Reading]:
    about = _About(row.model)
    scope = f"context of {row.tokens} tokens"
    reason = row.reason or "the system does not tell it"
    for name, unit, value in (("prefill_s", "s", row.prefill_s), ("peak_rss_bytes", "bytes", row.peak_rss)):
        yield about.reading(f"curve.{row.tokens}.{name}", unit, value, scope, reason=reason if value is None else None)
    yield about.reading(f"curve.{row.tokens}.decode_tokens_per_s", "tokens/s", row.decode_rate, scope)


def _of_threads(row: ThreadsRow) -> Iterator[Reading]:
    about = _About(row.model)
    scope = f"{row.threads} threads"
    yield about.reading(f"threads.{row.threads}.prefill_tokens_per_s", "tokens/s", row.prefill_rate, scope)
    yield about.reading(f"threads.{row.threads}.decode_tokens_per_s", "tokens/s", row.decode_rate, scope)


def _of_energy(row: EnergyRow) -> Iterator[Reading]:
    about = _About(row.model, row.language, row.kind.value, row.flags)
    scope = row.scope or "none"
    for name, quantity in (
        ("gross_per_request", row.gross),
        ("net_per_request", row.net),
        ("per_token", row.per_token),
        ("per_1000_characters", row.per_thousand_chars),
        ("per_right_answer", row.per_correct),
    ):
        yield about.reading(f"energy_j.{name}", "J", quantity, scope, label=row.label, n=row.requests)
    label = ReadingLabel.ESTIMATED if row.label is ReadingLabel.ESTIMATED else ReadingLabel.DERIVED
    yield about.reading("carbon_g.per_1000_requests", "gCO2e", row.carbon_g, scope, label=label, reason=row.carbon_note)
