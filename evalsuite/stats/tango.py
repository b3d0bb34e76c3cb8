"""The score test of a difference of two paired shares that need not be zero, and the interval that it gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["tango_interval", "tango_statistics", "tango_z"]

_EDGE = 1e-12


def tango_z(only_first: float, only_second: float, n: float, difference: float) -> float:
    """Return the score statistic of share(first) - share(second) = `difference`, near standard normal if that is true.

    (b - c - n d) / sqrt(n (2 q + d (1 - d))), where q is the share of items that only the second got right which is
    most likely if the difference is d. With d = 0 it is McNemar's statistic without correction. Source: T. Tango
    (1998), Equivalence test and confidence interval for the difference in proportions for the paired-sample design,
    Stat. Med. 17, 891-908.

    Args:
        only_first: Items that only the first got right (b); need not be whole where `n` is an effective number.
        only_second: Items that only the second got right (c).
        n: All items.
        difference: The difference that is tested (d), between -1 and 1.

    Raises:
        ValueError: A count is negative, both are more than `n`, or the difference is not between -1 and 1.
    """
    if min(only_first, only_second) < 0 or only_first + only_second > n * (1 + _EDGE) or n <= 0:
        raise ValueError(f"{only_first} and {only_second} items of {n} cannot be right on one side only")
    if not -1 < difference < 1:
        raise ValueError(f"a difference of {difference} is not between -1 and 1")
    return float(tango_statistics(np.float64(only_first), np.float64(only_second), n, difference))


def tango_statistics(
    only_first: NDArray[np.float64] | np.float64,
    only_second: NDArray[np.float64] | np.float64,
    n: float,
    difference: float,
) -> NDArray[np.float64]:
    """Return `tango_z` of many counts at once; counts are not checked."""
    a = 2 * n
    b = difference * (2 * n - only_first + only_second) - only_first - only_second
    c = -only_second * difference * (1 - difference)
    q = (np.sqrt(np.maximum(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = n * (2 * q + difference * (1 - difference))
    excess = only_first - only_second - n * difference
    # Without an item that differs, the variance is 0 where no difference is tested.
    return np.asarray(np.where(variance > 0, excess / np.sqrt(np.where(variance > 0, variance, 1.0)), 0.0))


def tango_interval(
    only_first: float, only_second: float, n: float, level: float = 0.95, *, quantile: float | None = None
) -> tuple[float, float]:
    """Return the differences that Tango's score test does not reject: the interval of two paired shares' difference.

    Source: see `tango_z`. A test of non-inferiority at (1 - level) / 2 rejects just where the lower end is above the
    margin.

    Args:
        only_first: Items that only the first got right.
        only_second: Items that only the second got right.
        n: All items, more than 0.
        level: Coverage of the interval.
        quantile: In place of the normal quantile of `level` (Student's t, where a variance was estimated).

    Raises:
        ValueError: A count is negative, both are more than `n`, or `level` is not between 0 and 1.
    """
    from statistics import NormalDist

    from scipy.optimize import brentq

    if not 0 < level < 1:
        raise ValueError(f"level {level} is not between 0 and 1")
    z = NormalDist().inv_cdf((1 + level) / 2) if quantile is None else quantile
    edge = 1 - _EDGE
    value = max(-edge, min(edge, (only_first - only_second) / n))

    def end(sign: int) -> float:
        def beyond(difference: float) -> float:
            return tango_z(only_first, only_second, n, difference) + sign * z

        # The statistic falls as the difference rises; at the edge it may not have fallen far enough.
        if sign * beyond(sign * edge) >= 0:
            return float(sign)
        return float(brentq(beyond, value, sign * edge, xtol=1e-13))

    return end(-1), end(1)
