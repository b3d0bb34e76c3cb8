"""What does not belong together: runs of different files, draws, options or engines are refused, with what differs and where."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from evalsuite.continuation import changed, changed_versions
from evalsuite.errors import StoreError
from evalsuite.merge.part import Part
from evalsuite.records import Cell

__all__ = ["check_draws", "check_engines", "check_files", "options"]


def check_files(parts: Sequence[Part]) -> None:
    """Refuse other versions of the same model, task or language.

    Raises:
        StoreError: Two runs have one of the same name that is not the same.
    """
    for first, other in combinations(parts, 2):
        for kind in ("models", "tasks", "languages"):
            ours, theirs = getattr(first.manifest, kind), getattr(other.manifest, kind)
            for name in changed(ours, theirs):
                raise StoreError(
                    f"the {kind[:-1]} {name} is not the same: sha256 {ours[name].sha256} in {first.path}, "
                    f"{theirs[name].sha256} in {other.path}",
                    fix="measure one of them again with the file of the other; different versions are not mixed",
                )
        models, others = first.manifest.models, other.manifest.models
        for name in sorted(models.keys() & others.keys()):
            one, two = models[name], others[name]
            if one.sha256 and two.sha256 and one.backend != two.backend:
                raise StoreError(
                    f"the model {name} ran on {one.backend} in {first.path}, on {two.backend} in {other.path}",
                    fix="give it a name of its own in one of the sweeps, and measure that again",
                )


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
            ours = options(models.get(cell.model, cell))
            if ours != options(cell):
                raise StoreError(
                    f"the model {cell.model} has the options {ours} in {first.path}, {options(cell)} in {other.path}",
                    fix="give it a name of its own in one of the sweeps, or run one of them again",
                )


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
            ours, theirs = first.manifest.versions, other.manifest.versions
            names = changed_versions([backend], ours, theirs)
            if names:
                told = ", ".join(
                    f"{name} {ours.get(name, '(none)')} in {first.path}, {theirs.get(name, '(none)')} in {other.path}"
                    for name in names
                )
                raise StoreError(
                    f"scores of {backend} were measured with different engines: {told}",
                    fix="run one of them again with the other's version, or merge them with --force and a note",
                )


def options(cell: Cell) -> dict[str, Any]:
    """Return the options of a cell's model that make it this cell; threads change only how fast a score comes."""
    return {name: value for name, value in cell.options.items() if name != "threads"}
