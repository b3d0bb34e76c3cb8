"""All tables of what a device was measured to take."""

from __future__ import annotations

from dataclasses import dataclass

from evalsuite.analysis.device_fit import FitRow, fit_table
from evalsuite.analysis.energy_table import energies
from evalsuite.analysis.latency_table import curve, latencies, taxes, threads
from evalsuite.analysis.load import Run
from evalsuite.analysis.memory_table import memory
from evalsuite.analysis.profile_rows import CurveRow, EnergyRow, LatencyRow, MemoryRow, TaxRow, ThreadsRow
from evalsuite.catalog.devices import load_budgets

__all__ = ["DeviceTables", "device_tables"]


@dataclass(frozen=True, slots=True)
class DeviceTables:
    """All tables of one run's profiles; empty where it has none."""

    latencies: tuple[LatencyRow, ...]
    taxes: tuple[TaxRow, ...]
    memory: tuple[MemoryRow, ...]
    fits: tuple[FitRow, ...]
    curve: tuple[CurveRow, ...]
    threads: tuple[ThreadsRow, ...]
    energies: tuple[EnergyRow, ...]


def device_tables(run: Run) -> DeviceTables:
    """Return all tables of what the device was measured to take."""
    spent = energies(run.profiles)
    joules = {(row.model, row.language, row.kind): row.gross for row in spent}
    held = memory(run.profiles)
    return DeviceTables(
        latencies=latencies(run.profiles),
        taxes=taxes(run.profiles, run.reference_of, joules),
        memory=held,
        fits=fit_table({row.model: row.needed for row in held}, load_budgets(run.manifest.sweep.include)),
        curve=curve(run.profiles),
        threads=threads(run.profiles),
        energies=spent,
    )
