"""Reply language: the shipped messages and questions are the same in every language, and their own language is told."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.tasks.building import group, module, scored
from tests.tasks.building import on_mirror as built_task  # shipped: needs no mirror

CODES = ("en", "es", "pt", "ca", "gl", "eu", "ja")
load = module("reply_language/utils").load


def test_all_languages_are_there() -> None:
    assert set(group("reply_language")) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_rows(code: str) -> None:
    rows = load(code)["test"].to_list()
    assert [(row["id"], row["kind"]) for row in rows] == [(r["id"], r["kind"]) for r in load("en")["test"]]
    assert Counter(row["kind"] for row in rows) == {"message": 40, "question": 5}
    assert len({row["id"] for row in rows}) == 45
    assert len({row["text"] for row in rows}) == 45
    assert all(row["text"].strip() == row["text"] != "" for row in rows)


def test_ids_are_those_of_labels() -> None:
    labels = {row["id"]: row["text"] for row in module("_shared/messages").load("eu", "labels")["test"]}
    rows = load("eu")["test"].to_list()
    assert all(labels[row["id"]] == row["text"] for row in rows if row["kind"] == "message")


@pytest.mark.parametrize("code", CODES)
def test_prompts_end_in_a_label_and_questions_have_no_instruction(code: str) -> None:
    built = built_task(f"reply_language_{code}")
    shown = built.prompts(range(45))
    assert {item["context"].count("\n") for item in shown[:40]} == {2}
    assert {item["context"].count("\n") for item in shown[40:]} == {1}
    assert {item["context"][-1] for item in shown} == {"：" if code == "ja" else ":"}


@pytest.mark.parametrize("code", CODES)
def test_the_messages_themselves_pass_as_replies_in_their_language_and_no_other(code: str) -> None:
    built = built_task(f"reply_language_{code}")
    other = built_task("reply_language_eu" if code == "en" else "reply_language_en")
    texts = built._docs["text"]
    own = [scored(built, i, text) for i, text in enumerate(texts)]
    foreign = [scored(other, i, text) for i, text in enumerate(texts)]
    assert sum(found["in_language"] for found in own) >= 0.8 * 45
    assert sum(found["wrong_language"] for found in own) <= 0.05 * 45
    assert sum(found["in_language"] for found in foreign) <= 1
