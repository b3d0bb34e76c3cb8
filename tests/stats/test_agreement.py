"""Agreement against scikit-learn, statsmodels and scipy; ranks by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from evalsuite.stats import kendall_tau_b, rank_groups, wilson
from evalsuite.stats.agreement import agreement


def _answers(seed: int, n: int = 150) -> tuple[list[str], list[str], list[str]]:
    rng = np.random.default_rng(seed)
    right = rng.integers(0, 4, n)
    sides = [np.where(rng.random(n) < share, right, rng.integers(0, 5, n)) for share in (0.5, 0.6)]
    return [f"c{i}" for i in sides[0]], [f"c{i}" for i in sides[1]], [f"c{i}" for i in right]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kappa_is_that_of_scikit_learn_with_the_error_of_statsmodels(seed: int) -> None:
    first, second, _ = _answers(seed)
    found = agreement(first, second, np.random.default_rng(9))
    assert found.kappa.value == pytest.approx(cohen_kappa_score(first, second))
    names = sorted({*first, *second})
    table = [[sum(a == x and b == y for a, b in zip(first, second, strict=True)) for y in names] for x in names]
    golden = cohens_kappa(table)
    assert (found.kappa.low, found.kappa.high) == pytest.approx((golden.kappa_low, golden.kappa_upp), abs=0.025)


def test_shares_count_by_hand() -> None:
    first, second, right = list("aabbccda"), list("abbbcdaa"), list("aaabbbba")
    found = agreement(first, second, np.random.default_rng(1), right=right, resamples=200)
    assert found.alike == wilson(5, 8)
    # Neither right: places 2 (b, b), 4 (c, c), 5 (c, d) and 6 (d, a); two of them with the same wrong answer.
    assert (found.both_wrong, found.same_wrong) == (4, wilson(2, 4))
    assert agreement(first, second, np.random.default_rng(1), resamples=200).both_wrong is None


def test_constant_answers_have_no_kappa() -> None:
    found = agreement("aaaa", "aaaa", np.random.default_rng(1))
    assert (found.alike.value, found.kappa.value) == (1.0, None)
    assert found.kappa.reason is not None
    assert "chance is already complete" in found.kappa.reason
    other = agreement("aaaa", "bbbb", np.random.default_rng(1))
    assert (other.kappa.value, other.kappa.low) == (0.0, None)
    same = agreement("abab", "abab", np.random.default_rng(1))
    assert (same.kappa.value, same.kappa.reason) == (1.0, "all resamples are alike, so that a bootstrap has no width")


def test_few_items_say_what_they_lack() -> None:
    assert agreement([], [], np.random.default_rng(1)).kappa.reason == "no items"
    assert agreement(["a"], ["b"], np.random.default_rng(1)).kappa.reason == "one item has no interval"
    none_wrong: Any = agreement("ab", "ab", np.random.default_rng(1), right="ab")
    assert (none_wrong.both_wrong, none_wrong.same_wrong.reason) == (0, "no items")


def test_answers_must_be_of_the_same_items() -> None:
    with pytest.raises(ValueError, match="2 and 1 answers"):
        agreement("ab", "a", np.random.default_rng(1))
    with pytest.raises(ValueError, match="2 and 2 and 1 answers"):
        agreement("ab", "ab", np.random.default_rng(1), right="a")
    with pytest.raises(ValueError, match="missing"):
        agreement(["a", None], ["a", "b"], np.random.default_rng(1))


@pytest.mark.parametrize("ties", [False, True])
def test_tau_is_that_of_scipy(ties: bool) -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(0, 1, 30)
    b = a + rng.normal(0, 1, 30)
    if ties:
        a, b = a.round(0), b.round(0)
    found = kendall_tau_b(a, b, np.random.default_rng(3), resamples=3000)
    assert found.value == pytest.approx(stats.kendalltau(a, b).statistic)
    golden = stats.bootstrap(
        (a, b), lambda x, y: stats.kendalltau(x, y).statistic, paired=True, vectorized=False, method="BCa",
        n_resamples=3000, rng=np.random.default_rng(4),
    ).confidence_interval  # fmt: skip
    assert (found.low, found.high) == pytest.approx((golden.low, golden.high), abs=0.04)


def test_tau_says_what_it_lacks() -> None:
    rng = np.random.default_rng(5)
    assert kendall_tau_b([1, 2], [1, 2], rng).reason == "2 pairs, 3 needed"
    assert kendall_tau_b([1, 1, 1], [1, 2, 3], rng).reason == "the statistic of these items is not a number"
    few = kendall_tau_b([1, 2, 3, 4], [1, 2, 4, 3], rng)
    assert few.value == pytest.approx(2 / 3)
    assert few.reason is not None
    assert "not a number in" in few.reason
    with pytest.raises(ValueError, match="not pairs"):
        kendall_tau_b([1, 2], [1], rng)
    with pytest.raises(ValueError, match="missing"):
        kendall_tau_b([1, 2, np.nan], [1, 2, 3], rng)


def test_ranks_hold_every_order_that_the_shown_differences_allow() -> None:
    shown = {("a", "c"), ("a", "d"), ("b", "d")}
    found = {r.name: r.label for r in rank_groups("abcd", lambda x, y: (x, y) in shown)}
    assert found == {"a": "1-2", "b": "1-3", "c": "2-4", "d": "3-4"}


def test_ranks_where_all_or_nothing_is_shown() -> None:
    strict = rank_groups("cab", lambda x, y: x < y)
    assert [(r.name, r.label) for r in strict] == [("a", "1"), ("b", "2"), ("c", "3")]
    assert [(r.name, r.label) for r in rank_groups("cab", lambda *_: False)] == [
        ("c", "1-3"),
        ("a", "1-3"),
        ("b", "1-3"),
    ]
    assert rank_groups([], lambda *_: True) == ()


def test_ranks_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="a and b are each shown"):
        rank_groups("ab", lambda *_: True)
    with pytest.raises(ValueError, match="named twice"):
        rank_groups("aa", lambda *_: False)
