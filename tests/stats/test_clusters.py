"""The bootstrap of clusters, against scipy's bootstrap of cluster sums and by simulation of its coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from evalsuite.stats.clusters import cluster_mean, cluster_sums, resampled_sums


def _clustered(seed: int, clusters: int = 40, size: int = 5) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    levels = rng.normal(0, 1, clusters)
    names = [f"c{i}" for i in range(clusters) for _ in range(int(rng.integers(1, 2 * size)))]
    values = np.array([float(rng.normal(levels[int(n[1:])], 1) > 0) for n in names])
    return values, names


def test_the_interval_is_that_of_scipy() -> None:
    values, names = _clustered(1)
    found = cluster_mean(values, names, np.random.default_rng(2))
    sums = cluster_sums(np.column_stack([values, np.ones(len(values))]), names)
    golden = stats.bootstrap(
        (sums[:, 0], sums[:, 1]), lambda s, n, axis=-1: s.sum(axis=axis) / n.sum(axis=axis), paired=True,
        method="percentile", n_resamples=10_000, rng=np.random.default_rng(3),
    ).confidence_interval  # fmt: skip
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((golden.low, golden.high), abs=0.01)
    assert (found.n, found.method) == (len(values), "cluster bootstrap")


def test_items_of_one_cluster_each_are_a_plain_bootstrap() -> None:
    values = np.random.default_rng(4).normal(30, 10, 60)
    found = cluster_mean(values, range(60), np.random.default_rng(5))
    golden = stats.bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(6)).confidence_interval
    assert (found.low, found.high) == pytest.approx((golden.low, golden.high), abs=0.25)


def test_the_interval_holds_the_true_mean_as_often_as_it_says() -> None:
    held = 0
    for seed in range(300):
        values, names = _clustered(1000 + seed)
        found = cluster_mean(values, names, np.random.default_rng(seed), resamples=400)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.5 <= found.high
    # 95 % of 300 is 285; below 268 has a probability under 0.001 even at a true coverage of 93 %, usual at 40 clusters.
    assert held >= 262


def test_scores_that_are_all_alike_count_clusters_as_items() -> None:
    names = [f"c{i // 4}" for i in range(40)]
    for value in (0.0, 1.0):
        found = cluster_mean(np.full(40, value), names, np.random.default_rng(7))
        golden = proportion_confint(int(10 * value), 10, method="wilson")
        assert (found.low, found.high) == pytest.approx(golden, abs=1e-12)
        assert (found.value, found.n, found.method) == (value, 40, "wilson of clusters")


def test_one_cluster_has_no_interval() -> None:
    found = cluster_mean(np.array([1.0, 0.0]), ["a", "a"], np.random.default_rng(8))
    assert (found.value, found.low, found.reason) == (0.5, None, "items of one cluster have no interval")
    assert cluster_mean(np.empty(0), [], np.random.default_rng(8)).reason == "no items"


def test_clusters_must_match_values() -> None:
    with pytest.raises(ValueError, match="2 values in 1 clusters"):
        cluster_mean(np.ones(2), ["a"], np.random.default_rng(9))


def test_totals_are_those_of_as_many_rows_as_there_are() -> None:
    sums = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    drawn = np.concatenate(list(resampled_sums(sums, np.random.default_rng(10), 3000)))
    assert drawn.shape == (3000, 2)
    assert (drawn[:, 1] == 10 * drawn[:, 0]).all()
    # Three draws of 1, 2 or 4.
    assert set(drawn[:, 0]) == {3, 4, 5, 6, 7, 8, 9, 10, 12}
    assert drawn[:, 0].mean() == pytest.approx(7, abs=0.15)
