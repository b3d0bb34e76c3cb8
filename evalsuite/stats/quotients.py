"""What a correct answer costs: a mean cost over a mean score, each with its own uncertainty."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.stats.clusters import cluster_error
from evalsuite.stats.estimate import Estimate

__all__ = ["RelativeMean", "mean_of", "over", "ratio_of"]

_METHOD = "delta, log scale"


@dataclass(frozen=True, slots=True)
class RelativeMean:
    """A positive number with its relative standard error, which is the standard error of its logarithm."""

    value: float
    error: float | None
    """None where it is not known."""
    df: float
    """Degrees of freedom of that error; 0 where it is not known."""
    n: int
    """Items behind it."""
    reason: str | None = None
    """Why the error is not known."""


def mean_of(
    values: Sequence[float] | NDArray[np.float64],
    clusters: Sequence[Hashable] | None = None,
    *,
    reference: Sequence[float] | NDArray[np.float64] | None = None,
) -> RelativeMean:
    """Return a mean, or its ratio to that of a reference on the same items, with the relative standard error.

    The logarithm of the mean of x is linearised: an item adds (x_i / mean(x) - 1) / n to it, and with a reference
    (x_i / mean(x) - y_i / mean(y)) / n to the logarithm of the ratio (W. G. Cochran (1977), Sampling Techniques, 3rd
    ed., section 6.4). The error of what items add is that of `cluster_error`. For n scores of 0 and 1 that stand alone,
    with mean p, its square is (1 - p) / ((n - 1)·p).

    Args:
        values: A number that is not negative for each item.
        clusters: What items share; none where each stands alone.
        reference: The number of the same item in the reference, in the same order.

    Raises:
        ValueError: There are no items, lengths differ, or a mean is not above 0.
    """
    top = np.asarray(values, dtype=np.float64)
    bottom = np.ones_like(top) if reference is None else np.asarray(reference, dtype=np.float64)
    if top.shape != bottom.shape or not top.size or (clusters is not None and len(clusters) != top.size):
        raise ValueError(f"{top.size} values, {bottom.size} of the reference: give one for each of one or more items")
    if top.mean() <= 0 or bottom.mean() <= 0:
        raise ValueError("a mean that is not above 0 has no logarithm")
    n, value = int(top.size), float(top.mean() / bottom.mean())
    added = top / top.mean() - bottom / bottom.mean()
    found = cluster_error(added, range(n) if clusters is None else clusters)
    if found.se is None:
        return RelativeMean(value, None, 0.0, n, "one item, or one cluster of items, has no interval")
    return RelativeMean(value, found.se, found.df, n)


def over(cost: RelativeMean, score: RelativeMean, *, level: float = 0.95) -> Estimate:
    """Return cost / score of two independent measurements, with an interval that is never negative.

    The variances of the two logarithms add up (delta method; GUM, JCGM 100:2008, section 5.1.6), Student's t has the
    effective degrees of freedom of B. L. Welch (1947), Biometrika 34, 28-35, and F. E. Satterthwaite (1946), Biometrics
    Bull. 2, 110-114; the ends are taken back by exp. `n` of the estimate is that of the score.
    """
    return ratio_of((cost,), (score,), n=score.n, level=level)


def ratio_of(
    numerators: Sequence[RelativeMean], denominators: Sequence[RelativeMean], *, n: int, level: float = 0.95
) -> Estimate:
    """Return the product of the numerators over that of the denominators, all independent; as `over` for two.

    Args:
        numerators: One or more.
        denominators: One or more.
        n: Number of items to name in the estimate.
        level: Coverage of the interval.
    """
    from scipy.special import stdtrit

    parts = (*numerators, *denominators)
    value = math.prod(p.value for p in numerators) / math.prod(p.value for p in denominators)
    lacking = next((p for p in parts if p.error is None), None)
    if lacking is not None:
        return Estimate(value, None, None, n, _METHOD, lacking.reason or "its uncertainty is not known")
    squares = [(float(p.error or 0.0) ** 2, p.df) for p in parts]
    variance = sum(square for square, _ in squares)
    if variance == 0:
        return Estimate(value, value, value, n, _METHOD)
    df = variance**2 / sum(square**2 / freedom for square, freedom in squares)
    factor = math.exp(float(stdtrit(df, (1 + level) / 2)) * math.sqrt(variance))
    return Estimate(value, value / factor, value * factor, n, _METHOD)
