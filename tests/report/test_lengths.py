"""The part of the report on long inputs: its numbers, what was too long, and where there is nothing to tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.analysis import Run, analyse, load_run
from evalsuite.catalog.paths import data_root
from evalsuite.report.build import render
from evalsuite.report.lengths import build_lengths as section_of
from evalsuite.report.names import Names
from evalsuite.report.text import load_text
from tests.report.conftest import Element, Page
from tests.synthetic_lengths import CONTEXT, SIZES, Lengths, build_lengths

EVIL = "<script>alert(1)</script>{{7*7}}\"'&$x^2$"


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return load_run(build_lengths(tmp_path_factory.mktemp("runs") / "long", Lengths(title=EVIL)))


@pytest.fixture(scope="module")
def section(long: Run) -> Element:
    (found,) = Page(render(long)).root.find("section", id="lengths")
    return found


def test_the_table_shows_the_rows_of_the_analysis(long: Run, section: Element) -> None:
    text = load_text(data_root("reports") / "strings")
    rows = analyse(long).lengths
    shown = [
        [cell.text for cell in line.find("td")]
        for table in section.find("table")[:2]
        for line in table.find("tr")
        if len(line.find("td")) == 9
    ]
    assert len(shown) == len(rows)
    for cells, row in zip(shown, rows, strict=True):
        assert cells[0] == text.integer(row.size)
        assert cells[1].startswith("—" if row.estimate.value is None else text.percent(row.estimate.value))
        assert cells[2] == (f"{row.estimate.n} {row.beyond} too long" if row.beyond else str(row.estimate.n))
        assert cells[3].startswith("—" if row.drop.value is None else text.signed(100 * row.drop.value))
        assert cells[4] == text.number(row.tokens, 0)
        assert cells[6] == "—" if row.prefill_s.value is None else cells[6].endswith(" s")


def test_what_was_too_long_is_said(section: Element) -> None:
    said = section.text
    assert f"16 items are longer than the model's context of {CONTEXT:,} tokens" in said
    assert "nothing was cut" in said
    assert "the run has no profile of this model" in said
    assert "They lie" in said or "they lie on the straight line" in said


def test_figures_have_a_key_of_sizes_and_a_description(section: Element) -> None:
    (key,) = section.find("ul", **{"class": "key"})
    assert [line.text for line in key.find("li")] == [f"{size:,} tokens" for size in SIZES]
    figures = section.find("svg", role="img")
    # Scores of both models, and times of the one that has a profile.
    assert len(figures) == 3
    assert all("English, 512 tokens:" in figure.find("desc")[0].text for figure in figures)


def test_names_stay_text(long: Run, section: Element) -> None:
    assert "<script>alert" not in render(long)
    assert EVIL in section.text


def test_a_run_without_a_profile_has_no_columns_of_time(tmp_path: Path) -> None:
    run = load_run(build_lengths(tmp_path / "run", Lengths(codes=("en",), profile=False)))
    (section,) = Page(render(run)).root.find("section", id="lengths")
    assert len(section.find("table")[0].find("thead")[0].find("th")) == 6
    assert "straight line" not in section.text


def test_a_run_without_long_items_has_no_such_part(run: Run) -> None:
    text = load_text(data_root("reports") / "strings")
    assert section_of(run, analyse(run), Names(run, text), text) is None
    assert not Page(render(run)).root.find("section", id="lengths")
