"""The interval of a mean score, against scipy, Hall's transformation and by simulation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from evalsuite.stats import cluster_mean, mean_skewed, score_interval, wilson


def test_without_skewness_it_is_students_t() -> None:
    values = np.r_[np.arange(10.0), -np.arange(10.0)]
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    found: Any = mean_skewed(values, level=0.9)
    assert (found.low, found.high, found.method) == (pytest.approx(low), pytest.approx(high), "skew-t")


def test_the_ends_are_where_halls_transform_is_the_quantile_of_t() -> None:
    values = np.random.default_rng(1).exponential(2, 25)
    found = mean_skewed(values)
    n, spread = values.size, values.std(ddof=1)
    # Hall's g(w) with w = t / root n, set equal to the quantile and solved by scipy, not by its inverse. Skewness is the
    # third moment over the sample's deviation with n - 1.
    skew = stats.moment(values, 3) / spread**3

    def transformed(w: float) -> Any:
        return math.sqrt(n) * (w + skew * w**2 / 3 + skew**2 * w**3 / 27 + skew / (6 * n))

    quantile = stats.t.ppf(0.975, n - 1)
    upper, lower = (optimize.brentq(lambda w, s=s: transformed(w) - s * quantile, -50, 50) for s in (1, -1))
    assert (found.low, found.high) == pytest.approx((values.mean() - upper * spread, values.mean() - lower * spread))
    assert values.mean() - found.low < found.high - values.mean()


def test_skewed_scores_are_held_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    # Nine in ten items score 0, the others something: the mean is 0.05.
    rows = np.where(rng.random((1500, 100)) < 0.9, 0.0, rng.random((1500, 100)))
    found: list[Any] = [mean_skewed(row) for row in rows]
    assert 0.94 <= np.mean([f.low <= 0.05 <= f.high for f in found]) <= 0.985


def test_each_kind_of_score_gets_its_interval() -> None:
    rng = np.random.default_rng(3)
    right, real = (rng.random(30) < 0.6).astype(float), rng.random(30)
    clusters = [i // 5 for i in range(30)]
    assert score_interval(right) == wilson(int(right.sum()), 30)
    assert score_interval(right, range(30)) == wilson(int(right.sum()), 30)
    assert score_interval(right, clusters) == cluster_mean(right, clusters)
    assert score_interval(real) == mean_skewed(real)
    assert score_interval(real, clusters, level=0.9) == cluster_mean(real, clusters, level=0.9)
    assert score_interval(right, share=False) == mean_skewed(right)
    assert score_interval(right, clusters, share=False).method == "t, clusters"
    assert score_interval([]).reason == "no items"
    assert score_interval([], share=False).reason == "no items"


def test_shares_end_at_0_and_1_and_other_scores_do_not() -> None:
    values = [0.9, 1.0, 1.0, 0.5, 1.0]
    plain: Any = mean_skewed(values)
    assert plain.high > 1
    assert score_interval(values).high == 1.0
    assert score_interval(values, share=False) == mean_skewed(values)
    assert score_interval([95.0, 99.0, 40.0]).low == mean_skewed([95.0, 99.0, 40.0]).low


def test_what_has_no_interval_says_why() -> None:
    assert mean_skewed([0.3]).reason == "one item has no interval"
    assert mean_skewed([0.3, 0.4]).reason == "2 items, 3 needed for an interval"
    same = mean_skewed([55.5] * 8)
    assert (same.value, same.low) == (55.5, None)
    assert same.reason == "all items score the same, so that the interval has no width"
    with pytest.raises(ValueError, match="missing"):
        score_interval([0.5, math.nan])
    with pytest.raises(ValueError, match="level 95"):
        mean_skewed([0.1, 0.2, 0.4], level=95)
    with pytest.raises(ValueError, match="2 values in 1 clusters"):
        score_interval([0.5, 0.6], ["a"])
