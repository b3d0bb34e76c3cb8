"""The part of the report on spot checks: there only where there is one, with the table's numbers, and escaped."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.analysis import load_run
from evalsuite.analysis.spotcheck import spot_table
from evalsuite.records import CellStatus, SpotCell
from evalsuite.report import build_report
from evalsuite.report.build import render
from evalsuite.spot_store import StoredCheck, write_check
from evalsuite.store import RunFolder, RunWriter
from tests.report.conftest import Element, Page
from tests.report.test_build import EVIL
from tests.synthetic import MODELS, Plan, build_run
from tests.synthetic_spot import BOARD, add_check, make_check, turned

FIRST, SECOND = MODELS


def lead(cell, made):
    """Give every third item a close call, and the others a clear answer."""
    lls = [-9.0] * len(made.choices)
    lls[made.prediction], lls[made.prediction - 1] = -1.0, -1.25 if made.item_index % 3 == 0 else -4.0
    return made.model_copy(update={"logprobs": tuple(lls)}) if "topics" in cell.task else made


def plain_run(path: Path) -> Path:
    return build_run(path, Plan(items=40, codes=("en", "eu"), holes=False, record_hook=lead))


def section(path: Path) -> Element:
    return Page(render(load_run(path))).root.find("section", id="spot")[0]


def body(table: Element) -> list[list[str]]:
    return [[cell.text for cell in row.children] for row in table.find("tbody")[0].find("tr")]


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a check in which a close call has another answer and nothing else is wrong."""

    def change(cell, r):
        return turned(r) if (cell.model, cell.task, r.item_index) == (SECOND, "toy_topics_eu", 3) else r

    return add_check(plain_run(tmp_path_factory.mktemp("well") / "run"), change)


def test_there_is_no_such_part_without_a_check(page: Page) -> None:
    assert not page.root.find("section", id="spot")
    assert not page.root.find("a", href="#spot")


def test_a_check_is_linked_and_summed_up(well: Path) -> None:
    page = Page(render(load_run(well)))
    assert [a.text for a in page.root.find("a", href="#spot")] == ["Do the scores hold on the device?"]
    said = page.root.find("section", id="summary")[0].text
    (found,) = [spot_table(RunFolder(well), make_check(well))]
    clear = sum(item.clear for row in found.rows for item in row.items)
    assert (
        f"On Example Board 5, 159 of 160 items that were scored again got the same answer "
        f"(of the clear ones, {clear} of {clear}): there is no sign that the scores do not hold there." in said
    )


def test_device_sample_and_origin_are_said(well: Path) -> None:
    part = section(well)
    assert [e.text for e in part.find("h4")] == ["On Example Board 5 (8 GiB)"]
    assert (
        "Checked on 2026-05-02: up to 20 items of each model, task and language, drawn with the seed 20260401."
        in part.text
    )
    assert "The scores of this run were measured on Example CPU E-1000." in part.text
    assert "Other versions" not in part.text
    assert "more than 0.5 nat" in part.text


def test_the_tables_have_a_row_for_each_model_and_each_cell(well: Path) -> None:
    totals, rows = section(well).find("table")
    first, second = body(totals)
    assert first[:2] == ["SmolLM2 135M Instruct", "80"]
    assert first[2:4] == ["100.0%", "95.4 to 100.0%"]  # 80 / (80 + 1.96²)
    # Wilson for 79 of 80: (0.9875 + 0.024 ± 0.03424…) / 1.048
    assert second[1:4] == ["80", "98.8%", "93.3 to 99.8%"]
    assert (first[5], first[6], first[7]) == ("0.000", "0.0", "as it should be")
    assert second[7] == "as it should be"
    cells = body(rows)
    assert len(cells) == 8
    (changed,) = [row for row in cells if row[0] == "Gemma 3 270M" and row[1] == "toy_topics_eu"]
    assert changed[2].startswith("Basque")
    assert changed[3:5] == ["20", "95.0%"]
    assert changed[6] == "13 of 13"


def test_a_small_difference_is_not_shown_as_none(tmp_path: Path) -> None:
    def change(_, r):
        return r.model_copy(update={"logprobs": (r.logprobs[0] - 2e-5, *r.logprobs[1:])})

    totals, _ = section(add_check(plain_run(tmp_path / "run"), change)).find("table")
    assert body(totals)[0][5] == "< 0.001"


def test_a_warning_names_five_items_and_says_what_to_do(tmp_path: Path) -> None:
    def change(cell, r):
        return turned(r) if (cell.model, cell.task) == (FIRST, "toy_topics_eu") else r

    path = add_check(plain_run(tmp_path / "run"), change)
    part = section(path)
    (notice,) = part.find("div", role="note")
    flipped, low = (li.text for li in notice.find("li"))
    assert flipped.startswith(
        "SmolLM2 135M Instruct: 13 clear items have another answer there, among them toy_topics_eu: "
    )
    assert low.startswith("SmolLM2 135M Instruct: only 75.0% of the answers are the same (95% interval 64.5 to 83.2%)")
    assert [text.count("toy_topics_eu: id-") for text in (flipped, low)] == [5, 5]
    assert all(
        word in notice.text for word in ("Install the engine again", "sha256 of the model file", "memory errors")
    )
    verdicts = [row[7] for row in body(part.find("table")[0])]
    assert verdicts == ["lower than it should be", "as it should be"]
    summary = Page(render(load_run(path))).root.find("section", id="summary")[0].text
    assert "the spot check of SmolLM2 135M Instruct is lower than it should be" in summary


def test_the_warning_is_told_on_a_terminal_too(tmp_path: Path) -> None:
    def change(cell, r):
        return turned(r) if (cell.model, cell.task, r.item_index) == (FIRST, "toy_topics_eu", 4) else r

    lines: list[str] = []
    build_report(add_check(plain_run(tmp_path / "run"), change), tmp_path / "r.html", tell=lines.append)
    told = [line for line in lines if line.startswith("spot check")]
    assert told == [
        "spot check on Example Board 5: SmolLM2 135M Instruct: 1 clear item has another answer there (toy_topics_eu: id-4)."
    ]


def test_what_could_not_be_compared_is_listed(tmp_path: Path) -> None:
    path = plain_run(tmp_path / "run")
    check = make_check(
        path, lambda cell, r: r.model_copy(update={"prompt_hash": "0" * 64}) if "facts_eu" in cell.task else r
    )
    lost = next(c for c in RunFolder(path).manifest.cells if (c.model, c.task) == (FIRST, "toy_topics_en")).id
    failed = SpotCell(
        cell=lost, item_indices=(1,), status=CellStatus.FAILED, reason="out of memory (fix: use a smaller model)"
    )
    cells = tuple(failed if c.cell == lost else c for c in check.check.cells)
    records = {cell: of_it for cell, of_it in check.records.items() if cell != lost}
    with RunWriter(path) as writer:
        write_check(writer, StoredCheck(check.check.model_copy(update={"cells": cells}), records))
    part = section(path)
    items = [li.text for li in part.find("li")]
    assert "SmolLM2 135M Instruct, toy_topics_en: out of memory. What to do: use a smaller model." in items
    assert any(
        text.startswith("Gemma 3 270M, toy_facts_eu: 20 items were put to the model in other words") for text in items
    )
    row = next(r for r in body(part.find("table")[1]) if r[0] == "SmolLM2 135M Instruct" and r[1] == "toy_topics_en")
    assert row[3:] == ["0", "—", "—", "—", "—", "—"]
    summary = Page(render(load_run(path))).root.find("section", id="summary")[0].text
    assert "a part of the spot check could not be made" in summary


def test_versions_that_differ_and_the_same_device_are_said(tmp_path: Path) -> None:
    path = plain_run(tmp_path / "run")
    manifest = RunFolder(path).manifest
    versions = {**manifest.versions, "llama-cpp-python": "0.4.0"}
    part = section(add_check(path, versions=versions, device=manifest.device))
    assert "Other versions than in the run: llama-cpp-python 0.4.0 (in the run: 0.3.36)." in part.text
    assert "were measured on the same device" in part.text


def test_every_device_has_its_own_part_and_the_bytes_are_always_the_same(well: Path, tmp_path: Path) -> None:
    path = add_check(plain_run(tmp_path / "run"))
    add_check(path, device=BOARD.model_copy(update={"cpu": "Another Board"}))
    assert sorted(e.text for e in section(path).find("h4")) == [
        "On Another Board (8 GiB)",
        "On Example Board 5 (8 GiB)",
    ]
    assert render(load_run(path)) == render(load_run(path))


def test_text_from_device_items_and_reasons_is_escaped(tmp_path: Path) -> None:
    def name(cell, made):
        return lead(cell, made).model_copy(update={"item_id": f"{made.item_index}{EVIL}"})

    plan = Plan(
        items=20, codes=("en", "eu"), holes=False, record_hook=name, models={FIRST: f"0{EVIL}", SECOND: f"1{EVIL}"}
    )
    path = build_run(tmp_path / "run", plan)
    device = BOARD.model_copy(update={"cpu": f"Board {EVIL}"})
    check = make_check(path, lambda cell, r: turned(r) if "topics" in cell.task else r, device=device)
    lost = check.check.cells[-1].cell
    failed = SpotCell(cell=lost, item_indices=(1,), status=CellStatus.FAILED, reason=f"why {EVIL}")
    cells = (*check.check.cells[:-1], failed)
    records = {cell: of_it for cell, of_it in check.records.items() if cell != lost}
    with RunWriter(path) as writer:
        write_check(writer, StoredCheck(check.check.model_copy(update={"cells": cells}), records))
    html = render(load_run(path))
    page = Page(html)
    assert html.count("<script") == 1
    part = page.root.find("section", id="spot")[0]
    assert part.find("h4")[0].text == f"On Board {EVIL} (8 GiB)"
    assert f"toy_topics_en: 1{EVIL}" in part.text
    assert f"why {EVIL}" in part.text
