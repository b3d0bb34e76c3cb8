"""The starter suite: parallel, well-formed, and no answer given away."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter

import pytest
import yaml

from tests.helpers import ROOT

CODES = ("en", "es", "pt", "ca", "gl", "eu", "ja")
LABELS = {
    code: yaml.safe_load((ROOT / "tasks" / "labels" / "data" / f"{code}.yaml").read_text(encoding="utf-8"))
    for code in CODES
}
LEXICON = {
    code: [
        json.loads(line)
        for line in (ROOT / "tasks" / "lexicon" / "data" / f"{code}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    for code in CODES
}


def messages(code):
    return [(key, text) for key, texts in LABELS[code]["messages"].items() for text in texts]


@pytest.mark.parametrize("code", CODES)
def test_labels_have_twelve_categories_of_ten_messages_each(code):
    data = LABELS[code]
    assert data["language"] == code
    assert list(data["categories"]) == list(LABELS["en"]["categories"]) == list(data["messages"])
    assert {len(texts) for texts in data["messages"].values()} == {10}
    assert len(data["categories"]) == 12
    names = [category["name"] for category in data["categories"].values()]
    assert len(set(names)) == 12
    assert all(category["description"].strip() for category in data["categories"].values())


@pytest.mark.parametrize("code", CODES)
def test_messages_are_clean_text_and_none_is_said_twice(code):
    texts = [text for _, text in messages(code)]
    assert len(set(texts)) == 120
    for text in texts:
        assert text == unicodedata.normalize("NFC", text).strip()
        assert "  " not in text
        assert not any(unicodedata.category(c) in {"Cc", "Cf", "Co"} for c in text)


@pytest.mark.parametrize("code", CODES)
def test_no_message_names_a_category(code):
    names = {key: category["name"] for key, category in LABELS[code]["categories"].items()}
    for key, text in messages(code):
        for other, name in names.items():
            # Japanese has no spaces between words, so there the name must not occur at all.
            pattern = re.escape(name) if code == "ja" else rf"\b{re.escape(name)}\b"
            assert not re.search(pattern, text, re.IGNORECASE), (key, other, text)


@pytest.mark.parametrize("code", CODES)
def test_lexicon_items_are_the_same_in_every_language(code):
    ours, english = LEXICON[code], LEXICON["en"]
    assert len(ours) == 240
    keys = ("id", "kind", "code", "gold")
    assert [[row[k] for k in keys] for row in ours] == [[row[k] for k in keys] for row in english]
    assert len({row["id"] for row in ours}) == 240


@pytest.mark.parametrize("code", CODES)
def test_lexicon_options_are_four_different_names(code):
    for row in LEXICON[code]:
        assert len({choice.casefold() for choice in row["choices"]}) == 4
        assert all(choice == unicodedata.normalize("NFC", choice).strip() for choice in row["choices"])
        assert row["code"].casefold() not in {choice.casefold() for choice in row["choices"]}


def test_right_answers_are_evenly_placed():
    assert set(Counter(row["gold"] for row in LEXICON["en"]).values()) == {60}


def test_lexicon_names_are_those_of_cldr():
    """Babel's own lookup of single names, not the builder, is the reference."""
    from babel import Locale
    from babel.numbers import get_currency_name

    for code in CODES:
        locale = Locale.parse("pt_PT" if code == "pt" else code)
        for row in LEXICON[code]:
            right = row["choices"][row["gold"]]
            if row["kind"] == "territories":
                assert right == locale.territories[row["code"]]
            elif row["kind"] == "languages":
                assert right == locale.languages[row["code"]]
            elif row["kind"] == "currencies":
                assert right == get_currency_name(row["code"], locale=locale)
