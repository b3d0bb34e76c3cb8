"""Which cells and profiles a comparison puts side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, product
from typing import TypeVar

from evalsuite.analysis.compare_axis import Axis
from evalsuite.analysis.compare_times import Timed
from evalsuite.analysis.load import Run
from evalsuite.analysis.pairs import Side
from evalsuite.records import Model, PromptForm

__all__ = ["LABELS", "base_of", "labels_of", "side_pairs", "timed_pairs"]

_S = TypeVar("_S", Side, Timed)

LABELS = ("A", "B")
"""What two runs are called."""


def labels_of(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return what runs are called; nothing where there is but one."""
    return LABELS[: len(runs)] if len(runs) > 1 else ("",)


def side_pairs(runs: Sequence[Run], by: Axis, reference: str | None = None) -> Iterator[tuple[Side, Side]]:
    """Yield the cells that are compared, of models, quantisations, prompts or devices.

    Within one run: every pair, or every one with the reference. Between two runs: a thing with itself where both have it, and
    otherwise only pairs that neither run alone could answer.

    Args:
        runs: One or two.
        by: What differs between the sides; not languages.
        reference: What all others are held against; by default every pair of models, and the first prompt form.
    """
    for task in runs[0].manifest.tasks:
        if all(task in run.manifest.tasks for run in runs):
            if by is Axis.PROMPT:
                yield from _prompts(runs, task, reference)
            else:
                yield from _models(runs, task, by, reference)


def timed_pairs(runs: Sequence[Run], by: Axis, reference: str | None = None) -> Iterator[tuple[Timed, Timed]]:
    """Yield the profiles that are compared; the same rule as for cells. Languages and prompts have none."""
    if by in {Axis.LANGUAGE, Axis.PROMPT}:
        return
    labels = labels_of(runs)
    sides = [
        [Timed(run, label, profile, _timed_name(label, profile.facts.cell.model)) for profile in run.profiles]
        for run, label in zip(runs, labels, strict=True)
    ]
    pairs = combinations(sides[0], 2) if len(runs) == 1 else product(*sides)
    for first, second in pairs:
        same_model = first.model == second.model
        same_device = first.profile.facts.cell.device == second.profile.facts.cell.device
        if len(runs) == 1 and by is Axis.DEVICE:
            if same_model and not same_device:
                yield _on_devices(first, second)
        elif len(runs) == 1:
            models = (first.run.manifest.models[first.model], second.run.manifest.models[second.model])
            if not same_model and same_device and _wanted(models, by, reference):
                yield _ordered(first, second, models, by, reference)
        elif _between(first, second, runs, by, reference):
            yield first, second


def base_of(ours: Model, theirs: Model) -> Model | None:
    """Return which of two models the other is a quantisation of; none where they are no quantisations of one source.

    The source itself where it is one of them; of two quantisations the one that keeps more bits for a weight.
    """
    sources = [model.made_from.name if model.made_from else model.name for model in (ours, theirs)]
    if sources[0] != sources[1] or ours.name == theirs.name:
        return None
    if not (ours.made_from and theirs.made_from):
        return theirs if ours.made_from else ours
    bits = [model.bits_per_weight or 0.0 for model in (ours, theirs)]
    return ours if bits[0] > bits[1] else theirs


def _models(runs: Sequence[Run], task: str, by: Axis, reference: str | None) -> Iterator[tuple[Side, Side]]:
    labels = labels_of(runs)
    for forms in _forms(runs):
        sides = [
            [Side(run, label, name, task, form) for name in run.models if run.result(name, task, form)]
            for run, label, form in zip(runs, labels, forms, strict=True)
        ]
        if len(runs) == 1:
            # One run holds the scores of a model once, whatever devices it was profiled on.
            for first, second in combinations(sides[0], 2) if by is not Axis.DEVICE else ():
                models = (first.run.manifest.models[first.model], second.run.manifest.models[second.model])
                if _wanted(models, by, reference):
                    yield _ordered(first, second, models, by, reference)
        else:
            held = [{side.model for side in one} for one in sides]
            for first, second in product(*sides):
                alone = first.model in held[1] or second.model in held[0]
                models = (first.run.manifest.models[first.model], second.run.manifest.models[second.model])
                if first.model == second.model:
                    if by is not Axis.QUANTISATION and reference in {None, first.model}:
                        yield first, second
                elif by is not Axis.DEVICE and not alone and _wanted(models, by, reference):
                    yield first, second


def _forms(runs: Sequence[Run]) -> list[tuple[PromptForm, ...]]:
    """Return the prompt form of each run, for every form that all have; else the first of each, which are then unlike."""
    shared = [form for form in runs[0].forms if all(form in run.forms for run in runs)]
    return [(form,) * len(runs) for form in shared] or [tuple(run.forms[0] for run in runs)]


def _prompts(runs: Sequence[Run], task: str, reference: str | None) -> Iterator[tuple[Side, Side]]:
    labels = labels_of(runs)
    for model in runs[0].models:
        asked = [_asked(run, model, task) for run in runs]
        if len(runs) == 1:
            main = _main(runs[0], asked[0], reference)
            for form in asked[0]:
                if main is not None and form != main:
                    yield Side(runs[0], "", model, task, form), Side(runs[0], "", model, task, main)
        else:
            for one, other in product(*asked):
                if one not in asked[1] and other not in asked[0] and reference in {None, one, other}:
                    yield Side(runs[0], labels[0], model, task, one), Side(runs[1], labels[1], model, task, other)


def _asked(run: Run, model: str, task: str) -> list[PromptForm]:
    """Return the forms in which a task was put to a model."""
    forms = {cell.prompt_form for cell in run.manifest.cells if (cell.model, cell.task) == (model, task)}
    return sorted(forms, key=lambda form: form.rank)


def _main(run: Run, forms: Sequence[PromptForm], reference: str | None) -> PromptForm | None:
    if reference is not None:
        return next((form for form in forms if form == reference), None)
    return next((form for form in run.forms if form in forms), forms[0] if forms else None)


def _wanted(models: tuple[Model, Model], by: Axis, reference: str | None) -> bool:
    if by is Axis.QUANTISATION and base_of(*models) is None:
        return False
    return reference is None or reference in {model.name for model in models}


def _ordered(first: _S, second: _S, models: tuple[Model, Model], by: Axis, reference: str | None) -> tuple[_S, _S]:
    """Return the two so that what others are held against comes second."""
    against = reference
    if against is None and by is Axis.QUANTISATION and (base := base_of(*models)) is not None:
        against = base.name
    return (second, first) if against == models[0].name else (first, second)


def _between(first: Timed, second: Timed, runs: Sequence[Run], by: Axis, reference: str | None) -> bool:
    if first.model == second.model:
        return by is not Axis.QUANTISATION and reference in {None, first.model}
    models = (first.run.manifest.models[first.model], second.run.manifest.models[second.model])
    alone = first.model in runs[1].models or second.model in runs[0].models
    return by is not Axis.DEVICE and not alone and _wanted(models, by, reference)


def _timed_name(label: str, model: str) -> str:
    return f"{model} ({label})" if label else model


def _on_devices(first: Timed, second: Timed) -> tuple[Timed, Timed]:
    """Return two profiles of one model in one run, called by their devices."""
    one, other = first.profile.device, second.profile.device
    names = (one.cpu, other.cpu) if one.cpu != other.cpu else (one.fingerprint[:8], other.fingerprint[:8])
    return replace(first, name=names[0]), replace(second, name=names[1])
