"""Resampling within categories, against the textbook variance of a stratified mean."""

from __future__ import annotations

import numpy as np
import pytest

from evalsuite.stats.strata import drawn_interval, resampled_rows, stratified_weights

STRATA = np.repeat([0, 1, 2, 3], [4, 4, 10, 1])


def test_every_stratum_keeps_its_size() -> None:
    weights = stratified_weights(STRATA, np.random.default_rng(1), 500)
    for stratum, size in enumerate((4, 4, 10, 1)):
        assert weights[:, stratum == STRATA].sum(axis=1) == pytest.approx(np.full(500, size))
    assert (weights[:, -1] == 1).all()
    assert (weights >= 0).all()


def test_the_spread_of_a_mean_is_the_stratified_standard_error() -> None:
    values = np.array([0, 1, 1, 0, 1, 1, 1, 0, *np.tile([0, 1], 5), 1.0])
    means = stratified_weights(STRATA, np.random.default_rng(2), 40_000) @ values / len(values)
    parts = [values[stratum == STRATA] for stratum in range(3)]
    # Cochran (1977), Sampling Techniques, 3rd ed., equation 5.12, without the finite population's correction.
    error = np.sqrt(sum((len(p) / len(values)) ** 2 * p.var(ddof=1) / len(p) for p in parts))
    assert means.std() == pytest.approx(error, rel=0.02)
    assert means.mean() == pytest.approx(values.mean(), abs=0.001)


def test_strata_of_one_item_are_drawn_as_one() -> None:
    strata, values = np.array([0, 0, 0, 1, 2, 3, 4, 5]), np.array([1, 0, 1, 1, 0, 0, 1, 1.0])
    weights = stratified_weights(strata, np.random.default_rng(5), 40_000)
    assert weights[:, 3:].sum(axis=1) == pytest.approx(np.full(40_000, 5))
    # The variance of the total of a simple sample of five, as there is one stratum of them.
    assert (weights[:, 3:] @ values[3:]).var() == pytest.approx(5 * values[3:].var(ddof=1), rel=0.03)


def test_rows_of_a_table_are_drawn_in_the_same_way() -> None:
    table = np.array([[3, 1, 0], [0, 0, 1], [2, 2, 6]])
    rows = resampled_rows(table, np.random.default_rng(3), 40_000)
    for row, drawn in zip(table, rows, strict=True):
        assert drawn.sum(axis=1) == pytest.approx(np.full(40_000, row.sum()))
        assert drawn.mean(axis=0) == pytest.approx(row, abs=0.05)
    # Of m items, h of them hits: the variance of the hits is m × their sample variance.
    assert rows[0][:, 0].var() == pytest.approx(4 * np.var([1, 1, 1, 0], ddof=1), rel=0.05)
    assert (rows[1] == table[1]).all()


def test_an_interval_is_the_quantiles_of_what_was_drawn() -> None:
    drawn = np.random.default_rng(4).normal(0.5, 0.1, 2000)
    found = drawn_interval(0.5, drawn, 30)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=1e-6)
    assert (found.value, found.n, found.reason) == (0.5, 30, None)
    with_holes = drawn_interval(0.5, np.concatenate([drawn, [np.nan]]), 30)
    assert (with_holes.low, with_holes.high) == (found.low, found.high)


@pytest.mark.parametrize(
    ("value", "drawn", "reason"),
    [
        (None, [0.1, 0.2], "nothing"),
        (float("nan"), [], "nothing"),
        (1.0, [1.0, 1.0], "all resamples are alike, so that a bootstrap has no width"),
        (1.0, [], "all resamples are alike, so that a bootstrap has no width"),
    ],
)
def test_what_has_no_interval_says_why(value: float | None, drawn: list[float], reason: str) -> None:
    found = drawn_interval(value, np.array(drawn), 3, lacking="nothing")
    assert (found.low, found.high, found.reason) == (None, None, reason)
    assert found.value == (value if value == 1.0 else None)


@pytest.mark.parametrize("row", [[3, 0, 2, 0, 0], [0, 0, 4], [2, 0, 3], [0, 5, 0, 0]])
def test_outcomes_that_never_came_up_change_no_draw(row: list[int]) -> None:
    m = sum(row)
    golden = np.random.default_rng(4).multinomial(m - 1, np.array(row) / m, size=300) * (m / (m - 1))
    assert (resampled_rows(np.array([row]), np.random.default_rng(4), 300)[0] == golden).all()
