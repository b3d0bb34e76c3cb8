"""Overlap against the script of MLQA and scikit-learn; edges by hand."""

from __future__ import annotations

import random

import pytest

from evalsuite.errors import InputError
from evalsuite.texts.overlap import EntityScores, entity_scores, exact_match, key_tokens, micro_f1, token_f1
from tests.texts.norms import CA, EN, ES, JA, NORMS

_WORDS = {
    "en": [
        "The",
        "the",
        "a",
        "an",
        "A",
        "cat,",
        "Cat.",
        "(red)",
        "dog's",
        "state-of-the-art",
        "U.S.",
        "1984",
        '"x"',
        "and",
        "of",
        "house",
        "$",
        "+",
        "42%",
    ],
    "es": [
        "El",
        "la",
        "los",
        "un",
        "una",
        "gato,",
        "«Gato»",
        "¿rojo?",
        "perro.",
        "¡sí!",
        "1984",
        "y",
        "de",
        "casa",
        "niño",
        "Niño,",
        "42%",
    ],
}


@pytest.mark.parametrize("language", ["en", "es"])
def test_agrees_with_the_evaluation_script_of_mlqa(language):
    """The reference is lm-eval's copy of mlqa_evaluation_v1.py, SQuAD's script for several languages."""
    mlqa = pytest.importorskip("lm_eval.tasks.mlqa.utils")
    draw, norms = random.Random(20260401), NORMS[language]
    compared = 0
    for _ in range(1000):
        one, two = (" ".join(draw.choices(_WORDS[language], k=draw.randint(1, 6))) for _ in "ab")
        if not (mlqa.normalize_answer(one, language) and mlqa.normalize_answer(two, language)):
            continue  # articles or punctuation alone: ours keeps articles, and takes SQuAD 2.0's rule for nothing
        compared += 1
        assert exact_match(one, [two], norms) == mlqa.exact_match_score(one, two, language)
        assert token_f1(one, [two], norms) == pytest.approx(mlqa.f1_score(one, two, language))
    assert compared > 700


def test_the_best_right_answer_counts():
    golds = ["Denver Broncos", "the Broncos", "Broncos of Denver"]
    assert exact_match("Broncos!", golds, EN) == 1
    assert token_f1("Denver", golds, EN) == pytest.approx(2 / 3)
    assert token_f1("Denver", golds, EN) == max(token_f1("Denver", [g], EN) for g in golds)


def test_a_repeated_word_counts_as_often_as_it_is_right():
    assert token_f1("no no no", ["no"], EN) == pytest.approx(2 * (1 / 3) / (4 / 3))


def test_nothing_agrees_with_nothing_only():
    assert token_f1("...", ["!"], EN) == 1
    assert token_f1("", ["yes"], EN) == 0
    assert token_f1("yes", [""], EN) == 0
    assert exact_match("", ["—"], EN) == 1


def test_japanese_is_compared_by_characters():
    assert key_tokens("東京 タワー。", JA) == list("東京タワー")
    assert token_f1("東京都", ["東京"], JA) == pytest.approx(0.8)
    assert exact_match("「１９８４年」", ["1984年"], JA) == 1


def test_articles_are_the_languages_own():
    assert exact_match("l'illa", ["La illa"], CA) == 1
    assert exact_match("the casa", ["casa"], ES) == 0


@pytest.mark.parametrize("golds", [[], "text"])
def test_right_answers_must_be_a_list(golds):
    for score in (exact_match, token_f1):
        with pytest.raises(InputError, match="golds"):
            score("x", golds, EN)


def test_entities_are_compared_as_sets_of_pairs():
    scores = entity_scores([("PER", "Ana"), ("PER", "Ana"), ("LOC", "Ana")], [("PER", "Ana"), ("ORG", "UPV")])
    assert scores == EntityScores(tp=1, fp=1, fn=1)
    assert scores.f1 == 0.5
    assert entity_scores([], []).f1 == 1
    assert entity_scores([], [("PER", "Ana")]).f1 == 0


def test_micro_f1_agrees_with_scikit_learn():
    """The reference is sklearn.metrics.f1_score over one yes-or-no decision a pair."""
    metrics = pytest.importorskip("sklearn.metrics")
    draw = random.Random(7)
    pairs = [(kind, name) for kind in ("PER", "LOC") for name in "abc"]
    items = [({p for p in pairs if draw.random() < 0.5}, {p for p in pairs if draw.random() < 0.5}) for _ in range(50)]
    found = [p in predicted for predicted, _ in items for p in pairs]
    right = [p in gold for _, gold in items for p in pairs]
    scores = [entity_scores(predicted, gold) for predicted, gold in items]
    assert micro_f1(scores) == pytest.approx(metrics.f1_score(right, found))
    assert micro_f1([entity_scores([], [])]) == 1
