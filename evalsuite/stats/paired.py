"""Differences between two score vectors on the same items: interval and test that respect the pairing."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.stats.binomial import at_most
from evalsuite.stats.clusters import ClusterError, are_clustered, cluster_error, cluster_sums
from evalsuite.stats.estimate import Estimate
from evalsuite.stats.intervals import clopper_pearson, wilson_bounds
from evalsuite.stats.signflip import sign_flip_p
from evalsuite.stats.tango import tango_interval

__all__ = [
    "PairedDifference",
    "as_pairs",
    "effective_pairs",
    "is_binary",
    "matched_odds",
    "mcnemar_exact",
    "newcombe_paired",
    "paired_difference",
    "sign_flip_p",
]

_ONE_ITEM = "one item has no interval"
_ONE_CLUSTER = "items of one cluster have no interval"
_ALIKE = "all pairs differ by the same, so that the interval has no width"


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
    clusters: int | None = None
    """Number of clusters, where items share them; none where items were taken as independent."""
    odds: Estimate | None = None
    """Matched-pairs odds ratio, only first ÷ only second; none where scores are not 0 or 1."""
    se: float | None = None
    """Standard error of the difference, in units of the score; of whole clusters where there are any."""


def paired_difference(
    first: Sequence[float] | NDArray[np.float64],
    second: Sequence[float] | NDArray[np.float64],
    *,
    clusters: Sequence[Hashable] | None = None,
    rng: np.random.Generator | None = None,
    level: float = 0.95,
) -> PairedDifference:
    """Compare two score vectors on the same items, in the same order.

    ============  ==================================================  =================================
    scores        items independent                                   items in clusters
    ============  ==================================================  =================================
    all 0 or 1    Newcombe's interval, exact McNemar test             Tango's score interval with the
                                                                      effective number of items and
                                                                      Student's t; sign flips of clusters
    others        Student's t of the differences; sign flips          t of the differences with the
                                                                      clusters' standard error; sign
                                                                      flips of clusters
    ============  ==================================================  =================================

    Sources: `newcombe_paired`, `mcnemar_exact`, `tango_interval`, `sign_flip_p`, `cluster_error`. The effective number
    of items is n × (variance of the difference if items were independent) ÷ (variance of whole clusters), the design
    effect of L. Kish (1965), Survey Sampling, section 8.2. The choice is by simulation (docs/statistics.md): with few
    clusters a percentile bootstrap of clusters holds the true difference far too seldom.

    Args:
        first: One score per item.
        second: The score of the same item in the other condition.
        clusters: What each item shares with others (a passage, a document), in the same order; where all stand alone,
            items are taken as independent.
        rng: Source of randomness; not used for scores of 0 and 1, nor for 14 differences or fewer.
        level: Coverage of the interval.

    Raises:
        ValueError: The vectors differ in length, hold a NaN, or are real-valued and no generator was given.
    """
    a, b = as_pairs(first, second)
    if clusters is not None and len(clusters) != a.size:
        raise ValueError(f"{a.size} pairs in {len(clusters)} clusters: give one cluster for each pair")
    if a.size == 0:
        return PairedDifference(0, None, None, None, None, None, None, None, None, "", "", "no items in common")
    shared = clusters if are_clustered(clusters, int(a.size)) else None
    if is_binary(a, b):
        return _binary(a, b, shared, level)
    return _real(a, b, shared, rng, level)


def as_pairs(
    first: Sequence[float] | NDArray[np.float64], second: Sequence[float] | NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two vectors of scores of the same items as arrays.

    Raises:
        ValueError: They differ in length, or hold a NaN.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"{a.size} and {b.size} scores are not pairs")
    if np.isnan(a).any() or np.isnan(b).any():
        raise ValueError("a score is missing: take the items that both sides have")
    return a, b


def is_binary(*vectors: NDArray[np.float64]) -> bool:
    """Return whether all scores are 0 or 1."""
    return all(bool(((vector == 0) | (vector == 1)).all()) for vector in vectors)


def effective_pairs(
    first: NDArray[np.float64], second: NDArray[np.float64], error: ClusterError
) -> tuple[float, float, float]:
    """Return how many items only the first got right, only the second, and in all, that clustered ones are worth.

    They are the counts divided by the design effect. Where it cannot be told, since no item differs or all clusters
    differ alike, each cluster is worth one item.

    Args:
        first: 0 or 1 for each item.
        second: The same of the other condition.
        error: Of first minus second.
    """
    n, b, c = float(first.size), float((first > second).sum()), float((first < second).sum())
    independent = (b + c - (b - c) ** 2 / n) / n**2
    worth = independent / error.se**2 if error.se and independent > 0 else error.clusters / n
    return b * worth, c * worth, n * worth


def matched_odds(only_first: int, only_second: int, *, level: float = 0.95) -> Estimate:
    """Return the odds ratio of matched pairs, only first ÷ only second, with its exact interval.

    Source: N. E. Breslow and N. E. Day (1980), Statistical Methods in Cancer Research I, section 5.2: given the items
    that only one side got right, the share of the first is binomial, so that the interval is Clopper and Pearson's of
    that share, p ÷ (1 - p). Where the second won none, the ratio is infinite: only the lower end is known.

    Args:
        only_first: Items that only the first got right.
        only_second: Items that only the second got right.
        level: Least coverage of the interval.

    Returns:
        The ratio; `n` counts the items that differ.
    """
    share = clopper_pearson(only_first, only_first + only_second, level=level)
    method = "odds, clopper-pearson"
    if share.low is None or share.high is None:
        return Estimate(None, None, None, 0, method, "no item that only one side got right")
    low = share.low / (1 - share.low)
    if only_second == 0:
        reason = "no item that only the second got right: the ratio has no upper end"
        return Estimate(None, low, None, share.n, method, reason)
    return Estimate(only_first / only_second, low, share.high / (1 - share.high), share.n, method)


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
    discordant = only_first + only_second
    if abs(only_first - only_second) <= 1:
        return 1.0
    return min(1.0, 2 * float(at_most(min(only_first, only_second), discordant, 0.5)))


def _binary(
    a: NDArray[np.float64], b: NDArray[np.float64], clusters: Sequence[Hashable] | None, level: float
) -> PairedDifference:
    n = int(a.size)
    only_first, only_second = int((a > b).sum()), int((a < b).sum())
    difference = (only_first - only_second) / n
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    if clusters is None:
        both, neither = int((a + b == 2).sum()), int((a + b == 0).sum())
        low, high = newcombe_paired(both, only_first, only_second, neither, level=level)
        methods, p = ("newcombe", "mcnemar"), mcnemar_exact(only_first, only_second)
        # Of a single item the formula gives 0, which would say that it is sure.
        se = math.sqrt((only_first + only_second) / n - difference**2) / math.sqrt(n) if n > 1 else None
        odds, groups = matched_odds(only_first, only_second, level=level), None
    else:
        error = cluster_error(a - b, clusters)
        if error.se is None:
            reason = _ONE_CLUSTER
        else:
            low, high = tango_interval(*effective_pairs(a, b, error), level, quantile=error.quantile(level))
        methods, p = ("tango, clusters", "sign-flip, clusters"), _flip(a - b, clusters, None)
        se, odds, groups = error.se, _unsure(only_first, only_second), error.clusters
    return PairedDifference(
        n=n,
        first=float(a.mean()),
        second=float(b.mean()),
        difference=difference,
        low=low,
        high=high,
        only_first=only_first,
        only_second=only_second,
        p=p,
        interval_method=methods[0],
        test_method=methods[1],
        reason=reason,
        clusters=groups,
        odds=odds,
        se=se,
    )


def _real(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    clusters: Sequence[Hashable] | None,
    rng: np.random.Generator | None,
    level: float,
) -> PairedDifference:
    d = a - b
    # Items that stand alone are clusters of one: the same formulas are then those of an ordinary sample.
    error = cluster_error(d, range(d.size) if clusters is None else clusters)
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    if error.se is None:
        reason = _ONE_ITEM if clusters is None else _ONE_CLUSTER
    elif error.se == 0:
        reason = _ALIKE
    else:
        half = error.quantile(level) * error.se
        low, high = error.mean - half, error.mean + half
    return PairedDifference(
        n=int(d.size),
        first=float(a.mean()),
        second=float(b.mean()),
        difference=error.mean,
        low=low,
        high=high,
        only_first=None,
        only_second=None,
        p=_flip(d, clusters, rng),
        interval_method="t" if clusters is None else "t, clusters",
        test_method="sign-flip" if clusters is None else "sign-flip, clusters",
        reason=reason,
        clusters=None if clusters is None else error.clusters,
        se=error.se,
    )


def _flip(d: NDArray[np.float64], clusters: Sequence[Hashable] | None, rng: np.random.Generator | None) -> float:
    return sign_flip_p(d if clusters is None else cluster_sums(d[:, None], clusters)[:, 0], rng)


def _unsure(only_first: int, only_second: int) -> Estimate:
    """Return the odds ratio without an interval: that of `matched_odds` takes items as independent."""
    value = only_first / only_second if only_second else None
    return Estimate(
        value, None, None, only_first + only_second, "odds", "items share clusters, so that no interval holds"
    )


def _phi(both: int, only_first: int, only_second: int, neither: int) -> float:
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    if margins == 0:
        return 0.0
    numerator = float(both * neither - only_first * only_second)
    if numerator > 0:
        numerator = max(0.0, numerator - (both + only_first + only_second + neither) / 2)
    return numerator / math.sqrt(margins)
