"""A part of a run: some tasks, languages and models, so that tables and their corrections are of what was asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from evalsuite.analysis.load import Run
from evalsuite.catalog.tasks import resolve_tasks
from evalsuite.errors import InputError, suggest
from evalsuite.records import Manifest

__all__ = ["Part", "choose", "narrow"]


@dataclass(frozen=True, slots=True)
class Part:
    """Names that were asked for; none where all are."""

    tasks: tuple[str, ...] | None = None
    """Tasks, groups, families or suites."""
    languages: tuple[str, ...] | None = None
    """Codes or English names."""
    models: tuple[str, ...] | None = None


def choose(manifests: Sequence[Manifest], part: Part) -> Part:
    """Return the same names as the runs have them: names of tasks, codes of languages, names of models.

    Raises:
        InputError: No run has such a thing; the message names near ones.
    """
    languages = {code: one for manifest in manifests for code, one in manifest.languages.items()}
    tasks = {name: task for manifest in manifests for name, task in manifest.tasks.items()}
    models = dict.fromkeys(name for manifest in manifests for name in manifest.models)
    by_name = {one.english_name.casefold(): code for code, one in languages.items()}
    codes = models_asked = tasks_asked = None
    if part.languages is not None:
        codes = tuple(_known(by_name.get(name.casefold(), name), languages, "language") for name in part.languages)
    if part.models is not None:
        models_asked = tuple(_known(name, models, "model") for name in part.models)
    if part.tasks is not None:
        found, _ = resolve_tasks(part.tasks, list(languages.values()), tasks)
        tasks_asked = tuple(task.name for task in found)
    return Part(tasks_asked, codes, models_asked)


def narrow(run: Run, part: Part) -> Run:
    """Return a run that holds the cells and profiles of some tasks, languages and models alone.

    Args:
        run: A loaded run; it is not changed.
        part: From `choose`.
    """
    kept = {
        r.cell.id
        for r in run.results
        if _in(part.tasks, r.cell.task) and _in(part.languages, r.cell.language) and _in(part.models, r.cell.model)
    }
    manifest = run.manifest
    tasks = {
        name: task
        for name, task in manifest.tasks.items()
        if _in(part.tasks, name) and _in(part.languages, task.language)
    }
    return replace(
        run,
        manifest=manifest.model_copy(
            update={
                "cells": tuple(cell for cell in manifest.cells if cell.id in kept),
                "tasks": tasks,
                "models": {name: one for name, one in manifest.models.items() if _in(part.models, name)},
                "skips": tuple(
                    s for s in manifest.skips if s.task in tasks and (not s.model or _in(part.models, s.model))
                ),
            }
        ),
        results=tuple(r for r in run.results if r.cell.id in kept),
        items=run.items.loc[run.items["cell"].isin(kept)],
        profiles=tuple(p for p in run.profiles if _in(part.models, p.facts.cell.model)),
        unmeasured=tuple(f for f in run.unmeasured if _in(part.models, f.cell.model)),
    )


def _in(names: Collection[str] | None, name: str) -> bool:
    return names is None or name in names


def _known(name: str, known: Collection[str], kind: str) -> str:
    if name in known:
        return name
    near = suggest(name, known, kind=kind, show="…")
    fix = f"{near.partition('?')[0]}? " if "?" in near else ""
    raise InputError(f"no {kind} {name!r} in what is compared", fix=f"{fix}there are {', '.join(known)}")
