"""What `run` and `profile` share: the manifest of a run, its profiles, their progress, and the report at the end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.cli.common import RunBar

if TYPE_CHECKING:
    from evalsuite.plan import Plan
    from evalsuite.profile_plan import ProfilePlan
    from evalsuite.profiler import ProfileSummary
    from evalsuite.records import Limits, Manifest, ProfileCell, Sweep
    from evalsuite.store import RunWriter

__all__ = ["device_plan", "make_manifest", "measure_device", "write_report"]


def make_manifest(plan: Plan, profiles: Sequence[ProfileCell] = ()) -> Manifest:
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
        models={name: planned.model for name, planned in plan.models.items()},
        tasks=dict(plan.tasks),
        languages=dict(plan.languages),
        skips=plan.skips,
        cells=plan.cells,
        profiles=tuple(profiles),
    )


def device_plan(plan: Plan, sweep: Sweep) -> ProfilePlan:
    """Return the profiles that a sweep asks for on this device.

    Raises:
        MeterError: A power meter that was named cannot be read.
        DataMissingError: No language has requests.
    """
    from evalsuite.estimates import grid_intensity
    from evalsuite.machine import usable_cores
    from evalsuite.meters.device import read_device
    from evalsuite.profile_plan import plan_profiles
    from evalsuite.profiling.power import check_meters

    if sweep.profile is not None:
        check_meters(sweep.profile.meters)
        if sweep.profile.grid:
            grid_intensity(sweep.profile.grid)
    asked = [language for code, language in plan.languages.items() if code in sweep.languages]
    models = {name: (planned.model, planned.path) for name, planned in plan.models.items()}
    return plan_profiles(plan.sweep, asked, models, read_device().fingerprint, usable_cores())


def measure_device(writer: RunWriter, profiles: ProfilePlan, limits: Limits) -> ProfileSummary:
    """Measure what is not measured yet, and show how it gets on."""
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
        return run_profiles(writer, inputs, bar)
    finally:
        bar.stop()


def write_report(folder: Path) -> Path:
    """Write the report of a run folder beside it, and return it."""
    from evalsuite.report.build import build_report

    return build_report(folder, folder.parent / f"{folder.resolve().name}.html")


class _ProfileBar(RunBar):
    """Shows profiles: requests served and time left."""

    unit = "requests"

    def profile(self, model: str) -> None:
        self.piece(f"profile of {model}")
