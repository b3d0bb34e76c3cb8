"""The same items under several conditions: whether the conditions differ, and by how much they would by chance alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Repeated", "repeated"]

_DRAWS = 10_000
_BLOCK_VALUES = 2_000_000
_MOST_PATTERNS_OF = 9
"""Conditions up to which the orders of zeros and ones are listed: 126 at most."""
_ENOUGH_CHANGED = 24
"""Scores of items that change, from which on the chi-square approximation is good."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """Several scores of each item, compared."""

    n: int
    """Items."""
    changed: int
    """Items that do not score the same under all conditions."""
    means: tuple[float, ...]
    spread: float
    """Largest mean minus smallest, in units of the score."""
    deviation: float
    """Standard deviation of the means (of a sample), in units of the score."""
    expected: float
    """Mean spread where conditions are exchangeable."""
    expected_high: float
    """Spread that is exceeded in 5 % of cases where conditions are exchangeable."""
    p: float
    """Probability of means this unlike where conditions are exchangeable, before any correction."""
    method: str
    """`cochran` or `permutation`."""


def repeated(scores: NDArray[np.float64], rng: np.random.Generator, *, draws: int = _DRAWS) -> Repeated:
    """Compare the means of several scores of the same items.

    Under the null hypothesis conditions are exchangeable: which score of an item belongs to which condition is chance.
    The spread that is then expected is found by permuting each item's scores among the conditions. Scores of 0 and 1
    are tested by Cochran's Q, whose p is from chi-square where the items that change hold at least 24 scores; else, and
    for other scores, the p is from the same permutations.

    Source: W. G. Cochran (1950), Biometrika 37, 256-266; the limit of 24: M. W. Tate and S. M. Brown (1970), J. Am.
    Stat. Assoc. 65, 155-160; permutations within items: E. J. G. Pitman (1938), Biometrika 29, 322-335, with the +1 of
    B. Phipson and G. K. Smyth (2010), Stat. Appl. Genet. Mol. Biol. 9.

    Args:
        scores: One row per item, one column per condition.
        rng: Source of randomness.
        draws: Number of permutations.

    Raises:
        ValueError: There are no items, fewer than two conditions, or a score is missing.
    """
    n, k = scores.shape
    if n == 0 or k < 2:
        raise ValueError(f"{n} items under {k} conditions: give at least one item, and two conditions")
    if np.isnan(scores).any():
        raise ValueError("a score is missing: take the items that all conditions have")
    moving = scores[(scores != scores[:, :1]).any(axis=1)]
    means = scores.mean(axis=0)
    drawn = _permuted_sums(moving, rng, draws)
    spreads = (drawn.max(axis=1) - drawn.min(axis=1)) / n
    if np.isin(scores, (0.0, 1.0)).all() and moving.size >= _ENOUGH_CHANGED:
        p, method = _cochran(moving), "cochran"
    else:
        p, method = _permutation(moving.sum(axis=0), drawn), "permutation"
    return Repeated(
        n=n,
        changed=len(moving),
        means=tuple(float(m) for m in means),
        spread=float(means.max() - means.min()),
        deviation=float(means.std(ddof=1)),
        expected=float(spreads.mean()),
        expected_high=float(np.quantile(spreads, 0.95)),
        p=p,
        method=method,
    )


def _cochran(moving: NDArray[np.float64]) -> float:
    from scipy.special import chdtrc

    k = moving.shape[1]
    columns, rows = moving.sum(axis=0), moving.sum(axis=1)
    q = (k - 1) * (k * (columns**2).sum() - columns.sum() ** 2) / (k * rows.sum() - (rows**2).sum())
    return float(chdtrc(k - 1, q))


def _permutation(observed: NDArray[np.float64], drawn: NDArray[np.float64]) -> float:
    # With the items' own sums fixed, Q and the F of a block design both rise with the squares of the column sums.
    threshold = float((observed**2).sum())
    extreme = int(((drawn**2).sum(axis=1) >= threshold - 1e-9 * max(1.0, threshold)).sum())
    return (1 + extreme) / (1 + len(drawn))


def _permuted_sums(moving: NDArray[np.float64], rng: np.random.Generator, draws: int) -> NDArray[np.float64]:
    """Return the column sums of `draws` matrices whose rows were permuted, each by itself."""
    m, k = moving.shape
    if m == 0:
        return np.zeros((draws, k))
    if np.isin(moving, (0.0, 1.0)).all() and k <= _MOST_PATTERNS_OF:
        return _permuted_binary(moving.sum(axis=1).astype(np.intp), k, rng, draws)
    block = max(1, min(draws, _BLOCK_VALUES // (m * k)))
    found = []
    for start in range(0, draws, block):
        size = min(block, draws - start)
        # Sorting random numbers gives every order of a row the same chance.
        order = rng.random((size, m, k)).argsort(axis=2)
        found.append(moving[np.arange(m)[:, None], order].sum(axis=1))
    return np.concatenate(found)


def _permuted_binary(ones: NDArray[np.intp], k: int, rng: np.random.Generator, draws: int) -> NDArray[np.float64]:
    """Return the same for rows of zeros and ones: how many rows take each order of theirs is multinomial.

    Args:
        ones: Ones in each row.
        k: Columns.
        rng: Source of randomness.
        draws: Number of matrices.
    """
    from itertools import combinations

    sums = np.zeros((draws, k))
    for count, rows in zip(*np.unique(ones, return_counts=True), strict=True):
        places = list(combinations(range(k), int(count)))
        orders = np.zeros((len(places), k))
        for order, ones_at in zip(orders, places, strict=True):
            order[list(ones_at)] = 1
        sums += rng.multinomial(int(rows), np.full(len(places), 1 / len(places)), size=draws) @ orders
    return sums
