"""The interval of a mean score: which method fits the scores, chosen in one place."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalsuite.stats.clusters import are_clustered, cluster_mean
from evalsuite.stats.estimate import Estimate
from evalsuite.stats.intervals import wilson

__all__ = ["mean_skewed", "score_interval"]

_LEAST_ITEMS = 3
"""With two, there is no skewness, and Student's t has one degree of freedom."""


def score_interval(
    values: ArrayLike, clusters: Sequence[Hashable] | None = None, *, level: float = 0.95, share: bool = True
) -> Estimate:
    """Return a mean over items with the interval that fits the scores.

    Scores that are all 0 or 1 get Wilson's interval, others Student's t with a correction for skewness (`mean_skewed`);
    items in clusters get the intervals of `cluster_mean`.

    Args:
        values: One score per item.
        clusters: What each item shares with others, in the same order; where all stand alone, items are independent.
        level: Coverage of the interval.
        share: Whether scores are shares of 1: the interval then ends at 0 and 1, and 0 and 1 say right and wrong.

    Raises:
        ValueError: There is not one cluster for each value, or a value is missing.
    """
    data = np.asarray(values, dtype=np.float64)
    if np.isnan(data).any():
        raise ValueError("a score is missing: take the items that have one")
    if data.size and clusters is not None and are_clustered(clusters, int(data.size)):
        found = cluster_mean(data, clusters, level=level, share=share)
    elif share and np.isin(data, (0.0, 1.0)).all():
        return wilson(int(data.sum()), int(data.size), level=level)
    else:
        found = mean_skewed(data, level=level)
    if not share or found.low is None or found.high is None or data.min() < 0 or data.max() > 1:
        return found
    return replace(found, low=max(0.0, found.low), high=min(1.0, found.high))


def mean_skewed(values: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Return a mean with Student's t interval, corrected for the skewness of the values.

    The ends are those of P. Hall (1992), On the removal of skewness by transformation, J. R. Stat. Soc. B 54, 221-228:
    a cubic transformation, with an exact inverse, takes the skewness out of the t statistic. Without skewness it is
    Student's t interval. The choice is by simulation (docs/statistics.md).

    Args:
        values: One number per item, in any unit.
        level: Coverage of the interval.

    Raises:
        ValueError: `level` is not between 0 and 1.
    """
    from scipy.special import stdtrit

    if not 0 < level < 1:
        raise ValueError(f"level {level} is not between 0 and 1")
    data: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    n, method = int(data.size), "skew-t"
    if n == 0:
        return Estimate(None, None, None, 0, method, "no items")
    mean = float(data.mean())
    if n < _LEAST_ITEMS:
        told = "one item has no interval" if n == 1 else f"{n} items, {_LEAST_ITEMS} needed for an interval"
        return Estimate(mean, None, None, n, method, told)
    deviation = float(data.std(ddof=1))
    if deviation <= 1e-12 * max(1.0, float(np.abs(data).max())):
        reason = "all items score the same, so that the interval has no width"
        return Estimate(mean, None, None, n, method, reason)
    skew = float(((data - mean) ** 3).mean()) / deviation**3
    quantile = float(stdtrit(n - 1, (1 + level) / 2))
    ends = (mean - _unskewed(sign * quantile, skew, n) * deviation / math.sqrt(n) for sign in (1, -1))
    low, high = ends
    return Estimate(mean, low, high, n, method)


def _unskewed(quantile: float, skew: float, n: int) -> float:
    """Return the t statistic whose transform is the quantile: the inverse of Hall's g(t)."""
    if abs(skew) < 1e-6:
        return quantile
    root = math.sqrt(n)
    return 3 * root / skew * (math.cbrt(1 + skew * (quantile / root - skew / (6 * n))) - 1)
