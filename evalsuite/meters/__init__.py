"""What the machine is and what it does while it measures: power, memory, temperature, load."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from evalsuite.errors import InputError, suggest

if TYPE_CHECKING:
    from evalsuite.meters.source import PowerMeter

__all__ = ["METERS", "load_meter", "meter_names", "split_meter"]

METERS: dict[str, str] = {
    "rapl": "evalsuite.meters.rapl:RaplMeter",
    "nvml": "evalsuite.meters.nvml:NvmlMeter",
    "jetson": "evalsuite.meters.jetson:JetsonMeter",
    "pi5": "evalsuite.meters.raspberry:Pi5Meter",
    "battery": "evalsuite.meters.battery:BatteryMeter",
    "termux": "evalsuite.meters.termux:TermuxMeter",
    "apple": "evalsuite.meters.apple:AppleMeter",
    "shelly1": "evalsuite.meters.plugs:ShellyGen1Meter",
    "shelly2": "evalsuite.meters.plugs:ShellyGen2Meter",
    "tasmota": "evalsuite.meters.plugs:TasmotaMeter",
    "kasa": "evalsuite.meters.kasa:KasaMeter",
    "replay": "evalsuite.meters.replay:ReplayMeter",
}
"""Name → class of a `PowerMeter`. Loaded when it is used."""

_ENTRY_POINTS = "evalsuite.meters"


def meter_names() -> tuple[str, ...]:
    """Return the names of all power meters: ours, and those that other packages add."""
    return tuple(dict.fromkeys((*METERS, *_entry_points())))


def split_meter(text: str) -> tuple[str, str | None]:
    """Return name and argument of `NAME` or `NAME:ARGUMENT`."""
    name, colon, argument = text.partition(":")
    return name, (argument if colon else None)


def load_meter(name: str) -> type[PowerMeter]:
    """Return the class of a power meter.

    Others can add theirs as entry points of the group `evalsuite.meters`.

    Raises:
        InputError: There is no meter of this name.
    """
    target = METERS.get(name) or _entry_points().get(name)
    if target is None:
        fix = suggest(name, meter_names(), kind="power meter", show="evalsuite doctor")
        raise InputError(f"unknown power meter {name!r}", fix=fix)
    module, _, attribute = target.partition(":")
    found: type[PowerMeter] = getattr(importlib.import_module(module), attribute)
    return found


def _entry_points() -> dict[str, str]:
    from importlib.metadata import entry_points

    return {point.name: point.value for point in entry_points(group=_ENTRY_POINTS)}
