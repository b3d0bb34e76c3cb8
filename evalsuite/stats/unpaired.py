"""Differences between scores of unlike items, which cannot be paired: interval, test and non-inferiority."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalsuite.stats.bootstrap import resampled
from evalsuite.stats.clusters import ClusterError, are_clustered, cluster_error, cluster_mean
from evalsuite.stats.estimate import Estimate
from evalsuite.stats.intervals import wilson_bounds

__all__ = [
    "UnpairedDifference",
    "independent_shares_z",
    "newcombe_independent",
    "non_inferiority_independent_p",
    "shares_p",
    "unpaired_difference",
]

_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class UnpairedDifference:
    """Mean of the first sample minus mean of the second, on unlike items."""

    n_first: int
    n_second: int
    first: float | None
    second: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    """Two-sided p-value of no difference, before any correction."""
    interval_method: str
    test_method: str
    reason: str | None = None
    """Why there is no difference, interval or test."""
    se: float | None = None
    """Standard error of the difference, in units of the score."""
    df: float | None = None
    """Degrees of freedom of the standard error; none for shares of independent items."""
    bootstrap: Estimate | None = None
    """The percentile bootstrap interval, as a check on t; none for shares, with clusters, or without a generator."""
    paired: bool = False


def unpaired_difference(
    first: ArrayLike,
    second: ArrayLike,
    rng: np.random.Generator | None = None,
    *,
    clusters: tuple[Sequence[Hashable], Sequence[Hashable]] | None = None,
    level: float = 0.95,
) -> UnpairedDifference:
    """Compare the scores of two samples of unlike items.

    Shares (all scores 0 or 1) get Newcombe's interval (`newcombe_independent`) and the test of `shares_p`. Other scores
    get Welch's t interval and test (B. L. Welch 1947, Biometrika 34, 28-35), and with a generator a bootstrap that
    draws each sample from itself. Items in clusters get the same with the clusters' standard errors: Newcombe's
    square-and-add of the two intervals of `cluster_mean` for shares (G. Y. Zou and A. Donner 2008, Stat. Med. 27,
    1693-1702), and Student's t test with Welch's degrees of freedom.

    Args:
        first: One score per item.
        second: One score per item of the other sample.
        rng: Source of randomness of the bootstrap.
        clusters: What each item shares with others of its sample, for both samples.
        level: Coverage of the interval.

    Raises:
        ValueError: A score is missing, or there is not one cluster for each.
    """
    a, b = (np.asarray(side, dtype=np.float64) for side in (first, second))
    if np.isnan(a).any() or np.isnan(b).any():
        raise ValueError("a score is missing: take the items that have one")
    sizes = (int(a.size), int(b.size))
    if 0 in sizes:
        return UnpairedDifference(*sizes, *(None,) * 6, "", "", "one side has no items")
    groups = clusters or (range(a.size), range(b.size))
    shared = any(are_clustered(g, side.size) for g, side in zip(groups, (a, b), strict=True))
    errors = cluster_error(a, groups[0]), cluster_error(b, groups[1])
    if np.isin(np.concatenate([a, b]), (0.0, 1.0)).all():
        return _clustered_shares((a, b), groups, errors, level) if shared else _shares(a, b, level)
    found = _welch(sizes, errors, level, ", clusters" if shared else "")
    if rng is None or shared or found.low is None:
        return found
    return _with_bootstrap(found, (a, b), rng, level)


def newcombe_independent(first: tuple[int, int], second: tuple[int, int], *, level: float = 0.95) -> Estimate:
    """Return the first share minus the second, with Newcombe's interval for independent proportions.

    Source: R. G. Newcombe (1998), Interval estimation for the difference between independent proportions, Stat. Med. 17,
    873-890 (method 10, square-and-add, without continuity correction).

    Args:
        first: Right answers, and items.
        second: The same of the other items.
        level: Coverage of the interval.

    Returns:
        The difference, −1 to 1; `n` counts the items of both.

    Raises:
        ValueError: There are more right answers than items, or fewer than none.
    """
    method = "newcombe, independent"
    _check_counts(first, second)
    total = first[1] + second[1]
    if not first[1] or not second[1]:
        return Estimate(None, None, None, total, method, "one side has no items")
    p1, p2 = first[0] / first[1], second[0] / second[1]
    (low1, high1), (low2, high2) = (wilson_bounds(right, n, level) for right, n in (first, second))
    low = p1 - p2 - math.hypot(p1 - low1, high2 - p2)
    high = p1 - p2 + math.hypot(high1 - p1, p2 - low2)
    return Estimate(p1 - p2, low, high, total, method)


def independent_shares_z(first: tuple[int, int], second: tuple[int, int], difference: float) -> float:
    """Return the score statistic of share(first) - share(second) = `difference`, near standard normal if that is true.

    The variance is that of the shares which are most likely under the hypothesis, times N / (N - 1). Source: O. Miettinen
    and M. Nurminen (1985), Stat. Med. 4, 213-226, with the solution of the cubic equation of its appendix; without that
    factor it is the test of C. P. Farrington and G. Manning (1990), Stat. Med. 9, 1447-1454.

    Args:
        first: Right answers, and items, at least one.
        second: The same of the other items.
        difference: Between -1 and 1.

    Raises:
        ValueError: Counts or difference are impossible.
    """
    _check_counts(first, second)
    if not first[1] or not second[1] or not -1 < difference < 1:
        raise ValueError(f"a difference of {difference} with {first[1]} and {second[1]} items cannot be tested")
    (x1, n1), (x2, n2) = first, second
    total, right, d = n1 + n2, x1 + x2, difference
    # Cubic equation of the second share: l3 p³ + l2 p² + l1 p + l0 = 0.
    l3, l2 = total, (n1 + 2 * n2) * d - total - right
    l1, l0 = (n2 * d - total - 2 * x2) * d + right, x2 * d * (1 - d)
    q = l2**3 / (3 * l3) ** 3 - l1 * l2 / (6 * l3**2) + l0 / (2 * l3)
    p = math.copysign(math.sqrt(max(0.0, l2**2 / (3 * l3) ** 2 - l1 / (3 * l3))), q)
    angle = (math.pi + math.acos(max(-1.0, min(1.0, q / p**3)))) / 3 if p else math.pi / 2
    share2 = min(max(2 * p * math.cos(angle) - l2 / (3 * l3), 0.0, -d), 1.0, 1 - d)
    share1 = share2 + d
    variance = (share1 * (1 - share1) / n1 + share2 * (1 - share2) / n2) * total / (total - 1)
    excess = x1 / n1 - x2 / n2 - d
    return excess / math.sqrt(variance) if variance > 0 else 0.0


def non_inferiority_independent_p(first: tuple[int, int], second: tuple[int, int], margin: float) -> float | None:
    """Return the one-sided p-value of "the first share is lower by the margin or more", for unlike items.

    The score test of Miettinen and Nurminen (see `independent_shares_z`); a small p shows that the first is less than
    the margin worse.

    Args:
        first: Right answers, and items.
        second: The same of the other items.
        margin: The loss that would matter, between 0 and 1.

    Returns:
        The p-value; none where one side has no items.

    Raises:
        ValueError: The counts are impossible, or the margin is not between 0 and 1.
    """
    from scipy import stats

    if not 0 < margin < 1:
        raise ValueError(f"a margin of {margin} is not above 0 and below 1")
    _check_counts(first, second)
    if not first[1] or not second[1]:
        return None
    return float(stats.norm.sf(independent_shares_z(first, second, -margin)))


def shares_p(first: tuple[int, int], second: tuple[int, int]) -> tuple[float, str]:
    """Return the two-sided p-value that two independent shares are equal, and which test it is from.

    Pearson's chi-square with N - 1 in place of N, which is the score test of `independent_shares_z`, where all expected
    counts are 1 or more, else Fisher's exact test: the rule of I. Campbell (2007), Stat. Med. 26, 3661-3675.

    Args:
        first: Right answers, and items, at least one.
        second: The same of the other items.

    Raises:
        ValueError: The counts are impossible.
    """
    from scipy import stats

    _check_counts(first, second)
    (x1, n1), (x2, n2) = first, second
    right, total = x1 + x2, n1 + n2
    if min(right, total - right) * min(n1, n2) >= total:
        return 2 * float(stats.norm.sf(abs(independent_shares_z(first, second, 0.0)))), "chi-square, n-1"
    return float(stats.fisher_exact(np.array([[x1, n1 - x1], [x2, n2 - x2]])).pvalue), "fisher"


def _shares(a: NDArray[np.float64], b: NDArray[np.float64], level: float) -> UnpairedDifference:
    counts = (int(a.sum()), int(a.size)), (int(b.sum()), int(b.size))
    found = newcombe_independent(*counts, level=level)
    p, test = shares_p(*counts)
    one, two = float(a.mean()), float(b.mean())
    se = math.sqrt(one * (1 - one) / a.size + two * (1 - two) / b.size)
    return UnpairedDifference(
        n_first=int(a.size),
        n_second=int(b.size),
        first=one,
        second=two,
        difference=found.value,
        low=found.low,
        high=found.high,
        p=p,
        interval_method=found.method,
        test_method=test,
        se=se,
    )


def _clustered_shares(
    sides: tuple[NDArray[np.float64], NDArray[np.float64]],
    clusters: tuple[Sequence[Hashable], Sequence[Hashable]],
    errors: tuple[ClusterError, ClusterError],
    level: float,
) -> UnpairedDifference:
    found = _welch((int(sides[0].size), int(sides[1].size)), errors, level, ", clusters")
    one, two = (cluster_mean(v, c, level=level) for v, c in zip(sides, clusters, strict=True))
    difference, low, high = errors[0].mean - errors[1].mean, None, None
    if one.low is not None and one.high is not None and two.low is not None and two.high is not None:
        low = difference - math.hypot(errors[0].mean - one.low, two.high - errors[1].mean)
        high = difference + math.hypot(one.high - errors[0].mean, errors[1].mean - two.low)
    return UnpairedDifference(
        n_first=found.n_first,
        n_second=found.n_second,
        first=found.first,
        second=found.second,
        difference=difference,
        low=low,
        high=high,
        p=found.p,
        interval_method="newcombe, clusters",
        test_method=found.test_method,
        reason=found.reason,
        se=found.se,
        df=found.df,
    )


def _welch(
    sizes: tuple[int, int], errors: tuple[ClusterError, ClusterError], level: float, suffix: str
) -> UnpairedDifference:
    from scipy import stats

    first, second = errors
    difference = first.mean - second.mean
    method = f"welch{suffix}"
    known = *sizes, first.mean, second.mean, difference
    if first.se is None or second.se is None:
        few = "one item" if not suffix else "items of one cluster"
        return UnpairedDifference(*known, None, None, None, method, method, f"{few} on a side: no interval, no test")
    se = math.hypot(first.se, second.se)
    if se == 0:
        reason = "the scores of each side are all alike: no interval, no test"
        return UnpairedDifference(*known, None, None, None, method, method, reason, se=0.0)
    df = se**4 / (first.se**4 / first.df + second.se**4 / second.df)
    half = float(stats.t.ppf((1 + level) / 2, df)) * se
    p = 2 * float(stats.t.sf(abs(difference) / se, df))
    return UnpairedDifference(*known, difference - half, difference + half, p, method, method, se=se, df=df)


def _with_bootstrap(
    found: UnpairedDifference,
    sides: tuple[NDArray[np.float64], NDArray[np.float64]],
    rng: np.random.Generator,
    level: float,
) -> UnpairedDifference:
    drawn = [resampled(side, lambda sample: sample.mean(axis=1), rng, _RESAMPLES) for side in sides]
    low, high = np.quantile(drawn[0] - drawn[1], [(1 - level) / 2, (1 + level) / 2])
    n = found.n_first + found.n_second
    return replace(found, bootstrap=Estimate(found.difference, float(low), float(high), n, "bootstrap"))


def _check_counts(*sides: tuple[int, int]) -> None:
    for right, n in sides:
        if not 0 <= right <= n:
            raise ValueError(f"{right} right answers of {n} items: give a number from 0 to {n}")
