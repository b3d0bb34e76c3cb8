"""Tails of the binomial distribution against scipy's own distribution, which is another implementation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evalsuite.stats.binomial import at_least, at_most


@pytest.mark.parametrize("n", [0, 1, 7, 200, 40_000])
@pytest.mark.parametrize("share", [0.0, 0.03, 0.5, 0.97, 1.0])
def test_tails_are_those_of_scipy(n: int, share: float) -> None:
    hits = np.unique(np.clip(np.linspace(-2, n + 2, 97).round(), -2, n + 2))
    np.testing.assert_allclose(at_most(hits, n, share), stats.binom.cdf(hits, n, share), rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(at_least(hits, n, share), stats.binom.sf(hits - 1, n, share), rtol=1e-9, atol=1e-300)


def test_each_count_may_have_its_own_number_of_trials() -> None:
    found = at_least([1, 1, 2], [1, 2, 2], 0.5)
    np.testing.assert_allclose(found, [0.5, 0.75, 0.25])
