"""How many items would settle a comparison, against exact sums with scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalsuite.analysis.settling import detectable_difference, differing_share, needed_items
from evalsuite.stats.paired import PairedDifference, paired_difference
from evalsuite.stats.tango import tango_z


def difference(only_first: int, only_second: int, n: int) -> PairedDifference:
    first, second = np.zeros(n), np.zeros(n)
    first[:only_first] = 1
    second[only_first : only_first + only_second] = 1
    return paired_difference(first, second)


def power(n: int, d: PairedDifference, margin: float, *, alpha: float) -> float:
    """Power of Tango's one-sided test that the first is not behind by the margin, by summing over all outcomes."""
    assert d.only_first is not None and d.only_second is not None
    p, q = d.only_first / d.n, d.only_second / d.n
    z = scipy_stats.norm.isf(alpha)
    total = 0.0
    for k in range(n + 1):
        chance = scipy_stats.binom.pmf(k, n, p + q)
        if chance > 1e-9:
            wins = np.arange(k + 1)
            shown = np.array([tango_z(int(w), int(k - w), n, -margin) > z for w in wins])
            total += chance * scipy_stats.binom.pmf(wins, k, p / (p + q))[shown].sum()
    return float(total)


def test_equal_sides_need_the_items_that_rule_the_margin_out():
    d = difference(6, 6, 60)
    one, both = needed_items(d, 0.1, 0.05), needed_items(d, 0.1, 0.05, sides=2)
    assert one is not None and both is not None
    assert power(one, d, 0.1, alpha=0.05) >= 0.8 > power(one - 10, d, 0.1, alpha=0.05)
    assert power(both, d, 0.1, alpha=0.05) >= 0.9 > power(both - 12, d, 0.1, alpha=0.05)


def test_a_side_that_is_ahead_needs_fewer_where_only_being_behind_matters():
    ahead, behind = difference(9, 7, 80), difference(7, 9, 80)
    one_way = [needed_items(d, 0.1, 0.05) for d in (ahead, behind)]
    both_ways = [needed_items(d, 0.1, 0.05, sides=2) for d in (ahead, behind)]
    assert one_way[0] is not None and one_way[1] is not None
    assert one_way[0] < one_way[1]
    assert both_ways[0] == both_ways[1]


def test_a_large_difference_is_settled_by_being_shown():
    d = difference(2, 14, 60)
    assert needed_items(d, 0.05, 0.05) == needed_items(d, None, 0.05)


def test_a_real_difference_needs_the_items_of_a_t_test():
    values = np.random.default_rng(2).normal(0.1, 0.5, 60)
    d = paired_difference(values, np.zeros(60), rng=np.random.default_rng(0))
    n = needed_items(d, None, 0.05)
    assert n is not None and d.difference is not None
    effect = d.difference / values.std(ddof=1)

    def reached(items: int) -> float:
        edge = scipy_stats.t.isf(0.025, items - 1)
        shape = effect * items**0.5
        return float(scipy_stats.nct.sf(edge, items - 1, shape) + scipy_stats.nct.cdf(-edge, items - 1, shape))

    assert reached(n) >= 0.8 > reached(n - 1)
    assert detectable_difference(d, 0.05) is None


def test_where_nothing_differs_half_an_item_is_assumed():
    assert differing_share(difference(0, 0, 50)) == pytest.approx(0.01)
    assert differing_share(difference(3, 2, 50)) == pytest.approx(0.1)
