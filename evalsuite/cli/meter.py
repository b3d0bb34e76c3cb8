"""`evalsuite meter`: the power meters that can be named, and importing the log of one that writes its own file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evalsuite.cli.common import JsonOption, console, print_json, told

__all__ = ["app"]

app = typer.Typer(help="List power meters, and import a meter's log.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list", epilog="Examples:\n\n  evalsuite meter list\n\n  evalsuite meter list --json")
@told
def list_meters(as_json: JsonOption = False) -> None:
    """List the power meters: what each reads, and whether it is here."""
    import inspect

    from evalsuite.meters import load_meter, meter_names
    from evalsuite.meters.source import Site
    from evalsuite.profiling.power import LATER, probe_all

    reads = {name: inspect.getdoc(load_meter(name)) or "" for name in meter_names()}
    found = [
        {
            "name": one.name,
            "reads": reads[one.name].partition("\n")[0].removeprefix(f"`{one.name}`: "),
            "available": one.available,
            "told": one.told,
            "fix": one.fix,
        }
        for one in probe_all(Site(), tuple(reads))
    ]
    found.append(
        {
            "name": LATER,
            "reads": "Any meter that writes a file of its own, such as a USB meter.",
            "available": True,
            "told": "`--meter log` while it is measured, then `evalsuite meter import RUN LOG`",
            "fix": None,
        }
    )
    if as_json:
        print_json(found)
        return
    for one in found:
        typer.echo(f"{'yes' if one['available'] else 'no':<5}{one['name']:<9}{one['reads']}")
        typer.echo(f"     {one['told']}")
        if one["fix"] and not one["available"]:
            typer.echo(f"     fix: {one['fix']}")


@app.command(
    "import",
    epilog="Examples:\n\n"
    "  evalsuite meter import out/profile-gemma3-270m fnb58.txt --scope 'at the USB socket'\n\n"
    "  evalsuite meter import out/kitchen-pi plug.csv --zone Europe/Madrid --accuracy 0.01 --scope 'at the wall'\n\n"
    "The run must have been measured with `--meter log`, or with another meter, while the log was written.",
)
@told
def import_meter(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder with a profile.")],
    log: Annotated[Path, typer.Argument(metavar="LOG", help="FNIRSI's text format, or CSV with a header.")],
    model: Annotated[str | None, typer.Option("--model", help="Whose profile, where the run has several.")] = None,
    source_name: Annotated[
        str | None, typer.Option("--source-name", help="Name of the source in the run. Default: log:FILE.")
    ] = None,
    scope: Annotated[
        str | None,
        typer.Option("--scope", help="What the figure covers, such as 'at the wall'. Default: whole device."),
    ] = None,
    zone: Annotated[str | None, typer.Option("--zone", help="Time zone of times that name none.")] = None,
    start: Annotated[
        float | None, typer.Option("--start", help="UNIX seconds of the log's start, if it counts from there.")
    ] = None,
    accuracy: Annotated[
        float | None, typer.Option("--accuracy", min=0.0, max=1.0, help="Relative error of the meter; 0.01 is 1 %.")
    ] = None,
    primary: Annotated[
        bool, typer.Option("--primary", help="Take figures of energy from it, even where another source was read.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Import the log that a meter wrote while a profile was measured; its clock is set by the pattern of the load."""
    from evalsuite.meter_import import LogSource, import_log

    source = LogSource(
        name=source_name,
        scope=scope or LogSource.scope,
        accuracy=accuracy,
        zone=zone,
        start_unix_s=start,
        primary=primary,
    )
    done = import_log(run, log, source, model)
    if as_json:
        print_json(
            {
                "run": str(run),
                "model": done.model,
                "source": done.source.model_dump(mode="json"),
                "samples": done.samples,
                "skipped_rows": done.skipped,
                "offset_s": done.clock.offset_s,
                "offset_uncertainty_s": done.clock.uncertainty_s,
                "load_over_idle_w": done.clock.contrast_w,
            }
        )
        return
    typer.echo(f"{done.model}: {done.samples} samples as {done.source.id} ({done.source.scope}); {done.source.note}")
    typer.echo(f"requests took {done.clock.contrast_w:.3g} W more than idle time")
    if done.skipped:
        typer.echo(f"{done.skipped} rows could not be used: {'; '.join(done.source.failures)}")
    if not done.source.primary:
        typer.echo("figures of energy still come from another source (--primary takes them from this one)")
    console.print(f"next: evalsuite report {run}", soft_wrap=True, markup=False)
