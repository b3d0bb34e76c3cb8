"""Means of clustered items: against matrix algebra, statsmodels, roots of the score equation, and by simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import linalg, stats

from evalsuite.stats.clusters import are_clustered, cluster_error, cluster_mean, cluster_sums, resampled_sums


def _clustered(seed: int, clusters: int = 40, size: int = 5) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    levels = rng.normal(0, 1, clusters)
    names = [f"c{i}" for i in range(clusters) for _ in range(int(rng.integers(1, 2 * size)))]
    values = np.array([float(rng.normal(levels[int(n[1:])], 1) > 0) for n in names])
    return values, names


def _cr2_by_matrices(values: np.ndarray, names: list[str]) -> tuple[float, float]:
    """Return the standard error CR2 and its degrees of freedom for a regression on a constant, written out."""
    n = values.size
    hat = np.full((n, n), 1 / n)
    residuals = values - values.mean()
    rows, total = [], 0.0
    for name in dict.fromkeys(names):
        inside = np.array([other == name for other in names])
        adjust = linalg.inv(linalg.sqrtm(np.eye(inside.sum()) - hat[np.ix_(inside, inside)]).real)
        total += float((adjust @ residuals[inside]).sum()) ** 2
        rows.append((np.eye(n) - hat)[:, inside] @ adjust @ np.ones(inside.sum()))
    eigenvalues = linalg.eigvalsh(np.array(rows) @ np.array(rows).T)
    return np.sqrt(total) / n, eigenvalues.sum() ** 2 / (eigenvalues**2).sum()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_standard_error_and_degrees_of_freedom_are_those_of_bell_and_mccaffrey(seed: int) -> None:
    values, names = _clustered(seed, clusters=9)
    found = cluster_error(values, names)
    assert (found.se, found.df) == pytest.approx(_cr2_by_matrices(values, names), rel=1e-9)
    assert found.mean == pytest.approx(values.mean())
    assert (found.n, found.clusters) == (values.size, 9)


def test_with_clusters_of_equal_size_statsmodels_gives_the_same_error() -> None:
    values = np.random.default_rng(4).normal(5, 2, 60)
    groups = np.repeat(np.arange(12), 5)
    fit = sm.OLS(values, np.ones(60)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False, "df_correction": False}
    )
    found = cluster_error(values, list(groups))
    # Without its correction statsmodels divides by m; here it is by m - 1.
    assert found.se == pytest.approx(float(fit.bse[0]) * np.sqrt(12 / 11))
    assert found.df == pytest.approx(11)


def test_items_that_stand_alone_are_an_ordinary_sample() -> None:
    values = np.random.default_rng(5).normal(0, 1, 30)
    found = cluster_error(values, range(30))
    assert (found.se, found.df) == pytest.approx((stats.sem(values), 29))
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    interval: Any = cluster_mean(values, range(30), level=0.9)
    assert (interval.low, interval.high, interval.method) == (pytest.approx(low), pytest.approx(high), "t, clusters")


def test_shares_get_the_roots_of_the_score_equation_with_the_clusters_variance() -> None:
    values, names = _clustered(6, clusters=15)
    found: Any = cluster_mean(values, names)
    error: Any = cluster_error(values, names)
    p = values.mean()
    k = stats.t.ppf(0.975, error.df) ** 2 * error.se**2 / (p * (1 - p))
    assert (found.low, found.high) == pytest.approx(np.sort(np.roots([1 + k, -2 * p - k, p**2])))
    assert (found.value, found.n, found.method) == (pytest.approx(p), values.size, "wilson, clusters")


def test_the_interval_of_few_clusters_holds_the_true_share_as_often_as_it_says() -> None:
    held = 0
    for seed in range(600):
        values, names = _clustered(1000 + seed, clusters=12)
        found = cluster_mean(values, names)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.5 <= found.high
    # 95 % of 600 is 570, standard deviation 5; a percentile bootstrap of 12 clusters holds it in about 540.
    assert 553 <= held <= 592


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_scores_that_are_all_alike_count_clusters_as_items(value: float) -> None:
    names = [f"c{i // 4}" for i in range(40)]
    found = cluster_mean(np.full(40, value), names)
    # Wilson's end beyond 0 of 10 is q² / (10 + q²), here with the quantile of t(9).
    q = stats.t.ppf(0.975, 9) ** 2
    low, high = sorted([value, abs(value - q / (10 + q))])
    assert (found.low, found.high) == pytest.approx((low, high))
    assert (found.value, found.n, found.method) == (value, 40, "wilson, clusters")


def test_clusters_of_equal_means_count_as_items_or_have_no_interval() -> None:
    half = np.tile([0.0, 1.0], 6)
    pairs = [i // 2 for i in range(12)]
    q = stats.t.ppf(0.975, 5) ** 2
    found = cluster_mean(half, pairs)
    assert (found.low, found.high) == pytest.approx(np.sort(np.roots([1 + q / 6, -1 - q / 6, 0.25])))
    assert cluster_mean(half, pairs, share=False).reason == (
        "all clusters have the same mean, so that the interval has no width"
    )
    assert (
        cluster_mean(np.full(12, 55.5), pairs).reason == "all items score the same, so that the interval has no width"
    )


def test_one_cluster_has_no_interval() -> None:
    found = cluster_mean(np.array([1.0, 0.0]), ["a", "a"])
    assert (found.value, found.low, found.reason) == (0.5, None, "items of one cluster have no interval")
    assert cluster_mean(np.empty(0), []).reason == "no items"


def test_clusters_must_match_values() -> None:
    with pytest.raises(ValueError, match="2 values in 1 clusters"):
        cluster_mean(np.ones(2), ["a"])
    with pytest.raises(ValueError, match="3 values in 2 clusters"):
        are_clustered(["a", "b"], 3)
    with pytest.raises(ValueError, match="at least one"):
        cluster_error(np.empty(0), [])
    assert not are_clustered(None, 3)
    assert not are_clustered("abc", 3)
    assert are_clustered("aba", 3)


def test_sums_are_in_the_order_in_which_clusters_appear() -> None:
    sums = cluster_sums(np.array([[1.0, 1], [10, 1], [2, 1]]), ["b", "a", "b"])
    assert sums.tolist() == [[3.0, 2.0], [10.0, 1.0]]


def test_totals_are_those_of_as_many_rows_as_there_are() -> None:
    sums = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    drawn = np.concatenate(list(resampled_sums(sums, np.random.default_rng(10), 3000)))
    assert drawn.shape == (3000, 2)
    assert (drawn[:, 1] == 10 * drawn[:, 0]).all()
    # Three draws of 1, 2 or 4.
    assert set(drawn[:, 0]) == {3, 4, 5, 6, 7, 8, 9, 10, 12}
    assert drawn[:, 0].mean() == pytest.approx(7, abs=0.15)
