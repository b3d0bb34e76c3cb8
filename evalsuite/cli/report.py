"""`evalsuite report`: write the HTML report of a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evalsuite.cli.common import console, told

__all__ = ["EXAMPLES", "command"]

EXAMPLES = "Examples:\n\n  evalsuite report out/quickstart\n\n  evalsuite report out/quickstart --out meeting.html"


@told
def command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="HTML file. Default: <run folder>.html.")] = None,
) -> None:
    """Write the report of a run folder: one HTML file, no network, no scripts. No model is loaded."""
    from evalsuite.report.build import build_report

    def tell(line: str) -> None:
        console.print(line, soft_wrap=True, markup=False)

    path = build_report(run, out or run.resolve().with_name(run.resolve().name + ".html"), tell=tell)
    console.print(f"report: {path}", soft_wrap=True, markup=False)
