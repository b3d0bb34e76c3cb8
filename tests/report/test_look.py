"""Formats, drawings and colours."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from evalsuite.catalog.paths import data_root
from evalsuite.report.figures import Mark, Panel, RowLabel, draw, marker_path, series_class
from evalsuite.report.text import MISSING, Text, load_text


@pytest.fixture(scope="module")
def text() -> Text:
    """The English texts."""
    return load_text(data_root("reports") / "strings")


def test_numbers(text: Text) -> None:
    assert text.percent(0.12345) == "12.3%"
    assert text.percent(None) == MISSING
    assert text.signed(-12.34) == "−12.3"
    assert text.signed(3.0) == "+3.0"
    assert text.signed(-0.04) == "0.0"
    assert text.integer(1460) == "1,460"
    assert text.span(-0.5, 1.5, signed=True) == "−0.5 to +1.5"
    assert text.span(None, 1.0) == MISSING
    assert text.p(0.0004) == "<\N{NO-BREAK SPACE}0.001"
    assert text.p(0.05) == "0.050"
    assert [text.duration(s) for s in (None, 5.25, 65, 7384)] == [MISSING, "5.2 s", "1 min 05 s", "2 h 03 min"]


def test_other_locales_have_their_own_signs() -> None:
    spanish = Text({"word.range": "{low} a {high}"}, "es")
    assert spanish.percent(0.125) == "12,5\N{NO-BREAK SPACE}%"
    assert spanish.join(["a", "b", "c"]) == "a, b y c"


def test_plural_forms_and_braces_in_values() -> None:
    text = Text({"a": {"one": "{n} item of {name}", "other": "{n} items of {name}"}}, "en")
    assert text("a", n=1, name="{x}") == "1 item of {x}"
    assert text("a", n=2000, name="{0}") == "2,000 items of {0}"
    with pytest.raises(KeyError):
        text("a", n=1)
    with pytest.raises(KeyError):
        text("b")


def _panel(name: str = "English") -> Panel:
    return Panel(
        id="p", title="A <b>", description="B & c", rows=(RowLabel(name, "", 0.25), RowLabel("Basque", "low-resource")),
        marks=(Mark(0, 0, 0.5, 0.4, 0.6), Mark(0, 1, 0.3, 0.2, 0.4, filled=False, text="$9")), series=2, axis="Share",
        limits=(0, 1), tick=lambda v: f"{v:.1f}", chance_label="chance", empty="no score",
    )  # fmt: skip


def test_a_drawing_has_no_colours_or_fonts_of_its_own() -> None:
    svg = draw(_panel())
    assert svg == draw(_panel())
    assert not re.search(r"#[0-9a-f]{6}\b(?![\"-])", re.sub(r'(id|href|url)[="(#]+[^")]*', "", svg))
    assert "font-family" not in svg
    assert "white" not in svg
    assert {"var(--ink)", "var(--series-1)", "var(--series-2)", "var(--surface)"} <= set(
        re.findall(r"var\([^)]*\)", svg)
    )
    root = ET.fromstring(svg)
    assert root.attrib["aria-label"] == "A <b>"
    assert "metadata" not in svg
    assert "<style" not in svg


def test_text_is_text_and_never_a_formula() -> None:
    root = ET.fromstring(draw(_panel("<script>alert(1)</script> $x^2$ {{7*7}} #010101")))
    texts = {e.text for e in root.iter("text")}
    assert "<script>alert(1)</script> $x^2$ {{7*7}} #010101" in texts
    assert {"$9", "no score", "chance", "low-resource"} <= texts
    assert not list(root.iter("script"))


def test_fourteen_series_are_all_told_apart() -> None:
    assert len({(series_class(i), marker_path(i)) for i in range(14)}) == 14


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_read(scheme: str) -> None:
    css = (data_root("reports") / "style" / "10-base.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root(?: |:not\S+ )\{([^}]*--page: #[^}]*)\}", css)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light if scheme == "light" else dark))

    def contrast(a: str, b: str) -> float:
        low, high = sorted((_luminance(colours[a]), _luminance(colours[b])))
        return (high + 0.05) / (low + 0.05)

    # WCAG 2.2: 4.5 for text, 3 for graphics.
    for name in ("ink", "muted", "accent", "bad", "good"):
        assert contrast(name, "surface") >= 4.5, name
        assert contrast(name, "page") >= 4.5, name
    assert contrast("ink", "note") >= 4.5
    for i in range(1, 8):
        assert contrast(f"series-{i}", "surface") >= 3, i
        assert contrast(f"language-{i}", "surface") >= 3, i


def test_print_is_always_light() -> None:
    css = (data_root("reports") / "style" / "10-base.css").read_text(encoding="utf-8")
    assert css.count("prefers-color-scheme") == 1
    assert "@media screen and (prefers-color-scheme: dark)" in css
    assert "@media print { :root { color-scheme: light; } }" in css


def test_a_readers_choice_of_dark_is_the_dark_of_the_system() -> None:
    css = (data_root("reports") / "style" / "10-base.css").read_text(encoding="utf-8")
    system, chosen = (
        re.findall(r"--([\w-]+): (#\w+);", css[css.index(selector) :].partition("}")[0])
        for selector in (':root:not([data-theme="light"])', ':root[data-theme="dark"]')
    )
    assert len(system) > 20
    assert system == chosen
    # Both stand in rules for screens alone.
    for selector in (':root:not([data-theme="light"])', ':root[data-theme="dark"]'):
        before = css[: css.index(selector)]
        assert before.rindex("@media screen") > before.rindex("\n}\n")
