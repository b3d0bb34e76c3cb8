"""The report on other wordings, orders of options, written answers and translations, and on many task groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.analysis import Run, Tables, analyse, load_run
from evalsuite.catalog.paths import data_root
from evalsuite.records import Cell, PromptForm, Record, Task
from evalsuite.report.build import render
from evalsuite.report.names import Names
from evalsuite.report.provenance import sample_text
from evalsuite.report.text import load_text
from tests import synthetic
from tests.report.conftest import Element, Page
from tests.synthetic import MODELS, Plan, build_run
from tests.synthetic_forms import Forms, build_forms

SECTIONS = {
    "wordings": "Does the wording matter?",
    "orders": "Does the order of the options matter?",
    "translations": "Translation",
    "replies": "Written answers",
}


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Tables, str]:
    """A run with other wordings, other orders and written answers; its tables and its report."""
    run = load_run(build_forms(tmp_path_factory.mktemp("runs") / "varied"))
    tables = analyse(run)
    return run, tables, render(run, tables)


@pytest.fixture(scope="module")
def varied_page(varied: tuple[Run, Tables, str]) -> Page:
    """That report, parsed."""
    return Page(varied[2])


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The report of a run with seven groups and two tasks of one language only, in three families."""

    def tasks(plan: Plan) -> dict[str, Task]:
        kinds = ("math", "reading", "own")
        made = [
            synthetic.task(f"toy_topics{i}_{code}", code, f"toy_topics{i}", family=kinds[i % 3], note=None)
            for i in range(7)
            for code in plan.codes
        ]
        made += [synthetic.task(f"alone_{kind}", "eu", None, family=kind) for kind in kinds[:2]]
        return {one.name: one for one in made}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "_tasks", tasks)
        path = build_run(tmp_path_factory.mktemp("runs") / "many", Plan(items=12, codes=("en", "eu"), holes=False))
    return Page(render(load_run(path)))


def _section(page: Page, name: str) -> Element:
    return page.root.find("section", id=name)[0]


def _rows(page: Page, name: str) -> list[str]:
    return [r.text for r in _section(page, name).find("tr") if r.find("td")]


def test_each_has_its_section_and_its_place_in_the_contents(varied_page: Page) -> None:
    assert {name: _section(varied_page, name).find("h3")[0].text for name in SECTIONS} == SECTIONS
    links = [e.attrs["href"] for e in varied_page.root.find("nav")[0].find("a")]
    assert {link[1:] for link in links} >= set(SECTIONS)


def test_tables_are_whole_and_have_captions(varied_page: Page) -> None:
    for name in SECTIONS:
        for table in _section(varied_page, name).find("table"):
            assert len(table.find("caption")[0].text) > 40
            width = len(table.find("thead")[0].find("th"))
            for row in table.find("tr"):
                cells = [e for e in row.children if e.tag in {"td", "th"}]
                assert sum(int(c.attrs.get("colspan", "1")) for c in cells) == width, row.text


def test_wordings_are_those_of_the_table(varied: tuple[Run, Tables, str], varied_page: Page) -> None:
    rows = _rows(varied_page, "wordings")
    assert len(rows) == len(varied[1].wordings) == 6
    for text, row in zip(rows, varied[1].wordings, strict=True):
        assert row.own is not None
        assert row.english is not None
        assert all(f"{100 * (e.value or 0):.1f}%" in text for _, e in row.scores)
        for value in (row.own.spread, row.own.deviation, row.own.expected, row.own.expected_high):
            assert f" {100 * value:.1f}" in text
        assert f" {row.own.n} " in text
    widest = max(varied[1].wordings, key=lambda r: r.own.spread if r.own else 0)
    said = _section(varied_page, "wordings").text
    assert f"lies between {100 * (widest.low or 0):.1f}% and {100 * (widest.high or 0):.1f}%" in said
    assert "plain form" in said
    assert "English words" in said
    assert "wording 3" in said
    assert "corrected by Holm over all 6 rows" in said


def test_orders_are_those_of_the_table(varied: tuple[Run, Tables, str], varied_page: Page) -> None:
    rows = _rows(varied_page, "orders")
    for text, row in zip(rows, varied[1].orders, strict=True):
        assert row.places is not None
        assert f"{row.places.letter}: {100 * row.places.share:.1f}% of 160 answers; fair: 25.0%" in text
        assert f"{100 * (row.circular.value or 0):.1f}%" in text
        assert f"{100 * (row.same_option.low or 0):.1f} to {100 * (row.same_option.high or 0):.1f}" in text


def test_translations_have_intervals_and_signatures(varied: tuple[Run, Tables, str], varied_page: Page) -> None:
    rows = _rows(varied_page, "translations")
    for text, row in zip(rows, varied[1].translations, strict=True):
        for e in (row.chrf, row.bleu):
            assert f"{e.value:.1f} {e.low:.1f} to {e.high:.1f}" in text
        assert text.endswith("40 in 10 documents")
    listed = [e.text for e in _section(varied_page, "translations").find("li")]
    assert f"Into English and Spanish: chrF++|{varied[1].translations[0].chrf_signature}" in listed
    assert len(listed) == 4


def test_written_answers_are_those_of_the_table(varied: tuple[Run, Tables, str], varied_page: Page) -> None:
    rows = _rows(varied_page, "replies")
    assert len(rows) == len(varied[1].replies) == 12
    for text, row in zip(rows, varied[1].replies, strict=True):
        assert f"{100 * (row.not_told.low or 0):.1f} to {100 * (row.not_told.high or 0):.1f}" in text
        assert f"n {row.wrong_language.n}" in text or row.wrong_language.n == row.n


def test_the_method_says_what_was_used(varied_page: Page) -> None:
    text = _section(varied_page, "method").text
    for said in ("whole clusters", "Cochran's Q", "Pearson's chi-square", "Koehn 2004"):
        assert said in text
    assert "Letters are all one character" in text
    assert "In every wording toy_reading" in _section(varied_page, "provenance").text


def test_a_failed_wording_is_named(tmp_path: Path) -> None:
    path = build_forms(tmp_path / "run", Forms(items=6, codes=("en",), orders=2))
    for folder in (path / "cells").glob("*native~1*"):
        for file in folder.iterdir():
            file.unlink()
    page = Page(render(load_run(path)))
    rows = _rows(page, "failures")
    assert len(rows) == 2
    assert all("plain form, options from number 2 on" in row for row in rows)
    reasons = [e.attrs["title"] for e in _section(page, "orders").find("abbr")]
    assert reasons == ["not finished yet", "not every order has scores", "not every order has answers"] * 2


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("native", "plain form"),
        ("chat", "chat form"),
        ("english", "English words"),
        ("native-3", "wording 3"),
        ("english+chat", "English words, chat form"),
        ("chat~2", "chat form, options from number 3 on"),
        ("native-2~1", "wording 2, options from number 2 on"),
    ],
)
def test_forms_are_named_by_their_parts(run: Run, form: str, name: str) -> None:
    assert Names(run, load_text(data_root("reports") / "strings")).form(PromptForm(form)) == name


def test_many_groups_are_divided_by_family(many: Page) -> None:
    section = _section(many, "accuracy")
    heads = section.find("h4", **{"class": "family"})
    # Known families in their order, then others.
    assert [h.text for h in heads] == ["Reading", "Arithmetic", "own"]
    assert len(section.find("figure")) == 3
    links = {e.attrs["href"] for e in section.find("ul", **{"class": "jump"})[0].find("a")}
    assert {f"#{h.attrs['id']}" for h in heads} <= links
    assert [e.text for e in section.find("h5")][:3] == ["toy_topics1", "toy_topics4", "Tasks in one language only"]
    ids = [e.attrs["id"] for e in many.root.every() if "id" in e.attrs]
    assert len(set(ids)) == len(ids)
    assert {e.attrs["href"][1:] for e in many.root.every() if "href" in e.attrs} <= set(ids)


def test_folded_tables_say_how_many_they_are(many: Page) -> None:
    said = [e.text for e in _section(many, "gap").find("summary")]
    assert said == ["Reading: 2 tables", "Arithmetic: 3 tables", "own: 2 tables"]


def test_wins_on_many_groups_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tasks(plan: Plan) -> dict[str, Task]:
        return {f"toy_topics{i}": synthetic.task(f"toy_topics{i}", "en", None) for i in range(8)}

    def best(cell: Cell, record: Record) -> Record:
        ahead = cell.model == list(MODELS)[1] and cell.task < "toy_topics5"
        return record.model_copy(update={"score": float(ahead or record.item_index < 10)})

    monkeypatch.setattr(synthetic, "_tasks", tasks)
    path = build_run(tmp_path / "run", Plan(items=60, codes=("en",), holes=False, record_hook=best))
    summary = _section(Page(render(load_run(path))), "summary").text
    assert "Gemma 3 270M is best on 5 of 8 task groups; on the rest no model is shown to be best." in summary


def test_samples_of_unlike_size_are_said_as_a_range(varied: tuple[Run, Tables, str]) -> None:
    run = varied[0]
    text = load_text(data_root("reports") / "strings")
    assert sample_text(run, text) is None
    manifest = run.manifest
    tasks = {
        name: task.model_copy(update={"items": 40 + 60 * i}) for i, (name, task) in enumerate(manifest.tasks.items())
    }
    sweep = manifest.sweep.model_copy(update={"limits_of": {"core": 40}})
    changed = Run(run.path, manifest.model_copy(update={"tasks": tasks, "sweep": sweep}), run.results, run.items)
    assert sample_text(changed, text) == "40 of 100 to 520"
