"""Scorings against lm-eval's own `process_results`, and by hand where ties and holes are concerned."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from evalsuite.analysis.metrics import SCORINGS, Choices, Ragged, predictions, rescore, right_choices


def _lm_eval(choices: list[str], gold: int, logprobs: list[float], prior: list[float]) -> dict[str, float]:
    api = pytest.importorskip("lm_eval.api.task")
    task = SimpleNamespace(
        OUTPUT_TYPE="multiple_choice",
        _metric_fn_list=dict.fromkeys(SCORINGS),
        multiple_input=False,
        multiple_target=False,
        config=SimpleNamespace(process_results=None),
        doc_to_choice=lambda doc: choices,
        doc_to_target=lambda doc: gold,
    )
    results = [(lp, False) for lp in (*logprobs, *prior)]
    return dict(api.ConfigurableTask.process_results(task, {}, results))


@pytest.mark.parametrize("seed", range(20))
def test_scorings_are_those_of_lm_eval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = ["eguraldia", "天気", "o", "ciència", "一番大きい都市", "são"]
    choices = [str(w) for w in rng.permutation(words)[: rng.integers(2, 7)]]
    logprobs = [float(v) for v in rng.normal(-8, 3, len(choices))]
    prior = [float(v) for v in rng.normal(-10, 3, len(choices))]
    gold = int(rng.integers(0, len(choices)))
    expected = _lm_eval(choices, gold, logprobs, prior)
    found = rescore([choices], [str(gold)], [logprobs], [prior])
    assert {name: float(found[name][0]) for name in SCORINGS} == expected


def test_each_scoring_picks_another_choice() -> None:
    # chars 2, 6, 3, 8; bytes 6, 6, 3, 8: built so that the four rules disagree.
    choices = [["天気", "answer", "ape", "marathon"]]
    logprobs = [[-4.0, -6.0, -3.0, -7.0]]
    prior = [[-4.0, -20.0, -3.0, -7.0]]
    picked = {name: int(p[0]) for name, p in predictions(choices, logprobs, prior).items()}
    assert picked == {"acc": 2, "acc_norm": 3, "acc_bytes": 0, "acc_mutual_info": 1}


def test_the_first_choice_wins_a_tie() -> None:
    picked = predictions([["aa", "bb", "cc"]], [[-2.0, -1.0, -1.0]], [[-1.0, -1.0, -1.0]])
    assert {int(p[0]) for p in picked.values()} == {1}


def test_items_may_have_unlike_numbers_of_choices() -> None:
    picked = predictions([["a", "b"], ["a", "b", "c"]], [[-5.0, -9.0], [-5.0, -9.0, -1.0]], [[], []])
    assert list(picked["acc"]) == [0, 2]
    assert np.isnan(picked["acc_mutual_info"]).all()


def test_what_cannot_be_scored_is_missing() -> None:
    found = rescore([[], ["a", "b"], ["a", "b"]], ["text", "7", "1"], [[], [-1.0, -2.0], [-1.0]], [[], [], []])
    assert all(np.isnan(values).all() for values in found.values())
    assert all(len(values) == 0 for values in rescore([], [], [], []).values())


@pytest.mark.parametrize(
    ("target", "expected"),
    [("1", {1}), ("[0, 2]", {0, 2}), ("blue", {2}), ("5", set()), ("-1", set()), ("true", set()), ("nothing", set())],
)
def test_targets(target: str, expected: set[int]) -> None:
    assert right_choices(target, ["red", "green", "blue"]) == expected


def test_an_index_goes_before_a_choice_that_looks_like_one() -> None:
    assert right_choices("0", ["1", "0"]) == {0}


def test_many_items_at_once_score_as_each_alone_in_lm_eval() -> None:
    rng = np.random.default_rng(11)
    words = ["eguraldia", "天気", "o", "ciència", "一番大きい都市", "são"]
    items = [[str(w) for w in rng.permutation(words)[: rng.integers(2, 7)]] for _ in range(60)]
    golds = [int(rng.integers(0, len(choices))) for choices in items]
    logprobs, prior = ([[float(v) for v in rng.normal(-8, 3, len(c))] for c in items] for _ in range(2))
    found = rescore(items, [str(gold) for gold in golds], logprobs, prior)
    expected = [_lm_eval(*each) for each in zip(items, golds, logprobs, prior, strict=True)]
    for name in SCORINGS:
        assert found[name].tolist() == [one[name] for one in expected]


def test_arrow_lists_are_read_as_they_would_be_in_python() -> None:
    rows = pa.array([[1.0, 2.0], None, [], [4.0]], pa.list_(pa.float64()))
    ragged = Ragged.of(rows.slice(0, 4))
    assert ragged.counts.tolist() == [2, 0, 0, 1]
    assert ragged.padded(2, -1.0).tolist() == [[1, 2], [-1, -1], [-1, -1], [4, -1]]
    assert ragged.padded(1, -1.0).tolist() == [[1], [-1], [-1], [4]]
    assert str(ragged.sums().tolist()) == "[3.0, nan, nan, 4.0]"
    assert Ragged.of(rows.slice(3)).padded(1, 0.0).tolist() == [[4]]


def test_items_that_offer_the_same_share_one_tuple() -> None:
    made = Choices.of([["a", "b"], ["a", "b"], ["a"], []], ["1", "[0, 1]", "7", "x"])
    assert made.texts.tolist() == [("a", "b"), ("a", "b"), ("a",), ()]
    assert made.texts[0] is made.texts[1]
    assert made.right.tolist() == [[False, True], [True, True], [False, False], [False, False]]
    assert str(made.one_right.tolist()) == "[1.0, nan, nan, nan]"
