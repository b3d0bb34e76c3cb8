"""The item records of a run as one frame: read cell by cell, worked out column by column."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from evalsuite.analysis.metrics import SCORINGS, Choices, Ragged
from evalsuite.records import Cell, Task
from evalsuite.store import RunFolder

__all__ = ["ITEM_COLUMNS", "clusters_of", "matching_ids", "read_items", "spans_of"]

_TEXTS = ("item_id", "target")
_NUMBERS = ("score", "prediction", "context_tokens", "context_chars", "context_bytes")
_LISTS = ("choices", "logprobs", "prior_logprobs", "answer_tokens")
# The wide text columns (doc, arguments, context) stay on disk: they are most of the bytes, and no table needs them.
_STORED = (*_TEXTS, "item_index", *_NUMBERS, *_LISTS)
# Of the item itself, one field is wanted at most; items with the same hash are the same.
_DOC, _DOC_HASH = "doc", "doc_hash"
_NAMES = ("cell", "model", "task", "language", "group", "prompt_form")

ITEM_COLUMNS = (
    *_NAMES,
    *("item_id", "item_index", "score", *SCORINGS),
    *("choices", "target", "right", "prediction"),
    *("n_choices", "chance", "context_tokens", "context_chars", "context_bytes", "answer_tokens", "cluster"),
)
"""Columns of `Run.items`. Names are categorical, numbers float64 and NaN where missing; `choices` is a tuple of texts,
`right` the place of the right one (NaN where there is none, or several), `answer_tokens` the sum over them; `cluster` is
what the item shares with others, as text, none where the task names nothing of the kind."""

_READ_AHEAD = 4
"""Cells."""


def read_items(folder: RunFolder, cells: Sequence[Cell], tasks: Mapping[str, Task]) -> pd.DataFrame:
    """Return a row for each stored item of the cells, with `ITEM_COLUMNS`, in the order of the cells.

    Raises:
        StoreError: A cell's records are damaged.
    """
    found: list[dict[str, Any]] = [{}] * len(cells)
    # By task, since its items are alike whoever was asked: what they offer is looked at once.
    last = _Offered()
    order = sorted(range(len(cells)), key=lambda i: (cells[i].task, cells[i].prompt_form))
    ordered = [(cells[i], tasks[cells[i].task]) for i in order]
    for i, (cell, task), table in zip(order, ordered, _stored(folder, ordered), strict=True):
        found[i] = _columns(folder, cell, task, table, last)
    kept = [i for i, columns in enumerate(found) if len(columns["item_index"])]
    if not kept:
        return pd.DataFrame(columns=list(ITEM_COLUMNS))
    counts = [len(found[i]["item_index"]) for i in kept]
    joined: dict[str, Any] = _names([cells[i] for i in kept], counts, tasks)
    for name in list(found[kept[0]]):
        parts = [found[i].pop(name) for i in kept]
        joined[name] = pa.chunked_array(parts).combine_chunks() if name in _TEXTS else np.concatenate(parts)
    # As objects, or pandas would write a missing text as NaN.
    joined["cluster"] = pd.Series(joined["cluster"], dtype=object)
    texts = pa.table({name: joined.pop(name) for name in _TEXTS}).to_pandas()
    joined |= {name: texts[name] for name in _TEXTS}
    return pd.DataFrame(joined, columns=list(ITEM_COLUMNS), copy=False)


def spans_of(items: pd.DataFrame) -> dict[str, slice]:
    """Return where the items of each cell stand, by cell id; rows of one cell stand together.

    Raises:
        ValueError: They do not.
    """
    cells = items["cell"].astype("category")
    codes = cells.cat.codes.to_numpy()
    starts = np.flatnonzero(np.diff(codes, prepend=-1)) if len(codes) else np.empty(0, dtype=np.intp)
    ends = [*starts[1:].tolist(), len(codes)][: len(starts)]
    names = cells.cat.categories[codes[starts]]
    spans = {str(name): slice(start, end) for name, start, end in zip(names, starts.tolist(), ends, strict=True)}
    if len(spans) < len(starts):
        raise ValueError("items of one cell do not stand together: sort them by cell")
    return spans


def matching_ids(first: NDArray[np.intp], second: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Return where the items that both sides have stand in each, in the order of the first; none where ids repeat.

    Args:
        first: `Run.ids` of one cell, or of some of its items.
        second: The same of another.
    """
    order = np.argsort(second, kind="stable")
    ranked = second[order]
    if (ranked[1:] == ranked[:-1]).any():
        return None
    if np.array_equal(first, second):
        # The usual case: the same items were asked in the same order.
        return (places := np.arange(len(first))), places
    if len(np.unique(first)) < len(first):
        return None
    if not len(ranked):
        return (none := np.empty(0, dtype=np.intp)), none
    at = np.minimum(np.searchsorted(ranked, first), len(ranked) - 1)
    both = np.flatnonzero(ranked[at] == first)
    return both, order[at[both]]


def clusters_of(task: Task, docs: Iterable[str]) -> list[str | None]:
    """Return what each item shares with others by the task's cluster column; none where the stored item lacks it."""
    found = []
    for doc in docs:
        data = json.loads(doc)
        value = data.get(task.cluster_column) if isinstance(data, dict) else None
        found.append(None if value is None else str(value))
    return found


class _Offered:
    """What the items of the cell that was read last offer; kept as long as the next cell's items offer the same."""

    def __init__(self) -> None:
        self._key: tuple[pa.Array, pa.Array] | None = None
        self._choices = Choices.of([], [])
        self._hashes: tuple[str, pa.Array] | None = None
        self._clusters: NDArray[np.object_] = np.empty(0, dtype=object)

    def choices(self, choices: pa.Array, targets: pa.Array) -> Choices:
        if self._key is None or not (self._key[0].equals(choices) and self._key[1].equals(targets)):
            self._key, self._choices = (choices, targets), Choices.of(choices, targets.to_pylist())
        return self._choices

    def clusters(self, folder: RunFolder, cell: Cell, task: Task, hashes: pa.Array) -> NDArray[np.object_]:
        if self._hashes is None or self._hashes[0] != task.name or not self._hashes[1].equals(hashes):
            docs = folder.table(cell, columns=(_DOC,)).column(_DOC).to_pylist()
            self._hashes, self._clusters = (task.name, hashes), np.array(clusters_of(task, docs), dtype=object)
        return self._clusters


def _stored(folder: RunFolder, cells: Sequence[tuple[Cell, Task]]) -> Iterator[pa.Table]:
    """Yield what is stored of each cell. The next ones are read meanwhile, which takes no turn of the interpreter."""

    def read(cell: Cell, task: Task) -> pa.Table:
        return folder.table(cell, columns=(*_STORED, *((_DOC_HASH,) if task.cluster_column else ())))

    with ThreadPoolExecutor(1) as pool:
        coming: deque[Future[pa.Table]] = deque()
        for cell, task in cells:
            coming.append(pool.submit(read, cell, task))
            if len(coming) > _READ_AHEAD:
                yield coming.popleft().result()
        yield from (one.result() for one in coming)


def _columns(folder: RunFolder, cell: Cell, task: Task, table: pa.Table, last: _Offered) -> dict[str, Any]:
    """Return the columns of one cell that differ from item to item."""
    stored = {name: table.column(name).combine_chunks() for name in table.column_names}
    n = len(table)
    offered = last.choices(stored["choices"], stored["target"])
    clusters: NDArray[np.object_] = np.full(n, None, dtype=object)
    if task.cluster_column and n:
        clusters = last.clusters(folder, cell, task, stored[_DOC_HASH])
    return {
        "item_id": stored["item_id"],
        "item_index": stored["item_index"].to_numpy(zero_copy_only=False),
        **offered.scored(Ragged.of(stored["logprobs"]), Ragged.of(stored["prior_logprobs"])),
        **{name: _floats(stored[name]) for name in _NUMBERS},
        "choices": offered.texts,
        "target": stored["target"],
        "right": offered.one_right,
        "n_choices": offered.counts,
        "chance": np.full(n, np.nan if task.chance is None else task.chance),
        "answer_tokens": Ragged.of(stored["answer_tokens"]).sums(),
        "cluster": clusters,
    }


def _names(cells: Sequence[Cell], counts: Sequence[int], tasks: Mapping[str, Task]) -> dict[str, pd.Categorical]:
    """Return what all items of a cell have in common."""
    groups = [tasks[cell.task].parallel_group or cell.task for cell in cells]
    values = (
        [cell.id for cell in cells],
        [cell.model for cell in cells],
        [cell.task for cell in cells],
        [cell.language for cell in cells],
        groups,
        [cell.prompt_form.value for cell in cells],
    )
    named: dict[str, pd.Categorical] = {}
    for name, column in zip(_NAMES, values, strict=True):
        known = {value: code for code, value in enumerate(dict.fromkeys(column))}
        codes = np.repeat(np.array([known[value] for value in column], dtype=np.intp), counts)
        named[name] = pd.Categorical.from_codes(codes, pd.Index(list(known), dtype=object))
    return named


def _floats(values: pa.Array) -> NDArray[np.float64]:
    return np.asarray(pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
