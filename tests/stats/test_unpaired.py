"""Differences of shares of unlike items, against statsmodels."""

from __future__ import annotations

import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from evalsuite.stats.unpaired import newcombe_independent


@pytest.mark.parametrize(
    ("first", "second"), [((7, 20), (12, 20)), ((0, 20), (20, 20)), ((20, 20), (20, 20)), ((3, 8), (10, 20))]
)
def test_the_interval_is_that_of_statsmodels(first: tuple[int, int], second: tuple[int, int]) -> None:
    found = newcombe_independent(first, second)
    expected = confint_proportions_2indep(*first, *second, method="newcomb", compare="diff")
    assert found.value == pytest.approx(first[0] / first[1] - second[0] / second[1])
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.n == first[1] + second[1]


def test_a_side_without_items_gives_no_difference() -> None:
    assert newcombe_independent((0, 0), (1, 2)).reason == "one side has no items"


def test_more_right_answers_than_items_are_refused() -> None:
    with pytest.raises(ValueError, match="3 right answers of 2 items"):
        newcombe_independent((3, 2), (1, 2))
