"""`evalsuite langs`: the languages that can be named."""

from __future__ import annotations

from typing import Annotated

import typer

from evalsuite.cli.common import IncludeOption, JsonOption, print_json, show_table, told

__all__ = ["app"]

app = typer.Typer(help="List and show languages.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list", epilog="Examples:\n\n  evalsuite langs list\n\n  evalsuite langs list --json")
@told
def list_langs(include: IncludeOption = None, as_json: JsonOption = False) -> None:
    """List languages with their resource tier and the language that gaps are taken against."""
    from evalsuite.catalog.languages import load_languages

    languages = load_languages(include or ())
    if as_json:
        print_json([language.model_dump(mode="json") for language in languages.values()])
        return
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for title in ("code", "name", "in English", "script", "family", "resources", "reference"):
        table.add_column(title)
    for language in languages.values():
        table.add_row(
            language.code,
            language.name,
            language.english_name,
            language.script,
            language.family,
            language.tier,
            language.reference or "(control)",
        )
    show_table(table)


@app.command("show", epilog="Examples:\n\n  evalsuite langs show eu\n\n  evalsuite langs show Basque --json")
@told
def show(
    name: Annotated[str, typer.Argument(help="Code or name, such as eu, Basque or Euskara.")],
    include: IncludeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything that is known about a language, prompt words included."""
    from evalsuite.catalog.languages import load_languages, resolve_languages

    language = resolve_languages([name], load_languages(include or ()))[0]
    if as_json:
        print_json(language.model_dump(mode="json"))
        return
    for key, value in language.model_dump(mode="json").items():
        if key != "prompts":
            typer.echo(f"{key:<18}{value}")
    for group, words in language.prompts.items():
        typer.echo(f"prompts for {group}")
        for key, text in words.items():
            typer.echo(f"  {key:<16}{text}")
