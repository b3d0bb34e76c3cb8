"""Belebele on stand-ins with the hub's columns: listed and not listed, in seven languages, and with options turned."""

from __future__ import annotations

import pytest

from tests.tasks.building import group, module, on_rows, stand_in

CODES = ("en", "es", "pt", "ca", "gl", "eu", "ja")
utils = module("belebele/utils")


def test_groups_hold_all_languages():
    assert set(group("belebele")) == set(group("belebele_cloze")) == set(CODES)


def test_the_right_answer_is_counted_from_one_in_the_data():
    row = {**stand_in("belebele/en")[1], "mc_answer1": "A\u200b  market "}
    made = utils.item(row)
    assert made["options"] == ["A market", "An examination", "Band practice", "Nothing"]
    assert made["gold"] == 2


@pytest.mark.parametrize("code", CODES)
def test_listed(code):
    rows = stand_in(f"belebele/{code}")
    built = on_rows(f"belebele_{code}", rows)
    assert built.task.listed_options == 4
    assert built.task.data.config == rows[0]["dialect"]
    for row, item in zip(rows, built.prompts(range(3)), strict=True):
        assert item["choices"] == ["A", "B", "C", "D"]
        assert item["target"] == "ABCD"[int(row["correct_answer_num"]) - 1]
        lines = item["context"].splitlines()
        assert lines[0].endswith(row["flores_passage"])
        assert lines[1].endswith(row["question"])
        assert lines[2:6] == [f"{'ABCD'[n - 1]}. {row[f'mc_answer{n}']}" for n in range(1, 5)]
        assert lines[6][-1] in ":："
    assert len({item["id"] for item in built.prompts(range(3))}) == 3


@pytest.mark.parametrize("code", CODES)
def test_not_listed(code):
    rows = stand_in(f"belebele/{code}")
    built = on_rows(f"belebele_cloze_{code}", rows)
    for row, item in zip(rows, built.prompts(range(3)), strict=True):
        assert item["target"] == row[f"mc_answer{row['correct_answer_num']}"]
        assert item["choices"] == [row[f"mc_answer{n}"] for n in range(1, 5)]
        assert len(item["context"].splitlines()) == 3


@pytest.mark.parametrize("code", CODES)
def test_wordings_differ_and_hold_the_item(code):
    rows = stand_in(f"belebele/{code}")
    forms = ["native", "native-2", "native-3", *(["english"] if code != "en" else [])]
    shown = [on_rows(f"belebele_{code}", rows, form).prompts([0])[0]["context"] for form in forms]
    assert len(set(shown)) == len(forms)
    assert all(rows[0]["flores_passage"] in text and rows[0]["question"] in text for text in shown)


def test_options_can_be_turned():
    rows = stand_in("belebele/eu")
    (item,) = on_rows("belebele_eu", rows, "native~1").prompts([0])
    assert f"A. {rows[0]['mc_answer2']}\n" in item["context"]
    assert item["target"] == "A"
