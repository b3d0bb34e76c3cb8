"""What a merged folder says about itself; nothing is written here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite import __version__
from evalsuite.continuation import place
from evalsuite.likeness import changed_versions, scoring_packages
from evalsuite.merge.agreement import check_draws, check_engines, check_files
from evalsuite.merge.choice import choose_cells, choose_profiles
from evalsuite.merge.part import Part
from evalsuite.profile_plan import PROFILE_TASK
from evalsuite.records import Cell, CellStatus, Manifest, Model, ModelRef, ProfileCell, Skip, Sweep

__all__ = ["Merge", "plan_merge"]


@dataclass(frozen=True)
class Merge:
    """What a merged folder says about itself, and which run each of its parts comes from."""

    manifest: Manifest
    cells: Mapping[str, Part]
    """By cell id."""
    profiles: Mapping[str, Part]
    """By profile id."""


def plan_merge(parts: Sequence[Part], *, name: str, command: str, force: bool = False) -> Merge:
    """Decide what a merged folder holds; nothing is written.

    Args:
        parts: The runs, in order.
        name: Name of the merged sweep.
        command: What was typed.
        force: Whether differing scores and engines are merged with a note.

    Raises:
        StoreError: The runs do not belong together; the message says what differs, and where.
    """
    notes = [note for part in parts for note in part.manifest.notes]
    check_files(parts)
    cells = choose_cells(parts, notes, force=force)
    check_draws(parts)
    check_engines(parts, force=force)
    profiles = choose_profiles(parts)
    begun = [part for part in parts if part.backends]
    planned = [part for part in parts if part.manifest.cells]
    # What speaks for the scores, and where the folder can go on: the first run that holds some.
    lead = (begun or planned or parts)[0]
    versions = _versions(lead, parts)
    notes += _differing_origins(lead, parts, versions, {part.path for _, part in cells.values()})
    manifests = [part.manifest for part in parts]
    manifest = Manifest(
        created=min(m.created for m in manifests),
        evalsuite=__version__,
        versions=versions,
        device=lead.manifest.device,
        sweep=_sweep(name, (planned or parts)[0].manifest.sweep, [m.sweep for m in manifests]),
        command=command,
        models=_models(manifests),
        tasks=_first([m.tasks for m in manifests]),
        languages=_first([m.languages for m in manifests]),
        skips=_skips(parts, cells.values(), profiles.values()),
        cells=tuple(cell for cell, _ in cells.values()),
        profiles=tuple(profile for profile, _ in profiles.values()),
        devices=_first([{**m.devices, m.device.fingerprint: m.device} for m in manifests]),
        notes=tuple(dict.fromkeys(notes)),
    )
    return Merge(
        manifest=manifest,
        cells={cell.id: part for cell, part in cells.values()},
        profiles={profile.id: part for profile, part in profiles.values()},
    )


def _sweep(name: str, lead: Sweep, sweeps: Sequence[Sweep]) -> Sweep:
    titles = {sweep.title for sweep in sweeps if sweep.title}
    threads = {sweep.threads for sweep in sweeps}
    models: dict[str, ModelRef] = {}
    for ref in (ref for sweep in sweeps for ref in sweep.models):
        models.setdefault(f"{ref.name}{ref.compute}", ref)
    union = {
        field: tuple(dict.fromkeys(value for sweep in sweeps for value in getattr(sweep, field)))
        for field in ("tasks", "languages", "prompt_forms", "include", "baselines")
    }
    return lead.model_copy(
        update={
            **union,
            "name": name,
            "title": titles.pop() if len(titles) == 1 else None,
            "models": tuple(models.values()),
            "threads": threads.pop() if len(threads) == 1 else None,
            "profile": next((sweep.profile for sweep in sweeps if sweep.profile), None),
        }
    )


def _models(manifests: Sequence[Manifest]) -> dict[str, Model]:
    models: dict[str, Model] = {}
    for name, model in (pair for manifest in manifests for pair in manifest.models.items()):
        # One that could not be had, and so has no hash, gives way to one that could.
        if name not in models or not models[name].sha256:
            models[name] = model
    return models


def _first(things: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what all hold together; where several have a name, the first one's."""
    merged: dict[str, Any] = {}
    for one in things:
        merged |= {name: thing for name, thing in one.items() if name not in merged}
    return merged


def _versions(lead: Part, parts: Sequence[Part]) -> dict[str, str]:
    """Return the versions of all packages: those that scores depend on from a run that holds such scores."""
    known = [part.manifest.versions for part in (lead, *parts)]
    scoring = [
        {name: part.manifest.versions.get(name) for name in scoring_packages(part.backends)} for part in (lead, *parts)
    ]
    merged = {**_first(known), **_first(scoring)}
    return {name: version for name, version in merged.items() if version is not None}


def _differing_origins(
    lead: Part, parts: Sequence[Part], versions: Mapping[str, str], used: Iterable[Path]
) -> list[str]:
    """Say which runs' scores came about otherwise than the manifest's device and versions tell."""
    notes = []
    for part in parts:
        manifest, device = part.manifest, part.manifest.device
        notes += [
            f"The scores of {part.path} were measured with {name} {manifest.versions.get(name, '(none)')}, "
            f"others with {versions.get(name, '(none)')}."
            for name in changed_versions(part.backends, manifest.versions, versions)
        ]
        if part.backends and part.path in used and device.fingerprint != lead.manifest.device.fingerprint:
            notes.append(
                f"The scores of {part.path} were measured on another device than those of {lead.path}: "
                f"{device.cpu}, {device.ram_bytes / 2**30:.0f} GiB, {device.os}."
            )
    return notes


def _skips(
    parts: Sequence[Part],
    cells: Iterable[tuple[Cell, Part]],
    profiles: Iterable[tuple[ProfileCell, Part]],
) -> tuple[Skip, ...]:
    """Return the skips whose cell or profile no run holds done."""
    done = {place(cell) for cell, part in cells if part.results[cell.id].status is CellStatus.DONE}
    measured = {
        (cell.model, cell.device, language)
        for cell, part in profiles
        if part.profile(cell).facts.status is CellStatus.DONE
        for language in cell.languages
    }
    kept: dict[Skip, None] = {}
    for part in parts:
        manifest = part.manifest
        for skip in manifest.skips:
            models = [skip.model] if skip.model else list(manifest.models)
            if skip.task == PROFILE_TASK:
                where = manifest.device.fingerprint, skip.language
                left = [m for m in models if (m, *where) not in measured]
                held = any(rest == list(where) for _, *rest in measured)
            else:
                left = [m for m in models if any((m, *rest) not in done for rest in _skipped_forms(manifest, m, skip))]
                held = any(task == skip.task for _, task, _ in done)
            # One that stood for all models now stands for those of its run, where another one is done.
            kept |= dict.fromkeys(skip.model_copy(update={"model": m}) for m in left) if held else {skip: None}
    return tuple(kept)


def _skipped_forms(manifest: Manifest, model: str, skip: Skip) -> list[tuple[str, str]]:
    """Return task and form of the cells that a skip stands for: those forms that were asked for and have no cell."""
    held = {cell.prompt_form for cell in manifest.cells if (cell.model, cell.task) == (model, skip.task)}
    forms = [form for form in manifest.sweep.prompt_forms if form not in held] or manifest.sweep.prompt_forms
    return [(skip.task, form.value) for form in forms]
