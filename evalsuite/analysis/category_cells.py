"""Cells whose items all offer the same categories: what each was scored by, category by category."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from evalsuite.analysis.load import Run
from evalsuite.analysis.metrics import SCORINGS, Ragged
from evalsuite.records import PromptForm, Task
from evalsuite.store import RunFolder

__all__ = ["FAMILIES_OF_CATEGORIES", "CategoryCell", "category_cells"]

FAMILIES_OF_CATEGORIES = ("labels", "classification")
"""Task families whose choices are categories of a user."""


@dataclass(frozen=True, slots=True, eq=False)
class CategoryCell:
    """One model on one task in one prompt form, whose n items all offer the same k categories."""

    model: str
    task: Task
    group: str
    form: PromptForm
    names: tuple[str, ...]
    """The categories, in the order of the task's choices."""
    right: NDArray[np.intp]
    """Place of the right category of each item; n."""
    values: NDArray[np.float64]
    """What the task's primary metric compares, the highest of which is the answer; n × k."""
    listed: bool
    """Whether the prompt lists the categories, so that a value depends on which others there are."""
    reason: str | None = None
    """Why there are no values, where the cell has answers."""

    @property
    def picked(self) -> NDArray[np.intp]:
        """Place of the answer of each item, the first of the highest as in lm-eval; n."""
        return np.asarray(self.values.argmax(axis=1), dtype=np.intp)


def category_cells(run: Run, families: tuple[str, ...] | None = None) -> Iterator[CategoryCell]:
    """Yield the cells of the main prompt forms whose items all offer the same two or more categories.

    Tasks whose prompt lists options that differ from item to item, and whose choices are their letters, are left out:
    there a choice is a place and no category. Items with none or several right choices, and items without
    log-probabilities, are left out too.

    Args:
        run: The run.
        families: Take tasks of these families only.
    """
    folder = RunFolder(run.path)
    for task in run.ordered_tasks:
        wanted = families is None or task.family in families
        if wanted and task.output_type == "multiple_choice" and not task.listed_options:
            yield from _of_task(run, folder, task, run.group_of(task.name))


def _of_task(run: Run, folder: RunFolder, task: Task, group: str) -> Iterator[CategoryCell]:
    for model in run.models:
        for form in run.forms:
            result = run.result(model, task.name, form)
            frame = run.frames.get(result.cell.id) if result else None
            names = None if frame is None else _names(frame)
            if result is None or frame is None or names is None:
                continue
            stored = folder.table(result.cell, columns=_columns(task))
            read = _read(task, names, frame["right"].to_numpy(), stored)
            right, values = (np.empty(0, dtype=np.intp), np.empty((0, len(names)))) if isinstance(read, str) else read
            prompts = stored.column("context").slice(0, 3).to_pylist() if "context" in stored.column_names else []
            yield CategoryCell(
                model=model,
                task=task,
                group=group,
                form=form,
                names=names,
                right=right,
                values=values,
                listed=any(all(name in text for name in names) for text in prompts),
                reason=read if isinstance(read, str) else None,
            )


def _columns(task: Task) -> tuple[str, ...]:
    # What items look like is long, and is wanted of tasks only whose categories may be exchanged.
    text = ("context",) if task.family in FAMILIES_OF_CATEGORIES else ()
    return ("logprobs", "prior_logprobs", *text)


def _names(frame: pd.DataFrame) -> tuple[str, ...] | None:
    """Return the categories that all items offer; none where they are not the same for all."""
    # Items that offer the same share one tuple, so that most are told apart without a look at their texts.
    every: list[tuple[str, ...]] = frame["choices"].to_numpy().tolist()
    offered = set(dict(zip(map(id, every), every, strict=True)).values())
    names = next(iter(offered))
    return names if len(offered) == 1 and len(names) > 1 and len(set(names)) == len(names) else None


def _read(
    task: Task, names: tuple[str, ...], right: NDArray[np.float64], stored: pa.Table
) -> tuple[NDArray[np.intp], NDArray[np.float64]] | str:
    """Return the right category of each usable item and what the metric compares, or why there is none.

    Args:
        task: The task.
        names: The k categories.
        right: Place of each item's right category; NaN where there is none, or several.
        stored: The log-probabilities of the same items.
    """
    metric, k = task.primary_metric, len(names)
    if metric not in SCORINGS:
        return f"{metric} is not made from the log-probabilities of choices alone"
    logprobs, priors = (Ragged.of(stored.column(name).combine_chunks()) for name in ("logprobs", "prior_logprobs"))
    usable = ~np.isnan(right) & (logprobs.counts == k)
    if not usable.any():
        return "no item has one right category and log-probabilities of all"
    values = logprobs.padded(k, np.nan)[usable]
    if metric == "acc_mutual_info":
        if (priors.counts[usable] != k).any():
            return "log-probabilities without context were not measured"
        values = values - priors.padded(k, np.nan)[usable]
    elif metric in {"acc_norm", "acc_bytes"}:
        sizes = [len(name) if metric == "acc_norm" else len(name.encode()) for name in names]
        # lm-eval divides by the length of an empty choice too, and so gets -inf for it.
        with np.errstate(divide="ignore"):
            values = values / np.array(sizes, dtype=np.float64)
    # What is no number, or has no probability at all, cannot be compared.
    told = ~np.isnan(values).any(axis=1) & np.isfinite(values).any(axis=1)
    if not told.any():
        return "no item has log-probabilities that are numbers"
    return right[usable].astype(np.intp)[told], values[told]
