"""EusExams: 28 exams as one task, asked as lm-eval asks each."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

import lm_eval
import pytest
import yaml
from datasets import Dataset
from jinja2 import Environment

from tests.tasks.building import MIRROR, catalog, module, needs, on_mirror, on_rows

utils = module("eus_exams/utils")
mirror = needs("HiTZ/EusExams")
INVISIBLE = re.compile("[\r\u00a0\u00ad\u200b-\u200f\ufeff\u0080-\u009f]")


def _row(name: str, question: str, texts: list[str], answer: int | None) -> dict[str, object]:
    return {"id": name, "question": question, "candidates": texts, "answer": answer, "link": "", "subset": "eu_a"}


ROWS = [
    _row("1", "Zein da hiria?\u00a0", ["Bilbo", "Ebro ", "Urbia", ""], 0),
    _row("2", "Zein da ibaia?", ["Bilbo", "Ebro", "Urbia", "Gorbeia"], 1),
    _row("3", "Zein da mendia?", ["Bilbo", "Ebro", "Urbia", "Gorbeia"], None),
    _row("4", "Zein da?", ["", "", "", ""], 2),
]


def test_rows_keep_their_place_even_without_an_answer() -> None:
    made = utils.process_docs(Dataset.from_list(ROWS))
    assert list(made["id"]) == ["1", "2", "3", "4"]
    assert made[0]["options"] == ["Bilbo", "Ebro", "Urbia", ""]
    assert list(made["gold"]) == [0, 1, -100, -100]
    assert made[0]["stem"] == "Zein da hiria?"


def test_no_model_gets_a_row_without_an_answer_right() -> None:
    task = on_rows("eus_exams_eu", ROWS)._lm_task
    for best in range(4):
        given = [(0.0 if place == best else -5.0, False) for place in range(4)]
        assert task.process_results(task.eval_docs[2], given) == {"acc": 0.0}
        assert task.process_results(task.eval_docs[1], given) == {"acc": float(best == 1)}


def test_the_prompt_is_that_of_lm_eval() -> None:
    text = (Path(lm_eval.__file__).parent / "tasks/eus_exams/eus_exams_eu").read_text(encoding="utf-8")
    theirs = Environment(autoescape=False).from_string(yaml.safe_load(text)["doc_to_text"]).render(**ROWS[1])
    assert on_rows("eus_exams_eu", ROWS).prompts([1])[0]["context"] == theirs


def test_options_can_be_turned() -> None:
    shown = on_rows("eus_exams_eu", ROWS, "native~3").prompts([1])[0]
    assert shown["context"].splitlines()[1:5] == ["A: Gorbeia", "B: Bilbo", "C: Ebro", "D: Urbia"]
    assert shown["target"] == "C"


@mirror
def test_items() -> None:
    built = on_mirror("eus_exams_eu")
    docs, task = built._docs, built.task
    assert len(docs) == task.items == 13561
    assert len(set(zip(docs["subset"], docs["id"], strict=True))) == len(docs)
    assert set(docs["subset"]) == set(task.data.configs) == {p.name for p in (MIRROR / "HiTZ/EusExams").iterdir()}
    assert list(docs["gold"]) == list(docs["answer"])
    assert all(0.22 < count / len(docs) < 0.28 for count in Counter(docs["gold"]).values())
    assert all(len(options) == 4 for options in docs["options"])
    assert task.chance == pytest.approx(1 / 4)
    assert not any(INVISIBLE.search("".join([s, *o])) for s, o in zip(docs["stem"], docs["options"], strict=True))


@mirror
def test_what_the_note_says() -> None:
    docs, note = on_mirror("eus_exams_eu")._docs, catalog()["eus_exams_eu"].note or ""
    assert f"{len(docs) - len(set(docs['question'])):,} of 13,561 repeat" in note
    keys: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for question, options, gold in zip(docs["question"], docs["candidates"], docs["answer"], strict=True):
        keys[question, tuple(sorted(options))].append(options[gold])
    unlike = [found for found in keys.values() if len(set(found)) > 1]
    assert f"{len(unlike)} questions ({sum(map(len, unlike))} items)" in note
    twice = sum(o.count(o[g]) > 1 for o, g in zip(docs["candidates"], docs["answer"], strict=True))
    assert (twice, "Six items give the right answer twice" in note) == (6, True)
