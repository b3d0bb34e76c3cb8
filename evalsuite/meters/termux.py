"""Power of an Android phone or tablet as Termux tells it (`termux-battery-status`)."""

from __future__ import annotations

import json
from typing import Any

from evalsuite.meters.source import MeterError, PowerSample, Probe, Site, SourceInfo, probe_by_opening
from evalsuite.records import ReadingLabel

__all__ = ["TermuxMeter", "TermuxSource"]

_COMMAND = ("termux-battery-status",)
_AMPERES = {"ua": 1e-6, "ma": 1e-3}
"""Scale by name: Android asks for µA, and some phones give mA."""
_PLAUSIBLE_W = (0.05, 30.0)
"""A phone that runs draws more than 50 mW; 30 W would empty it within the hour."""
_PLUGGED_IN = frozenset({"CHARGING", "FULL", "NOT_CHARGING"})
_UNPLUG = "unplug the charger and run again"
_INSTALL = (
    "run `pkg install termux-api`, install the app Termux:API from where Termux itself came from, "
    "and open it once; then try `termux-battery-status`"
)


class TermuxSource:
    """The battery of an Android device, while it feeds the device.

    Args:
        site: What it reads from.
        scale: Unit of the current that the phone gives: `ua` or `ma`.

    Raises:
        MeterError: The command fails, the battery does not discharge, or the figures cannot be power.
    """

    def __init__(self, site: Site, scale: str) -> None:
        self._site = site
        self._scale = scale
        self.info = SourceInfo(
            id="termux",
            scope="whole device, from its battery",
            label=ReadingLabel.MEASURED,
            kind="sampler",
            nominal_hz=0.2,  # each look starts a program, which itself draws power
            note=f"with screen and radios; the current is taken to be in {scale}, as the user declared or left it",
        )
        self.first = self.read()
        """The look that opening it took: each one costs power."""

    def read(self) -> PowerSample:
        """Return the power that leaves the battery, in watts.

        Raises:
            MeterError: The command fails, the battery does not discharge, or the figures cannot be power.
        """
        began_ns = self._site.clock_ns()
        status = _status(self._site)
        # The command takes long, and when within it the battery is asked is not known.
        t_ns = (began_ns + self._site.clock_ns()) // 2
        if status.get("present") is False:
            raise MeterError("termux-battery-status says that no battery is present", fix="use another power meter")
        told = status.get("status")
        if told != "DISCHARGING":
            plugged = (
                "the device is plugged in" if told in _PLUGGED_IN else "the battery does not say that it discharges"
            )
            raise MeterError(f"{plugged}: its status is {told}", fix=_UNPLUG)
        volts = _number(status, "voltage") / 1e3
        # Which sign means "out" differs between phones; the status tells the direction.
        raw = abs(_number(status, "current"))
        return PowerSample(t_ns, power_w=self._plausible_w(raw, volts))

    def close(self) -> None:
        """Do nothing: the command has ended."""

    def _plausible_w(self, raw: float, volts: float) -> float:
        """Return the watts of a current in the declared scale, refusing what no phone draws."""
        low, high = _PLAUSIBLE_W
        watts = {scale: raw * amperes * volts for scale, amperes in _AMPERES.items()}
        power_w = watts.pop(self._scale)
        if low <= power_w <= high:
            return power_w
        fits = [f"write `termux:{name}`: it would be {w:.3g} W then" for name, w in watts.items() if low <= w <= high]
        raise MeterError(
            f"termux-battery-status gives a current of {raw:g} at {volts:g} V; taken as {self._scale} that is "
            f"{power_w:.3g} W, which no running phone draws ({low:g} to {high:g} W)",
            fix=fits[0] if fits else "use another power meter, such as a USB meter in the cable",
        )


class TermuxMeter:
    """`termux`: an Android device, only while it runs from its battery; `termux:ma` where the phone gives mA."""

    @classmethod
    def probe(cls, site: Site, argument: str | None = None) -> Probe:
        """Return whether Termux tells the battery's power."""
        return probe_by_opening(
            lambda: cls.open(site, argument), lambda source: f"the battery gives {source.first.power_w:.3g} W"
        )

    @classmethod
    def open(cls, site: Site, argument: str | None = None) -> TermuxSource:
        """Return the battery.

        Args:
            site: What it reads from.
            argument: Unit of the current that the phone gives: `ua` (the default, as Android asks) or `ma`.

        Raises:
            MeterError: The unit is none of these, the command fails, the device is plugged in, or the figures cannot be power.
        """
        scale = "ua" if argument is None else argument
        if scale not in _AMPERES:
            fix = "write `termux:ua` for microamperes (the default) or `termux:ma` for milliamperes"
            raise MeterError(f"unknown unit of current {scale!r} for the meter `termux`", fix=fix)
        return TermuxSource(site, scale)


def _status(site: Site) -> dict[str, Any]:
    try:
        printed = site.run(_COMMAND)
    except MeterError as error:
        # Without the app the command hangs, so each of its failures has the same cure.
        raise MeterError(error.problem, fix=_INSTALL) from error
    try:
        status = json.loads(printed)
    except ValueError as error:
        raise _no_status(printed) from error
    if not isinstance(status, dict) or "status" not in status:
        raise _no_status(printed)
    return status


def _no_status(printed: str) -> MeterError:
    shown = " ".join(printed.split())[:80]
    return MeterError(f"termux-battery-status printed no battery status: {shown!r}", fix=_INSTALL)


def _number(status: dict[str, Any], key: str) -> float:
    value = status.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        problem = f"termux-battery-status gives no {key}: {value!r}"
        raise MeterError(problem, fix="this phone does not tell its power; use another power meter")
    return float(value)
