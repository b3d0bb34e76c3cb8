"""What a use case means in the runs at hand: its tasks by language, its models, its prompt form, its items."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from evalsuite.analysis.load import Run
from evalsuite.catalog.tasks import named, names_of
from evalsuite.errors import InputError, suggest
from evalsuite.gate.policy import Evidence, Policy, UseCase
from evalsuite.records import PromptForm, Task
from evalsuite.store import RunFolder

__all__ = ["Lacking", "Scope", "scope_of"]


@dataclass(frozen=True, slots=True)
class Lacking:
    """A name of a use case that the runs do not have whole in a language."""

    name: str
    """A task, group, family or suite."""
    tasks: tuple[str, ...]
    """Those of its tasks that are not in the runs; none where the runs have none of them at all."""


@dataclass(frozen=True, eq=False)
class Scope:
    """A use case in the runs at hand."""

    policy: Policy
    use_case: UseCase
    evidence: Evidence
    form: PromptForm
    models: tuple[str, ...]
    languages: tuple[str, ...]
    tasks: Mapping[str, tuple[Task, ...]]
    """By language; all that the use case names and the runs have."""
    lacking: Mapping[str, tuple[Lacking, ...]]
    """By language: what the use case names and the runs do not have in it."""
    items: Mapping[str, frozenset[str]] | None
    """By task: ids of the items of the wanted categories; none where all items count."""
    settle: bool = True
    """Whether to work out how many items would settle what is open."""
    cells: dict[tuple[str, str], Any] = field(default_factory=dict)
    """Kept for `quality.cell_items`: what was read of a cell, by model and task, which several tests ask for."""
    energies: dict[str, Any] = field(default_factory=dict)
    """Kept for `device.energy_row`: the energies of a profile, by model; use cases share them."""

    @property
    def where(self) -> str:
        """How an error names this use case."""
        return f"{self.policy.path}: use case {self.use_case.name!r}"


def scope_of(
    policy: Policy, use_case: UseCase, run: Run, *, settle: bool = True, energies: dict[str, Any] | None = None
) -> Scope:
    """Return what a use case means in a run.

    Raises:
        InputError: A name means nothing, or more than one thing.
    """
    where = f"{policy.path}: use case {use_case.name!r}"
    members = {name: _members(name, run, where) for name in use_case.tasks}
    found = dict.fromkeys(task.name for tasks in members.values() for task in tasks)
    languages = use_case.languages or _languages(run, found, use_case)
    if not languages:
        lacking = f"its tasks {', '.join(use_case.tasks)}" if use_case.tasks else "a profile"
        raise InputError(
            f"{where}: the runs have nothing of {lacking}",
            fix="give a run that has it, or name the languages, so that what is missing can be said of each",
        )
    for code in (*languages, *use_case.overrides, *filter(None, [policy.reference])):
        _check_language(code, run, where)
    tasks = {
        code: tuple(run.manifest.tasks[name] for name in found if run.manifest.tasks[name].language == code)
        for code in languages
    }
    form = _form(use_case, run, found, where)
    return Scope(
        policy=policy,
        use_case=use_case,
        evidence=policy.evidence_of(use_case),
        form=form,
        models=_models(use_case, run, where),
        languages=languages,
        tasks=tasks,
        lacking={code: _lacking(members, run, code) for code in languages},
        settle=settle,
        energies={} if energies is None else energies,
        items=_items(use_case, run, [task for of in tasks.values() for task in of], form, where),
    )


@cache
def _catalog() -> Mapping[str, Task]:
    """Return the shipped tasks, read once: every use case asks for them in every language."""
    from evalsuite.catalog.tasks import load_tasks

    return load_tasks()


def _lacking(members: Mapping[str, Sequence[Task]], run: Run, language: str) -> tuple[Lacking, ...]:
    """Return the names of a use case of which the run has no task in a language, or not all that there are."""
    catalog = _catalog().values()
    found = []
    for name, tasks in members.items():
        here = [task for task in tasks if task.language == language]
        # Of a suite or family that was run in part, the part that was not may be what the language fails at.
        there = [task for task in named(name, catalog) if task.language == language and not task.only_read]
        absent = tuple(task.name for task in there if task.name not in run.manifest.tasks)
        if not here or absent:
            found.append(Lacking(name, absent if here else ()))
    return tuple(found)


def _languages(run: Run, tasks: Iterable[str], use_case: UseCase) -> tuple[str, ...]:
    """Return all languages of the tasks, or of the profiles where there are none, in the order of every table."""
    if use_case.tasks:
        held = {run.manifest.tasks[name].language for name in tasks}
    else:
        held = {code for profile in run.profiles for code in profile.languages}
    return tuple(code for code in run.languages if code in held)


def _members(name: str, run: Run, where: str) -> list[Task]:
    """Return the tasks of the run that a name means; none where the catalog alone knows it."""
    held = run.manifest.tasks.values()
    if found := named(name, held):
        return found
    catalog = _catalog().values()
    if not named(name, catalog):
        known = {known for task in (*held, *catalog) for known in names_of(task)}
        raise InputError(
            f"{where}: unknown task {name!r}", fix=suggest(name, known, kind="task", show="evalsuite tasks list")
        )
    return []


def _check_language(code: str, run: Run, where: str) -> None:
    from evalsuite.catalog.languages import load_languages

    if code not in run.manifest.languages:
        known = load_languages()
        if code not in known:
            fix = suggest(code, {*known, *run.manifest.languages}, kind="language", show="evalsuite langs list")
            raise InputError(f"{where}: unknown language {code!r}; write its code", fix=fix)


def _models(use_case: UseCase, run: Run, where: str) -> tuple[str, ...]:
    from evalsuite.catalog.models import load_models

    if use_case.models is None:
        return run.models
    for name in use_case.models:
        if name in run.trained:
            raise InputError(
                f"{where}: {name!r} is a trained baseline, and no model", fix="name a model that was asked"
            )
        if name not in run.models and name not in (catalog := load_models()):
            fix = suggest(name, {*run.models, *catalog}, kind="model", show="evalsuite models list")
            raise InputError(f"{where}: unknown model {name!r}; the runs have {', '.join(run.models)}", fix=fix)
    return use_case.models


def _form(use_case: UseCase, run: Run, tasks: Iterable[str], where: str) -> PromptForm:
    wanted = set(tasks)
    held = dict.fromkeys(cell.prompt_form for cell in run.manifest.cells if cell.task in wanted)
    if use_case.prompt_form is not None:
        if held and use_case.prompt_form not in held:
            raise InputError(
                f"{where}: no task of it was asked in the prompt form {use_case.prompt_form!r}",
                fix=f"one of {', '.join(held)}, or run it in that form",
            )
        return use_case.prompt_form
    main = [form for form in run.forms if form in held]
    if not main:  # nothing was asked, so that its form does not matter
        return run.forms[0]
    if len(main) > 1:
        raise InputError(
            f"{where}: its tasks were asked in {len(main)} prompt forms: {', '.join(main)}",
            fix=f"say which one will be used: `prompt_form: {main[0]}`",
        )
    return main[0]


def _items(
    use_case: UseCase, run: Run, tasks: Iterable[Task], form: PromptForm, where: str
) -> Mapping[str, frozenset[str]] | None:
    """Return the ids of the items of the wanted categories, by task."""
    if use_case.categories is None:
        return None
    found = {task.name: _categories(use_case, run, task, form, where) for task in tasks}
    known = {category for of in found.values() for category in of.values()}
    for name in use_case.categories:
        if known and name not in known:
            told = suggest(name, known, kind="category", show="evalsuite tasks show")
            listed = ", ".join(sorted(known)[:20])
            raise InputError(
                f"{where}: no item of the category {name!r} in the runs; there are: {listed}",
                fix=told.partition("?")[0] + "?" if told.startswith("did") else "write one of these names",
            )
    wanted = set(use_case.categories)
    return {task: frozenset(item for item, name in of.items() if name in wanted) for task, of in found.items()}


def _categories(use_case: UseCase, run: Run, task: Task, form: PromptForm, where: str) -> dict[str, str]:
    """Return the category of each item that a cell of the task holds."""
    column = use_case.category_column or (task.trained_on.label if task.trained_on else "category")
    cells = [cell for cell in run.manifest.cells if (cell.task, cell.prompt_form) == (task.name, form)]
    found: dict[str, str] = {}
    for cell in cells:
        stored = RunFolder(run.path).table(cell, columns=("item_id", "doc")).to_pydict()
        for item, doc in zip(stored["item_id"], stored["doc"], strict=True):
            if item in found:
                continue
            row = json.loads(doc)
            if not isinstance(row, dict) or column not in row:
                told = ", ".join(row) if isinstance(row, dict) else "no columns"
                raise InputError(
                    f"{where}: items of {task.name} have no column {column!r}; they have {told}",
                    fix="name the column of their categories with `category_column`, or leave `categories` out",
                )
            found[item] = str(row[column])
    return found
