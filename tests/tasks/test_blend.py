"""BLEnD: answers of people in three countries, with their votes."""

from __future__ import annotations

import pytest

from tests.tasks.building import catalog, module, needs, on_mirror, scored

utils = module("blend/utils")
mirror = needs("nayeon212/BLEnD")
NAMES = {"blend_en": 11, "blend_es": 7, "blend_mx_es": 10}
"""Questions that nobody answered."""


def test_spellings_of_an_answer_share_its_votes():
    row = {
        "question": " ¿Qué se come? ",
        "annotations": [
            {"answers": ["bocadillo\nbocata"], "en_answers": ["sandwich"], "count": 3},
            {"answers": ["fruta"], "en_answers": ["fruit"], "count": 1},
        ],
    }
    assert utils.item(row) == {
        "question": "¿Qué se come?",
        "golds": ["bocadillo", "bocata", "fruta"],
        "votes": [3, 3, 1],
    }


@pytest.mark.parametrize("name", NAMES)
def test_countries_share_no_content(name):
    assert catalog()[name].parallel_group is None


@mirror
@pytest.mark.parametrize("name", NAMES)
def test_items_are_as_the_note_says(name):
    built = on_mirror(name)
    docs = built._docs
    assert len(built) == built.task.items == len(set(docs["ID"])) == 500
    without = [index for index, doc in enumerate(docs) if not doc["golds"]]
    assert len(without) == NAMES[name]
    assert f"{NAMES[name]} of the 500 questions have no answer" in str(built.task.note)
    assert scored(built, without[0], "nada")["match"] == 0.0
    for index, doc in enumerate(docs):
        for gold, votes in zip(doc["golds"], doc["votes"], strict=True):
            found = scored(built, index, gold)
            assert found["match"] == 1.0
            assert found["match_weighted"] >= votes / max(doc["votes"])
