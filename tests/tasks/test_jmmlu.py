"""JMMLU: 53 subjects as one task with listed options."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from datasets import Dataset

from tests.tasks.building import MIRROR, catalog, module, needs, on_mirror, on_rows

utils = module("jmmlu/utils")
mirror = needs("nlp-waseda/JMMLU")
INVISIBLE = re.compile("[\r\u00a0\u00ad\u200b-\u200f\ufeff\u0080-\u009f\u3000]")
ROWS = [
    {
        "question": "\ufeff次を読め。\n一番高い山は？ ",
        "A": "富士山",
        "B": "高尾山",
        "C": "筑波山",
        "D": "阿蘇山",
        "answer": "A",
        "subset": "x",
    },
    {"question": "1\u3000+ 1は？", "A": "1", "B": "2", "C": "3", "D": "4", "answer": "B", "subset": "x"},
]


def test_rows_keep_their_place_and_lines_stay_lines() -> None:
    made = utils.process_docs(Dataset.from_list(ROWS))
    assert list(made["stem"]) == ["次を読め。\n一番高い山は？", "1 + 1は？"]
    assert list(made["options"]) == [["富士山", "高尾山", "筑波山", "阿蘇山"], ["1", "2", "3", "4"]]
    assert list(made["gold"]) == [0, 1]


def test_the_prompt_is_japanese_and_has_no_space_before_the_letter() -> None:
    built = on_rows("jmmlu_ja", ROWS)
    assert built.prompts([1])[0]["context"] == "問題：1 + 1は？\nA. 1\nB. 2\nC. 3\nD. 4\n答え："
    requests = built._lm_task.construct_requests(built._docs[1], "文", metadata=("jmmlu_ja", 1, 1))
    assert [request.arguments for request in requests] == [("文", letter) for letter in "ABCD"]


def test_options_can_be_turned() -> None:
    shown = on_rows("jmmlu_ja", ROWS, "native~2").prompts([0])[0]
    assert shown["context"].splitlines()[2:6] == ["A. 筑波山", "B. 阿蘇山", "C. 富士山", "D. 高尾山"]
    assert shown["target"] == "C"


@mirror
def test_items() -> None:
    built = on_mirror("jmmlu_ja")
    docs, task = built._docs, built.task
    assert len(docs) == task.items == 7097
    assert set(docs["subset"]) == set(task.data.configs) == {p.name for p in (MIRROR / "nlp-waseda/JMMLU").iterdir()}
    assert len(task.data.configs) == 53
    assert ["ABCD"[gold] for gold in docs["gold"]] == list(docs["answer"])
    assert all(0.2 < count / len(docs) < 0.3 for count in Counter(docs["gold"]).values())
    assert task.chance == pytest.approx(1 / 4)
    for stem, options in zip(docs["stem"], docs["options"], strict=True):
        assert all(text and text == text.strip() and not INVISIBLE.search(text) for text in (stem, *options))


@mirror
def test_what_the_note_says() -> None:
    docs, task = on_mirror("jmmlu_ja")._docs, catalog()["jmmlu_ja"]
    pairs = list(zip(docs["options"], docs["gold"], strict=True))
    assert f"{sum(o.count(o[g]) > 1 for o, g in pairs)} items give the right answer twice" in (task.note or "")
    assert f"{sum(len(set(o)) < 4 for o, _ in pairs)} items of 7,097" in task.accept["equal-choices"]
