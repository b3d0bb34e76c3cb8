"""The bootstrap: resamples of the rows of a sample, and percentile and BCa intervals from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalsuite.stats.estimate import Estimate

__all__ = ["bootstrap", "resampled"]

_BLOCK_VALUES = 2_000_000
"""Values drawn at once: bounds the memory of a bootstrap to some tens of megabytes."""
_NEAR = 1e-12
"""Share of a value by which rounding may move it."""

Array = NDArray[np.float64]


def bootstrap(
    data: ArrayLike,
    statistic: Callable[[Any], Any],
    rng: np.random.Generator,
    *,
    method: Literal["percentile", "bca"] = "bca",
    level: float = 0.95,
    resamples: int = 10_000,
    vectorised: bool = False,
) -> Estimate:
    """Return a statistic of a sample with a bootstrap interval; rows are drawn with replacement.

    `percentile`: B. Efron and R. J. Tibshirani (1993), An Introduction to the Bootstrap, chapter 13. `bca`: B. Efron
    (1987), Better bootstrap confidence intervals, J. Am. Stat. Assoc. 82, 171-185, with the bias correction from the
    share of resamples below the value (those equal to it count half) and the acceleration from the jackknife
    (Efron and Tibshirani 1993, equation 14.15).

    There is a value but no interval, with the reason, where there is one row, all resamples are alike, the statistic
    is not a number in some resample, or BCa is not defined: the value lies beyond all resamples, or the acceleration
    is so large that the correction has a pole. An acceleration that the jackknife cannot give (all of its values are
    alike) is taken as 0.

    Args:
        data: One row per item: n numbers, or n × k.
        statistic: Takes a sample as `data` is shaped, and returns a number; with `vectorised`, takes samples × n (× k)
            and returns a number for each sample.
        rng: Source of randomness.
        method: Which interval.
        level: Coverage of the interval.
        resamples: Number of bootstrap samples.
        vectorised: What `statistic` takes, see there; much faster.

    Raises:
        ValueError: `data` has no or more than two dimensions, or `level` is not between 0 and 1.
    """
    rows = np.asarray(data)
    if rows.ndim not in (1, 2):
        raise ValueError(f"data of {rows.ndim} dimensions: give one row per item")
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not between 0 and 1")
    n, name = len(rows), "bootstrap" if method == "percentile" else "bca"
    if n == 0:
        return Estimate(None, None, None, n, name, "no items")
    many = statistic if vectorised else _each(statistic)
    value = float(many(rows[None])[0])
    if not np.isfinite(value):
        return Estimate(None, None, None, n, name, "the statistic of these items is not a number")
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    found = "one item has no interval" if n == 1 else _ends(rows, many, rng, resamples, tails, value, method)
    if isinstance(found, str):
        return Estimate(value, None, None, n, name, found)
    return Estimate(value, *found, n, name)


def resampled(data: NDArray[Any], statistic: Callable[[Any], Any], rng: np.random.Generator, resamples: int) -> Array:
    """Return the statistic of each of many bootstrap samples.

    Args:
        data: One row per item, at least one.
        statistic: Takes samples × n (× k), returns a number for each sample. It is called with blocks of samples.
        rng: Source of randomness.
        resamples: Number of bootstrap samples.
    """
    block = max(1, min(resamples, _BLOCK_VALUES // data.size))
    found: list[Array] = []
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        found.append(np.asarray(statistic(data[rng.integers(0, len(data), size=(size, len(data)))]), dtype=np.float64))
    return np.concatenate(found)


def _ends(
    rows: NDArray[Any],
    statistic: Callable[[Any], Any],
    rng: np.random.Generator,
    resamples: int,
    tails: Array,
    value: float,
    method: str,
) -> tuple[float, float] | str:
    """Return the ends of an interval, or why there are none."""
    drawn = resampled(rows, statistic, rng, resamples)
    lost = int((~np.isfinite(drawn)).sum())
    if lost:
        return f"the statistic is not a number in {lost} of {resamples} resamples"
    if np.ptp(drawn) <= _NEAR * max(1.0, abs(value)):
        return "all resamples are alike, so that a bootstrap has no width"
    if method == "bca":
        found = _bca_tails(value, drawn, _jackknife(rows, statistic), tails)
        if isinstance(found, str):
            return found
        tails = found
    low, high = np.quantile(drawn, tails)
    return (float(low), float(high)) if low < high else "both ends fall on the same resample"


def _each(statistic: Callable[[Any], Any]) -> Callable[[Any], Array]:
    return lambda samples: np.array([float(statistic(sample)) for sample in samples])


def _jackknife(rows: NDArray[Any], statistic: Callable[[Any], Any]) -> Array:
    """Return the statistic without each row in turn."""
    n = len(rows)
    block = max(1, _BLOCK_VALUES // max(1, rows.size))
    found: list[Array] = []
    for start in range(0, n, block):
        left = np.arange(start, min(start + block, n))
        # Without row i the places from i on move by one.
        places = np.arange(n - 1)[None, :] + (np.arange(n - 1)[None, :] >= left[:, None])
        found.append(np.asarray(statistic(rows[places]), dtype=np.float64))
    return np.concatenate(found)


def _bca_tails(value: float, drawn: Array, left_out: Array, tails: Array) -> Array | str:
    """Return which quantiles of the resamples are the ends (Efron 1987, equation 2.3), or why there are none."""
    from scipy.special import ndtr, ndtri

    near = _NEAR * max(1.0, abs(value))
    below = float((drawn < value - near).mean() + (np.abs(drawn - value) <= near).mean() / 2)
    if not 0 < below < 1:
        return "the value lies beyond all resamples, so that BCa is not defined"
    if not np.isfinite(left_out).all():
        return "the statistic is not a number where one item is left out, so that BCa is not defined"
    centred = left_out.mean() - left_out
    squares = float((centred**2).sum())
    skew = float((centred**3).sum()) / (6 * squares**1.5) if squares > near**2 else 0.0
    bias = float(ndtri(below))
    shifted = bias + ndtri(tails)
    scale = 1 - skew * shifted
    if (scale <= 0).any():
        return f"the acceleration {skew:.2g} is too large for BCa"
    return np.asarray(ndtr(bias + shifted / scale), dtype=np.float64)
