"""Identification on sentences of known language, and verdicts on hand-made replies."""

from __future__ import annotations

import sys

import pytest

from evalsuite.errors import InputError
from evalsuite.texts import identify as module
from evalsuite.texts.identify import OTHER, Identified, Verdict, evidence, fidelity, identify
from tests.texts.norms import ISO3

_LANGUAGES = (*ISO3, "fr")
# Article 1 of the Universal Declaration of Human Rights, in the United Nations' translations.
_ARTICLE = {
    "en": "All human beings are born free and equal in dignity and rights.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
    "pt": "Todos os seres humanos nascem livres e iguais em dignidade e em direitos.",
    "ca": "Tots els éssers humans neixen lliures i iguals en dignitat i en drets.",
    "gl": "Tódolos seres humanos nacen libres e iguais en dignidade e dereitos.",
    "eu": "Gizon-emakume guztiak aske jaiotzen dira, duintasun eta eskubide berberak dituztela.",
    "ja": "すべての人間は、生れながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
}
_GERMAN = "Alle Menschen sind frei und gleich an Würde und Rechten geboren."


@pytest.fixture(autouse=True)
def _package():
    pytest.importorskip("py3langid")


@pytest.mark.parametrize("code", _ARTICLE)
def test_names_the_language(code):
    (hit,) = identify([_ARTICLE[code]], _LANGUAGES)
    assert hit.code == code
    assert 0.7 <= hit.probability <= 1


def test_a_language_that_was_not_asked_for_is_other():
    assert [hit.code for hit in identify([_GERMAN, _ARTICLE["en"]], ("es", "eu"))] == [OTHER, OTHER]


@pytest.mark.parametrize("text", ["", "Sí", "12345 67890 12345 67890", "ok ok", "...", "東京"])
def test_a_text_with_little_evidence_has_no_language(text):
    assert identify([text], _LANGUAGES) == [Identified(None, 0.0)]


def test_below_the_least_probability_no_language_is_named():
    (hit,) = identify([_ARTICLE["gl"]], _LANGUAGES, min_probability=1.01)
    assert hit.code is None
    assert hit.probability > 0.5


def test_line_breaks_and_what_cannot_be_seen_do_not_count():
    text = _ARTICLE["ca"]
    assert identify([text.replace(" ", "\n").replace("e", "e\u200b")], _LANGUAGES) == identify([text], _LANGUAGES)


def test_evidence_counts_letters():
    assert evidence("ab 12, é!") == 3
    assert evidence("東京タ") == 12


def test_an_unknown_code_is_refused():
    for codes in (("es", "tlh"), ()):
        with pytest.raises(InputError, match="languages") as error:
            identify(["x"], codes)
        assert "eu" in str(error.value.fix)
    with pytest.raises(InputError, match="wanted: 'ja' is not among the languages es"):
        fidelity("x", "ja", ["es"])


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch):
    module._model.cache_clear()
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    with pytest.raises(InputError, match="py3langid") as error:
        identify(["x"], ["es"])
    assert "pip install" in str(error.value.fix)


@pytest.mark.parametrize("wanted", ISO3)
def test_a_reply_in_one_language_is_right_for_it_alone(wanted):
    reply = f"{_ARTICLE[wanted]}\n\n- {_ARTICLE[wanted]}"
    whole = fidelity(reply, wanted, _LANGUAGES)
    assert whole.verdict is Verdict.RIGHT
    assert [line.verdict for line in whole.lines] == [Verdict.RIGHT] * 2
    assert whole.line_pass_rate == 1
    assert all(fidelity(reply, code, _LANGUAGES).verdict is Verdict.WRONG for code in ISO3 if code != wanted)


def test_one_wrong_line_makes_a_reply_wrong():
    reply = f"{_ARTICLE['eu']}\n{_ARTICLE['en']}\nBai\n{_ARTICLE['eu']}"
    whole = fidelity(reply, "eu", _LANGUAGES)
    assert whole.verdict is Verdict.WRONG
    assert [line.verdict for line in whole.lines] == ["right", "wrong", "unknown", "right"]
    assert [line.text for line in whole.lines] == reply.split("\n")
    assert whole.line_pass_rate == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "aside",
    [
        "```python\nprint('this is a long line of English text')\n```",
        "~~~\nthis is a long line of English text\n~~~",
        "| 1 | 2 | --- | *** |",
        "https://example.org/this-is-a-long-line-of-english-text",
        "12 + 30 = 42",
    ],
)
def test_code_links_and_marks_do_not_count(aside):
    whole = fidelity(f"{_ARTICLE['es']}\n{aside}", "es", _LANGUAGES)
    assert whole.verdict is Verdict.RIGHT
    assert {line.verdict for line in whole.lines[1:]} == {Verdict.UNKNOWN}
    assert fidelity(aside, "es", _LANGUAGES).verdict is Verdict.UNKNOWN


def test_quoted_names_do_not_count_but_a_quoted_reply_does():
    name = '"The Association of English Writers and Readers of the World"'
    line = f"Fue socio de {name} y murió aquel año."
    assert fidelity(line, "es", _LANGUAGES).verdict is Verdict.RIGHT
    assert fidelity(f'"{_ARTICLE["en"]}"', "es", _LANGUAGES).verdict is Verdict.WRONG
    assert fidelity(f"«{_ARTICLE['es']}»", "es", _LANGUAGES).verdict is Verdict.RIGHT


def test_short_lines_are_judged_together():
    whole = fidelity("el perro\nla casa\nlos niños\nlas mujeres\nmuchos años después", "es", _LANGUAGES)
    assert {line.verdict for line in whole.lines} == {Verdict.UNKNOWN}
    assert whole.verdict is Verdict.RIGHT
    assert whole.line_pass_rate is None


@pytest.mark.parametrize("reply", ["", "\n", "Sí", "42"])
def test_what_cannot_be_judged_is_unknown(reply):
    whole = fidelity(reply, "es", _LANGUAGES)
    assert whole.verdict is Verdict.UNKNOWN
    assert whole.line_pass_rate is None


@pytest.mark.parametrize("code", ISO3)
def test_sentences_of_ntrex_are_rarely_taken_for_another_language(ntrex, code):
    """docs/texts.md states the shares; these bounds are wider than them."""
    verdicts = [fidelity(text, code, _LANGUAGES).verdict for text in ntrex[ISO3[code]][::3]]
    assert verdicts.count(Verdict.WRONG) <= 0.005 * len(verdicts)
    assert verdicts.count(Verdict.RIGHT) >= 0.85 * len(verdicts)


@pytest.mark.parametrize("text", ["", "abc", "東京タワーへ 3 回、行った。", "ー・゛々〆ㇷ゚䷀一鿿ꀀ가Ω", "x1_é 日本"])
def test_evidence_is_that_of_letter_by_letter(text):
    assert evidence(text) == sum(4 if "\u3040" <= c <= "\u9fff" else 1 for c in text if c.isalpha())
