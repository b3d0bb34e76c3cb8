"""Items that come in clusters, such as questions on one passage, and so are no independent sample: means and their errors."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.stats.estimate import Estimate
from evalsuite.stats.intervals import wilson_bounds

__all__ = ["ClusterError", "are_clustered", "cluster_error", "cluster_mean", "cluster_sums", "resampled_sums"]

_BLOCK_VALUES = 2_000_000
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class ClusterError:
    """A mean over items, and how sure it is where whole clusters were drawn."""

    mean: float
    se: float | None
    """Standard error, in units of the values; none with a single cluster. 0 where all clusters have the same mean."""
    df: float
    """Degrees of freedom of the standard error, for Student's t; 0 with a single cluster."""
    clusters: int
    n: int

    def quantile(self, level: float) -> float:
        """Return the two-sided quantile of Student's t; there are two clusters or more."""
        from scipy.special import stdtrit

        return float(stdtrit(self.df, (1 + level) / 2))


def are_clustered(clusters: Sequence[Hashable] | None, n: int) -> bool:
    """Return whether items share clusters; those that all stand alone are an ordinary sample.

    Raises:
        ValueError: There is not one cluster for each of the `n` items.
    """
    if clusters is None:
        return False
    if len(clusters) != n:
        raise ValueError(f"{n} values in {len(clusters)} clusters: give one cluster for each value")
    return len(set(clusters)) < n


def cluster_error(values: NDArray[np.float64], clusters: Sequence[Hashable]) -> ClusterError:
    """Return the mean over items with the standard error of a sample of whole clusters.

    The variance is linearised, with the correction CR2 for few or unequal clusters: the residual sum of each cluster is
    divided by sqrt(1 - its share of the items). Source: R. M. Bell and D. F. McCaffrey (2002), Survey Methodology 28,
    169-181, for a regression on a constant alone; degrees of freedom by Satterthwaite, for items that are independent
    (G. W. Imbens and M. Kolesár 2016, Rev. Econ. Stat. 98, 701-712). With clusters of equal size these are
    the sample variance of the cluster means over their number, and their number less one.

    Args:
        values: One number per item, at least one.
        clusters: The cluster of each item, in the same order.

    Raises:
        ValueError: The two differ in length, or there are no items.
    """
    n = int(values.size)
    if n != len(clusters) or n == 0:
        raise ValueError(f"{n} values in {len(clusters)} clusters: give one cluster for each value, and at least one")
    mean = float(values.mean())
    sums = cluster_sums(np.column_stack([values - mean, np.ones(n)]), clusters)
    m = len(sums)
    if m == 1:
        return ClusterError(mean, None, 0.0, 1, n)
    residuals, sizes = sums[:, 0], sums[:, 1]
    rest = 1 - sizes / n
    se = float(np.sqrt((residuals**2 / rest).sum())) / n
    if se <= _ROUNDING * max(1.0, float(np.abs(values).max())):
        se = 0.0
    squares = sizes**2
    parts = squares / (n * rest)
    df = n**2 / float(squares.sum() + parts.sum() ** 2 - (parts**2).sum())
    return ClusterError(mean, se, df, m, n)


def cluster_mean(
    values: NDArray[np.float64], clusters: Sequence[Hashable], *, level: float = 0.95, share: bool = True
) -> Estimate:
    """Return a mean over items, with an interval for items that come in clusters.

    Scores that are all 0 or 1 get Wilson's interval with the effective number of items, p (1 - p) / se², and the
    quantile of Student's t (N. Dean and M. Pagano 2015, J. Surv. Stat. Methodol. 3, 484-503; E. L. Korn and
    B. I. Graubard 1998, Survey Methodology 24, 193-201). Where the standard error is 0, since all scores or all means of
    clusters are alike, each cluster counts as one item. Other scores get Student's t interval. Standard error and
    degrees of freedom are those of `cluster_error`.

    Args:
        values: One score per item.
        clusters: The cluster of each item, in the same order.
        level: Coverage of the interval.
        share: Whether scores that are all 0 or 1 say right and wrong; else they are numbers like others.

    Raises:
        ValueError: The two differ in length.
    """
    n = int(values.size)
    binary = share and n > 0 and bool(np.isin(values, (0.0, 1.0)).all())
    method = "wilson, clusters" if binary else "t, clusters"
    if n != len(clusters):
        raise ValueError(f"{n} values in {len(clusters)} clusters: give one cluster for each value")
    if n == 0:
        return Estimate(None, None, None, 0, method, "no items")
    found = cluster_error(values, clusters)
    if found.se is None:
        return Estimate(found.mean, None, None, n, method, "items of one cluster have no interval")
    quantile = found.quantile(level)
    if binary:
        spread = found.mean * (1 - found.mean)
        items = spread / found.se**2 if found.se and spread else float(found.clusters)
        low, high = wilson_bounds(found.mean * items, items, level, quantile=quantile)
        return Estimate(found.mean, low, high, n, method)
    if not found.se:
        what = "items score the same" if np.ptp(values) == 0 else "clusters have the same mean"
        reason = f"all {what}, so that the interval has no width"
        return Estimate(found.mean, None, None, n, method, reason)
    return Estimate(found.mean, found.mean - quantile * found.se, found.mean + quantile * found.se, n, method)


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
