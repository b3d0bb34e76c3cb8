"""Warnings in the report and on a terminal: where they stand, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from evalsuite.analysis import Run, analyse, load_run
from evalsuite.analysis.flags import FlagKind
from evalsuite.catalog.paths import data_root
from evalsuite.records import Cell, Record
from evalsuite.report import build_report
from evalsuite.report.build import render
from evalsuite.report.names import Names
from evalsuite.report.notices import Notices
from evalsuite.report.text import load_text
from tests.report.conftest import Element, Page
from tests.synthetic import MODELS, Plan, build_run

SMOL, GEMMA = MODELS
EVIL = "<b>&{n}"


def _run(path: Path, hook: Callable[[Cell, Record], Record], *, items: int = 60, **fields: object) -> Run:
    plan = Plan(items=items, codes=("en", "es", "eu"), holes=False, record_hook=hook, **fields)  # type: ignore[arg-type]
    return load_run(build_run(path / "run", plan))


def _notices(run: Run) -> Notices:
    text = load_text(data_root("reports") / "strings")
    return Notices(analyse(run).flags, Names(run, text), text)


def _guess(cell: Cell, record: Record) -> Record:
    """SmolLM2 guesses on the topics; all else is right."""
    guesses = cell.model == SMOL and "topics" in cell.task
    return record.model_copy(update={"score": float(record.item_index % 7 == 0) if guesses else 1.0})


def _constant(cell: Cell, record: Record) -> Record:
    """SmolLM2 always answers the same on the Basque topics."""
    if (cell.model, cell.task) != (SMOL, "toy_topics_eu"):
        return record.model_copy(update={"score": 1.0, "prediction": int(record.target)})
    choices = (EVIL, *record.choices[1:])
    return record.model_copy(update={"choices": choices, "prediction": 0, "score": float(record.target == "0")})


@pytest.fixture(scope="module")
def guessing(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return _run(tmp_path_factory.mktemp("guessing"), _guess)


@pytest.fixture(scope="module")
def constant(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return _run(tmp_path_factory.mktemp("constant"), _constant)


def _box(page: Page) -> Element:
    (box,) = page.root.find("section", id="accuracy")[0].find("div", id="warnings")
    return box


def test_a_run_without_trouble_shows_no_warning(page: Page) -> None:
    assert not page.root.find("div", id="warnings")
    assert not page.root.find("p", id="too-few")
    assert "What the warnings rest on" not in page.root.find("section", id="method")[0].text


def test_guessing_is_said_above_the_tables(guessing: Run) -> None:
    page = Page(render(guessing))
    box = _box(page)
    assert "notice" in box.attrs["class"]
    (sentence,) = [e.text for e in box.find("li")]
    assert sentence == (
        "SmolLM2 135M Instruct on toy_topics: 15.0% of the answers are right, and guessing gives 14.3%; in none of its "
        "3 languages (English, Spanish and Basque) is it shown to be better. Gemma 3 270M is shown to be better than "
        "guessing there, so the task can be done: look at this model's prompt first."
    )
    assert "What it may mean:" in box.text
    assert "What to do:" in box.text
    section = page.root.find("section", id="accuracy")[0]
    tags = [e for e in section.every() if e.attrs.get("id") == "warnings" or e.tag == "figure"]
    assert [e.tag for e in tags] == ["div", "figure"]


def test_the_method_lists_the_numbers_of_the_test(guessing: Run) -> None:
    method = Page(render(guessing)).root.find("section", id="method")[0]
    (table,) = [t for t in method.find("table") if t.find("caption")[0].text.startswith("Warnings by language")]
    (flag,) = analyse(guessing).flags
    rows = [[c.text for c in r.find("td")] for r in table.find("tr") if r.find("td")]
    assert rows == [
        ["No better than guessing in any language", "SmolLM2 135M Instruct", f"toy_topics_{s.language}", name,
         "60", "15.0%", "14.3%", "1.000", "—", "—", "—"]
        for s, name in zip(flag.seen, ("English", "Spanish", "Basque"), strict=True)
    ]  # fmt: skip
    width = len(table.find("thead")[0].find("th"))
    assert {len(row) for row in rows} == {width}
    assert "exact one-sided binomial test" in method.text


def test_a_constant_answer_is_named_and_marked_in_its_row(constant: Run) -> None:
    page = Page(render(constant))
    (sentence,) = [e.text for e in _box(page).find("li")]
    assert sentence == f"SmolLM2 135M Instruct on toy_topics: Basque (“{EVIL}” to 100.0% of 60 items; right for 15.0%)."
    marked = [r.text for r in page.root.find("tr") if "gives the same answer to 100.0% of the items" in r.text]
    assert len(marked) == 1
    assert marked[0].startswith("SmolLM2 135M Instruct 15.0%")


def test_an_option_that_is_a_sentence_is_cut(constant: Run) -> None:
    seen = analyse(constant).flags[0].seen[0]
    shown = _notices(constant).option(replace(seen, answer="あ" * 60))
    assert shown == "あ" * 39 + "…"


def test_the_same_place_is_counted_from_one(tmp_path: Path) -> None:
    def second(cell: Cell, record: Record) -> Record:
        choices = tuple(f"{c} {record.item_index}" for c in record.choices)
        changes = {"choices": choices, "prediction": 1, "score": float(record.target == "1")}
        return record.model_copy(update=changes) if "facts" in cell.task else record

    lines = _notices(_run(tmp_path, second)).lines
    assert any("Basque (option 2 in 100.0% of 60 items; right for 25.0%)" in line for line in lines)


def test_too_few_items_are_said_without_suspicion(tmp_path: Path) -> None:
    run = _run(tmp_path, lambda _, r: r.model_copy(update={"score": float(r.item_index == 0)}), items=4)
    page = Page(render(run))
    assert not page.root.find("div", id="warnings")
    (said,) = [e.text for e in page.root.find("p", id="too-few")]
    assert "Too few items to tell." in said
    assert "This is no sign of a fault." in said
    # 21 and 45 are the last counts at which scipy's binomtest cannot reject at twice chance.
    assert "SmolLM2 135M Instruct on toy_facts (4 items in each language; 22 would be enough)" in said
    assert "Gemma 3 270M on toy_topics (4 items in each language; 46 would be enough)" in said
    assert all(line.startswith("note: Too few items to tell: ") for line in _notices(run).lines)


def test_a_cell_that_says_yes_alone_is_explained(tmp_path: Path) -> None:
    def lucky(cell: Cell, record: Record) -> Record:
        # 14 of 60 clear one in seven by Wilson's interval; as one of three languages they do not by the test (p 0.12).
        right = 14 if cell.language == "es" else 9
        return (
            record.model_copy(update={"score": float(record.item_index < right)}) if "topics" in cell.task else record
        )

    run = _run(tmp_path, lucky)
    row = next(r for r in analyse(run).scores if r.task == "toy_topics_es")
    assert row.above_chance
    assert _notices(run).marks(row) == ("not with all languages counted, see the warnings",)


def test_a_model_that_guesses_everywhere_has_one_warning(tmp_path: Path) -> None:
    run = _run(tmp_path, lambda _, r: r.model_copy(update={"score": float(r.item_index % 7 == 0)}))
    said = [e.text for e in _box(Page(render(run))).find("li")]
    assert said == [
        f"{title} on toy_topics and toy_facts: in none of its 3 languages (English, Spanish and Basque) is it shown to be "
        "better than guessing, on any of these tasks. No other model of this run is shown to be better than guessing "
        "there: look at the task and its prompt first."
        for title in MODELS.values()
    ]


def test_a_terminal_gets_a_line_for_each_flag(guessing: Run, tmp_path: Path) -> None:
    told: list[str] = []
    build_report(guessing.path, tmp_path / "r.html", tell=told.append)
    assert told == list(_notices(guessing).lines)
    assert len(told) == 1
    assert told[0].startswith("warning: No better than guessing in any language: SmolLM2 135M Instruct on toy_topics: ")


def test_every_kind_has_its_words() -> None:
    text = load_text(data_root("reports") / "strings")
    for kind in FlagKind:
        for part in ("title", "meaning", "action"):
            assert text(f"flag.{kind}.{part}")
