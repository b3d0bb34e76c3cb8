"""Work that is planned as a whole and done as far as it is asked for."""

from __future__ import annotations

import pytest

from evalsuite.backends.ahead import Ahead


class Plans:
    """Counts what is planned and what is done; results come in reverse order."""

    def __init__(self) -> None:
        self.plans: list[list[int]] = []
        self.done: list[int] = []

    def __call__(self, requests):
        self.plans.append(list(requests))
        for index in reversed(range(len(requests))):
            if requests[index] < 0:
                raise RuntimeError("a negative request")
            self.done.append(requests[index])
            yield index, 10 * requests[index]


def test_what_is_announced_is_planned_once_and_done_when_it_is_asked_for():
    plans = Plans()
    ahead: Ahead[int, int] = Ahead(plans)
    ahead.announce([1, 2, 3, 4, 2])
    assert plans.plans == []
    assert ahead.get([4, 3]) == {4: 40, 3: 30}
    assert plans.done == [4, 3]
    assert ahead.knows([3]) and not ahead.knows([3, 1])
    assert ahead.get([1, 4]) == {1: 10, 4: 40}
    assert plans.plans == [[1, 2, 3, 4]]


def test_strangers_are_planned_by_themselves_and_the_rest_anew():
    plans = Plans()
    ahead: Ahead[int, int] = Ahead(plans)
    ahead.announce([1, 2, 3])
    assert ahead.get([3, 9]) == {9: 90, 3: 30}
    assert ahead.get([9, 8]) == {9: 90, 8: 80}
    assert ahead.get([1]) == {1: 10}
    assert plans.plans == [[9], [1, 2, 3], [9, 8], [1, 2]]


def test_a_failure_is_told_and_the_rest_can_still_be_asked_for():
    plans = Plans()
    ahead: Ahead[int, int] = Ahead(plans)
    ahead.announce([5, -1, 7])
    assert ahead.get([7]) == {7: 70}
    for _ in range(2):
        with pytest.raises(RuntimeError, match="negative"):
            ahead.get([5])
    ahead.forget()
    assert ahead.get([5]) == {5: 50}
