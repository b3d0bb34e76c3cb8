"""Costs of a correct answer: errors against formulas and statsmodels, the interval against a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import t as student

from evalsuite.stats.energy import Quantity, per_correct
from evalsuite.stats.intervals import ratio_of_means
from evalsuite.stats.quotients import RelativeMean, mean_of, over, ratio_of


def test_the_error_of_a_share_is_the_binomial_one() -> None:
    scores = [1.0] * 12 + [0.0] * 28
    found = mean_of(scores)
    assert (found.value, found.n) == (0.3, 40)
    assert found.df == pytest.approx(39)
    assert found.error == pytest.approx(math.sqrt(0.7 / (39 * 0.3)))


def test_the_error_with_clusters_is_that_of_a_cluster_robust_regression() -> None:
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(12), 5)
    values = (rng.random(clusters.size) < 0.3 + 0.4 * (clusters % 2)).astype(float)
    fit = sm.OLS(values, np.ones(values.size)).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    found = mean_of(values, clusters.tolist())
    assert found.df == pytest.approx(11)
    assert found.error == pytest.approx(fit.bse[0] / values.mean())


def test_the_ratio_to_a_reference_has_the_error_of_the_ratio_of_means() -> None:
    rng = np.random.default_rng(4)
    top, bottom = rng.uniform(1, 3, 25), rng.uniform(1, 2, 25)
    known = ratio_of_means(top, bottom)
    found = mean_of(top, reference=bottom)
    assert known.value is not None and known.high is not None and found.error is not None
    assert found.value == pytest.approx(known.value)
    assert found.error * found.value * student.ppf(0.975, 24) == pytest.approx(known.high - known.value)


def test_the_quotient_agrees_with_the_energy_of_right_answers() -> None:
    # `per_correct` divides by n where the error of a sample has n - 1; its interval is symmetric.
    scores = np.array([1.0] * 30 + [0.0] * 70)
    old = per_correct(Quantity(200.0, 8.0, 2.0), 30, 100)
    new = over(RelativeMean(2.0, 0.04, 10**9, 100), mean_of(scores))
    assert new.value == pytest.approx(old.value)
    assert old.value is not None and old.u is not None and new.high is not None and new.value is not None
    freedom = student.ppf(0.975, 10**6)
    assert math.log(new.high / new.value) / freedom == pytest.approx(old.u / old.value, rel=0.02)


def test_the_degrees_of_freedom_are_those_of_welch_and_satterthwaite() -> None:
    # Equal variances of 5 and 11 degrees: 4 / (1/5 + 1/11).
    found = over(RelativeMean(3.0, 0.1, 5, 6), RelativeMean(0.5, 0.1, 11, 12))
    factor = math.exp(student.ppf(0.975, 4 / (1 / 5 + 1 / 11)) * math.sqrt(0.02))
    assert (found.value, found.low, found.high) == pytest.approx((6.0, 6.0 / factor, 6.0 * factor))


@pytest.mark.parametrize(("n", "share"), [(40, 0.25), (60, 0.5), (200, 0.1)])
def test_the_interval_covers_what_it_should(n: int, share: float) -> None:
    rng = np.random.default_rng(11)
    hits = []
    for _ in range(1500):
        costs, scores = rng.gamma(11, 1 / 11, 12), (rng.random(n) < share).astype(float)
        if scores.any():
            found = over(mean_of(costs), mean_of(scores))
            assert found.low is not None and found.high is not None
            hits.append(found.low <= 1 / share <= found.high)
    assert 0.935 <= np.mean(hits) <= 0.975


def test_what_is_not_known_stays_so() -> None:
    alone = over(mean_of([2.0]), mean_of([1.0, 0.0]))
    assert (alone.value, alone.low) == (4.0, None)
    assert alone.reason == "one item, or one cluster of items, has no interval"
    bare = over(RelativeMean(2.0, None, 0, 5, "an estimate has no interval"), mean_of([1.0, 0.0]))
    assert bare.reason == "an estimate has no interval"
    sure = ratio_of((mean_of([2.0, 2.0]),), (mean_of([1.0, 1.0]),), n=2)
    assert (sure.low, sure.value, sure.high) == (2.0, 2.0, 2.0)
    for values in ([], [0.0, 0.0]):
        with pytest.raises(ValueError, match=r"not above 0|one or more items"):
            mean_of(values)
    with pytest.raises(ValueError, match="give one for each"):
        mean_of([1.0, 2.0], ["a"])
