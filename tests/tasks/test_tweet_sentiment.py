"""Tweets on stand-ins with the hub's columns: three classes, one line."""

from __future__ import annotations

import pytest

from tests.tasks.building import catalog, module, on_rows, stand_in

utils = module("tweet_sentiment/utils")
WORDS = {
    "en": ["negative", "neutral", "positive"],
    "es": ["negativo", "neutro", "positivo"],
    "pt": ["negativo", "neutro", "positivo"],
}


@pytest.mark.parametrize("code", WORDS)
@pytest.mark.parametrize("form", ["native", "native-2", "english"])
def test_items_on_stand_ins(code, form):
    if form == "english" and code == "en":
        form = "native"
    shown = on_rows(f"tweet_sentiment_{code}", stand_in(f"tweet_sentiment/{code}"), form).prompts(range(3))
    assert [item["choices"].index(item["target"]) for item in shown] == [0, 1, 2]
    assert all(item["context"].count("\n") == (2 if form == "native-2" else 1) for item in shown)
    if form == "native":
        assert shown[0]["choices"] == WORDS[code]


@pytest.mark.parametrize(("label", "gold"), [(0, 0), (2, 2), ("1", 1), ("positive", 2)])
def test_classes(label, gold):
    assert utils.number(label) == gold


@pytest.mark.parametrize("label", [3, -1, "7"])
def test_other_classes_are_refused(label):
    with pytest.raises(ValueError, match="is none of 0, 1, 2"):
        utils.number(label)


def test_tweets_of_two_languages_are_not_compared():
    assert {catalog()[f"tweet_sentiment_{code}"].parallel_group for code in WORDS} == {None}
