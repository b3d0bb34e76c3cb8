"""Paired comparisons against published values, statsmodels, scipy and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from evalsuite.stats import mcnemar_exact, newcombe_paired, paired_difference, sign_flip_p

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
        paired_difference([0.5], [0.25])


def test_real_scores_agree_with_scipy() -> None:
    rng = np.random.default_rng(3)
    a = rng.beta(4, 3, 90)
    b = np.clip(a - rng.normal(0.05, 0.1, 90), 0, 1)
    found = paired_difference(a, b, rng=np.random.default_rng(1))
    other = scipy_stats.bootstrap((a - b,), np.mean, n_resamples=10_000, method="percentile", rng=2)
    assert found.difference == pytest.approx(float((a - b).mean()))
    assert (found.low, found.high) == pytest.approx(tuple(other.confidence_interval), abs=0.003)
    test = scipy_stats.permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=10_000, rng=4
    )
    assert found.p == pytest.approx(test.pvalue, abs=0.003)
    assert (found.only_first, found.interval_method, found.test_method) == (None, "bootstrap", "sign-flip")


def test_sign_flip_is_exact_on_a_small_sample() -> None:
    # All 2**4 sign patterns: |sum| >= 10 for the two extreme ones only, so p is 2/16.
    p = sign_flip_p([1.0, 2.0, 3.0, 4.0], np.random.default_rng(0), resamples=40_000)
    assert p == pytest.approx(2 / 16, abs=0.006)
    assert sign_flip_p([0.0, 0.0], np.random.default_rng(0)) == 1.0
    with pytest.raises(ValueError, match="pair"):
        sign_flip_p([], np.random.default_rng(0))


def test_one_real_pair_has_no_interval() -> None:
    found = paired_difference([0.5], [0.2], rng=np.random.default_rng(0))
    assert found.difference == pytest.approx(0.3)
    assert (found.low, found.reason) == (None, "one item has no interval")
