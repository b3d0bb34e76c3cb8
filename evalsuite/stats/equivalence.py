"""Whether one model is at most a stated margin worse than another on the same items, or within it on both sides."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from evalsuite.stats.clusters import are_clustered, cluster_error
from evalsuite.stats.paired import as_pairs, effective_pairs, is_binary
from evalsuite.stats.tango import tango_interval, tango_z

__all__ = ["non_inferiority_p", "tango_interval", "tost_p"]

Scores = Sequence[float] | NDArray[np.float64]


def non_inferiority_p(
    first: Scores, second: Scores, margin: float, *, clusters: Sequence[Hashable] | None = None
) -> float | None:
    """Return the one-sided p-value of "the first is worse than the second by the margin or more".

    The null hypothesis is mean(first) - mean(second) <= -margin; a small p shows that the first is less than the margin
    worse. Scores that are all 0 or 1 get Tango's score test (see `tango_z`), with the effective number of items and
    Student's t where items come in clusters, so that it agrees with the interval of `paired_difference`; other scores
    get Student's t test of the differences plus the margin, with the clusters' standard error where there are any
    (`cluster_error`).

    Args:
        first: One score per item.
        second: The score of the same item of what is compared with.
        margin: The loss that would matter, above 0, in units of the score (0.02 is two points of accuracy).
        clusters: What each item shares with others, in the same order.

    Returns:
        The p-value; none where there are too few items or clusters for a test (none at all, one cluster; one item, or
        no variance, for scores other than 0 and 1).

    Raises:
        ValueError: The vectors differ in length or hold a NaN, or the margin is not above 0 (and below 1 for scores of
            0 and 1).
    """
    from scipy.special import ndtr, stdtr

    a, b = as_pairs(first, second)
    binary = is_binary(a, b)
    if not 0 < margin < (1 if binary else np.inf):
        raise ValueError(f"a margin of {margin} is not above 0" + " and below 1" * binary)
    n = int(a.size)
    shared = are_clustered(clusters, n)
    if n == 0:
        return None
    if binary and not shared:
        return float(ndtr(-tango_z(int((a > b).sum()), int((a < b).sum()), n, -margin)))
    error = cluster_error(a - b, clusters if shared and clusters is not None else range(n))
    if error.se is None:
        return None
    if binary:
        return float(stdtr(error.df, -tango_z(*effective_pairs(a, b, error), -margin)))
    if error.se == 0:
        return None
    return float(stdtr(error.df, -(error.mean + margin) / error.se))


def tost_p(first: Scores, second: Scores, margin: float, *, clusters: Sequence[Hashable] | None = None) -> float | None:
    """Return the p-value of "they differ by the margin or more": the larger of two one-sided p-values.

    A small p shows that the two are equivalent, within the margin on both sides. Source: D. J. Schuirmann (1987),
    J. Pharmacokinet. Biopharm. 15, 657-680 (two one-sided tests); each side is `non_inferiority_p`.

    Args:
        first: One score per item.
        second: The score of the same item of what is compared with.
        margin: The difference that would matter, above 0, in units of the score.
        clusters: What each item shares with others, in the same order.

    Raises:
        ValueError: See `non_inferiority_p`.
    """
    below = non_inferiority_p(first, second, margin, clusters=clusters)
    above = non_inferiority_p(second, first, margin, clusters=clusters)
    return None if below is None or above is None else max(below, above)
