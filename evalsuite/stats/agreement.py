"""Whether two raters of the same items agree: answers alike, kappa, the same mistakes; orders and ranks of models."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalsuite.stats.bootstrap import bootstrap
from evalsuite.stats.estimate import Estimate
from evalsuite.stats.intervals import wilson

__all__ = ["Agreement", "RankRange", "agreement", "kendall_tau_b", "rank_groups"]

_LEAST_RANKED = 3
_NO_KAPPA = "both gave the same answer to every item, so that agreement by chance is already complete"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two vectors of answers to the same items, compared."""

    n: int
    alike: Estimate
    """Share of items with the same answer."""
    kappa: Estimate
    """Cohen's kappa: 0 is agreement by chance, 1 is the same answers."""
    both_wrong: int | None
    """Items that neither got right; none where the right answers were not given."""
    same_wrong: Estimate | None
    """Share of these with the same wrong answer; none where the right answers were not given."""


@dataclass(frozen=True, slots=True)
class RankRange:
    """The ranks that a model may have, 1 the best, given which differences are shown."""

    name: str
    best: int
    worst: int

    @property
    def label(self) -> str:
        """`2` or `1-3`."""
        return str(self.best) if self.best == self.worst else f"{self.best}-{self.worst}"


def agreement(
    first: Sequence[Hashable],
    second: Sequence[Hashable],
    rng: np.random.Generator,
    *,
    right: Sequence[Hashable] | None = None,
    level: float = 0.95,
    resamples: int = 10_000,
) -> Agreement:
    """Compare two vectors of answers to the same items, in the same order.

    Kappa is (share alike - share expected by chance) ÷ (1 - share expected by chance), where chance keeps how often
    each side gives each answer: J. Cohen (1960), Educ. Psychol. Meas. 20, 37-46. Its interval is a BCa bootstrap of
    items. The shares have Wilson's interval.

    Args:
        first: One answer per item: a label, or a place among the choices.
        second: The answer of the other model, run or person to the same item.
        rng: Source of randomness.
        right: The right answers, for mistakes that are the same.
        level: Coverage of the intervals.
        resamples: Number of bootstrap samples.

    Raises:
        ValueError: The vectors differ in length, or an answer is missing (None).
    """
    n = len(first)
    if n != len(second) or (right is not None and n != len(right)):
        sizes = " and ".join(str(len(v)) for v in (first, second, right) if v is not None)
        raise ValueError(f"{sizes} answers are not of the same items")
    if any(answer is None for answer in (*first, *second)):
        raise ValueError("an answer is missing: take the items that both answered")
    alike = wilson(sum(a == b for a, b in zip(first, second, strict=True)), n, level=level)
    kappa = _kappa(first, second, rng, level, resamples)
    if right is None:
        return Agreement(n, alike, kappa, None, None)
    wrong = [(a, b) for a, b, c in zip(first, second, right, strict=True) if c not in (a, b)]
    same = wilson(sum(a == b for a, b in wrong), len(wrong), level=level)
    return Agreement(n, alike, kappa, len(wrong), same)


def kendall_tau_b(
    first: ArrayLike, second: ArrayLike, rng: np.random.Generator, *, level: float = 0.95, resamples: int = 10_000
) -> Estimate:
    """Return Kendall's tau-b of two vectors, which takes ties into account, with a BCa bootstrap interval.

    Source: M. G. Kendall (1945), The treatment of ties in ranking problems, Biometrika 33, 239-251. Pairs are drawn; where
    all of a sample are ties, tau is not defined and there is no interval, as with few or much tied values.

    Args:
        first: One number per pair.
        second: The other number of the same pair.
        rng: Source of randomness.
        level: Coverage of the interval.
        resamples: Number of bootstrap samples.

    Raises:
        ValueError: The two differ in length, or hold a NaN.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"{a.size} and {b.size} values are not pairs")
    if np.isnan(a).any() or np.isnan(b).any():
        raise ValueError("a value is missing: take the pairs that are whole")
    n, method = int(a.size), "bca"
    if n < _LEAST_RANKED:
        return Estimate(None, None, None, n, method, f"{n} pairs, {_LEAST_RANKED} needed")
    signs = [np.sign(side[:, None] - side[None, :]) for side in (a, b)]
    products = signs[0] * signs[1], np.abs(signs[0]), np.abs(signs[1])

    def tau(samples: NDArray[np.intp]) -> NDArray[np.float64]:
        counts = _counts(samples, n)
        # Of a pair of places, as often as both were drawn: sums over all pairs of a sample are quadratic forms.
        score, untied, other = (((counts @ form) * counts).sum(axis=1) for form in products)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(score / np.sqrt(untied * other), dtype=np.float64)

    return bootstrap(np.arange(n), tau, rng, level=level, resamples=resamples, vectorised=True)


def rank_groups(names: Sequence[str], shown_better: Callable[[str, str], bool]) -> tuple[RankRange, ...]:
    """Return the range of ranks of each model, given which of them are shown to be better than which.

    A model's best rank is one more than the number shown better than it; its worst is all less the number that it is
    shown better than. If all pairs were tested with family-wise error α, all ranges hold the true ranks together with
    probability 1 - α: M. Mogstad, J. P. Romano, A. M. Shaikh and D. Wilhelm (2024), Inference for ranks, Rev. Econ.
    Stud. 91, 476-518.

    Args:
        names: The models, each once.
        shown_better: Whether the first is shown to be better than the second, after correction for all pairs.

    Returns:
        A range for each, best first; those alike in the order in which they were given.

    Raises:
        ValueError: A name is given twice, or two models are each shown to be better than the other.
    """
    if len(set(names)) < len(names):
        raise ValueError("a model is named twice: give each once")
    wins = {name: {other for other in names if other != name and shown_better(name, other)} for name in names}
    for name, beaten in wins.items():
        for other in beaten:
            if name in wins[other]:
                raise ValueError(f"{name} and {other} are each shown to be better than the other")
    found = [
        RankRange(name, 1 + sum(name in beaten for beaten in wins.values()), len(names) - len(wins[name]))
        for name in names
    ]
    return tuple(sorted(found, key=lambda rank: (rank.best + rank.worst, rank.best)))


def _kappa(
    first: Sequence[Any], second: Sequence[Any], rng: np.random.Generator, level: float, resamples: int
) -> Estimate:
    n, method = len(first), "bca"
    if n == 0:
        return Estimate(None, None, None, 0, method, "no items")
    # An answer that only one side ever gives cannot be given by both by chance.
    shared = set(second)
    answers = [key for key in dict.fromkeys(first) if key in shared]
    rows = np.array(
        [
            [*(a == key for key in answers), *(b == key for key in answers), a == b]
            for a, b in zip(first, second, strict=True)
        ],
        dtype=np.float64,
    )
    if np.isnan(_kappas(rows.sum(axis=0)[None, :], n)[0]):
        return Estimate(None, None, None, n, method, _NO_KAPPA)

    def kappas(samples: NDArray[np.intp]) -> NDArray[np.float64]:
        found = _kappas(_counts(samples, n) @ rows, samples.shape[1])
        # Where chance agreement is complete in a resample, so is agreement.
        return np.where(np.isnan(found), 1.0, found)

    return bootstrap(np.arange(n), kappas, rng, level=level, resamples=resamples, vectorised=True)


def _counts(samples: NDArray[np.intp], n: int) -> NDArray[np.float64]:
    """Return how often each of `n` places is in each sample."""
    places = samples + n * np.arange(len(samples))[:, None]
    return np.bincount(places.ravel(), minlength=n * len(samples)).reshape(-1, n).astype(np.float64)


def _kappas(sums: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return kappa from sums: how often the first gave each answer, the second, and how often both gave the same."""
    k = (sums.shape[1] - 1) // 2
    alike = sums[:, -1] / n
    chance = (sums[:, :k] * sums[:, k : 2 * k]).sum(axis=1) / n**2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(chance < 1 - 1e-12, (alike - chance) / (1 - chance), np.nan)
