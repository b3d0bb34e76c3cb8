"""Power of a laptop or handheld as its own battery tells it (Linux: /sys/class/power_supply)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evalsuite.meters.source import MeterError, PowerSample, Probe, Site, SourceInfo, probe_by_opening
from evalsuite.records import ReadingLabel

__all__ = ["BatteryMeter", "BatterySource"]

_SUPPLIES = "sys/class/power_supply"
_PLAUSIBLE_W = (0.05, 300.0)
"""A device that runs draws more than 50 mW, and no battery of a portable one gives 300 W."""
_PLUGGED_IN = frozenset({"Charging", "Full", "Not charging"})
"""What the kernel says of a battery beside a charger; "Unknown" says nothing."""
_UNPLUG = "unplug the charger and run again"
_OTHER_METER = "use another power meter: `evalsuite doctor` lists those of this machine"
_INFO = SourceInfo(
    id="battery",
    scope="whole device, from its battery",
    label=ReadingLabel.MEASURED,
    kind="sampler",
    nominal_hz=1.0,
    note=(
        "with screen and radios; how often the figure changes, and in what steps, is the battery driver's choice: "
        "ACPI counts in whole mW at best, and in whole mWh (3.6 J), too coarse to count energy with"
    ),
)


@dataclass(frozen=True)
class _Battery:
    """One entry of /sys/class/power_supply, as it was at one look."""

    path: Path
    uevent: Mapping[str, str]

    def text(self, name: str) -> str | None:
        """Return a property: from the file of its name, else from `uevent`, which holds all of them."""
        return _text(self.path / name) or self.uevent.get(f"POWER_SUPPLY_{name.upper()}")

    def micro(self, name: str) -> float | None:
        """Return a property that the kernel gives in millionths, without its sign.

        Drivers disagree on the sign of what flows out, and ACPI changed it in 2025; the status tells the direction.
        """
        text = self.text(name)
        if text is None:
            return None
        try:
            return abs(int(text)) / 1e6
        except ValueError as error:
            raise MeterError(f"{self.path / name} holds {text!r}, which is no number", fix=_OTHER_METER) from error

    def power_w(self) -> float:
        power_w = self.micro("power_now")
        if power_w is not None:
            return power_w
        current_a, voltage_v = self.micro("current_now"), self.micro("voltage_now")
        if current_a is None or voltage_v is None:
            raise MeterError(f"{self.path} gives neither power_now nor current_now with voltage_now", fix=_OTHER_METER)
        return current_a * voltage_v


class BatterySource:
    """The batteries of this device, while they feed it.

    Args:
        site: What it reads from.

    Raises:
        MeterError: There is no battery, it does not discharge, or it gives nothing that can be power.
    """

    info: SourceInfo = _INFO

    def __init__(self, site: Site) -> None:
        self._site = site
        self.first = self.read()
        """The look that opening it took."""

    def read(self) -> PowerSample:
        """Return the power that leaves all batteries, in watts; where there are several, each one as a rail.

        Raises:
            MeterError: A battery does not discharge, or gives nothing that can be power.
        """
        # Looked for anew each time: a battery may be put in or taken out.
        batteries = _batteries(self._site.root)
        _must_discharge(batteries)
        watts = {battery.path.name: battery.power_w() for battery in batteries}
        power_w = sum(watts.values())
        low, high = _PLAUSIBLE_W
        if not low <= power_w <= high:
            paths = " and ".join(str(battery.path) for battery in batteries)
            problem = f"{paths}: {power_w:g} W cannot be what a running device draws ({low:g} to {high:g} W)"
            raise MeterError(problem, fix=_OTHER_METER)
        return PowerSample(self._site.clock_ns(), power_w=power_w, rails_w=watts if len(watts) > 1 else {})

    def close(self) -> None:
        """Do nothing: no file stays open."""


class BatteryMeter:
    """`battery`: whole device, only while it runs from its battery; takes no argument."""

    @classmethod
    def probe(cls, site: Site, argument: str | None = None) -> Probe:
        """Return whether the device runs from a battery that tells its power."""
        return probe_by_opening(
            lambda: cls.open(site, argument), lambda source: f"the battery gives {source.first.power_w:.3g} W"
        )

    @classmethod
    def open(cls, site: Site, argument: str | None = None) -> BatterySource:
        """Return the batteries of this device.

        Raises:
            MeterError: There is no battery, the device is plugged in, or the figures cannot be power.
        """
        if argument is not None:
            raise MeterError(
                f"the meter `battery` takes no argument, but was given {argument!r}", fix="write `battery`"
            )
        return BatterySource(site)


def _must_discharge(batteries: list[_Battery]) -> None:
    statuses = {battery.path.name: battery.text("status") or "missing" for battery in batteries}
    others = {name: status for name, status in statuses.items() if status != "Discharging"}
    if not others:
        return
    told = ", ".join(f"{name} is {status}" for name, status in statuses.items())
    if len(others) < len(statuses):
        # One that rests or charges while another drains: the sum would not be what the device draws.
        fix = f"{_UNPLUG}; if the batteries drain one after the other, take one out"
        raise MeterError(f"not all batteries discharge: {told}", fix=fix)
    if _PLUGGED_IN.isdisjoint(others.values()):
        raise MeterError(f"the battery does not say that it discharges: {told}", fix=_UNPLUG)
    raise MeterError(f"the device is plugged in: {told}", fix=_UNPLUG)


def _batteries(root: Path) -> list[_Battery]:
    """Return the batteries that feed this device: not those of a mouse, and no empty bays."""
    folder = root / _SUPPLIES
    try:
        paths = sorted(folder.iterdir())
    except PermissionError as error:
        raise _forbidden(folder) from error
    except OSError:
        paths = []
    found = [_Battery(path, _uevent(path / "uevent")) for path in paths]
    found = [
        b for b in found if b.text("type") == "Battery" and b.text("scope") != "Device" and b.text("present") != "0"
    ]
    if not found:
        raise MeterError(f"this device has no battery: {folder} shows none", fix=_OTHER_METER)
    return found


def _uevent(path: Path) -> dict[str, str]:
    pairs = (line.partition("=") for line in (_text(path) or "").splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs if value.strip()}


def _text(path: Path) -> str | None:
    """Return what a file holds; none where it is missing, empty, or the driver has no value for it just now."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except PermissionError as error:
        raise _forbidden(path) from error
    except OSError:
        return None


def _forbidden(path: Path) -> MeterError:
    return MeterError(f"{path} may not be read", fix=f"on Android use the meter `termux`; elsewhere {_OTHER_METER}")
