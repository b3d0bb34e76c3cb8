"""Scores by kind of item: the phenomenon of a grammar pair, the category of a message, what an item asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evalsuite.analysis.load import Run
from evalsuite.analysis.paired_items import scored_items, usable_clusters
from evalsuite.analysis.rows import ALPHA
from evalsuite.records import Cell, PromptForm, Task
from evalsuite.stats.estimate import Estimate
from evalsuite.stats.scores import score_interval
from evalsuite.store import RunFolder

__all__ = ["KIND_COLUMNS", "ItemKinds", "KindRow", "item_kinds", "scores_by_kind"]

KIND_COLUMNS = ("phenomenon", "type", "category", "kind", "subset")
"""Columns of an item that say what kind it is of, the first of them that it has; before them stands the column of the
class, where a task names one (`trained_on.label`)."""

_LEAST_ITEMS = 2
"""Items to a kind, on average: a column with more values than that tells items apart, and not kinds."""


@dataclass(frozen=True, slots=True)
class ItemKinds:
    """The kind of each item of a cell."""

    column: str
    of: dict[str, str]
    """Kind by item id; items whose column is empty are not in it."""


@dataclass(frozen=True, slots=True)
class KindRow:
    """One model on the items of one kind of a task, in one prompt form."""

    model: str
    task: str
    group: str
    language: str
    form: PromptForm
    column: str
    """Column of the item that names the kind."""
    kind: str
    estimate: Estimate
    """Mean score with its interval; of single kinds, not corrected for their number."""


def scores_by_kind(run: Run) -> tuple[KindRow, ...]:
    """Return the score of every model × task × main prompt form by kind of item, kinds in the order of the data.

    Tasks whose items name no kind have no row. Reads the stored items of one cell after another, and of them only the
    item itself.
    """
    return tuple(
        row
        for task in run.ordered_tasks
        for model in run.models
        for form in run.forms
        for row in _rows(run, task, model, form)
    )


def item_kinds(run: Run, task: Task, cell: Cell) -> ItemKinds | str:
    """Return the kind of each stored item of a cell, or why items have none.

    Raises:
        StoreError: The stored items are damaged.
    """
    stored = RunFolder(run.path).table(cell, columns=("item_id", "doc")).to_pydict()
    docs = [json.loads(doc) for doc in stored["doc"]]
    fields = [doc if isinstance(doc, dict) else {} for doc in docs]
    named = (task.trained_on.label,) if task.trained_on else ()
    for column in dict.fromkeys((*named, *KIND_COLUMNS)):
        kinds = [_plain(doc.get(column)) for doc in fields]
        known = {i: k for i, k in zip(stored["item_id"], kinds, strict=True) if k is not None}
        values = set(known.values())
        if len(values) > 1 and len(known) >= _LEAST_ITEMS * len(values):
            return ItemKinds(column, known)
    return "the items name no kind (phenomenon, category or the like) that several of them share"


def _plain(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and str(value).strip() else None


def _rows(run: Run, task: Task, model: str, form: PromptForm) -> Iterator[KindRow]:
    result, frame = run.result(model, task.name, form), scored_items(run, model, task.name, form)
    if result is None or frame is None or isinstance(kinds := item_kinds(run, task, result.cell), str):
        return
    for kind in dict.fromkeys(kinds.of.values()):
        found = frame.loc[[i for i in frame.index if kinds.of.get(str(i)) == kind]]
        if len(found):
            yield KindRow(
                model=model,
                task=task.name,
                group=run.group_of(task.name),
                language=task.language,
                form=form,
                column=kinds.column,
                kind=kind,
                estimate=score_interval(
                    found["score"].to_numpy(dtype=np.float64),
                    usable_clusters(found["cluster"]),
                    level=1 - ALPHA,
                    share=run.group_of(task.name) not in run.raw_groups,
                ),
            )
