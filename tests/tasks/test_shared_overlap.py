"""Scores of written answers: overlap in the terms of a language, answers with votes, lists of names, last numbers."""

from __future__ import annotations

import pytest

from evalsuite.catalog.languages import load_languages
from tests.tasks.building import module

overlap = module("_shared/overlap")
squad = module("_shared/squad")


def metadata(code, **more):
    norms = load_languages()[code].norms
    listed = {"articles": list(norms.articles), "elisions": list(norms.elisions), "group": list(norms.group)}
    return {"norms": {**listed, "decimal": norms.decimal, "spaced": norms.spaced}, **more}


@pytest.mark.parametrize(
    ("code", "gold", "reply", "f1"),
    [
        ("en", "Denver Broncos", "the Denver Broncos.", 1.0),
        ("es", "Ministerio de Justicia", "El Ministerio de Justicia", 1.0),
        ("ca", "illa de Mallorca", "L'illa de Mallorca", 1.0),
        ("es", "Ministerio de Justicia", "de Justicia", 0.8),  # 2 of 2 words right, 2 of 3 found: 2·2/(2+3)
        ("ja", "夏目漱石", "夏目", 2 / 3),  # characters: 2·2/(2+4)
        ("en", "308", "", 0.0),
    ],
)
def test_answers_are_compared_in_the_language(code, gold, reply, f1):
    found = overlap.answered({"golds": [gold]}, [reply], metadata(code))
    assert found["f1"] == pytest.approx(f1)
    assert found["exact_match"] == float(f1 == 1.0)


def test_the_nearest_right_answer_and_the_first_line_count():
    doc = {"golds": ["four", "three lecturers"]}
    assert overlap.answered(doc, ["\nThree lecturers.\nQuestion: four"], metadata("en"))["exact_match"] == 1.0


def test_spanish_articles_are_words_in_english():
    """What lm-eval's xquad_es leaves out in every language are English articles; ours are the language's."""
    assert overlap.answered({"golds": ["a"]}, ["la a"], metadata("es"))["exact_match"] == 1.0
    assert overlap.answered({"golds": ["Rioja"]}, ["la Rioja"], metadata("en"))["exact_match"] == 0.0


def test_votes():
    doc = {"golds": ["fruta", "pieza de fruta", "zumo"], "votes": [3, 3, 1]}
    score = lambda reply: overlap.contained(doc, [reply], metadata("es"))  # noqa: E731
    assert score("La fruta.") == {"match": 1.0, "match_weighted": 1.0}
    assert score("Un zumo de naranja") == {"match": 1.0, "match_weighted": pytest.approx(1 / 3)}
    assert score("frutas") == {"match": 0.0, "match_weighted": 0.0}
    assert score("") == {"match": 0.0, "match_weighted": 0.0}


def test_a_number_is_no_part_of_another_and_words_stand_in_a_row():
    score = lambda gold, reply: overlap.contained({"golds": [gold], "votes": [1]}, [reply], metadata("en"))["match"]  # noqa: E731
    assert score("4", "14 years") == 0.0
    assert score("4", "4 years") == 1.0
    assert score("big ben", "ben is big") == 0.0


def test_a_question_that_nobody_answered_is_never_right():
    assert overlap.contained({"golds": [], "votes": []}, ["anything"], metadata("es")) == {
        "match": 0.0,
        "match_weighted": 0.0,
    }


@pytest.mark.parametrize(
    ("code", "golds", "reply", "counts"),
    [
        ("en", ["Obama", "Kori Schulman"], "Kori Schulman, Obama", (2, 0, 0)),
        ("en", ["Obama", "Obama"], "Obama", (1, 0, 0)),
        ("pt", ["Estados Unidos"], "os Estados Unidos, Obama.", (1, 1, 0)),
        ("ja", ["佐藤勝正", "NHK"], "「佐藤勝正」、ＮＨＫ", (2, 0, 0)),
        ("en", ["Denver, Colorado"], "Denver, Colorado", (2, 0, 0)),
        ("gl", ["Vigo"], "ningún", (0, 0, 1)),
    ],
)
def test_lists_of_names(code, golds, reply, counts):
    found = overlap.extracted({"golds": golds}, [reply], metadata(code, none=["none", "ningún"]))
    tp, fp, fn = counts
    assert (found["tp"], found["fp"], found["fn"]) == counts
    assert found["f1"] == pytest.approx(2 * tp / (2 * tp + fp + fn))
    assert found["exact_match"] == float(fp == fn == 0)


@pytest.mark.parametrize("reply", ["-", "«-»", "", "None.", "ningún", " \n"])
def test_no_name_where_there_is_none_is_right(reply):
    found = overlap.extracted({"golds": []}, [reply], metadata("gl", none=["none", "ningún"]))
    assert found == {"f1": 1.0, "exact_match": 1.0, "tp": 0, "fp": 0, "fn": 0}


@pytest.mark.parametrize(
    ("code", "answer", "reply", "right"),
    [
        ("en", 18, "16 - 3 - 4 = 9, so $18.", 1.0),
        ("es", 1200, "1.200 euros", 1.0),
        ("en", 1200, "1,200", 1.0),
        ("eu", 1234, "1.234", 1.0),  # with `whole_numbers`; else it would be 1.234 in English only
        ("ja", 276000, "２７６，０００ドル", 1.0),
        ("es", 12, "doce", 0.0),
        ("es", 12, "", 0.0),
        ("en", 12, "12 or 13", 0.0),
        ("en", 12, "12\nQuestion: 13 + 1", 1.0),
    ],
)
def test_last_number(code, answer, reply, right):
    found = overlap.last_number({"answer_number": answer}, [reply], metadata(code, whole_numbers=True))
    assert found == {"exact_match": right}


def test_clean_rows_of_both_shapes():
    lists = {
        "context": "\ufeffUn  texto\u200b.",
        "question": " ¿Qué? ",
        "answers": {"text": ["te\u200bxto"], "answer_start": [4]},
    }
    items = {**lists, "answers": [{"text": "te\u200bxto", "answer_start": 4}]}
    assert squad.clean_row(lists) == squad.clean_row(items)
    assert squad.clean_row(lists) == {"context": "Un texto.", "question": "¿Qué?", "golds": ["texto"]}
