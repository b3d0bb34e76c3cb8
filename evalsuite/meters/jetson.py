"""Reads the power monitors of NVIDIA Jetson modules: INA3221 (iio and hwmon drivers) and the INA238 of Thor."""

from __future__ import annotations

import math
import re
from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from evalsuite.meters.source import MeterError, PowerSample, Probe, Site, SourceInfo
from evalsuite.records import ReadingLabel

__all__ = ["JetsonMeter", "power_mode"]

_DRIVERS = "sys/bus/i2c/drivers"
_EXTERNAL = "use an external meter, such as --meter shelly2:ADDRESS"
_MODULE_NOTE = (
    "the module only: the carrier board, what is plugged into it and the losses of the supply are not included "
    "(ARK measured 29.0 W for a module and 37.0 W for its board)"
)

_SHUNT_STEP_V = 40e-6
"""Smallest step of the INA3221's shunt voltage (its data sheet)."""
_USUAL_SHUNT_OHM = 5e-3
"""Shunt of the modules with one total rail: 8 mA steps, at 5 V 0.04 W."""

_DEFAULT_HZ = 5.0
_MIN_HZ, _MAX_HZ = 1.0, 10.0

_MODE = re.compile(r"NV Power Mode:[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class _Total:
    """Which rails make a figure that covers more than a part."""

    rails: tuple[str, ...]
    scope: str
    label: Literal[ReadingLabel.MEASURED, ReadingLabel.DERIVED]
    note: str


_TOTALS = (
    _Total(("POM_5V_IN",), "whole module", ReadingLabel.MEASURED, _MODULE_NOTE),  # Nano, TX1
    _Total(("VDD_IN",), "whole module", ReadingLabel.MEASURED, _MODULE_NOTE),  # TX2, Xavier NX, Orin Nano, Orin NX
    # Thor's INA238 sits at the DC input, before the carrier board branches off; NVIDIA says so of its reference design.
    _Total(
        ("VIN",),
        "module and carrier board",
        ReadingLabel.MEASURED,
        "at the DC input of the reference design: the carrier board is included, the losses of the supply are not",
    ),
    # AGX Orin has no total rail. These three feed the module side by side, so that their sum counts nothing twice.
    # VDDQ_VDD2_1V8AO, the fourth rail that is measured, is fed by VIN_SYS_5V0: adding it would count memory twice.
    _Total(
        ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),
        "sum of the module's input rails",
        ReadingLabel.DERIVED,
        f"VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0, for want of a rail that is the total; {_MODULE_NOTE}",
    ),
)
"""In order of preference. A board whose rails are not here has no total: a sum of unknown rails may count power twice,
or leave some out."""


@dataclass(frozen=True)
class _Rail:
    """One measured rail: the product of what its files hold, times `watts`."""

    name: str
    chip: str
    """I2C address, such as `1-0040`."""
    files: tuple[Path, ...]
    watts: float
    """What 1 stands for in the product of the files' units."""
    channel: int
    folder: Path

    def read_w(self) -> float:
        return math.prod(_integer(file) for file in self.files) * self.watts

    def quantum_w(self, usual_shunt_ohm: float | None) -> float | None:
        """Return the smallest step in watts: that of the current, at the voltage of now; none where it is not known."""
        if len(self.files) == 1:
            return None
        shunt_uohm = _optional_integer(self.folder / f"shunt{self.channel}_resistor")
        shunt_ohm = shunt_uohm * 1e-6 if shunt_uohm and shunt_uohm > 0 else usual_shunt_ohm
        return None if shunt_ohm is None else _SHUNT_STEP_V / shunt_ohm * _integer(self.files[0]) * 1e-3


class _JetsonSource:
    """The open monitors of a module."""

    def __init__(self, site: Site, total: _Total, rails: Sequence[_Rail]) -> None:
        self._site = site
        self._total = total
        self._rails = tuple(rails)
        summed = [rail for rail in rails if rail.name in total.rails]
        self.info = SourceInfo(
            id="jetson",
            scope=total.scope,
            label=total.label,
            kind="sampler",
            nominal_hz=min(_nominal_hz(rail.folder) for rail in summed),
            quantum_w=_joint_quantum_w(summed),
            note=total.note,
        )

    def read(self) -> PowerSample:
        """Return the total as power, and the other rails beside it.

        Raises:
            MeterError: A file cannot be read or holds no number, or the total is not above 0 W.
        """
        watts = {rail.name: rail.read_w() for rail in self._rails}
        t_ns = self._site.clock_ns()
        power_w = math.fsum(watts[name] for name in self._total.rails)
        # A single idle rail may read a little below 0 (offset of the chip); a module that runs this cannot.
        if power_w <= 0:
            raise MeterError(f"{' + '.join(self._total.rails)} reads {power_w:g} W, which a running module cannot draw")
        if len(self._total.rails) == 1:
            del watts[self._total.rails[0]]
        return PowerSample(t_ns=t_ns, power_w=power_w, rails_w=watts)

    def close(self) -> None:
        """Nothing is held open."""


class JetsonMeter:
    """Power of an NVIDIA Jetson by its own monitors, in watts; takes no argument."""

    @classmethod
    def probe(cls, site: Site, argument: str | None = None) -> Probe:
        """Return whether a total is measured here, by reading it once."""
        try:
            source = cls.open(site, argument)
            parts = source.read().rails_w
        except MeterError as error:
            return Probe(available=False, told=error.problem, fix=error.fix)
        beside = f", with {', '.join(parts)}" if parts else ""
        return Probe(available=True, told=f"{source.info.scope}{beside}")

    @classmethod
    def open(cls, site: Site, argument: str | None = None) -> _JetsonSource:
        """Return the open source.

        Raises:
            MeterError: There is no monitor, it may not be read, or none of its rails is known to be a total.
        """
        if argument is not None:
            raise MeterError(f"the meter jetson takes no argument, but {argument!r} was given", fix="--meter jetson")
        drivers = site.root / _DRIVERS
        rails = _distinct([*_iio_rails(drivers), *_hwmon_rails(drivers), *_ina238_rails(drivers)])
        if not rails:
            raise MeterError(f"no power monitor of a Jetson (INA3221, INA238) under {drivers}", fix=_EXTERNAL)
        names = {rail.name for rail in rails}
        total = next((total for total in _TOTALS if names.issuperset(total.rails)), None)
        if total is None:
            found = ", ".join(rail.name for rail in rails)
            raise MeterError(f"found the rails {found}; none is known to be a total", fix=_EXTERNAL)
        return _JetsonSource(site, total, rails)


def power_mode(site: Site) -> str | None:
    """Return the name of the power mode (`15W`, `MAXN`) that `nvpmodel -q` tells; none where it does not.

    The name caps clocks, not watts, and the ids behind it differ from board to board.
    """
    try:
        told = site.run(["nvpmodel", "-q"])
    except MeterError:
        return None
    found = _MODE.search(told)
    return found[1] if found else None


def _iio_rails(drivers: Path) -> Iterator[_Rail]:
    """Yield the rails of the iio driver (L4T of Nano and TX2): power in mW."""
    for folder in sorted(drivers.glob("ina3221x/*/iio:device*")):
        for channel in range(3):
            if name := _rail_name(folder / f"rail_name_{channel}"):
                files = (folder / f"in_power{channel}_input",)
                yield _Rail(name, folder.parent.name, files, 1e-3, channel, folder)


def _hwmon_rails(drivers: Path) -> Iterator[_Rail]:
    """Yield the rails of the hwmon driver (JetPack 5 and later): mV × mA.

    Only channels 1 to 3 are rails: in4 to in6 are the voltages over the shunts, in7 is a sum of them.
    """
    for folder in sorted(drivers.glob("ina3221/*/hwmon/hwmon*")):
        for channel in (1, 2, 3):
            name = _rail_name(folder / f"in{channel}_label")
            # A channel that is switched off cannot be read (ENODATA).
            if name and _optional_integer(folder / f"in{channel}_enable") != 0:
                files = (folder / f"in{channel}_input", folder / f"curr{channel}_input")
                yield _Rail(name, folder.parent.parent.name, files, 1e-6, channel, folder)


def _ina238_rails(drivers: Path) -> Iterator[_Rail]:
    """Yield the rail of each INA238: power in µW."""
    for folder in sorted(drivers.glob("ina238/*/hwmon/hwmon*")):
        # The driver names no channels; the device tree may name the chip. On Jetsons there is only that of VIN.
        name = _rail_name(folder / "label") or "VIN"
        yield _Rail(name, folder.parent.parent.name, (folder / "power1_input",), 1e-6, 1, folder)


def _distinct(rails: Sequence[_Rail]) -> list[_Rail]:
    """Return the rails, with the chip's address behind names that occur twice: neither of them can be the total."""
    tally = Tally(rail.name for rail in rails)
    return [replace(rail, name=f"{rail.name}@{rail.chip}") if tally[rail.name] > 1 else rail for rail in rails]


def _rail_name(path: Path) -> str | None:
    """Return the rail's name; none where there is none, or where nothing is connected."""
    name = _text(path)
    return None if name in {None, "", "NC"} else name


def _nominal_hz(folder: Path) -> float:
    """Return how often the chip has a new value, within what is worth reading."""
    interval_ms = _optional_integer(folder / "update_interval")
    if interval_ms is None:
        return _DEFAULT_HZ
    return min(max(1000 / max(interval_ms, 1), _MIN_HZ), _MAX_HZ)


def _joint_quantum_w(rails: Sequence[_Rail]) -> float | None:
    """Return the step of a sum: rounding errors of the rails are independent, so that steps add in quadrature."""
    # The shunts of AGX Orin, which is summed, are other ones (2 mΩ in Linux's device tree): they are read, not guessed.
    usual_ohm = _USUAL_SHUNT_OHM if len(rails) == 1 else None
    steps = [step for rail in rails if (step := rail.quantum_w(usual_ohm)) is not None]
    return math.hypot(*steps) if len(steps) == len(rails) else None


def _text(path: Path) -> str | None:
    """Return what the file holds; none where there is no such file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise MeterError(f"{path} may not be read", fix=f"run as root, or: sudo chmod a+r {path}") from error
    except OSError as error:
        raise MeterError(f"{path} cannot be read: {error.strerror or error}") from error


def _integer(path: Path) -> int:
    text = _text(path)
    if text is None:
        raise MeterError(f"{path} is not there")
    try:
        return int(text)
    except ValueError as error:
        raise MeterError(f"{path} holds {text!r}, which is no whole number") from error


def _optional_integer(path: Path) -> int | None:
    """Return a number that is nice to have, but without which power can be read."""
    try:
        return _integer(path)
    except MeterError:
        return None
