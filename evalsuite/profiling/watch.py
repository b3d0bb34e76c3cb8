"""Looks at memory, temperature and load from a thread of its own while requests are served."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import Self

from evalsuite.meters.load import LoadTrack
from evalsuite.meters.memory import PeakTracker, PhaseMemory, mapped_file_bytes
from evalsuite.meters.nvml import vram_bytes
from evalsuite.meters.source import MeterError, Site
from evalsuite.meters.thermal import ThermalTrack, read_thermal
from evalsuite.records import Kind, MemoryPhase, Stretch

__all__ = ["Watch"]

_LOOK_S = 0.1
_STATE_EVERY = 10
"""Looks at memory for each look at temperatures, which costs more."""


class Watch:
    """Use as a context manager; frames phases of memory, and stretches of temperature and load.

    Args:
        site: What the machine is read from.
        model: The model file, to tell its mapped part.
    """

    def __init__(self, site: Site, model: Path) -> None:
        self._site, self._model = site, model
        self._peaks = PeakTracker(root=site.root)
        self._thermal = ThermalTrack()
        self._load: LoadTrack | None = None
        self._begun_ns = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="watch")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        count = 0
        while not self._stop.wait(_LOOK_S):
            # A look that fails is one look less.
            with contextlib.suppress(MeterError):
                self._peaks.look()
            if count % _STATE_EVERY == 0:
                self._thermal.add(read_thermal(self._site))
            count += 1

    # --- memory

    def begin_phase(self, name: str) -> None:
        """Begin a phase of memory; peaks are reset."""
        self._peaks.begin(name)

    def end_phase(self, context: int | None = None) -> MemoryPhase:
        """End the phase; `context` is how many tokens the cache had room for."""
        # Before the end: the weights must still be mapped, and reading the mappings must not count.
        weights = self._weights()
        found = self._peaks.end()
        return _phase(found, context, weights, vram_bytes(os.getpid()))

    def _weights(self) -> int | None:
        try:
            # A file that is read and not mapped has its weights in anonymous memory.
            return mapped_file_bytes(self._model, root=self._site.root) or 0
        except MeterError:
            return None

    # --- temperature and load

    def begin_stretch(self) -> None:
        """Begin a stretch of time."""
        self._begun_ns = time.monotonic_ns()
        self._thermal.add(read_thermal(self._site))
        # The parent, which stores what comes, disturbs like any other process.
        self._load = LoadTrack([os.getpid()], root=self._site.root)
        self._load.look()

    def end_stretch(
        self, block: str, number: int, sitting: int, *, language: str | None = None, kind: Kind | None = None
    ) -> Stretch:
        """End the stretch; return the state of the device over it."""
        self._thermal.add(read_thermal(self._site))
        end_ns = time.monotonic_ns()
        heat = self._thermal.summary(self._begun_ns, end_ns)
        assert self._load is not None
        self._load.look()
        load = self._load.summary()
        noise = load.noisy()
        return Stretch(
            block=block,
            round=number,
            sitting=sitting,
            language=language,
            kind=kind,
            start_ns=self._begun_ns,
            end_ns=end_ns,
            temperature_start_c=heat.start_c,
            temperature_max_c=heat.max_c,
            frequency_min=heat.min_frequency,
            frequency_median=heat.median_frequency,
            throttled=heat.throttled,
            throttle_reasons=heat.reasons,
            other_cores=load.other_cpu,
            steal_cores=load.steal,
            noisy=noise.noisy,
            noise=noise.reasons,
        )


def _phase(found: PhaseMemory, context: int | None, weights: int | None, vram: int | None) -> MemoryPhase:
    return MemoryPhase(
        phase=found.phase,
        context=context,
        peak_rss=found.peak_rss_bytes,
        rss_anon=found.rss_anon_bytes,
        rss_file=found.rss_file_bytes,
        rss_shmem=found.rss_shmem_bytes,
        weights_mapped=weights,
        vram=vram,
        swap=found.swap_bytes,
        major_faults=found.major_faults,
        available=found.available_min_bytes,
        looks=found.looks,
        since_start=found.peak_since == "process start",
    )
