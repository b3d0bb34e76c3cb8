"""How accuracy changes with the number of categories, and what becomes of old categories when one is added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from evalsuite.analysis.beside import one_thread
from evalsuite.analysis.category_cells import FAMILIES_OF_CATEGORIES, CategoryCell, category_cells
from evalsuite.analysis.label_draws import LabelDraws
from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import ALPHA
from evalsuite.records import PromptForm, digest
from evalsuite.stats.intervals import Estimate
from evalsuite.stats.strata import drawn_interval

__all__ = ["ORDERS", "SIZES", "Added", "LabelSetRow", "Nested", "SetSize", "fewer_categories", "nested_sets"]

ORDERS = 200
"""Random orders of the categories."""
SIZES = (2, 4, 8, 12, 24, 48)
"""Numbers of categories; the task's own number comes last."""
_ADDED_TO = (4, 12, 24)
_LEAST_CATEGORIES = 4


@dataclass(frozen=True, slots=True)
class SetSize:
    """Accuracy with some of the categories: a mean over sub-sets of this size."""

    size: int
    accuracy: Estimate
    """Of the items whose right category is in the sub-set."""
    set_low: float | None
    """2.5 % quantile of the accuracy over sub-sets; none for all categories, which are one set."""
    set_high: float | None
    """97.5 % quantile."""
    same_items: Estimate
    """Of the items of the first two categories of each order, so that the items stay the same as the set grows."""

    @property
    def chance(self) -> float:
        """What guessing scores."""
        return 1 / self.size

    @property
    def ratio(self) -> float | None:
        """Accuracy divided by chance."""
        return None if self.accuracy.value is None else self.accuracy.value * self.size


@dataclass(frozen=True, slots=True)
class Added:
    """What happens when a category is added to `size` others, without any other change."""

    size: int
    before: Estimate
    """Accuracy on the items of the old categories, among the old categories."""
    after: Estimate
    """Accuracy on the same items, with the new category among the choices; never above `before`."""
    change: Estimate
    """After minus before, on the same items."""
    lost: Estimate
    """Share of the items that were right before and are lost to the new category."""
    recall: Estimate
    """Share of the new category's own items that are right."""


@dataclass(frozen=True, slots=True)
class LabelSetRow:
    """One model on one task in one prompt form, with fewer categories than the task has."""

    model: str
    task: str
    group: str
    language: str
    form: PromptForm
    items: int
    categories: int
    sizes: tuple[SetSize, ...]
    added: tuple[Added, ...]
    reason: str | None
    """Why there are none."""


@dataclass(frozen=True, slots=True, eq=False)
class Nested:
    """For each order of the categories and each item, from which size of the set on the item is asked, and lost.

    The sub-set of size k holds the first k categories of an order. Sub-sets of one order are nested, so an item that is
    lost to a category that has come in stays lost.
    """

    enters: NDArray[np.int16]
    """Place of the item's right category in the order; orders × items."""
    lost_at: NDArray[np.int16]
    """Place of the first category that is preferred to the right one, or the number of categories; orders × items."""

    def asked(self, size: int) -> NDArray[np.bool_]:
        """Return whether an item's right category is in the sub-set of a size; orders × items."""
        return np.asarray(self.enters < size)

    def right(self, size: int) -> NDArray[np.bool_]:
        """Return whether an item is answered right within the sub-set of a size; orders × items."""
        return np.asarray(self.asked(size) & (self.lost_at >= size))


def fewer_categories(run: Run) -> tuple[LabelSetRow, ...]:
    """Return a row for every cell of the families labels and classification whose items share four or more categories.

    A score of a category given an item does not depend on which other categories there are, so that the answer within
    any sub-set follows from one pass: it is the sub-set's highest. That holds only where the prompt does not list the
    categories. `ORDERS` random orders are drawn for a parallel group, by the places of the categories, so that they are
    the same for its languages, models and prompt forms; and so are the bootstrap samples of cells whose items have the
    same right categories.
    """

    @lru_cache(maxsize=2)
    def draws(group: str, right: bytes, categories: int) -> tuple[NDArray[np.intp], LabelDraws]:
        orders = run.rng("label_sets", group).permuted(np.tile(np.arange(categories), (ORDERS, 1)), axis=1)
        places = np.frombuffer(right, dtype=np.intp)
        return orders, LabelDraws(places, orders, run.rng("label_sets", digest(places.tolist())))

    # As in `category_answers`: many small products.
    with one_thread():
        return tuple(
            _row(cell, draws)
            for cell in category_cells(run, families=FAMILIES_OF_CATEGORIES)
            if len(cell.names) >= _LEAST_CATEGORIES
        )


def nested_sets(values: NDArray[np.float64], right: NDArray[np.intp], orders: NDArray[np.intp]) -> Nested:
    """Return from which size of the set on each item is asked, and from which on lost.

    Args:
        values: What the metric compares, the highest of which is the answer; n items × k categories. Of equal values
            the first in the task's order wins, as in lm-eval.
        right: Place of the right category of each item.
        orders: Orders × k: the categories in the order in which they come in.
    """
    n, k = values.shape
    own = values[np.arange(n), right][:, None]
    earlier = np.arange(k)[None, :] < right[:, None]
    preferred = (values > own) | ((values == own) & earlier)
    # Small numbers and one category at a time: whole rows of memory are compared at once.
    places = np.argsort(orders, axis=1).astype(np.int16)
    lost_at = np.full((len(orders), n), k, dtype=np.int16)
    came_in = np.empty_like(lost_at)
    # To items that do not prefer it a category never comes in: a maximum is many times as fast as a choice.
    least = np.ascontiguousarray(np.where(preferred, 0, k).T, dtype=np.int16)
    for category in range(k):
        np.maximum(places[:, category, None], least[category], out=came_in)
        np.minimum(lost_at, came_in, out=lost_at)
    return Nested(enters=places[:, right], lost_at=lost_at)


def _row(cell: CategoryCell, draws: Callable[[str, bytes, int], tuple[NDArray[np.intp], LabelDraws]]) -> LabelSetRow:
    k = len(cell.names)
    reason = cell.reason
    if reason is None and cell.listed:
        reason = "the prompt lists the categories, so what it scores with fewer cannot be derived"
    sizes: tuple[SetSize, ...] = ()
    added: tuple[Added, ...] = ()
    if reason is None:
        orders, drawn = draws(cell.group, cell.right.tobytes(), k)
        items = drawn.by_category
        means = _Means(nested_sets(cell.values[items], cell.right[items], orders).lost_at, k, drawn)
        sizes = tuple(means.size(size) for size in sorted({*(s for s in SIZES if s < k), k}))
        added = tuple(means.added(size) for size in sorted({*(s for s in _ADDED_TO if s < k), k - 1}))
    return LabelSetRow(
        model=cell.model,
        task=cell.task.name,
        group=cell.group,
        language=cell.task.language,
        form=cell.form,
        items=int(cell.right.size),
        categories=k,
        sizes=sizes,
        added=added,
        reason=reason,
    )


@dataclass(frozen=True, slots=True)
class _Share:
    """A mean over orders of shares of items: itself, by order, and by bootstrap sample."""

    value: float
    orders: NDArray[np.float64]
    drawn: NDArray[np.float64]
    n: int


class _Means:
    """Means over orders, with intervals from bootstrap samples."""

    def __init__(self, lost_at: NDArray[np.int16], categories: int, draws: LabelDraws) -> None:
        """Take what is compared.

        Args:
            lost_at: From which size on items are lost; orders × items by category.
            categories: Their number.
            draws: Of the same items and orders.
        """
        self._lost_at, self._categories, self._draws = lost_at, categories, draws
        self._shares: dict[tuple[int, int, int], _Share] = {}

    def size(self, size: int) -> SetSize:
        """Return accuracy within sub-sets of a size."""
        found, same = self._share(size, 0, size), self._share(size, 0, 2)
        low, high = None, None
        if found.orders.size and size < self._categories:
            low, high = (float(v) for v in np.quantile(found.orders, [ALPHA / 2, 1 - ALPHA / 2]))
        return SetSize(size, _estimate(found), low, high, _estimate(same))

    def added(self, size: int) -> Added:
        """Return what a category does that is added to sub-sets of a size."""
        before, after = self._share(size, 0, size), self._share(size + 1, 0, size)
        with np.errstate(divide="ignore", invalid="ignore"):
            lost = _Share(
                1 - after.value / before.value if before.value else np.nan,
                np.empty(0),
                1 - after.drawn / before.drawn,
                before.n,
            )
        change = _Share(after.value - before.value, np.empty(0), after.drawn - before.drawn, before.n)
        return Added(
            size=size,
            before=_estimate(before),
            after=_estimate(after),
            change=_estimate(change),
            lost=_estimate(lost, "no item is right before"),
            recall=_estimate(self._share(size + 1, size, size + 1)),
        )

    def _share(self, size: int, first: int, end: int) -> _Share:
        """Return the mean over orders of the share of items that are right; orders without such items are left out.

        Args:
            size: Size of the sub-sets that the items are asked in.
            first: Only the items of the categories from this place of an order on are asked,
            end: and before this one.
        """
        key = (size, first, end)
        if key not in self._shares:
            self._shares[key] = self._mean(*key)
        return self._shares[key]

    def _mean(self, size: int, first: int, end: int) -> _Share:
        asked = self._draws.asked(size, first, end)
        if not asked.places.size:
            return _Share(np.nan, np.empty(0), np.empty(0), 0)
        hits, means = self._draws.hits(asked, self._lost_at[asked.places] >= size)
        by_order = (hits / asked.counts)[asked.kind]
        return _Share(float(by_order.mean()), by_order, means, asked.n)


def _estimate(share: _Share, lacking: str = "no items") -> Estimate:
    return drawn_interval(share.value, share.drawn, share.n, level=1 - ALPHA, lacking=lacking)
