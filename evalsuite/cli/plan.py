"""`evalsuite plan`: show what a run would do, and roughly what it would cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite.cli.common import (
    DataOption,
    IncludeOption,
    JsonOption,
    OfflineOption,
    console,
    print_json,
    show_skips,
    show_table,
    told,
)
from evalsuite.cli.device import device_plan
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
    from evalsuite.records import Model

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "Examples:\n\n"
    "  evalsuite plan sweeps/quickstart.yaml\n\n"
    "  evalsuite plan --model gemma3-270m --tasks starter --langs eu --json\n\n"
    "  evalsuite plan --model gemma3-270m --quantise Q8_0,Q2_K"
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
    data: DataOption = None,
    include: IncludeOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what would be run, what would be skipped and why, and a rough estimate. Nothing is downloaded or measured."""
    request = Request(
        sweep, model, langs, tasks, limit, chat, include, data, offline, baselines=baselines, quantise=quantise
    ).unpacked()
    plan = request.plan(download=False)
    profiles = device_plan(plan, plan.sweep) if plan.sweep.profile else None
    rows = [
        {
            "model": cell.model,
            "task": cell.task,
            "language": cell.language,
            "prompt_form": cell.prompt_form.value,
            "items": len(cell.item_indices),
            "of": plan.tasks[cell.task].items,
            "data": plan.tasks[cell.task].data.found,
            "estimated_tokens": plan.estimates[cell.id].tokens,
            "estimated_s": round(plan.estimates[cell.id].seconds, 1),
        }
        for cell in plan.cells
    ]
    absent = {name: one for name, one in plan.models.items() if one.path is None and one.problem is None}
    to_fetch = [name for name, found in absent.items() if not found.made]
    to_make = {name: made_from for name, found in absent.items() if (made_from := found.model.made_from) and found.made}
    if as_json:
        skips = [skip.model_dump() for skip in (*plan.skips, *(profiles.skips if profiles else ()))]
        measured = [profile.model_dump(mode="json") for profile in profiles.cells] if profiles else []
        to_tell = {name: made_from.model_dump() for name, made_from in to_make.items()}
        print_json(
            {
                "cells": rows,
                "profiles": measured,
                "skips": skips,
                "models_to_fetch": to_fetch,
                "models_to_make": to_tell,
            }
        )
        return
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for title in ("model", "task", "form", "items", "data"):
        table.add_column(title)
    table.add_column("tokens (estimate)", justify="right")
    for row in rows:
        items = f"{row['items']} of {row['of']}"
        tokens = f"{row['estimated_tokens']:,}"
        table.add_row(str(row["model"]), str(row["task"]), str(row["prompt_form"]), items, str(row["data"]), tokens)
    show_table(table)
    seconds = sum(estimate.seconds for estimate in plan.estimates.values())
    console.print(f"{len(rows)} cells; very roughly {max(1, round(seconds / 60))} min on this machine")
    for profile in profiles.cells if profiles else ():
        console.print(
            f"profile of {profile.model} on this device: {len(profile.languages)} languages, "
            f"{profile.settings.rounds} rounds, {profile.threads} threads"
        )
    show_skips((*plan.skips, *(profiles.skips if profiles else ())))
    for name in to_fetch:
        planned = plan.models[name].model
        size = f", {planned.bytes / 2**20:.0f} MiB" if planned.bytes else ""
        console.print(
            f"`evalsuite run` would fetch {name} ({planned.source}{size}; {planned.licence})",
            markup=False,
            soft_wrap=True,
        )
    for name, made_from in to_make.items():
        console.print(
            f"`evalsuite run` would make {name} from {made_from.name} ({made_from.quantisation or 'quantisation not known'}"
            f"{', so it cannot be better than that' if made_from.requantised else ''}){_size(plan.models[name].model)}",
            markup=False,
            soft_wrap=True,
        )


def _size(model: Model) -> str:
    return f"; very roughly {model.bytes / 2**20:.0f} MiB" if model.bytes else ""
