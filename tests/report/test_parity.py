"""The part of the report on texts that are only read: its numbers, what it must not touch, and where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.analysis import Run, load_run
from evalsuite.analysis.parity import information_parity
from evalsuite.catalog.paths import data_root
from evalsuite.report.build import render
from evalsuite.report.text import load_text
from tests.report.conftest import Element, Page
from tests.synthetic import MODELS, Plan, build_run
from tests.synthetic_parity import CODES, ITEMS, ParityPlan, build_parity

EVIL = "<script>alert(1)</script>{{7*7}}\"'&$x^2$"


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return load_run(build_parity(tmp_path_factory.mktemp("runs") / "read", ParityPlan(titles=(EVIL, "Two"))))


@pytest.fixture(scope="module")
def page(read: Run) -> Page:
    return Page(render(read))


@pytest.fixture(scope="module")
def section(page: Page) -> Element:
    (found,) = page.root.find("section", id="parity")
    return found


def test_the_table_shows_the_rows_of_the_analysis(read: Run, section: Element) -> None:
    text = load_text(data_root("reports") / "strings")
    by_key = {(row.language, row.model): row for row in information_parity(read)}
    lines = [line.find("td") for line in section.find("tr") if line.find("td")]
    assert len(lines) == len(CODES) * len(MODELS)
    for cells, (code, model) in zip(lines, [(c, m) for c in CODES for m in MODELS], strict=True):
        row = by_key[code, model]
        shown = [cell.text for cell in cells]
        assert shown[1].startswith(text.number(row.bits_per_item.value))
        assert shown[5].startswith(text.number(row.bits_per_byte.value, 2))
        assert shown[7] == str(ITEMS)
        if code == "en":
            assert (shown[2], shown[4]) == ("reference", "reference")
        else:
            ends = text.span(row.parity.low, row.parity.high, digits=2)
            assert shown[2] == f"{text.number(row.parity.value, 2)} {ends}"
            assert shown[4].startswith(text.number(row.token_tax.value, 2))


def test_the_summary_names_the_lowest_parity(read: Run, page: Page) -> None:
    row = min(information_parity(read), key=lambda r: r.parity.value or 9)
    assert row.parity.value is not None
    (summary,) = page.root.find("section", id="summary")
    wanted = f"needs {1 / row.parity.value:.2f} times as many bits in Basque as in English"
    assert wanted in summary.text
    assert "nothing can be said" not in summary.text


def test_a_run_of_texts_alone_speaks_of_no_accuracy(page: Page) -> None:
    ids = {section.attrs.get("id") for section in page.root.find("section")}
    assert not ids & {"accuracy", "gap", "tokens", "method"}
    assert {"ran", "parity", "failures", "provenance"} <= ids
    (nav,) = page.root.find("nav")
    assert [a.text for a in nav.find("a", href="#parity")] == ["Bits for the same content"]
    assert not nav.find("a", href="#accuracy")
    (numbers,) = page.root.find("ul", **{"class": "numbers"})
    assert f"items scored {ITEMS * len(CODES) * len(MODELS)}" in numbers.text


def test_names_stay_text(read: Run, section: Element) -> None:
    assert "<script>alert" not in render(read)
    assert EVIL in section.text


def test_beside_answers_it_is_one_more_part(tmp_path: Path) -> None:
    run = load_run(build_parity(tmp_path / "run", ParityPlan(codes=("en", "eu"), answered=True)))
    page = Page(render(run))
    ids = [section.attrs.get("id") for section in page.root.find("section")]
    assert {"accuracy", "gap", "tokens", "parity", "method"} <= set(ids)
    for part in ("accuracy", "gap", "tokens"):
        (other,) = page.root.find("section", id=part)
        assert "toy_topics" in other.text
        assert "toy_texts" not in other.text


def test_what_failed_says_why(tmp_path: Path) -> None:
    run = load_run(build_parity(tmp_path / "run", ParityPlan(codes=("en", "eu"), failed=("toy_texts_eu",))))
    (section,) = Page(render(run)).root.find("section", id="parity")
    assert section.text.count("— failed: the engine crashed: SIGSEGV") == len(MODELS)


def test_a_run_without_such_texts_has_no_such_part(tmp_path: Path) -> None:
    run = load_run(build_run(tmp_path / "run", Plan(items=8, codes=("en",), holes=False)))
    root = Page(render(run)).root
    assert not root.find("section", id="parity")
    assert not root.find("a", href="#parity")
