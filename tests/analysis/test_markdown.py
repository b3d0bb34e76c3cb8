"""The Markdown of a run: parsed by markdown-it, and compared with the tables of the analysis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evalsuite.analysis import Run, analyse, load_run, write_accuracy_table
from evalsuite.cli.main import app
from evalsuite.store import RunFolder
from tests.synthetic import Plan, build_run
from tests.synthetic_labels import build_labels
from tests.synthetic_lengths import build_lengths

markdown_it = pytest.importorskip("markdown_it")


def _tables(text: str) -> dict[str, list[list[str]]]:
    """Return tables by the heading that they stand under; of several, the first."""
    found: dict[str, list[list[str]]] = {}
    heading, kind = "", ""
    rows: list[list[str]] = []
    tokens: list[Any] = markdown_it.MarkdownIt("commonmark").enable("table").parse(text)
    for token in tokens:
        kind = token.type if token.type.endswith("_open") else kind
        if token.type == "table_open":
            rows = []
        elif token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and kind in {"th_open", "td_open"}:
            rows[-1].append(token.content)
        elif token.type == "inline" and kind == "heading_open":
            heading = token.content
        elif token.type == "table_close":
            found.setdefault(heading, rows)
    return found


@pytest.fixture(scope="module")
def text(varied: Run) -> str:
    """The document of a run with everything."""
    return write_accuracy_table(varied)


def test_every_table_is_read_as_one(text: str) -> None:
    tables = _tables(text)
    assert list(tables) == [
        "Accuracy: Compact models for the service desk",
        *("toy_reading", "toy_answers", "toy_translation"),
        *("Other wordings", "Orders of the options", "Translation", "Written answers"),
    ]
    for rows in tables.values():
        assert len({len(row) for row in rows}) == 1


def test_scores_are_those_of_the_tables(varied: Run, text: str) -> None:
    rows = _tables(text)["toy_reading"]
    assert rows[0] == ["language", "chance", "n", *varied.models]
    expected = {(r.language, r.model): r.estimate for r in analyse(varied).scores if r.group == "toy_reading"}
    for code, row in zip(("en", "es", "ja"), rows[1:], strict=True):
        assert row[1:3] == ["25.0", "40"]
        for model, cell in zip(varied.models, row[3:], strict=True):
            e = expected[code, model]
            assert None not in (e.value, e.low, e.high)
            assert cell == f"{100 * (e.value or 0):.1f} ({100 * (e.low or 0):.1f} to {100 * (e.high or 0):.1f})"


def test_the_other_tables_have_a_row_for_each_row(varied: Run, text: str) -> None:
    tables, known = _tables(text), analyse(varied)
    for heading, rows in {
        "Other wordings": known.wordings,
        "Orders of the options": known.orders,
        "Translation": known.translations,
        "Written answers": known.replies,
    }.items():
        assert len(tables[heading]) == 1 + len(rows)
    first = known.orders[0]
    assert first.places is not None
    assert f"{first.places.letter}: {100 * first.places.share:.1f} of 160 answers" in tables["Orders of the options"][1]
    assert f"- chrF++ `{known.translations[0].chrf_signature}`" in text


def test_the_head_says_what_was_measured_with_what(varied: Run, text: str) -> None:
    manifest = varied.manifest
    for model in manifest.models.values():
        assert str(model.sha256)[:12] in text
    for said in (
        manifest.created,
        manifest.device.cpu,
        str(manifest.sweep.seed),
        "lm-eval 0.4.13",
        "limits: all items",
    ):
        assert said in text
    assert "Letters are all one character" in text


def test_holes_and_hostile_texts_break_no_table(tmp_path: Path) -> None:
    plan = Plan(items=8, codes=("en", "eu", "ja"), note="a | b\n<b>c</b>", reason="died | of <i>")
    tables = _tables(write_accuracy_table(load_run(build_run(tmp_path / "run", plan))))
    assert all(len({len(row) for row in rows}) == 1 for rows in tables.values())
    holes = tables["Skipped, failed and unfinished"]
    assert [row[0] for row in holes[1:]] == ["failed", "skipped"]
    assert holes[1][4] == "died | of &lt;i>"
    assert any(cell.startswith("— failed: died") for row in tables["toy_facts"] for cell in row)


def test_the_verb_writes_it(varied: Run, text: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["export", str(varied.path), "--format", "markdown", "--out", str(tmp_path / "accuracy.md")]
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "accuracy.md").read_text(encoding="utf-8") == text


def test_a_run_without_items_is_refused(tmp_path: Path) -> None:
    from evalsuite.analysis.export import export_markdown
    from evalsuite.errors import StoreError

    path = build_run(tmp_path / "run", Plan(items=3, codes=("en",), holes=False))
    for file in (path / "cells").glob("*/*"):
        file.unlink()
    with pytest.raises(StoreError, match="no items to export"):
        export_markdown(RunFolder(path), tmp_path / "a.md")


def test_tables_of_categories_are_those_of_the_analysis(tmp_path: Path) -> None:
    run = load_run(build_labels(tmp_path / "labels"))
    tables, shown = analyse(run), _tables(write_accuracy_table(run))
    first = next(row for row in tables.label_sets if row.sizes)
    heads, chance, *rows = shown[f"Number of categories: {first.group}"]
    assert heads[2:] == [f"{one.size} categories" for one in first.sizes]
    assert chance[2:] == [f"{100 / one.size:.1f}" for one in first.sizes]
    assert len(rows) == sum(bool(row.sizes) for row in tables.label_sets if row.group == first.group)
    for cell, one in zip(rows[0][2:], first.sizes, strict=True):
        assert one.accuracy.value is not None
        assert cell.startswith(f"{100 * one.accuracy.value:.1f} (")
    assert len(shown["One more category"]) == 1 + sum(len(row.added) for row in tables.label_sets)
    categories = [row for row in tables.categories if row.family == "labels" and row.confusion]
    assert len(shown["Categories and confidence"]) == 1 + len(categories)


def test_long_texts_have_a_row_for_each_size(tmp_path: Path) -> None:
    run = load_run(build_lengths(tmp_path / "long"))
    rows, (heads, *shown) = analyse(run).lengths, _tables(write_accuracy_table(run))["Long texts"]
    assert len(shown) == len(rows) > 0
    for row, cells in zip(rows, shown, strict=True):
        told = dict(zip(heads, cells, strict=True))
        assert (told["size"], told["n"], told["too long"]) == (f"{row.size:,}", str(row.estimate.n), str(row.beyond))
        if row.prefill_s.value is not None:
            assert float(told["seconds to read"].replace(",", "")) == pytest.approx(row.prefill_s.value, abs=0.05)


def test_a_run_without_other_names_or_long_texts_has_no_such_tables(tmp_path: Path) -> None:
    shown = _tables(write_accuracy_table(load_run(build_run(tmp_path / "plain", Plan()))))
    assert not {"Names of categories", "Long texts"} & shown.keys()
