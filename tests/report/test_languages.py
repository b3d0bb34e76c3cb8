"""The report in each language: formats, plural forms, names, reasons, and pages with the same numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evalsuite.analysis import Run, analyse
from evalsuite.catalog.paths import data_root
from evalsuite.errors import InputError
from evalsuite.report.build import render
from evalsuite.report.catalogues import SOURCE, languages, read_strings
from evalsuite.report.options import ReportOptions
from evalsuite.report.text import load_text
from tests.report.conftest import Element, Page

STRINGS = data_root("reports") / "strings"
OTHERS = ("ca", "es", "eu", "gl", "ja", "pt")
NBSP = "\N{NO-BREAK SPACE}"


def test_there_is_a_report_in_each_of_the_seven_languages() -> None:
    assert languages(STRINGS) == (SOURCE, *OTHERS)


# Golden values: written by hand after CLDR's charts and the languages' style guides.
@pytest.mark.parametrize(
    ("code", "percent", "number", "day", "basque", "three"),
    [
        ("en", "12.5%", "1,234.5", "5 March 2026", "Basque", "a, b and c"),
        ("es", f"12,5{NBSP}%", "1.234,5", "5 de marzo de 2026", "euskera", "a, b y c"),
        ("pt", "12,5%", f"1{NBSP}234,5", "5 de março de 2026", "basco", "a, b e c"),
        ("ca", f"12,5{NBSP}%", "1.234,5", "5 de març del 2026", "basc", "a, b i c"),
        ("gl", f"12,5{NBSP}%", "1.234,5", "5 de marzo de 2026", "éuscaro", "a, b e c"),
        ("eu", f"%{NBSP}12,5", "1.234,5", "2026(e)ko martxoaren 5(a)", "euskara", "a, b eta c"),
        ("ja", "12.5%", "1,234.5", "2026年3月5日", "バスク語", "a、b、c"),
    ],
)
def test_formats_are_those_of_the_language(code, percent, number, day, basque, three) -> None:
    text = load_text(STRINGS, code)
    assert text.percent(0.125) == percent
    assert text.number(1234.5) == number
    assert text.date("2026-03-05T12:00:00+00:00") == day
    assert text.language_name("eu") == basque
    assert text.join(["a", "b", "c"]) == three


def test_plural_forms_follow_the_language() -> None:
    spanish, japanese = load_text(STRINGS, "es"), load_text(STRINGS, "ja")
    assert [spanish("report.seen", n=n) for n in (1, 2)] == ["1 caso", "2 casos"]
    assert [japanese("report.seen", n=n) for n in (1, 2)] == ["1件", "2件"]


def test_an_unknown_language_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="there are en, ca, es, eu, gl, ja, pt"):
        load_text(STRINGS, "fr")


def test_a_text_whose_english_has_changed_is_shown_in_english(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "a.yaml").write_text("locale: en_GB\na: New words\nb: Same words\n", encoding="utf-8")
    (tmp_path / "es.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\nmsgctxt "locale"\nmsgid "en_GB"\nmsgstr "es_ES"\n\n'
        'msgctxt "a"\nmsgid "Old words"\nmsgstr "Palabras viejas"\n\n'
        'msgctxt "b"\nmsgid "Same words"\nmsgstr "Las mismas palabras"\n',
        encoding="utf-8",
    )
    text = load_text(tmp_path, "es")
    assert (text("a"), text("b"), text.language) == ("New words", "Las mismas palabras", "es")


def test_reasons_are_recognised_with_what_varies_in_them() -> None:
    text = load_text(STRINGS, "es")
    assert text.reason("no answer is this sure") == "ninguna respuesta es tan segura"
    # A reason inside a reason.
    assert text.reason("no scores (not finished yet)") == "sin puntuaciones (sin terminar)"
    assert text.reason("longer than the longest measured context of 5120 tokens") == (
        "más largo que el mayor contexto medido, de 5120 tokens"
    )
    assert text.reason("something else {broke}") == "something else {broke}"
    assert text.reason(None) == ""
    english = load_text(STRINGS)
    assert english.reason("no answer is this sure") == "no answer is this sure"


def _sentences(element: Element) -> list[str]:
    return [" ".join(part.split()) for one in element.every() if one.tag not in {"style", "script"} for part in one.own]


@pytest.mark.parametrize("code", OTHERS)
def test_a_page_is_in_its_language_with_the_same_numbers(run: Run, page: Page, code: str) -> None:
    options = ReportOptions(language=code, sections=("gaps", "models"))
    html = render(run, analyse(run), options=options)
    other = Page(html)
    assert other.root.find("html")[0].attrs["lang"] == code
    said = _sentences(other.root)
    english = {
        shown
        for text in read_strings(STRINGS).values()
        for shown in ([text] if isinstance(text, str) else list(text.values()))
        if "{" not in shown and len(shown.split()) > 3
    }
    assert not english & set(said)
    assert not [part for part in said if re.search(r"\{[a-z_]+\}", part)]
    for section in ("gap", "accuracy"):
        there, here = (one.root.find("section", id=section)[0] for one in (page, other))
        assert [e.attrs["data-v"] for e in here.every() if "data-v" in e.attrs] == [
            e.attrs["data-v"] for e in there.every() if "data-v" in e.attrs
        ]
