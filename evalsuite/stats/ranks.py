"""Tests of ranks: whether one independent sample tends to larger values than another, whatever the distribution is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["rank_sum_p"]

_EXACT_PAIRS = 2_500
"""Products of the sizes up to which the exact distribution is used: beyond, the normal one is as good, and quick."""


def rank_sum_p(first: Sequence[float] | NDArray[np.float64], second: Sequence[float] | NDArray[np.float64]) -> float:
    """Return the two-sided p-value that two independent samples come from one distribution.

    Source: H. B. Mann and D. R. Whitney (1947), Ann. Math. Stat. 18, 50-60 (scipy's). Exact where no values tie and samples
    are small; otherwise by the normal distribution, corrected for ties and continuity.

    Args:
        first: One value per repeat.
        second: The same of what it is compared with, in the same unit; need not be as many.

    Raises:
        ValueError: A sample is empty, or a value is not a finite number.
    """
    from scipy import stats

    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if not a.size or not b.size:
        raise ValueError(f"{a.size} and {b.size} values: each side needs at least one")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("a value is no finite number")
    both = np.concatenate([a, b])
    if (both == both[0]).all():
        return 1.0
    exact = a.size * b.size <= _EXACT_PAIRS and np.unique(both).size == both.size
    return min(1.0, float(stats.mannwhitneyu(a, b, method="exact" if exact else "asymptotic").pvalue))
