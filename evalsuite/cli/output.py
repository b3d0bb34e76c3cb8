"""Where a verb's tables go: the terminal, or a file as CSV, JSON or Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.common import console, names
from evalsuite.errors import InputError

if TYPE_CHECKING:
    from evalsuite.analysis.narrow import Part

__all__ = [
    "WIDE",
    "Format",
    "FormatOption",
    "LangsOption",
    "MarginOption",
    "ModelsOption",
    "OutOption",
    "TasksOption",
    "deliver",
    "part_of",
]

WIDE = 150
"""Columns of a terminal from which a row of a comparison fits on a line; narrower ones get some short lines for each."""


class Format(StrEnum):
    """Forms of a table."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    MARKDOWN = "markdown"


_SUFFIXES = {".csv": Format.CSV, ".json": Format.JSON, ".md": Format.MARKDOWN, ".markdown": Format.MARKDOWN}

FormatOption = Annotated[
    Format | None,
    typer.Option("--format", "-f", help="Form. Default: that of the file's suffix, else a table for the terminal."),
]
OutOption = Annotated[Path | None, typer.Option("--out", "-o", help="File to write, in place of the terminal.")]

TasksOption = Annotated[
    list[str] | None,
    typer.Option("--tasks", "-t", help="Tasks, groups, families or suites of the run. Default: all."),
]
LangsOption = Annotated[
    list[str] | None, typer.Option("--langs", "-l", help="Languages, by code or English name. Default: all.")
]
ModelsOption = Annotated[list[str] | None, typer.Option("--models", "-m", help="Models of the run. Default: all.")]
MarginOption = Annotated[
    str | None,
    typer.Option("--margin", help="Difference that matters: 5, 5% or 0.05. Default: that of the sweep, else 5 points."),
]


def part_of(tasks: Sequence[str] | None, langs: Sequence[str] | None, models: Sequence[str] | None) -> Part:
    """Return the part of a run that options name."""
    from evalsuite.analysis.narrow import Part

    return Part(*(None if given is None else tuple(names(given)) for given in (tasks, langs, models)))


def deliver(
    form: Format | None, out: Path | None, texts: dict[Format, Callable[[], str]], show: Callable[[], None]
) -> None:
    """Print or write what a verb found.

    Args:
        form: What was asked for; by default the form of the file's suffix.
        out: File to write; none: standard output.
        texts: What makes each form but the table.
        show: Prints the table.

    Raises:
        InputError: The file's form is not clear.
        StoreError: The file cannot be written.
    """
    from evalsuite.analysis.export import write_text

    if out is not None and form is None:
        form = _SUFFIXES.get(out.suffix.casefold())
    if out is not None and form in {None, Format.TABLE}:
        raise InputError(
            f"which form {out} is to have is not clear",
            fix="add --format csv, json or markdown, or name it .csv, .json or .md",
        )
    if form in {None, Format.TABLE}:
        show()
        return
    assert form is not None
    text = texts[form]()
    if out is None:
        typer.echo(text, nl=False)
        return
    console.print(f"written: {write_text(text, out)}", markup=False, soft_wrap=True)
