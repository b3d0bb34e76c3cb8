"""`evalsuite profile`: what a request costs on this device, for the same content in each language."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evalsuite.cli.common import IncludeOption, JsonOption, OfflineOption, console, names, print_json, show_skips, told
from evalsuite.cli.device import check_device, device_plan, make_manifest, measure_device, write_report
from evalsuite.cli.request import LangsOption, Request
from evalsuite.errors import InputError

if TYPE_CHECKING:
    from evalsuite.profiler import ProfileSummary
    from evalsuite.records import ProfileSettings

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "Examples:\n\n"
    "  evalsuite profile gemma3-270m --langs es,eu\n\n"
    "  evalsuite profile my-model.gguf --langs es,eu --json\n\n"
    "  evalsuite profile gemma3-270m --meter shelly2:192.168.1.20 --out out/kitchen-pi\n\n"
    "  evalsuite profile gemma3-270m --threads-sweep 1,2,4 --rounds 20\n\n"
    "With --out of a run that holds scores, both are joined in one report. An interrupted profile goes on where it was."
)

ModelsArgument = Annotated[list[str], typer.Argument(metavar="MODEL...", help="Catalog names or .gguf files.")]
RoundsOption = Annotated[
    int | None,
    typer.Option("--rounds", min=1, help="Times that each language is asked. Default 3; a 95th percentile needs 20."),
]
MeterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--meter",
        help="Power meter NAME or NAME:ADDRESS (see `evalsuite doctor`); may be repeated, the first counts. "
        "Default: auto, what this machine has; none: no power; log: a meter whose log is imported afterwards.",
    ),
]
WattsOption = Annotated[
    float | None,
    typer.Option("--watts", min=0.01, help="Power under load in watts, as you know it: energy is estimated from it."),
]
GridOption = Annotated[
    str | None, typer.Option("--grid", help="Carbon of the grid: g/kWh, or a country such as ESP (needs codecarbon).")
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, help="Threads. Default: the physical cores that may be used.")
]
SweepOption = Annotated[
    str | None, typer.Option("--threads-sweep", help="Numbers of threads to compare, such as 1,2,4.")
]
CurveOption = Annotated[
    str | None, typer.Option("--curve", help="Lengths of context. Default 128,512,1024,2048,5120; 0: none.")
]
EnergyOption = Annotated[
    float | None,
    typer.Option(
        "--energy-s",
        min=60.0,
        help="Seconds of requests for each figure of energy, and of idle time. At least 60, the default.",
    ),
]
ProveOption = Annotated[bool, typer.Option("--prove-memory/--no-prove-memory", help="Run again under a memory limit.")]


@told
def command(
    models: ModelsArgument,
    langs: LangsOption = None,
    rounds: RoundsOption = None,
    meter: MeterOption = None,
    watts: WattsOption = None,
    grid: GridOption = None,
    threads: ThreadsOption = None,
    threads_sweep: SweepOption = None,
    curve: CurveOption = None,
    energy_s: EnergyOption = None,
    prove_memory: ProveOption = True,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Run folder. Default: out/profile-<model>.")] = None,
    report: Annotated[bool, typer.Option(help="Write <run folder>.html at the end.")] = True,
    include: IncludeOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure what a request costs on this device: time, memory and energy, for the same content in each language."""
    from evalsuite.runner import Site, run_plan
    from evalsuite.store import RunWriter

    settings = _settings(
        {
            "rounds": rounds,
            "meters": tuple(meter) if meter else None,
            "watts": watts,
            "grid": grid,
            "threads": threads,
            "threads_sweep": _numbers(threads_sweep, "--threads-sweep"),
            "curve": () if curve == "0" else _numbers(curve, "--curve"),
            "energy_s": energy_s,
            "idle_s": energy_s,
            "prove_memory": prove_memory,
        }
    )
    request = Request(
        sweep_path=None,
        models=models,
        langs=langs,
        tasks=None,
        limit=None,
        chat=False,
        include=include,
        data=None,
        offline=offline,
        profile=settings,
    )
    asked = request.sweep()
    folder = out or Path("out") / f"profile-{asked.name}"
    with RunWriter(folder) as writer:
        if writer.exists:
            _ = writer.manifest
        check_device(asked)
        plan = request.plan(download=True)
        profiles = device_plan(plan, asked)
        show_skips((*plan.skips, *profiles.skips))
        # No items are asked: this only writes what the folder is about.
        run_plan(writer, plan, make_manifest(plan, profiles), Site(None, offline), _Silent())
        summary = measure_device(writer, profiles, asked.limits)
    page = write_report(folder) if report and profiles.cells else None
    _tell(folder, page, summary, as_json)


def _settings(given: dict[str, Any]) -> ProfileSettings:
    from pydantic import ValidationError

    from evalsuite.records import ProfileSettings

    try:
        return ProfileSettings.model_validate({key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"{'.'.join(map(str, first['loc']))}: {first['msg']} (given: {first['input']!r})",
            fix="`evalsuite profile --help` shows examples",
        ) from error


def _numbers(text: str | None, option: str) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in names([text]))
    except ValueError as error:
        raise InputError(f"{option}: {text!r} is no list of whole numbers", fix=f"write {option} 1,2,4") from error


def _tell(folder: Path, page: Path | None, summary: ProfileSummary, as_json: bool) -> None:
    from evalsuite.analysis.readings import profile_readings

    if as_json:
        readings = [reading.model_dump(mode="json") for reading in profile_readings(folder)]
        print_json({"run": str(folder), "report": str(page) if page else None, "readings": readings})
    else:
        from evalsuite.cli.profile_table import show_profiles

        show_profiles(folder)
        console.print(f"run: {folder}" + (f"\nreport: {page}" if page else ""), soft_wrap=True, markup=False)
    if summary.failed or not (summary.done or summary.already_done):
        raise typer.Exit(1)


class _Silent:
    """Progress of a plan that has no items."""

    def begin(self, cells: int, items: int) -> None: ...

    def cell(self, cell: Any) -> None: ...

    def advance(self, items: int, tokens: int) -> None: ...

    def note(self, text: str) -> None: ...
