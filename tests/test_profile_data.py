"""The shipped requests of a profile: the same content in every language, and written as that language is written."""

from __future__ import annotations

import json
import re
import string
import unicodedata
from functools import cache

import pytest

from evalsuite.catalog.languages import load_languages
from evalsuite.catalog.profile_texts import load_profile_texts
from tests.helpers import ROOT

DATA = ROOT / "tasks" / "profile" / "data"
LANGUAGES = load_languages()
CODES = sorted(LANGUAGES)
SPACED = [code for code in CODES if LANGUAGES[code].spaced]
TRANSLATED = [code for code in CODES if code != "en"]
SIZES = {"reading": 5, "translation": 5, "answer": 5, "long": 1}
IDS = [(f"{kind}-{number}", kind) for kind, size in SIZES.items() for number in range(1, size + 1)]

OWN_LETTERS = {
    "en": "",
    "es": "áéíóúüñ",
    "pt": "áâãàçéêíóõú",
    "ca": "àçèéíïòóú",
    "gl": "áéíóúñ",
    "eu": "",
}
"""Letters beyond a to z that a language has: all occur in its texts, and no others do."""
OWN_MARKS = {
    "en": ("the ", "wh", "gh"),
    "es": ("¿", "ción", " el "),
    "pt": ("ção", "ões", "nh", "lh"),
    "ca": ("l·l", "ny", "l'"),
    "gl": ("ción", "xe", " unha ", " ao "),
    "eu": ("tz", "tx", "ak ", " eta "),
    "ja": ("、", "。", "です", "ます"),
}
PUNCTUATION = set(" \n.,;:?!()'-") | set("¿¡«»·—")
JAPANESE_PUNCTUATION = set(" \n、。：・ー「」（）々.")
KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa]")
JAPANESE_NAMES = ("HIRAGANA", "KATAKANA", "CJK UNIFIED")


@cache
def rows(code):
    return [json.loads(line) for line in (DATA / f"{code}.jsonl").read_text(encoding="utf-8").splitlines()]


def of_kind(code, kind):
    return [row for row in rows(code) if row["kind"] == kind]


def own_texts(code):
    """All that is written in the language itself: without the sentences to translate and the names of languages."""
    texts = [row["prompt"] for row in rows(code) if row["kind"] != "translation"]
    texts += [row["prompt"].partition("\n")[0] for row in of_kind(code, "translation")]
    return texts + [row["answer"] for row in rows(code) if row["answer"]]


def numbers(text):
    """The numbers in digits; full hours count without their zeros, which some languages do not write."""
    return set(re.findall(r"\d+", text)) - {"00"}


def test_every_shipped_language_has_its_file_and_no_other_has():
    assert sorted(path.stem for path in DATA.iterdir()) == CODES


@pytest.mark.parametrize("code", CODES)
def test_ids_kinds_and_their_order_are_the_same_everywhere(code):
    assert [(row["id"], row["kind"]) for row in rows(code)] == IDS


@pytest.mark.parametrize("code", CODES)
def test_a_row_is_one_line_with_the_four_fields_as_text(code):
    raw = (DATA / f"{code}.jsonl").read_bytes()
    assert raw.count(b"\n") == len(IDS) and raw.endswith(b"\n") and b"\r" not in raw
    for row in rows(code):
        assert list(row) == ["id", "kind", "prompt", "answer"]
        assert all(isinstance(value, str) for value in row.values())


@pytest.mark.parametrize("code", CODES)
def test_no_text_comes_twice(code):
    texts = [row["prompt"] for row in rows(code)] + [row["answer"] for row in rows(code) if row["answer"]]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("code", CODES)
def test_texts_are_nfc_without_broken_characters_or_stray_whitespace(code):
    for row in rows(code):
        for text in (row["prompt"], row["answer"]):
            assert unicodedata.is_normalized("NFC", text)
            assert "\ufffd" not in text
            assert {char for char in text if char.isspace()} <= {" ", "\n"}
            assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cn", "Co"} for char in text if char != "\n")
            assert not re.search(r"  | \n|\n |\n{3}", text)
            assert text == text.rstrip()
        assert row["prompt"] == row["prompt"].strip() != ""
        assert "\n" not in row["answer"]


@pytest.mark.parametrize("code", CODES)
def test_answers_begin_with_a_space_exactly_where_words_are_spaced(code):
    for row in rows(code):
        if row["kind"] in {"reading", "translation"}:
            assert row["answer"].strip()
            assert row["answer"].startswith(" ") == LANGUAGES[code].spaced
        else:
            assert row["answer"] == ""


@pytest.mark.parametrize("code", CODES)
def test_prompts_end_with_the_cue_and_the_long_text_with_a_sentence(code):
    cues = {row["prompt"].rpartition("\n")[2] for row in rows(code) if row["kind"] in {"reading", "answer"}}
    assert len(cues) == 1
    colon = LANGUAGES[code].colon.strip()
    assert all(row["prompt"].endswith(colon) for row in rows(code) if row["kind"] != "long")
    assert all(row["prompt"].endswith((".", "。")) for row in of_kind(code, "long"))


@pytest.mark.parametrize("code", CODES)
def test_a_reading_is_a_passage_a_question_and_the_cue(code):
    labels = set()
    for row in of_kind(code, "reading"):
        passage, asked, _ = row["prompt"].split("\n")
        label, _, question = asked.partition(LANGUAGES[code].colon)
        labels.add(label)
        assert passage.endswith((".", "。"))
        assert question.endswith("か。" if code == "ja" else "?")
        assert question.startswith("¿") == (code == "es")
    assert len(labels) == 1


@pytest.mark.parametrize("code", SPACED)
def test_answers_of_readings_are_short(code):
    assert all(3 <= len(row["answer"].split()) <= 12 for row in of_kind(code, "reading"))


def test_the_english_texts_have_the_lengths_that_the_card_states():
    passages = [row["prompt"].partition("\n")[0] for row in of_kind("en", "reading")]
    assert all(80 <= len(passage.split()) <= 110 for passage in passages)
    assert all(12 <= len(row["answer"].split()) <= 25 for row in of_kind("en", "translation"))
    assert all(15 <= len(row["prompt"].partition("\n")[0].split()) <= 30 for row in of_kind("en", "answer"))
    assert 450 <= len(of_kind("en", "long")[0]["prompt"].split()) <= 600


@pytest.mark.parametrize("code", CODES)
def test_what_is_to_be_translated_is_the_answer_of_the_source_language(code):
    source = "en" if code != "en" else "es"
    colon = LANGUAGES[code].colon
    for row, other in zip(of_kind(code, "translation"), of_kind(source, "translation"), strict=True):
        _, given, asked = row["prompt"].split("\n")
        assert given == f"{LANGUAGES[source].name}{colon}{other['answer'].strip()}"
        assert asked == f"{LANGUAGES[code].name}{colon.strip()}"
        assert row["answer"].strip() not in row["prompt"]


@pytest.mark.parametrize("code", CODES)
def test_translations_share_one_instruction(code):
    assert len({row["prompt"].partition("\n")[0] for row in of_kind(code, "translation")}) == 1


@pytest.mark.parametrize("code", CODES)
def test_the_long_text_has_six_paragraphs(code):
    paragraphs = of_kind(code, "long")[0]["prompt"].split("\n\n")
    assert len(paragraphs) == 6
    assert not any("\n" in paragraph for paragraph in paragraphs)


@pytest.mark.parametrize("code", TRANSLATED)
def test_numbers_are_those_of_the_english(code):
    for row, english in zip(rows(code), rows("en"), strict=True):
        theirs, ours = numbers(english["prompt"]), numbers(row["prompt"])
        # Japanese writes months and small counts in digits where the others have words.
        assert theirs <= ours if code == "ja" else theirs == ours, row["id"]


@pytest.mark.parametrize("code", TRANSLATED)
def test_no_passage_is_so_much_shorter_or_longer_that_a_sentence_must_be_missing(code):
    pairs = [
        (len(text), len(other))
        for kind in ("reading", "long")
        for row, english in zip(of_kind(code, kind), of_kind("en", kind), strict=True)
        for text, other in zip(row["prompt"].split("\n\n"), english["prompt"].split("\n\n"), strict=True)
    ]
    usual = sum(ours for ours, _ in pairs) / sum(theirs for _, theirs in pairs)
    # Passages have five or six sentences: without one, about a sixth is gone.
    assert [(ours, theirs) for ours, theirs in pairs if not 0.88 < ours / theirs / usual < 1.12] == []


@pytest.mark.parametrize("code", SPACED)
def test_languages_in_latin_script_use_their_own_letters_and_no_others(code):
    text = "".join(own_texts(code))
    extra = {char for char in text if char not in string.ascii_letters + string.digits} - PUNCTUATION
    assert {char.lower() for char in extra} == set(OWN_LETTERS[code])


@pytest.mark.parametrize("code", CODES)
def test_typical_letters_and_marks_of_the_language_occur(code):
    text = "".join(own_texts(code))
    assert [mark for mark in OWN_MARKS[code] if mark not in text] == []


def test_japanese_texts_hold_kana_and_only_japanese_characters():
    for text in own_texts("ja"):
        assert KANA.search(text), text
        odd = {
            char
            for char in text
            if not char.isdigit()
            and char not in JAPANESE_PUNCTUATION
            and not unicodedata.name(char).startswith(JAPANESE_NAMES)
        }
        assert odd == set(), text
        assert not re.search(r"(?<!\d)\.|\.(?!\d)", text), "a Latin full stop outside a number"


def test_the_catalogue_loads_them_in_all_languages():
    texts = load_profile_texts([LANGUAGES[code] for code in ("en", *TRANSLATED)])
    assert texts.long == of_kind("en", "long")[0]["prompt"]
    found = {(text.language, text.id, text.prompt) for text in texts.requests}
    assert {(code, row["id"], row["prompt"]) for code in CODES for row in rows(code) if row["kind"] != "long"} <= found
