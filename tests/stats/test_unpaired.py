"""Differences of unlike items, against statsmodels, scipy, published tables and a numeric maximum of the likelihood."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.stats.proportion import confint_proportions_2indep
from statsmodels.stats.proportion import test_proportions_2indep as two_shares

from evalsuite.stats import newcombe_independent, non_inferiority_independent_p, unpaired_difference
from evalsuite.stats.clusters import cluster_error, cluster_mean
from evalsuite.stats.unpaired import independent_shares_z, shares_p


@pytest.mark.parametrize(
    ("first", "second"), [((56, 70), (48, 80)), ((0, 10), (0, 20)), ((10, 10), (0, 10)), ((3, 7), (9, 90))]
)
def test_newcombe_agrees_with_statsmodels(first: tuple[int, int], second: tuple[int, int]) -> None:
    found = newcombe_independent(first, second)
    other = confint_proportions_2indep(*first, *second, compare="diff", method="newcomb")
    assert (found.low, found.high) == pytest.approx(other, abs=1e-9)
    assert found.n == first[1] + second[1]


def test_newcombe_of_nothing_is_missing() -> None:
    assert newcombe_independent((0, 0), (1, 2)).reason == "one side has no items"
    with pytest.raises(ValueError, match="3 right answers of 2"):
        newcombe_independent((3, 2), (1, 2))


@pytest.mark.parametrize(
    ("first", "second", "golden"),
    [
        # Intervals of Miettinen and Nurminen in R. G. Newcombe (1998), Stat. Med. 17, 873-890, table II.
        ((56, 70), (48, 80), (0.0528, 0.3382)),
        ((9, 10), (3, 10), (0.1700, 0.8406)),
        ((5, 56), (0, 29), (-0.0326, 0.1933)),
    ],
)
def test_the_score_statistic_gives_the_published_intervals(
    first: tuple[int, int], second: tuple[int, int], golden: tuple[float, float]
) -> None:
    z = stats.norm.ppf(0.975)
    ends = [
        optimize.brentq(lambda d, s=s: independent_shares_z(first, second, d) - s * z, -0.999, 0.999) for s in (1, -1)
    ]
    assert ends == pytest.approx(golden, abs=6e-5)


@pytest.mark.parametrize("difference", [-0.2, -0.01, 0.15])
@pytest.mark.parametrize(("first", "second"), [((45, 50), (40, 60)), ((3, 12), (2, 9)), ((245, 356), (270, 370))])
def test_the_statistic_uses_the_most_likely_shares_under_the_hypothesis(
    first: tuple[int, int], second: tuple[int, int], difference: float
) -> None:
    (x1, n1), (x2, n2) = first, second

    def loss(p: float) -> float:
        q = p + difference
        return -(x1 * math.log(q) + (n1 - x1) * math.log(1 - q) + x2 * math.log(p) + (n2 - x2) * math.log(1 - p))

    bounds = max(0.0, -difference) + 1e-12, min(1.0, 1 - difference) - 1e-12
    p = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-13}).x
    q = p + difference
    variance = (q * (1 - q) / n1 + p * (1 - p) / n2) * (n1 + n2) / (n1 + n2 - 1)
    golden = (x1 / n1 - x2 / n2 - difference) / math.sqrt(variance)
    assert independent_shares_z(first, second, difference) == pytest.approx(golden, abs=1e-6)
    assert non_inferiority_independent_p(first, second, 0.1) == pytest.approx(
        stats.norm.sf(independent_shares_z(first, second, -0.1))
    )


@pytest.mark.parametrize(("first", "second"), [((45, 50), (40, 60)), ((3, 12), (2, 9)), ((245, 356), (270, 370))])
def test_the_test_of_no_difference_is_that_of_statsmodels(first: tuple[int, int], second: tuple[int, int]) -> None:
    # For other differences statsmodels 0.15 does not find the most likely shares (see the test above), so that only
    # this one can be compared with it.
    other = two_shares(*first, *second, method="score", compare="diff", correction=True)
    p, name = shares_p(first, second)
    assert p == pytest.approx(other.pvalue)
    assert name == "chi-square, n-1"
    table = [[first[0], first[1] - first[0]], [second[0], second[1] - second[0]]]
    total = first[1] + second[1]
    chi2 = stats.chi2_contingency(table, correction=False).statistic * (total - 1) / total
    assert shares_p(first, second)[0] == pytest.approx(stats.chi2.sf(chi2, 1))


def test_few_expected_items_are_tested_by_fisher() -> None:
    p, name = shares_p((1, 50), (0, 40))
    assert p == pytest.approx(stats.fisher_exact(np.array([[1, 49], [0, 40]])).pvalue)
    assert name == "fisher"
    assert shares_p((0, 5), (0, 7)) == (1.0, "fisher")


def test_a_margin_between_shares() -> None:
    wide, narrow = (non_inferiority_independent_p((90, 100), (90, 100), margin) for margin in (0.15, 0.01))
    assert wide is not None
    assert narrow is not None
    assert wide < 0.01
    assert narrow > 0.3
    assert non_inferiority_independent_p((0, 0), (1, 2), 0.1) is None
    assert non_inferiority_independent_p((10, 10), (10, 10), 0.05) == pytest.approx(0.23975, abs=1e-5)  # statsmodels
    for margin in (0.0, 1.0):
        with pytest.raises(ValueError, match="margin"):
            non_inferiority_independent_p((1, 2), (1, 2), margin)
    with pytest.raises(ValueError, match="cannot be tested"):
        independent_shares_z((0, 0), (1, 2), 0.0)


def test_shares_get_newcombes_interval() -> None:
    a, b = np.r_[np.ones(20), np.zeros(10)], np.r_[np.ones(15), np.zeros(25)]
    found = unpaired_difference(a, b, np.random.default_rng(0))
    golden = newcombe_independent((20, 30), (15, 40))
    assert (found.difference, found.low, found.high) == (golden.value, golden.low, golden.high)
    assert (found.p, found.test_method) == shares_p((20, 30), (15, 40))
    assert (found.n_first, found.n_second, found.paired, found.bootstrap) == (30, 40, False, None)
    assert found.se == pytest.approx(math.hypot(a.std() / math.sqrt(30), b.std() / math.sqrt(40)))


def test_real_scores_get_welchs_test_of_scipy_and_a_bootstrap() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.6, 0.1, 25), rng.normal(0.5, 0.3, 60)
    found = unpaired_difference(a, b, np.random.default_rng(2))
    golden = stats.ttest_ind(a, b, equal_var=False)
    ends = golden.confidence_interval(0.95)
    assert (found.p, found.df, found.low, found.high) == pytest.approx((golden.pvalue, golden.df, ends.low, ends.high))
    other = stats.bootstrap(
        (a, b), lambda x, y, axis=-1: x.mean(axis=axis) - y.mean(axis=axis), method="percentile", rng=3
    ).confidence_interval
    assert found.bootstrap is not None
    assert (found.bootstrap.low, found.bootstrap.high) == pytest.approx((other.low, other.high), abs=0.004)
    assert unpaired_difference(a, b).bootstrap is None


def test_clusters_of_shares_are_squared_and_added() -> None:
    rng = np.random.default_rng(4)
    a, b = (rng.random(40) < 0.7).astype(float), (rng.random(60) < 0.5).astype(float)
    groups = [i // 4 for i in range(40)], [i // 5 for i in range(60)]
    found: Any = unpaired_difference(a, b, clusters=groups)
    one: Any = cluster_mean(a, groups[0])
    two: Any = cluster_mean(b, groups[1])
    d = a.mean() - b.mean()
    assert found.low == pytest.approx(d - math.hypot(one.value - one.low, two.high - two.value))
    assert found.high == pytest.approx(d + math.hypot(one.high - one.value, two.value - two.low))
    errors: Any = cluster_error(a, groups[0]), cluster_error(b, groups[1])
    golden = stats.ttest_ind_from_stats(
        errors[0].mean,
        errors[0].se * math.sqrt(10),
        10,
        errors[1].mean,
        errors[1].se * math.sqrt(12),
        12,
        equal_var=False,
    )
    # Clusters of equal size are as good as their means.
    assert found.p == pytest.approx(golden.pvalue)
    assert (found.interval_method, found.test_method) == ("newcombe, clusters", "welch, clusters")


def test_what_cannot_be_compared_says_why() -> None:
    assert unpaired_difference([], [1.0]).reason == "one side has no items"
    assert unpaired_difference([0.5], [0.1, 0.4]).reason == "one item on a side: no interval, no test"
    assert (
        unpaired_difference([0.5] * 3, [0.1] * 4).reason
        == "the scores of each side are all alike: no interval, no test"
    )
    one = unpaired_difference([1.0, 0.0], [1.0, 1.0], clusters=("aa", "bc"))
    assert one.reason == "items of one cluster on a side: no interval, no test"
    with pytest.raises(ValueError, match="missing"):
        unpaired_difference([math.nan], [1.0])
