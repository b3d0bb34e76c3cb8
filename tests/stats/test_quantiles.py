"""Quantiles, means and ratios of medians against scipy, the binomial distribution, and simulation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalsuite.stats import Estimate, mean_t, quantile, ratio_of_medians
from evalsuite.stats.quantiles import values_for_interval, values_for_quantile


@pytest.mark.parametrize(("n", "q"), [(12, 0.5), (101, 0.5), (40, 0.25), (100, 0.9), (200, 0.95), (1000, 0.99)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_an_equal_tailed_interval_agrees_with_scipy(n: int, q: float, level: float) -> None:
    values = np.random.default_rng(n).lognormal(size=n)
    found = quantile(values, q, level=level)
    tested: Any = scipy_stats.quantile_test(values, p=q)
    other = tested.confidence_interval(confidence_level=level)
    assert found.value == pytest.approx(np.quantile(values, q))
    assert (found.low, found.high) == (other.low, other.high)


def test_the_value_is_of_type_seven() -> None:
    # (n - 1) q = 9 × 0.3 = 2.7: seven tenths of the way from the third value to the fourth.
    ten = [float(10 * i) for i in range(10, 0, -1)]
    assert quantile(ten, 0.3).value == pytest.approx(0.3 * 30 + 0.7 * 40)
    assert quantile(ten, 0.3).method == "order statistics"


@pytest.mark.parametrize(("q", "needed"), [(0.9, 10), (0.95, 20), (0.99, 100), (0.999, 1000), (0.05, 20), (0.5, 1)])
def test_one_value_is_expected_beyond_the_quantile_or_there_is_none(q: float, needed: int) -> None:
    assert values_for_quantile(q) == needed
    assert quantile(np.arange(needed, dtype=float), q).value is not None
    short = quantile(np.arange(needed - 1, dtype=float), q)
    assert (short.value, short.low, short.high) == (None, None, None)
    assert short.reason is not None
    assert f"{needed} needed for p{100 * q:g}" in short.reason


@pytest.mark.parametrize(
    ("q", "level", "needed"), [(0.5, 0.95, 6), (0.95, 0.95, 59), (0.99, 0.95, 299), (0.05, 0.95, 59)]
)
def test_the_interval_needs_as_many_values_as_the_binomial_says(q: float, level: float, needed: int) -> None:
    # Outermost values: the largest lies below the quantile with q^n, the smallest above it with (1 - q)^n.
    assert 1 - q**needed - (1 - q) ** needed >= level
    assert 1 - q ** (needed - 1) - (1 - q) ** (needed - 1) < level
    assert values_for_interval(q, level) == needed
    whole = quantile(np.arange(needed, dtype=float), q, level=level)
    assert whole.low is not None
    short = quantile(np.arange(needed - 1, dtype=float), q, level=level)
    assert short.value is not None
    assert (short.low, short.high) == (None, None)
    shown = f"{needed - 1} values, {needed} needed for a {100 * level:g} % interval of p{100 * q:g}"
    assert short.reason == shown


@pytest.mark.parametrize("q", [0.05, 0.1, 0.5, 0.9, 0.95])
def test_every_interval_covers_enough_by_the_binomial(q: float) -> None:
    for n in range(values_for_interval(q), 200):
        found = quantile(np.arange(1, n + 1, dtype=float), q)  # a value is its own rank
        assert found.low is not None
        assert found.high is not None
        covered = scipy_stats.binom.cdf(found.high - 1, n, q) - scipy_stats.binom.cdf(found.low - 1, n, q)
        assert covered >= 0.95
        # One rank further in, on either side, would leave more than the tail may have.
        low_tail = float(scipy_stats.binom.cdf(found.low - 1, n, q))
        high_tail = float(scipy_stats.binom.sf(found.high - 1, n, q))
        assert scipy_stats.binom.cdf(found.low, n, q) > min(0.025, 0.05 - high_tail)
        assert found.high == n or scipy_stats.binom.sf(found.high - 2, n, q) > min(0.025, 0.05 - low_tail)


@pytest.mark.parametrize(("n", "q"), [(25, 0.5), (59, 0.95), (150, 0.95)])
def test_the_interval_holds_the_quantile_as_often_as_it_says(n: int, q: float) -> None:
    draws = 2000
    samples = np.random.default_rng(20260401).exponential(size=(draws, n))
    truth = -math.log(1 - q)
    inside = 0
    for sample in samples:
        found = quantile(sample, q)
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= truth <= found.high
    # Three standard errors of a share of 0.95 below it; the interval may cover more, never less.
    assert inside / draws > 0.95 - 3 * math.sqrt(0.95 * 0.05 / draws)
    assert inside / draws < 0.99


@pytest.mark.parametrize("q", [0.0, 1.0, -0.1, 95.0, math.nan])
def test_a_share_outside_its_range_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="not between 0 and 1"):
        quantile([1.0, 2.0], q)
    with pytest.raises(ValueError, match="not between 0 and 1"):
        mean_t([1.0, 2.0], level=q)


def test_a_missing_value_is_refused_not_skipped() -> None:
    with pytest.raises(ValueError, match="1 of 3 values"):
        quantile([1.0, math.nan, 2.0], 0.5)


def test_a_mean_has_students_interval() -> None:
    values = np.random.default_rng(4).normal(10, 2, 7)
    found = mean_t(values)
    low, high = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert mean_t([3.0]) == Estimate(3.0, None, None, 1, "t", "one value has no interval")
    assert mean_t([]).reason == "no values"


def test_a_ratio_of_medians_agrees_with_scipys_bootstrap() -> None:
    rng = np.random.default_rng(5)
    slow, fast = rng.lognormal(1, 0.3, 60), rng.lognormal(0, 0.3, 45)
    found = ratio_of_medians(slow, fast, np.random.default_rng(6), resamples=20_000)
    other = scipy_stats.bootstrap(
        (slow, fast),
        lambda a, b, axis: np.median(a, axis=axis) / np.median(b, axis=axis),
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(7),
    ).confidence_interval
    assert found.value == pytest.approx(np.median(slow) / np.median(fast))
    assert (found.low, found.high) == pytest.approx((other.low, other.high), rel=0.01)
    assert found.n == 45


def test_a_ratio_of_medians_covers_the_true_ratio() -> None:
    rng = np.random.default_rng(8)
    inside, draws = 0, 400
    for _ in range(draws):
        found = ratio_of_medians(rng.exponential(2.0, 30), rng.exponential(1.0, 30), rng, resamples=400)
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= 2.0 <= found.high
    assert 0.91 < inside / draws < 0.99


@pytest.mark.parametrize(
    ("values", "reference", "value", "reason"),
    [
        ([], [1.0], None, "no values"),
        ([1.0], [], None, "no values in the reference"),
        ([1.0] * 9, [0.0] * 9, None, "not above 0"),
        ([4.0] * 5, [2.0] * 9, 2.0, "5 values, 6 needed for a 95 % interval"),
        ([4.0] * 9, [0.0] * 4 + [2.0] * 5, 2.0, "may be 0"),
    ],
)
def test_a_ratio_that_cannot_be_had_says_why(values, reference, value, reason) -> None:
    found = ratio_of_medians(values, reference, np.random.default_rng(1))
    assert (found.value, found.low, found.high) == (value, None, None)
    assert found.reason is not None
    assert reason in found.reason
