"""Means over groups: against all sign flips of a small case, the textbook error of a stratified mean, statsmodels, scipy."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from evalsuite.stats.pooled import GroupOfItems, pooled_mean, pooled_p


def _group(values: list[float] | np.ndarray, name: str = "") -> GroupOfItems:
    data = np.asarray(values, dtype=np.float64)
    return GroupOfItems([f"{name}{i}" for i in range(data.size)], data)


def test_groups_count_alike_however_many_items_they_have() -> None:
    found = pooled_mean([_group([1.0] * 9 + [0.0], "a"), _group([0.0, 0.0], "b")])
    assert found.value == pytest.approx((0.9 + 0.0) / 2)
    assert found.n == 12


def test_the_test_is_that_of_all_sign_flips() -> None:
    a, b = [0.5, -0.25, 1.0, 0.75], [1.0, 0.5, 0.0]
    terms = [x / 8 for x in a] + [x / 6 for x in b]
    sums = [abs(sum(s * t for s, t in zip(signs, terms, strict=True))) for signs in product((1, -1), repeat=7)]
    exact = sum(s >= abs(sum(terms)) - 1e-12 for s in sums) / len(sums)
    assert pooled_p([_group(a, "a"), _group(b, "b")], np.random.default_rng(3)) == pytest.approx(exact, abs=0.015)


def test_the_interval_is_that_of_a_stratified_mean() -> None:
    # Cochran (1977), sections 5.3 and 5.4, equal weights; Satterthwaite's degrees of freedom.
    rng = np.random.default_rng(5)
    groups = [rng.normal(0.1, 1, 8), rng.normal(-0.2, 2, 20), rng.normal(0, 0.5, 4)]
    found = pooled_mean([_group(g, str(i)) for i, g in enumerate(groups)])
    parts = [g.var(ddof=1) / g.size / 9 for g in groups]
    df = sum(parts) ** 2 / sum(v**2 / (g.size - 1) for v, g in zip(parts, groups, strict=True))
    half = student.ppf(0.975, df) * np.sqrt(sum(parts))
    mean = np.mean([g.mean() for g in groups])
    assert (found.value, found.low, found.high) == pytest.approx((mean, mean - half, mean + half))


def test_one_group_is_a_t_test() -> None:
    values = np.random.default_rng(9).normal(0.3, 1, 15)
    found = pooled_mean([_group(values)])
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_the_interval_covers_what_it_should_where_groups_share_items() -> None:
    rng = np.random.default_rng(21)
    hits = []
    for _ in range(1500):
        shared = rng.normal(0, 1, 30)
        groups = [
            GroupOfItems(range(30), shared + rng.normal(0.2, 0.5, 30)),
            GroupOfItems(range(20), shared[:20] + rng.normal(0.4, 0.5, 20)),
            GroupOfItems(range(100, 112), rng.normal(0, 2, 12)),
        ]
        found = pooled_mean(groups)
        assert found.low is not None and found.high is not None
        hits.append(found.low <= 0.2 <= found.high)
    assert 0.935 <= np.mean(hits) <= 0.965


def test_items_that_groups_share_count_once() -> None:
    # Two groups of the same items with the same differences tell no more than one; as if of other items, they would.
    values = np.random.default_rng(8).normal(0, 1, 100)
    one, same, apart = (
        pooled_mean(groups)
        for groups in (
            [_group(values)],
            [_group(values), _group(values)],
            [_group(values, "a"), _group(values, "b")],
        )
    )
    widths = [e.high - e.low for e in (one, same, apart) if e.high is not None and e.low is not None]
    assert widths[1] == pytest.approx(widths[0], rel=0.01)
    assert widths[2] == pytest.approx(widths[0] / np.sqrt(2), rel=0.01)
    twice, once = (pooled_p([_group(values)] * k, np.random.default_rng(1)) for k in (2, 1))
    assert twice == pytest.approx(once)


def test_groups_that_share_items_by_way_of_a_third_count_once_too() -> None:
    values = np.random.default_rng(2).normal(0, 1, 60)
    first, second = GroupOfItems(range(30), values[:30]), GroupOfItems(range(30, 60), values[30:])
    bridge = GroupOfItems([0, 59], np.array([0.0, 0.0]))
    found = pooled_mean([first, second, bridge])
    assert found.value == pytest.approx((values[:30].mean() + values[30:].mean()) / 3)
    # One part of 60 units, of which each adds its deviation from its group's mean to the mean over three groups.
    added = np.concatenate([values[:30] - values[:30].mean(), values[30:] - values[30:].mean()]) / (3 * 30)
    half = student.ppf(0.975, 59) * np.sqrt(60 / 59 * (added**2).sum())
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half))


def test_the_interval_of_clusters_is_that_of_a_cluster_robust_regression() -> None:
    rng = np.random.default_rng(6)
    clusters = np.repeat(np.arange(15), 4)
    values = rng.normal(0, 1, 15)[clusters] + rng.normal(0, 1, clusters.size)
    fit = sm.OLS(values, np.ones(values.size)).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    found = pooled_mean([GroupOfItems(clusters.tolist(), values)])
    assert (found.low, found.high) == pytest.approx(tuple(fit.conf_int()[0]))


def test_what_is_missing_has_a_reason() -> None:
    assert pooled_mean([]).reason == "no groups"
    single = pooled_mean([_group([0.5], "a"), _group([0.1, 0.2], "b")])
    assert single.value == pytest.approx(0.325)
    assert single.reason == "a group whose items are one unit has no interval"
    flat = pooled_mean([_group([0.0] * 5)])
    assert (flat.value, flat.low) == (0.0, None)
    assert flat.reason == "all items of a group differ by the same, so that the interval has no width"
    assert pooled_p([_group([0.0] * 5)], np.random.default_rng(0)) == 1.0
    with pytest.raises(ValueError, match="each group needs items"):
        pooled_mean([_group([])])
