"""Pirá: each language from its own columns of the same row."""

from __future__ import annotations

import re
from statistics import median

import pytest

from tests.tasks.building import group, module, needs, on_mirror, scored

utils = module("pira/utils")
mirror = needs("paulopirozelli/pira")
INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad\u0080-\u009f\u202a-\u202e]")
ROW = {
    "abstract": "Waves are high.", "abstract_translated_pt": "As ondas\u200b são altas.",
    "question_en_origin": "How are waves?", "question_pt_origin": "Como são as ondas?",
    "answer_en_origin": "High", "answer_en_validate": "", "answer_pt_origin": "Altas", "answer_pt_validate": "São altas",
}  # fmt: skip


def test_each_language_has_its_own_fields_and_the_same_passage():
    english, portuguese = utils.item(ROW, "en", "abstract"), utils.item(ROW, "pt", "abstract_translated_pt")
    assert (english["context"], english["question"], english["golds"]) == (
        "Waves are high.",
        "How are waves?",
        ["High"],
    )
    assert portuguese["context"] == "As ondas são altas."
    assert portuguese["golds"] == ["Altas", "São altas"]
    assert english["passage"] == portuguese["passage"]


@mirror
def test_items_are_parallel():
    assert set(group("pira")) == {"en", "pt"}
    english, portuguese = (on_mirror(f"pira_{code}")._docs for code in ("en", "pt"))
    assert english["id_qa"][:] == portuguese["id_qa"][:]
    assert len(set(english["id_qa"])) == len(english) == 227
    assert english["passage"][:] == portuguese["passage"][:]
    assert len(set(english["passage"])) == 181


@mirror
@pytest.mark.parametrize(("code", "half", "longest"), [("en", 1490, 4400), ("pt", 1600, 4530)])
def test_items_are_clean_and_as_long_as_the_note_says(code, half, longest):
    built = on_mirror(f"pira_{code}")
    docs = built._docs
    assert not any(INVISIBLE.search(doc["context"] + doc["question"] + "".join(doc["golds"])) for doc in docs)
    assert sum(len(doc["golds"]) == 1 for doc in docs) == 11
    assert median(len(doc["context"]) for doc in docs) == pytest.approx(half, rel=0.01)
    assert max(len(doc["context"]) for doc in docs) == pytest.approx(longest, rel=0.01)
    for index in range(0, 227, 10):
        assert scored(built, index, docs[index]["golds"][-1])["f1"] == 1.0
