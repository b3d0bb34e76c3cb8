"""COPA on stand-ins with the hub's columns: a premise, a connective, and the likelier of two endings."""

from __future__ import annotations

import pytest
from datasets import Dataset

from tests.tasks.building import catalog, module, on_rows, stand_in

CODES = ("es", "ca", "eu")
utils = module("_shared/cause_effect")
ROW = {"premise": "Llovía.", "choice1": "Salí.", "choice2": "Me quedé.", "question": "effect", "label": 1}


@pytest.mark.parametrize(
    ("code", "cause", "effect"),
    [
        ("es", "La calle estaba mojada porque", "El niño dejó caer el vaso y por eso"),
        ("ca", "El carrer estava moll perquè", "El nen va deixar caure el got i per això"),
        ("eu", "Kalea bustita zegoen. Izan ere,", "Haurrak edalontzia erortzen utzi zuen. Beraz,"),
    ],
)
def test_the_connective_follows_the_question(code, cause, effect):
    shown = on_rows(f"copa_{code}", stand_in(f"copa/{code}")).prompts([0, 1])
    assert [item["context"] for item in shown] == [cause, effect]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("form", ["native", "native-2", "native-3", "english"])
def test_the_right_ending_is_the_label(code, form):
    rows = stand_in(f"copa/{code}")
    for item, row in zip(on_rows(f"copa_{code}", rows, form).prompts(range(3)), rows, strict=True):
        right = row[f"choice{row['label'] + 1}"]
        assert item["target"] == (right if form == "native-2" else right[0].lower() + right[1:])
        assert len(item["choices"]) == 2


def test_a_question_mark_stays_in_the_premise():
    asked = Dataset.from_list([{**ROW, "premise": "¿Llovía?"}])
    assert utils.prepare(asked)["stem"][0] == "¿Llovía?"


@pytest.mark.parametrize(
    ("change", "told"),
    [({"question": "why"}, "neither 'cause' nor 'effect'"), ({"label": -1}, "take the labelled test set")],
)
def test_other_rows_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        utils.prepare(Dataset.from_list([{**ROW, **change}]))


def test_languages_are_not_joined_by_row_and_english_is_left_out():
    assert {catalog()[f"copa_{code}"].parallel_group for code in CODES} == {None}
    assert "copa_en" not in catalog()
