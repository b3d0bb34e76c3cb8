"""The map of gaps shows every gap of the table, and what lies behind a gap is never more than was counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.analysis import Run, analyse, load_run
from evalsuite.analysis.gap_rows import Explains
from evalsuite.analysis.rows import Verdict
from evalsuite.catalog.paths import data_root
from evalsuite.records import Cell, Record
from evalsuite.report.build import render
from evalsuite.report.gap_map import build_gap_map
from evalsuite.report.gap_why import build_gap_why
from evalsuite.report.names import Names
from evalsuite.report.text import Text, load_text
from tests.report.conftest import Page
from tests.synthetic import Plan, build_run


@pytest.fixture(scope="module")
def text() -> Text:
    return load_text(data_root("reports") / "strings")


def test_every_gap_is_a_field_of_the_map_and_of_its_table(run: Run, page: Page) -> None:
    (section,) = page.root.find("section", id="gap_map")
    drawn = sorted(
        (e.attrs["data-key"], e.attrs["data-v"])
        for svg in section.find("svg")
        for e in svg.every()
        if "data-v" in e.attrs
    )
    cells = sorted((e.attrs["data-key"], e.attrs["data-v"]) for e in section.find("td") if "data-v" in e.attrs)
    expected = [
        f"{100 * r.difference.difference:.6g}" for r in analyse(run).gaps if r.difference.difference is not None
    ]
    assert drawn == cells
    assert sorted(value for _, value in drawn) == sorted(expected)


def test_only_what_is_shown_has_a_colour(run: Run, text: Text) -> None:
    tables = analyse(run)
    found = build_gap_map(run, tables, Names(run, text), text)
    assert found is not None
    shown = sum(r.verdict in {Verdict.BEHIND, Verdict.AHEAD} for r in tables.gaps)
    assert found.behind + found.ahead == shown
    coloured = sum(panel.figure.count("var(--bad)") + panel.figure.count("var(--good)") for panel in found.panels)
    assert coloured == shown
    assert 0 < shown < found.compared


def _run(path: Path, change) -> Run:
    return load_run(build_run(path, Plan(items=60, codes=("en", "eu"), holes=False, limit=None, record_hook=change)))


def test_one_answer_to_everything_is_told_as_a_sign(tmp_path: Path, text: Text) -> None:
    def change(cell: Cell, record: Record) -> Record:
        right = record.item_index % 3 != 0 if cell.language == "en" else record.item_index % 10 == 0
        picked = record.item_index % len(record.choices) if cell.language == "en" else 0
        return record.model_copy(update={"score": float(right), "prediction": picked})

    run = _run(tmp_path / "run", change)
    why = build_gap_why(run, analyse(run), text)
    assert why is not None
    assert {row.gap.language for row in why.rows} == {"eu"}
    assert all(any(sign == text("why.sign.one_answer") for sign in row.signs) for row in why.rows)
    assert all(
        row.reasons.wrong_language.found is None or row.reasons.wrong_language.found.explains is not Explains.YES
        for row in why.rows
    )


def test_without_a_shown_gap_there_is_nothing_to_explain(tmp_path: Path, text: Text) -> None:
    run = _run(tmp_path / "run", lambda _, record: record.model_copy(update={"score": float(record.item_index % 2)}))
    assert build_gap_why(run, analyse(run), text) is None
    assert not Page(render(run)).root.find("section", id="why")


def test_the_largest_gap_stands_first(run: Run, text: Text) -> None:
    why = build_gap_why(run, analyse(run), text)
    assert why is not None
    sizes = [row.gap.difference.difference or 0.0 for row in why.rows]
    assert sizes == sorted(sizes)
    behind = [r for r in analyse(run).gaps if r.verdict is Verdict.BEHIND]
    assert why.shown == len(behind)
    assert sizes[0] == min(r.difference.difference or 0.0 for r in behind)
