"""Margins: Tango's test against published examples and a numeric maximum of the likelihood, t tests against scipy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from evalsuite.stats import non_inferiority_p, paired_difference, tango_interval, tost_p
from evalsuite.stats.clusters import cluster_error
from evalsuite.stats.tango import tango_z


def _vectors(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    table = (both, first, second, neither)
    return np.repeat([1.0, 1, 0, 0], table), np.repeat([1.0, 0, 1, 0], table)


def test_the_published_example_of_tango() -> None:
    # T. Tango (1998), Stat. Med. 17, 891-908: 43 of 44 right on both sides, one on the second only, margin 0.1:
    # Z = 1.709, one-sided p = 0.044.
    assert tango_z(0, 1, 44, -0.1) == pytest.approx(1.709, abs=5e-4)
    assert non_inferiority_p(*_vectors(43, 0, 1, 0), 0.1) == pytest.approx(0.044, abs=5e-4)


@pytest.mark.parametrize(
    ("first", "second", "n", "golden"),
    [
        # M. W. Fagerland, S. Lydersen and P. Laake (2014), Stat. Med. 33, 2850-2875: airway reactivity.
        (1, 7, 21, (-0.517, -0.026)),
        # A. Agresti and Y. Min (2005), Stat. Med. 24, 729-740.
        (16, 8, 86, (-0.020, 0.207)),
    ],
)
def test_the_published_intervals(first: int, second: int, n: int, golden: tuple[float, float]) -> None:
    assert tango_interval(first, second, n, 0.95) == pytest.approx(golden, abs=5e-4)


@pytest.mark.parametrize("difference", [-0.3, -0.05, 0.02, 0.4])
@pytest.mark.parametrize(("first", "second", "n"), [(12, 2, 50), (3, 9, 30), (1, 1, 100)])
def test_the_statistic_uses_the_most_likely_share_under_the_hypothesis(
    first: int, second: int, n: int, difference: float
) -> None:
    def loss(q: float) -> float:
        rest = (n - first - second) * math.log(1 - 2 * q - difference)
        return -(first * math.log(q + difference) + second * math.log(q) + rest)

    bounds = max(0.0, -difference) + 1e-12, (1 - difference) / 2 - 1e-12
    q = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-13}).x
    golden = (first - second - n * difference) / math.sqrt(n * (2 * q + difference - difference**2))
    assert tango_z(first, second, n, difference) == pytest.approx(golden, rel=1e-5)


@pytest.mark.parametrize(("first", "second"), [(12, 2), (3, 9)])
def test_without_a_margin_it_is_mcnemar_without_correction(first: int, second: int) -> None:
    assert tango_z(first, second, 40, 0.0) == pytest.approx((first - second) / math.sqrt(first + second))


def test_the_interval_is_the_differences_that_are_not_rejected() -> None:
    low, high = tango_interval(9, 4, 60, 0.9)
    z = stats.norm.ppf(0.95)
    assert (tango_z(9, 4, 60, low), tango_z(9, 4, 60, high)) == pytest.approx((z, -z))
    assert tango_interval(4, 9, 60, 0.9) == pytest.approx((-high, -low))


def test_the_interval_at_its_edges() -> None:
    z = stats.norm.ppf(0.975) ** 2
    # No item differs: the end is z² / (n + z²). All differ one way: (n - z²) / (n + z²). Both follow from its formula.
    assert tango_interval(0, 0, 20) == pytest.approx((-z / (20 + z), z / (20 + z)))
    assert tango_interval(20, 0, 20) == pytest.approx(((20 - z) / (20 + z), 1.0))
    assert tango_interval(0, 20, 20) == pytest.approx((-1.0, -(20 - z) / (20 + z)))
    assert tango_interval(1, 0, 1)[1] == 1.0
    with pytest.raises(ValueError, match="one side only"):
        tango_interval(3, 3, 5)
    with pytest.raises(ValueError, match=r"level 1\.5"):
        tango_interval(1, 1, 5, 1.5)
    with pytest.raises(ValueError, match="not between -1 and 1"):
        tango_z(1, 1, 5, 1.0)


def test_non_inferiority_and_the_lower_end_agree() -> None:
    a, b = _vectors(60, 6, 9, 25)
    low, _ = tango_interval(6, 9, 100, 0.9)
    assert non_inferiority_p(a, b, -low) == pytest.approx(0.05, abs=1e-9)
    clusters = [i % 20 for i in range(100)]
    found: Any = paired_difference(a, b, clusters=clusters, level=0.9)
    assert non_inferiority_p(a, b, -found.low, clusters=clusters) == pytest.approx(0.05, abs=1e-9)


def test_real_scores_get_the_one_sided_t_test_of_scipy() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.50, 0.2, 40), rng.normal(0.52, 0.2, 40)
    golden = stats.ttest_1samp(a - b, -0.1, alternative="greater").pvalue
    assert non_inferiority_p(a, b, 0.1) == pytest.approx(golden)
    other = stats.ttest_1samp(a - b, 0.1, alternative="less").pvalue
    assert tost_p(a, b, 0.1) == pytest.approx(max(golden, other))


def test_clusters_widen_the_error_of_real_scores() -> None:
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(10), 6)
    a, b = rng.normal(0, 0.1, 60), rng.normal(0, 0.1, 60) + rng.normal(0, 0.1, 10)[clusters]
    error: Any = cluster_error(a - b, list(clusters))
    golden = stats.t.sf((error.mean + 0.1) / error.se, error.df)
    assert non_inferiority_p(a, b, 0.1, clusters=list(clusters)) == pytest.approx(golden)


def test_equal_answers_are_shown_equivalent_with_enough_items_only() -> None:
    few, many = np.tile([1.0, 0.0], 10), np.tile([1.0, 0.0], 200)
    short: Any = tost_p(few, few, 0.02)
    enough: Any = tost_p(many, many, 0.02)
    assert enough < 0.05 < short
    # In clusters of 100 there are 4 items' worth.
    grouped: Any = tost_p(many, many, 0.02, clusters=[i // 100 for i in range(400)])
    assert grouped > 0.05


def test_what_cannot_be_tested_is_none() -> None:
    assert non_inferiority_p([], [], 0.1) is None
    assert non_inferiority_p([0.5], [0.4], 0.1) is None
    assert non_inferiority_p([0.5, 0.5], [0.25, 0.25], 0.1) is None
    assert tost_p([1.0, 0.0], [1.0, 1.0], 0.1, clusters="aa") is None
    assert non_inferiority_p([1.0], [1.0], 0.1) == pytest.approx(stats.norm.sf(math.sqrt(0.1 / 0.9)))


def test_a_margin_must_be_one() -> None:
    for margin in (0.0, -0.1, 1.0):
        with pytest.raises(ValueError, match="margin"):
            non_inferiority_p([1.0, 0.0], [1.0, 1.0], margin)
    assert non_inferiority_p([55.0, 60.0, 52.0], [54.0, 61.0, 50.0], 5.0) is not None
