"""Reads the energy counters of x86 processors (RAPL) that Linux shows under /sys/class/powercap."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalsuite.meters.source import Counter, MeterError, PowerSample, Probe, Site, SourceInfo, probe_by_opening
from evalsuite.records import ReadingLabel

__all__ = ["RaplMeter", "RaplSource"]

_POWERCAP = "sys/class/powercap"
_ZONE_ID = re.compile(r"intel-rapl(:\d+)+")
"""The zones of the processor's registers; `intel-rapl-mmio:N` shows the same packages once more, and must not be counted."""
_LEVELS = ("package", "psys")

_ENERGY_UNIT_J = 61e-6
"""2⁻¹⁴ J, the unit that most processors count in; the register that tells it is not shown to users."""
_NOMINAL_HZ = 10.0

_NO_ZONES_FIX = (
    "on a PC with a processor of its own, `sudo modprobe intel_rapl_msr` (AMD: Linux 5.8 or newer); "
    "elsewhere measure with the board's own meter or a plug: `evalsuite doctor` lists them"
)
_PERMISSION_FIX = (
    "let users read it until the next boot, with `sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj`, or for good, "
    'with this line in /etc/udev/rules.d/70-rapl.rules: SUBSYSTEM=="powercap", ACTION=="add", KERNEL=="intel-rapl:*", '
    'RUN+="/bin/chmod a+r /sys%p/energy_uj" (Linux keeps it from users because of CVE-2020-8694: only where you trust them)'
)


@dataclass(frozen=True)
class _Zone:
    """One counter."""

    id: str
    """`intel-rapl:0`, and `intel-rapl:0:1` for a part of it."""
    name: str
    """`package-0`, `package-0-die-1`, `core`, `uncore`, `dram`, `psys`."""
    path: Path

    @property
    def parent(self) -> str:
        return self.id.rpartition(":")[0]


@dataclass(frozen=True)
class _Choice:
    """Which counters make up the figure, and which are stored beside it."""

    id: str
    counted: tuple[_Zone, ...]
    rails: dict[str, _Zone]
    """All zones that are looked at, those counted among them."""
    scope: str
    notes: tuple[str, ...]


class _ZoneCounter:
    """A zone's total, corrected for wraps, and its mean power between two looks."""

    def __init__(self, zone: _Zone, t_ns: int) -> None:
        self._zone = zone
        self._counter = Counter(wraps_at=_wraps_at_uj(zone))
        self._counter.add(_energy_uj(zone))
        self._t_ns = t_ns

    @property
    def total_j(self) -> float:
        return self._counter.total * 1e-6

    def look(self, t_ns: int) -> tuple[bool, float | None]:
        """Return whether the counter went on since the last look, and the mean power since then in watts, where it is known."""
        before_j, before_ns = self.total_j, self._t_ns
        went_on = self._counter.add(_energy_uj(self._zone))
        self._t_ns = t_ns
        passed_s = (t_ns - before_ns) * 1e-9
        return went_on, ((self.total_j - before_j) / passed_s if went_on and passed_s > 0 else None)


class RaplSource:
    """The open counters."""

    def __init__(self, site: Site, choice: _Choice) -> None:
        self.info = SourceInfo(
            id=choice.id,
            scope=choice.scope,
            label=ReadingLabel.MEASURED,
            kind="counter",
            nominal_hz=_NOMINAL_HZ,
            quantum_j=_ENERGY_UNIT_J,
            note="; ".join(choice.notes),
        )
        self._clock_ns = site.clock_ns
        t_ns = self._clock_ns()
        self._counted = {zone.id: _ZoneCounter(zone, t_ns) for zone in choice.counted}
        self._rails = {name: zone.id for name, zone in choice.rails.items()}
        self._beside: dict[str, _ZoneCounter] = {}
        for zone in choice.rails.values():
            if zone.id not in self._counted:
                try:
                    self._beside[zone.id] = _ZoneCounter(zone, t_ns)
                except MeterError:  # a part that cannot be read is no reason to lose the figure
                    continue

    def read(self) -> PowerSample:
        """Return the energy since it was opened, and the mean power of each zone since the last look.

        Raises:
            MeterError: A counter of the figure cannot be read.
        """
        t_ns = self._clock_ns()
        looks = {id_: counter.look(t_ns) for id_, counter in self._counted.items()}
        flags = () if all(went_on for went_on, _ in looks.values()) else ("counter_reset",)
        for id_, counter in self._beside.items():
            try:
                looks[id_] = counter.look(t_ns)
            except MeterError:  # left out of this sample
                continue
        powers = {name: looks[id_][1] for name, id_ in self._rails.items() if id_ in looks}
        return PowerSample(
            t_ns=t_ns,
            energy_j=sum(counter.total_j for counter in self._counted.values()),
            rails_w={name: power for name, power in powers.items() if power is not None},
            flags=flags,
        )

    def close(self) -> None:
        """Nothing is held open."""


class RaplMeter:
    """Processor packages, with their memory where it is counted; or, with the argument `psys`, the platform."""

    @classmethod
    def probe(cls, site: Site, argument: str | None = None) -> Probe:
        """Return whether the counters are there and may be read."""
        return probe_by_opening(
            lambda: cls.open(site, argument), lambda source: f"{source.info.scope}: {source.info.note}"
        )

    @classmethod
    def open(cls, site: Site, argument: str | None = None) -> RaplSource:
        """Return the open counters.

        Args:
            site: What it reads from.
            argument: `package` (the default) or `psys`.

        Raises:
            MeterError: There are none, or only root may read them.
        """
        level = argument or "package"
        if level not in _LEVELS:
            raise MeterError(
                f"RAPL has no level {level!r}", fix=f"use one of {', '.join(f'rapl:{n}' for n in _LEVELS)}"
            )
        zones = _zones(site.root / _POWERCAP)
        if not zones:
            problem = f"there are no energy counters at {site.root / _POWERCAP}/intel-rapl:*"
            raise MeterError(f"{problem}: virtual machines, containers and ARM boards have none", fix=_NO_ZONES_FIX)
        choice = _choose_psys(zones) if level == "psys" else _choose_packages(zones, dies_mirror=_is_amd(site.root))
        return RaplSource(site, choice)


def _choose_packages(zones: Sequence[_Zone], *, dies_mirror: bool) -> _Choice:
    """Return the packages, and their memory where each of them has a counter for it."""
    found = [zone for zone in zones if zone.name.startswith("package")]
    if not found:
        shown = ", ".join(zone.name for zone in zones)
        raise MeterError(f"RAPL shows no processor package here, only {shown}", fix=_psys_fix(zones))
    packages, notes = _once(found, dies_mirror=dies_mirror)
    memory = [zone for zone in zones if zone.name == "dram" and zone.parent in {package.id for package in packages}]
    if {zone.parent for zone in memory} == {package.id for package in packages}:
        counted, scope = (*packages, *memory), "processor package and memory"
        notes.append("without disks, mainboard and power supply")
    else:
        counted, scope = tuple(packages), "processor package"
        notes.append("without memory chips, disks, mainboard and power supply")
    names = ", ".join(zone.name for zone in counted)
    rails = _rails(packages, zones)
    return _Choice("rapl", counted, rails, scope, (f"the processor's own counters {names}", *notes))


def _choose_psys(zones: Sequence[_Zone]) -> _Choice:
    """Return the platform's counter; packages are a part of it, and stand beside."""
    platform = next((zone for zone in zones if zone.name == "psys"), None)
    if platform is None:
        shown = ", ".join(zone.name for zone in zones)
        raise MeterError(f"RAPL shows no psys here, only {shown}", fix="use `rapl` without an argument")
    packages, _ = _once([zone for zone in zones if zone.name.startswith("package")], dies_mirror=False)
    note = "what psys covers is up to the maker of the machine"
    return _Choice("rapl:psys", (platform,), _rails(packages, zones), "platform (psys)", (note,))


def _once(packages: Sequence[_Zone], *, dies_mirror: bool) -> tuple[list[_Zone], list[str]]:
    """Return each package once, and what to note about those left out.

    Zones of one name are one counter. Dies of a package count apart on Intel, and are added up; on AMD the counter is the
    package's, and each die shows it (Linux: "perf/x86/rapl: Fix the energy-pkg event for AMD CPUs").
    """
    kept: dict[str, _Zone] = {}
    for zone in packages:
        kept.setdefault(zone.name.partition("-die-")[0] if dies_mirror else zone.name, zone)
    left_out = len(packages) - len(kept)
    notes = [f"{left_out} more zones show the same packages, and are not counted again"] if left_out else []
    return list(kept.values()), notes


def _rails(packages: Sequence[_Zone], zones: Sequence[_Zone]) -> dict[str, _Zone]:
    """Return all zones by name, without those that only repeat a package."""
    names = {package.id: package.name for package in packages}
    rails = {package.name: package for package in packages}
    for zone in zones:
        if zone.parent in names:
            rails[f"{names[zone.parent]}/{zone.name}"] = zone
        elif zone.name == "psys":
            rails.setdefault("psys", zone)
    return rails


def _psys_fix(zones: Sequence[_Zone]) -> str:
    return "measure the platform: `rapl:psys`" if any(zone.name == "psys" for zone in zones) else _NO_ZONES_FIX


def _zones(base: Path) -> list[_Zone]:
    """Return the zones in the order of their numbers; Linux shows parts both beside their package and inside it."""
    paths: dict[str, Path] = {}
    for pattern in ("intel-rapl:*", "intel-rapl:*/intel-rapl:*"):
        for path in base.glob(pattern):
            if _ZONE_ID.fullmatch(path.name):
                paths.setdefault(path.name, path)
    found = []
    for id_ in sorted(paths, key=lambda text: [int(part) for part in text.split(":")[1:]]):
        try:
            name = paths[id_].joinpath("name").read_text(encoding="utf-8").strip()
        except OSError:  # container runtimes hide what the links point to
            continue
        found.append(_Zone(id_, name, paths[id_]))
    return found


def _energy_uj(zone: _Zone) -> int:
    path = zone.path / "energy_uj"
    try:
        text = path.read_text(encoding="utf-8").strip()
    except PermissionError as error:
        raise MeterError(f"only root may read {path}", fix=_PERMISSION_FIX) from error
    except OSError as error:
        raise MeterError(f"{path} cannot be read: {error}") from error
    if not text.isdecimal():
        raise MeterError(f"{path} holds {text!r}, which is no number of microjoules")
    return int(text)


def _wraps_at_uj(zone: _Zone) -> int | None:
    try:
        text = zone.path.joinpath("max_energy_range_uj").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() and int(text) > 0 else None


def _is_amd(root: Path) -> bool:
    """Return whether the processor is AMD's, or Hygon's, which is made after AMD's."""
    try:
        text = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(r"^vendor_id\s*:\s*(AuthenticAMD|HygonGenuine)\s*$", text, re.MULTILINE) is not None
