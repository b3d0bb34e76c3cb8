"""One sample against a limit: scipy and statsmodels as the independent implementations, enumeration for the error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from evalsuite.stats.clusters import cluster_mean
from evalsuite.stats.one_sample import (
    items_for_share,
    items_to_settle,
    mean_against,
    quantile_against,
    share_against,
)


@pytest.mark.parametrize(
    ("right", "n", "limit"), [(83, 120, 0.6), (10, 60, 0.6), (38, 60, 0.6), (0, 21, 0.083), (30, 30, 0.9)]
)
def test_a_share_is_tested_and_bounded_as_scipy_does(right, n, limit):
    found: Any = share_against(right, n, limit)
    above = stats.binomtest(right, n, limit, alternative="greater")
    below = stats.binomtest(right, n, limit, alternative="less")
    assert found.p_above == pytest.approx(above.pvalue, rel=1e-12)
    assert found.p_below == pytest.approx(below.pvalue, rel=1e-12)
    assert found.low == pytest.approx(above.proportion_ci(0.95, "exact").low, abs=1e-12)
    assert found.high == pytest.approx(below.proportion_ci(0.95, "exact").high, abs=1e-12)
    assert (found.value, found.n) == (right / n, n)


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_the_bounds_of_a_share_decide_as_its_tests_do(confidence):
    for right in range(0, 41, 3):
        for limit in np.linspace(0.03, 0.97, 12):
            found: Any = share_against(right, 40, float(limit), confidence=confidence)
            assert (found.low >= limit) == (found.p_above <= 1 - confidence)
            assert (found.high <= limit) == (found.p_below <= 1 - confidence)


@pytest.mark.parametrize("limit", [0.05, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("n", [7, 40, 121])
def test_a_share_at_the_limit_passes_in_at_most_one_of_twenty_cases_whatever_n_is(n, limit):
    x = np.arange(n + 1)
    passes = np.array([(share_against(int(right), n, limit).p_above or 0.0) <= 0.05 for right in x])
    assert stats.binom.pmf(x, n, limit)[passes].sum() <= 0.05


def test_other_scores_are_tested_as_scipy_does():
    values = np.random.default_rng(5).normal(31, 9, 40)
    found: Any = mean_against(values, 28.0)
    above = stats.ttest_1samp(values, 28.0, alternative="greater")
    assert found.p_above == pytest.approx(above.pvalue, rel=1e-9)
    assert found.p_below == pytest.approx(1 - above.pvalue, rel=1e-9)
    assert found.low == pytest.approx(above.confidence_interval(0.95).low, rel=1e-9)
    assert found.method == "t"


def test_clusters_of_equal_size_are_tested_by_their_means():
    # With equal sizes the linearised error is that of a sample of the clusters' means.
    values = np.random.default_rng(6).normal(0.6, 0.2, (12, 5))
    found: Any = mean_against(values.ravel(), 0.55, clusters=[i // 5 for i in range(60)])
    above = stats.ttest_1samp(values.mean(axis=1), 0.55, alternative="greater")
    assert found.p_above == pytest.approx(above.pvalue, rel=1e-9)
    assert (found.n, found.units) == (60, 12)


def test_right_and_wrong_in_clusters_decide_as_the_interval_of_clusters_does():
    rng = np.random.default_rng(7)
    clusters = [i // 4 for i in range(80)]
    values = (rng.random(80) < np.repeat(rng.beta(3, 2, 20), 4)).astype(float)
    bounds: Any = cluster_mean(values, clusters, level=0.9)
    for limit in np.linspace(0.3, 0.9, 61):
        found: Any = mean_against(values, float(limit), clusters=clusters)
        assert (bounds.low >= limit) == (found.p_above <= 0.05)
        assert (bounds.high <= limit) == (found.p_below <= 0.05)
    # Clusters that answer alike are worth less than as many independent items.
    alike = np.repeat(values[:20], 4)
    found = mean_against(alike, 0.5, clusters=clusters)
    assert found.p_above > share_against(int(alike.sum()), 80, 0.5).p_above


def test_clusters_that_are_all_right_count_once_each():
    found: Any = mean_against(np.ones(60), 0.8, clusters=[i // 6 for i in range(60)])
    assert found.p_above == pytest.approx(stats.binomtest(10, 10, 0.8, alternative="greater").pvalue)
    assert (found.n, found.units, found.value) == (60, 10, 1.0)


@pytest.mark.parametrize(("values", "clusters"), [([0.4], None), ([3.0, 3.0, 3.0], None), ([0.2, 0.8], ["a", "a"])])
def test_what_has_no_error_has_no_test_but_a_reason(values, clusters):
    found: Any = mean_against(values, 0.5, clusters=clusters)
    assert found.p_above is None
    assert found.p_below is None
    assert "no test" in found.reason
    assert items_to_settle(found, 0.5) is None


def test_no_items_have_a_reason_too():
    assert mean_against([], 0.5).reason == "no items"
    assert quantile_against([], 0.95, 1.0).reason == "no values"


def test_fifty_nine_fast_requests_show_the_95th_percentile_and_no_fewer():
    # 0.95 ** 59 = 0.0485: a published rule of acceptance sampling (95 % / 95 %).
    assert quantile_against(np.linspace(0.1, 0.9, 59), 0.95, 1.0).p_below == pytest.approx(0.95**59)
    assert quantile_against(np.linspace(0.1, 0.9, 59), 0.95, 1.0).high == 0.9
    assert quantile_against(np.linspace(0.1, 0.9, 58), 0.95, 1.0).high is None


@pytest.mark.parametrize("n", [24, 59, 100, 300])
def test_a_quantile_is_tested_by_how_many_values_lie_within_the_limit(n):
    values = np.random.default_rng(n).gamma(4, 0.1, n)
    for limit in np.quantile(values, [0.5, 0.8, 0.9, 0.95, 0.99, 1.0]):
        found: Any = quantile_against(values, 0.95, float(limit))
        within = int((values <= limit).sum())
        assert found.p_below == pytest.approx(stats.binomtest(within, n, 0.95, alternative="greater").pvalue)
        assert found.p_above == pytest.approx(stats.binomtest(within, n, 0.95, alternative="less").pvalue)
        assert (found.high is not None and found.high <= limit) == (found.p_below <= 0.05)
        assert (found.low is not None and limit < found.low) == (found.p_above <= 0.05)


@pytest.mark.parametrize(
    ("share", "limit"), [(0.7, 0.6), (0.5, 0.6), (0.9, 0.8), (0.02, 0.1), (1.0, 0.95), (0.0, 0.08)]
)
def test_the_items_that_are_needed_are_the_least_from_which_on_the_power_holds(share, limit):
    needed = items_for_share(share, limit)
    assert needed is not None

    def power(n):
        right = np.arange(n + 1)
        side = "p_above" if share > limit else "p_below"
        shown = [getattr(share_against(int(x), n, limit), side) <= 0.05 for x in right]
        return stats.binom.pmf(right, n, share)[shown].sum()

    assert needed == 1 or power(needed - 1) < 0.8
    assert all(power(n) >= 0.8 for n in (needed, needed + 1, needed + 7))


def test_a_share_at_its_limit_is_settled_by_no_number():
    assert items_for_share(0.6, 0.6) is None
    assert items_for_share(0.6001, 0.6) is None
    assert items_for_share(0.61, 0.6) == pytest.approx(14_785, rel=0.02)


def test_items_that_settle_a_mean_are_those_of_statsmodels():
    values = np.random.default_rng(8).normal(30, 9, 50)
    found: Any = mean_against(values, 26.0)
    effect = abs(values.mean() - 26.0) / values.std(ddof=1)
    expected = TTestPower().solve_power(effect_size=effect, alpha=0.05, power=0.8, alternative="larger")
    assert items_to_settle(found, 26.0) == pytest.approx(expected, abs=1.5)


@pytest.mark.parametrize("call", [
    lambda: share_against(5, 4, 0.5),
    lambda: share_against(5, 9, 0.0),
    lambda: share_against(5, 9, 0.5, confidence=0.5),
    lambda: mean_against([1.0, float("nan")], 0.5),
    lambda: mean_against([1.0, 0.0], 0.5, clusters=["a"]),
    lambda: quantile_against([1.0], 1.0, 2.0),
    lambda: items_for_share(1.2, 0.5),
    lambda: items_for_share(0.6, 0.5, power=1.0),
])  # fmt: skip
def test_what_is_out_of_range_is_refused(call):
    with pytest.raises(ValueError):
        call()
