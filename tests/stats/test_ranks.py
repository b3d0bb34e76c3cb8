"""The rank-sum test against a count over all ways to deal the values, and against scipy."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalsuite.stats.ranks import rank_sum_p


def counted_p(first, second):
    """Two-sided p by counting every way to deal the pooled ranks into two samples."""
    pooled = np.concatenate([first, second])
    ranks = scipy_stats.rankdata(pooled)
    n, total = len(first), len(pooled)
    middle = n * (total + 1) / 2
    seen = abs(ranks[:n].sum() - middle)
    sums = [abs(sum(ranks[list(chosen)]) - middle) for chosen in combinations(range(total), n)]
    return float(np.mean(np.array(sums) >= seen - 1e-9))


@pytest.mark.parametrize("sizes", [(3, 3), (4, 6), (6, 6), (1, 5)])
def test_small_samples_without_ties_are_exact(sizes):
    rng = np.random.default_rng(sum(sizes))
    first, second = rng.normal(0, 1, sizes[0]), rng.normal(0.8, 1, sizes[1])
    assert rank_sum_p(first, second) == pytest.approx(counted_p(first, second))


def test_large_samples_are_scipys_normal_approximation():
    rng = np.random.default_rng(5)
    first, second = rng.lognormal(0, 0.3, 90), rng.lognormal(0.1, 0.3, 80)
    wanted = scipy_stats.mannwhitneyu(first, second, method="asymptotic").pvalue
    assert rank_sum_p(first, second) == pytest.approx(wanted)


def test_ties_are_taken_into_account_and_equal_values_differ_in_nothing():
    first, second = [1, 1, 2, 2, 3, 3], [2, 2, 3, 3, 4, 4]
    assert rank_sum_p(first, second) == pytest.approx(
        scipy_stats.mannwhitneyu(first, second, method="asymptotic").pvalue
    )
    assert rank_sum_p([2.0, 2.0], [2.0, 2.0, 2.0]) == 1.0


@pytest.mark.parametrize(("first", "second", "told"), [([], [1.0], "0 and 1 values"), ([np.nan], [1.0], "finite")])
def test_what_is_no_sample_is_refused(first, second, told):
    with pytest.raises(ValueError, match=told):
        rank_sum_p(first, second)
