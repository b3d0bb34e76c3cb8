"""The same items in two languages or from two models, side by side: what every paired analysis starts from."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import ALPHA
from evalsuite.analysis.score_table import why_no_items
from evalsuite.records import CellResult, PromptForm, Task
from evalsuite.stats.estimate import Estimate
from evalsuite.stats.paired import PairedDifference, paired_difference

__all__ = [
    "SCORES",
    "Pair",
    "Paired",
    "Side",
    "as_difference",
    "compared",
    "forms_difference",
    "group_tasks",
    "language_sides",
    "numbers_by_item",
    "pair",
    "pair_languages",
    "scored_items",
    "shared_items",
    "usable_clusters",
]

SCORES = ("score", "cluster")
"""Columns that `pair` needs."""

Side = tuple[Task, pd.DataFrame]
"""A task, and the items of one model that have a score."""


@dataclass(frozen=True, eq=False)
class Paired:
    """The items that two cells both have a score of, in the order of their ids."""

    index: pd.Index[Any]
    """Their ids."""
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    clusters: tuple[Hashable, ...] | None
    """What each item shares with others; none where items stand alone."""

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of the items, as texts."""
        return tuple(map(str, self.index.to_numpy(dtype=object).tolist()))

    def difference(self, rng: np.random.Generator) -> PairedDifference:
        """Return the first minus the second."""
        return paired_difference(self.first, self.second, clusters=self.clusters, rng=rng, level=1 - ALPHA)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One model's items of a parallel group in two languages."""

    here: Task
    there: Task
    """The task in the reference language."""
    items: pd.DataFrame
    """Items that have a score on both sides, by item id, sorted; columns of `Run.items` with `_here` and `_there`."""

    def values(self, column: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return a column of numbers, here and in the reference; NaN where missing."""
        here, there = (self.items[f"{column}_{side}"].to_numpy(dtype=np.float64) for side in ("here", "there"))
        return here, there

    def same_place(self) -> NDArray[np.bool_]:
        """Return where both sides offer equally many options and have the right one at the same place."""
        table = self.items
        alike = (table["target_here"] == table["target_there"]) & (table["n_choices_here"] == table["n_choices_there"])
        return np.asarray(alike & (table["n_choices_here"] > 1), dtype=np.bool_)


def group_tasks(run: Run, group: str) -> dict[str, list[Task]]:
    """Return the tasks of a parallel group by language; none for a task that is in no group, or whose texts are only read."""
    tasks: dict[str, list[Task]] = {}
    for task in run.manifest.tasks.values():
        if task.parallel_group == group and not task.only_read:
            tasks.setdefault(task.language, []).append(task)
    return tasks


def scored_items(
    run: Run, model: str, task: str, form: PromptForm, columns: Sequence[str] | None = None
) -> pd.DataFrame | None:
    """Return the items of a cell that have a score, by item id and sorted by it, to be read only; none where there are none.

    Args:
        run: The run.
        model: Name of the model.
        task: Name of the task.
        form: Prompt form.
        columns: Columns of `Run.items` that are wanted; by default all.
    """
    result = run.result(model, task, form)
    if result is None:
        return None
    if columns != SCORES:
        return _scored(run, result, columns)
    # In a table of pairs each cell is asked for many times.
    if result.cell.id not in run.scored:
        run.scored[result.cell.id] = _scores(run, result)
    return run.scored[result.cell.id]


def _scores(run: Run, result: CellResult) -> pd.DataFrame | None:
    """Return the `SCORES` of a cell; cells with the same items share one index, by which `pair` knows them."""
    ids, scores = run.ids(result), run.numbers(result, "score")
    if ids is None or scores is None:
        return None
    order = _scored_order(ids, scores)
    if not len(order):
        return None
    frame, key = run.frames[result.cell.id], ids[order].tobytes()
    if key not in run.indices:
        run.indices[key] = pd.Index(frame["item_id"].iloc[order])
    index = run.indices[key]
    clusters = pd.Series(frame["cluster"].to_numpy()[order], index=index, dtype=object)
    return pd.DataFrame({"score": scores[order], "cluster": clusters}, index=index)


def _scored(run: Run, result: CellResult, columns: Sequence[str] | None) -> pd.DataFrame | None:
    ids, scores = run.ids(result), run.numbers(result, "score")
    if ids is None or scores is None:
        return None
    frame = run.frames[result.cell.id]
    wanted = frame if columns is None else frame[["item_id", *columns]]
    order = _scored_order(ids, scores)
    in_order = len(order) == len(frame) and bool((np.diff(order) > 0).all())
    return (wanted if in_order else wanted.iloc[order]).set_index("item_id") if len(order) else None


def _scored_order(ids: NDArray[np.intp], scores: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return where items with a score stand, sorted: resamples do not depend on the order in which items were scored."""
    known = np.flatnonzero(~np.isnan(scores))
    return np.asarray(known[np.argsort(ids[known], kind="stable")], dtype=np.intp)


def pair(first: pd.DataFrame, second: pd.DataFrame) -> Paired | None:
    """Return the items that two frames of `scored_items` share; none where ids repeat, so that items cannot be told apart.

    Items are taken by cluster where all of them name one; the clusters are those of the first.
    """
    index, here, there = first.index, first, second
    # The usual case, the same items in the order of their ids, needs no join, which takes ten times as long.
    alike = index.is_(second.index) or index.equals(second.index)
    if not alike or not index.is_monotonic_increasing or not index.is_unique:
        if index.has_duplicates or second.index.has_duplicates:
            return None
        index = index.intersection(second.index).sort_values()
        here, there = first.loc[index], second.loc[index]
    clusters = usable_clusters(here["cluster"])
    return Paired(
        index=index,
        first=here["score"].to_numpy(dtype="float64"),
        second=there["score"].to_numpy(dtype="float64"),
        clusters=None if clusters is None else tuple(clusters),
    )


def numbers_by_item(
    run: Run, model: str, task: str, form: PromptForm, column: str = "score"
) -> pd.Series[float] | None:
    """Return one column of numbers of a cell by item id, without items that lack it; none where no item has it."""
    result = run.result(model, task, form)
    frame = run.frames.get(result.cell.id) if result else None
    if frame is None:
        return None
    scored = frame.loc[frame[column].notna()].set_index("item_id")[column].astype("float64")
    return scored if len(scored) else None


def shared_items(columns: Sequence[pd.Series[float]]) -> pd.DataFrame | str:
    """Return the scores of items that all columns have, sorted by id; or why there are none."""
    if any(column.index.has_duplicates for column in columns):
        return "item ids are not unique, so items cannot be paired"
    joined = pd.concat(list(columns), axis=1, join="inner", keys=range(len(columns))).sort_index()
    return joined if len(joined) else "no items in common"


def forms_difference(
    run: Run, model: str, task: str, forms: tuple[PromptForm, PromptForm], key: tuple[str, ...]
) -> PairedDifference | str:
    """Return one model's scores of a task in one prompt form less those in another, or why there is no difference.

    Args:
        run: The run.
        model: Name of the model.
        task: Name of the task.
        forms: The first, and what is taken from it.
        key: What is compared, so that no two comparisons share their random numbers.
    """
    frames = [scored_items(run, model, task, form, SCORES) for form in forms]
    if frames[0] is None or frames[1] is None:
        return "not both have scores"
    paired = pair(frames[0], frames[1])
    if paired is None:
        return "item ids are not unique, so items cannot be paired"
    return paired.difference(run.rng(*key)) if paired.first.size else "no items in common"


def language_sides(
    run: Run,
    model: str,
    group: str,
    form: PromptForm,
    languages: tuple[str, str],
    columns: Sequence[str] | None = None,
) -> str | tuple[Side, Side]:
    """Return one model's items of a group in a language and in its reference, or why they cannot be paired.

    Args:
        run: The run.
        model: Name of the model.
        group: Parallel group.
        form: Prompt form, the same on both sides.
        languages: The language, then the reference.
        columns: As in `scored_items`.
    """
    tasks = group_tasks(run, group)
    sides: list[Side] = []
    for code in languages:
        known = run.language(code)
        name = known.english_name if known else code
        found = tasks.get(code, [])
        if not found:
            return f"this group has no task in {name} in this run"
        if len(found) > 1:
            return f"this group has {len(found)} tasks in {name}, so which one to compare is not clear"
        frame = scored_items(run, model, found[0].name, form, columns)
        if frame is None:
            return f"no scores in {name} ({why_no_items(run, model, found[0].name, form)})"
        if frame.index.has_duplicates:
            return f"item ids of {found[0].name} are not unique, so items cannot be paired"
        sides.append((found[0], frame))
    here, there = sides[0][0], sides[1][0]
    if here.primary_metric != there.primary_metric:
        return f"{here.name} is scored by {here.primary_metric} but {there.name} by {there.primary_metric}"
    return sides[0], sides[1]


def pair_languages(run: Run, model: str, group: str, form: PromptForm, languages: tuple[str, str]) -> Pair | str:
    """Return everything that is known of the items that a language and its reference share, or why there is nothing.

    Args:
        run: The run.
        model: Name of the model.
        group: Parallel group.
        form: Prompt form, the same on both sides.
        languages: The language, then the reference.
    """
    sides = language_sides(run, model, group, form, languages)
    if isinstance(sides, str):
        return sides
    (here, first), (there, second) = sides
    joined = first.merge(second, left_index=True, right_index=True, suffixes=("_here", "_there")).sort_index()
    return Pair(here, there, joined) if len(joined) else "no items in common"


def compared(
    run: Run,
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    key: tuple[str, ...],
    clusters: list[str] | None = None,
) -> PairedDifference:
    """Return `paired_difference` at the level of every table, with a generator of its own.

    Args:
        run: The run, whose seed is used.
        first: A score for each item.
        second: The score of the same item on the other side.
        key: What is compared, so that no two comparisons share their random numbers.
        clusters: What items share with others; none where they stand alone.
    """
    return paired_difference(first, second, clusters=clusters, rng=run.rng(*key), level=1 - ALPHA)


def as_difference(
    estimate: Estimate,
    p: float | None,
    *,
    sides: tuple[float | None, float | None] = (None, None),
    test: str = "sign-flip",
) -> PairedDifference:
    """Return a difference that was made in another way in the form that tables and verdicts take.

    Args:
        estimate: The difference with its interval.
        p: Two-sided p-value, before any correction.
        sides: What it is the difference of: the first and the second mean.
        test: Name of the test.
    """
    return replace(
        paired_difference([], []),
        n=estimate.n,
        first=sides[0],
        second=sides[1],
        difference=estimate.value,
        low=estimate.low,
        high=estimate.high,
        p=p,
        interval_method=estimate.method,
        test_method=test,
        reason=estimate.reason,
    )


def usable_clusters(clusters: pd.Series) -> list[str] | None:
    """Return the cluster of each item; none where one of them names no cluster, so that items are taken one by one."""
    found: list[str] = clusters.to_numpy(dtype=object).tolist()
    return found if found and all(c is not None for c in found) else None
