"""`evalsuite tasks`: the tasks that can be named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from evalsuite.cli import tasks_check
from evalsuite.cli.common import DataOption, IncludeOption, JsonOption, OfflineOption, print_json, show_table, told

if TYPE_CHECKING:
    from evalsuite.catalog.load import Catalog
    from evalsuite.records import PromptForm, Task

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


app.command("check", epilog=tasks_check.CHECK_EXAMPLES)(tasks_check.check)
app.command("make", epilog=tasks_check.MAKE_EXAMPLES)(tasks_check.make)


@app.command(
    "show",
    epilog="Examples:\n\n  evalsuite tasks show labels_eu\n\n  evalsuite tasks show sib200 --lang es --data ../mirror\n\n"
    "  evalsuite tasks show sib200 --lang eu --form english",
)
@told
def show(
    name: Annotated[str, typer.Argument(help="Task, such as labels_eu; or with --lang a group, such as labels.")],
    lang: Annotated[str | None, typer.Option("--lang", "-l", help="Language, where NAME is a group.")] = None,
    form: Annotated[str, typer.Option("--form", help="Prompt form: native, native-2, english, ...")] = "native",
    items: Annotated[int, typer.Option("--items", "-n", min=0, help="Items to show as the model sees them.")] = 2,
    data: DataOption = None,
    include: IncludeOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show a task, where its data is, and some items as the model sees them."""
    from evalsuite.catalog.data import DataFinder, mirror_from
    from evalsuite.catalog.load import load_catalog
    from evalsuite.errors import CatalogError, EvalsuiteError
    from evalsuite.harness import build_task

    catalog = load_catalog(include or ())
    found = _named(name, lang, catalog)
    finder = DataFinder(mirror_from(data), offline=offline)
    wanted = _form(form, found[0])
    shown = []
    for task in map(finder.locate, found):
        try:
            built = build_task(task, finder, wanted)
            shown.append((task, len(built), built.prompts(range(min(items, len(built))))))
        except EvalsuiteError:
            raise
        except Exception as error:
            # A task's templates and functions may raise anything.
            raise CatalogError(
                f"{task.path}: lm-eval cannot build the task: {type(error).__name__}: {error}"
            ) from error
    if as_json:
        told = [{**task.model_dump(mode="json"), "items": n, "prompts": prompts} for task, n, prompts in shown]
        print_json(told[0] if len(told) == 1 else told)
        return
    for task, _, prompts in shown:
        _print(task, prompts)


def _named(name: str, lang: str | None, catalog: Catalog) -> list[Task]:
    """Return the task of that name, or the tasks in a language that the name means."""
    from evalsuite.catalog.languages import resolve_languages
    from evalsuite.catalog.tasks import named, resolve_tasks
    from evalsuite.errors import InputError, suggest

    if lang is None:
        if name in catalog.tasks:
            return [catalog.tasks[name]]
        members = sorted({t.language for t in named(name, catalog.tasks.values())})
        if members:
            fix = f"add --lang, one of {', '.join(members)}"
            raise InputError(f"{name!r} is no task but a group of tasks", fix=fix)
        fix = suggest(name, catalog.tasks, kind="task", show="evalsuite tasks list")
        raise InputError(f"unknown task {name!r}", fix=fix)
    language = resolve_languages([lang], catalog.languages)[0]
    found, _ = resolve_tasks([name], [language], catalog.tasks)
    if not found:
        raise InputError(f"{name!r} has no task in {language.code!r}", fix="`evalsuite tasks list` shows what there is")
    return found


def _form(name: str, task: Task) -> PromptForm:
    from evalsuite.errors import InputError
    from evalsuite.records import PromptForm

    try:
        form = PromptForm(name)
    except ValueError as error:
        raise InputError(str(error), fix="`--form native` is the task as it stands") from error
    if form.wording not in task.wordings:
        raise InputError(f"{task.name} has no wording {form.wording!r}", fix=f"one of {', '.join(task.wordings)}")
    return form


def _print(task: Task, prompts: list[dict[str, Any]]) -> None:
    for key, value in task.model_dump(mode="json").items():
        if value not in (None, [], {}):
            typer.echo(f"{key:<16}{value}")
    for prompt in prompts:
        typer.echo(f"\n--- {prompt['id']}\n{prompt['context']}")
        for choice in prompt["choices"]:
            typer.echo(f"  {'*' if choice == prompt['target'] else '-'} {choice}")
        if not prompt["choices"]:
            typer.echo(f"  = {prompt['target']}")
