"""Reads power, energy and memory of NVIDIA graphics cards through NVML (`pynvml` of nvidia-ml-py)."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from evalsuite.meters.source import Counter, MeterError, PowerSample, Probe, Site, SourceInfo, probe_by_opening
from evalsuite.records import ReadingLabel

__all__ = ["NvmlMeter", "NvmlSource", "vram_bytes"]

_INSTALL = 'pip install "nvidia-ml-py>=12.560"'
_NOMINAL_HZ = 10.0
"""The counter and the power move on about every 100 ms."""
_UNIT = 1e-3
"""NVML counts in mJ and mW."""
_IMPLAUSIBLE_W = 10_000.0
_UNKNOWN_BYTES = 1 << 48
"""No card has as much; drivers write 2⁶⁴ - 1 where they do not know."""


class NvmlSource:
    """One open card."""

    def __init__(self, site: Site, nvml: Any, index: int) -> None:
        self._clock_ns = site.clock_ns
        self._nvml = nvml
        self._card = f"GPU {index}"
        self._is_open = True
        self._handle = _handle(nvml, index)
        name = _name(nvml, self._handle)
        self._counter: Counter | None = None
        energy_mj = self._ask("nvmlDeviceGetTotalEnergyConsumption")
        if energy_mj is not None:
            self._counter = Counter()
            self._counter.add(energy_mj)
        elif self._power_w() is None:
            raise MeterError(
                f"NVML tells neither energy nor power of GPU {index} ({name})",
                fix="on a Jetson use the meter `jetson`; of a virtual GPU ask the host",
            )
        self.info = SourceInfo(
            id=f"nvml:{index}",
            scope="GPU board",
            label=ReadingLabel.MEASURED,
            kind="sampler" if self._counter is None else "counter",
            nominal_hz=_NOMINAL_HZ,
            quantum_j=None if self._counter is None else _UNIT,
            quantum_w=_UNIT,
            note=f"{name}; the whole board, whoever else uses it; power is a mean over 1 s on Ampere (except GA100) and newer",
        )

    def read(self) -> PowerSample:
        """Return energy since it was opened, where the card counts it, and power.

        Raises:
            MeterError: The driver did not answer, or told a power that cannot be.
        """
        t_ns = self._clock_ns()
        if self._counter is None:
            power_w = self._power_w()
            if power_w is None:
                raise MeterError(f"{self._card}: NVML tells no power any more")
            return PowerSample(t_ns=t_ns, power_w=power_w)
        energy_mj = self._ask("nvmlDeviceGetTotalEnergyConsumption")
        if energy_mj is None:
            raise MeterError(f"{self._card}: NVML tells no energy any more")
        flags = () if self._counter.add(energy_mj) else ("counter_reset",)
        try:
            power_w = self._power_w()
        except MeterError:  # the figure is the counter's; power only stands beside it
            power_w = None
        return PowerSample(t_ns=t_ns, power_w=power_w, energy_j=self._counter.total * _UNIT, flags=flags)

    def close(self) -> None:
        """Let go of NVML; a second time does nothing."""
        if self._is_open:
            self._is_open = False
            _shutdown(self._nvml)

    def _power_w(self) -> float | None:
        power_mw = self._ask("nvmlDeviceGetPowerUsage")
        if power_mw is None:
            return None
        power_w = power_mw * _UNIT
        if not 0 <= power_w < _IMPLAUSIBLE_W:
            raise MeterError(f"{self._card}: NVML tells {power_w:g} W, which cannot be the power of a card")
        return power_w

    def _ask(self, function: str) -> int | None:
        """Return what NVML tells, in its own unit; none where card or driver do not have it."""
        try:
            return int(getattr(self._nvml, function)(self._handle))
        except (self._nvml.NVMLError_NotSupported, self._nvml.NVMLError_FunctionNotFound):
            return None
        except self._nvml.NVMLError as error:
            raise MeterError(f"{self._card}: {function} failed: {error}") from error


class NvmlMeter:
    """One NVIDIA card; the argument is its index, 0 by default."""

    @classmethod
    def probe(cls, site: Site, argument: str | None = None) -> Probe:
        """Return whether NVML tells energy or power of the card."""

        def told(source: NvmlSource) -> str:
            figure = "energy counter" if source.info.kind == "counter" else "power"
            return f"{source.info.scope}, {figure}: {source.info.note}"

        return probe_by_opening(lambda: cls.open(site, argument), told)

    @classmethod
    def open(cls, site: Site, argument: str | None = None) -> NvmlSource:
        """Return the open card.

        Args:
            site: Its clock.
            argument: Index of the card, in the order of `nvidia-smi -L`.

        Raises:
            MeterError: No nvidia-ml-py, no driver, no such card, or a card that tells neither energy nor power.
        """
        index = argument or "0"
        if not (index.isascii() and index.isdecimal()):
            raise MeterError(f"{index!r} is no index of a GPU", fix="use `nvml:0`; `nvidia-smi -L` lists the cards")
        nvml = _init()
        try:
            return NvmlSource(site, nvml, int(index))
        except BaseException:
            _shutdown(nvml)
            raise


def vram_bytes(pid: int) -> int | None:
    """Return the memory that a process and all its descendants hold on all cards, in bytes.

    None where it is not known: no NVML, a driver that does not tell it (Windows with WDDM, Jetson), or no such process on a
    card, which is also what a container sees whose process ids are not the driver's.
    """
    try:
        with _session() as nvml:
            return _sum_vram(nvml, _family(pid))
    except MeterError:
        return None


def _sum_vram(nvml: Any, pids: set[int]) -> int | None:
    total = None
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        # A process may stand in both lists with the same memory.
        compute = _held(nvml.nvmlDeviceGetComputeRunningProcesses(handle), pids)
        graphics = _held(_or_nothing(nvml, nvml.nvmlDeviceGetGraphicsRunningProcesses, handle), pids)
        for pid in {*compute, *graphics}:
            held = [bytes_[pid] for bytes_ in (compute, graphics) if pid in bytes_]
            known = [value for value in held if value is not None]
            if len(known) < len(held):
                return None
            total = (total or 0) + max(known)
    return total


def _held(processes: list[Any], pids: set[int]) -> dict[int, int | None]:
    """Return bytes by process; none for one of which any part is not known."""
    held: dict[int, int | None] = {}
    for process in processes:
        if process.pid in pids:
            used, before = process.usedGpuMemory, held.get(process.pid, 0)
            known = used is not None and 0 <= used < _UNKNOWN_BYTES and before is not None
            held[process.pid] = before + used if known else None
    return held


def _or_nothing(nvml: Any, function: Callable[[Any], list[Any]], handle: Any) -> list[Any]:
    try:
        return function(handle)
    except nvml.NVMLError_NotSupported:  # cards without graphics
        return []


def _family(pid: int) -> set[int]:
    import psutil

    try:
        return {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}
    except psutil.Error:
        return {pid}


@contextmanager
def _session() -> Iterator[Any]:
    nvml = _init()
    try:
        yield nvml
    except nvml.NVMLError as error:
        raise MeterError(f"NVML failed: {error}") from error
    finally:
        _shutdown(nvml)


def _init() -> Any:
    """Return `pynvml`, initialised; NVML counts how often, so that each caller shuts down once."""
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError as error:
        raise MeterError("NVML cannot be asked without the package nvidia-ml-py", fix=_INSTALL) from error
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        fix = "install NVIDIA's driver; `nvidia-smi` must run. On a Jetson use the meter `jetson`"
        raise MeterError(f"NVML cannot be started: {error}", fix=fix) from error
    return nvml


def _shutdown(nvml: Any) -> None:
    try:
        nvml.nvmlShutdown()
    except nvml.NVMLError:  # it is gone already, which is what was asked for
        return


def _handle(nvml: Any, index: int) -> Any:
    try:
        return nvml.nvmlDeviceGetHandleByIndex(index)
    except nvml.NVMLError as error:
        fix = "`nvidia-smi -L` lists the cards"
        raise MeterError(f"GPU {index} cannot be opened: {error}", fix=fix) from error


def _name(nvml: Any, handle: Any) -> str:
    try:
        name = nvml.nvmlDeviceGetName(handle)
    except nvml.NVMLError:
        return "unknown card"
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)
