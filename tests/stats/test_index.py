"""The language index, by hand, against normal theory and scipy's bootstrap."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import stats

from evalsuite.stats import (
    Estimate,
    TaskScores,
    chance_corrected,
    index_difference,
    language_index,
    newcombe_independent,
    paired_difference,
    wilson,
)


def _task(name: str, right: int, n: int, chance: float = 0.25, **more) -> TaskScores:
    return TaskScores(np.r_[np.ones(right), np.zeros(n - right)], chance, name=name, **more)


def test_chance_is_taken_off_values_and_intervals() -> None:
    assert chance_corrected(0.25, 0.25) == 0.0
    assert chance_corrected(1.0, 0.25) == 1.0
    assert chance_corrected(0.1, 0.25) == pytest.approx(-0.2)
    found: Any = chance_corrected(wilson(30, 40), 0.5)
    plain: Any = wilson(30, 40)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 2 * plain.low - 1, 2 * plain.high - 1))
    assert (found.n, found.method) == (40, "wilson")
    none = chance_corrected(Estimate(None, None, None, 0, "wilson", "no items"), 0.25)
    assert (none.value, none.reason) == (None, "no items")
    with pytest.raises(ValueError, match=r"chance of 1\.0"):
        chance_corrected(0.5, 1.0)


def test_the_index_is_the_mean_of_corrected_scores_and_its_interval_their_squares_added() -> None:
    found: Any = language_index([_task("a", 30, 40, 0.25), _task("b", 80, 100, 0.5), _task("c", 10, 50, 0.0)])
    parts: list[Any] = [
        chance_corrected(wilson(*c), chance) for c, chance in (((30, 40), 0.25), ((80, 100), 0.5), ((10, 50), 0.0))
    ]
    assert list(found.parts.values()) == parts
    assert found.estimate.value == pytest.approx((2 / 3 + 0.6 + 0.2) / 3)
    below = math.sqrt(sum((p.value - p.low) ** 2 for p in parts)) / 3
    above = math.sqrt(sum((p.high - p.value) ** 2 for p in parts)) / 3
    assert found.estimate.low == pytest.approx(found.estimate.value - below)
    assert found.estimate.high == pytest.approx(found.estimate.value + above)
    assert found.estimate.n == 190
    assert found.without == pytest.approx({"a": 0.4, "b": (2 / 3 + 0.2) / 2, "c": (2 / 3 + 0.6) / 2})
    assert found.largest_change == ("c", pytest.approx(found.without["c"] - found.estimate.value))


def test_the_interval_is_near_the_bootstrap_of_scipy() -> None:
    rng = np.random.default_rng(1)
    values = [(rng.random(n) < p).astype(float) for n, p in ((150, 0.6), (200, 0.7))]
    tasks = [TaskScores(v, c, name=name) for v, c, name in zip(values, (0.25, 0.5), "ab", strict=True)]
    found = language_index(tasks, np.random.default_rng(2))
    golden = stats.bootstrap(
        values, lambda a, b, axis=-1: ((a.mean(axis=axis) - 0.25) / 0.75 + (b.mean(axis=axis) - 0.5) / 0.5) / 2,
        method="percentile", rng=np.random.default_rng(3),
    ).confidence_interval  # fmt: skip
    assert found.bootstrap is not None
    assert (found.bootstrap.low, found.bootstrap.high) == pytest.approx((golden.low, golden.high), abs=0.006)
    assert (found.estimate.low, found.estimate.high) == pytest.approx((golden.low, golden.high), abs=0.012)
    assert language_index(tasks).bootstrap is None


def test_clusters_widen_the_index() -> None:
    values = np.repeat([1.0, 0.0, 1.0, 1.0, 0.0, 1.0], 10)
    alone: Any = language_index([TaskScores(values, 0.25, name="a")])
    shared: Any = language_index(
        [TaskScores(values, 0.25, [i // 10 for i in range(60)], "a")], np.random.default_rng(4)
    )
    assert shared.estimate.high - shared.estimate.low > 2 * (alone.estimate.high - alone.estimate.low)
    assert shared.bootstrap.high - shared.bootstrap.low > 2 * (alone.estimate.high - alone.estimate.low)


def test_what_an_index_lacks_is_said() -> None:
    assert language_index([]).estimate.reason == "no tasks"
    one = language_index([_task("a", 3, 4)])
    assert (one.without, one.largest_change) == ({}, None)
    empty = language_index([_task("a", 3, 4), TaskScores([], 0.25, name="b")], np.random.default_rng(1))
    assert (empty.estimate.value, empty.estimate.reason, empty.without) == (None, "no score on b", {})
    short = language_index([_task("a", 3, 4), TaskScores([0.4], 0.0, name="b")], np.random.default_rng(1))
    assert short.estimate.value is not None
    assert (short.estimate.low, short.estimate.reason) == (None, "b: one item has no interval")
    alike: Any = language_index([TaskScores([1.0] * 4, 0.0, name="b")], np.random.default_rng(1))
    assert alike.bootstrap.reason == "all resamples are alike, so that a bootstrap has no width"
    assert alike.estimate.low is not None


def test_wrong_tasks_are_refused() -> None:
    with pytest.raises(ValueError, match="two tasks have the name 'a'"):
        language_index([_task("a", 1, 2), _task("a", 1, 2)])
    with pytest.raises(ValueError, match="a: a chance of 1"):
        _task("a", 1, 2, 1.0)
    with pytest.raises(ValueError, match="1 clusters for 2 values"):
        _task("a", 1, 2, clusters=["x"])
    with pytest.raises(ValueError, match="3 ids for 2 values"):
        _task("a", 1, 2, ids="xyz")
    with pytest.raises(ValueError, match="not unique"):
        _task("a", 1, 2, ids="xx")


def test_one_paired_task_is_the_paired_difference_above_chance() -> None:
    rng = np.random.default_rng(5)
    a, b = (rng.random(80) < 0.7).astype(float), (rng.random(80) < 0.5).astype(float)
    ids = [f"i{i}" for i in range(80)]
    order = rng.permutation(80)
    found = index_difference(
        [TaskScores(a, 0.5, name="t", ids=ids)],
        [TaskScores(b[order], 0.5, name="t", ids=[ids[i] for i in order])],
        np.random.default_rng(6),
    )
    golden: Any = paired_difference(a, b)
    assert (found.estimate.value, found.estimate.low, found.estimate.high) == pytest.approx(
        (2 * golden.difference, 2 * golden.low, 2 * golden.high)
    )
    assert found.p == pytest.approx(golden.p, abs=0.005)
    assert (found.paired, found.test_method, found.left_out) == (("t",), "sign-flip", ())
    assert found.largest_change is None


def test_unlike_items_are_compared_as_independent_samples() -> None:
    found = index_difference([_task("t", 30, 40, 0.5)], [_task("t", 20, 50, 0.5)], np.random.default_rng(7))
    golden: Any = newcombe_independent((30, 40), (20, 50))
    assert (found.estimate.value, found.estimate.low, found.estimate.high) == pytest.approx(
        (2 * golden.value, 2 * golden.low, 2 * golden.high)
    )
    # The Wald statistic, with the degrees of freedom of both samples.
    se = math.sqrt(0.75 * 0.25 / 40 + 0.4 * 0.6 / 50)
    assert found.p == pytest.approx(2 * stats.t.sf(0.35 / se, 88))
    assert (found.paired, found.test_method) == ((), "welch")


def test_tasks_are_matched_by_name_and_their_differences_averaged() -> None:
    rng = np.random.default_rng(8)
    first = [_task("a", 30, 40), _task("b", 30, 60), _task("c", 1, 9)]
    second = [_task("b", 20, 50), _task("a", 20, 40), _task("d", 5, 9)]
    found = index_difference(first, second, rng)
    a, b = 0.25 / 0.75, 0.1 / 0.75
    assert found.estimate.value == pytest.approx((a + b) / 2)
    assert found.without == pytest.approx({"a": b, "b": a})
    assert (found.paired, found.left_out) == (("a",), ("c", "d"))
    assert found.parts["b"].method == "newcombe, independent"
    assert index_difference([_task("a", 1, 2)], [_task("z", 1, 2)], rng).estimate.reason == "no tasks"


def test_two_levels_of_chance_are_each_taken_off() -> None:
    rng = np.random.default_rng(9)
    found = index_difference([_task("a", 30, 40, 0.5)], [_task("a", 30, 40, 0.0)], rng)
    assert found.estimate.value == pytest.approx(0.5 - 0.75)
    unlike = index_difference([_task("a", 30, 40, 0.5)], [_task("a", 15, 20, 0.0)], rng)
    assert unlike.estimate.value == pytest.approx(0.5 - 0.75)
    assert unlike.parts["a"].method == "welch"


def test_clusters_of_paired_items_flip_whole_and_must_be_the_same() -> None:
    a, b = np.tile([1.0, 1.0, 0.0], 12), np.tile([1.0, 0.0, 0.0], 12)
    clusters = [i // 9 for i in range(36)]
    found = index_difference(
        [TaskScores(a, 0.0, clusters, "t")], [TaskScores(b, 0.0, clusters, "t")], np.random.default_rng(10)
    )
    # Four clusters that all lean one way: 2 of 16 patterns of signs are as far.
    assert found.p == pytest.approx(2 / 16)
    with pytest.raises(ValueError, match="same clusters"):
        index_difference(
            [TaskScores(a, 0.0, clusters, "t")], [TaskScores(b, 0.0, clusters[::-1], "t")], np.random.default_rng(10)
        )


def test_an_item_of_a_short_task_weighs_more_in_the_test() -> None:
    zeros, sides = np.zeros(14), np.r_[1.0, 1, 0, 0, 1, 1, 1, np.zeros(7)]
    first = [TaskScores(sides[:4], 0.0, name="short"), TaskScores(zeros[4:], 0.0, name="long")]
    second = [TaskScores(zeros[:4], 0.0, name="short"), TaskScores(sides[4:], 0.0, name="long")]
    found = index_difference(first, second, np.random.default_rng(11))
    assert found.estimate.value == pytest.approx((0.5 - 0.3) / 2)
    # Two items that count a quarter each and three that count a tenth: all 32 patterns of signs.
    weights = (0.25, 0.25, 0.1, 0.1, 0.1)
    sums = [abs(sum(np.multiply(signs, weights))) for signs in product((1, -1), repeat=5)]
    assert found.p == pytest.approx(sum(x >= 0.2 - 1e-9 for x in sums) / 32)
