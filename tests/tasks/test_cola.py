"""EsCoLA, CatCoLA and GalCoLA on stand-ins with the hub's columns: yes is the answer to an acceptable sentence."""

from __future__ import annotations

import pytest
from datasets import Dataset

from tests.tasks.building import catalog, module, on_rows, stand_in

utils = module("cola/utils")
WORDS = {"es": ("Sí", "No"), "ca": ("Sí", "No"), "gl": ("Si", "Non")}


@pytest.mark.parametrize("code", WORDS)
@pytest.mark.parametrize("form", ["native", "native-2", "native-3", "english"])
def test_yes_is_acceptable(code, form):
    yes, no = ("Yes", "No") if form == "english" else WORDS[code]
    rows = stand_in(f"cola/{code}")
    shown = on_rows(f"cola_{code}", rows, form).prompts(range(3))
    assert [item["target"] for item in shown] == [yes, no, yes]
    for item, row in zip(shown, rows, strict=True):
        assert row.get("Sentence", row.get("sentence")) in item["context"]
        assert item["context"].endswith(":")


def test_the_public_splits_are_used():
    assert {code: catalog()[f"cola_{code}"].data.split for code in WORDS} == {
        "es": "validation",
        "ca": "validation",
        "gl": "test",
    }


def test_the_halves_of_a_pair_are_one_sample():
    assert on_rows("cola_gl", stand_in("cola/gl"))._docs["origin"][:] == [
        "PROPOR2022/NUM_1/1",
        "PROPOR2022/NUM_1/1",
        "PROPOR2022/NUM_1/2",
    ]
    assert on_rows("cola_es", stand_in("cola/es"))._docs["origin"][:] == ["0", "1", "2"]


def test_what_a_constant_answer_gets_is_told():
    assert all("always answering yes" in (catalog()[f"cola_{code}"].note or "") for code in ("es", "ca"))
    assert {catalog()[f"cola_{code}"].parallel_group for code in WORDS} == {None}


def test_other_labels_are_refused():
    with pytest.raises(ValueError, match="label 'bo' is neither 0 nor 1"):
        utils.prepare(Dataset.from_list([{"Sentence": "Plou.", "Label": "bo"}]))
