"""`evalsuite tasks check` and `make`: whether tasks are sound, and task files from prompt words."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalsuite.cli.common import DataOption, IncludeOption, JsonOption, console, names, print_json, told

if TYPE_CHECKING:
    from evalsuite.taskcheck import Checked

__all__ = ["CHECK_EXAMPLES", "MAKE_EXAMPLES", "check", "make"]

CHECK_EXAMPLES = (
    "Examples:\n\n"
    "  evalsuite tasks check\n\n"
    "  evalsuite tasks check --data path/to/mirror\n\n"
    "  evalsuite tasks check sib200 labels_eu --json\n\n"
    "  evalsuite tasks check starter --guessers    (what can be got right without a model)"
)
MAKE_EXAMPLES = (
    "Examples:\n\n"
    "  evalsuite tasks make --include mine     (task files for the languages in mine/langs, into mine/tasks)\n\n"
    "  evalsuite tasks make --check            (in a checkout: are the shipped files as they would be made?)"
)


@told
def check(
    tasks: Annotated[
        list[str] | None, typer.Argument(help="Tasks, groups, families or suites. Default: all.", show_default=False)
    ] = None,
    data: DataOption = None,
    include: IncludeOption = None,
    guessers: Annotated[
        bool, typer.Option("--guessers", help="Show what guessers get that look at lengths and words only.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check tasks: prompts render, right answers and chance levels hold, ids agree across languages.

    Texts that a task brings itself are also checked for doubles, answers that they give away, encoding and language.
    Data that is not on this machine is not downloaded: what cannot be checked is counted. Exit code 1 if there are problems.
    """
    from evalsuite.catalog.data import DataFinder, mirror_from
    from evalsuite.catalog.load import load_catalog
    from evalsuite.catalog.tasks import resolve_tasks
    from evalsuite.taskcheck import check_tasks

    catalog = load_catalog(include or ())
    chosen = list(catalog.tasks.values())
    if tasks:
        chosen, _ = resolve_tasks(names(tasks), list(catalog.languages.values()), catalog.tasks)
    # Never from the hub: to look at 200 tasks must not download 200 data sets unasked.
    finder = DataFinder(mirror_from(data), offline=True)

    def tell(checked: Checked) -> None:
        if console.is_terminal and not as_json:
            console.print(f"{checked.task.name}", style="dim", highlight=False)

    unspaced = {language.code for language in catalog.languages.values() if not language.spaced}
    found = check_tasks(chosen, finder, tell, unspaced=unspaced)
    problems = [finding for checked in found for finding in checked.problems]
    if as_json:
        print_json([_as_json(checked) for checked in found])
    else:
        if guessers:
            _show_guesses(found)
        _show(found)
    if problems:
        raise typer.Exit(1)


@told
def make(
    include: IncludeOption = None,
    check_only: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 where a file differs.")] = False,
) -> None:
    """Make task files from the prompt words in language files.

    With --include, for the languages in the folder's langs/, into its tasks/. Without it, the shipped ones of a checkout.
    """
    from evalsuite.catalog.languages import load_languages
    from evalsuite.catalog.paths import data_root
    from evalsuite.catalog.recipes import load_recipes, make_task_files, write_task_files

    languages, recipes = load_languages(include or ()), load_recipes()
    changed: list[Path] = []
    left: list[Path] = []
    if not include:
        changed, left = write_task_files(make_task_files(recipes, languages), data_root("tasks"), check=check_only)
    for folder in include or ():
        codes = [path.stem for path in sorted((folder / "langs").glob("*.yaml"))]
        made = make_task_files(recipes, languages, codes, folder / "tasks")
        written, stale = write_task_files(made, folder / "tasks", check=check_only)
        changed, left = [*changed, *written], [*left, *stale]
        console.print(
            f"{folder}: {len(made)} tasks in {', '.join(codes) or 'no language'}", markup=False, soft_wrap=True
        )
    for path in changed:
        console.print(f"{'differs' if check_only else 'written'}: {path}", markup=False, soft_wrap=True)
    for path in left:
        console.print(f"made by no recipe any more, remove it: {path}", markup=False, soft_wrap=True)
    if check_only and (changed or left):
        raise typer.Exit(1)


def _as_json(checked: Checked) -> dict[str, object]:
    findings = [
        {"code": finding.code, "text": finding.text, "accepted": finding.accepted} for finding in checked.findings
    ]
    return {
        "task": checked.task.name,
        "items": checked.items,
        "not_checked": checked.missing,
        "guessers": [asdict(guess) for guess in checked.guesses],
        "problems": [f for f in findings if f["accepted"] is None],
        "accepted": [f for f in findings if f["accepted"] is not None],
    }


def _show_guesses(found: list[Checked]) -> None:
    from rich.table import Table

    from evalsuite.itemcheck import GUESSERS

    table = Table("task", "items", "chance", *GUESSERS, title="Right without a model (* better than chance)")
    for checked in found:
        if checked.guesses:
            shares = [f"{g.score:.1%}{'*' if g.better_than_chance else ''}" for g in checked.guesses]
            first = checked.guesses[0]
            table.add_row(checked.task.name, str(first.n), f"{first.chance:.1%}", *shares)
    console.print(table)


def _show(found: list[Checked]) -> None:
    for checked in found:
        for finding in checked.findings:
            kind = "accepted" if finding.accepted else "problem"
            reason = f" ({finding.accepted})" if finding.accepted else ""
            typer.echo(f"{kind}: {finding.task}: {finding.code}: {finding.text}{reason}")
    missing = [checked for checked in found if checked.missing]
    problems = sum(len(checked.problems) for checked in found)
    accepted = sum(len(checked.findings) for checked in found) - problems
    typer.echo(
        f"{len(found)} tasks: {len(found) - len(missing)} checked on their data, "
        f"{len(missing)} not (data not on this machine); {problems} problems, {accepted} accepted"
    )
    for checked in missing:
        console.print(f"not checked: {checked.task.name}: {checked.missing}", markup=False, soft_wrap=True)
