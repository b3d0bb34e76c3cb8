"""The part of the report on trade-offs: fronts, tables and sentences are those of the rows, and claim no more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evalsuite.analysis import Run, analyse, load_run
from evalsuite.analysis.device_tables import device_tables
from evalsuite.analysis.language_index import language_indices
from evalsuite.analysis.rows import Verdict
from evalsuite.analysis.tables import Tables
from evalsuite.analysis.tradeoffs import Measure, TradeoffRow, tradeoffs
from evalsuite.catalog.paths import data_root
from evalsuite.report.build import render
from evalsuite.report.names import Names
from evalsuite.report.text import load_text
from evalsuite.report.tradeoffs import TradeoffSection, build_tradeoffs
from tests.report.conftest import Element, Page
from tests.synthetic import MODELS, Plan, build_run
from tests.synthetic_profile import DevicePlan, build_profiles

SMOL, GEMMA = MODELS
CODES = ("en", "es", "eu")
EVIL = "<script>alert(1)</script>{{7*7}}\"'&$x^2$"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = build_run(tmp_path_factory.mktemp("traded") / "run", Plan(items=30, codes=CODES, holes=False))
    return load_run(build_profiles(path, DevicePlan(codes=CODES)))


@pytest.fixture(scope="module")
def tables(run: Run) -> Tables:
    return analyse(run)


@pytest.fixture(scope="module")
def rows(run: Run, tables: Tables) -> tuple[TradeoffRow, ...]:
    return tradeoffs(run, tables.scores, language_indices(run, differences=False), device_tables(run))


@pytest.fixture(scope="module")
def section(run: Run, tables: Tables) -> Element:
    (found,) = Page(render(run, tables)).root.find("section", id="tradeoffs")
    return found


def built(run: Run, tables: Tables, rows: tuple[TradeoffRow, ...]) -> TradeoffSection:
    text = load_text(data_root("reports") / "strings")
    found = build_tradeoffs(run, tables, rows, Names(run, text), text)
    assert found is not None
    return found


def test_each_group_has_a_figure_for_each_cost_and_the_index_one(section: Element) -> None:
    labels = [svg.attrs["aria-label"] for svg in section.find("svg", role="img")]
    assert labels == [
        "toy_topics: score against median seconds of a request, by language and model",
        "toy_topics: score against memory needed, by language and model",
        "toy_topics: score against energy of a request, by language and model",
        "Language index: score against memory needed, by language and model",
    ]


def test_the_table_says_who_is_on_the_front_and_who_is_beaten(section: Element, rows: tuple[TradeoffRow, ...]) -> None:
    shown = section.find("td", **{"class": "num front"})
    assert len(shown) == len(rows)
    on_front = sum("on the front" in cell.text for cell in shown)
    beaten = sum("beaten by" in cell.text for cell in shown)
    assert on_front == sum(row.on_front is True for row in rows) > 0
    assert beaten == sum(row.on_front is False for row in rows)


def test_hollow_points_are_those_that_are_beaten(run: Run, tables: Tables, rows: tuple[TradeoffRow, ...]) -> None:
    beaten = tuple(
        replace(row, on_front=False, dominated_by=(SMOL,)) if row.model == GEMMA and row.language == "eu" else row
        for row in rows
    )
    found = built(run, tables, beaten)
    for block in found.blocks:
        for one in block.figures:
            page = Page(str(one.figure)).root
            points = [
                e
                for e in page.every()
                if "data-key" in e.attrs
                and any("stroke: var(--series-2)" in c.attrs.get("style", "") for c in e.every())
            ]
            hollow = [
                e.attrs["data-key"]
                for e in points
                if any("fill: var(--surface)" in c.attrs.get("style", "") for c in e.every())
            ]
            assert hollow == [key for key in {e.attrs["data-key"] for e in points} if key.split()[1] == "eu"]


def test_languages_with_the_same_front_share_a_sentence(
    run: Run, tables: Tables, rows: tuple[TradeoffRow, ...]
) -> None:
    def front(row: TradeoffRow) -> TradeoffRow:
        alone = row.language == "eu" and row.model == GEMMA
        return replace(row, on_front=not alone, dominated_by=(SMOL,) if alone else ())

    (first, *_) = built(run, tables, tuple(front(row) for row in rows)).blocks
    assert [one.readings for one in first.figures] == [
        (
            f"English and Spanish: on the front are {MODELS[SMOL]} and {MODELS[GEMMA]}, {order}. {more}",
            f"Basque: only {MODELS[SMOL]} is on the front. No other model scores more, and none {less}.",
        )
        for order, more, less in (
            ("from the fastest to the slowest", "Along the front, more time goes with a higher score.", "is faster"),
            (
                "from the smallest to the largest",
                "Along the front, more memory goes with a higher score.",
                "needs less memory",
            ),
            (
                "from the thriftiest to the hungriest",
                "Along the front, more energy goes with a higher score.",
                "takes less energy",
            ),
        )
    ]


def test_a_front_of_all_languages_is_said_once(run: Run, tables: Tables, rows: tuple[TradeoffRow, ...]) -> None:
    alike = tuple(replace(row, on_front=row.model == SMOL, dominated_by=()) for row in rows)
    (first, *_) = built(run, tables, alike).blocks
    expected = f"All languages: only {MODELS[SMOL]} is on the front. No other model scores more, and none is faster."
    assert first.figures[0].readings == (expected,)


def test_one_model_with_both_figures_leaves_nothing_to_choose(run: Run, tables: Tables) -> None:
    alone = replace(run, profiles=tuple(p for p in run.profiles if p.model == SMOL))
    (found,) = Page(render(alone, tables)).root.find("section", id="tradeoffs")
    assert "Only one model has both figures here" in found.text
    assert f"No device figure: {MODELS[GEMMA]}." in found.text
    assert "is shown to score higher" not in found.text


@pytest.mark.parametrize("verdict", [Verdict.AHEAD, Verdict.BEHIND, Verdict.INCONCLUSIVE])
def test_only_the_comparisons_call_a_score_higher(
    run: Run, tables: Tables, rows: tuple[TradeoffRow, ...], verdict: Verdict
) -> None:
    known = [r for r in tables.comparisons if r.group == "toy_topics" and r.language == "es"]
    assert [(r.model, r.other) for r in known] in ([(SMOL, GEMMA)], [(GEMMA, SMOL)])
    (one,) = known
    changed = replace(
        tables, comparisons=tuple(replace(r, verdict=verdict if r is one else None) for r in tables.comparisons)
    )
    (first, *_) = built(run, changed, rows).blocks
    winner, loser = (one.model, one.other) if verdict is Verdict.AHEAD else (one.other, one.model)
    expected = f"{MODELS[winner]} is shown to score higher than {MODELS[loser]}: Spanish."
    if verdict is Verdict.INCONCLUSIVE:
        expected = "No difference between the scores of two of these models is shown."
    assert first.shown[0] == expected


def test_a_front_that_is_only_cheap_is_called_so(run: Run, tables: Tables, rows: tuple[TradeoffRow, ...]) -> None:
    guessed = tuple(replace(row, above_chance=not (row.model == SMOL and row.language in {"es", "eu"})) for row in rows)
    (first, *_) = built(run, tables, guessed).blocks
    assert first.shown[-1] == (
        f"{MODELS[SMOL]} is on a front only because it costs little: its score is not shown to be above chance. "
        "Languages: Spanish and Basque."
    )
    (first, *_) = built(run, tables, tuple(replace(row, above_chance=True) for row in rows)).blocks
    assert not [s for s in first.shown if "chance" in s]


def test_further_groups_of_a_family_are_tables_alone(tmp_path: Path, run: Run) -> None:
    tasks = {name: t.model_copy(update={"family": "labels"}) for name, t in run.manifest.tasks.items()}
    many = replace(run, manifest=run.manifest.model_copy(update={"tasks": tasks}))
    (found,) = Page(render(many)).root.find("section", id="tradeoffs")
    labels = [svg.attrs["aria-label"].partition(":")[0] for svg in found.find("svg", role="img")]
    assert len(set(labels) - {"Language index"}) == 1
    assert "1 more task group, as a table" in found.text
    captions = [t.find("caption")[0].text.partition(":")[0] for t in found.find("table")]
    assert sorted(captions) == ["Language index", "toy_facts", "toy_topics"]


def test_there_is_no_such_part_without_scores_or_without_a_device(run: Run, tmp_path: Path) -> None:
    bare = replace(run, profiles=())
    assert not Page(render(bare)).root.find("section", id="tradeoffs")
    only = load_run(build_profiles(tmp_path / "run", DevicePlan(meter=None)))
    assert not Page(render(only)).root.find("section", id="tradeoffs")


def test_names_of_models_are_text(tmp_path: Path) -> None:
    path = build_run(
        tmp_path / "run", Plan(items=10, codes=("en", "eu"), holes=False, models={SMOL: EVIL, GEMMA: "Two"})
    )
    html = render(load_run(build_profiles(path, DevicePlan(codes=("en", "eu"), meter=None, rounds=3))))
    assert "<script>alert" not in html
    (found,) = Page(html).root.find("section", id="tradeoffs")
    assert not found.find("script")
    assert EVIL in found.text
    assert not [svg for svg in found.find("svg", role="img") if "energy" in svg.attrs["aria-label"]]


def test_every_measure_has_its_words() -> None:
    text = load_text(data_root("reports") / "strings")
    for measure in Measure:
        for kind in ("panel", "axis", "aria", "front_one", "front_several"):
            said = text(f"tradeoffs.{kind}.{measure}", group="G", languages="L", models="M")
            assert said
        assert text(f"col.front_{measure}")
