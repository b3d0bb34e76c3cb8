"""`evalsuite run`: measure what a sweep asks for, and write the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.common import (
    DataOption,
    IncludeOption,
    JsonOption,
    OfflineOption,
    RunBar,
    console,
    print_json,
    show_skips,
    told,
)
from evalsuite.cli.device import check_device, device_plan, make_manifest, measure_device, temperature_c, write_report
from evalsuite.cli.request import (
    BaselinesOption,
    ChatOption,
    LangsOption,
    LimitOption,
    ModelOption,
    QuantiseOption,
    Request,
    SweepArgument,
    TasksOption,
)

if TYPE_CHECKING:
    from evalsuite.catalog.profile_texts import ProfileTexts
    from evalsuite.plan import Plan
    from evalsuite.runner import Summary
    from evalsuite.store import RunWriter

__all__ = ["EXAMPLES", "command", "leave", "measure"]

EXAMPLES = (
    "Examples:\n\n"
    "  evalsuite run sweeps/quickstart.yaml\n\n"
    "  evalsuite run --model my-model.gguf --langs es,eu --tasks labels\n\n"
    "  evalsuite run --model gemma3-270m --tasks sib200 --data ../mirror --limit 50\n\n"
    "  evalsuite run --model gemma3-270m --quantise Q8_0,Q2_K --langs en,eu\n\n"
    "  evalsuite run pack/        (a pack that `evalsuite bundle` has made)\n\n"
    "An interrupted run goes on where it was when the same command is given again."
)


@told
def command(
    sweep: SweepArgument = None,
    model: ModelOption = None,
    langs: LangsOption = None,
    tasks: TasksOption = None,
    limit: LimitOption = None,
    chat: ChatOption = False,
    baselines: BaselinesOption = False,
    quantise: QuantiseOption = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Run folder. Default: out/<name>.")] = None,
    report: Annotated[bool, typer.Option(help="Write <run folder>.html at the end.")] = True,
    data: DataOption = None,
    include: IncludeOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure what a sweep asks for, store every item, and write the report."""
    from evalsuite.store import RunWriter

    request = Request(
        sweep, model, langs, tasks, limit, chat, include, data, offline, baselines=baselines, quantise=quantise
    ).unpacked()
    asked = request.sweep()
    folder = out or Path("out") / asked.name
    with RunWriter(folder) as writer:
        # The folder is locked, and an unreadable one refused, before anything is fetched.
        if writer.exists:
            _ = writer.manifest
        plan, summary = measure(writer, request)
    page = write_report(folder) if report and (summary.done or summary.already_done or plan.cells) else None
    _tell(folder, page, plan, summary, as_json)


def measure(writer: RunWriter, request: Request, texts: ProfileTexts | None = None) -> tuple[Plan, Summary]:
    """Measure what is asked for and not measured yet, items first and then the device; show how it gets on.

    Args:
        writer: The run folder, locked.
        request: What is asked for.
        texts: Requests for the device, in place of the shipped ones.
    """
    from evalsuite.catalog.data import mirror_from
    from evalsuite.runner import Site, run_plan

    asked = request.sweep()
    check_device(asked)
    plan = request.plan(download=True)
    profiles = device_plan(plan, asked, texts) if asked.profile else None
    show_skips((*plan.skips, *(profiles.skips if profiles else ())))
    site = Site(mirror_from(request.data), request.offline)
    bar = RunBar()
    start_c = temperature_c() if profiles else None
    try:
        summary = run_plan(writer, plan, make_manifest(plan, profiles), site, bar)
    finally:
        bar.stop()
    if profiles is not None:
        measured = measure_device(writer, profiles, asked.limits, start_c=start_c)
        summary.add_profiles(measured.done, measured.already_done, measured.reasons)
    return plan, summary


def leave(plan: Plan, summary: Summary) -> None:
    """Leave with an exit code that a script can use, where something failed or nothing could be run.

    Raises:
        ModelFileError: No model could be used.
        Exit: With 1.
    """
    from evalsuite.errors import ModelFileError

    nothing = not summary.done and not summary.already_done
    if nothing and summary.kinds == {"ModelFileError"}:
        raise ModelFileError(summary.reasons[0])
    if summary.failed or (nothing and plan.skips):
        raise typer.Exit(1)


def _tell(folder: Path, page: Path | None, plan: Plan, summary: Summary, as_json: bool) -> None:
    """Say what came of it, and leave with an exit code that a script can use."""
    if as_json:
        print_json(
            {
                "run": str(folder),
                "report": str(page) if page else None,
                "done": summary.done,
                "already_done": summary.already_done,
                "failed": summary.failed,
                "skipped": len(plan.skips),
                "failures": summary.reasons,
            }
        )
    else:
        cells = f"{summary.done} cells measured, {summary.already_done} were done before"
        console.print(f"{cells}, {summary.failed} failed, {len(plan.skips)} skipped")
        console.print(f"run: {folder}" + (f"\nreport: {page}" if page else ""), soft_wrap=True, markup=False)
    leave(plan, summary)
