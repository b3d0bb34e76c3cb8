"""Energy of an Apple-silicon Mac's chip, as macOS (IOReport) accounts it through the package zeus-apple-silicon.

Written from that package's documentation (1.1.0), and tested against a stand-in for it: it has not been run on a Mac.
"""

from __future__ import annotations

import importlib
import platform
import sys
from typing import Any

from evalsuite.meters.source import Counter, MeterError, PowerSample, Probe, Site, SourceInfo, probe_by_opening
from evalsuite.records import ReadingLabel

__all__ = ["AppleMeter", "AppleSource"]

_PARTS = {"cpu": "cpu_total_mj", "gpu": "gpu_mj", "ane": "ane_mj", "dram": "dram_mj"}
"""Parts of the chip that are summed, and the package's names for them.

The rest is left out: cores and clusters are parts of the CPU, and whether the GPU holds its SRAM is documented nowhere.
"""
_INSTALL = "pip install 'zeus-apple-silicon>=1.1'"
_NOTE = "IOReport's figures are believed to be modelled, not measured; without screen, storage, fans and power supply"


class AppleSource:
    """The chip's energy counters.

    Args:
        monitor: A `zeus_apple_silicon.AppleEnergyMonitor`.
        site: Its clock is used.

    Raises:
        MeterError: The counters cannot be read, or there is none for the CPU.
    """

    def __init__(self, monitor: Any, site: Site) -> None:
        self._monitor = monitor
        self._clock_ns = site.clock_ns
        first = _cumulative_mj(monitor)
        if "cpu" not in first:
            raise MeterError("IOReport gives no energy of the CPU on this Mac", fix=_INSTALL + " --upgrade")
        self._counters = {part: Counter() for part in first}
        for part, millijoules in first.items():
            self._counters[part].add(millijoules)
        self._last_ns = self._clock_ns()
        missing = [part.upper() for part in _PARTS if part not in first]
        self.info = SourceInfo(
            id="apple",
            # A chip that does not tell, say, its memory's energy covers less, and must not look the same.
            scope="Apple SoC" + (f" without {', '.join(missing)}" if missing else ""),
            label=ReadingLabel.ESTIMATED,
            kind="counter",
            nominal_hz=10.0,
            quantum_j=0.001,
            note=_NOTE,
        )

    def read(self) -> PowerSample:
        """Return the energy since the source was opened, in joules; as rails, each part's mean power since the last look.

        Raises:
            MeterError: The counters cannot be read, or one of them is gone.
        """
        now = _cumulative_mj(self._monitor)
        gone = [part for part in self._counters if part not in now]
        if gone:
            raise MeterError(f"IOReport no longer gives the energy of: {', '.join(gone)}")
        t_ns = self._clock_ns()
        before = {part: counter.total for part, counter in self._counters.items()}
        # All are fed before any is judged: one that was reset must not keep the others back.
        kept = [counter.add(now[part]) for part, counter in self._counters.items()]
        elapsed_ms = (t_ns - self._last_ns) / 1e6
        self._last_ns = t_ns
        rails_w = {}
        if all(kept) and elapsed_ms > 0:
            rails_w = {part: (counter.total - before[part]) / elapsed_ms for part, counter in self._counters.items()}
        return PowerSample(
            t_ns,
            energy_j=sum(counter.total for counter in self._counters.values()) / 1e3,
            rails_w=rails_w,
            flags=() if all(kept) else ("counter_reset",),
        )

    def close(self) -> None:
        """Let go of the subscription to the counters."""
        self._monitor = None


class AppleMeter:
    """`apple`: CPU, GPU, neural engine and memory of an Apple-silicon Mac, estimated; takes no argument."""

    @classmethod
    def probe(cls, site: Site, argument: str | None = None) -> Probe:
        """Return whether the chip's energy counters can be read."""
        return probe_by_opening(
            lambda: cls.open(site, argument), lambda source: f"IOReport tells the energy of: {source.info.scope}"
        )

    @classmethod
    def open(cls, site: Site, argument: str | None = None) -> AppleSource:
        """Return the chip's energy counters.

        Raises:
            MeterError: This is no Apple-silicon Mac, the package is missing, or the counters cannot be read.
        """
        if argument is not None:
            raise MeterError(f"the meter `apple` takes no argument, but was given {argument!r}", fix="write `apple`")
        system: str = sys.platform  # a name of its own: type checkers take sys.platform for a constant
        if system != "darwin":
            raise MeterError(f"Apple's energy counters are in macOS only, and this is {system}")
        if platform.machine() != "arm64":
            # Python for Intel says x86_64 on Apple silicon too.
            fix = "on Apple silicon, use a Python built for arm64; on an Intel Mac, use a plug that measures"
            raise MeterError(
                f"Apple's energy counters need arm64, and this Python runs as {platform.machine()}", fix=fix
            )
        try:
            package = importlib.import_module("zeus_apple_silicon")
        except ImportError as error:
            raise MeterError(f"the package zeus-apple-silicon cannot be imported: {error}", fix=_INSTALL) from error
        try:
            monitor = package.AppleEnergyMonitor()
        except (AttributeError, OSError, RuntimeError) as error:
            raise MeterError(f"IOReport cannot be opened: {error}", fix=_INSTALL + " --upgrade") from error
        return AppleSource(monitor, site)


def _cumulative_mj(monitor: Any) -> dict[str, int]:
    """Return the millijoules of each part that the chip tells, counted from a moment that only macOS knows."""
    try:
        metrics = monitor.get_cumulative_energy()
    except (AttributeError, OSError, RuntimeError) as error:
        raise MeterError(f"IOReport cannot be read: {error}", fix=_INSTALL + " --upgrade") from error
    found = {part: getattr(metrics, name, None) for part, name in _PARTS.items()}
    for part, millijoules in found.items():
        if millijoules is not None and (not isinstance(millijoules, int) or millijoules < 0):
            raise MeterError(f"IOReport gives {millijoules!r} mJ for the {part}, which cannot be energy")
    return {part: millijoules for part, millijoules in found.items() if millijoules is not None}
