"""The part of the report on quantisation: files, costs, languages, tiers; and where a file was made from."""

from __future__ import annotations

import pytest

from evalsuite.analysis import analyse, load_run
from evalsuite.analysis.rows import Verdict
from evalsuite.records import digest
from evalsuite.report.build import render
from tests.report.conftest import Element, Page
from tests.synthetic_quantised import BASE, Q2, Q4, build_quantised, file_of


def _score(model: str, _group: str, code: str, item: int) -> float:
    lost = model == Q2 and code in ("eu", "gl")
    return float(item % 10 < (1 if lost else 8))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The tables of a run with two quantisations of a model, and its report."""
    path = tmp_path_factory.mktemp("runs") / "quantised"
    models = (file_of(BASE), file_of(Q4), file_of(Q2, requantised=True))
    run = load_run(build_quantised(path, _score, items=20, codes=("en", "es", "eu"), models=models))
    tables = analyse(run)
    return tables, Page(render(run, tables))


def _section(page: Page) -> Element:
    (section,) = page.root.find("section", id="quantisation")
    return section


def _table(section: Element, start: str) -> Element:
    return next(table for table in section.find("table") if table.find("caption")[0].text.startswith(start))


def test_files_say_what_they_hold_and_what_they_cannot_be(both):
    table = _table(_section(both[1]), "Files:")
    rows = [row.text for row in table.find("tbody")[0].find("tr")]
    assert rows[0].startswith("Tiny not made here") and rows[0].endswith("14 F16, 5 F32")
    assert "made from tiny (F16) with llama-cpp-python 0.3.36" in rows[1]
    assert "cannot be better" not in rows[1]
    assert "made from Q8_0: it cannot be better than its source" in rows[2]
    assert "3.45" in rows[2]


def test_a_file_of_other_types_than_its_name_says_so(tmp_path):
    q2 = file_of(Q2)
    first = q2.stored_as[0].model_copy(update={"type": "Q4_0"})
    odd = q2.model_copy(update={"stored_as": (first, *q2.stored_as[1:])})
    run = load_run(build_quantised(tmp_path / "run", _score, items=4, codes=("en",), models=(file_of(BASE), odd)))
    section = _section(Page(render(run)))
    assert "14 quantised tensors are stored in other types than K ones" in section.text
    # One language: nothing to compare it with.
    assert "Do low-resource languages lose more?" not in section.text


def test_every_row_of_the_tables_is_shown_with_its_verdict(both):
    tables, page = both
    section = _section(page)
    for rows, marker in (
        (tables.quantisation, "score of the quantisation minus score of its base"),
        (tables.quantisation_languages, "minus change in the reference language"),
        (tables.quantisation_tiers, "Low-resource minus high-resource languages"),
    ):
        shown = [table for table in section.find("table") if marker in table.find("caption")[0].text]
        assert sum(len(table.find("td", **{"class": "num strong"})) for table in shown) == len(rows)
        behind = sum(len(table.find("span", **{"class": "verdict behind"})) for table in shown)
        assert behind == sum(row.verdict is Verdict.BEHIND for row in rows) > 0


def test_a_sentence_counts_what_is_shown(both):
    tables, page = both
    behind = sum(row.verdict is Verdict.BEHIND for row in tables.quantisation)
    rows = len(tables.quantisation)
    assert (
        f"Shown to be worse than the base: {behind} of {rows} differences; shown to be better: 0."
        in _section(page).text
    )


def test_provenance_names_the_source_with_its_hash(both):
    (provenance,) = both[1].root.find("section", id="provenance")
    assert "made from tiny (F16) with llama-cpp-python 0.3.36" in provenance.text
    assert f"sha256 of the source: {digest(BASE)}" in provenance.text
    assert "14 Q3_K, 5 F32" in provenance.text


def test_with_many_groups_ids_are_unique_and_every_reference_is_met(tmp_path):
    groups, models = tuple(f"g{i}" for i in range(7)), (file_of(BASE), file_of(Q2))
    path = build_quantised(tmp_path / "run", _score, items=8, codes=("en", "es", "eu"), groups=groups, models=models)
    page = Page(render(load_run(path)))
    assert "All groups of shares Basque / Spanish" in _section(page).text
    ids = [e.attrs["id"] for e in page.root.every() if "id" in e.attrs]
    assert len(set(ids)) == len(ids)
    assert {e.attrs["href"][1:] for e in page.root.every() if "href" in e.attrs} <= set(ids)


def test_there_is_no_such_part_without_quantisations(tmp_path):
    run = load_run(build_quantised(tmp_path / "run", _score, items=4, codes=("en", "eu"), models=(file_of(BASE),)))
    assert Page(render(run)).root.find("section", id="quantisation") == []


def test_the_forest_plot_shows_the_numbers_of_its_table(both):
    tables, page = both
    section = _section(page)
    figures = [f for f in section.find("svg", role="img") if "minus score of its base" in f.attrs["aria-label"]]
    assert len(figures) == len({row.group for row in tables.quantisation})
    drawn = [(e.attrs["data-key"], e.attrs["data-v"]) for f in figures for e in f.every() if "data-key" in e.attrs]
    expected = [f"{100 * row.difference.difference:.6g}" for row in tables.quantisation]
    assert sorted(value for _, value in drawn) == sorted(expected)
    in_tables = {
        (row.attrs["data-key"], cell.attrs["data-v"])
        for row in section.find("tr")
        if "data-key" in row.attrs
        for cell in row.children
        if "data-v" in cell.attrs
    }
    assert set(drawn) <= in_tables
    hollow = sum("fill: var(--surface)" in e.attrs.get("style", "") for f in figures for e in f.every())
    assert hollow == sum(row.verdict not in {Verdict.BEHIND, Verdict.AHEAD} for row in tables.quantisation) > 0
    assert "The shaded band is the margin" in section.text


def test_a_forest_plot_marks_low_resource_languages(both):
    (figure,) = _section(both[1]).find("svg", role="img")
    texts = [e.text for e in figure.find("text")]
    assert texts.count("low-resource") == 1
    assert {"English", "Spanish", "Basque"} <= set(texts)
