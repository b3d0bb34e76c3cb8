"""Baselines in the report: rows of the accuracy tables with a mark, and nothing else."""

from __future__ import annotations

import pytest

from evalsuite.analysis import load_run
from evalsuite.report.build import render
from tests.report.conftest import Element, Page
from tests.synthetic import MODELS, build_run
from tests.synthetic_trained import BASELINES, add_baselines


@pytest.fixture(scope="module", params=[True, False], ids=["folds", "split"])
def marked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, bool]:
    """The report of a run with baselines, and whether they were trained on the other folds, where one has failed."""
    path = add_baselines(build_run(tmp_path_factory.mktemp("runs") / "run"), folds=request.param, failed=request.param)
    return Page(render(load_run(path))), request.param


def _rows(page: Page) -> list[Element]:
    section = page.root.find("section", id="accuracy")[0]
    return [row for row in section.find("tr") if row.find("td", **{"class": "series trained"})]


def test_rows_stand_in_the_accuracy_table_with_a_mark(marked: tuple[Page, bool]) -> None:
    page, folds = marked
    rows = _rows(page)
    assert len(rows) == 7 * len(BASELINES)
    for i, row in enumerate(rows):
        text, title = row.text, list(BASELINES.values())[i % 2]
        assert text.startswith(title)
        assert not row.find("svg")
        if "failed" in text:
            assert text.startswith(f"{title} trained —")
        elif folds:
            assert "trained on the other folds, 47 to 48 items" in text
        else:
            assert "trained on 701 items" in text
        assert row.find("td")[1].text == {0: "15.0%", 1: "50.0%"}[i % 2] or "failed" in text
    assert sum("failed" in row.text for row in rows) == folds


def test_the_section_says_what_they_are(marked: tuple[Page, bool], page: Page) -> None:
    said = "a model that was asked without examples cannot be expected to beat them"
    assert said in marked[0].root.find("section", id="accuracy")[0].text
    assert said not in page.root.text
    assert _rows(page) == []


def test_no_other_part_of_the_report_is_about_them(marked: tuple[Page, bool], page: Page) -> None:
    # The summary counts cells that have failed, also those of baselines.
    for name in ("gap", "tokens", "method", *(() if marked[1] else ("summary",))):
        ours, plain = (one.root.find("section", id=name) for one in (marked[0], page))
        assert len(ours) == 1
        assert [section.text for section in ours] == [section.text for section in plain], name
    figures, plain_figures = (one.root.find("figure") for one in (marked[0], page))
    assert [figure.text for figure in figures] == [figure.text for figure in plain_figures]
    models = marked[0].root.find("section", id="ran")[0].find("table")[0]
    assert [row.find("th")[0].text for row in models.find("tbody")[0].find("tr")] == list(MODELS.values())


def test_where_they_come_from_is_told(marked: tuple[Page, bool]) -> None:
    provenance = marked[0].root.find("section", id="provenance")[0].text
    for text in ("pypi:scikit-learn==1.9.1", "c" * 64, *BASELINES, *BASELINES.values()):
        assert text in provenance
