"""The sign-flip test, against all patterns of signs, the binomial distribution and scipy."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from evalsuite.stats.paired import mcnemar_exact
from evalsuite.stats.signflip import sign_flip_p


def _all_patterns(d: list[float]) -> float:
    sums = [abs(sum(s * x for s, x in zip(signs, d, strict=True))) for signs in product((1, -1), repeat=len(d))]
    return sum(s >= abs(sum(d)) - 1e-9 for s in sums) / len(sums)


@pytest.mark.parametrize(
    "d", [[1.0, 2, 3, 4], [3.0, -1, 0, 2, 2, -5, 1], [0.5, 0.25, -0.125, 0.3, 0.3], [1.0], [0.1] * 9 + [-0.2]]
)
def test_small_samples_are_exact_without_a_generator(d: list[float]) -> None:
    assert sign_flip_p(d, None) == pytest.approx(_all_patterns(d))


@pytest.mark.parametrize(("first", "second"), [(1, 0), (3, 3), (12, 2), (40, 22), (0, 29), (300, 340)])
def test_of_single_wins_it_is_the_exact_mcnemar_test(first: int, second: int) -> None:
    assert sign_flip_p([1.0] * first + [-1.0] * second + [0.0] * 7, None) == pytest.approx(mcnemar_exact(first, second))


def test_whole_numbers_are_exact_however_many() -> None:
    d = np.random.default_rng(1).integers(-4, 6, 80).astype(float)
    golden = stats.permutation_test(
        (d, np.zeros_like(d)), lambda x, y: np.sum(x - y), permutation_type="samples", n_resamples=20_000, rng=2
    )
    assert sign_flip_p(d, None) == pytest.approx(golden.pvalue, abs=0.004)


def test_monte_carlo_agrees_with_the_exact_p_and_is_never_zero() -> None:
    d = np.random.default_rng(3).integers(-3, 5, 30).astype(float)
    # Eighths are no whole numbers, yet all sums are as far apart: the same p.
    drawn = sign_flip_p(d / 8, np.random.default_rng(4), resamples=40_000)
    assert drawn == pytest.approx(sign_flip_p(d, None), abs=0.006)
    assert sign_flip_p(np.linspace(0.1, 0.9, 40), np.random.default_rng(5), resamples=99) == 0.01


def test_zeros_change_nothing_and_nothing_is_refused() -> None:
    assert sign_flip_p([0.0, 0.0], None) == 1.0
    with pytest.raises(ValueError, match="pair"):
        sign_flip_p([], None)
    with pytest.raises(ValueError, match="generator"):
        sign_flip_p(np.linspace(0.1, 0.9, 15), None)
