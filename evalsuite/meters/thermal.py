"""How hot and how fast the machine runs, whether it was throttled, and when it is cool enough to measure again."""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import math
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evalsuite.machine import read_text
from evalsuite.meters.device import power_supply
from evalsuite.meters.source import MeterError, Site

if TYPE_CHECKING:
    from evalsuite.meters.raspberry import ThrottleBits

__all__ = [
    "CoolDown",
    "ThermalState",
    "ThermalSummary",
    "ThermalTrack",
    "cool_down",
    "read_thermal",
]

_COLDEST_C, _HOTTEST_C = -40.0, 150.0
"""No chip that still counts is outside; trip points and sensors that are off are (−274 °C, −256 °C)."""

_GPU_EVENTS = {
    0x04: "GPU: power cap",
    0x08: "GPU: hardware slowdown",
    0x20: "GPU: software thermal slowdown",
    0x40: "GPU: hardware thermal slowdown",
    0x80: "GPU: power brake",
}
"""Bits of `nvmlDeviceGetCurrentClocksEventReasons` that mean less speed than the load asked for (nvml.h)."""


@dataclass(frozen=True)
class ThermalState:
    """One look at temperatures, clocks and throttle signs; what the machine does not show is empty or none."""

    t_ns: int
    """When, on the monotonic clock."""
    temperature_c: Mapping[str, float] = field(default_factory=dict)
    """By thermal zone, or by hwmon sensor where no zone gives one."""
    frequency_khz: Mapping[int, int] = field(default_factory=dict)
    """By processor, as it runs now."""
    limit_khz: Mapping[int, int] = field(default_factory=dict)
    """By processor, the highest frequency that is allowed now (`scaling_max_freq`); cooling lowers it."""
    hardware_max_khz: Mapping[int, int] = field(default_factory=dict)
    """By processor, the highest that the hardware can do (`cpuinfo_max_freq`)."""
    governor: str | None = None
    """All that are in force, where the processors differ."""
    throttle_counts: Mapping[str, int] = field(default_factory=dict)
    """x86 counters since boot, as `cpu0/core` and `cpu0/package`."""
    gpu_event_bits: int | None = None
    """NVML clock-event bits of all GPUs together, live."""
    board_bits: ThrottleBits | None = None
    """Throttle bits of a Raspberry Pi."""
    supply: Literal["ac", "battery"] | None = None
    battery_status: str | None = None
    """As Linux says it: `Charging`, `Discharging`, `Full`, `Not charging`."""

    @property
    def hottest_c(self) -> float | None:
        """Temperature of the hottest sensor."""
        return max(self.temperature_c.values(), default=None)

    @property
    def relative_frequency(self) -> float | None:
        """Clock of the fastest processor by the highest clock of the hardware, 0 to 1.

        The fastest, because processors without work are slow on purpose. The highest is that of the fastest kind of core, and
        on x86 often a boost that only few cores at once can reach: compare runs, and do not expect 1.
        """
        highest = max((self.hardware_max_khz or self.limit_khz).values(), default=0)
        return max(self.frequency_khz.values()) / highest if highest and self.frequency_khz else None


def read_thermal(
    site: Site,
    *,
    board_bits: Callable[[Site], ThrottleBits | None] | None = None,
    gpu_event_bits: Callable[[], int | None] | None = None,
) -> ThermalState:
    """Return what the machine shows now; what it does not show is left out, and nothing is raised.

    Costs some file reads for each processor, and on a Raspberry Pi a command: once a second is often enough.

    Args:
        site: What to read from.
        board_bits: Reads a board's throttle bits; by default those of a Raspberry Pi.
        gpu_event_bits: Reads NVML's clock-event bits; by default through pynvml, where it is installed.
    """
    cpu = site.root / "sys/devices/system/cpu"
    folders = dict(sorted((int(p.name[3:]), p) for p in cpu.glob("cpu[0-9]*") if p.name[3:].isdigit()))
    governors = {text for p in folders.values() if (text := read_text(p / "cpufreq/scaling_governor"))}
    supply, battery_status = power_supply(site.root)
    return ThermalState(
        t_ns=site.clock_ns(),
        temperature_c=_zones(site.root) or _hwmon(site.root),
        frequency_khz=_by_cpu(folders, "scaling_cur_freq"),
        limit_khz=_by_cpu(folders, "scaling_max_freq"),
        hardware_max_khz=_by_cpu(folders, "cpuinfo_max_freq"),
        governor=", ".join(sorted(governors)) or None,
        throttle_counts={
            f"cpu{number}/{kind}": count
            for number, folder in folders.items()
            for kind in ("core", "package")
            if (count := _number(folder / f"thermal_throttle/{kind}_throttle_count")) is not None
        },
        gpu_event_bits=(gpu_event_bits or _gpu_event_bits)(),
        board_bits=(board_bits or _raspberry_bits)(site),
        supply=supply,
        battery_status=battery_status,
    )


@dataclass(frozen=True)
class ThermalSummary:
    """What happened in a stretch of time."""

    states: int
    start_c: float | None
    """Hottest sensor at its first look."""
    max_c: float | None
    min_frequency: float | None
    """Lowest `ThermalState.relative_frequency`, 0 to 1."""
    median_frequency: float | None
    throttled: bool | None
    """Whether something new told of it; false only where something that would have told was read; else none."""
    reasons: tuple[str, ...] = ()
    """What told of throttling."""
    watched: tuple[str, ...] = ()
    """What would have told of it."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Field → why it is none."""


class ThermalTrack:
    """States in the order in which they were read."""

    def __init__(self) -> None:
        self._states: list[ThermalState] = []

    def add(self, state: ThermalState) -> None:
        """Take the next state."""
        self._states.append(state)

    def cooled(self, to_c: float, tolerance: float = 2.0) -> bool | None:
        """Return whether the last look was at most `tolerance` °C above `to_c`; none where no temperature is known."""
        hottest = self._states[-1].hottest_c if self._states else None
        return None if hottest is None else hottest <= to_c + tolerance

    def summary(self, start_ns: int | None = None, end_ns: int | None = None) -> ThermalSummary:
        """Return what happened between two times on the monotonic clock; by default in all of it.

        Counters are compared from the last look before to the first look after, so that no event between looks is lost.
        """
        # Several threads may add, so that a state can come after one that was read later.
        known = sorted(self._states, key=lambda state: state.t_ns)
        start = -math.inf if start_ns is None else start_ns
        end = math.inf if end_ns is None else end_ns
        inside = [s for s in known if start <= s.t_ns <= end]
        around = [*[s for s in known if s.t_ns < start][-1:], *inside, *[s for s in known if s.t_ns > end][:1]]
        temperatures = [t for s in inside if (t := s.hottest_c) is not None]
        frequencies = [f for s in inside if (f := s.relative_frequency) is not None]
        reasons, watched = _throttling(inside, around)
        no_look = None if inside else "no look fell into this time"
        missing: dict[str, str] = {}
        if not temperatures:
            missing |= dict.fromkeys(("start_c", "max_c"), no_look or "the system shows no temperature")
        if not frequencies:
            told = no_look or "the system shows no processor frequency"
            missing |= dict.fromkeys(("min_frequency", "median_frequency"), told)
        if not reasons and not watched:
            missing["throttled"] = no_look or "nothing that was read twice here would tell of throttling"
        return ThermalSummary(
            states=len(inside),
            start_c=temperatures[0] if temperatures else None,
            max_c=max(temperatures, default=None),
            min_frequency=min(frequencies, default=None),
            median_frequency=statistics.median(frequencies) if frequencies else None,
            throttled=True if reasons else False if watched else None,
            reasons=reasons,
            watched=watched,
            missing=missing,
        )


@dataclass(frozen=True)
class CoolDown:
    """How a wait for a cool machine ended."""

    outcome: Literal["reached", "timed_out", "no_sensor"]
    from_c: float | None
    to_c: float | None
    """The last temperature that could be read; none only without a sensor."""
    waited_s: float


def cool_down(
    read: Callable[[], ThermalState],
    sleep: Callable[[float], None],
    target_c: float,
    tolerance_c: float = 2.0,
    timeout_s: float = 600.0,
    *,
    interval_s: float = 1.0,
    clock_ns: Callable[[], int] = time.monotonic_ns,
) -> CoolDown:
    """Wait until the hottest sensor is at most `tolerance_c` above `target_c`.

    Args:
        read: Returns the state now, such as `lambda: read_thermal(site)`.
        sleep: Waits for some seconds.
        target_c: Temperature before the first measurement.
        tolerance_c: How much above it counts as cool.
        timeout_s: How long to wait at most; it may be passed by one interval.
        interval_s: Time between two looks.
        clock_ns: Monotonic clock, in nanoseconds.
    """
    begun = clock_ns()
    first = read().hottest_c
    if first is None:
        return CoolDown("no_sensor", None, None, 0.0)
    now = first
    while now > target_c + tolerance_c:
        waited_s = (clock_ns() - begun) / 1e9
        if waited_s >= timeout_s:
            return CoolDown("timed_out", first, now, waited_s)
        sleep(interval_s)
        look = read().hottest_c
        now = now if look is None else look
    return CoolDown("reached", first, now, (clock_ns() - begun) / 1e9)


def _throttling(
    inside: Sequence[ThermalState], around: Sequence[ThermalState]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what told of throttling, and what would have."""
    reasons: dict[str, None] = {}
    watched: dict[str, None] = {}
    events = {"core": 0, "package": 0}
    for before, after in itertools.pairwise(around):
        for name in before.throttle_counts.keys() & after.throttle_counts.keys():
            watched["processor throttle counters"] = None
            events[name.partition("/")[2]] += max(0, after.throttle_counts[name] - before.throttle_counts[name])
        if before.board_bits is not None and after.board_bits is not None:
            watched["board throttle bits"] = None
            reasons |= _board(after.board_bits, before.board_bits)
    for state in inside:
        if state.board_bits is not None:
            reasons |= _board(state.board_bits, state.board_bits)
        if state.gpu_event_bits is not None:
            watched["GPU clock events"] = None
            reasons |= {told: None for bit, told in _GPU_EVENTS.items() if state.gpu_event_bits & bit}
    reasons |= {f"processor {kind}: {count} throttle events": None for kind, count in events.items() if count}
    # A limit that stays says nothing (throttling by firmware does not show in it); one that falls is no choice of ours.
    falls: list[tuple[float, int, int]] = []
    for cpu in around[0].limit_khz if around else ():
        limits = [limit for s in around if (limit := s.limit_khz.get(cpu))]
        highest = itertools.accumulate(limits, max)
        falls += [(low / high, high, low) for high, low in zip(highest, limits, strict=True) if low < high]
    if falls:
        _, high, low = min(falls)
        reasons[f"the frequency limit fell from {high / 1000:.0f} to {low / 1000:.0f} MHz"] = None
    return tuple(reasons), tuple(watched)


def _board(now: ThrottleBits, before: ThrottleBits) -> dict[str, None]:
    return {f"board: {cause.replace('_', ' ')}": None for cause in now.new_since(before)}


def _zones(root: Path) -> dict[str, float]:
    folders = sorted(root.glob("sys/class/thermal/thermal_zone[0-9]*"), key=_place)
    kinds = {folder: read_text(folder / "type") or folder.name for folder in folders}
    found: dict[str, float] = {}
    for folder, kind in kinds.items():
        value = _temperature(folder / "temp")
        # Jetson boards show a power chip that has no sensor as exactly 100 °C.
        if value is not None and not (kind.upper().startswith("PMIC") and value == 100.0):
            alone = list(kinds.values()).count(kind) == 1
            found[kind if alone else f"{kind} ({folder.name})"] = value
    return found


def _hwmon(root: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for path in sorted(root.glob("sys/class/hwmon/hwmon[0-9]*/temp[0-9]*_input"), key=_place):
        value = _temperature(path)
        if value is not None:
            sensor = path.name.removesuffix("_input")
            chip = read_text(path.with_name("name")) or "sensor"
            name = f"{chip} {read_text(path.with_name(f'{sensor}_label')) or sensor}"
            found[name if name not in found else f"{name} ({path.parent.name})"] = value
    return found


def _place(path: Path) -> tuple[int, ...]:
    """Return the numbers in a path, so that zone 10 comes after zone 2."""
    return tuple(map(int, re.findall(r"\d+", f"{path.parent.name}/{path.name}")))


def _temperature(path: Path) -> float | None:
    value = _number(path)
    return value / 1000 if value is not None and _COLDEST_C <= value / 1000 <= _HOTTEST_C else None


def _by_cpu(folders: Mapping[int, Path], name: str) -> dict[int, int]:
    return {n: value for n, folder in folders.items() if (value := _number(folder / "cpufreq" / name)) is not None}


def _raspberry_bits(site: Site) -> ThrottleBits | None:
    try:
        from evalsuite.meters.raspberry import throttled

        return throttled(site)
    except (ImportError, MeterError):
        return None


@functools.cache
def _nvml() -> Any | None:
    """Return pynvml, initialised once: that can take a second where nothing else holds the driver."""
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    return nvml


def _gpu_event_bits() -> int | None:
    nvml = _nvml()
    if nvml is None:
        return None
    bits: int | None = None
    with contextlib.suppress(nvml.NVMLError):
        for index in range(nvml.nvmlDeviceGetCount()):
            # The older of two names: all drivers know it.
            now = nvml.nvmlDeviceGetCurrentClocksThrottleReasons(nvml.nvmlDeviceGetHandleByIndex(index))
            bits = (bits or 0) | int(now)
    return bits


def _number(path: Path) -> int | None:
    try:
        return int(read_text(path) or "")
    except ValueError:
        return None
