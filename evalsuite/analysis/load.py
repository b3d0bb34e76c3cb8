"""Reads a run folder into one tidy, frozen object: the manifest, what became of each cell, and a row per item."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evalsuite.analysis.metrics import SCORINGS, rescore
from evalsuite.analysis.profiles import Profile, load_profiles
from evalsuite.errors import StoreError
from evalsuite.profile_store import ProfileFolder
from evalsuite.records import (
    TRAINED,
    Cell,
    CellResult,
    CellStatus,
    Language,
    Manifest,
    ProfileFacts,
    PromptForm,
    Skip,
    Task,
    digest,
)
from evalsuite.store import RunFolder

__all__ = ["ITEM_COLUMNS", "Run", "clusters_of", "load_run"]

# The wide text columns (doc, arguments, context) stay on disk: they are most of the bytes, and no table needs them.
_STORED = (
    "item_id",
    "item_index",
    "choices",
    "target",
    "logprobs",
    "prior_logprobs",
    "prediction",
    "score",
    "context_tokens",
    "context_chars",
    "context_bytes",
    "answer_tokens",
)
# Of the item itself, one field is wanted at most.
_DOC = "doc"

ITEM_COLUMNS = (
    *("cell", "model", "task", "language", "group", "prompt_form", "item_id", "item_index", "score", *SCORINGS),
    *("choices", "target", "prediction"),
    *("n_choices", "chance", "context_tokens", "context_chars", "context_bytes", "answer_tokens", "cluster"),
)
"""Columns of `Run.items`. Numbers are float64, NaN where missing; `choices` is a tuple of texts, `answer_tokens` the sum
over them; `cluster` is what the item shares with others, as text, none where the task names nothing of the kind."""


@dataclass(frozen=True, eq=False)
class Run:
    """A run folder in memory. Treat `items` as read-only."""

    path: Path
    manifest: Manifest
    results: tuple[CellResult, ...]
    """One per cell of the plan, in its order."""
    items: pd.DataFrame
    profiles: tuple[Profile, ...] = ()
    """What the device was measured to take, one per model."""
    unmeasured: tuple[ProfileFacts, ...] = ()
    """Profiles of the plan that are not whole: failed, or not finished."""

    @property
    def skips(self) -> tuple[Skip, ...]:
        return self.manifest.skips

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Codes in the order of every table: references first, then as the sweep names them."""
        known = self.manifest.languages
        asked = [code for code in self.manifest.sweep.languages if code in known]
        references = [code for code in known if any(self.reference_of(other) == code for other in known)]
        return _unique([*references, *asked, *known])

    @cached_property
    def models(self) -> tuple[str, ...]:
        return tuple(name for name, model in self.manifest.models.items() if model.backend != TRAINED)

    @cached_property
    def trained(self) -> tuple[str, ...]:
        """Baselines: classifiers that were trained for each task. They are in no other table than that of scores."""
        return tuple(name for name, model in self.manifest.models.items() if model.backend == TRAINED)

    @cached_property
    def forms(self) -> tuple[PromptForm, ...]:
        """The main forms: those that the sweep asks of every task. Other wordings and orders have tables of their own."""
        used = {cell.prompt_form for cell in self.manifest.cells if cell.model not in self.trained}
        main = self.manifest.sweep.prompt_forms
        return tuple(sorted((form for form in main if form in used), key=lambda form: form.rank)) or main

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Parallel groups, and the names of tasks that are in none, in the order of the plan."""
        planned = [self.group_of(cell.task) for cell in self.manifest.cells]
        return _unique([*planned, *(self.group_of(name) for name in self.manifest.tasks)])

    @cached_property
    def raw_groups(self) -> frozenset[str]:
        """Groups whose scores are no shares: at least one of them lies outside 0 to 1."""
        outside = (self.items["score"] < 0) | (self.items["score"] > 1)
        return frozenset(self.items.loc[outside, "group"])

    @cached_property
    def frames(self) -> dict[str, pd.DataFrame]:
        """Items by cell id; cells without items are not in it."""
        return {str(cell): frame for cell, frame in self.items.groupby("cell", sort=False)}

    def group_of(self, task: str) -> str:
        """Return the parallel group of a task, or its own name where it is in none."""
        known = self.manifest.tasks.get(task)
        return task if known is None else known.parallel_group or known.name

    def reference_of(self, language: str) -> str | None:
        """Return the language that gaps of `language` are taken against; none for the reference itself."""
        wanted = self.manifest.sweep.reference or self.manifest.languages[language].reference
        return None if wanted == language else wanted

    def language(self, code: str) -> Language | None:
        """Return what the manifest says about a language."""
        return self.manifest.languages.get(code)

    def result(self, model: str, task: str, form: PromptForm) -> CellResult | None:
        """Return what became of a cell, or none where the plan has no such cell."""
        return self._by_key.get((model, task, form))

    def skip(self, model: str, task: str) -> Skip | None:
        """Return why a model was not to be run on a task."""
        return next((s for s in self.skips if s.task == task and s.model in (None, model)), None)

    def rng(self, *key: str) -> np.random.Generator:
        """Return a generator that depends on the sweep's seed and `key` alone, so that no order of work matters."""
        return np.random.default_rng(int(digest([self.manifest.sweep.seed, *key])[:16], 16))

    @cached_property
    def _by_key(self) -> dict[tuple[str, str, PromptForm], CellResult]:
        return {(r.cell.model, r.cell.task, r.cell.prompt_form): r for r in self.results}


def load_run(path: Path) -> Run:
    """Read a run folder.

    Raises:
        StoreError: The folder is missing, damaged or written by a newer version, or its manifest contradicts itself.
    """
    folder = RunFolder(path)
    manifest = folder.manifest
    _check(manifest, path)
    results = tuple(folder.result(cell) for cell in manifest.cells)
    # A skipped cell may hold what an earlier run left behind; it is not part of this run's evidence.
    frames = [
        _frame(folder, r.cell, manifest.tasks[r.cell.task]) for r in results if r.status is not CellStatus.SKIPPED
    ]
    filled = [frame for frame in frames if len(frame)]
    items = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(ITEM_COLUMNS))
    facts = [ProfileFolder(folder, cell).facts for cell in manifest.profiles]
    return Run(
        path=path,
        manifest=manifest,
        results=results,
        items=items,
        profiles=load_profiles(folder, manifest),
        unmeasured=tuple(found for found in facts if found.status is not CellStatus.DONE),
    )


def _check(manifest: Manifest, path: Path) -> None:
    fix = "restore manifest.json, or measure again in a new folder"
    for cell in manifest.cells:
        for kind, name, known in (
            ("task", cell.task, manifest.tasks),
            ("model", cell.model, manifest.models),
            ("language", cell.language, manifest.languages),
        ):
            if name not in known:
                raise StoreError(f"{path}: cell {cell.id} names the {kind} {name!r}, which the manifest lacks", fix=fix)


def _frame(folder: RunFolder, cell: Cell, task: Task) -> pd.DataFrame:
    columns_read = (*_STORED, _DOC) if task.cluster_column else _STORED
    stored: dict[str, list[Any]] = folder.table(cell, columns=columns_read).to_pydict()
    n = len(stored["item_id"])
    choices = [c or [] for c in stored["choices"]]
    scorings = rescore(
        choices,
        stored["target"],
        [p or [] for p in stored["logprobs"]],
        [p or [] for p in stored["prior_logprobs"]],
    )
    chance = np.nan if task.chance is None else task.chance
    # Many tasks offer every item the same choices: one tuple then serves all items.
    alike: dict[tuple[str, ...], tuple[str, ...]] = {}
    columns: dict[str, Any] = {
        "cell": [cell.id] * n,
        "model": [cell.model] * n,
        "task": [cell.task] * n,
        "language": [cell.language] * n,
        "group": [task.parallel_group or task.name] * n,
        "prompt_form": [cell.prompt_form.value] * n,
        "item_id": stored["item_id"],
        "item_index": stored["item_index"],
        "score": _floats(stored["score"]),
        **scorings,
        "choices": [alike.setdefault(key, key) for key in map(tuple, choices)],
        "target": stored["target"],
        "prediction": _floats(stored["prediction"]),
        "n_choices": [len(c) for c in choices],
        "chance": np.full(n, chance),
        "context_tokens": _floats(stored["context_tokens"]),
        "context_chars": _floats(stored["context_chars"]),
        "context_bytes": _floats(stored["context_bytes"]),
        "answer_tokens": [float(sum(t)) if t else np.nan for t in stored["answer_tokens"]],
        "cluster": clusters_of(task, stored[_DOC]) if task.cluster_column else [None] * n,
    }
    return pd.DataFrame(columns, columns=list(ITEM_COLUMNS))


def clusters_of(task: Task, docs: Iterable[str]) -> list[str | None]:
    """Return what each item shares with others by the task's cluster column; none where the stored item lacks it."""
    found = []
    for doc in docs:
        data = json.loads(doc)
        value = data.get(task.cluster_column) if isinstance(data, dict) else None
        found.append(None if value is None else str(value))
    return found


def _floats(values: Iterable[float | None]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
