"""BL2MP: two whole sentences with nothing before them, in an order that does not tell the good one."""

from __future__ import annotations

from collections import Counter

from datasets import Dataset

from tests.tasks.building import module, needs, on_mirror, on_rows

ROWS = [
    {"sentence_good": f"{n} etxe ikusi ditut.", "sentence_bad": f"{n} etxeak ikusi ditut.", "type": "E1", "level": "A"}
    for n in ("Bi", "Hiru", "Lau", "Bost", "Sei", "Zazpi", "Zortzi", "Hamar")
]
utils = module("bl2mp/utils")
mirror = needs("orai-nlp/bl2mp")


def test_gold_is_the_place_of_the_good_sentence_and_both_places_occur():
    docs = utils.prepare(Dataset.from_list(ROWS))
    assert [doc["options"][doc["gold"]] for doc in docs] == [row["sentence_good"] for row in ROWS]
    assert [doc["options"][1 - doc["gold"]] for doc in docs] == [row["sentence_bad"] for row in ROWS]
    assert set(docs["gold"]) == {0, 1}


def test_the_order_depends_on_the_pair_and_not_on_its_place():
    forward, backward = utils.prepare(Dataset.from_list(ROWS)), utils.prepare(Dataset.from_list(ROWS[::-1]))
    assert forward["options"][:] == backward["options"][::-1]


def test_nothing_stands_before_a_sentence():
    (item,) = on_rows("bl2mp_eu", ROWS).prompts([0])
    assert item["context"] == ""
    assert item["target"] == "Bi etxe ikusi ditut."


def test_no_prior_is_asked_for():
    metrics = on_rows("bl2mp_eu", ROWS)._lm_task.config.metric_list
    assert [metric["metric"] for metric in metrics] == ["acc", "acc_norm", "acc_bytes"]


@mirror
def test_items():
    built = on_mirror("bl2mp_eu")
    assert len(built) == built.task.items == 1800
    docs = built._docs
    assert all(doc["options"][doc["gold"]] == " ".join(doc["sentence_good"].split()) for doc in docs)
    assert all(len(set(doc["options"])) == 2 for doc in docs)
    assert 810 < sum(docs["gold"]) < 990  # four and more standard deviations of a fair coin
    assert Counter(docs["type"]) == {"E1: Deklinabidea": 600, "E2: Aditza": 600, "E3: Egitura eta ordena": 600}
    assert Counter(docs["level"]) == {"A": 600, "B": 600, "C": 600}
