"""`evalsuite bundle`: gather what a device without a hub needs to run a sweep."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.common import DataOption, IncludeOption, JsonOption, OfflineOption, console, print_json, told
from evalsuite.cli.request import (
    ChatOption,
    CopyBar,
    LangsOption,
    LimitOption,
    ModelOption,
    QuantiseOption,
    Request,
    TasksOption,
)
from evalsuite.errors import InputError

if TYPE_CHECKING:
    from evalsuite.catalog.data import DataFinder
    from evalsuite.pack import PackLock
    from evalsuite.records import Sweep

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "Examples:\n\n"
    "  evalsuite bundle sweeps/quickstart.yaml --out pack/\n\n"
    "  evalsuite bundle --model my-model.gguf --langs es,eu --tasks labels,sib200 --data ../mirror --out /media/stick/pack\n\n"
    "On the device, with the folder copied there:\n\n"
    "  sh pack/run.sh             (or `evalsuite run pack/`)\n\n"
    "The same command again renews a pack."
)

SweepArgument = Annotated[Path | None, typer.Argument(metavar="[SWEEP.yaml]", help="Sweep file.", show_default=False)]


@told
def command(
    sweep: SweepArgument = None,
    model: ModelOption = None,
    langs: LangsOption = None,
    tasks: TasksOption = None,
    limit: LimitOption = None,
    chat: ChatOption = False,
    quantise: QuantiseOption = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the pack. Default: packs/<name>.")] = None,
    data: DataOption = None,
    include: IncludeOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Gather models, data, tasks and sweep into a folder that a device without any hub can run."""
    from evalsuite.bundle import check_target, make_pack

    if sweep is not None and sweep.is_dir():
        raise InputError(f"{sweep} is a folder", fix="give a sweep file; a pack can be copied as it is")
    if offline:
        # Read once, when the libraries of the hub are loaded: they then look into their caches only.
        os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    request = _PackRequest(sweep, model, langs, tasks, limit, chat, include, data, offline, quantise=quantise)
    asked = request.sweep()
    folder = out or Path("packs") / asked.name
    # Before anything is downloaded.
    check_target(folder, [path for path in (sweep, data, *asked.include) if path is not None])
    plan = request.plan(download=True)
    catalog = request.catalog(plan.sweep)
    lock = make_pack(plan, catalog, folder, finder=request.finder(), progress=CopyBar("packing"))
    _tell(folder, lock, len(plan.cells), as_json)


@dataclass(frozen=True)
class _PackRequest(Request):
    """A request for a pack: data may come from the hub's cache, and baselines, which need no device, are left out."""

    def sweep(self) -> Sweep:
        return super().sweep().model_copy(update={"baselines": ()})

    def finder(self) -> DataFinder:
        from evalsuite.bundle import HubCacheFinder
        from evalsuite.catalog.data import mirror_from

        return HubCacheFinder(mirror_from(self.data)) if self.offline else super().finder()


def _tell(folder: Path, lock: PackLock, cells: int, as_json: bool) -> None:
    size = sum(entry.bytes for entry in lock.files.values())
    for left in lock.left_out:
        fix = f" (fix: {left.fix})" if left.fix else ""
        console.print(f"left out: {left.what}: {left.reason}{fix}", markup=False, soft_wrap=True)
    if as_json:
        print_json(
            {
                "pack": str(folder),
                "cells": cells,
                "files": len(lock.files),
                "bytes": size,
                "models": [model.model_dump() for model in lock.models],
                "data": [entry.model_dump() for entry in lock.data],
                "left_out": [left.model_dump() for left in lock.left_out],
            }
        )
        return
    held = f"models: {len(lock.models)}, data sets: {len(lock.data)}, files: {len(lock.files)}"
    console.print(f"{held}, {size / 2**20:.1f} MiB; cells to measure: {cells}")
    console.print(f"pack: {folder}\nrun it there with: sh run.sh", markup=False, soft_wrap=True)
