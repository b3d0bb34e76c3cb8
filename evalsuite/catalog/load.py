"""The whole catalog at once: languages, tasks and models, shipped and the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalsuite.catalog.languages import load_languages
from evalsuite.catalog.models import load_models
from evalsuite.catalog.tasks import load_tasks
from evalsuite.errors import CatalogError, InputError
from evalsuite.records import Language, Model, Task

__all__ = ["Catalog", "load_catalog"]


@dataclass(frozen=True)
class Catalog:
    """Everything that can be named in a sweep."""

    languages: Mapping[str, Language]
    tasks: Mapping[str, Task]
    models: Mapping[str, Model]
    include: tuple[Path, ...]


def load_catalog(include: Sequence[Path] = ()) -> Catalog:
    """Read and check the catalog.

    Args:
        include: The user's folders, each with `tasks/`, `langs/` or `models/` in it.

    Raises:
        InputError: An include folder does not exist.
        CatalogError: A file is wrong, or a task is in a language that there is not.
    """
    for folder in include:
        if not folder.is_dir():
            raise InputError(
                f"include folder {folder} does not exist", fix="give a folder with tasks/, langs/ or models/ in it"
            )
    languages, tasks = load_languages(include), load_tasks(include)
    for task in tasks.values():
        if task.language not in languages:
            raise CatalogError(
                f"{task.path}: metadata.language: there is no language {task.language!r}",
                fix=f"one of {', '.join(sorted(languages))}, or add langs/{task.language}.yaml to an include folder",
            )
    return Catalog(languages=languages, tasks=tasks, models=load_models(include), include=tuple(include))
