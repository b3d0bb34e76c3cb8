"""Reads a run folder into one tidy, frozen object: the manifest, what became of each cell, and a row per item."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from evalsuite.analysis.items import ITEM_COLUMNS, clusters_of, read_items, spans_of
from evalsuite.analysis.metrics import RAW_METRICS
from evalsuite.analysis.profiles import Profile, load_profiles
from evalsuite.analysis.uncollected import uncollected
from evalsuite.errors import StoreError
from evalsuite.profile_store import ProfileFolder
from evalsuite.records import (
    TRAINED,
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
        """Groups whose scores are no shares: by their metric, or since at least one of them lies outside 0 to 1."""
        tasks = self.manifest.tasks.values()
        known = {self.group_of(task.name) for task in tasks if task.primary_metric in RAW_METRICS}
        outside = (self.items["score"] < 0) | (self.items["score"] > 1)
        return frozenset(known | set(self.items.loc[outside, "group"]))

    @cached_property
    def frames(self) -> dict[str, pd.DataFrame]:
        """Items by cell id; cells without items are not in it."""
        return {cell: self.items.iloc[span] for cell, span in self._spans.items()}

    @cached_property
    def scored(self) -> dict[str, pd.DataFrame | None]:
        """Kept for `paired_items.scored_items`: the scores of a cell by item id, which many pairs ask for."""
        return {}

    @cached_property
    def indices(self) -> dict[bytes, pd.Index[Any]]:
        """Kept for the same: one index for all cells that have scores of the same items."""
        return {}

    def numbers(self, result: CellResult | None, column: str) -> NDArray[np.float64] | None:
        """Return a column of numbers of a cell's items, NaN where missing, to be read only; none where it has no items."""
        span = self._spans.get(result.cell.id) if result else None
        return None if span is None else self.items[column].to_numpy(dtype=np.float64)[span]

    def ids(self, result: CellResult | None) -> NDArray[np.intp] | None:
        """Return a number for the id of each item of a cell; none where it has no items.

        The same id has the same number in all cells, and numbers are in the order of the ids as texts.
        """
        span = self._spans.get(result.cell.id) if result else None
        return None if span is None else self._ids[span]

    def group_of(self, task: str) -> str:
        """Return the parallel group of a task, or its own name where it is in none."""
        known = self.manifest.tasks.get(task)
        return task if known is None else known.parallel_group or known.name

    def reference_of(self, language: str, asked: str | None = None) -> str | None:
        """Return the language that gaps of `language` are taken against; none for the reference itself.

        Args:
            language: Code of a language of the run.
            asked: Code of the language to hold all others against, in place of the sweep's and of the language's own.
        """
        wanted = asked or self.manifest.sweep.reference or self.manifest.languages[language].reference
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
    def ordered_tasks(self) -> tuple[Task, ...]:
        """Tasks in the order of every table: by group, then by language."""
        groups, languages = ({name: i for i, name in enumerate(names)} for names in (self.groups, self.languages))
        known = [t for t in self.manifest.tasks.values() if t.language in languages]
        return tuple(sorted(known, key=lambda t: (groups[self.group_of(t.name)], languages[t.language])))

    def forms_of(self, model: str, task: str) -> tuple[PromptForm, ...]:
        """Return every form in which the plan asks a model a task, by `PromptForm.rank`."""
        return self._forms.get((model, task), ())

    @cached_property
    def _forms(self) -> dict[tuple[str, str], tuple[PromptForm, ...]]:
        found: dict[tuple[str, str], dict[PromptForm, None]] = {}
        for cell in self.manifest.cells:
            found.setdefault((cell.model, cell.task), {})[cell.prompt_form] = None
        ranks = {form: form.rank for forms in found.values() for form in forms}
        return {key: tuple(sorted(forms, key=ranks.__getitem__)) for key, forms in found.items()}

    @cached_property
    def _spans(self) -> dict[str, slice]:
        return spans_of(self.items)

    @cached_property
    def _ids(self) -> NDArray[np.intp]:
        coded = pc.dictionary_encode(pa.array(self.items["item_id"], pa.string()))
        ranks = np.empty(len(coded.dictionary), dtype=np.intp)
        ranks[pc.sort_indices(coded.dictionary).to_numpy()] = np.arange(len(ranks))
        return np.asarray(ranks[coded.indices.to_numpy()], dtype=np.intp)

    @cached_property
    def _by_key(self) -> dict[tuple[str, str, PromptForm], CellResult]:
        return {(r.cell.model, r.cell.task, r.cell.prompt_form): r for r in self.results}


@uncollected()
def load_run(path: str | Path) -> Run:
    """Read a run folder.

    Raises:
        StoreError: The folder is missing, damaged or written by a newer version, or its manifest contradicts itself.
    """
    path = Path(path)
    folder = RunFolder(path)
    manifest = folder.manifest
    _check(manifest, path)
    results = tuple(folder.result(cell) for cell in manifest.cells)
    # A skipped cell may hold what an earlier run left behind; it is not part of this run's evidence.
    cells = [result.cell for result in results if result.status is not CellStatus.SKIPPED]
    items = read_items(folder, cells, manifest.tasks)
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


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
