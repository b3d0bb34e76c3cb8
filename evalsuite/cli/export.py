"""`evalsuite export`: write a run in a form that other tools read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from evalsuite.cli.common import console, told

__all__ = ["EXAMPLES", "command"]

EXAMPLES = (
    "Examples:\n\n"
    "  evalsuite export out/quickstart --format csv --out items.csv\n\n"
    "  evalsuite export out/quickstart --format lm-eval --out samples/\n\n"
    "  evalsuite export out/quickstart --format markdown --out accuracy.md"
)


class Format(StrEnum):
    """Forms of an export."""

    LM_EVAL = "lm-eval"
    CSV = "csv"
    PARQUET = "parquet"
    MARKDOWN = "markdown"


@told
def command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    form: Annotated[Format, typer.Option("--format", "-f", help="Form.")] = Format.PARQUET,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File, or folder for lm-eval. Default: beside the run folder.")
    ] = None,
) -> None:
    """Write a run: its items as a table (csv, parquet) or lm-eval's `--log_samples` files, or its accuracies (markdown)."""
    from evalsuite.analysis.export import export_lm_eval, export_markdown, export_table
    from evalsuite.store import RunFolder

    folder = RunFolder(run)
    name, run = run.resolve().name, run.resolve()
    if form is Format.LM_EVAL:
        paths = export_lm_eval(folder, out or run.with_name(f"{name}-lm-eval"))
        console.print(f"{len(paths)} files in {out or run.with_name(f'{name}-lm-eval')}", markup=False, soft_wrap=True)
        return
    if form is Format.MARKDOWN:
        path = export_markdown(folder, out or run.with_name(f"{name}.md"))
        console.print(f"accuracies: {path}", markup=False, soft_wrap=True)
        return
    path = export_table(folder, out or run.with_name(f"{name}.{form.value}"), csv=form is Format.CSV)
    console.print(f"items: {path}", markup=False, soft_wrap=True)
