"""How well a model's probabilities say how often it is right: calibration error, Brier score, area under the ROC curve."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from evalsuite.stats.estimate import Estimate

__all__ = ["BINS", "CalibrationDraws", "CalibrationError", "auroc", "brier_scores", "calibration_error"]

BINS = 10
"""Bins of a calibration error."""

_RESAMPLES = 1000
_BLOCK_VALUES = 100_000
_KEPT_VALUES = 4_000_000
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """How far confidence is from the share of right answers; all are 0 to 1, and none where there is no estimate."""

    estimate: Estimate
    by_chance: float | None
    """The error to expect of a perfectly calibrated model with these confidences."""
    by_chance_high: float | None
    """The error that such a model stays below in 95 % of cases."""


class CalibrationDraws:
    """What a calibration error draws at random for `n` items: made once, it serves all sets of as many items.

    The interval of each set is what it would be with draws of its own; sets that share draws differ by chance in the same
    direction. Draws of up to some thousand items are kept (16 bytes × 1000 samples for each item), those of more items
    are made again for each set, and are then the same.
    """

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        self._n = n
        self._seed = int(rng.integers(2**63))
        self._kept = [*self._made()] if n * _RESAMPLES <= _KEPT_VALUES else None
        self._edges: tuple[int, list[_Edges | None]] | None = None

    def errors(
        self,
        confidence: NDArray[np.float64],
        excess: NDArray[np.float64],
        starts: NDArray[np.intp],
        parts: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the calibration errors of the bootstrap samples, and those of a perfectly calibrated model.

        Args:
            confidence: One per item.
            excess: Right minus confidence of each item, in the order of their confidence.
            starts: Where each confidence begins in that order.
            parts: The part of each item, in its own order, that lies in each bin.

        Raises:
            ValueError: The draws are for another number of items.
        """
        if len(confidence) != self._n:
            raise ValueError(f"draws for {self._n} items cannot serve {len(confidence)}")
        samples, ideals = [], []
        expected, bins = confidence @ parts, parts.shape[1]
        known = self._known_edges(bins) if len(starts) == self._n else None
        for i, (counts, chances) in enumerate(self._kept or self._made()):
            mass, sums = counts, counts * excess
            if len(starts) < self._n:
                mass, sums = (np.add.reduceat(rows, starts, axis=1) for rows in (mass, sums))
            edges = known[i] if known else None
            samples.append(_binned(mass, sums, bins) if edges is None else edges.error(sums))
            # Items stay the same here, so that bins do, and the excess of each is a sum.
            ideal = (chances < confidence).astype(np.float64) @ parts
            ideals.append(np.abs(ideal - expected).sum(axis=1) / self._n)
        return np.concatenate(samples), np.concatenate(ideals)

    def _known_edges(self, bins: int) -> list[_Edges | None] | None:
        """Return where bins end in the samples that are kept, which is the same for all sets without equal confidences."""
        if self._kept is None:
            return None
        if self._edges is None or self._edges[0] != bins:
            self._edges = bins, [_Edges.of(counts, bins) for counts, _ in self._kept]
        return self._edges[1]

    def _made(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Yield how often each item is in each sample, and a chance for each item, for some samples at a time."""
        rng = np.random.default_rng(self._seed)
        for rows in _blocks(self._n):
            yield _counts(self._n, rng, rows), rng.random((rows, self._n))


def calibration_error(
    confidence: NDArray[np.float64],
    right: NDArray[np.float64],
    rng: np.random.Generator | CalibrationDraws,
    *,
    bins: int = BINS,
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
        rng: Source of randomness, or what was drawn from one.
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
    ranks = _Ranks.of(confidence)
    parts = ranks.bins(bins)
    value = float(np.abs((right - confidence) @ parts).sum() / n)
    draws = rng if isinstance(rng, CalibrationDraws) else CalibrationDraws(n, rng)
    drawn, chance = draws.errors(confidence, (right - confidence)[ranks.order], ranks.starts, parts)
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
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


def auroc(confidence: NDArray[np.float64], right: NDArray[np.float64]) -> Estimate:
    """Return the area under the ROC curve of confidence as a sign of being right, with DeLong's interval.

    It is the chance that an item answered right has a higher confidence than one answered wrong, a tie counting half:
    0.5 says that confidence tells nothing. Sources: J. A. Hanley and B. J. McNeil (1982), Radiology 143, 29-36; variance:
    E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson (1988), Biometrics 44, 837-845; interval on the logit scale, which
    keeps its coverage near 1 (G. Qin and L. Hotilovac 2008, Stat. Methods Med. Res. 17, 207-221).

    Args:
        confidence: Probability of the chosen answer, one per item.
        right: 1 where the item was answered right, else 0, in the same order.

    Raises:
        ValueError: The two differ in length.
    """
    _check(confidence, right)
    method = "DeLong"
    n, hits = int(right.size), int(right.sum())
    if hits in (0, n):
        what = "no items" if not n else "all items are right" if hits else "no item is right"
        return Estimate(None, None, None, n, method, what)
    won, lost = (np.sort(confidence[right.astype(bool)]), np.sort(confidence[~right.astype(bool)]))
    # Of each item, the share of those of the other kind that it is in order with.
    over_wrong = _below(lost, won)
    under_right = 1 - _below(won, lost)
    value = float(over_wrong.mean())
    if min(hits, n - hits) == 1:
        return Estimate(value, None, None, n, method, "one item that differs from all others has no interval")
    variance = float(over_wrong.var(ddof=1) / hits + under_right.var(ddof=1) / (n - hits))
    if variance <= 0:
        return Estimate(value, None, None, n, method, "right and wrong answers do not mix, so that there is no width")
    spread = value * (1 - value)
    half = NormalDist().inv_cdf((1 + _LEVEL) / 2) * math.sqrt(variance) / spread
    low, high = (1 / (1 + (1 - value) / value * math.exp(-shift)) for shift in (-half, half))
    return Estimate(value, low, high, n, method)


def _below(others: NDArray[np.float64], of: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of others, which are sorted, that lie below each value, those level with it counting half."""
    under, level = (np.searchsorted(others, of, side=side) for side in ("left", "right"))
    return np.asarray((under + level) / (2 * len(others)), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Ranks:
    """Items in the order of their confidence, those of equal confidence together."""

    order: NDArray[np.intp]
    place: NDArray[np.intp]
    """Where each item stands in that order."""
    starts: NDArray[np.intp]
    """Where each confidence begins in that order."""

    @classmethod
    def of(cls, confidence: NDArray[np.float64]) -> _Ranks:
        order = np.argsort(confidence, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return cls(order, place, np.unique(confidence[order], return_index=True)[1])

    def bins(self, bins: int) -> NDArray[np.float64]:
        """Return the part of each item that lies in each of `bins` bins of equal mass; items × bins, rows sum to 1."""
        n = len(self.order)
        reached = np.concatenate([self.starts, [n]]).astype(np.float64)
        edges = np.linspace(0, n, bins + 1)
        within = np.clip(edges[None, :], reached[:-1, None], reached[1:, None])
        sizes = np.diff(reached).astype(np.intp)
        shares = np.diff(within, axis=1) / sizes[:, None]
        return np.asarray(np.repeat(shares, sizes, axis=0)[self.place], dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """Where bins of equal mass end in some samples, row after row."""

    starts: NDArray[np.intp]
    """The value that each bin begins with; the one before lies across the edge."""
    left: NDArray[np.float64]
    """Part of the value across each inner edge that is beyond it; rows × (bins − 1)."""

    @classmethod
    def of(cls, mass: NDArray[np.float64], bins: int) -> _Edges | None:
        """Return the edges; none where a bin lies within one value, or nothing is left after one."""
        rows, width = mass.shape
        at, left = _across(mass, bins)
        inner = at.reshape(rows, bins - 1) + 1
        starts = np.hstack([width * np.arange(rows)[:, None], inner]).ravel()
        return cls(starts, left.reshape(rows, bins - 1)) if (np.diff(starts, append=mass.size) > 0).all() else None

    def error(self, excess: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the same as `_binned`, without its running sums."""
        rows, width = excess.shape
        sums = np.add.reduceat(excess.ravel(), self.starts).reshape(rows, -1)
        beyond = excess.ravel()[self.starts.reshape(rows, -1)[:, 1:] - 1] * self.left
        sums[:, :-1] -= beyond
        sums[:, 1:] += beyond
        return np.asarray(np.abs(sums).sum(axis=1) / width, dtype=np.float64)


def _across(mass: NDArray[np.float64], bins: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the value that lies across each inner edge of the bins, row after row, and its part that is beyond it."""
    rows = len(mass)
    n = float(mass[0].sum())
    # Row after row as one running sum, in which each edge of a bin is one search.
    reached = mass.ravel().cumsum()
    edges = (np.arange(rows)[:, None] * n + np.linspace(0, n, bins + 1)[None, 1:-1]).ravel()
    at = np.searchsorted(reached, edges)
    return at, (reached[at] - edges) / mass.ravel()[at]


def _binned(mass: NDArray[np.float64], excess: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Return the calibration error of each row from its sums by confidence: items, and right minus confidence.

    All rows have the same number of items.
    """
    rows, n = len(mass), float(mass[0].sum())
    at, left = _across(mass, bins)
    carried = excess.cumsum(axis=1)
    # Within one confidence the running sum is a straight line, which spreads equal items over bins.
    sums = (carried.ravel()[at] - left * excess.ravel()[at]).reshape(rows, bins - 1)
    whole = np.hstack([np.zeros((rows, 1)), sums, carried[:, -1:]])
    return np.asarray(np.abs(np.diff(whole, axis=1)).sum(axis=1) / n, dtype=np.float64)


def _blocks(n: int) -> Iterator[int]:
    """Yield how many samples of `n` items to draw at a time, which bounds memory and keeps to a processor's cache."""
    block = max(1, _BLOCK_VALUES // n)
    for start in range(0, _RESAMPLES, block):
        yield min(block, _RESAMPLES - start)


def _counts(n: int, rng: np.random.Generator, rows: int) -> NDArray[np.float64]:
    """Return how often each of `n` items is in each of some bootstrap samples."""
    drawn = rng.integers(0, n, size=(rows, n))
    drawn += n * np.arange(rows)[:, None]
    return np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def _check(confidence: NDArray[np.float64], right: NDArray[np.float64]) -> None:
    if confidence.shape != right.shape or confidence.ndim != 1:
        raise ValueError(f"{confidence.size} confidences for {right.size} items: give one for each item")
