"""Intervals for one sample: a proportion, a mean, a ratio of two means."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evalsuite.stats.estimate import Estimate

__all__ = [
    "Estimate",
    "clopper_pearson",
    "geometric_ratio",
    "ratio_of_means",
    "wilson",
    "wilson_bounds",
]

_LEAST_RATIOS = 3
"""With two, Student's t has one degree of freedom: an interval over orders of magnitude says nothing."""


def wilson(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Return a proportion with Wilson's score interval.

    Source: E. B. Wilson (1927), J. Am. Stat. Assoc. 22, 209-212; without continuity correction,
    as recommended by R. G. Newcombe (1998), Stat. Med. 17, 857-872 (method 3).

    Args:
        successes: Number of items that were right.
        n: Number of items.
        level: Coverage of the interval.

    Raises:
        ValueError: `successes` is not between 0 and `n`.
    """
    method = "wilson"
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} items")
    if n == 0:
        return Estimate(None, None, None, 0, method, "no items")
    low, high = wilson_bounds(successes, n, level)
    return Estimate(successes / n, low, high, n, method)


def wilson_bounds(successes: float, n: float, level: float, *, quantile: float | None = None) -> tuple[float, float]:
    """Return the two ends of Wilson's interval.

    Args:
        successes: Items that were right; need not be whole where `n` is an effective number of items.
        n: Items, more than 0.
        level: Coverage of the interval.
        quantile: In place of the normal quantile of `level` (Student's t, where a variance was estimated).
    """
    z = _normal_quantile(level) if quantile is None else quantile
    p = successes / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(max(0.0, p * (1 - p) / n + z * z / (4 * n * n)))
    scale = 1 + z * z / n
    # At the edges the formula is exactly 0 or 1; rounding would leave 1e-17 or 0.9999999999.
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == n else (centre + half) / scale
    return low, high


def clopper_pearson(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Return a proportion with the exact interval, which holds the true share at least as often as it says.

    Source: C. J. Clopper and E. S. Pearson (1934), Biometrika 26, 404-413, from quantiles of the beta distribution.
    It is wider than Wilson's: take it where a guarantee counts more than width.

    Args:
        successes: Number of items that were right.
        n: Number of items.
        level: Least coverage of the interval.

    Raises:
        ValueError: `successes` is not between 0 and `n`, or `level` not between 0 and 1.
    """
    from scipy.special import betaincinv

    method = "clopper-pearson"
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} items")
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not between 0 and 1")
    if n == 0:
        return Estimate(None, None, None, 0, method, "no items")
    tail = (1 - level) / 2
    low = float(betaincinv(successes, n - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return Estimate(successes / n, low, high, n, method)


def ratio_of_means(
    numerators: Sequence[float] | NDArray[np.float64],
    denominators: Sequence[float] | NDArray[np.float64],
    *,
    level: float = 0.95,
) -> Estimate:
    """Return mean(numerators) / mean(denominators) over the same items, with an interval.

    Source: W. G. Cochran (1977), Sampling Techniques, 3rd ed., section 6.4 (linearised variance of a ratio
    estimator, infinite population), with a Student t quantile.

    Args:
        numerators: One number per item.
        denominators: The number of the same item in the reference, in the same order.
        level: Coverage of the interval.

    Raises:
        ValueError: The two differ in length.
    """
    from scipy.special import stdtrit

    top, bottom = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    method = "ratio"
    if top.shape != bottom.shape:
        raise ValueError(f"{top.size} numerators for {bottom.size} denominators")
    n = int(top.size)
    if n == 0:
        return Estimate(None, None, None, 0, method, "no items in common")
    base = float(bottom.mean())
    if base <= 0:
        return Estimate(None, None, None, n, method, "the reference is zero")
    ratio = float(top.mean()) / base
    if n == 1:
        return Estimate(ratio, None, None, 1, method, "one item has no interval")
    residuals = top - ratio * bottom
    error = math.sqrt(float(residuals @ residuals) / (n * (n - 1))) / base
    half = float(stdtrit(n - 1, (1 + level) / 2)) * error
    return Estimate(ratio, ratio - half, ratio + half, n, method)


def geometric_ratio(
    numerators: Sequence[float] | NDArray[np.float64],
    denominators: Sequence[float] | NDArray[np.float64],
    *,
    level: float = 0.95,
) -> Estimate:
    """Return the geometric mean of numerator / denominator over the same items, with an interval that is never negative.

    For times, whose errors are proportional to them: Student's t interval of the mean of log(numerator) − log(denominator),
    taken back by exp. Source of the mean: P. J. Fleming and J. J. Wallace (1986), How not to lie with statistics: the
    correct way to summarize benchmark results, Commun. ACM 29, 218-221.

    Args:
        numerators: One positive number per item.
        denominators: The number of the same item in the reference, in the same order.
        level: Coverage of the interval.

    Raises:
        ValueError: The two differ in length, or a number is not positive.
    """
    from scipy.special import stdtrit

    top, bottom = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    method = "geometric"
    if top.shape != bottom.shape:
        raise ValueError(f"{top.size} numerators for {bottom.size} denominators")
    n = int(top.size)
    if n == 0:
        return Estimate(None, None, None, 0, method, "no items in common")
    if not (top > 0).all() or not (bottom > 0).all():
        raise ValueError("a ratio on the log scale needs positive numbers")
    logs = np.log(top) - np.log(bottom)
    ratio = math.exp(float(logs.mean()))
    if n < _LEAST_RATIOS:
        told = f"{n} item{'s' * (n > 1)}, {_LEAST_RATIOS} needed for an interval"
        return Estimate(ratio, None, None, n, method, told)
    half = float(stdtrit(n - 1, (1 + level) / 2)) * float(logs.std(ddof=1)) / math.sqrt(n)
    return Estimate(ratio, ratio * math.exp(-half), ratio * math.exp(half), n, method)


def _normal_quantile(level: float) -> float:
    from statistics import NormalDist

    if not 0 < level < 1:
        raise ValueError(f"level {level} is not between 0 and 1")
    return NormalDist().inv_cdf((1 + level) / 2)
