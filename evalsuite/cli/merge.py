"""`evalsuite merge`: join run folders of several devices, or of parts of one sweep, into one."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evalsuite.cli.common import JsonOption, console, print_json, told

if TYPE_CHECKING:
    from evalsuite.merge import Merge

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "Examples:\n\n"
    "  evalsuite merge out/laptop out/kitchen-pi --out out/both\n\n"
    "  evalsuite merge out/part-1 out/part-2 out/part-3 -o out/whole && evalsuite report out/whole\n\n"
    "  evalsuite merge out/a out/b -o out/ab --force --json\n\n"
    "The given folders are not changed. What does not belong together is refused, with the reason."
)


@told
def command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders; the first ones come first.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New run folder; it must not exist, or be empty.")],
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Merge although scores of the same cell differ (the first run's are kept) or engines differ; "
            "the new folder notes it.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Join run folders into a new one; refuse what does not belong together, and say why."""
    from evalsuite.merge import merge_runs
    from evalsuite.provenance import command_line

    merge = merge_runs(runs, out, command=command_line(sys.argv), force=force)
    if as_json:
        print_json(_facts(merge, runs, out))
        return
    manifest = merge.manifest
    several = f" of {len(manifest.devices)} devices" if len(manifest.devices) > 1 else ""
    console.print(
        f"{len(runs)} runs{several} joined; models: {len(manifest.models)}, languages: {len(manifest.sweep.languages)}, "
        f"cells: {len(manifest.cells)}, profiles: {len(manifest.profiles)}"
    )
    for note in manifest.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    console.print(f"run: {out}\nreport: `evalsuite report {out}` writes it", markup=False, soft_wrap=True)


def _facts(merge: Merge, runs: list[Path], out: Path) -> dict[str, Any]:
    """Return what was joined, for scripts."""
    manifest = merge.manifest
    return {
        "run": str(out),
        "runs": [
            {
                "run": str(path),
                "cells": sum(one.path == path for one in merge.cells.values()),
                "profiles": sum(one.path == path for one in merge.profiles.values()),
            }
            for path in runs
        ],
        "device": manifest.device.fingerprint,
        "devices": {fingerprint: device.cpu for fingerprint, device in manifest.devices.items()},
        "models": list(manifest.models),
        "tasks": list(manifest.tasks),
        "languages": list(manifest.sweep.languages),
        "cells": Counter(str(merge.cells[cell.id].results[cell.id].status) for cell in manifest.cells),
        "profiles": len(manifest.profiles),
        "skipped": len(manifest.skips),
        "notes": list(manifest.notes),
    }
