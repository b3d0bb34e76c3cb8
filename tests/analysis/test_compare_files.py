"""A comparison as CSV, JSON, Markdown and words: read back, whole, and with its warnings."""

from __future__ import annotations

import csv
import io
import json

import pytest

from evalsuite import __version__
from evalsuite.analysis import load_run
from evalsuite.analysis.compare import compare
from evalsuite.analysis.compare_axis import Axis
from evalsuite.analysis.compare_files import comparison_csv, comparison_json, comparison_markdown, tidy_rows
from evalsuite.analysis.compare_text import explained, not_compared, pair_cells, pair_lines, time_cells, time_lines
from evalsuite.analysis.rows import Verdict
from evalsuite.records import digest
from evalsuite.store import RunFolder
from tests.synthetic import Plan, build_run
from tests.synthetic_profile import DevicePlan, build_profiles


@pytest.fixture(scope="module")
def forced(tmp_path_factory):
    """Two runs of one model whose task is not the same, with times, compared by force."""
    folder = tmp_path_factory.mktemp("files")
    paths = []
    for name in ("one", "two"):
        path = build_run(folder / name, Plan(items=30, codes=("en",), models={"one": "M"}, holes=False))
        paths.append(build_profiles(path, DevicePlan(models={"one": "M"}, meter=None, codes=("en",), rounds=12)))
    manifest = RunFolder(paths[1]).manifest
    task = manifest.tasks["toy_topics_en"].model_copy(update={"sha256": digest("new")})
    changed = manifest.model_copy(update={"tasks": {**manifest.tasks, "toy_topics_en": task}})
    (paths[1] / "manifest.json").write_text(changed.model_dump_json(), encoding="utf-8")
    return compare([load_run(path) for path in paths], Axis.DEVICE, force=True)


def test_csv_and_json_hold_the_same_rows_with_all_digits(forced):
    rows = tidy_rows(forced)
    assert json.loads(comparison_json(forced))["rows"] == rows
    read = list(csv.DictReader(io.StringIO(comparison_csv(forced))))
    assert len(read) == len(rows) == len(forced.pairs) + len(forced.times)
    for told, row in zip(read, rows, strict=True):
        assert list(told) == list(row)
        for name, value in row.items():
            assert told[name] == ("" if value is None else str(value))
    assert float(read[0]["difference_low"]) == forced.pairs[0].difference.low
    assert float(read[-1]["ratio"]) == forced.times[-1].ratio.value


def test_a_row_says_what_it_is_of(forced):
    rows = tidy_rows(forced)
    assert {row["measure"] for row in rows} == {"score", "time"}
    assert {(row["first_run"], row["second_run"]) for row in rows} == {tuple(str(run.path) for run in forced.runs)}
    score = rows[0]
    assert (score["n"], score["test_method"], score["interval_method"]) == (30, "mcnemar", "newcombe")
    assert (score["family_tests"], score["effect"], score["margin"]) == (2, "odds ratio", 0.05)
    assert score["same_answers_share"] == 1.0


def test_the_header_names_versions_runs_family_and_correction(forced):
    header = json.loads(comparison_json(forced))["header"]
    assert (header["by"], header["evalsuite"]) == ("device", __version__)
    assert [run["label"] for run in header["runs"]] == ["A", "B"]
    assert header["runs"][0]["versions"]["lm-eval"] == "0.4.13"
    assert header["correction"]["method"] == "Holm"
    assert header["correction"]["scores"] == {"tests": 2, "family": forced.pairs_family.told}
    assert header["correction"]["times"]["tests"] == len(forced.times)


def test_what_was_forced_stands_in_every_form(forced):
    (warning,) = forced.warnings
    assert "the task toy_topics_en is not the same" in warning
    assert {row["warning"] for row in csv.DictReader(io.StringIO(comparison_csv(forced)))} == {warning}
    assert json.loads(comparison_json(forced))["header"]["warnings"] == [warning]
    assert f"> **Warning.** {warning}." in comparison_markdown(forced)


def test_markdown_has_tables_whose_rows_have_the_columns_of_their_heads(forced):
    text = comparison_markdown(forced)
    tables = [line.replace("\\|", "") for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in tables if "ratio" not in line}) == 2
    assert "## Scores" in text
    assert "## Times" in text


def test_a_verdict_is_a_word_and_a_symbol(run):
    found = compare([run], Axis.LANGUAGE)
    words = {row.verdict: pair_cells(row)[-1] for row in found.pairs if row.verdict}
    assert words[Verdict.BEHIND].startswith("▼ behind")
    assert words[Verdict.INCONCLUSIVE].startswith("? inconclusive: about ")
    assert words[Verdict.INCONCLUSIVE].endswith("items would settle it")


def test_short_lines_hold_what_a_row_of_the_table_holds(forced):
    for row in forced.pairs:
        told = " ".join(pair_lines(row))
        assert all(cell in told for cell in pair_cells(row))
    for row in forced.times:
        told = " ".join(time_lines(row))
        assert all(cell in told for cell in time_cells(row))


def test_rows_that_are_alike_say_so(forced):
    assert pair_cells(forced.pairs[0])[-1].startswith("? inconclusive: the same on all 30 items; about ")


def test_what_could_not_be_compared_is_told_once_for_each_reason(run):
    found = compare([run], Axis.LANGUAGE)
    told = not_compared(found.pairs)
    assert any("the engine crashed" in line and "toy_facts (ja)" in line for line in told)
    assert sum(int(line.split()[0]) for line in told) == sum(row.verdict is None for row in found.pairs)


def test_the_explanation_names_the_family_and_the_margin(run):
    told = " ".join(explained(compare([run], Axis.LANGUAGE, margin=0.03)))
    assert "behind by 3 points or more" in told
    assert "Holm over the" in told
    assert "either way" in " ".join(explained(compare([run], Axis.MODEL)))
