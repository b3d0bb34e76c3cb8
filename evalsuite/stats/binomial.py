"""Tails of the binomial distribution, for many counts at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["at_least", "at_most"]


def at_most(hits: ArrayLike, n: ArrayLike, share: float) -> NDArray[np.float64]:
    """Return the probability of at most so many hits of n, where each has the same probability.

    It is a regularised incomplete beta function: C. J. Clopper and E. S. Pearson (1934), Biometrika 26, 404-413.
    `scipy.stats.binom` says the same, with checks that take twenty times as long and a module that takes half a second.

    Args:
        hits: One count or several; below 0 and above n have the probabilities 0 and 1.
        n: Trials, one for each or for all.
        share: Probability of each hit, 0 to 1.
    """
    return at_least(np.subtract(n, hits), n, 1 - share)


def at_least(hits: ArrayLike, n: ArrayLike, share: float) -> NDArray[np.float64]:
    """Return the probability of at least so many hits of n; see `at_most`."""
    from scipy.special import betainc

    most, trials = np.asarray(hits, dtype=np.float64), np.asarray(n, dtype=np.float64)
    found: Any = betainc(np.maximum(most, 1e-300), np.maximum(trials - most, 0) + 1, share)
    return np.where(most <= 0, 1.0, np.where(most > trials, 0.0, found))
