"""TruthfulQA MC1: the true answer in no fixed place, blank answers left out, the same items in five languages."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from datasets import Dataset

from tests.tasks.building import MIRROR, group, module, needs, on_mirror

utils = module("truthfulqa_mc1/utils")
mirror = needs("HiTZ/truthfulqa-multi")
CODES = ("en", "es", "ca", "gl", "eu")
INVISIBLE = re.compile("[\u00a0\u00ad\u200b-\u200f\ufeff\u0080-\u009f]")


def _row(number: int, *choices: str, question: str = "Why?") -> dict[str, object]:
    return {
        "id": number,
        "question": question,
        "mc1_targets": {"choices": list(choices), "labels": [1] + [0] * (len(choices) - 1)},
    }


def _made(*rows: dict[str, object]) -> Dataset:
    return utils.process_docs(Dataset.from_list(list(rows)))


def test_the_true_answer_is_moved_and_found() -> None:
    made = _made(*(_row(i, "true", "a", "b", "c") for i in range(40)))
    assert list(made["id"]) == list(range(40))
    assert all(sorted(row["options"]) == ["a", "b", "c", "true"] for row in made)
    assert all(row["options"][row["gold"]] == "true" for row in made)
    assert set(made["gold"]) == {0, 1, 2, 3}


def test_blank_answers_are_left_out_and_spaces_are_cleaned() -> None:
    made = _made(_row(1, " true\u200b", "no\u00a0way", "", " ", question=" Why?\u00a0"))[0]
    assert sorted(made["options"]) == ["no way", "true"]
    assert made["options"][made["gold"]] == "true"
    assert made["asked"] == "Why?"


def test_where_the_true_answer_stands_twice_the_first_counts() -> None:
    for number in range(20):
        made = _made(_row(number, "true", "a", "true"))[0]
        assert made["gold"] == made["options"].index("true")


@mirror
@pytest.mark.parametrize("code", CODES)
def test_items(code: str) -> None:
    built = on_mirror(f"truthfulqa_mc1_{code}")
    docs = built._docs
    raw = Dataset.from_parquet(str(MIRROR / f"HiTZ/truthfulqa-multi/{code}/validation.parquet"))
    assert len(docs) == built.task.items == 817
    assert list(docs["id"]) == list(raw["id"])
    for row, before in zip(docs, raw, strict=True):
        texts = [row["asked"], *row["options"]]
        assert all(text and text == text.strip() and not INVISIBLE.search(text) for text in texts)
        right = before["mc1_targets"]["choices"][0]
        assert row["options"][row["gold"]].split() == right.replace("\u200b", "").split()
    assert sum(1 / len(o) for o in docs["options"]) / 817 == pytest.approx(built.task.chance, abs=5e-5)
    places = Counter(g for g, o in zip(docs["gold"], docs["options"], strict=True) if len(o) == 4)
    assert all(0.15 < places[place] / places.total() < 0.35 for place in range(4))


@mirror
def test_languages_have_the_same_items() -> None:
    assert set(group("truthfulqa_mc1")) == set(CODES)
    of = {code: on_mirror(f"truthfulqa_mc1_{code}")._docs for code in CODES}
    for code in CODES[1:]:
        assert list(of[code]["id"]) == list(of["en"]["id"])
        assert list(of[code]["gold"]) == list(of["en"]["gold"])
        assert [len(o) for o in of[code]["options"]] == [len(o) for o in of["en"]["options"]]


@mirror
def test_what_the_notes_say_of_answers_that_stand_twice() -> None:
    words = {1: "One item", 8: "eight items", 10: "ten items", 16: "16 items"}
    for code in CODES:
        built = on_mirror(f"truthfulqa_mc1_{code}")
        twice = sum(len(set(o)) < len(o) for o in built._docs["options"])
        assert words[twice] in (built.task.note or "")


@mirror
@pytest.mark.parametrize("code", CODES)
def test_forms(code: str) -> None:
    forms = ["native", "native-2", "native-3", *(["english"] if code != "en" else [])]
    assert set(on_mirror(f"truthfulqa_mc1_{code}").task.wordings) == set(forms)
    contexts = [on_mirror(f"truthfulqa_mc1_{code}", form).prompts([5])[0]["context"] for form in forms]
    asked = on_mirror(f"truthfulqa_mc1_{code}")._docs[5]["asked"]
    assert len(set(contexts)) == len(forms)
    assert all(asked in context and context.endswith(":") and context.count("\n") == 1 for context in contexts)


@mirror
def test_the_likeliest_answer_is_taken() -> None:
    built = on_mirror("truthfulqa_mc1_eu")
    doc = built._docs[3]
    count = len(doc["options"])
    given = [(-5.0 if place == doc["gold"] else -20.0, False) for place in range(count)] + [(-1.0, False)] * count
    assert built._lm_task.process_results(doc, given)["acc"] == 1.0
    assert built._lm_task.process_results(doc, [(-a, b) for a, b in given[:count]] + given[count:])["acc"] == 0.0
