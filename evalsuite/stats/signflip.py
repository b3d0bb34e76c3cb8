"""The sign-flip permutation test of paired differences: exact where it can be, else by Monte Carlo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["sign_flip_p"]

_RESAMPLES = 10_000
_BLOCK_VALUES = 2_000_000
_MOST_ENUMERATED = 14
"""Differences whose signs are all enumerated: 2^14 patterns."""
_MOST_STEPS = 20_000
"""Largest sum of whole numbers whose distribution is found exactly."""


def sign_flip_p(
    differences: Sequence[float] | NDArray[np.float64],
    rng: np.random.Generator | None,
    *,
    resamples: int = _RESAMPLES,
) -> float:
    """Return the two-sided p-value that differences are symmetric about zero: how often a sum this far from 0 is seen.

    Source: E. J. G. Pitman (1937), J. R. Stat. Soc. Suppl. 4, 119-130 (permutation test of pairs). For items in
    clusters give the sums over clusters, whose signs then flip as a whole. Differences of 0 change nothing. The p is
    exact for whole numbers (the distribution of the sum is found step by step) and for up to 14 others (all 2^14 signs);
    else it is from Monte Carlo, with the +1 of B. Phipson and G. K. Smyth (2010), Stat. Appl. Genet. Mol. Biol. 9,
    so that p is never 0.

    Args:
        differences: One per pair, or per cluster of pairs.
        rng: Source of randomness; not used where the p is exact.
        resamples: Number of sign patterns drawn, where it is not.

    Raises:
        ValueError: There are no differences, or Monte Carlo is needed and no generator was given.
    """
    every = np.asarray(differences, dtype=np.float64)
    if every.size == 0:
        raise ValueError("needs at least one pair")
    d = np.abs(every[every != 0])
    observed = abs(float(every.sum()))
    if not d.size:
        return 1.0
    if (d == np.round(d)).all() and d.sum() <= _MOST_STEPS:
        return _whole_p(d.astype(np.intp), round(observed))
    # Sums in another order differ by rounding: what equals the observed sum up to that counts as extreme.
    threshold = observed - 1e-9 * float(d.sum())
    if d.size <= _MOST_ENUMERATED:
        signs = 1 - 2 * ((np.arange(2**d.size)[:, None] >> np.arange(d.size)) & 1)
        return float((np.abs(signs @ d) >= threshold).mean())
    if rng is None:
        raise ValueError("scores other than 0 and 1 need a random generator")
    block = max(1, min(resamples, _BLOCK_VALUES // d.size))
    extreme = 0
    for start in range(0, resamples, block):
        signs = rng.integers(0, 2, size=(min(block, resamples - start), d.size)) * 2 - 1
        extreme += int((np.abs(signs @ d) >= threshold).sum())
    return (1 + extreme) / (1 + resamples)


def _whole_p(d: NDArray[np.intp], observed: int) -> float:
    """Return the exact p of whole differences, from the distribution of the sum of those that are positive."""
    total = int(d.sum())
    chance = np.ones(1)
    for size, times in zip(*np.unique(d, return_counts=True), strict=True):
        # Of so many of one size any number may be positive: half of them each time.
        several = np.zeros(size * times + 1)
        several[::size] = _binomial(int(times))
        chance = np.convolve(chance, several)
    far = np.abs(2 * np.arange(total + 1) - total) >= observed
    # Where every sum is as far, rounding must not say less.
    return 1.0 if far.all() else min(1.0, float(chance[far].sum()))


def _binomial(n: int) -> NDArray[np.float64]:
    """Return how likely each number of heads of `n` fair coins is: those of half as many, twice, and of one more."""
    if n == 0:
        return np.ones(1)
    half = _binomial(n // 2)
    whole = np.convolve(half, half)
    return np.convolve(whole, [0.5, 0.5]) if n % 2 else whole
