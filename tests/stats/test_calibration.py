"""Calibration, against scikit-learn and scipy, and by simulation of a calibrated model."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import logit
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, roc_auc_score

from evalsuite.stats.calibration import CalibrationDraws, auroc, brier_scores, calibration_error


def _overconfident(seed: int, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    confidence = rng.beta(4, 2, n)
    return confidence, (rng.random(n) < 0.6 * confidence).astype(float)


def _rng() -> np.random.Generator:
    return np.random.default_rng(7)


def _golden_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """Ten quantile bins of scikit-learn, each of a tenth of the items."""
    share, mean = calibration_curve(right, confidence, n_bins=10, strategy="quantile")
    assert len(share) == 10
    return float(np.abs(share - mean).mean())


@pytest.mark.parametrize("seed", range(5))
def test_the_calibration_error_is_that_of_scikit_learns_bins(seed: int) -> None:
    confidence, right = _overconfident(seed)
    found = calibration_error(confidence, right, _rng())
    assert found.estimate.value == pytest.approx(_golden_error(confidence, right))
    order = np.random.default_rng(seed).permutation(len(right))
    assert calibration_error(confidence[order], right[order], _rng()).estimate.value == pytest.approx(
        found.estimate.value
    )


def test_items_of_one_confidence_make_one_bin_in_any_order() -> None:
    confidence, right = np.full(40, 0.3), np.repeat([1.0, 0.0], [4, 36])
    assert calibration_error(confidence, right, _rng()).estimate.value == pytest.approx(0.2)


def test_the_interval_is_scipys_basic_bootstrap() -> None:
    confidence, right = _overconfident(3, 400)
    found = calibration_error(confidence, right, _rng())

    def statistic(c: np.ndarray, r: np.ndarray) -> float:
        order = np.argsort(c, kind="stable")
        bins = zip(np.array_split(c[order], 10), np.array_split(r[order], 10), strict=True)
        return float(np.mean([abs(b.mean() - a.mean()) for a, b in bins]))

    golden = stats.bootstrap(
        (confidence, right), statistic, paired=True, vectorized=False, method="basic", n_resamples=1000,
        rng=np.random.default_rng(3),
    ).confidence_interval  # fmt: skip
    assert (found.estimate.low, found.estimate.high) == pytest.approx((golden.low, golden.high), abs=0.015)


def test_a_calibrated_model_is_not_said_to_be_off() -> None:
    rng = np.random.default_rng(11)
    held = 0
    means: list[float] = []
    chances: list[float] = []
    for _ in range(100):
        confidence = rng.beta(2, 2, 120)
        found = calibration_error(confidence, (rng.random(120) < confidence).astype(float), rng)
        assert found.estimate.low is not None
        assert found.estimate.value is not None
        assert found.by_chance is not None
        held += found.estimate.low == 0
        means.append(found.estimate.value)
        chances.append(found.by_chance)
    # A binomial of 100 at 0.95 is below 88 once in 300.
    assert held >= 88
    assert np.mean(means) == pytest.approx(np.mean(chances), rel=0.05)


def test_few_items_have_no_calibration_error() -> None:
    found = calibration_error(np.full(9, 0.5), np.ones(9), _rng())
    assert found.estimate.value is None
    assert found.estimate.reason == "9 items, 10 bins need 10"
    assert (found.by_chance, found.by_chance_high) == (None, None)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="3 confidences for 2 items"):
        calibration_error(np.ones(3), np.ones(2), _rng())
    with pytest.raises(ValueError, match="0 bins"):
        calibration_error(np.ones(3), np.ones(3), _rng(), bins=0)
    with pytest.raises(ValueError, match="3 confidences for 2 items"):
        auroc(np.ones(3), np.ones(2))


def test_brier_scores_are_scikit_learns() -> None:
    rng = np.random.default_rng(2)
    shares, right = rng.dirichlet(np.ones(5), 80), rng.integers(0, 5, 80)
    golden = brier_score_loss(right, shares, labels=list(range(5)), scale_by_half=False)
    assert brier_scores(shares, right).mean() == pytest.approx(golden)
    sure = np.eye(3)
    assert brier_scores(sure, np.array([0, 2, 2])).tolist() == [0, 2, 0]


@pytest.mark.parametrize("digits", [8, 1])
def test_the_area_is_scikit_learns_also_with_ties(digits: int) -> None:
    confidence, right = _overconfident(5)
    rounded = np.round(confidence, digits)
    assert auroc(rounded, right).value == pytest.approx(roc_auc_score(right, rounded))


@pytest.mark.parametrize("digits", [8, 1])
def test_the_interval_of_the_area_is_delongs(digits: int) -> None:
    confidence, right = _overconfident(6)
    confidence = np.round(confidence, digits)
    found = auroc(confidence, right)
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    # DeLong's components from all pairs, and on the logit scale by the delta method.
    up, down = confidence[right == 1], confidence[right == 0]
    pairs = (up[:, None] > down) + (up[:, None] == down) / 2
    variance = np.cov(pairs.mean(axis=1)) / len(up) + np.cov(pairs.mean(axis=0)) / len(down)
    half = stats.norm.ppf(0.975) * np.sqrt(variance) / (found.value * (1 - found.value))
    assert (logit(found.low), logit(found.high)) == pytest.approx(
        (logit(found.value) - half, logit(found.value) + half)
    )
    # An independent way to the same: scipy's bootstrap among right and among wrong items.
    golden = stats.bootstrap(
        (up, down),
        lambda up, down: (up[:, None] > down).mean() + (up[:, None] == down).mean() / 2,
        vectorized=False, method="percentile", n_resamples=1000, rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert (found.low, found.high) == pytest.approx((golden.low, golden.high), abs=0.015)


@pytest.mark.parametrize(
    ("right", "value", "reason"),
    [
        ([1, 1, 1], None, "all items are right"),
        ([0, 0, 0], None, "no item is right"),
        ([], None, "no items"),
        ([0, 1, 0], 0.5, "one item that differs from all others has no interval"),
    ],
)
def test_what_has_no_area_says_why(right: list[int], value: float | None, reason: str) -> None:
    found = auroc(np.linspace(0.2, 0.4, len(right)), np.array(right, dtype=float))
    assert (found.value, found.low, found.reason) == (value, None, reason)
    assert auroc(np.array([0.1, 0.1, 0.9, 0.9]), np.array([0.0, 0, 1, 1])).reason is not None


def test_shared_draws_give_what_draws_of_its_own_would() -> None:
    draws = CalibrationDraws(200, _rng())
    for seed in range(3):
        confidence, right = _overconfident(seed)
        assert calibration_error(confidence, right, draws) == calibration_error(confidence, right, _rng())
    with pytest.raises(ValueError, match="draws for 200 items cannot serve 50"):
        calibration_error(*_overconfident(1, 50), draws)


def test_draws_that_are_not_kept_are_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    confidence, right = _overconfident(2)
    kept = calibration_error(confidence, right, CalibrationDraws(200, _rng()))
    monkeypatch.setattr("evalsuite.stats.calibration._KEPT_VALUES", 0)
    draws = CalibrationDraws(200, _rng())
    assert [calibration_error(confidence, right, draws) for _ in range(2)] == [kept, kept]


def test_equal_confidences_are_spread_over_the_bins_of_resamples_too() -> None:
    # Ten confidences of 20 items each, and 15 of 4: the bins of the second cut through confidences.
    rng = np.random.default_rng(9)
    for levels, times in ((10, 20), (15, 4)):
        confidence = np.repeat(np.linspace(0.1, 0.9, levels), times)
        right = (rng.random(confidence.size) < confidence).astype(float)
        found = calibration_error(confidence, right, _rng())
        order = rng.permutation(confidence.size)
        again = calibration_error(confidence[order], right[order], _rng())
        assert again.estimate.value == pytest.approx(found.estimate.value)
        assert (again.estimate.low, again.estimate.high) == pytest.approx(
            (found.estimate.low, found.estimate.high), abs=0.02
        )


@pytest.mark.parametrize(("n", "levels"), [(37, 37), (60, 60), (60, 7)])
def test_bins_of_resamples_cut_through_items_as_numpy_interpolates(n: int, levels: int) -> None:
    rng = np.random.default_rng(n + levels)
    confidence = np.sort(rng.choice(np.linspace(0.2, 0.9, levels), n, replace=levels < n))
    right = (rng.random(n) < confidence).astype(float)
    draws = CalibrationDraws(n, _rng())
    starts = np.unique(confidence, return_index=True)[1]
    found, _ = draws.errors(confidence, right - confidence, starts, np.zeros((n, 10)))
    assert draws._kept is not None
    counts = np.concatenate([block[0] for block in draws._kept])
    golden = []
    for row in counts:
        mass, excess = (np.add.reduceat(v, starts).cumsum() for v in (row, row * (right - confidence)))
        golden.append(np.abs(np.diff(np.interp(np.linspace(0, n, 11), [0, *mass], [0, *excess]))).sum() / n)
    assert found == pytest.approx(np.array(golden))
