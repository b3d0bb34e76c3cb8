"""Paired comparisons against published values, statsmodels, scipy and simulation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import optimize
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from evalsuite.stats import matched_odds, mcnemar_exact, newcombe_paired, paired_difference
from evalsuite.stats.clusters import cluster_error

TABLES = [(36, 12, 2, 0), (14, 5, 0, 22), (0, 5, 9, 46), (53, 3, 1, 3), (20, 10, 10, 20), (0, 30, 0, 30), (1, 0, 0, 0)]


@pytest.mark.parametrize("table", [t for t in TABLES if 0 < t[0] + t[1] < sum(t) and 0 < t[0] + t[2] < sum(t)])
def test_newcombe_agrees_with_the_formula_on_vectors(table: tuple[int, int, int, int]) -> None:
    # Another path to method 10: statsmodels' Wilson, numpy's correlation of the item vectors, then the correction.
    both, first, second, neither = table
    n = sum(table)
    a = np.repeat([1, 1, 0, 0], table)
    b = np.repeat([1, 0, 1, 0], table)
    phi = float(np.corrcoef(a, b)[0, 1])
    determinant = both * neither - first * second
    if determinant > 0:
        phi *= max(0.0, determinant - n / 2) / determinant
    (l1, u1), (l2, u2) = (proportion_confint(int(x.sum()), n, method="wilson") for x in (a, b))
    p1, p2 = a.mean(), b.mean()
    low = p1 - p2 - math.sqrt((p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2)
    high = p1 - p2 + math.sqrt((u1 - p1) ** 2 - 2 * phi * (u1 - p1) * (p2 - l2) + (p2 - l2) ** 2)
    assert newcombe_paired(*table) == pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize("table", [(10, 10, 10, 10), (5, 20, 5, 20)])
def test_newcombe_without_correlation_is_the_interval_of_independent_samples(table: tuple[int, int, int, int]) -> None:
    # With phi 0, method 10 must be Newcombe's interval for two independent proportions, as statsmodels has it.
    both, first, second, _ = table
    n = sum(table)
    other = confint_proportions_2indep(both + first, n, both + second, n, compare="diff", method="newcomb")
    assert newcombe_paired(*table) == pytest.approx(other, abs=1e-9)


@pytest.mark.parametrize("table", TABLES)
def test_newcombe_mirrors_when_the_sides_swap(table: tuple[int, int, int, int]) -> None:
    both, first, second, neither = table
    low, high = newcombe_paired(both, first, second, neither)
    assert newcombe_paired(both, second, first, neither) == pytest.approx((-high, -low), abs=1e-12)
    assert -1 <= low <= (first - second) / sum(table) <= high <= 1


def test_newcombe_holds_the_true_difference_as_often_as_it_says() -> None:
    rng = np.random.default_rng(11)
    cells = (0.35, 0.25, 0.10, 0.30)
    draws = rng.multinomial(60, cells, size=3000)
    held = [low <= 0.15 <= high for low, high in (newcombe_paired(*map(int, d)) for d in draws)]
    # 3000 draws: the standard error of the coverage is 0.4 points.
    assert 0.935 <= float(np.mean(held)) <= 0.97


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (0, 1), (3, 3), (12, 2), (2, 12), (40, 22), (0, 29)])
def test_mcnemar_agrees_with_statsmodels_and_scipy(first: int, second: int) -> None:
    found = mcnemar_exact(first, second)
    assert found == pytest.approx(float(mcnemar([[5, first], [second, 5]], exact=True).pvalue))
    if first + second:
        assert found == pytest.approx(scipy_stats.binomtest(first, first + second, 0.5).pvalue)


def test_binary_difference_counts_by_hand() -> None:
    a, b = [1, 1, 1, 0, 0, 1], [1, 0, 0, 1, 0, 0]
    found = paired_difference(a, b)
    assert (found.n, found.only_first, found.only_second) == (6, 3, 1)
    assert found.difference == pytest.approx(2 / 6)
    assert (found.first, found.second) == pytest.approx((4 / 6, 2 / 6))
    assert (found.low, found.high) == newcombe_paired(1, 3, 1, 1)
    assert found.p == pytest.approx(mcnemar_exact(3, 1))
    assert (found.interval_method, found.test_method, found.reason) == ("newcombe", "mcnemar", None)
    assert found.se == pytest.approx(float(np.std(np.subtract(a, b))) / math.sqrt(6))
    assert found.odds == matched_odds(3, 1)


def test_no_pairs_is_missing_with_a_reason() -> None:
    found = paired_difference([], [])
    assert (found.n, found.difference, found.low, found.p) == (0, None, None, None)
    assert found.reason == "no items in common"


def test_one_pair_and_equal_pairs() -> None:
    one = paired_difference([1.0], [0.0])
    assert one.difference == 1.0
    assert one.p == 1.0
    assert one.low is not None
    assert one.low < 0.0
    same = paired_difference([1.0, 0.0, 1.0], [1.0, 0.0, 1.0])
    assert (same.difference, same.p) == (0.0, 1.0)
    assert same.low is not None
    assert same.low < 0.0  # never a zero-width interval
    assert same.high == -same.low


def test_what_are_no_pairs_is_refused() -> None:
    with pytest.raises(ValueError, match="not pairs"):
        paired_difference([1.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="missing"):
        paired_difference([math.nan], [1.0])
    with pytest.raises(ValueError, match="generator"):
        paired_difference(np.linspace(0.5, 0.9, 20), np.full(20, 0.25))


def test_real_scores_get_the_t_interval_and_the_permutation_test_of_scipy() -> None:
    rng = np.random.default_rng(3)
    a = rng.beta(4, 3, 90)
    b = np.clip(a - rng.normal(0.05, 0.1, 90), 0, 1)
    found = paired_difference(a, b, rng=np.random.default_rng(1))
    other = scipy_stats.ttest_rel(a, b).confidence_interval(0.95)
    assert found.difference == pytest.approx(float((a - b).mean()))
    assert (found.low, found.high) == pytest.approx((other.low, other.high))
    assert found.se == pytest.approx(scipy_stats.sem(a - b))
    test = scipy_stats.permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=10_000, rng=4
    )
    assert found.p == pytest.approx(test.pvalue, abs=0.003)
    assert (found.only_first, found.interval_method, found.test_method) == (None, "t", "sign-flip")
    assert (found.clusters, found.odds) == (None, None)


def test_pairs_that_all_differ_alike_have_no_width() -> None:
    found = paired_difference([0.5, 0.25, 0.75], [0.5, 0.25, 0.75])
    assert (found.difference, found.low, found.p, found.se) == (0.0, None, 1.0, 0.0)
    assert found.reason == "all pairs differ by the same, so that the interval has no width"


def test_one_real_pair_has_no_interval() -> None:
    found = paired_difference([0.5], [0.2], rng=np.random.default_rng(0))
    assert found.difference == pytest.approx(0.3)
    assert (found.low, found.se, found.reason) == (None, None, "one item has no interval")


def test_newcombes_published_example() -> None:
    # R. G. Newcombe (1998), Stat. Med. 17, 2635-2650: 20, 12, 2 and 16 items, method 10 gives 0.0562 to 0.3292.
    assert newcombe_paired(20, 12, 2, 16) == pytest.approx((0.0562, 0.3292), abs=5e-5)


@pytest.mark.parametrize(("first", "second"), [(12, 2), (1, 7), (40, 38)])
def test_the_odds_ratio_is_that_of_the_binomial_share(first: int, second: int) -> None:
    found = matched_odds(first, second)
    share = scipy_stats.binomtest(first, first + second).proportion_ci(0.95, method="exact")
    assert found.value == pytest.approx(first / second)
    assert (found.low, found.high) == pytest.approx((share.low / (1 - share.low), share.high / (1 - share.high)))
    assert found.n == first + second


def test_the_odds_ratio_has_one_end_where_a_side_won_nothing() -> None:
    none = matched_odds(0, 0)
    assert (none.value, none.reason) == (None, "no item that only one side got right")
    infinite: Any = matched_odds(5, 0)
    assert (infinite.value, infinite.high) == (None, None)
    assert infinite.low == pytest.approx(0.025**0.2 / (1 - 0.025**0.2))
    assert infinite.reason == "no item that only the second got right: the ratio has no upper end"
    zero: Any = matched_odds(0, 5)
    assert (zero.value, zero.low, zero.reason) == (0.0, 0.0, None)
    assert zero.high == pytest.approx(1 / infinite.low)


def _pairs(seed: int, clusters: int = 15) -> tuple[np.ndarray, np.ndarray, list[int]]:
    rng = np.random.default_rng(seed)
    names = np.repeat(np.arange(clusters), rng.integers(1, 9, clusters))
    shared, moved = rng.normal(0, 0.7, clusters)[names], rng.normal(0, 0.7, clusters)[names]
    a = (shared + rng.normal(0, 1, names.size) < 0.3).astype(float)
    b = (shared + moved + rng.normal(0, 1, names.size) < 0).astype(float)
    return a, b, list(names)


def test_clustered_shares_get_the_roots_of_tangos_equation_with_their_effective_number() -> None:
    a, b, names = _pairs(1)
    found: Any = paired_difference(a, b, clusters=names)
    error: Any = cluster_error(a - b, names)
    # Another path to the constrained share: the maximum of the likelihood, by scipy, with the counts divided by the
    # design effect, which is the ratio of the two variances of the difference.
    effect = error.se**2 / ((a - b).var() / a.size)
    first, second, n = (x / effect for x in ((a > b).sum(), (a < b).sum(), a.size))
    t = scipy_stats.t.ppf(0.975, error.df)
    for end, sign in ((found.low, 1), (found.high, -1)):
        assert _score(first, second, n, end) == pytest.approx(sign * t, abs=1e-4)
    assert found.difference == pytest.approx((a - b).mean())
    assert (found.clusters, found.se) == (15, error.se)
    assert (found.interval_method, found.test_method) == ("tango, clusters", "sign-flip, clusters")
    assert found.odds is not None
    assert (found.odds.low, found.odds.reason) == (None, "items share clusters, so that no interval holds")


def _score(first: float, second: float, n: float, difference: float) -> float:
    def loss(q: float) -> float:
        return -(
            first * math.log(q + difference)
            + second * math.log(q)
            + (n - first - second) * math.log(1 - 2 * q - difference)
        )

    q = optimize.minimize_scalar(
        loss,
        bounds=(max(0, -difference) + 1e-12, (1 - difference) / 2 - 1e-12),
        method="bounded",
        options={"xatol": 1e-12},
    ).x
    return (first - second - n * difference) / math.sqrt(n * (2 * q + difference - difference**2))


def test_clustered_real_scores_get_t_with_the_clusters_error() -> None:
    a, b, names = _pairs(2)
    rng = np.random.default_rng(5)
    a, b = a + rng.normal(0, 0.1, a.size), b + rng.normal(0, 0.1, a.size)
    found = paired_difference(a, b, clusters=names, rng=rng)
    error: Any = cluster_error(a - b, names)
    half = scipy_stats.t.ppf(0.975, error.df) * error.se
    assert (found.low, found.high) == pytest.approx((error.mean - half, error.mean + half))
    assert (found.interval_method, found.test_method) == ("t, clusters", "sign-flip, clusters")


def test_the_test_of_clusters_flips_them_whole() -> None:
    a = np.array([1.0, 1, 1, 1, 0, 0, 0, 1])
    b = np.array([0.0, 0, 1, 0, 0, 1, 0, 0])
    # Sums of clusters 2, 1, -1, 1: |sum| is 3 or more for 2 of the 8 patterns of signs that begin with +.
    found = paired_difference(a, b, clusters=[0, 0, 1, 1, 2, 2, 3, 3])
    patterns = [abs(2 + x + y + z) >= 3 for x in (1, -1) for y in (1, -1) for z in (1, -1)]
    flipped = [abs(-2 + x + y + z) >= 3 for x in (1, -1) for y in (1, -1) for z in (1, -1)]
    assert found.p == pytest.approx((sum(patterns) + sum(flipped)) / 16)


def test_clusters_of_one_item_each_change_nothing() -> None:
    a, b, _ = _pairs(3)
    assert paired_difference(a, b, clusters=range(a.size)) == paired_difference(a, b)


def test_equal_answers_in_clusters_still_have_a_width() -> None:
    a = np.tile([1.0, 0.0, 1.0], 8)
    found = paired_difference(a, a, clusters=[i // 3 for i in range(24)])
    # Each cluster is worth an item: Tango's end of no difference among 8 is q² / (q² + 8).
    q = scipy_stats.t.ppf(0.975, 7) ** 2
    assert (found.low, found.high) == pytest.approx((-q / (q + 8), q / (q + 8)))
    assert found.p == 1.0


def test_one_cluster_has_no_interval() -> None:
    found = paired_difference([1.0, 0.0, 1.0], [0.0, 0.0, 1.0], clusters="aaa")
    assert (found.low, found.p, found.reason) == (None, 1.0, "items of one cluster have no interval")
    with pytest.raises(ValueError, match="2 pairs in 1 clusters"):
        paired_difference([1.0, 0.0], [0.0, 0.0], clusters="a")
    with pytest.raises(ValueError, match="0 pairs in 1 clusters"):
        paired_difference([], [], clusters="a")
