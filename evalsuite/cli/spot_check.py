"""`evalsuite spot-check`: score a sample of a run's items again on this device, to prove that the run's scores hold here."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.common import (
    DataOption,
    FetchBar,
    IncludeOption,
    JsonOption,
    OfflineOption,
    RunBar,
    console,
    names,
    print_json,
    told,
)
from evalsuite.errors import InputError

if TYPE_CHECKING:
    from evalsuite.analysis.spotcheck import SpotTable
    from evalsuite.records import Cell, Manifest
    from evalsuite.spot_store import StoredCheck
    from evalsuite.spotcheck import SpotInputs
    from evalsuite.store import RunFolder, RunWriter

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "Examples:\n\n"
    "  evalsuite spot-check out/quickstart\n\n"
    "  evalsuite spot-check from-the-server --items 40 --model gemma3-270m --tasks labels\n\n"
    "  evalsuite spot-check from-the-server --model my-model=models/my-model.gguf --offline --json\n\n"
    "Exit code 0: the scores hold here. 1: they are lower than they should be, or a part could not be scored. 2: bad input.\n\n"
    "The scores of the run are not changed. An interrupted check stores nothing; give the same command again."
)


@told
def command(
    run: Annotated[Path, typer.Argument(help="Run folder with scores, measured on any machine.")],
    items: Annotated[int, typer.Option("--items", min=1, help="Items of each model, task and language.")] = 20,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            help="Models of the run; NAME=PATH says where the file is here. May be repeated. Default: all.",
        ),
    ] = None,
    tasks: Annotated[
        list[str] | None,
        typer.Option("--tasks", "-t", help="Tasks, groups, families or suites of the run. Default: all."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Draws the items. Default: the seed of the run.")] = None,
    report: Annotated[bool, typer.Option(help="Write <run folder>.html at the end.")] = True,
    data: DataOption = None,
    include: IncludeOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score a sample of a run's items again on this device, and prove that the scores hold here."""
    from evalsuite.analysis.spotcheck import spot_table
    from evalsuite.cli.device import write_report
    from evalsuite.spotcheck import done_cells, draw
    from evalsuite.store import RunFolder, RunWriter

    folder = RunFolder(run)
    manifest = folder.manifest  # a folder that is no run is refused before it is locked
    paths = _paths(model, manifest)
    wanted = done_cells(folder, paths, _task_names(tasks, manifest))
    drawn_with = manifest.sweep.seed if seed is None else seed
    with RunWriter(run) as writer:
        cells = draw(folder, wanted, items, drawn_with)
        inputs = _inputs(manifest, cells, paths or {}, include, data, offline)
        stored = _measure(writer, cells, inputs, items, drawn_with)
        table = spot_table(writer, stored)
    page = write_report(run) if report else None
    _tell(folder, page, table, as_json)
    if not table.well:
        raise typer.Exit(1)


def _paths(given: list[str] | None, manifest: Manifest) -> dict[str, Path | None] | None:
    """Return the models that are asked for, each with the file that was named for it; none where all are."""
    if given is None:
        return None
    found: dict[str, Path | None] = {}
    for value in given:
        # A path may hold a comma, so only what names no path is a list.
        for part in [value] if "=" in value else names([value]):
            name, equals, path = part.partition("=")
            if name not in manifest.models:
                raise InputError(
                    f"the run has no model {name!r}",
                    fix=f"one of {', '.join(manifest.models)}; or NAME=PATH with its file",
                )
            found[name] = Path(path).expanduser() if equals else None
    return found


def _task_names(given: list[str] | None, manifest: Manifest) -> list[str] | None:
    """Return the names of the tasks that are asked for; none where all are."""
    from evalsuite.catalog.tasks import resolve_tasks

    if given is None:
        return None
    found, _ = resolve_tasks(names(given), list(manifest.languages.values()), manifest.tasks)
    return [task.name for task in found]


def _inputs(
    manifest: Manifest,
    cells: Sequence[Cell],
    paths: Mapping[str, Path | None],
    include: list[Path] | None,
    data: Path | None,
    offline: bool,
) -> SpotInputs:
    """Return what the cells are scored with, after everything was held against the run."""
    from evalsuite.catalog.data import mirror_from
    from evalsuite.catalog.load import load_catalog
    from evalsuite.cli.request import show_licences
    from evalsuite.driver import Site
    from evalsuite.spotcheck import SpotInputs, model_at_hand, model_file, same_tasks

    # The folders of the run may be those of another machine.
    folders = [path.resolve() for path in include or ()] or [p for p in manifest.sweep.include if p.is_dir()]
    catalog = load_catalog(folders)
    mirror = mirror_from(data)
    tasks = same_tasks(cells, manifest.tasks, catalog.tasks)
    models = {name: manifest.models[name] for name in dict.fromkeys(cell.model for cell in cells)}
    # All of it is looked at before anything is fetched.
    far = [m for m in models.values() if model_at_hand(m, paths.get(m.name), catalog.models) is None]
    if not offline:
        show_licences(far)
    files = {
        name: model_file(one, paths.get(name), catalog.models, offline=offline, progress=FetchBar())
        for name, one in models.items()
    }
    return SpotInputs(models, files, tasks, Site(mirror, offline), manifest.sweep.limits)


def _measure(writer: RunWriter, cells: Sequence[Cell], inputs: SpotInputs, items: int, seed: int) -> StoredCheck:
    """Score the cells and store what came of it; return that, without what an earlier check had found of other cells."""
    from datetime import UTC, datetime

    from evalsuite import __version__
    from evalsuite.meters.device import read_device
    from evalsuite.provenance import command_line, versions
    from evalsuite.records import SpotCheck
    from evalsuite.spot_store import StoredCheck, write_check
    from evalsuite.spotcheck import score_again

    bar = RunBar()
    try:
        made, records = score_again(writer, cells, inputs, bar)
    except KeyboardInterrupt:
        console.print("\nstopped; nothing was stored, and the same command makes the check anew")
        raise typer.Exit(130) from None
    finally:
        bar.stop()
    check = SpotCheck(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        evalsuite=__version__,
        versions=versions(),
        device=read_device(),
        command=command_line(sys.argv),
        items=items,
        seed=seed,
        cells=made,
    )
    stored = StoredCheck(check, records)
    lost = write_check(writer, stored)
    if lost:
        console.print(
            f"note: an earlier check of {lost} other cells on this device is gone, because it was made with other items or "
            "other software",
            markup=False,
            soft_wrap=True,
        )
    return stored


def _tell(folder: RunFolder, page: Path | None, table: SpotTable, as_json: bool) -> None:
    """Say what came of it: tables and warnings for people, or JSON."""
    from evalsuite.analysis.load import load_run
    from evalsuite.catalog.paths import data_root
    from evalsuite.cli.spot_table import check_facts, show_check
    from evalsuite.report.names import Names
    from evalsuite.report.spot import build_spot
    from evalsuite.report.text import load_text

    run, text = load_run(folder.path), load_text(data_root("reports") / "strings")
    section = build_spot(run, [table], Names(run, text), text)
    lines = (*section.lines, *((section.action,) if any(t.warned for t in table.totals) else ())) if section else ()
    if as_json:
        print_json(
            {"run": str(folder.path), "report": str(page) if page else None, **check_facts(table), "told": lines}
        )
        return
    show_check(table, text)
    for line in (*(section.sentences if section else ()), *lines):
        console.print(line, markup=False, soft_wrap=True)
    console.print(f"run: {folder.path}" + (f"\nreport: {page}" if page else ""), soft_wrap=True, markup=False)
