"""Differences between two score vectors on the same items: interval and test that respect the pairing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.stats.intervals import percentile_interval, wilson_bounds

__all__ = ["PairedDifference", "mcnemar_exact", "newcombe_paired", "paired_difference", "sign_flip_p"]

_RESAMPLES = 10_000
_BLOCK_VALUES = 2_000_000


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Mean of the first vector minus mean of the second, on the same items."""

    n: int
    first: float | None
    second: float | None
    difference: float | None
    low: float | None
    high: float | None
    only_first: int | None
    """Items that only the first got right; none where scores are not 0 or 1."""
    only_second: int | None
    p: float | None
    """Two-sided p-value of no difference, before any correction."""
    interval_method: str
    test_method: str
    reason: str | None = None
    """Why there is no difference or no interval."""


def paired_difference(
    first: Sequence[float] | NDArray[np.float64],
    second: Sequence[float] | NDArray[np.float64],
    *,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
) -> PairedDifference:
    """Compare two score vectors on the same items, in the same order.

    Scores that are all 0 or 1 get Newcombe's interval for paired proportions and the exact McNemar test;
    other scores get a paired percentile bootstrap and a sign-flip permutation test, for which `rng` is needed.

    Args:
        first: One score per item.
        second: The score of the same item in the other condition.
        rng: Source of randomness; not used for scores of 0 and 1.
        level: Coverage of the interval.

    Raises:
        ValueError: The two differ in length, hold a NaN, or are real-valued and no generator was given.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"{a.size} and {b.size} scores are not pairs")
    if np.isnan(a).any() or np.isnan(b).any():
        raise ValueError("a score is missing: take the items that both sides have")
    if a.size == 0:
        return PairedDifference(0, None, None, None, None, None, None, None, None, "", "", "no items in common")
    if np.isin(a, (0.0, 1.0)).all() and np.isin(b, (0.0, 1.0)).all():
        return _binary(a.astype(bool), b.astype(bool), level)
    if rng is None:
        raise ValueError("scores other than 0 and 1 need a random generator")
    return _real(a, b, rng, level)


def newcombe_paired(
    both: int, only_first: int, only_second: int, neither: int, *, level: float = 0.95
) -> tuple[float, float]:
    """Return the interval of the difference of two paired proportions, first minus second.

    Source: R. G. Newcombe (1998), Stat. Med. 17, 2635-2650, method 10: Wilson's intervals of the two proportions,
    square-and-add, with the continuity-corrected phi for their correlation.

    Raises:
        ValueError: There are no items, or a count is negative.
    """
    n = both + only_first + only_second + neither
    if n == 0 or min(both, only_first, only_second, neither) < 0:
        raise ValueError("needs at least one item and no negative count")
    right_first, right_second = both + only_first, both + only_second
    p1, p2 = right_first / n, right_second / n
    low1, high1 = wilson_bounds(right_first, n, level)
    low2, high2 = wilson_bounds(right_second, n, level)
    phi = _phi(both, only_first, only_second, neither)
    down1, up1, down2, up2 = p1 - low1, high1 - p1, p2 - low2, high2 - p2
    difference = (only_first - only_second) / n
    # The radicands cannot be negative but for rounding: |phi| <= 1.
    below = math.sqrt(max(0.0, down1**2 - 2 * phi * down1 * up2 + up2**2))
    above = math.sqrt(max(0.0, up1**2 - 2 * phi * up1 * down2 + down2**2))
    return difference - below, difference + above


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Return the two-sided exact p-value of McNemar's test; 1 where no item differs.

    Source: Q. McNemar (1947), Psychometrika 12, 153-157, in its exact (binomial) form: given the items that only one
    side got right, each side is as likely to have won each of them.
    """
    from scipy import stats

    discordant = only_first + only_second
    if discordant == 0:
        return 1.0
    return min(1.0, 2 * float(stats.binom.cdf(min(only_first, only_second), discordant, 0.5)))


def sign_flip_p(
    differences: Sequence[float] | NDArray[np.float64], rng: np.random.Generator, *, resamples: int = _RESAMPLES
) -> float:
    """Return the two-sided p-value that paired differences are symmetric about zero.

    Source: E. J. G. Pitman (1937), J. R. Stat. Soc. Suppl. 4, 119-130 (permutation test of pairs), by Monte Carlo with
    the +1 of B. Phipson and G. K. Smyth (2010), Stat. Appl. Genet. Mol. Biol. 9, so that p is never 0.

    Raises:
        ValueError: There are no differences.
    """
    d = np.asarray(differences, dtype=np.float64)
    if d.size == 0:
        raise ValueError("needs at least one pair")
    observed = abs(float(d.sum()))
    # Sums in another order differ by rounding: what equals the observed sum up to that counts as extreme.
    threshold = observed - 1e-9 * max(1.0, float(np.abs(d).sum()))
    block = max(1, min(resamples, _BLOCK_VALUES // d.size))
    extreme = 0
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        signs = rng.integers(0, 2, size=(rows, d.size)) * 2 - 1
        extreme += int((np.abs(signs @ d) >= threshold).sum())
    return (1 + extreme) / (1 + resamples)


def _binary(a: NDArray[np.bool_], b: NDArray[np.bool_], level: float) -> PairedDifference:
    n = int(a.size)
    both, neither = int((a & b).sum()), int((~a & ~b).sum())
    only_first, only_second = int((a & ~b).sum()), int((~a & b).sum())
    low, high = newcombe_paired(both, only_first, only_second, neither, level=level)
    return PairedDifference(
        n=n,
        first=(both + only_first) / n,
        second=(both + only_second) / n,
        difference=(only_first - only_second) / n,
        low=low,
        high=high,
        only_first=only_first,
        only_second=only_second,
        p=mcnemar_exact(only_first, only_second),
        interval_method="newcombe",
        test_method="mcnemar",
    )


def _real(a: NDArray[np.float64], b: NDArray[np.float64], rng: np.random.Generator, level: float) -> PairedDifference:
    d = a - b
    low: float | None = None
    high: float | None = None
    reason = "one item has no interval"
    if d.size > 1:
        low, high = percentile_interval(d, lambda sample: sample.mean(axis=1), rng, level, _RESAMPLES)
        reason = ""
    return PairedDifference(
        n=int(d.size),
        first=float(a.mean()),
        second=float(b.mean()),
        difference=float(d.mean()),
        low=low,
        high=high,
        only_first=None,
        only_second=None,
        p=sign_flip_p(d, rng),
        interval_method="bootstrap",
        test_method="sign-flip",
        reason=reason or None,
    )


def _phi(both: int, only_first: int, only_second: int, neither: int) -> float:
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    if margins == 0:
        return 0.0
    numerator = float(both * neither - only_first * only_second)
    if numerator > 0:
        numerator = max(0.0, numerator - (both + only_first + only_second + neither) / 2)
    return numerator / math.sqrt(margins)
