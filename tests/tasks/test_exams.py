"""EXAMS: three or four listed options, in Spanish and in Portuguese."""

from __future__ import annotations

import re

import pytest
from datasets import Dataset

from tests.tasks.building import MIRROR, catalog, module, needs, on_mirror, on_rows

utils = module("exams/utils")
mirror = needs("mhardalov/exams")
INVISIBLE = re.compile("[\u00a0\u00ad\u200b-\u200f\ufeff\u0080-\u009f]")


def _row(name: str, stem: str, texts: list[str], key: str) -> dict[str, object]:
    labels = list("ABCDE"[: len(texts)])
    question = {"stem": stem, "choices": {"text": texts, "label": labels, "para": [""] * len(texts)}}
    return {
        "id": name,
        "question": question,
        "answerKey": key,
        "info": {"grade": 12, "subject": "Physics", "language": "Spanish"},
    }


ROWS = [
    _row("a", " ¿Qué masa tiene? ", ["2 kg. ", "3\u00a0kg."], "B"),
    _row("b", "El hielo", ["flo\u00adta.", "se hunde.", "arde."], "A"),
    _row("c", "La luz", ["es lenta.", "es rápida.", "pesa.", "no existe."], "B"),
]


def test_rows_keep_their_place_and_are_cleaned() -> None:
    made = utils.process_docs(Dataset.from_list(ROWS))
    assert list(made["id"]) == ["a", "b", "c"]
    assert list(made["stem"]) == ["¿Qué masa tiene?", "El hielo", "La luz"]
    assert list(made["options"])[:2] == [["2 kg.", "3 kg."], ["flota.", "se hunde.", "arde."]]
    assert list(made["letters"]) == [["A", "B"], ["A", "B", "C"], ["A", "B", "C", "D"]]
    assert list(made["gold"]) == [1, 0, 1]


def test_the_prompt_lists_as_many_options_as_there_are() -> None:
    built = on_rows("exams_es", ROWS)
    first, second, third = built.prompts(range(3))
    assert first["context"] == "Pregunta: ¿Qué masa tiene?\nA. 2 kg.\nB. 3 kg.\nRespuesta:"
    assert first["choices"] == ["A", "B"]
    assert second["context"].splitlines()[-2:] == ["C. arde.", "Respuesta:"]
    assert (third["choices"], third["target"]) == (["A", "B", "C", "D"], "B")


def test_options_can_be_turned() -> None:
    second = on_rows("exams_es", ROWS, "native~1").prompts([1])[0]
    assert second["context"].splitlines()[1:4] == ["A. se hunde.", "B. arde.", "C. flota."]
    assert second["target"] == "C"


def test_no_prior_is_asked_for() -> None:
    task = on_rows("exams_pt", ROWS)._lm_task
    doc = task.eval_docs[2]
    assert len(task.construct_requests(doc, "x", metadata=("exams_pt", 2, 1))) == 4
    assert task.process_results(doc, [(-3.0, False), (-1.0, True), (-2.0, False), (-4.0, False)]) == {"acc": 1.0}


@mirror
@pytest.mark.parametrize(("code", "counts"), [("pt", {4: 463}), ("es", {3: 197, 4: 38})])
def test_items(code: str, counts: dict[int, int]) -> None:
    built = on_mirror(f"exams_{code}")
    docs, task = built._docs, built.task
    assert (len(docs), task.parallel_group, task.suite) == (task.items, None, ("native",))
    raw = Dataset.from_parquet(str(MIRROR / f"mhardalov/exams/multilingual_{code}/test.parquet"))
    assert list(docs["id"]) == list(raw["id"])
    assert len(set(docs["id"])) == len(docs)
    lengths = [len(options) for options in docs["options"]]
    assert {count: lengths.count(count) for count in set(lengths)} == counts
    assert task.listed_options == max(counts, key=lambda count: counts[count])
    assert sum(1 / n for n in lengths) / len(docs) == pytest.approx(task.chance, abs=5e-5)
    assert [letters[gold] for letters, gold in zip(docs["letters"], docs["gold"], strict=True)] == list(
        raw["answerKey"]
    )
    assert all(0.2 < list(docs["gold"]).count(place) / len(docs) < 0.35 for place in range(3))
    for stem, options in zip(docs["stem"], docs["options"], strict=True):
        assert all(text and text == text.strip() and not INVISIBLE.search(text) for text in (stem, *options))


@mirror
def test_what_the_notes_say_of_texts_and_figures_that_are_missing() -> None:
    for code, word in (("es", "dibujo adjuntado"), ("pt", "De acordo com o texto")):
        assert any(word in stem for stem in on_mirror(f"exams_{code}")._docs["stem"])
        assert "a text or a figure that the data does not have" in (catalog()[f"exams_{code}"].note or "")
