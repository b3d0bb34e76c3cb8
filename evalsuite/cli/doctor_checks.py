"""What `evalsuite doctor` looks at: what must be mended before a model can be evaluated, and what can be measured here."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

if TYPE_CHECKING:
    from evalsuite.meters.load import Noise
    from evalsuite.meters.source import Site
    from evalsuite.meters.thermal import ThermalState, ThermalSummary
    from evalsuite.records import Device

__all__ = ["Check", "kernels", "main_checks", "measurements", "show"]

_KERNELS = {
    "avx2": "AVX2", "avx512f": "AVX512", "avx512_vnni": "AVX512_VNNI", "avx512_bf16": "AVX512_BF16",
    "avx_vnni": "AVX_VNNI", "fma": "FMA", "f16c": "F16C", "asimd": "NEON", "asimddp": "DOTPROD", "i8mm": "MATMUL_INT8",
    "sve": "SVE",
}  # fmt: skip
"""Feature of a processor → what llama.cpp calls its kernels for it. Without AMX, which is left out on purpose."""
_CAP_BYTES = 64 * 2**20
_LOAD_S = 0.5
_LONGEST_LOAD_S = 3.0


@dataclass(frozen=True)
class Check:
    """One line of what doctor says."""

    what: str
    state: Literal["yes", "no", "mend"]
    """`no` is something that cannot be measured here; `mend` stands in the way of evaluating a model at all."""
    told: str
    fix: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts; `ok` is false only where something must be mended."""
        return {
            "what": self.what,
            "ok": self.state != "mend",
            "state": self.state,
            "told": self.told,
            "fix": self.fix if self.state != "yes" else None,
        }


def show(checks: Sequence[Check]) -> None:
    """Print checks, with a fix below what is not there."""
    for check in checks:
        state = "MEND" if check.state == "mend" else check.state
        typer.echo(f"{state:<5}{check.what}: {check.told}")
        if check.fix and check.state != "yes":
            typer.echo(f"     fix: {check.fix}")


# --- the main job


def main_checks(cache: Path, free_bytes: int) -> list[Check]:
    """Return what loading and evaluating a model needs besides an engine."""
    return [_catalog(), _mirror(), _space(cache, free_bytes)]


def _catalog() -> Check:
    from evalsuite.catalog.load import load_catalog
    from evalsuite.errors import EvalsuiteError

    try:
        catalog = load_catalog()
    except EvalsuiteError as error:
        return Check("catalog", "mend", error.problem, error.fix)
    told = f"{len(catalog.languages)} languages, {len(catalog.tasks)} tasks, {len(catalog.models)} models"
    return Check("catalog", "yes", told)


def _mirror() -> Check:
    given = os.environ.get("EVALSUITE_DATA")
    if not given:
        return Check("data mirror", "yes", "none (EVALSUITE_DATA is not set); hub data is downloaded")
    if Path(given).is_dir():
        return Check("data mirror", "yes", given)
    return Check(
        "data mirror", "mend", f"{given} is no folder", "set EVALSUITE_DATA to the folder, or `unset EVALSUITE_DATA`"
    )


def _space(cache: Path, free_bytes: int) -> Check:
    told = f"{free_bytes / 2**30:.1f} GiB at {cache}"
    fix = "free 1 GiB there, or set EVALSUITE_CACHE to a folder with more space"
    return Check("free space", "yes" if free_bytes > 2**30 else "mend", told, fix)


def kernels(device: Device, flags: str) -> Check:
    """Return whether the engine was built for this processor.

    Args:
        device: Its features are compared.
        flags: `llama_print_system_info()`; empty where the engine did not tell.
    """
    what = "engine's build"
    if not flags:
        return Check(what, "no", "not known: llama.cpp did not start", "mend llama.cpp first")
    built = set(re.findall(r"(\w+) = 1\b", flags))
    lacking = [name for feature, name in _KERNELS.items() if feature in device.features and name not in built]
    if not lacking:
        return Check(what, "yes", flags)
    told = f"slower than it could be: without {', '.join(lacking)}, which the processor has ({flags})"
    return Check(what, "no", told, "build llama-cpp-python on this machine, as docs/install.md says")


# --- what can be measured


def measurements(site: Site, device: Device) -> list[Check]:
    """Return what can be measured on this machine; takes about a second, most of it to look at the load."""
    from evalsuite.meters.load import LoadTrack
    from evalsuite.meters.thermal import ThermalTrack, read_thermal

    heat, load = ThermalTrack(), LoadTrack([os.getpid()], site.root, site.clock_ns)
    heat.add(read_thermal(site))
    load.look()
    # With more processors rounding to ticks weighs more, so that it takes longer to know.
    time.sleep(min(_LONGEST_LOAD_S, max(_LOAD_S, device.cores_logical / 18)))
    load.look()
    last = read_thermal(site)
    heat.add(last)
    return [
        *_power(site),
        *_thermal(last, heat.summary(), device),
        _peaks(site),
        _cap(site),
        _quiet(load.summary().noisy(), load.summary().other_cpu),
        _clocks(device),
        _supply(device, last.battery_status),
        _bare(device),
    ]


def _power(site: Site) -> list[Check]:
    from evalsuite.meters import meter_names
    from evalsuite.profiling.power import AUTOMATIC, probe_all

    found = [
        Check(f"power by `{one.name}`", "yes" if one.available else "no", one.told, one.fix) for one in probe_all(site)
    ]
    plugs = ", ".join(f"--meter {name}:ADDRESS" for name in meter_names() if name not in (*AUTOMATIC, "replay"))
    told = f"a plug with {plugs}; a meter that writes a file with --meter log, then `evalsuite meter import RUN LOG`"
    return [*found, Check("power by other meters", "yes", told)]


def _thermal(now: ThermalState, seen: ThermalSummary, device: Device) -> list[Check]:
    hidden = device.virtual_machine or device.container
    fix = (
        f"measure on the machine itself: it is hidden here ({hidden})"
        if hidden
        else "load the drivers of its sensors: `sudo sensors-detect` (package lm-sensors)"
    )
    hottest = max(now.temperature_c.items(), key=lambda item: item[1], default=None)
    temperature = (
        Check("temperature", "no", seen.missing.get("max_c", "not readable"), fix)
        if hottest is None
        else Check("temperature", "yes", f"{len(now.temperature_c)} sensors, {hottest[0]} at {hottest[1]:.0f} °C")
    )
    share = now.relative_frequency
    frequency = (
        Check("clock frequency", "no", seen.missing.get("median_frequency", "not readable"), fix)
        if share is None
        else Check(
            "clock frequency",
            "yes",
            f"{max(now.frequency_khz.values()) / 1000:.0f} MHz, {100 * share:.0f} % of the hardware's highest",
        )
    )
    if seen.throttled is None:
        throttling = Check("signs of throttling", "no", seen.missing["throttled"], fix)
    else:
        told = ", ".join(seen.watched) + (f"; it is throttled NOW: {', '.join(seen.reasons)}" if seen.reasons else "")
        throttling = Check("signs of throttling", "yes", told)
    return [temperature, frequency, throttling]


def _peaks(site: Site) -> Check:
    from evalsuite.meters.memory import reset_peak

    if reset_peak(site.root):
        return Check("peak of memory by phase", "yes", "the system lets a process reset its peak")
    told = "/proc/self/clear_refs cannot be written: peaks are those since the process began"
    return Check("peak of memory by phase", "no", told, "run on Linux, where /proc is not mounted read-only")


def _cap(site: Site) -> Check:
    from evalsuite.meters.memory_cap import try_cap
    from evalsuite.meters.source import MeterError

    what = "proof of memory under a limit"
    try:
        result = try_cap(["true"], _CAP_BYTES, timeout_s=5.0, root=site.root)
    except MeterError as error:
        return Check(what, "no", error.problem, error.fix)
    if result.method is None:
        return Check(what, "no", result.reason or "no limit can be set", result.fix)
    if not result.held:
        told = f"{result.method}: a command that does nothing did not end well under 64 MiB ({result.output.strip()})"
        return Check(what, "no", told, "run as root, or in a login session of systemd")
    return Check(what, "yes", f"by {result.method}" + (f"; {result.note}" if result.note else ""))


def _quiet(noise: Noise, others: float | None) -> Check:
    if noise.noisy is False:
        return Check("quiet now", "yes", f"{others:.2f} cores are busy with other processes")
    fix = "measure on Linux" if others is None else "end other programs before you measure (`top` shows them)"
    return Check("quiet now", "no", "; ".join(noise.reasons), fix)


def _clocks(device: Device) -> Check:
    settings = {
        "governor": device.governor,
        "power mode": device.power_mode,
        "firmware's profile": device.platform_profile,
        "energy preference": device.energy_preference,
    }
    told = ", ".join(f"{name} {value}" for name, value in settings.items() if value)
    what = "steady clocks"
    if device.governor is None:
        fix = (
            "measure on the machine itself" if device.virtual_machine or device.container else "look into its firmware"
        )
        return Check(what, "no", "; ".join(filter(None, ["the system shows no governor", told])), fix)
    fix = "`sudo cpupower frequency-set -g performance` while you measure, or report the governor with the figures"
    return Check(what, "yes" if device.governor == "performance" else "no", told, fix)


def _supply(device: Device, battery: str | None) -> Check:
    status = f" (battery: {battery})" if battery else ""
    if device.supply == "ac":
        return Check("on mains power", "yes", f"plugged in{status}")
    if device.supply == "battery":
        told = f"runs from its battery{status}, and may be slowed down; the meter `battery` works only so"
        return Check("on mains power", "no", told, "plug it in, unless the battery is to be the power meter")
    return Check(
        "on mains power", "no", "the system does not tell", "look yourself: a desktop or a board has no battery"
    )


def _bare(device: Device) -> Check:
    found = [
        f"{kind} ({name})"
        for kind, name in (("container", device.container), ("virtual machine", device.virtual_machine))
        if name
    ]
    if not found:
        return Check("a machine of its own", "yes", "no container and no virtual machine shows")
    told = f"runs in a {' in a '.join(found)}: others can take time that does not show here"
    return Check("a machine of its own", "no", told, "measure on the machine itself")
