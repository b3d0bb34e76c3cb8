"""Cells whose items all offer the same categories: what each was scored by, category by category."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalsuite.analysis.load import Run
from evalsuite.analysis.metrics import SCORINGS, right_choices
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
            if result is None or names is None:
                continue
            stored = folder.table(result.cell, columns=_columns(task)).to_pydict()
            read = _read(task, names, stored)
            right, values = (np.empty(0, dtype=np.intp), np.empty((0, len(names)))) if isinstance(read, str) else read
            yield CategoryCell(
                model=model,
                task=task,
                group=group,
                form=form,
                names=names,
                right=right,
                values=values,
                listed=any(all(name in text for name in names) for text in stored.get("context", ())[:3]),
                reason=read if isinstance(read, str) else None,
            )


def _columns(task: Task) -> tuple[str, ...]:
    # What items look like is long, and is wanted of tasks only whose categories may be exchanged.
    text = ("context",) if task.family in FAMILIES_OF_CATEGORIES else ()
    return ("target", "logprobs", "prior_logprobs", *text)


def _names(frame: pd.DataFrame) -> tuple[str, ...] | None:
    """Return the categories that all items offer; none where they are not the same for all."""
    offered: set[tuple[str, ...]] = set(frame["choices"])
    names = next(iter(offered))
    return names if len(offered) == 1 and len(names) > 1 and len(set(names)) == len(names) else None


def _read(
    task: Task, names: tuple[str, ...], stored: Mapping[str, list[Any]]
) -> tuple[NDArray[np.intp], NDArray[np.float64]] | str:
    """Return the right category of each usable item and what the metric compares, or why there is none."""
    metric, k = task.primary_metric, len(names)
    if metric not in SCORINGS:
        return f"{metric} is not made from the log-probabilities of choices alone"
    right = [right_choices(target, names) for target in stored["target"]]
    usable = [i for i, r in enumerate(right) if len(r) == 1 and len(stored["logprobs"][i] or ()) == k]
    if not usable:
        return "no item has one right category and log-probabilities of all"
    values = np.array([stored["logprobs"][i] for i in usable], dtype=np.float64)
    if metric == "acc_mutual_info":
        priors = [stored["prior_logprobs"][i] or () for i in usable]
        if any(len(prior) != k for prior in priors):
            return "log-probabilities without context were not measured"
        values = values - np.array(priors, dtype=np.float64)
    elif metric in {"acc_norm", "acc_bytes"}:
        sizes = [len(name) if metric == "acc_norm" else len(name.encode()) for name in names]
        # lm-eval divides by the length of an empty choice too, and so gets -inf for it.
        with np.errstate(divide="ignore"):
            values = values / np.array(sizes, dtype=np.float64)
    # What is no number, or has no probability at all, cannot be compared.
    told = ~np.isnan(values).any(axis=1) & np.isfinite(values).any(axis=1)
    if not told.any():
        return "no item has log-probabilities that are numbers"
    return np.array([next(iter(right[i])) for i in usable], dtype=np.intp)[told], values[told]
