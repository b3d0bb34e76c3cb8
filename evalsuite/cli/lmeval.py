"""`evalsuite lm-eval`: stock lm-eval's own command line, with our engines among its models."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand

from evalsuite.cli.common import FetchBar, console, told
from evalsuite.cli.request import show_licences

if TYPE_CHECKING:
    from evalsuite.catalog.fetch import FetchedModel
    from evalsuite.records import Model

__all__ = ["EXAMPLES", "Untouched", "command"]

EXAMPLES = (
    "Examples:\n\n"
    "  evalsuite lm-eval --model evalsuite-llamacpp --model_args path=model.gguf,threads=2 --tasks arc_easy\n\n"
    "  evalsuite lm-eval --model evalsuite-llamacpp --model_args model=gemma3-270m --include_path tasks --tasks labels_eu\n\n"
    "  evalsuite lm-eval run --help"
)


class Untouched(TyperCommand):
    """Leaves every argument as it is, unless help is asked for first."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # typer's own Context
        if not args or args[0] in ("-h", "--help"):
            return super().parse_args(ctx, ["--help"])
        ctx.args = list(args)
        return ctx.args


@told
def command(ctx: typer.Context) -> None:
    """Run lm-eval's own command line, with the engines of evalsuite among its models.

    All arguments go to lm-eval as they are. The models are named evalsuite-BACKEND, as in evalsuite-llamacpp.
    Their --model_args are path=FILE or model=NAME (a model of the catalog, fetched where it is not at hand),
    threads and context.
    """
    from lm_eval.__main__ import cli_evaluate

    from evalsuite.backends.lmeval import register

    register(_fetch)
    ours, sys.argv = sys.argv, ["lm-eval", *ctx.args]
    try:
        cli_evaluate()
    except KeyboardInterrupt:
        console.print("\nstopped; lm-eval stores nothing before its end")
        raise typer.Exit(130) from None
    finally:
        sys.argv = ours


def _fetch(model: Model, *, offline: bool) -> FetchedModel:
    from evalsuite.catalog.fetch import fetch_model

    if not offline:
        show_licences([model])
    return fetch_model(model, offline=offline, progress=FetchBar())
