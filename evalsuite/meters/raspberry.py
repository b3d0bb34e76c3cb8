"""Reads the power of a Raspberry Pi 5 from its power management chip (PMIC), and whether a Pi was throttled."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from evalsuite.meters.source import MeterError, PowerSample, Probe, Site, SourceInfo
from evalsuite.records import ReadingLabel

__all__ = ["Pi5Meter", "ThrottleBits", "throttled"]

_COMMAND = ("vcgencmd", "pmic_read_adc")
_SHOWN = f"`{' '.join(_COMMAND)}`"

_LINE = re.compile(r"(\w+)_([AV])\s+(?:current|volt)\(\d+\)=(-?\d+(?:\.\d+)?)\2")
_CHANNEL = re.compile(r"(?:current|volt)\(\d+\)=")
_THROTTLED = re.compile(r"throttled=0x([0-9a-fA-F]+)")

_FIT_SLOPE = 1.1451
_FIT_OFFSET_W = 0.5879
"""Whole board = slope × sum of the rails + offset: published by jfikar (RPi5-power), fitted to an external meter."""

_QUANTUM_W = 0.016
"""One step of VDD_CORE, the largest rail: 17.86 mA at 0.9 V."""
_MAX_W = 30.0
"""More than the official supply gives (5.1 V × 5 A), and so no sum of rails."""
_HZ = 5.0
"""Each look starts a process and asks the firmware, which is load in itself."""

_NO_SENSOR_FIX = "use an external meter: --meter shelly2:ADDRESS, or the log of a USB meter"
_ACCESS_FIX = "add the user to the group video: sudo usermod -aG video $USER, and log in again"
_FIRMWARE_FIX = "update the firmware: sudo rpi-eeprom-update -a, and restart"
_INSTALL_FIX = "on a Raspberry Pi 5: sudo apt install raspi-utils; other machines have no such sensor"

_CAUSES = ("under_voltage", "arm_capped", "throttled", "soft_temperature_limit")
"""In the order of the bits: 0 to 3 now, 16 to 19 since boot."""


class _Pi5Source:
    """The PMIC of a Raspberry Pi 5."""

    def __init__(self, site: Site, *, fitted: bool) -> None:
        self._site = site
        self._fitted = fitted
        rails_w, unpaired = _parse(_run(site))
        self._names = frozenset(rails_w)
        left_out = f"; without {', '.join(unpaired)}, for want of a voltage" if unpaired else ""
        if fitted:
            self.info = SourceInfo(
                id="pi5:fitted",
                scope="whole board, by a published fit",
                label=ReadingLabel.ESTIMATED,
                kind="sampler",
                nominal_hz=_HZ,
                quantum_w=_FIT_SLOPE * _QUANTUM_W,
                note=(
                    f"{_FIT_SLOPE:g} × sum of the PMIC's rails + {_FIT_OFFSET_W:g} W, as jfikar (RPi5-power) fitted it "
                    f"on one board; yours may differ{left_out}"
                ),
            )
        else:
            self.info = SourceInfo(
                id="pi5",
                scope="PMIC rails (without USB, HAT, NVMe and converter losses)",
                label=ReadingLabel.MEASURED,
                kind="sampler",
                nominal_hz=_HZ,
                quantum_w=_QUANTUM_W,
                note=f"sum of voltage × current of {len(rails_w)} rails; the board draws more{left_out}",
            )

    def read(self) -> PowerSample:
        """Return the power, and each rail's measured power beside it.

        Raises:
            MeterError: The command fails, or prints other rails than when the source was opened, or an impossible sum.
        """
        told = _run(self._site)
        t_ns = self._site.clock_ns()
        rails_w, _ = _parse(told)
        # A rail that is missing in one look would be a drop in power that never was.
        if changed := sorted(self._names.symmetric_difference(rails_w)):
            raise MeterError(f"{_SHOWN} did not print the rails that it printed at first: {', '.join(changed)}")
        sum_w = math.fsum(rails_w.values())
        if not 0 < sum_w <= _MAX_W:
            raise MeterError(f"{_SHOWN} gives {sum_w:g} W, which a running Raspberry Pi 5 cannot draw")
        power_w = _FIT_SLOPE * sum_w + _FIT_OFFSET_W if self._fitted else sum_w
        return PowerSample(t_ns=t_ns, power_w=power_w, rails_w=rails_w)

    def close(self) -> None:
        """Nothing is held open."""


class Pi5Meter:
    """Power of a Raspberry Pi 5 in watts: of the PMIC's rails; with the argument `fitted`, of the board by a fit."""

    @classmethod
    def probe(cls, site: Site, argument: str | None = None) -> Probe:
        """Return whether the PMIC can be read here, by reading it."""
        try:
            source = cls.open(site, argument)
            rails = len(source.read().rails_w)
        except MeterError as error:
            return Probe(available=False, told=error.problem, fix=error.fix)
        return Probe(available=True, told=f"{source.info.scope}, {rails} rails")

    @classmethod
    def open(cls, site: Site, argument: str | None = None) -> _Pi5Source:
        """Return the open source.

        Args:
            site: What it reads from.
            argument: `fitted` for an estimate of the whole board; none for the rails.

        Raises:
            MeterError: The board has no such sensor, or it cannot be read.
        """
        if argument not in {None, "fitted"}:
            raise MeterError(
                f"the meter pi5 knows no argument {argument!r}",
                fix="--meter pi5, or --meter pi5:fitted for an estimate",
            )
        board = _board_without_sensor(site.root)
        if board is not None:
            raise MeterError(f"{board} has no power sensor", fix=_NO_SENSOR_FIX)
        return _Pi5Source(site, fitted=argument == "fitted")


@dataclass(frozen=True)
class ThrottleBits:
    """Why the firmware slows the processor down: causes of now, and those seen since boot."""

    under_voltage_now: bool
    arm_capped_now: bool
    """Whether the processor's frequency is capped."""
    throttled_now: bool
    soft_temperature_limit_now: bool
    under_voltage_since_boot: bool
    arm_capped_since_boot: bool
    throttled_since_boot: bool
    soft_temperature_limit_since_boot: bool

    @classmethod
    def from_word(cls, word: int) -> Self:
        """Return the bits of the number that `vcgencmd get_throttled` prints."""
        return cls(*(bool(word >> bit & 1) for bit in (0, 1, 2, 3, 16, 17, 18, 19)))

    def new_since(self, before: ThrottleBits) -> tuple[str, ...]:
        """Return the causes that hold now, or that came up since `before`.

        What was seen since boot before that says nothing new: whether it came up again cannot be told.
        """
        return tuple(
            cause
            for cause in _CAUSES
            if getattr(self, f"{cause}_now")
            or (getattr(self, f"{cause}_since_boot") and not getattr(before, f"{cause}_since_boot"))
        )


def throttled(site: Site) -> ThrottleBits | None:
    """Return the throttle bits of a Raspberry Pi (any model); none where `vcgencmd get_throttled` does not tell."""
    try:
        told = site.run(["vcgencmd", "get_throttled"])
    except MeterError:
        return None
    found = _THROTTLED.search(told)
    return ThrottleBits.from_word(int(found[1], 16)) if found else None


def _run(site: Site) -> str:
    try:
        return site.run(_COMMAND)
    except MeterError as error:
        raise MeterError(error.problem, fix=error.fix or _fix(error.problem)) from error


def _fix(told: str) -> str | None:
    """Return what mends the failure that a message tells."""
    if "is not installed" in told:
        return _INSTALL_FIX
    if re.search(r"/dev/vcio|VCHI initiali[sz]ation failed|permission denied", told, re.IGNORECASE):
        return _ACCESS_FIX
    return _FIRMWARE_FIX if "not registered" in told else None


def _parse(told: str) -> tuple[Mapping[str, float], tuple[str, ...]]:
    """Return the power of each rail that has both current and voltage, in watts, and the rails with a current alone.

    Voltages alone are no rails: EXT5V_V is the input, BATT_V the clock's battery.

    Raises:
        MeterError: There is no such rail, or a line that should tell one cannot be understood.
    """
    values: dict[str, dict[str, float]] = {"A": {}, "V": {}}
    for line in filter(None, map(str.strip, told.splitlines())):
        found = _LINE.fullmatch(line)
        if found:
            values[found[2]][found[1]] = float(found[3])
        elif _CHANNEL.search(line):
            raise MeterError(f"{_SHOWN} printed {line!r}, which is no current or voltage")
    currents_a, volts_v = values["A"], values["V"]
    rails_w = {name: current_a * volts_v[name] for name, current_a in currents_a.items() if name in volts_v}
    if not rails_w:
        first = told.strip().partition("\n")[0]
        raise MeterError(f"{_SHOWN} printed no rail with current and voltage, but {first!r}", fix=_fix(told))
    return rails_w, tuple(name for name in currents_a if name not in volts_v)


def _board_without_sensor(root: Path) -> str | None:
    """Return the name of the board where it is a Raspberry Pi before the 5; none for the 5, and for what is no Pi."""
    try:
        model = (root / "proc/device-tree/model").read_text(encoding="utf-8", errors="replace").rstrip("\0\n")
    except OSError:
        return None
    if not model.startswith("Raspberry Pi"):
        return None
    # 5, 500, Compute Module 5; later ones are tried rather than refused. The first models and the Zero bear no number here.
    number = re.match(r"Raspberry Pi (?:Compute Module )?(\d)", model)
    if number and int(number[1]) >= 5:
        return None
    return re.sub(r"(?<=\d) Model .*| Rev .*", "", model)
