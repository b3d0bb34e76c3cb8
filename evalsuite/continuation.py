"""When results may be added to a run folder, and what its manifest then says."""

from __future__ import annotations

from evalsuite.errors import StoreError
from evalsuite.likeness import changed, changed_versions
from evalsuite.records import Cell, Manifest, Sweep
from evalsuite.store import RunFolder

__all__ = ["begun_backends", "continued", "place"]


def continued(folder: RunFolder, manifest: Manifest) -> Manifest:
    """Return the manifest to store: that of the folder goes on, where it is the same device and the same things.

    Raises:
        StoreError: It is not; the message says what differs.
    """
    if not folder.exists:
        return manifest
    old = folder.manifest
    if old.device.fingerprint != manifest.device.fingerprint:
        raise StoreError(
            f"{folder.path} was measured on another device ({old.device.cpu}, {old.device.ram_bytes // 2**30} GiB)",
            fix="give another folder with --out",
        )
    for kind, names in (
        ("model", changed(manifest.models, old.models)),
        ("task", changed(manifest.tasks, old.tasks)),
    ):
        if names:
            raise StoreError(
                f"{folder.path} holds results of another version of the {kind} {', '.join(names)}",
                fix="give another folder with --out; results of different versions are not mixed",
            )
    begun = begun_backends(folder, old) | _profiled_backends(folder, old)
    upgraded = changed_versions(begun, old.versions, manifest.versions)
    if upgraded:
        told = ", ".join(f"{name} {old.versions.get(name)} (now {manifest.versions.get(name)})" for name in upgraded)
        raise StoreError(
            f"{folder.path} was measured with {told}",
            fix="give another folder with --out, or install that version; results of different engines are not mixed",
        )
    # What is asked for anew takes the place of what was asked for before: one cell for each model, task and form. The
    # records of the other one stay in the folder, and are found again when it is asked for again.
    asked = {place(cell) for cell in manifest.cells}
    measured = {(cell.model, cell.device) for cell in manifest.profiles}
    return manifest.model_copy(
        update={
            "sweep": _sweep(old, manifest),
            "skips": manifest.skips if manifest.sweep.tasks else tuple(dict.fromkeys((*old.skips, *manifest.skips))),
            "created": old.created,
            "models": {**old.models, **{n: m for n, m in manifest.models.items() if m.sha256 or n not in old.models}},
            "tasks": {**old.tasks, **manifest.tasks},
            "languages": {**old.languages, **manifest.languages},
            "cells": (*(cell for cell in old.cells if place(cell) not in asked), *manifest.cells),
            "profiles": (*(p for p in old.profiles if (p.model, p.device) not in measured), *manifest.profiles),
            # What was merged into the folder stays true of it.
            "devices": old.devices,
            "notes": old.notes,
        }
    )


def place(cell: Cell) -> tuple[str, str, str]:
    """Return what a folder holds one cell of: model, task, prompt form."""
    return cell.model, cell.task, cell.prompt_form.value


def begun_backends(folder: RunFolder, manifest: Manifest) -> frozenset[str]:
    """Return the backends that a folder holds items of."""
    backends = {name: model.backend for name, model in manifest.models.items()}
    return frozenset(backends.get(cell.model, "") for cell in manifest.cells if folder.done_chunks(cell))


def _profiled_backends(folder: RunFolder, manifest: Manifest) -> frozenset[str]:
    """Return the backends that a folder holds profiles of: their times are of one version, too."""
    backends = {name: model.backend for name, model in manifest.models.items()}
    begun = (cell.model for cell in manifest.profiles if (folder.path / "profiles" / cell.id).is_dir())
    return frozenset(backends.get(model, "") for model in begun)


def _sweep(old: Manifest, new: Manifest) -> Sweep:
    """Return the sweep that describes the folder: a profile that was asked for alone leaves what the items were asked by."""
    if new.sweep.tasks or not old.sweep.tasks:
        return new.sweep
    return old.sweep.model_copy(update={"profile": new.sweep.profile})
