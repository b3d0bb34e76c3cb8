"""Bootstrap samples of items and of orders of categories, and what they make of shares that are means over orders."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from evalsuite.stats.strata import stratified_weights

__all__ = ["Asked", "LabelDraws"]

_FEW = 3


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """The items of some categories in sub-sets of some size: orders that ask the same items in the same sub-set are one."""

    places: NDArray[np.intp]
    """One order of each kind; kinds."""
    kind: NDArray[np.intp]
    """Kind of each order that has items."""
    inside: NDArray[np.bool_]
    """Whether the items of a category are asked; kinds × categories."""
    counts: NDArray[np.intp]
    """Items that are asked; kinds."""
    n: int
    """Items that are asked in any order."""
    few: bool
    """Whether they are the items of a third of the categories or fewer."""
    factor: NDArray[np.float64]
    """What each hit adds to the mean over orders; kinds × samples."""


class LabelDraws:
    """Bootstrap samples of items within their category, and of orders; they serve all cells with the same items.

    Source of resampling both at once: A. B. Owen (2007), The pigeonhole bootstrap, Ann. Appl. Stat. 1, 386-411.
    """

    def __init__(self, right: NDArray[np.intp], orders: NDArray[np.intp], rng: np.random.Generator) -> None:
        """Draw the samples.

        Args:
            right: Place of the right category of each item.
            orders: Orders × k: the categories in the order in which they come in.
            rng: Source of randomness.
        """
        categories = orders.shape[1]
        # A thousand samples of up to 400 items; of more, fewer do, since each costs more and says more.
        resamples = min(1000, max(200, 400_000 // len(right)))
        weights = stratified_weights(right, rng, resamples)
        self.by_category = np.argsort(right, kind="stable")
        """Items in the order of their right category."""
        self._counts = np.bincount(right, minlength=categories)
        # Categories that have items, and where these stand in that order.
        self._held_any = np.flatnonzero(self._counts)
        self._sizes = self._counts[self._held_any]
        self._starts = self._sizes.cumsum() - self._sizes
        self._spans = [slice(start, start + n) for start, n in zip(self._starts, self._sizes, strict=True)]
        self.resamples = resamples
        self._weights = np.ascontiguousarray(weights.T[self.by_category], dtype=np.float32)
        # What a sample holds of some categories does not depend on which of their items it holds.
        self._held = (weights @ (right[:, None] == np.arange(categories))).T
        often = rng.multinomial(len(orders), np.full(len(orders), 1 / len(orders)), size=resamples)
        self._often = np.ascontiguousarray(often.T, dtype=np.float64)
        self._enters = orders.argsort(axis=1)
        self.asked = cache(self._asked)

    def hits(self, asked: Asked, kept: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return how many items are right in each kind of order, and the mean share over orders in each sample.

        Args:
            asked: Which items are asked in which sub-sets.
            kept: Whether an item is not lost to a category of the sub-set; kinds × items by category.
        """
        return self._own(asked, kept), np.einsum("kb,kb->b", self._drawn(asked, kept), asked.factor)

    def _own(self, asked: Asked, kept: NDArray[np.bool_]) -> NDArray[np.intp]:
        by_category = np.add.reduceat(kept, self._starts, axis=1, dtype=np.intp)
        return np.asarray((by_category * asked.inside[:, self._held_any]).sum(axis=1), dtype=np.intp)

    def _drawn(self, asked: Asked, kept: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return what the items that are right count in each sample; kinds × samples."""
        if not asked.few:
            every = np.repeat(asked.inside[:, self._held_any], self._sizes, axis=1)
            return np.asarray((kept & every).astype(np.float32) @ self._weights)
        # Where few of the categories are asked, the product with all items would be mostly with zeros.
        drawn = np.zeros((len(asked.places), self.resamples), dtype=np.float32)
        for category, span in zip(self._held_any.tolist(), self._spans, strict=True):
            kinds = np.flatnonzero(asked.inside[:, category])
            if kinds.size:
                drawn[kinds] += kept[kinds, span].astype(np.float32) @ self._weights[span]
        return drawn

    def _asked(self, size: int, first: int, end: int) -> Asked:
        """Return who is asked what; orders without such items are left out.

        Args:
            size: Size of the sub-sets that the items are asked in.
            first: Only the items of the categories from this place of an order on are asked,
            end: and before this one.
        """
        inside = (self._enters >= first) & (self._enters < end)
        known = np.flatnonzero(inside @ self._counts > 0)
        told = np.packbits(np.hstack([self._enters < size, inside])[known], axis=1)
        _, some, kind = np.unique(told, axis=0, return_index=True, return_inverse=True)
        kind = kind.reshape(-1)
        places = known[some]
        chosen = inside[places]
        often = np.zeros((len(places), self.resamples))
        np.add.at(often, kind, self._often[known])
        held = chosen.astype(np.float64) @ self._held
        # A sample may hold no item of an order's categories, where these have one item each: it then lacks that order.
        often[held <= 0] = 0.0
        with np.errstate(invalid="ignore"):
            factor = np.divide(often, held, out=np.zeros_like(often), where=held > 0) / often.sum(axis=0)
        return Asked(
            places=places,
            kind=kind,
            inside=chosen,
            counts=chosen @ self._counts,
            n=int(self._counts[inside.any(axis=0)].sum()),
            few=_FEW * (end - first) <= inside.shape[1],
            factor=factor,
        )
