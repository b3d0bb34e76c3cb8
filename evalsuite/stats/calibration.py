"""How well a model's probabilities say how often it is right: calibration error, Brier score, area under the ROC curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.stats.estimate import Estimate

__all__ = ["BINS", "CalibrationError", "auroc", "brier_scores", "calibration_error"]

BINS = 10
"""Bins of a calibration error."""

_RESAMPLES = 1000
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """How far confidence is from the share of right answers; all are 0 to 1, and none where there is no estimate."""

    estimate: Estimate
    by_chance: float | None
    """The error to expect of a perfectly calibrated model with these confidences."""
    by_chance_high: float | None
    """The error that such a model stays below in 95 % of cases."""


def calibration_error(
    confidence: NDArray[np.float64], right: NDArray[np.float64], rng: np.random.Generator, *, bins: int = BINS
) -> CalibrationError:
    """Return the expected calibration error over bins of equal mass, with a bootstrap interval.

    The error is the mean over bins of |share right − mean confidence|. Source: C. Guo et al. (2017), On Calibration of
    Modern Neural Networks, ICML, equation 3; bins of equal mass as in J. Nixon et al. (2019), Measuring Calibration in
    Deep Learning, CVPR workshops. An item that lies across the edge of two bins counts in each by its part, and items
    of equal confidence are spread evenly over the bins that they fill, so that the order of items does not matter.

    The error of a sample is above that of all items, since noise never cancels, and that of a resample is above it
    again. The interval is therefore the basic bootstrap interval (A. C. Davison and D. V. Hinkley 1997, Bootstrap
    Methods and their Application, section 5.2.1), which reflects the resamples about the sample's error; it is cut at
    0 and 1 and always holds the sample's error. It begins at 0 where the sample's error is one that a perfectly
    calibrated model may show: whether an item is right is then drawn with its confidence as chance (J. Bröcker and
    L. A. Smith 2007, Weather and Forecasting 22, 651-661).

    Args:
        confidence: Probability of the chosen answer, 0 to 1, one per item.
        right: 1 where the item was answered right, else 0, in the same order.
        rng: Source of randomness.
        bins: Number of bins.

    Raises:
        ValueError: The two differ in length, or there is no bin.
    """
    _check(confidence, right)
    method = "basic bootstrap"
    n = int(confidence.size)
    if bins < 1:
        raise ValueError(f"{bins} bins: give at least 1")
    if n < bins:
        return CalibrationError(
            Estimate(None, None, None, n, method, f"{n} items, {bins} bins need {bins}"), None, None
        )
    groups = _Groups.of(confidence)
    mass = groups.sums(np.ones((1, n)))
    value = float(_binned(mass, groups.sums((right - confidence)[None, :]), bins)[0])
    weights = _counts(n, rng)
    drawn = _binned(groups.sums(weights), groups.sums(weights * (right - confidence)), bins)
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    ideal = (rng.random((_RESAMPLES, n)) < confidence) - confidence
    chance = _binned(np.repeat(mass, _RESAMPLES, axis=0), groups.sums(ideal), bins)
    mean, most = float(chance.mean()), float(np.quantile(chance, _LEVEL))
    least = 0.0 if value <= most else max(0.0, min(value, 2 * value - float(high)))
    end = min(1.0, max(value, 2 * value - float(low)))
    return CalibrationError(Estimate(value, least, end, n, method), mean, most)


def brier_scores(probabilities: NDArray[np.float64], right: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the Brier score of each item, 0 (sure and right) to 2 (sure and wrong); their mean is the Brier score.

    Source: G. W. Brier (1950), Verification of forecasts expressed in terms of probability, Mon. Weather Rev. 78, 1-3:
    the sum over categories of (probability − 1 if it is the right one, else 0)².

    Args:
        probabilities: One row per item, one column per category.
        right: Column of the right category of each item.
    """
    return np.asarray(((probabilities - np.eye(probabilities.shape[1])[right]) ** 2).sum(axis=1), dtype=np.float64)


def auroc(confidence: NDArray[np.float64], right: NDArray[np.float64], rng: np.random.Generator) -> Estimate:
    """Return the area under the ROC curve of confidence as a sign of being right, with a bootstrap interval.

    It is the chance that an item answered right has a higher confidence than one answered wrong, a tie counting half:
    0.5 says that confidence tells nothing. Source: J. A. Hanley and B. J. McNeil (1982), Radiology 143, 29-36;
    percentile interval of a bootstrap that draws among right and among wrong items apart (J. Carpenter and J. Bithell
    2000, Stat. Med. 19, 1141-1164).

    Args:
        confidence: Probability of the chosen answer, one per item.
        right: 1 where the item was answered right, else 0, in the same order.
        rng: Source of randomness.

    Raises:
        ValueError: The two differ in length.
    """
    _check(confidence, right)
    method = "bootstrap"
    n, hits = int(right.size), int(right.sum())
    if hits in (0, n):
        what = "no items" if not n else "all items are right" if hits else "no item is right"
        return Estimate(None, None, None, n, method, what)
    groups = _Groups.of(confidence)
    won, lost = right.astype(bool), ~right.astype(bool)
    value = float(_area(groups.sums(won[None, :].astype(float)), groups.sums(lost[None, :].astype(float)))[0])
    if min(hits, n - hits) == 1:
        return Estimate(value, None, None, n, method, "one item that differs from all others has no interval")
    up, down = (np.zeros((_RESAMPLES, n)) for _ in range(2))
    up[:, won], down[:, lost] = _counts(hits, rng), _counts(n - hits, rng)
    drawn = _area(groups.sums(up), groups.sums(down))
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    if low == high:
        return Estimate(value, None, None, n, method, "all resamples are alike, so that a bootstrap has no width")
    return Estimate(value, float(low), float(high), n, method)


@dataclass(frozen=True, slots=True)
class _Groups:
    """Items in the order of their confidence, those of equal confidence together."""

    order: NDArray[np.intp]
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, confidence: NDArray[np.float64]) -> _Groups:
        order = np.argsort(confidence, kind="stable")
        return cls(order, np.unique(confidence[order], return_index=True)[1])

    def sums(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sums over items of equal confidence: rows × items become rows × different confidences."""
        return np.asarray(np.add.reduceat(rows[:, self.order], self.starts, axis=1), dtype=np.float64)


def _binned(mass: NDArray[np.float64], excess: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Return the calibration error of each row from its sums by confidence: items, and right minus confidence."""
    zero = np.zeros((len(mass), 1))
    reached, carried = (np.hstack([zero, sums.cumsum(axis=1)]) for sums in (mass, excess))
    edges = np.linspace(0, 1, bins + 1)
    # Between two confidences the running sum is a straight line, which spreads equal items over bins.
    at = [np.interp(edges * x[-1], x, y) for x, y in zip(reached, carried, strict=True)]
    return np.asarray(np.abs(np.diff(at, axis=1)).sum(axis=1) / reached[:, -1], dtype=np.float64)


def _area(won: NDArray[np.float64], lost: NDArray[np.float64]) -> NDArray[np.float64]:
    below = lost.cumsum(axis=1) - lost / 2
    return np.asarray((won * below).sum(axis=1) / (won.sum(axis=1) * lost.sum(axis=1)), dtype=np.float64)


def _counts(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return how often each of `n` items is in each bootstrap sample."""
    drawn = rng.integers(0, n, size=(_RESAMPLES, n)) + n * np.arange(_RESAMPLES)[:, None]
    return np.bincount(drawn.ravel(), minlength=_RESAMPLES * n).reshape(_RESAMPLES, n).astype(np.float64)


def _check(confidence: NDArray[np.float64], right: NDArray[np.float64]) -> None:
    if confidence.shape != right.shape or confidence.ndim != 1:
        raise ValueError(f"{confidence.size} confidences for {right.size} items: give one for each item")
