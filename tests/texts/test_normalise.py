"""Cleaning and answer keys: properties of any text, and cases by hand."""

from __future__ import annotations

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.texts.normalise import answer_key, clean, is_punctuation
from tests.texts.norms import CA, EN, ES, EU, FR, GL, JA, NORMS, PT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg", "abcdefg"),
        ("\u202aab\u202c\u200e \u2067c\u2069", "ab c"),
        ("a\x00b\x07c\x7fd\x9fe", "abcde"),
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("1\u00a0234\u202f567\u2007890\u3000x", "1 234 567 890 x"),
        ("a   b \u00a0 c", "a b c"),
        (" a ", " a "),
        ("cafe\u0301", "café"),
        ("", ""),
    ],
)
def test_clean_removes_what_cannot_be_seen(text, expected):
    assert clean(text) == expected


@given(st.text())
def test_clean_twice_is_clean_once(text):
    once = clean(text)
    assert clean(once) == once
    assert unicodedata.is_normalized("NFC", once)


@given(st.text())
@pytest.mark.parametrize("norms", NORMS.values(), ids=NORMS)
def test_a_key_has_no_punctuation_but_points_in_numbers_and_the_geminate_dot(norms, text):
    key = answer_key(text, norms)
    for i, c in enumerate(key):
        if is_punctuation(c):
            around = key[i - 1 : i] + key[i + 1 : i + 2]
            assert (c == "." and key[i + 1].isdigit()) or (c == "·" and around == "ll")
    assert key == key.strip()


def test_all_of_ascii_punctuation_is_punctuation_as_in_squad():
    assert all(is_punctuation(c) for c in string.punctuation + "¿¡«»·、。「」…—’")
    assert not any(is_punctuation(c) for c in "añ1€ ºー")


@pytest.mark.parametrize(
    ("text", "norms", "expected"),
    [
        ("The Beatles!", EN, "beatles"),
        ("state-of-the-art", EN, "stateoftheart"),
        ("¿El Niño?", ES, "niño"),
        ("«Los Ángeles»", ES, "ángeles"),
        ("As Ilhas, o Porto", PT, "ilhas porto"),
        ("L’Hospitalet de l'illa", CA, "hospitalet de illa"),
        ("Els Jocs · col·lecció", CA, "jocs col·lecció"),
        ("coŀlecció COL·LECCIÓ", CA, "col·lecció col·lecció"),
        ("en Pere i na Maria", CA, "en pere i na maria"),
        ("Unha casa na Coruña", GL, "casa na coruña"),
        ("L'île, les Alpes", FR, "île alpes"),
        ("Euskal Herria a", EU, "euskal herria a"),
        ("「東京 タワー」、", JA, "東京タワー"),
        ("ＡＢＣ・１２３", JA, "abc123"),
        ("ﾃﾚﾋﾞ", JA, "テレビ"),
        ("1.234,5 €", ES, "1234.5 €"),
        ("1,234.5", EN, "1234.5"),
        ("1 234", EU, "1234"),
        ("３．５％", JA, "3.5"),
        ("12.5.2020", EN, "1252020"),
        ("A", EN, "a"),
        ("the", EN, "the"),
        ("...", EN, ""),
        ("\ue000a\ue001", EU, "a"),
    ],
)
def test_answer_key(text, norms, expected):
    assert answer_key(text, norms) == expected


def test_answers_that_are_the_same_have_the_same_key():
    assert answer_key("The\u00a0Queen.", EN) == answer_key("queen", EN)
    assert answer_key("3,50", ES) == answer_key("3.50", ES)
    assert answer_key("3.5", EN) != answer_key("35", EN)
