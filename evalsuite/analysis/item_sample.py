"""A small, seeded sample of each group's items, with what every model answered to them in every language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.analysis.item_answers import Asked, ItemSide, read_sides
from evalsuite.analysis.item_texts import Withheld, why_withheld
from evalsuite.analysis.load import Run
from evalsuite.records import PromptForm, Task

__all__ = ["MOST_ITEMS", "USUAL_ITEMS", "GroupSample", "SampledItem", "sample_items"]

USUAL_ITEMS = 24
"""Items of a group that are shown where no number is asked for."""
MOST_ITEMS = 240
"""Items of all groups that are shown then."""
_WANTED = 2
"""Items, if there are as many, in which one model is right in the reference and wrong in one language."""


@dataclass(frozen=True, slots=True)
class SampledItem:
    """One item in every language that has it."""

    place: int
    """Position in the data."""
    sides: tuple[ItemSide, ...]

    @property
    def id(self) -> str:
        """What the languages are joined by."""
        return self.sides[0].id


@dataclass(frozen=True, slots=True)
class GroupSample:
    """The items of one group that are shown."""

    group: str
    tasks: tuple[Task, ...]
    form: PromptForm
    items: tuple[SampledItem, ...]
    """In the order in which they were drawn: any first part of it is a sample too."""
    for_losses: int
    """How many of the first were drawn since a model is wrong in a language and right in the reference."""
    total: int
    """Items of the group that are stored."""
    withheld: Withheld | None
    """Why texts of items are left out; they are empty then."""


@dataclass(frozen=True, slots=True, eq=False)
class _Universe:
    """All items of a group: t tasks, m models, n items, without those whose id repeats in one task."""

    tasks: tuple[Task, ...]
    references: tuple[int | None, ...]
    """Place of the task that each is held against."""
    rows: NDArray[np.intp]
    """Where each item stands in a cell, −1 where it does not: t × m × n."""
    scores: NDArray[np.float64]
    """NaN where there is none: t × m × n."""
    places: NDArray[np.intp]
    """Position of each item in the data: n."""

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Whether a model is wrong, and right in the reference: t × m × n."""
        found = np.zeros(self.scores.shape, dtype=np.bool_)
        for here, there in enumerate(self.references):
            if there is not None:
                found[here] = (self.scores[here] == 0) & (self.scores[there] == 1)
        return found


def sample_items(run: Run, limit: int | None = None) -> tuple[GroupSample, ...]:
    """Return the items of each group that are shown; groups with no stored items are left out.

    First come items in which a model is right in the reference language and wrong in another, so that each language ×
    model has two of them where it has any and there is room. The rest is drawn from all others. Only the first of the
    main prompt forms is looked at. Items whose id repeats in a task are left out. Of what is stored, texts are read only
    where they are shown, one cell after another.

    Args:
        run: The run.
        limit: Items of each group; by default `USUAL_ITEMS`, and fewer where there are more than ten groups.

    Raises:
        StoreError: The stored items are damaged.
    """
    form, asked = run.forms[0], limit
    found = [(group, universe) for group in run.groups if (universe := _universe(run, group, form)) is not None]
    if limit is None:
        asked = min(USUAL_ITEMS, max(1, MOST_ITEMS // max(1, len(found))))
        found = found[:MOST_ITEMS]
    return tuple(_sample(run, group, universe, form, asked) for group, universe in found) if asked else ()


def _universe(run: Run, group: str, form: PromptForm) -> _Universe | None:
    tasks = tuple(t for t in run.ordered_tasks if run.group_of(t.name) == group and not t.only_read)
    results = [[run.result(model, task.name, form) for model in run.models] for task in tasks]
    stored = [ids for line in results for result in line if (ids := run.ids(result)) is not None]
    if not stored:
        return None
    every = np.unique(np.concatenate(stored))
    shape = (len(tasks), len(run.models), len(every))
    rows, scores = np.full(shape, -1, dtype=np.intp), np.full(shape, np.nan)
    places, single = np.full(len(every), -1, dtype=np.intp), np.ones(len(every), dtype=np.bool_)
    for t, line in enumerate(results):
        for m, result in enumerate(line):
            ids, numbers = run.ids(result), run.numbers(result, "score")
            if result is None or ids is None or numbers is None:
                continue
            indices = run.frames[result.cell.id]["item_index"].to_numpy()
            at = np.searchsorted(every, ids)
            single &= np.bincount(at, minlength=len(every)) <= 1
            rows[t, m, at], scores[t, m, at] = np.arange(len(at)), numbers
            places[at] = np.where(places[at] < 0, indices, places[at])
    if not single.any():
        return None
    return _Universe(tasks, _references(run, tasks), rows[:, :, single], scores[:, :, single], places[single])


def _references(run: Run, tasks: Sequence[Task]) -> tuple[int | None, ...]:
    codes = [task.language for task in tasks]
    found = [run.reference_of(code) for code in codes]
    # Of two tasks in one language it is not clear which one to hold against.
    return tuple(codes.index(one) if one is not None and codes.count(one) == 1 else None for one in found)


def _sample(run: Run, group: str, universe: _Universe, form: PromptForm, limit: int) -> GroupSample:
    lost, total = universe.lost, len(universe.places)
    chosen, for_losses = _choose(lost.reshape(-1, total), limit, run.rng("items", group, form.value))
    withheld = why_withheld(universe.tasks)
    sides = [
        read_sides(
            run,
            Asked(
                task=task,
                form=form,
                reference=None if there is None else universe.tasks[there].language,
                rows=universe.rows[t][:, chosen],
                lost=lost[t][:, chosen],
                texts=withheld is None,
            ),
        )
        for t, (task, there) in enumerate(zip(universe.tasks, universe.references, strict=True))
    ]
    return GroupSample(
        group=group,
        tasks=universe.tasks,
        form=form,
        items=tuple(
            SampledItem(int(place), tuple(side for side in same if side is not None))
            for place, same in zip(universe.places[chosen], zip(*sides, strict=True), strict=True)
        ),
        for_losses=for_losses,
        total=total,
        withheld=withheld,
    )


def _choose(lost: NDArray[np.bool_], limit: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], int]:
    """Return which items are shown, as they are drawn, and how many of the first are drawn for what was lost.

    Args:
        lost: Whether an item was lost, by language and model; strata × n.
        limit: Most items.
        rng: Source of randomness.
    """
    n = lost.shape[1]
    chosen: list[int] = []
    free = np.ones(n, dtype=np.bool_)
    # The first of each language and model is worth all the room, the others half of it.
    for times, room in [(1, limit), *((more, limit // 2) for more in range(2, _WANTED + 1))]:
        while len(chosen) < room:
            lacking = (lost[:, chosen].sum(axis=1) < times) & lost[:, free].any(axis=1)
            gain = np.where(free, lost[lacking].sum(axis=0), 0)
            if not gain.any():
                break
            # Where there is room for all, any item will do: those that are lost everywhere are not preferred.
            least = 1 if lacking.sum() <= room - len(chosen) else gain.max()
            best = int(rng.choice(np.flatnonzero(gain >= least)))
            chosen.append(best)
            free[best] = False
    rest = rng.permutation(np.flatnonzero(free))[: max(0, limit - len(chosen))]
    return np.array([*chosen, *rest.tolist()], dtype=np.intp), len(chosen)
