"""The figures of the device: every mark has the number of a table, and nothing is drawn that was not measured."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from evalsuite.analysis import Run
from evalsuite.analysis.device_tables import DeviceTables, device_tables
from evalsuite.analysis.reading_pace import reading_pace
from evalsuite.catalog.paths import data_root
from evalsuite.catalog.reading_speed import load_reading_speeds
from evalsuite.records import Kind
from evalsuite.report.build import render
from evalsuite.report.device_reading import build_reading
from evalsuite.report.device_times import tick_digits
from evalsuite.report.names import Names
from evalsuite.report.strips import STROKES, sampled
from evalsuite.report.text import load_text
from tests.report.conftest import Element, Page
from tests.report.test_device import BARE, ONE, SMOL, cells, device, figures_of, made, table, with_scores
from tests.synthetic_profile import MIB


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return with_scores(tmp_path_factory.mktemp("figures") / "run")


@pytest.fixture(scope="module")
def tables(run: Run) -> DeviceTables:
    return device_tables(run)


@pytest.fixture(scope="module")
def page(run: Run) -> Page:
    return Page(render(run))


@pytest.fixture(scope="module")
def section(page: Page) -> Element:
    (found,) = page.root.find("section", id="device")
    return found


def marks(element: Element) -> list[tuple[str, str]]:
    """Return key and value of every mark of the figures."""
    return [
        (e.attrs["data-key"], e.attrs["data-v"])
        for svg in element.find("svg", role="img")
        for e in svg.every()
        if "data-key" in e.attrs
    ]


def in_tables(element: Element) -> set[tuple[str, str]]:
    """Return key and value of every number that the tables mark."""
    return {
        (row.attrs["data-key"], cell.attrs["data-v"])
        for row in element.find("tr")
        if "data-key" in row.attrs
        for cell in row.children
        if "data-v" in cell.attrs
    }


def test_every_mark_has_its_number_in_a_table(page: Page) -> None:
    for part in ("device", "tradeoffs"):
        (found,) = page.root.find("section", id=part)
        drawn = marks(found)
        assert len(drawn) > 30
        assert set(drawn) - in_tables(found) == set()


def test_every_kind_has_its_distribution_with_the_percentiles_that_exist(
    section: Element, tables: DeviceTables
) -> None:
    figures = figures_of(section, "All times of requests")
    assert len(figures) == len(Kind)
    for svg, kind in zip(figures, Kind, strict=True):
        expected = [
            f"{value:.6g}"
            for row in tables.latencies
            if row.kind is kind
            for value in (row.total.p95.value, row.total.p99.value, row.total.median.value)
            if value is not None
        ]
        assert sorted(value for _, value in marks_of(svg)) == sorted(expected)
    assert any(row.total.p95.value for row in tables.latencies)
    assert "forty of them are drawn" in section.text


def marks_of(svg: Element) -> list[tuple[str, str]]:
    return [(e.attrs["data-key"], e.attrs["data-v"]) for e in svg.every() if "data-key" in e.attrs]


def test_a_sample_of_strokes_is_even_and_keeps_both_ends() -> None:
    values = [float((i * 37) % 101) for i in range(101)]
    found = sampled(values)
    assert len(found) == STROKES
    assert (found[0], found[-1]) == (0.0, 100.0)
    steps = [b - a for a, b in itertools.pairwise(found)]
    assert set(steps) <= {2.0, 3.0}
    assert statistics.median(found) == pytest.approx(50, abs=1)
    assert sampled([3.0, 1.0]) == (1.0, 3.0)
    assert sampled(values) == found


def test_times_to_the_first_token_are_those_of_the_table(section: Element, tables: DeviceTables) -> None:
    figures = figures_of(section, "Median time to the first token")
    assert len(figures) == len(Kind)
    for svg, kind in zip(figures, Kind, strict=True):
        expected = sorted(f"{row.ttft.median.value:.6g}" for row in tables.latencies if row.kind is kind)
        assert sorted(value for _, value in marks_of(svg)) == expected


def test_speed_of_writing_is_held_against_published_reading(section: Element, tables: DeviceTables, run: Run) -> None:
    speeds = load_reading_speeds()
    rows = {(r.model, r.language): r for r in reading_pace(tables, speeds)}
    assert {row.kind for row in rows.values()} == {Kind.TRANSLATION}
    written = {(r.model, r.language): r.decode_chars.value for r in tables.latencies if r.kind is Kind.TRANSLATION}
    for (model, language), row in rows.items():
        value = written[model, language]
        assert value is not None
        assert row.chars_per_s.value == value
        people = {"en": (987 + 228) / 60, "es": (1025 + 218) / 60}.get(language)
        assert row.times == (None if people is None else pytest.approx(value / people))
    shown = cells(table(section, "Characters per second"))
    assert [line[2] for line in shown] == ["20.2", "20.2", "20.7", "20.7", "—", "—"]
    assert [line[3] for line in shown[-2:]] == ["—", "—"]
    (svg,) = figures_of(section, "Characters per second")
    assert "how fast people read is not known" in svg.find("desc")[0].text
    least, most = sorted(row.times for (model, _), row in rows.items() if model == SMOL and row.times is not None)
    assert f"writes {least:.0f} to {most:.0f} times as fast as people read aloud" in section.text


def test_no_claim_rests_on_an_estimate(tables: DeviceTables, run: Run) -> None:
    text = load_text(data_root("reports") / "strings")
    speeds = load_reading_speeds()
    guessed = {code: speeds["es"].model_copy(update={"basis": "estimate", "like": "es"}) for code in ("en", "es")}
    found = build_reading(run, reading_pace(tables, guessed), Names(run, text), text)
    assert found is not None
    assert found.sentences == ()
    one = build_reading(run, reading_pace(tables, guessed | {"es": speeds["es"]}), Names(run, text), text)
    assert one is not None
    assert all(s.endswith("times as fast as people read Spanish aloud.") for s in one.sentences)
    assert len(one.sentences) == 2


def test_without_written_answers_there_is_no_pace(tmp_path: Path) -> None:
    # Categories are no text that anybody reads as it grows.
    found = device(render(made(tmp_path / "run", BARE)))
    assert "faster than people read" not in found.text
    assert not figures_of(found, "Characters per second")


def test_parts_of_memory_add_up_and_devices_are_all_there(section: Element, tables: DeviceTables) -> None:
    rows = cells(table(section, "Memory needed, by part"))
    for line, row in zip(rows, tables.memory, strict=True):
        sizes = [int(cell.removesuffix(" MiB")) for cell in line[1:]]
        assert row.needed is not None
        assert sizes[0] == sum(sizes[1:]) == round(row.needed / MIB)
    (parts,) = figures_of(section, "Memory that each model needs, by part")
    assert "weights 90, cache 20, program 25 and buffers and other 69" in parts.find("desc")[0].text
    (budgets,) = figures_of(section, "Memory that models need, beside")
    drawn = {e.text for e in budgets.find("text")}
    assert {fit.budget.name for fit in tables.fits[0].fits} <= drawn
    assert "Least memory is free on this device: Phone (4 GB), 901 MiB." in section.text


def test_an_unknown_need_is_not_drawn(tmp_path: Path) -> None:
    whole = made(tmp_path / "run", BARE)
    unknown = tuple(p.model_copy(update={"rss_anon": None}) for p in whole.profiles[0].facts.memory)
    found = device(render(made(tmp_path / "other", BARE, facts={"memory": unknown})))
    assert not figures_of(found, "Memory that")
    assert table(found, "Memory while requests were served")


def test_contexts_are_curves_where_there_are_two_lengths(section: Element, tmp_path: Path) -> None:
    (time,) = figures_of(section, "Seconds to read a text")
    assert sorted(value for _, value in marks_of(time)) == sorted([f"{0.004 * n:.6g}" for n in (128, 512)] * 2)
    (memory,) = figures_of(section, "Peak memory in MiB")
    assert {value for _, value in marks_of(memory)} == {"128", "512"}
    # One length makes no curve.
    assert not figures_of(device(render(made(tmp_path / "run", BARE))), "Seconds to read a text")


def test_energy_is_drawn_by_label_and_only_where_it_is_known(
    section: Element, tables: DeviceTables, tmp_path: Path
) -> None:
    (svg,) = figures_of(section, "Energy of a request")
    assert svg.attrs["aria-label"].startswith("Energy of a request, Short classification (measured)")
    assert sorted(value for _, value in marks_of(svg)) == sorted(f"{r.gross.value:.6g}" for r in tables.energies)
    none = device(render(made(tmp_path / "none", BARE)))
    assert not figures_of(none, "Energy of a request")
    guessed = device(render(made(tmp_path / "guessed", replace(BARE, models=ONE), watts=5.0)))
    (svg,) = figures_of(guessed, "Energy of a request")
    assert "(estimated)" in svg.attrs["aria-label"]


@pytest.mark.parametrize("top", [0.004, 0.03, 0.25, 0.99, 1.0, 3.7, 12.0, 250.0, 99999.0])
def test_ticks_of_any_axis_have_enough_decimals(top: float) -> None:
    digits = tick_digits(top)

    def steps() -> Iterator[float]:
        # Those that an axis up to 1.3 times the largest value may take, with three to six ticks.
        power = 10.0 ** math.floor(math.log10(top))
        yield from (power * lead / 10 for lead in (2, 2.5, 5, 10) if 3 <= 1.3 * top / (power * lead / 10) <= 6)

    for step in steps():
        shown = [round(i * step, digits) for i in range(4)]
        assert len(set(shown)) == 4
    assert tick_digits(0.0) == 0
