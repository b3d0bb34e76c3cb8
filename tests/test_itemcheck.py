"""Items as texts: guessers, doubles, given-away answers, encoding, language."""

from __future__ import annotations

import random

import pytest
from scipy import stats

from evalsuite.harness import Item
from evalsuite.itemcheck import GUESSERS, guesses, text_faults
from tests.tasks.building import catalog

ENGLISH = [
    "The driver will bring the new shelves to the shop on Thursday afternoon.",
    "Please water the tomatoes twice a week while we are away in the mountains.",
    "The meeting was moved to the small room because the projector is broken.",
    "Our neighbours have asked whether they may park behind the bakery tonight.",
]
SPANISH = [
    "El conductor llevará las estanterías nuevas a la tienda el jueves por la tarde.",
    "Riega los tomates dos veces por semana mientras estemos en la montaña, por favor.",
    "La reunión se pasó a la sala pequeña porque el proyector está estropeado.",
    "Los vecinos han preguntado si pueden aparcar esta noche detrás de la panadería.",
]


def item(name, context, choices=(), gold=None, target=""):
    return Item(id=name, context=context, choices=tuple(choices), gold=gold, target=target)


def codes(task, items, *, spaced=True):
    return [code for code, _ in text_faults(catalog()[task], items, spaced=spaced)]


def by_name(items, *, spaced=True):
    return {guess.name: guess for guess in guesses(items, spaced=spaced)}


def test_a_guesser_gets_what_it_takes_and_ties_are_shared():
    items = [item(str(n), "a text", ["short", "much longer"], gold=int(n < 3)) for n in range(4)]
    found = by_name(items)
    assert (found["the longest"].score, found["the shortest"].score) == (0.75, 0.25)
    # Neither option has a word of the text: both overlaps are 0.
    assert found["most like the text"].score == found["least like the text"].score == 0.5
    assert {guess.chance for guess in found.values()} == {0.5}


def test_the_overlap_compares_words_without_their_endings_and_pairs_of_letters_in_japanese():
    spaced = [item("1", "The gardener watered roses.", ["Watering the roses", "Feeding some horses"], gold=0)]
    assert by_name(spaced)["most like the text"].score == 1
    assert by_name(spaced)["least like the text"].score == 0
    unspaced = [item("1", "庭師がバラに水をやった。", ["水をやる", "馬に乗る"], gold=0)]
    assert by_name(unspaced, spaced=False)["most like the text"].score == 1


def test_p_is_that_of_the_exact_binomial_tail():
    rng = random.Random(3)
    items = [item(str(n), "", ["ab", "abc"], gold=int(rng.random() < 0.8)) for n in range(60)]
    found = by_name(items)["the longest"]
    right = round(found.score * 60)
    assert found.p == pytest.approx(stats.binom.sf(right - 1, 60, 0.5), rel=1e-12)
    assert found.better_than_chance is (found.p < 0.01 / len(GUESSERS))
    assert found.better_than_chance


def test_a_length_that_tells_the_answer_is_a_fault():
    told = [item(str(n), ENGLISH[n % 4] + str(n), ["x", "the right one"], gold=1) for n in range(40)]
    assert "guesser" in codes("choice_en", told)
    even = [item(str(n), ENGLISH[n % 4] + str(n), ["one", "two"], gold=n % 2) for n in range(40)]
    assert codes("choice_en", even) == []


def test_doubles_are_told_whatever_the_order_of_options_and_the_case():
    first, second = item("a", ENGLISH[0], ["x", "y"], 0), item("b", ENGLISH[0].upper(), ["y", "x"], 1)
    assert list(text_faults(catalog()["choice_en"], [first, second], spaced=True)) == [
        ("double", "items a and b ask the same")
    ]


@pytest.mark.parametrize(
    "text", ["reuni\u00c3\u00b3n", "don\u00e2\u20ac\u2122t", "cafe\u0301", "zero\u200bwidth", "\ufffd"]
)
def test_broken_encoding_is_told(text):
    assert set(codes("choice_en", [item("a", f"{ENGLISH[0]} {text}", ["x", "y"], 0)])) == {"encoding"}


@pytest.mark.parametrize("text", ["ação Ã", "São João", "Åse", "l'illa", "Âmbito"])
def test_letters_of_the_languages_are_no_broken_encoding(text):
    assert codes("lexicon_pt", [item("a", text, ["x", "y"], 0)]) == []


def test_a_message_that_names_a_category_gives_it_away():
    shared = ["frost", "delivery"]
    items = [
        item("a", "Message: Frost killed the beans.\nCategory:", shared, 0),
        item("b", "Message: x\nCategory:", shared, 1),
    ]
    assert codes("labels_en", items) == ["leak"]
    # A word of the prompt itself is in every item and says nothing.
    items = [item(n, f"Message: {n}\nDelivery or frost:", shared, 0) for n in "ab"]
    assert codes("labels_en", items) == []
    # In Japanese, words have no borders.
    assert codes(
        "labels_ja", [item("a", "霜害が出た", ["霜", "配送"], 0), item("b", "荷物", ["霜", "配送"], 1)], spaced=False
    ) == ["leak"]


def test_texts_in_another_language_are_told_and_a_translation_is_judged_by_its_target():
    assert codes("extract_en", [item(str(n), text) for n, text in enumerate(ENGLISH)]) == []
    assert codes("extract_en", [item(str(n), text) for n, text in enumerate(SPANISH)]) == ["language"]
    pairs = [item(str(n), text, target=SPANISH[n]) for n, text in enumerate(ENGLISH)]
    assert codes("ntrex_en_es", pairs) == []
    assert codes("ntrex_es_en", pairs) == ["language"]
