"""Intervals against statsmodels, scipy and hand-made values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import proportion_confint

from evalsuite.stats import Estimate, clopper_pearson, geometric_ratio, ratio_of_means, wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 60), (60, 60), (17, 60), (102, 204), (899, 900)])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_wilson_agrees_with_statsmodels(successes: int, n: int, level: float) -> None:
    found = wilson(successes, n, level=level)
    low, high = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    assert found.value == successes / n
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)


def test_wilson_reaches_the_edges_exactly() -> None:
    assert wilson(0, 10).low == 0.0
    assert wilson(10, 10).high == 1.0


def test_wilson_of_nothing_is_missing_not_zero() -> None:
    found = wilson(0, 0)
    assert (found.value, found.low, found.high, found.n) == (None, None, None, 0)
    assert found.reason == "no items"


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="successes of"):
        wilson(successes, n)


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 60), (60, 60), (17, 60), (899, 900)])
@pytest.mark.parametrize("level", [0.9, 0.99])
def test_clopper_pearson_agrees_with_scipy(successes: int, n: int, level: float) -> None:
    found = clopper_pearson(successes, n, level=level)
    other = scipy_stats.binomtest(successes, n).proportion_ci(level, method="exact")
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=1e-9)
    assert (found.value, found.method) == (successes / n, "clopper-pearson")


def test_clopper_pearson_refuses_what_cannot_be() -> None:
    assert clopper_pearson(0, 0).reason == "no items"
    with pytest.raises(ValueError, match="6 successes of 5"):
        clopper_pearson(6, 5)
    with pytest.raises(ValueError, match="level 2"):
        clopper_pearson(1, 5, level=2)


def test_an_estimate_cannot_lack_something_without_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        Estimate(None, None, None, 0, "wilson")
    with pytest.raises(ValueError, match="reason"):
        Estimate(0.5, 0.4, 0.6, 10, "wilson", "why?")


def test_ratio_by_hand() -> None:
    # Means 3 and 2, ratio 1.5; residuals -0.5, 0.5, 0 give a standard error of sqrt(0.5 / 6) / 2.
    found = ratio_of_means([1.0, 3.5, 4.5], [1.0, 2.0, 3.0])
    assert found.value == pytest.approx(1.5)
    half = scipy_stats.t.ppf(0.975, 2) * np.sqrt(0.5 / 6) / 2
    assert (found.low, found.high) == pytest.approx((1.5 - half, 1.5 + half))


def test_ratio_agrees_with_the_bootstrap_of_scipy() -> None:
    rng = np.random.default_rng(4)
    bottom = rng.integers(20, 60, 200).astype(float)
    top = bottom * 1.6 + rng.normal(0, 5, 200)
    found = ratio_of_means(top, bottom)
    other = scipy_stats.bootstrap(
        (top, bottom), lambda a, b, axis=-1: a.mean(axis=axis) / b.mean(axis=axis), paired=True, vectorized=True, rng=6
    )
    assert found.low == pytest.approx(other.confidence_interval.low, abs=0.004)
    assert found.high == pytest.approx(other.confidence_interval.high, abs=0.004)


def test_ratio_edges() -> None:
    assert ratio_of_means([], []).reason == "no items in common"
    assert ratio_of_means([3.0], [2.0]).value == 1.5
    assert ratio_of_means([3.0], [2.0]).low is None
    assert ratio_of_means([3.0, 1.0], [0.0, 0.0]).value is None
    equal = ratio_of_means([5.0, 5.0], [5.0, 5.0])
    assert (equal.value, equal.low, equal.high) == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="numerators"):
        ratio_of_means([1.0], [1.0, 2.0])


def test_a_geometric_ratio_is_the_t_interval_of_the_logs_and_never_negative() -> None:
    """Independent: scipy's one-sample t interval on log ratios."""
    from scipy import stats

    top, bottom = np.array([1.0, 2.5, 9.0, 0.2]), np.array([1.1, 1.0, 2.0, 0.4])
    logs = np.log(top / bottom)
    found = geometric_ratio(top, bottom)
    low, high = stats.ttest_1samp(logs, 0).confidence_interval(0.95)
    assert found.value == pytest.approx(stats.gmean(top / bottom))
    assert (found.low, found.high) == pytest.approx((np.exp(low), np.exp(high)))
    assert found.low is not None
    assert found.low > 0
    swapped = geometric_ratio(bottom, top)
    assert swapped.value is not None
    assert found.value is not None
    assert swapped.value == pytest.approx(1 / found.value)


def test_a_geometric_ratio_says_what_it_lacks() -> None:
    assert geometric_ratio([], []).reason == "no items in common"
    assert geometric_ratio([2.0], [1.0]).reason == "1 item, 3 needed for an interval"
    two = geometric_ratio([2.0, 3.0], [1.0, 1.0])
    assert two.value == pytest.approx(6**0.5)
    assert (two.low, two.reason) == (None, "2 items, 3 needed for an interval")
    with pytest.raises(ValueError, match="positive"):
        geometric_ratio([0.0, 1.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="1 numerators for 2"):
        geometric_ratio([1.0], [1.0, 1.0])
