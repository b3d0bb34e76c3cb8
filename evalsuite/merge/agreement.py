"""What does not belong together: runs of different files, draws, options or engines are refused, with what differs and where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

from evalsuite.errors import StoreError
from evalsuite.likeness import (
    Unlike,
    unlike_engines,
    unlike_languages,
    unlike_models,
    unlike_options,
    unlike_tasks,
)
from evalsuite.merge.part import Part

__all__ = ["check_draws", "check_engines", "check_files"]

_FILES: dict[str, Callable[[Any, Any], list[Unlike]]] = {
    "models": unlike_models,
    "tasks": unlike_tasks,
    "languages": unlike_languages,
}


def check_files(parts: Sequence[Part]) -> None:
    """Refuse other versions of the same model, task or language.

    Raises:
        StoreError: Two runs have one of the same name that is not the same.
    """
    for first, other in combinations(parts, 2):
        for kind, unlike in _FILES.items():
            ours, theirs = getattr(first.manifest, kind), getattr(other.manifest, kind)
            for name in sorted(ours.keys() & theirs.keys()):
                _refuse(unlike(ours[name], theirs[name]), first, other)


def check_draws(parts: Sequence[Part]) -> None:
    """Refuse scores that were drawn or compared in different ways: a folder has one limit, seed and reference.

    Raises:
        StoreError: Two runs with cells differ in one of them, or in the options of a model.
    """
    for first, other in combinations([part for part in parts if part.manifest.cells], 2):
        for name in ("limit", "seed", "reference"):
            ours, theirs = getattr(first.manifest.sweep, name), getattr(other.manifest.sweep, name)
            if ours != theirs:
                raise StoreError(
                    f"the {name} of the sweep is {_shown(ours)} in {first.path}, {_shown(theirs)} in {other.path}",
                    fix=f"run one of them again with the other's {name}",
                )
        models = {cell.model: cell for cell in first.manifest.cells}
        for cell in other.manifest.cells:
            _refuse(unlike_options(models.get(cell.model, cell), cell), first, other)


def _refuse(found: Sequence[Unlike], first: Part, other: Part) -> None:
    if found:
        raise StoreError(found[0].told(first.path, other.path), fix=f"{found[0].fix}; different versions are not mixed")


def _shown(value: Any) -> str:
    return "not set" if value is None else str(value)


def check_engines(parts: Sequence[Part], *, force: bool) -> None:
    """Refuse scores of the same backend that other versions of its packages made, unless by `force`.

    Raises:
        StoreError: Two runs hold items of a backend, and a package that may change a score differs.
    """
    if force:
        return
    for first, other in combinations(parts, 2):
        for backend in sorted(first.backends & other.backends):
            found = unlike_engines([backend], first.manifest.versions, other.manifest.versions)
            if found:
                told = ", ".join(one.values(first.path, other.path) for one in found)
                raise StoreError(
                    f"scores of {backend} were measured with different engines: {told}",
                    fix=f"{found[0].fix}, or merge them with --force and a note",
                )
