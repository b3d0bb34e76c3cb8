"""Languages: the shipped ones are whole and agree with CLDR; wrong files are told with file, line and field."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
import yaml
from babel import Locale

from evalsuite.catalog.languages import load_languages, resolve_languages
from evalsuite.errors import CatalogError, InputError
from tests.helpers import ROOT

SHIPPED = load_languages()


def test_the_seven_languages_are_there():
    assert set(SHIPPED) == {"en", "es", "pt", "ca", "gl", "eu", "ja"}
    assert {code for code, lang in SHIPPED.items() if lang.tier == "low"} == {"ca", "gl", "eu"}
    assert [code for code, lang in SHIPPED.items() if lang.reference is None] == ["en"]


@pytest.mark.parametrize("code", sorted(SHIPPED))
def test_names_are_those_of_cldr(code):
    language = SHIPPED[code]
    locale = Locale.parse(language.locale)
    assert locale.language == code
    assert language.name.casefold() == Locale(code).get_language_name(code).casefold()
    assert language.english_name == Locale("en").languages[code]


def placeholders(said):
    """Return what lm-eval puts into words, however they are nested."""
    return sorted(re.findall(r"\{\{.*?\}\}|\{\w+\}", json.dumps(said, ensure_ascii=False)))


@pytest.mark.parametrize("code", sorted(SHIPPED))
def test_prompts_have_the_same_parts_in_every_language(code):
    ours, english = SHIPPED[code].prompts, SHIPPED["en"].prompts
    for recipe in ("labels", "sib200", "lexicon", "xnli", "translation", "belebele", "bmlama53"):
        assert recipe in ours, "what is public in all languages, or shipped, has words in each"
    for recipe in ours.keys() & english.keys():
        own, theirs = dict(ours[recipe]), dict(english[recipe])
        for said in (own, theirs):
            for variant in said.pop("variants", []):
                assert variant.keys() <= said.keys() | {"ask"}, (
                    "a variant replaces words; only a translation may ask otherwise"
                )
        assert own.keys() == theirs.keys()
        for key, text in theirs.items():
            found = own[key]
            assert type(found) is type(text)
            if recipe != "copa":  # its connectors stand inside the expressions
                assert placeholders(found) == placeholders(text)
            if isinstance(text, dict):
                # A variety is named where it is asked for only.
                assert found.keys() ^ text.keys() <= {"pt_br", "es_mx"}
                assert len(set(found.values())) == len(found)
            elif isinstance(text, list):
                assert len(set(found)) == len(found) == len(text)
    raw = (ROOT / "langs" / f"{code}.yaml").read_text(encoding="utf-8")
    assert raw == unicodedata.normalize("NFC", raw)


def test_names_in_english_and_in_the_language_are_understood():
    found = resolve_languages(["eu", "Galician", "日本語", "euskara"], SHIPPED)
    assert [language.code for language in found] == ["eu", "gl", "ja"]
    with pytest.raises(InputError, match="unknown language 'Gallician'") as told:
        resolve_languages(["Gallician"], SHIPPED)
    assert "Galician" in (told.value.fix or "")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tier": "middle"}, "tier"),
        ({"code": "xx"}, "is not the file's name"),
        ({"reference": "zz"}, "there is no language 'zz'"),
        ({"flores": "eus"}, "flores"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_a_wrong_file_is_told(tmp_path, change, told):
    data = yaml.safe_load((ROOT / "langs" / "eu.yaml").read_text(encoding="utf-8"))
    (tmp_path / "langs").mkdir()
    (tmp_path / "langs" / "eu.yaml").write_text(yaml.safe_dump({**data, **change}), encoding="utf-8")
    with pytest.raises(CatalogError, match=told) as error:
        load_languages([tmp_path])
    assert "eu.yaml" in str(error.value)


@pytest.mark.parametrize("code", ["en", "es", "pt", "ca", "gl", "eu", "ja"])
def test_number_and_date_formats_are_those_of_cldr(code):
    """The reference is CLDR, as Babel has it."""
    from babel.dates import get_date_format
    from babel.numbers import get_decimal_symbol, get_group_symbol

    language = load_languages()[code]
    assert language.norms.decimal == get_decimal_symbol(language.locale)
    group = get_group_symbol(language.locale).replace("\N{NO-BREAK SPACE}", " ")
    assert group in language.norms.group
    assert language.date_format == get_date_format("short", language.locale).pattern
    assert language.norms.spaced is language.spaced


def test_every_language_says_why_it_is_in_its_tier_and_how_it_is_written():
    for language in load_languages().values():
        assert language.resource_class is not None
        assert f"class {language.resource_class} of 0 to 5" in (language.tier_source or "")
        assert language.word_segmenter
        assert language.sentence_segmenter
        assert language.prompt_register
