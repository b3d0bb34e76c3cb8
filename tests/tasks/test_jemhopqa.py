"""JEMHopQA: yes and no in Japanese words, names by characters."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.tasks.building import needs, on_mirror, on_rows, scored

mirror = needs("aiishii/JEMHopQA")
ROWS = [
    {
        "qid": "1",
        "type": "comparison",
        "question": "甲市は乙市より大きいですか？",
        "answer": "NO",
        "time_dependent": False,
    },
    {
        "qid": "2",
        "type": "compositional",
        "question": "その作家は誰ですか？",
        "answer": "夏目漱石",
        "time_dependent": False,
    },
]


@pytest.mark.parametrize(
    ("reply", "right"),
    [("いいえ", 1.0), ("いいえ、違います。", 1.0), ("「いいえ」", 1.0), ("NO", 1.0), ("はい", 0.0), ("", 0.0)],
)
def test_yes_or_no_is_right_or_wrong(reply, right):
    assert scored(on_rows("jemhopqa_ja", ROWS), 0, reply) == {"f1": right, "exact_match": right}


def test_a_part_of_a_name_gets_credit_in_f1_only():
    found = scored(on_rows("jemhopqa_ja", ROWS), 1, "夏目")
    assert found == {"f1": pytest.approx(2 / 3), "exact_match": 0.0}


@mirror
def test_items_and_chance_are_as_the_note_says():
    built = on_mirror("jemhopqa_ja")
    counts = Counter(built._docs["answer"])
    assert len(built) == built.task.items == 120
    assert (counts["NO"], counts["YES"]) == (23, 22)
    assert sum(built._docs["time_dependent"]) == 3
    assert built.task.chance == pytest.approx(45 / 120 / 2)
    always = [scored(built, index, "いいえ")["exact_match"] for index in range(120)]
    assert sum(always) == 23
