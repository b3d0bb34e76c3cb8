"""`evalsuite compare`: one run, or two, by language, model, quantisation, device or prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "Examples:\n\n"
    "  evalsuite compare out/quickstart --by language\n\n"
    "  evalsuite compare out/quickstart --by language --langs eu,gl --models gemma3-270m --margin 3\n\n"
    "  evalsuite compare out/quickstart --by model --reference gemma3-270m --format markdown --out models.md\n\n"
    "  evalsuite compare out/before out/after --by model --tasks labels --out change.csv\n\n"
    "  evalsuite compare out/laptop out/kitchen-pi --by device\n\n"
    "Exit code 0: compared, whatever the verdicts. 2: bad input, or things that are not alike."
)


@told
def command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN [RUN2]", help="One run folder, or two.")],
    by: Annotated[
        Axis, typer.Option("--by", help="What differs between the two sides of a row; all else is the same.")
    ],
    tasks: TasksOption = None,
    langs: LangsOption = None,
    models: ModelsOption = None,
    reference: Annotated[
        str | None,
        typer.Option("--reference", help="What all others are held against: a language, a model or a prompt form."),
    ] = None,
    margin: MarginOption = None,
    form: FormatOption = None,
    out: OutOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Compare unlike things all the same; the result says so in every form.")
    ] = False,
) -> None:
    """Compare things that are alike but for one: which language, model, quantisation, device or prompt does better."""
    from evalsuite.analysis.compare import compare
    from evalsuite.analysis.compare_files import comparison_csv, comparison_json, comparison_markdown
    from evalsuite.analysis.load import load_run
    from evalsuite.cli.compare_table import show_comparison

    if len(runs) > 2:
        raise InputError(
            f"{len(runs)} runs were given", fix="compare one run or two; `evalsuite merge` joins several into one"
        )
    limit = None if margin is None else read_share(margin, "--margin")
    part = part_of(tasks, langs, models)
    with console.status("comparing"):
        found = compare([load_run(run) for run in runs], by, part=part, reference=reference, margin=limit, force=force)
    texts = {
        Format.CSV: lambda: comparison_csv(found),
        Format.JSON: lambda: comparison_json(found),
        Format.MARKDOWN: lambda: comparison_markdown(found),
    }
    deliver(form, out, texts, lambda: show_comparison(found))
