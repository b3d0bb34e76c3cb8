"""The `evalsuite` command."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from evalsuite import __version__
from evalsuite.cli import (
    bundle,
    classify_eval,
    compare,
    doctor,
    export,
    gate,
    langs,
    lmeval,
    merge,
    meter,
    models,
    plan,
    power,
    profile,
    report,
    run,
    spot_check,
    tasks,
)

__all__ = ["app", "main"]

app = typer.Typer(
    name="evalsuite",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"evalsuite {__version__}")
        raise typer.Exit


@app.callback(
    epilog="Examples:\n\n"
    "  evalsuite run sweeps/quickstart.yaml\n\n"
    "  evalsuite run --model smollm2-135m-instruct --langs es,eu --tasks labels\n\n"
    "  evalsuite report out/quickstart"
)
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Find out which compact language model works in which language.

    Evaluates models zero-shot in English, Spanish, Portuguese, Catalan, Galician, Basque and Japanese,
    and writes one HTML report that shows where a language falls behind.
    """


for _name, _module in (
    ("run", run),
    ("classify-eval", classify_eval),
    ("profile", profile),
    ("plan", plan),
    ("spot-check", spot_check),
    ("report", report),
    ("export", export),
    ("compare", compare),
    ("power", power),
    ("gate", gate),
    ("merge", merge),
    ("bundle", bundle),
    ("doctor", doctor),
):
    app.command(_name, epilog=_module.EXAMPLES)(_module.command)
app.command("view", epilog=report.VIEW_EXAMPLES)(report.view)
app.command("lm-eval", epilog=lmeval.EXAMPLES, cls=lmeval.Untouched, options_metavar="LM-EVAL-ARGUMENTS...")(
    lmeval.command
)
for _name, _group in (("models", models.app), ("tasks", tasks.app), ("langs", langs.app), ("meter", meter.app)):
    app.add_typer(_group, name=_name)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a letter shows its code; it does not stop the command.
            stream.reconfigure(errors="backslashreplace")
    app()
