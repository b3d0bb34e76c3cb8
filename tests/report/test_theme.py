"""A theme file: what it changes, and what is refused."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from evalsuite.analysis import Run
from evalsuite.catalog.paths import data_root
from evalsuite.errors import InputError
from evalsuite.report import theme as themes
from evalsuite.report.build import render
from evalsuite.report.options import ReportOptions
from evalsuite.report.theme import contrast, load_theme
from tests.report.conftest import Page

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def write(folder: Path, text: str) -> Path:
    path = folder / "theme.yaml"
    path.write_text(text, encoding="utf-8")
    (folder / "logo.png").write_bytes(PNG)
    return path


@pytest.mark.parametrize(
    ("first", "second", "ratio"),
    # Golden values: WebAIM's contrast checker.
    [
        ("#000000", "#ffffff", 21.0),
        ("#777777", "#ffffff", 4.48),
        ("#0000ff", "#ffffff", 8.59),
        ("#ffffff", "#ffffff", 1.0),
    ],
)
def test_contrast_is_that_of_wcag(first: str, second: str, ratio: float) -> None:
    assert contrast(first, second) == pytest.approx(ratio, abs=0.01)
    assert contrast(second, first) == contrast(first, second)


def test_a_page_wears_its_theme(run: Run, tmp_path: Path) -> None:
    theme = load_theme(
        write(
            tmp_path,
            'organisation: "Taller & <b>Co</b>"\nlogo: logo.png\nlight: {accent: "#7a1f5c", series: ["#004488"]}\n'
            'dark: {accent: "#f0a8d8"}\n',
        )
    )
    html = render(run, options=ReportOptions(theme=theme, sections=("method",)))
    page = Page(html)
    (logo,) = page.root.find("img")
    assert base64.b64decode(logo.attrs["src"].removeprefix("data:image/png;base64,")) == PNG
    assert logo.attrs["alt"] == "Taller & <b>Co</b>"
    assert page.root.find("p", **{"class": "owner"})[0].text == "Taller & <b>Co</b>"
    style = page.root.find("style")[0].text
    # Last, or the style sheet's own colours would win.
    assert style.rindex("--accent: #7a1f5c") > style.rindex("--accent: #0b5394")
    assert "--series-1: #004488" in style
    dark = style[style.rindex("@media screen") :]
    assert dark.count("--accent: #f0a8d8") == 2
    assert "--accent: #7a1f5c" not in dark


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("colour: '#000000'\n", "colour: unknown field"),
        ("light: {accent: blue}\n", "is no colour"),
        ("light: {accent: '#cccccc'}\n", "contrast of 1.6 to 1, and 4.5 is needed"),
        ("dark: {ink: '#000000'}\n", "dark.ink"),
        ("light: {series: ['#eeeeee']}\n", "light.series-1"),
        ("light: {series: []}\n", "0 colours"),
        ("logo: logo.gif\n", "'logo.gif' is no picture"),
        ("logo: missing.png\n", "cannot be read"),
        ("logo_data: 'data:text/html,x'\n", "logo_data: unknown field"),
        ("- a\n", "must be a mapping"),
    ],
)
def test_what_cannot_be_worn_is_refused_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_theme(path)
    assert told in caught.value.problem
    assert str(tmp_path) in caught.value.problem


def test_a_logo_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "logo: logo.png\n")
    (tmp_path / "logo.png").write_bytes(bytes(200_001))
    with pytest.raises(InputError, match="at most 200,000 fit"):
        load_theme(path)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_surfaces_are_those_of_the_style_sheet(scheme: str) -> None:
    css = (data_root("reports") / "style" / "10-base.css").read_text(encoding="utf-8")
    found = re.findall(r"--surface: (#[0-9a-f]{6});", css)
    assert themes._SURFACES[scheme] in found
