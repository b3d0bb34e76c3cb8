"""`evalsuite tasks`: the tasks that can be named."""

from __future__ import annotations

from typing import Annotated

import typer

from evalsuite.cli.common import DataOption, IncludeOption, JsonOption, OfflineOption, print_json, show_table, told

__all__ = ["app"]

app = typer.Typer(help="List and show tasks.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list", epilog="Examples:\n\n  evalsuite tasks list\n\n  evalsuite tasks list --lang eu --json")
@told
def list_tasks(
    lang: Annotated[str | None, typer.Option("--lang", "-l", help="Only this language.")] = None,
    include: IncludeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List tasks by group: languages, items, suite, licence."""
    from evalsuite.catalog.languages import resolve_languages
    from evalsuite.catalog.load import load_catalog

    catalog = load_catalog(include or ())
    code = resolve_languages([lang], catalog.languages)[0].code if lang else None
    tasks = [task for task in catalog.tasks.values() if code in (None, task.language)]
    if as_json:
        print_json([task.model_dump(mode="json") for task in tasks])
        return
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for title in ("group", "family", "suite", "languages", "items", "chance", "data", "licence"):
        table.add_column(title)
    groups: dict[str, list[int]] = {}
    for place, task in enumerate(tasks):
        groups.setdefault(task.parallel_group or task.name, []).append(place)
    for group, places in groups.items():
        first = tasks[places[0]]
        chance = "" if first.chance is None else f"{first.chance:.3f}"
        source = "ships with evalsuite" if first.data.kind == "shipped" else f"hub: {first.data.path}"
        languages = " ".join(tasks[p].language for p in places)
        items = str(first.items or "?")
        table.add_row(group, first.family, " ".join(first.suite), languages, items, chance, source, first.licence)
    show_table(table)


@app.command(
    "show", epilog="Examples:\n\n  evalsuite tasks show labels_eu\n\n  evalsuite tasks show sib200_es --data ../mirror"
)
@told
def show(
    name: Annotated[str, typer.Argument(help="Task name, such as labels_eu.")],
    items: Annotated[int, typer.Option("--items", "-n", min=0, help="Items to show as the model sees them.")] = 2,
    data: DataOption = None,
    include: IncludeOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show a task, where its data is, and some items as the model sees them."""
    from evalsuite.catalog.data import DataFinder, mirror_from
    from evalsuite.catalog.load import load_catalog
    from evalsuite.catalog.tasks import task_folders
    from evalsuite.errors import CatalogError, EvalsuiteError, InputError, suggest
    from evalsuite.harness import build_task
    from evalsuite.records import PromptForm

    catalog = load_catalog(include or ())
    if name not in catalog.tasks:
        fix = suggest(name, catalog.tasks, kind="task", show="evalsuite tasks list")
        raise InputError(f"unknown task {name!r}", fix=fix)
    finder = DataFinder(mirror_from(data), offline=offline)
    task = finder.locate(catalog.tasks[name])
    try:
        built = build_task(task, task_folders(catalog.include), finder, PromptForm.NATIVE)
        prompts = built.prompts(range(min(items, len(built))))
    except EvalsuiteError:
        raise
    except Exception as error:
        # A task's templates and functions may raise anything.
        raise CatalogError(f"{task.path}: lm-eval cannot build the task: {type(error).__name__}: {error}") from error
    if as_json:
        print_json({**task.model_dump(mode="json"), "items": len(built), "prompts": prompts})
        return
    for key, value in task.model_dump(mode="json").items():
        if value not in (None, [], {}):
            typer.echo(f"{key:<16}{value}")
    for prompt in prompts:
        typer.echo(f"\n--- {prompt['id']}\n{prompt['context']}")
        for choice in prompt["choices"]:
            typer.echo(f"  {'*' if choice == prompt['target'] else '-'} {choice}")
