"""MGSM: the same problems in every language, from the mirror where it has them and from stand-ins where the hub has."""

from __future__ import annotations

import pytest

from tests.tasks.building import group, needs, on_mirror, on_rows, scored, stand_in

mirror = needs("juletxara/mgsm")
LABELS = {
    "ca": ("Pregunta: ", "Resposta:"),
    "gl": ("Pregunta: ", "Resposta:"),
    "eu": ("Galdera: ", "Erantzuna:"),
}


def test_the_group_holds_the_languages_that_have_it():
    tasks = group("mgsm")
    assert set(tasks) == {"en", "es", "ja", "ca", "gl", "eu"}
    assert {task.data.path for task in tasks.values()} == {
        "juletxara/mgsm", "projecte-aina/mgsm_ca", "proxectonos/mgsm_gl", "HiTZ/MGSM-eu",
    }  # fmt: skip


@pytest.mark.parametrize("code", LABELS)
def test_prompts_and_scores_on_stand_ins(code):
    rows = stand_in(f"mgsm/{code}")
    built = on_rows(f"mgsm_{code}", rows)
    question, answer = LABELS[code]
    for index, row in enumerate(rows):
        item = built.prompts([index])[0]
        assert item["context"] == f"{question}{row['question']}\n{answer}"
        assert item["target"] == str(row["answer_number"])
        assert scored(built, index, f" {row['answer_number']}.") == {"exact_match": 1.0}
    assert scored(built, 1, " 1.200 €") == {"exact_match": 1.0}
    assert scored(built, 1, " 1200,5 €") == {"exact_match": 0.0}


@mirror
def test_right_answers_are_the_same_whole_numbers():
    answers = {code: on_mirror(f"mgsm_{code}")._docs["answer_number"][:] for code in ("en", "es", "ja")}
    assert answers["en"] == answers["es"] == answers["ja"]
    assert len(answers["en"]) == 250
    assert all(isinstance(number, int) for number in answers["en"])


@mirror
@pytest.mark.parametrize(("code", "end"), [("en", "Answer:"), ("es", "Respuesta:"), ("ja", "答え：")])
def test_prompts_on_the_mirror(code, end):
    built = on_mirror(f"mgsm_{code}")
    for index in (0, 100, 249):
        item = built.prompts([index])[0]
        assert item["context"].endswith(f"\n{end}")
        assert item["context"].count("\n") == 1
        assert scored(built, index, item["target"]) == {"exact_match": 1.0}
        assert scored(built, index, item["target"] + "7") == {"exact_match": 0.0}
