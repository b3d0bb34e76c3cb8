"""`evalsuite power`: what the items of a run can show, or how many a run would need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.analysis.compare_axis import Axis
from evalsuite.cli.common import console, told
from evalsuite.cli.output import (
    Format,
    FormatOption,
    LangsOption,
    MarginOption,
    ModelsOption,
    OutOption,
    TasksOption,
    deliver,
    part_of,
)
from evalsuite.cli.shares import read_share
from evalsuite.errors import InputError

if TYPE_CHECKING:
    from evalsuite.analysis.narrow import Part
    from evalsuite.analysis.power_table import PowerPlan

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "Examples:\n\n"
    "  evalsuite power out/quickstart\n\n"
    "  evalsuite power out/quickstart --by model --tasks labels --margin 3 --out power.csv\n\n"
    "  evalsuite power --items 200 --score 60 --differing 25 --margin 5 --comparisons 42\n\n"
    "Differing: the share of items that only one of two sides gets right. It, and not the score, decides how many items a "
    "comparison on the same items needs. A run tells it; before one, 25% is a fair guess for two languages or two models."
)
_SCORE, _DIFFERING, _MARGIN = 0.5, 0.25, 0.05


@told
def command(
    run: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="Run folder; none where a run is planned.")
    ] = None,
    by: Annotated[Axis | None, typer.Option("--by", help="What is compared in the run. Default: language.")] = None,
    tasks: TasksOption = None,
    langs: LangsOption = None,
    models: ModelsOption = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="What all others are held against, as in `evalsuite compare`.")
    ] = None,
    margin: MarginOption = None,
    items: Annotated[int | None, typer.Option("--items", "-n", min=2, max=1_000_000, help="Planned items.")] = None,
    score: Annotated[
        str | None, typer.Option("--score", help="Expected score. Default: 50%, which needs most.")
    ] = None,
    differing: Annotated[
        str | None,
        typer.Option("--differing", help="Expected share of items that only one side gets right. Default: 25%."),
    ] = None,
    comparisons: Annotated[
        int | None,
        typer.Option("--comparisons", min=1, max=100_000, help="Comparisons that are corrected together. Default: 1."),
    ] = None,
    form: FormatOption = None,
    out: OutOption = None,
) -> None:
    """Say what a number of items can show: of a finished run, by comparison; or of one that is planned, with --items."""
    planned = {"--items": items, "--score": score, "--differing": differing, "--comparisons": comparisons}
    measured = {"--by": by, "--tasks": tasks, "--langs": langs, "--models": models, "--reference": reference}
    _one_way(run, planned, measured)
    limit = None if margin is None else read_share(margin, "--margin")
    if run is not None:
        _of_run(run, by or Axis.LANGUAGE, part_of(tasks, langs, models), reference, limit, (form, out))
        return
    from evalsuite.analysis.power_table import plan_power

    assert items is not None
    plan = plan_power(
        items,
        _SCORE if score is None else read_share(score, "--score", whole=True),
        _DIFFERING if differing is None else read_share(differing, "--differing", whole=True),
        _MARGIN if limit is None else limit,
        comparisons or 1,
    )
    _of_plan(plan, form, out)


def _one_way(run: Path | None, planned: Mapping[str, object], measured: Mapping[str, object]) -> None:
    """Refuse options of the other way to ask."""
    given = [name for name, value in (planned if run is not None else measured).items() if value is not None]
    if run is not None and given:
        raise InputError(
            f"{', '.join(given)}: a run tells that itself", fix="leave the run out to plan one, or leave the option out"
        )
    if run is None and given:
        raise InputError(f"{', '.join(given)}: there is no run to take that from", fix="give a run folder")
    if run is None and planned["--items"] is None:
        raise InputError(
            "there is neither a run nor a number of items",
            fix="give a run folder, or --items with what you expect: evalsuite power --items 200 --score 60 --differing 25",
        )


def _of_run(
    run: Path,
    by: Axis,
    part: Part,
    reference: str | None,
    margin: float | None,
    output: tuple[Format | None, Path | None],
) -> None:
    from evalsuite.analysis.compare import compare
    from evalsuite.analysis.load import load_run
    from evalsuite.analysis.power_table import power_rows
    from evalsuite.analysis.power_text import power_csv, power_json, power_markdown
    from evalsuite.cli.compare_table import show_power

    with console.status("counting what would settle each comparison"):
        found = compare([load_run(run)], by, part=part, reference=reference, margin=margin)
        rows = power_rows(found)
    texts = {
        Format.CSV: lambda: power_csv(rows),
        Format.JSON: lambda: power_json(found, rows),
        Format.MARKDOWN: lambda: power_markdown(found, rows),
    }
    deliver(*output, texts, lambda: show_power(found, rows))


def _of_plan(plan: PowerPlan, form: Format | None, out: Path | None) -> None:
    from evalsuite.analysis.compare_files import rows_csv
    from evalsuite.analysis.power_text import plan_lines

    texts = {
        Format.CSV: lambda: rows_csv([asdict(plan)]),
        Format.JSON: lambda: json.dumps(asdict(plan), indent=2) + "\n",
        Format.MARKDOWN: lambda: "\n".join(f"- {line}" for line in plan_lines(plan)) + "\n",
    }
    deliver(form, out, texts, lambda: typer.echo("\n".join(plan_lines(plan))))
