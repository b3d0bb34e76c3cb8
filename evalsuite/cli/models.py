"""`evalsuite models`: the models that can be named, and fetching one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from evalsuite.cli.common import (
    FetchBar,
    IncludeOption,
    JsonOption,
    OfflineOption,
    console,
    print_json,
    show_table,
    told,
)

__all__ = ["app"]

app = typer.Typer(help="List, show and fetch models.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list", epilog="Examples:\n\n  evalsuite models list\n\n  evalsuite models list --json")
@told
def list_models(include: IncludeOption = None, as_json: JsonOption = False) -> None:
    """List the models of the catalog, and whether each is at hand."""
    from evalsuite.catalog.fetch import is_cached
    from evalsuite.catalog.models import load_models

    models = load_models(include or ())
    if as_json:
        print_json([{**model.model_dump(mode="json"), "cached": is_cached(model)} for model in models.values()])
        return
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for title in ("name", "parameters", "quantisation", "MiB", "licence", "source", "at hand"):
        table.add_column(title, justify="right" if title in ("parameters", "MiB") else "left")
    for model in models.values():
        size = f"{model.bytes / 2**20:.0f}" if model.bytes else "?"
        parameters = f"{model.parameters / 1e6:,.0f} M" if model.parameters else "?"
        at_hand = "yes" if is_cached(model) else "no"
        table.add_row(
            model.name, parameters, model.quantisation or "?", size, model.licence, str(model.source), at_hand
        )
    show_table(table)


@app.command("show", epilog="Examples:\n\n  evalsuite models show gemma3-270m\n\n  evalsuite models show my-model.gguf")
@told
def show(
    name: Annotated[str, typer.Argument(help="Catalog name or path of a .gguf file.")],
    include: IncludeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything that is known about a model."""
    from dataclasses import asdict

    from evalsuite.catalog.fetch import fetch_model, is_cached
    from evalsuite.catalog.gguf import check_gguf
    from evalsuite.catalog.models import load_models, resolve_model
    from evalsuite.records import ModelRef

    model = resolve_model(ModelRef.model_validate(name), load_models(include or ()))
    cached = is_cached(model)
    shown: dict[str, Any] = {**model.model_dump(mode="json"), "source": str(model.source), "cached": cached}
    if cached:
        shown["file"] = str(fetch_model(model, offline=True).path)
        if model.backend == "llamacpp":
            info = asdict(check_gguf(fetch_model(model, offline=True).path))
            types = {one.type: one.tensors for one in info["stored_as"]}
            shown["gguf"] = {**info, "chat_template": bool(info["chat_template"]), "stored_as": types}
    if as_json:
        print_json(shown)
        return
    for key, value in shown.items():
        if value not in (None, {}, []):
            typer.echo(f"{key:<14}{value}")


@app.command("fetch", epilog="Examples:\n\n  evalsuite models fetch smollm2-135m-instruct gemma3-270m")
@told
def fetch(
    name: Annotated[list[str], typer.Argument(help="Catalog names.")],
    include: IncludeOption = None,
    offline: OfflineOption = False,
    verify: Annotated[bool, typer.Option("--verify", help="Hash files again that are at hand.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch models into the cache and verify them; an interrupted download goes on where it was."""
    from evalsuite.catalog.fetch import fetch_model
    from evalsuite.catalog.models import load_models, resolve_model
    from evalsuite.records import ModelRef

    catalog = load_models(include or ())
    chosen = [resolve_model(ModelRef.model_validate(one), catalog) for one in name]
    found = []
    for model in chosen:
        console.print(f"{model.name}: {model.licence} {model.licence_url or ''}".rstrip(), markup=False, soft_wrap=True)
        fetched = fetch_model(model, offline=offline, progress=FetchBar(), verify=verify)
        found.append({"name": model.name, "path": str(fetched.path), "sha256": fetched.sha256, "bytes": fetched.bytes})
        if not as_json:
            typer.echo(f"{model.name}\t{fetched.path}")
    if as_json:
        print_json(found)
