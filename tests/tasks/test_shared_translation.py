"""The shared helper of translation tasks: cleaning, and the scores of one translation."""

from __future__ import annotations

import pytest
from datasets import Dataset

from tests.tasks.building import module

translation = module("_shared/translation")
METADATA = {"reference_column": "eus", "target_language": "eu", "bleu_tokenizer": "13a"}
DOC = {"eus": "Zubi zaharra astelehenean itxi zuten, ibaia gehiegi hazi zelako."}
NONE = {"empty": 0.0, "looping": 0.0, "wrong_language": 0.0}


def test_the_reference_itself_has_the_full_score() -> None:
    assert translation.score(DOC, [f" {DOC['eus']}\n"], METADATA) == {"chrf_pp": pytest.approx(100.0), **NONE}


@pytest.mark.parametrize("reply", ["", " \n", "...", "\u200b"])
def test_an_empty_reply_has_no_score_and_is_in_no_wrong_language(reply: str) -> None:
    assert translation.score(DOC, [reply], METADATA) == {"chrf_pp": 0.0, **NONE, "empty": 1.0}


def test_a_reply_in_another_language_is_told() -> None:
    reply = "The old bridge was closed on Monday because the river had risen too far."
    found = translation.score(DOC, [reply], METADATA)
    assert found.pop("chrf_pp") < 30
    assert found == {**NONE, "wrong_language": 1.0}


def test_a_loop_is_told() -> None:
    found = translation.score(DOC, ["Zubia itxi zuten eta " * 12], METADATA)
    assert found["looping"] == 1.0
    assert found["empty"] == 0.0


def test_a_no_break_space_in_the_reply_costs_nothing() -> None:
    assert translation.score(DOC, [DOC["eus"].replace(" ", "\u00a0")], METADATA)["chrf_pp"] == pytest.approx(100.0)


def test_rows_are_cleaned_and_stay_in_place() -> None:
    docs = Dataset.from_list(
        [{"sent_id": "n01001011", "en": "a\u00a0b\ufeff "}, {"sent_id": "w05010009", "en": "c\u200bd"}]
    )
    assert translation.clean_docs(docs).to_list() == [
        {"sent_id": "n01001011", "en": "a b", "document": "n01001"},
        {"sent_id": "w05010009", "en": "cd", "document": "w05010"},
    ]


def test_numbers_are_left_alone_and_rows_of_other_sets_get_no_document() -> None:
    assert translation.clean_docs(Dataset.from_list([{"id": 7, "eng": "x"}])).to_list() == [{"id": 7, "eng": "x"}]
