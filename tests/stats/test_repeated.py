"""Several scores of the same items: statsmodels' Cochran's Q, and a count over all permutations of small cases."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import cochrans_q

from evalsuite.stats.repeated import repeated


def _scores(seed: int, n: int = 60, k: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ease = rng.normal(0, 1, (n, 1))
    return (ease + rng.normal(0, 1, (n, k)) + 0.3 * np.arange(k) > 0).astype(float)


def _every_permutation(scores: np.ndarray) -> tuple[float, float, float]:
    """Return p, mean spread and its 95 % quantile, over every way in which each row can stand."""
    ways = [list(permutations(row)) for row in scores.tolist()]
    sums = np.array([np.sum(choice, axis=0) for choice in product(*ways)])
    observed = (scores.sum(axis=0) ** 2).sum()
    p = ((sums**2).sum(axis=1) >= observed - 1e-9).mean()
    spreads = (sums.max(axis=1) - sums.min(axis=1)) / len(scores)
    return float(p), float(spreads.mean()), float(np.quantile(spreads, 0.95))


@pytest.mark.parametrize("seed", range(8))
def test_p_is_that_of_statsmodels(seed: int) -> None:
    scores = _scores(seed, k=2 + seed % 3)
    found = repeated(scores, np.random.default_rng(1), draws=200)
    assert found.method == "cochran"
    assert found.p == pytest.approx(cochrans_q(scores).pvalue, rel=1e-9)
    assert found.means == pytest.approx(scores.mean(axis=0))
    assert found.spread == pytest.approx(np.ptp(scores.mean(axis=0)))
    assert found.deviation == pytest.approx(np.std(scores.mean(axis=0), ddof=1))
    assert found.changed == sum(len(set(row)) > 1 for row in scores.tolist())


@pytest.mark.parametrize(
    "scores",
    [
        [[1, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 0, 1]],
        [[0, 1], [0, 1], [0, 1], [1, 0], [1, 1]],
        [[30.5, 28.0, 27.5], [10.0, 12.0, 9.0], [55.0, 50.0, 41.0], [20.0, 20.0, 20.0]],
    ],
)
def test_small_cases_are_counted_over_permutations(scores: list[list[float]]) -> None:
    data = np.array(scores, dtype=float)
    found = repeated(data, np.random.default_rng(2), draws=40_000)
    p, expected, high = _every_permutation(data)
    assert found.method == "permutation"
    assert found.p == pytest.approx(p, abs=0.01)
    assert found.expected == pytest.approx(expected, rel=0.02)
    assert found.expected_high == pytest.approx(high, rel=0.05)


def test_items_that_never_change_show_no_difference() -> None:
    found = repeated(np.ones((30, 3)), np.random.default_rng(3))
    assert (found.spread, found.expected, found.expected_high, found.p, found.changed) == (0, 0, 0, 1, 0)


def test_conditions_that_do_not_differ_are_rarely_said_to() -> None:
    ps = [repeated(_null(seed), np.random.default_rng(seed), draws=50).p for seed in range(400)]
    # Of 400 tests at 5 %, 20 are expected; 36 or more have a probability below 0.001.
    assert sum(p < 0.05 for p in ps) < 36


def _null(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(0, 1, (80, 1)) + rng.normal(0, 1, (80, 3)) > 0).astype(float)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.empty((0, 3)), "0 items under 3 conditions"),
        (np.ones((3, 1)), "3 items under 1 conditions"),
        (np.array([[1.0, np.nan]]), "a score is missing"),
    ],
)
def test_what_cannot_be_compared_is_refused(scores: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        repeated(scores, np.random.default_rng(4))


def test_zeros_and_ones_are_permuted_as_other_scores_are() -> None:
    scores = np.array([[1, 0, 0, 1], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1], [1, 1, 1, 0]] * 6, dtype=float)
    binary = repeated(scores, np.random.default_rng(1), draws=40_000)
    # The same up to a scale, which takes the way of sorted random numbers.
    scaled = repeated(scores * 3 + 1, np.random.default_rng(2), draws=40_000)
    assert binary.expected == pytest.approx(scaled.expected / 3, rel=0.01)
    assert binary.expected_high == pytest.approx(scaled.expected_high / 3, abs=1 / 30 + 1e-9)
    assert (binary.changed, scaled.changed) == (30, 30)
