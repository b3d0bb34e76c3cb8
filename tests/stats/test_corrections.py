"""Corrections against statsmodels and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from evalsuite.stats import benjamini_hochberg, holm

FAMILIES = [
    [0.01],
    [0.04, 0.01, 0.03],
    [0.5, 0.5, 0.001, 0.04, 0.04, 1.0, 0.0],
    list(np.random.default_rng(5).random(40) ** 3),
]


@pytest.mark.parametrize("family", range(len(FAMILIES)))
def test_holm_agrees_with_statsmodels(family: int) -> None:
    p = FAMILIES[family]
    assert holm(p) == pytest.approx(list(multipletests(p, method="holm")[1]))


@pytest.mark.parametrize("family", range(len(FAMILIES)))
def test_benjamini_hochberg_agrees_with_statsmodels_and_scipy(family: int) -> None:
    p = FAMILIES[family]
    assert benjamini_hochberg(p) == pytest.approx(list(multipletests(p, method="fdr_bh")[1]))
    assert benjamini_hochberg(p) == pytest.approx(list(stats.false_discovery_control(p)))


def test_what_was_not_tested_does_not_count() -> None:
    assert holm([None, 0.02, None, 0.04]) == [None, 0.04, None, 0.04]
    assert benjamini_hochberg([None, 0.02, None, 0.04]) == [None, 0.04, None, 0.04]
    assert holm([]) == benjamini_hochberg([]) == []
    assert holm([None]) == benjamini_hochberg([None]) == [None]


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg])
def test_what_is_no_probability_is_refused(correct) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        correct([0.2, 1.2])
    with pytest.raises(ValueError, match="between 0 and 1"):
        correct([0.2, float("nan")])
