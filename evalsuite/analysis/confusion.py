"""Which categories are taken for which: precision and recall of each, macro-F1, balanced accuracy, the confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.analysis.rows import ALPHA
from evalsuite.stats.intervals import Estimate, wilson
from evalsuite.stats.strata import drawn_interval, resampled_rows

__all__ = ["RESAMPLES", "CategoryCount", "Confusion", "Mistaken", "confusion_matrix", "confusion_of"]

RESAMPLES = 2000
"""Bootstrap samples."""


@dataclass(frozen=True, slots=True)
class CategoryCount:
    """One category of a cell."""

    name: str
    items: int
    """Items for which it is right."""
    answered: int
    """Items for which it was the answer."""
    hits: int
    """Items for which it was both."""
    precision: Estimate
    """Share of its answers that are right; none where it is never answered."""
    recall: Estimate
    """Share of its items that are answered right; none where it has no items."""

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall, 0 without a hit; none where it has neither items nor answers."""
        total = self.items + self.answered
        return 2 * self.hits / total if total else None


@dataclass(frozen=True, slots=True)
class Mistaken:
    """Items of one category that were taken for another."""

    right: str
    taken_for: str
    n: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """The answers of one cell by right category; k categories."""

    n: int
    categories: tuple[CategoryCount, ...]
    """In the order of the task's choices."""
    matrix: tuple[tuple[int, ...], ...]
    """Items by right category (row) and answer (column), k × k."""
    macro_f1: Estimate
    """Mean F1 over categories that have items or answers."""
    balanced_accuracy: Estimate
    """Mean recall over categories that have items."""

    @property
    def never_answered(self) -> tuple[str, ...]:
        """Categories that have items and are never the answer."""
        return tuple(c.name for c in self.categories if c.items and not c.answered)

    def mistakes(self, most: int | None = None) -> tuple[Mistaken, ...]:
        """Return what was taken for what, the most frequent first, ties in the order of the categories.

        Args:
            most: Number of pairs to return; all where it is not given.
        """
        names = [c.name for c in self.categories]
        found = [
            Mistaken(names[i], names[j], n)
            for i, row in enumerate(self.matrix)
            for j, n in enumerate(row)
            if n and i != j
        ]
        return tuple(sorted(found, key=lambda one: -one.n)[:most])


def confusion_matrix(k: int, right: NDArray[np.intp], picked: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the number of items by right category (row) and answer (column), k × k."""
    matrix = np.zeros((k, k), dtype=np.intp)
    np.add.at(matrix, (right, picked), 1)
    return matrix


def confusion_of(
    names: tuple[str, ...],
    right: NDArray[np.intp],
    picked: NDArray[np.intp],
    rng: np.random.Generator,
    samples: NDArray[np.floating] | None = None,
) -> Confusion:
    """Return the confusion of a cell's answers.

    Shares have Wilson's interval, the two means the percentile interval of a bootstrap of items within each right
    category. Sources: C. J. van Rijsbergen (1979), Information Retrieval, chapter 7 (F); macro average of the F1 of
    each category as in J. Opitz and S. Burst (2019), arXiv 1911.03347; balanced accuracy: K. H. Brodersen et al.
    (2010), ICPR, 3121-3124.

    Args:
        names: The k categories.
        right: Place of the right category of each item.
        picked: Place of the answer of each item, in the same order.
        rng: Source of randomness.
        samples: How much each item counts in bootstrap samples, where they are shared with other cells; samples × items.
    """
    k = len(names)
    matrix = confusion_matrix(k, right, picked)
    hits, items, answered = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    drawn_hits, drawn_answers = _drawn(matrix, rng) if samples is None else _weighted(right, picked, k, samples)
    n = int(right.size)
    own_hits, own_answers = hits[None, :].astype(np.float64), answered[None, :].astype(np.float64)
    return Confusion(
        n=n,
        categories=tuple(
            CategoryCount(
                name=name,
                items=int(items[i]),
                answered=int(answered[i]),
                hits=int(hits[i]),
                precision=_share(int(hits[i]), int(answered[i]), "never answered"),
                recall=_share(int(hits[i]), int(items[i]), "no items of this category"),
            )
            for i, name in enumerate(names)
        ),
        matrix=tuple(tuple(int(count) for count in row) for row in matrix),
        macro_f1=drawn_interval(
            _macro_f1(own_hits, items, own_answers)[0],
            _macro_f1(drawn_hits, items, drawn_answers),
            n,
            level=1 - ALPHA,
        ),
        balanced_accuracy=drawn_interval(
            _balanced(own_hits, items)[0], _balanced(drawn_hits, items), n, level=1 - ALPHA
        ),
    )


def _drawn(matrix: NDArray[np.intp], rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return hits and answers of each category in bootstrap samples: samples × k each."""
    hits, answers = np.zeros((RESAMPLES, len(matrix))), np.zeros((RESAMPLES, len(matrix)))
    for i, row in enumerate(resampled_rows(matrix, rng, RESAMPLES)):
        hits[:, i] = row[:, i]
        answers += row
    return hits, answers


def _weighted(
    right: NDArray[np.intp], picked: NDArray[np.intp], k: int, samples: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the same from how much each item counts in each sample."""
    answered = (picked[:, None] == np.arange(k)).astype(samples.dtype)
    both = (samples @ np.hstack([answered * (right == picked)[:, None], answered])).astype(np.float64)
    return both[:, :k], both[:, k:]


def _macro_f1(hits: NDArray[np.float64], items: NDArray[np.intp], answered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean F1 of each row of counts."""
    total = items + answered
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nanmean(np.where(total > 0, 2 * hits / total, np.nan), axis=1), dtype=np.float64)


def _balanced(hits: NDArray[np.float64], items: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the mean recall of each row of counts."""
    has = items > 0
    return np.asarray((hits[:, has] / items[has]).mean(axis=1), dtype=np.float64)


def _share(hits: int, n: int, lacking: str) -> Estimate:
    if not n:
        return Estimate(None, None, None, 0, "wilson", lacking)
    return wilson(hits, n, level=1 - ALPHA)
