"""Intervals for items that come in clusters, such as questions on one passage, and so are no independent sample."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from evalsuite.stats.intervals import Estimate, wilson_bounds

__all__ = ["cluster_mean", "cluster_sums", "resampled_sums"]

_BLOCK_VALUES = 2_000_000


def cluster_mean(
    values: NDArray[np.float64],
    clusters: Sequence[Hashable],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
) -> Estimate:
    """Return a mean over items, with a percentile interval from a bootstrap that draws whole clusters.

    Source: A. C. Davison and D. V. Hinkley (1997), Bootstrap Methods and their Application, section 3.8 (resampling
    whole clusters); the mean is a ratio of two sums over clusters. A bootstrap of scores that are all 0, or all 1, has
    no width: the interval is then Wilson's, with each cluster counted as one item.

    Args:
        values: One score per item.
        clusters: The cluster of each item, in the same order.
        rng: Source of randomness.
        level: Coverage of the interval.
        resamples: Number of bootstrap samples.

    Raises:
        ValueError: The two differ in length.
    """
    method = "cluster bootstrap"
    n = int(values.size)
    if n != len(clusters):
        raise ValueError(f"{n} values in {len(clusters)} clusters: give one cluster for each value")
    if n == 0:
        return Estimate(None, None, None, 0, method, "no items")
    mean = float(values.mean())
    sums = cluster_sums(np.column_stack([values, np.ones(n)]), clusters)
    if len(sums) == 1:
        return Estimate(mean, None, None, n, method, "items of one cluster have no interval")
    if (values == values[0]).all() and values[0] in (0.0, 1.0):
        low, high = wilson_bounds(int(values[0]) * len(sums), len(sums), level)
        return Estimate(mean, low, high, n, "wilson of clusters")
    drawn = np.concatenate([part[:, 0] / part[:, 1] for part in resampled_sums(sums, rng, resamples)])
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Estimate(mean, float(low), float(high), n, method)


def cluster_sums(rows: NDArray[np.float64], clusters: Sequence[Hashable]) -> NDArray[np.float64]:
    """Return the sums of rows by cluster, clusters in the order in which they first appear."""
    place = {key: i for i, key in enumerate(dict.fromkeys(clusters))}
    out = np.zeros((len(place), rows.shape[1]))
    np.add.at(out, [place[key] for key in clusters], rows)
    return out


def resampled_sums(
    sums: NDArray[np.float64], rng: np.random.Generator, resamples: int
) -> Iterator[NDArray[np.float64]]:
    """Yield the totals of bootstrap samples of rows, in blocks: one row per sample, one column per statistic."""
    m = len(sums)
    block = max(1, min(resamples, _BLOCK_VALUES // m))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = rng.integers(0, m, size=(size, m)) + m * np.arange(size)[:, None]
        # How often each row was drawn, so that the totals are one product of matrices.
        yield np.bincount(drawn.ravel(), minlength=size * m).reshape(size, m) @ sums
