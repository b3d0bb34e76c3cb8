"""Builds run folders whose tasks put messages into categories, for tests of what is said about categories."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from evalsuite.records import Cell, CellStatus, PromptForm, Record, Task
from evalsuite.store import RunWriter
from tests.synthetic import MODELS, Plan, cell_of, manifest_of, record, task

__all__ = ["Labels", "build_labels", "names_of", "values_of"]

_TOKENS = {"native": 30, "english": 28, "listed": 90, "described": 210, "english-names": 29, "english-described": 180}


@dataclass(frozen=True)
class Labels:
    """What to put into such a run folder."""

    categories: int = 12
    each: int = 5
    """Items of each category."""
    codes: tuple[str, ...] = ("en", "eu")
    models: dict[str, str] = field(default_factory=lambda: dict(MODELS))
    wordings: tuple[str, ...] = ("native",)
    forms: tuple[PromptForm, ...] = (PromptForm.NATIVE,)
    """The sweep's own forms."""
    group: str = "toy_labels"
    changes: dict[str, object] = field(default_factory=dict)
    """Fields of the tasks."""
    values: Callable[[Cell, int], Sequence[float]] | None = None
    """Log-likelihoods of the categories for an item, in place of random ones; item i is of category i // each."""
    priors: Callable[[Cell], Sequence[float]] | None = None
    """Log-likelihoods without context."""
    context: str = "Message: …\nCategory:"
    change: Callable[[Cell, Record], Record] | None = None


def names_of(categories: int, code: str = "en") -> tuple[str, ...]:
    """Return names of categories, of unequal length."""
    return tuple(f"{code}-{'x' * (1 + 7 * i % 5)}{i}" for i in range(categories))


def values_of(plan: Labels, cell: Cell, index: int) -> tuple[float, ...]:
    """Return log-likelihoods in which the right category is somewhat ahead, and less so in Basque."""
    seed = [
        plan.categories,
        index,
        list(plan.models).index(cell.model),
        *cell.language.encode(),
        *cell.prompt_form.encode(),
    ]
    values = np.random.default_rng(seed).normal(-8, 1, plan.categories)
    values[index // plan.each] += 1.8 if cell.language == "en" else 1.0
    return tuple(float(v) for v in values)


def build_labels(path: Path, plan: Labels | None = None) -> Path:
    """Write a run folder with one group of categories and return it."""
    plan = plan or Labels()
    tasks = {one.name: one for one in (_task(plan, code) for code in plan.codes)}
    n = plan.categories * plan.each
    forms = dict.fromkeys((*plan.forms, *(PromptForm(w) for w in plan.wordings)))
    cells = tuple(
        cell_of(Plan(items=n), model, one, form) for model in plan.models for one in tasks.values() for form in forms
    )
    known = Plan(items=n, codes=plan.codes, models=plan.models, forms=plan.forms, holes=False, limit=None)
    manifest = manifest_of(known, tasks, cells, ())
    with RunWriter(path) as writer:
        writer.write_manifest(manifest)
        for cell in cells:
            made = [_record(plan, cell, index) for index in cell.item_indices]
            for chunk in range(cell.chunks):
                inside = set(cell.chunk(chunk))
                writer.write_chunk(cell, chunk, [r for r in made if r.item_index in inside], wall_s=1.0, tokens=100)
            writer.finish(cell, CellStatus.DONE)
    return path


def _task(plan: Labels, code: str) -> Task:
    fields: dict[str, object] = {
        "family": "labels", "chance": 1 / plan.categories, "items": plan.categories * plan.each,
        "wordings": plan.wordings, "id_column": "id",
    }  # fmt: skip
    return task(f"{plan.group}_{code}", code, plan.group, **(fields | plan.changes))


def _record(plan: Labels, cell: Cell, index: int) -> Record:
    names, right = names_of(plan.categories, cell.language), index // plan.each
    values = tuple(plan.values(cell, index)) if plan.values else values_of(plan, cell, index)
    picked = int(np.argmax(values))
    made = record(index, score=float(picked == right), choices=names).model_copy(
        update={
            "item_id": f"key{right}-{index % plan.each}", "target": str(right), "logprobs": values,
            "prediction": picked, "context": plan.context,
            "prior_logprobs": tuple(plan.priors(cell)) if plan.priors else (),
            "context_tokens": _TOKENS.get(cell.prompt_form.wording, 30) + index % 5,
            "doc": json.dumps({"id": f"key{right}-{index % plan.each}", "category": f"key{right}"}),
        }
    )  # fmt: skip
    return plan.change(cell, made) if plan.change else made
