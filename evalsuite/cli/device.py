"""What `run` and `profile` share: the manifest of a run, its profiles, their progress, and the report at the end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.cli.common import RunBar

if TYPE_CHECKING:
    from evalsuite.catalog.profile_texts import ProfileTexts
    from evalsuite.plan import Plan
    from evalsuite.profile_plan import ProfilePlan
    from evalsuite.profiler import ProfileSummary
    from evalsuite.records import Limits, Manifest, Sweep
    from evalsuite.store import RunWriter

__all__ = ["check_device", "device_plan", "make_manifest", "measure_device", "temperature_c", "write_report"]


def make_manifest(plan: Plan, profiles: ProfilePlan | None = None) -> Manifest:
    """Return what a run folder is to say about itself."""
    from datetime import UTC, datetime

    from evalsuite import __version__
    from evalsuite.meters.device import read_device
    from evalsuite.provenance import command_line, versions
    from evalsuite.records import Manifest

    return Manifest(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        evalsuite=__version__,
        versions=versions(),
        device=read_device(),
        sweep=plan.sweep,
        command=command_line(sys.argv),
        models={**{name: planned.model for name, planned in plan.models.items()}, **plan.trained},
        tasks=dict(plan.tasks),
        languages=dict(plan.languages),
        skips=(*plan.skips, *(profiles.skips if profiles else ())),
        cells=plan.cells,
        profiles=profiles.cells if profiles else (),
    )


def check_device(sweep: Sweep) -> None:
    """Refuse what this device cannot measure: a typing mistake should not cost a download.

    Raises:
        InputError: There is no meter of a name, or no such grid.
        MeterError: A power meter that was named cannot be read.
    """
    from evalsuite.estimates import grid_intensity
    from evalsuite.profiling.power import check_meters

    if sweep.profile is not None:
        check_meters(sweep.profile.meters)
        if sweep.profile.grid:
            grid_intensity(sweep.profile.grid)


def device_plan(plan: Plan, sweep: Sweep, texts: ProfileTexts | None = None) -> ProfilePlan:
    """Return the profiles that a sweep asks for on this device.

    Args:
        plan: Models and languages.
        sweep: What is asked for.
        texts: Requests in all languages of the sweep, in place of the shipped ones.

    Raises:
        DataMissingError: No language has requests.
    """
    from evalsuite.machine import usable_cores
    from evalsuite.meters.device import read_device
    from evalsuite.profile_plan import plan_profiles

    asked = [language for code, language in plan.languages.items() if code in sweep.languages]
    models = {name: (planned.model, planned.path) for name, planned in plan.models.items()}
    device = read_device()
    mode = ", ".join(told or "" for told in (device.power_mode, device.platform_profile, device.governor))
    return plan_profiles(plan.sweep, asked, models, device.fingerprint, usable_cores(), mode=mode, texts=texts)


def measure_device(
    writer: RunWriter, profiles: ProfilePlan, limits: Limits, *, start_c: float | None = None
) -> ProfileSummary:
    """Measure what is not measured yet, and show how it gets on.

    Args:
        writer: The run folder, locked.
        profiles: What to measure.
        limits: When to give up.
        start_c: Temperature of the device before other work was done, in °C.
    """
    from evalsuite.profiler import ProfileInputs, run_profiles

    bar = _ProfileBar()
    inputs = ProfileInputs(
        cells=profiles.cells,
        paths=profiles.paths,
        texts=profiles.texts.requests,
        long=profiles.texts.long,
        limits=limits,
    )
    try:
        return run_profiles(writer, inputs, bar, start_c=start_c)
    finally:
        bar.stop()


def temperature_c() -> float | None:
    """Return the temperature of the hottest sensor; none where there is none."""
    from evalsuite.meters.source import Site
    from evalsuite.meters.thermal import read_thermal

    return read_thermal(Site()).hottest_c


def write_report(folder: Path) -> Path:
    """Write the report of a run folder beside it, and return it."""
    from evalsuite.report.build import build_report

    return build_report(folder, folder.parent / f"{folder.resolve().name}.html")


class _ProfileBar(RunBar):
    """Shows profiles: requests served and time left."""

    unit = "requests"

    def profile(self, model: str) -> None:
        self.piece(f"profile of {model}")
