"""Profiles of a run in memory: requests with the state of the device, and the series of the power source."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evalsuite.profile_store import ProfileFolder
from evalsuite.records import CellStatus, Device, Kind, Manifest, PowerRow, PowerSourceRow, ProfileFacts, RequestRow
from evalsuite.stats.energy import PowerSeries
from evalsuite.store import RunFolder

__all__ = ["ON_DEVICE", "Profile", "load_profiles"]

ON_DEVICE = "@"
"""Between the name of a model and the fingerprint of a device."""

LATENCY = "latency"
ENERGY = "energy"
_RESET = "counter_reset"
"""Flag of a sample before which a counter was reset (`meters/plugs.py`, `meters/rapl.py`)."""


@dataclass(frozen=True)
class Profile:
    """One model on one device, as it was measured."""

    facts: ProfileFacts
    requests: tuple[RequestRow, ...]
    power: tuple[PowerRow, ...]
    device: Device
    several: bool = False
    """Whether the run has profiles of this model on other devices too."""

    @property
    def model(self) -> str:
        """Name of the model; with the device's fingerprint behind it where it was measured on several."""
        cell = self.facts.cell
        return f"{cell.model}{ON_DEVICE}{cell.device}" if self.several else cell.model

    @property
    def languages(self) -> tuple[str, ...]:
        return self.facts.cell.languages

    @cached_property
    def _disturbed(self) -> dict[tuple[str, int, int], tuple[str, ...]]:
        """What disturbed each round: noise, then throttling; only rounds that were."""
        return {
            (stretch.block, stretch.round, stretch.sitting): stretch.disturbed
            for stretch in self.facts.stretches
            if stretch.block == LATENCY and stretch.disturbed
        }

    def timed(self, language: str, kind: Kind) -> tuple[list[RequestRow], int, tuple[str, ...]]:
        """Return the requests that figures of time are made from, how many are kept apart, and what disturbed the former.

        Requests of undisturbed rounds, where there are any; otherwise all, with the reasons.
        """
        rows = [r for r in self.requests if (r.block, r.language, r.kind) == (LATENCY, language, kind)]
        clean = [r for r in rows if (r.block, r.round, r.sitting) not in self._disturbed]
        if clean:
            return clean, len(rows) - len(clean), ()
        reasons = dict.fromkeys(reason for found in self._disturbed.values() for reason in found)
        return rows, 0, tuple(reasons) if rows else ()

    def block(self, language: str, kind: Kind) -> list[RequestRow]:
        """Return the requests that figures of energy are made from: those of the last sitting that made some."""
        rows = [r for r in self.requests if (r.block, r.language, r.kind) == (ENERGY, language, kind)]
        last = max((r.sitting for r in rows), default=0)
        return [r for r in rows if r.sitting == last]

    @property
    def primary(self) -> PowerSourceRow | None:
        """The source that figures of energy are taken from."""
        return next((source for source in self.facts.sources if source.primary), None)

    @cached_property
    def series(self) -> PowerSeries | None:
        """What the primary source said; none where there is none."""
        source = self.primary
        # Only of the sitting that made the blocks: after a restart the clock begins anew.
        last = max((r.sitting for r in self.requests if r.block == ENERGY), default=0)
        of_source = (row for row in self.power if source and row.source == source.id and row.sitting == last)
        rows = sorted(of_source, key=lambda row: row.t_ns)
        if source is None or not rows:
            return None
        return PowerSeries(
            t_s=np.array([row.t_ns for row in rows]) / 1e9,
            power_w=_column([row.power_w for row in rows]),
            # What was lost with a reset is not known, so nothing may be counted across it.
            energy_j=_column([None if _RESET in row.flags else row.energy_j for row in rows]),
            nominal_hz=source.nominal_hz,
            quantum_j=source.quantum_j,
            quantum_w=source.quantum_w,
            accuracy=source.accuracy,
        )


def load_profiles(folder: RunFolder, manifest: Manifest) -> tuple[Profile, ...]:
    """Return the profiles of a run that hold something, in the plan's order.

    Raises:
        StoreError: One is damaged.
    """
    stored = [ProfileFolder(folder, cell) for cell in manifest.profiles]
    facts = [(one, one.facts) for one in stored]
    devices = {manifest.device.fingerprint: manifest.device, **manifest.devices}
    models = [cell.model for cell in manifest.profiles]
    return tuple(
        Profile(
            found,
            tuple(one.requests()),
            tuple(one.power()),
            devices.get(one.cell.device, manifest.device),
            several=models.count(one.cell.model) > 1,
        )
        for one, found in facts
        if found.status is not CellStatus.PENDING or found.rounds_done
    )


def _column(values: list[float | None]) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    if all(value is None for value in values):
        return None
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
