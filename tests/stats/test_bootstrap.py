"""The bootstrap engine, against scipy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from evalsuite.stats.bootstrap import bootstrap, resampled


def _mean(samples: Any) -> Any:
    return samples.mean(axis=1)


@pytest.mark.parametrize(("method", "golden"), [("percentile", "percentile"), ("bca", "BCa")])
def test_the_interval_of_a_skewed_mean_is_that_of_scipy(method: Any, golden: Any) -> None:
    values = np.random.default_rng(1).exponential(1, 40)
    found = bootstrap(values, _mean, np.random.default_rng(2), method=method, resamples=20_000, vectorised=True)
    other = stats.bootstrap((values,), np.mean, method=golden, n_resamples=20_000, rng=np.random.default_rng(3))
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(tuple(other.confidence_interval), abs=0.012)
    assert (found.n, found.reason) == (40, None)


def test_bca_moves_the_percentile_interval_the_way_of_the_skewness() -> None:
    values = np.random.default_rng(4).exponential(1, 30)
    plain: Any = bootstrap(values, _mean, np.random.default_rng(5), method="percentile", vectorised=True)
    corrected: Any = bootstrap(values, _mean, np.random.default_rng(5), method="bca", vectorised=True)
    assert plain.low < corrected.low
    assert plain.high < corrected.high
    assert (plain.method, corrected.method) == ("bootstrap", "bca")


def test_rows_of_several_numbers_stay_together_in_bca() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(0, 1, 60)
    rows = np.column_stack([x, 0.7 * x + rng.normal(0, 0.7, 60)])
    found = bootstrap(
        rows, lambda s: np.corrcoef(s[:, 0], s[:, 1])[0, 1], np.random.default_rng(7), resamples=4000, level=0.9
    )
    other = stats.bootstrap(
        (rows[:, 0], rows[:, 1]), lambda a, b: stats.pearsonr(a, b).statistic, paired=True, vectorized=False,
        method="BCa", n_resamples=4000, confidence_level=0.9, rng=np.random.default_rng(8),
    )  # fmt: skip
    assert (found.low, found.high) == pytest.approx(tuple(other.confidence_interval), abs=0.02)


def test_a_statistic_of_one_sample_and_of_many_give_the_same() -> None:
    values = np.random.default_rng(9).normal(0, 1, 25)
    one = bootstrap(values, lambda s: s.mean(), np.random.default_rng(10), resamples=500)
    assert one == bootstrap(values, _mean, np.random.default_rng(10), resamples=500, vectorised=True)


def test_resamples_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(11).normal(0, 1, 30)
    whole = resampled(values, _mean, np.random.default_rng(12), 200)
    monkeypatch.setattr("evalsuite.stats.bootstrap._BLOCK_VALUES", 100)
    assert resampled(values, _mean, np.random.default_rng(12), 200) == pytest.approx(whole)
    assert bootstrap(values, _mean, np.random.default_rng(12), resamples=200, vectorised=True).low is not None


def test_the_bootstrap_depends_on_its_generator_alone() -> None:
    values = [0.1, 0.7, 0.3, 0.9]
    np.random.seed(0)  # noqa: NPY002 - the global state must not matter
    first = bootstrap(values, _mean, np.random.default_rng(5), resamples=200, vectorised=True)
    np.random.seed(1)  # noqa: NPY002
    assert bootstrap(values, _mean, np.random.default_rng(5), resamples=200, vectorised=True) == first


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_what_has_no_interval_says_why(method: Any) -> None:
    def of(values: list[float], statistic: Any = _mean) -> Any:
        return bootstrap(values, statistic, np.random.default_rng(15), method=method, resamples=200, vectorised=True)

    assert of([]).reason == "no items"
    assert (of([0.4]).value, of([0.4]).reason) == (0.4, "one item has no interval")
    assert of([0.5] * 9).reason == "all resamples are alike, so that a bootstrap has no width"
    with np.errstate(invalid="ignore", divide="ignore"):
        undefined: Any = of([0.0, 0.0, 1.0], lambda s: s.mean(axis=1) / s.max(axis=1))
        nothing: Any = of([0.0, 0.0], lambda s: s.mean(axis=1) / s.max(axis=1))
    assert undefined.value == pytest.approx(1 / 3)
    assert "not a number in" in undefined.reason
    assert (nothing.value, nothing.reason) == (None, "the statistic of these items is not a number")


def test_bca_is_refused_where_it_is_not_defined() -> None:
    def kinds(s: np.ndarray) -> float:
        return float(len(np.unique(s)))

    beyond = bootstrap(np.arange(30.0), kinds, np.random.default_rng(16), resamples=300)
    assert (beyond.value, beyond.low) == (30.0, None)
    assert beyond.reason == "the value lies beyond all resamples, so that BCa is not defined"
    few = bootstrap(np.arange(8.0), kinds, np.random.default_rng(16), resamples=2000)
    assert few.reason == "both ends fall on the same resample"


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="3 dimensions"):
        bootstrap(np.zeros((2, 2, 2)), _mean, np.random.default_rng(0))
    with pytest.raises(ValueError, match="level 95"):
        bootstrap([1.0, 2.0], _mean, np.random.default_rng(0), level=95)
