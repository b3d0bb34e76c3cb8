"""Which cells and profiles a comparison puts side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import TypeVar

from evalsuite.analysis.compare_axis import Axis
from evalsuite.analysis.compare_times import Timed
from evalsuite.analysis.load import Run
from evalsuite.analysis.pairs import Side
from evalsuite.analysis.quantisation import quantised_models
from evalsuite.records import PromptForm

__all__ = ["LABELS", "bases_of", "labels_of", "side_pairs", "timed_pairs"]

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
    rule = _Rule(by, reference, bases_of(runs))
    for task in runs[0].manifest.tasks:
        if all(task in run.manifest.tasks for run in runs):
            yield from _prompts(runs, task, reference) if by is Axis.PROMPT else _models(runs, task, rule)


def timed_pairs(runs: Sequence[Run], by: Axis, reference: str | None = None) -> Iterator[tuple[Timed, Timed]]:
    """Yield the profiles that are compared; the same rule as for cells. Languages and prompts have none."""
    if by in {Axis.LANGUAGE, Axis.PROMPT}:
        return
    labels = labels_of(runs)
    sides = [
        [Timed(run, label, profile, _timed_name(label, profile.facts.cell.model, by)) for profile in run.profiles]
        for run, label in zip(runs, labels, strict=True)
    ]
    if len(runs) > 1:
        yield from _Rule(by, reference, bases_of(runs)).pairs(sides)
        return
    if by is Axis.DEVICE:
        for first, second in combinations(sides[0], 2):
            if first.model == second.model and first.device != second.device:
                yield _on_devices(first, second)
        return
    for device in dict.fromkeys(side.device for side in sides[0]):
        yield from _Rule(by, reference, bases_of(runs)).pairs([[side for side in sides[0] if side.device == device]])


def bases_of(runs: Sequence[Run]) -> dict[str, str]:
    """Return every quantisation of the runs, with the model of its family that it is held against."""
    models = {name: one for run in reversed(runs) for name, one in run.manifest.models.items()}
    joined = replace(runs[0], manifest=runs[0].manifest.model_copy(update={"models": models}))
    return {one.model: one.base for one in quantised_models(joined)}


def _models(runs: Sequence[Run], task: str, rule: _Rule) -> Iterator[tuple[Side, Side]]:
    for forms in _forms(runs):
        yield from rule.pairs(
            [
                [Side(run, label, name, task, form) for name in run.models if run.result(name, task, form)]
                for run, label, form in zip(runs, labels_of(runs), forms, strict=True)
            ]
        )


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


@dataclass(frozen=True, slots=True)
class _Rule:
    """Which models are held against which."""

    by: Axis
    reference: str | None
    bases: Mapping[str, str]
    """Of quantisations."""

    def pairs(self, sides: Sequence[Sequence[_S]]) -> Iterator[tuple[_S, _S]]:
        """Yield the pairs of one run, or of two; what others are held against comes second."""
        if len(sides) == 1:
            # One run holds the scores of a model once, whatever devices it was profiled on.
            for first, second in combinations(sides[0], 2):
                if self._wants(first.model, second.model):
                    yield self._ordered(first, second)
            return
        held = [{side.model for side in one} for one in sides]
        for first, second in product(*sides):
            if first.model == second.model:
                if self.by is not Axis.QUANTISATION and self.reference in {None, first.model}:
                    yield first, second
            # What one run holds of both models is that run's to answer.
            elif not (first.model in held[1] or second.model in held[0]) and self._wants(first.model, second.model):
                yield self._ordered(first, second)

    def _wants(self, first: str, second: str) -> bool:
        if self.by is Axis.DEVICE:
            return False
        family = self.by is not Axis.QUANTISATION or self.bases.get(first) == second or self.bases.get(second) == first
        return family and self.reference in {None, first, second}

    def _ordered(self, first: _S, second: _S) -> tuple[_S, _S]:
        against = self.bases.get(second.model) if self.by is Axis.QUANTISATION else self.reference
        return (second, first) if first.model == against else (first, second)


def _timed_name(label: str, model: str, by: Axis) -> str:
    if by is Axis.DEVICE and label:
        return label  # the model is what both sides have in common
    return f"{model} ({label})" if label else model


def _on_devices(first: Timed, second: Timed) -> tuple[Timed, Timed]:
    """Return two profiles of one model in one run, called by their devices."""
    one, other = first.profile.device, second.profile.device
    names = (one.cpu, other.cpu) if one.cpu != other.cpu else (one.fingerprint[:8], other.fingerprint[:8])
    return replace(first, name=names[0]), replace(second, name=names[1])
