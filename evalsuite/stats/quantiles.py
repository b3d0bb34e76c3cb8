"""Quantiles, means and ratios of medians of repeated measurements, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evalsuite.stats.bootstrap import resampled
from evalsuite.stats.estimate import Estimate

__all__ = ["mean_t", "quantile", "ratio_of_medians", "values_for_interval", "values_for_quantile"]


def quantile(values: Sequence[float] | NDArray[np.float64], q: float, *, level: float = 0.95) -> Estimate:
    """Return a quantile with its exact interval, whatever the distribution is.

    The value interpolates linearly between order statistics: type 7 of R. J. Hyndman and Y. Fan (1996),
    Am. Stat. 50, 361-365. The interval runs from one order statistic to another: the number of values below the true
    quantile is binomial (n, q), so that the interval from the r-th to the s-th smallest value holds it with probability
    P(r <= K <= s - 1) or more (H. A. David and H. N. Nagaraja (2003), Order Statistics, 3rd ed., section 7.1).
    Each tail gets at most half of 1 - level; where not even the largest (smallest) value leaves so little, it is
    taken, and the other tail gets what is left. So a 95 % interval of p95 exists from 59 values on.

    Args:
        values: One number per repeat, in any unit; the estimate is in the same one.
        q: Which quantile, between 0 and 1 (0.95 is p95).
        level: Least coverage of the interval.

    Raises:
        ValueError: `q` or `level` is not between 0 and 1, or a value is not a finite number.
    """
    data = np.sort(_finite(values))
    n, method = int(data.size), "order statistics"
    name = f"p{100 * q:g}"
    needed = values_for_quantile(q)
    if n < needed:
        return Estimate(None, None, None, n, method, f"{_count(n)}, {needed} needed for {name}")
    value = float(np.quantile(data, q, method="linear"))
    ranks = _ranks(n, q, level)
    if ranks is None:
        more = values_for_interval(q, level)
        reason = f"{_count(n)}, {more} needed for a {100 * level:g} % interval of {name}"
        return Estimate(value, None, None, n, method, reason)
    return Estimate(value, float(data[ranks[0] - 1]), float(data[ranks[1] - 1]), n, method)


def values_for_quantile(q: float) -> int:
    """Return how many values a quantile needs to mean anything: one of them is expected beyond it (p95: 20, p99: 100).

    Raises:
        ValueError: `q` is not between 0 and 1.
    """
    _check_share("q", q)
    # A median of one value is that value. Elsewhere the factor undoes rounding: 1 / (1 - 0.9) is a little above 10.
    return 1 if q == 0.5 else math.ceil((1 - 1e-9) / min(q, 1 - q))


def values_for_interval(q: float, level: float = 0.95) -> int:
    """Return the least n at which smallest and largest value hold the quantile: 1 - q^n - (1 - q)^n >= level.

    Raises:
        ValueError: `q` or `level` is not between 0 and 1.
    """
    _check_share("q", q)
    _check_share("level", level)
    tail = max(q, 1 - q)
    # The larger power alone gives a lower bound; the other one adds a step or two, near the median only.
    n = max(2, math.floor(math.log(1 - level) / math.log(tail)))
    while 1 - tail**n - (1 - tail) ** n < level:
        n += 1
    return n


def _ranks(n: int, q: float, level: float) -> tuple[int, int] | None:
    """Return the ranks, from 1, of the interval's ends; none where no pair covers enough."""
    from scipy import stats

    _check_share("level", level)
    miss = 1 - level
    below = stats.binom.cdf(np.arange(n), n, q)  # at r - 1: the r-th value lies above the quantile
    above = stats.binom.sf(np.arange(n), n, q)  # at s - 1: the s-th value lies below the quantile
    # What the outermost values already leave in one tail cannot be spent in the other.
    least_low, least_high = float(below[0]), float(above[-1])
    if least_low + least_high > miss:
        return None
    low_share = min(miss / 2, miss - least_high)
    high_share = min(miss / 2, miss - least_low)
    low = int(np.searchsorted(below, low_share, side="right"))
    high = n - int(np.searchsorted(above[::-1], high_share, side="right")) + 1
    # The outermost value is taken where it leaves more than the share; both together were found to do.
    return max(low, 1), min(high, n)


def mean_t(values: Sequence[float] | NDArray[np.float64], *, level: float = 0.95) -> Estimate:
    """Return a mean with Student's t interval.

    Source: Student (1908), Biometrika 6, 1-25. Exact where the values are normal, and near enough for the mean of many.

    Args:
        values: One number per repeat, in any unit.
        level: Coverage of the interval.

    Raises:
        ValueError: `level` is not between 0 and 1, or a value is not a finite number.
    """
    from scipy import stats

    _check_share("level", level)
    data = _finite(values)
    n, method = int(data.size), "t"
    if n == 0:
        return Estimate(None, None, None, 0, method, "no values")
    mean = float(data.mean())
    if n == 1:
        return Estimate(mean, None, None, 1, method, "one value has no interval")
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * float(data.std(ddof=1)) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, n, method)


def ratio_of_medians(
    values: Sequence[float] | NDArray[np.float64],
    reference: Sequence[float] | NDArray[np.float64],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
) -> Estimate:
    """Return median(values) / median(reference) of two independent samples, with a percentile bootstrap interval.

    Both samples are drawn again, each from itself (Efron and Tibshirani (1993), An Introduction to the Bootstrap,
    section 8.3 and chapter 13). `n` of the estimate is the size of the smaller sample.

    Args:
        values: One number per repeat.
        reference: The same of what is compared with, in the same unit; need not be as many.
        rng: Source of randomness.
        level: Coverage of the interval.
        resamples: Number of bootstrap samples.

    Raises:
        ValueError: `level` is not between 0 and 1, or a value is not a finite number.
    """
    top, bottom = _finite(values), _finite(reference)
    n, method = int(min(top.size, bottom.size)), "bootstrap"
    # Fewer values than a median's exact interval needs cannot show how far the median may be off, drawn again or not.
    needed = values_for_interval(0.5, level)
    if n == 0:
        return Estimate(None, None, None, 0, method, "no values" if top.size == 0 else "no values in the reference")
    base = float(np.median(bottom))
    if base <= 0:
        return Estimate(None, None, None, n, method, f"the reference's median is {base:g}, not above 0")
    ratio = float(np.median(top)) / base
    if n < needed:
        return Estimate(ratio, None, None, n, method, f"{_count(n)}, {needed} needed for a {100 * level:g} % interval")
    tops, bottoms = (resampled(side, lambda s: np.median(s, axis=1), rng, resamples) for side in (top, bottom))
    if float(bottoms.min()) <= 0:
        return Estimate(ratio, None, None, n, method, "the reference's median may be 0: the ratio has no upper end")
    low, high = np.quantile(tops / bottoms, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(ratio, float(low), float(high), n, method)


def _finite(values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    data = np.asarray(values, dtype=np.float64)
    if not np.isfinite(data).all():
        raise ValueError(f"{int((~np.isfinite(data)).sum())} of {data.size} values are no finite numbers")
    return data


def _check_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} {value} is not between 0 and 1")


def _count(n: int) -> str:
    return f"{n} value" if n == 1 else f"{n} values"
