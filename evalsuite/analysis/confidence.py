"""How far a model's confidence can be trusted: calibration, and what is left if only sure answers are taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.analysis.rows import ALPHA
from evalsuite.stats.calibration import CalibrationDraws, CalibrationError, auroc, brier_scores, calibration_error
from evalsuite.stats.intervals import Estimate, wilson
from evalsuite.stats.scores import mean_skewed, score_interval

__all__ = ["LEVELS", "Confidence", "Covered", "confidence_of", "probabilities"]

LEVELS = (0.5, 0.7, 0.8, 0.9, 0.95)
"""Least confidences of the table of what is left."""


@dataclass(frozen=True, slots=True)
class Covered:
    """What is left if only answers with a confidence of at least `least` are taken."""

    least: float
    coverage: Estimate
    """Share of the items whose answer is taken."""
    accuracy: Estimate
    """Share of the taken answers that are right; none where none is taken."""


@dataclass(frozen=True, slots=True)
class Confidence:
    """The confidence of one cell's answers against how often they are right."""

    n: int
    mean: Estimate
    """Mean confidence: the probability of the chosen category, 0 to 1."""
    accuracy: Estimate
    calibration: CalibrationError
    brier: Estimate
    """0 (always sure and right) to 2 (always sure and wrong)."""
    brier_uniform: float
    """The Brier score of giving every category the same probability: 1 − 1/k."""
    auroc: Estimate
    """Chance that a right answer has a higher confidence than a wrong one."""
    covered: tuple[Covered, ...]
    """By `LEVELS`."""


def probabilities(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return softmax over categories of what a metric compares: n × k, rows sum to 1.

    For `acc` these are the probabilities of the categories given that the answer is one of them; for the other
    metrics they order answers in the same way as the metric does, but how sure they look depends on its unit.
    """
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def confidence_of(
    right: NDArray[np.intp],
    values: NDArray[np.float64],
    rng: np.random.Generator,
    draws: CalibrationDraws | None = None,
) -> Confidence:
    """Return how confident a cell's answers are, and how often right.

    Args:
        right: Place of the right category of each item; n, at least one.
        values: What the task's primary metric compares; n × k.
        rng: Source of randomness.
        draws: What the calibration error draws, where it is shared with other cells; else from `rng`.
    """
    shares = probabilities(values)
    n = int(right.size)
    sure = shares.max(axis=1)
    hit = (values.argmax(axis=1) == right).astype(np.float64)
    return Confidence(
        n=n,
        mean=score_interval(sure, level=1 - ALPHA),
        accuracy=wilson(int(hit.sum()), n, level=1 - ALPHA),
        calibration=calibration_error(sure, hit, draws or rng),
        brier=mean_skewed(brier_scores(shares, right), level=1 - ALPHA),
        brier_uniform=1 - 1 / shares.shape[1],
        auroc=auroc(sure, hit),
        covered=tuple(_covered(least, sure, hit) for least in LEVELS),
    )


def _covered(least: float, sure: NDArray[np.float64], hit: NDArray[np.float64]) -> Covered:
    taken = sure >= least
    n = int(taken.sum())
    reason = "no answer is this sure"
    accuracy = (
        wilson(int(hit[taken].sum()), n, level=1 - ALPHA) if n else Estimate(None, None, None, 0, "wilson", reason)
    )
    return Covered(least, wilson(n, int(sure.size), level=1 - ALPHA), accuracy)
