"""XQuAD: the same questions in English, Spanish and Catalan, clean, and scored as SQuAD is."""

from __future__ import annotations

import re

import pytest

from tests.tasks.building import group, needs, on_mirror, on_rows, scored

CODES = ("en", "es", "ca")
INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad\u0080-\u009f\u202a-\u202e]")
mirror = needs("google/xquad/xquad.es")
catalan = needs("projecte-aina/xquad-ca")
ROW = {
    "id": "x1", "context": "\ufeffEl faro se encendió en 1901.", "question": "¿Cuándo se encendió?",
    "answers": {"text": ["1901"], "answer_start": [24]},
}  # fmt: skip


def test_prompts_and_their_variants():
    shown = {
        form: on_rows("xquad_es", [ROW], form).prompts([0])[0]["context"]
        for form in ("native", "native-2", "native-3", "english")
    }
    assert shown["native"] == "Texto: El faro se encendió en 1901.\nPregunta: ¿Cuándo se encendió?\nRespuesta:"
    assert shown["english"] == "Text: El faro se encendió en 1901.\nQuestion: ¿Cuándo se encendió?\nAnswer:"
    assert len(set(shown.values())) == 4
    assert all("El faro se encendió en 1901." in text and text.endswith(":") for text in shown.values())


@mirror
@catalan
def test_items_are_the_same_questions_on_the_same_passages():
    assert set(group("xquad")) == set(CODES)
    passages = {}
    for code in CODES:
        built = on_mirror(f"xquad_{code}")
        assert len(built) == built.task.items == {"ca": 1060}.get(code, 1190)
        docs = built._docs
        assert len(set(docs["id"])) == len(docs)
        passages[code] = dict(zip(docs["id"], docs["passage"], strict=True))
    assert passages["en"] == passages["es"]
    assert {i: passages["en"][i] for i in passages["ca"]} == passages["ca"]
    assert [len(set(passages[code].values())) for code in CODES] == [240, 240, 238]


@mirror
@catalan
@pytest.mark.parametrize("code", CODES)
def test_texts_are_clean_and_hold_the_answers(code):
    docs = on_mirror(f"xquad_{code}")._docs
    for doc in docs:
        assert not INVISIBLE.search(doc["context"] + doc["question"] + doc["golds"][0])
        assert len(doc["golds"]) == 1
        assert doc["golds"][0] in doc["context"]


@mirror
@pytest.mark.parametrize("code", CODES)
def test_the_right_answer_scores_one(code):
    built = on_mirror(f"xquad_{code}")
    for index in range(0, len(built), 37):
        assert scored(built, index, " " + built.prompts([index])[0]["target"]) == {"f1": 1.0, "exact_match": 1.0}


@mirror
@pytest.mark.parametrize("code", ["en", "es"])
def test_scores_are_those_of_mlqa(code):
    """The reference is MLQA's own evaluation, as lm-eval holds it. Numbers with marks or spaces in them, which it takes apart, are left out."""
    from lm_eval.tasks.mlqa.utils import exact_match_score, f1_score

    built, compared = on_mirror(f"xquad_{code}"), 0
    for index in range(1190):
        doc = built._docs[index]
        gold = doc["golds"][0]
        start = max(0, doc["context"].index(gold) - 12)
        reply = " ".join(doc["context"][start : start + 60].split()) if index % 5 else f"{gold}."
        if re.search(r"\d[., ]\d", reply + gold):
            continue
        found = scored(built, index, reply)
        assert found["f1"] == pytest.approx(f1_score(reply, gold, code)), (reply, gold)
        assert found["exact_match"] == exact_match_score(reply, gold, code), (reply, gold)
        compared += 1
    assert compared > 900
