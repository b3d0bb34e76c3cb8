"""`evalsuite compare` and `evalsuite power` as a user types them: forms, widths, exit codes and what is refused."""

from __future__ import annotations

import csv
import io
import json

import pytest
from typer.testing import CliRunner, Result

from evalsuite.cli.main import app
from tests.helpers import evalsuite
from tests.synthetic import Plan, build_run


def here(*arguments, **environment: str) -> Result:
    """Give the command line some arguments, in this process."""
    return CliRunner().invoke(app, list(map(str, arguments)), env=environment)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return build_run(folder / "run", Plan(codes=("en", "es", "eu"), holes=False))


def test_a_wide_terminal_gets_a_table_and_a_narrow_one_short_lines(run):
    wide = evalsuite("compare", run, "--by", "language", COLUMNS="180")
    assert wide.returncode == 0, wide.stderr
    assert "difference (95 % interval)" in wide.stdout
    narrow = here("compare", run, "--by", "language", COLUMNS="60")
    assert narrow.exit_code == 0, narrow.stderr
    assert "eu against en" in narrow.stdout
    assert max(map(len, narrow.stdout.splitlines())) <= 60
    for done in (wide, narrow):
        assert "behind" in done.stdout
        assert "Holm over the" in " ".join(done.stdout.split())


def test_csv_goes_to_standard_output_alone_and_to_a_file_by_its_suffix(run, tmp_path):
    done = here("compare", run, "--by", "model", "--format", "csv", "--tasks", "toy_topics")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["task"] for row in rows] == ["toy_topics_en", "toy_topics_es", "toy_topics_eu"]
    out = tmp_path / "new" / "models.csv"
    written = here("compare", run, "--by", "model", "--tasks", "toy_topics", "--out", out)
    assert written.exit_code == 0, written.stderr
    assert written.stdout == ""
    assert out.read_text(encoding="utf-8") == done.stdout
    data = here("compare", run, "--by", "model", "--tasks", "toy_topics", "-f", "json")
    assert len(json.loads(data.stdout)["rows"]) == 3


def test_help_has_examples():
    for verb in ("compare", "power"):
        done = here(verb, "--help")
        assert f"evalsuite {verb} out/quickstart" in done.stdout.partition("Examples:")[2]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("compare", "{run}", "--by", "colour"), "language"),
        (("compare", "{run}", "{run}", "{run}", "--by", "model"), "3 runs were given"),
        (("compare", "no-such-run", "--by", "model"), "no run folder"),
        (("compare", "{run}", "--by", "model", "--models", "gema3"), "gemma3-270m"),
        (("compare", "{run}", "--by", "language", "--margin", "much"), "'much' is no number"),
        (("compare", "{run}", "--by", "language", "--margin", "1"), "1% or 100%"),
        (("compare", "{run}", "--by", "language", "--margin", "-3"), "not above 0%"),
        (("compare", "{run}", "--by", "language", "--margin", "100%"), "below 100%"),
        (("compare", "{run}", "--by", "language", "--out", "table.txt"), "--format csv"),
        (("compare", "{run}", "--by", "prompt"), "nothing to compare by prompt"),
        (("power",), "neither a run nor a number of items"),
        (("power", "{run}", "--items", "20"), "--items: a run tells that itself"),
        (("power", "--items", "20", "--by", "model"), "--by: there is no run"),
        (("power", "--items", "200", "--score", "95", "--differing", "25"), "at most 10%"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_bad_input_has_a_message_and_exit_code_2(run, tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    done = here(*(one.format(run=run) for one in arguments))
    assert done.exit_code == 2, (done.stdout, done.stderr)
    assert isinstance(done.exception, SystemExit)
    assert told in " ".join(done.stderr.split())


def test_a_planned_run_is_told_in_words_and_as_json():
    arguments = ("--items", "200", "--score", "0.6", "--differing", "25%", "--margin", "5", "--comparisons", "42")
    done = here("power", *arguments)
    assert done.exit_code == 0, done.stderr
    assert "200 items at a score of 60 %" in done.stdout
    assert "one of 42 that are corrected together" in done.stdout
    data = json.loads(here("power", *arguments, "--format", "json").stdout)
    assert (data["items"], data["score"], data["differing"], data["margin"]) == (200, 0.6, 0.25, 0.05)
    assert data["alpha"] == pytest.approx(0.05 / 42)


def test_the_power_of_a_run(run):
    done = here("power", run, "--tasks", "toy_topics", "--margin", "10", COLUMNS="70")
    assert done.exit_code == 0, done.stderr
    assert "margin 10.0:" in done.stdout
    assert "differing: items that only one side got right" in done.stdout


def test_hostile_names_are_shown_as_they_are(tmp_path):
    path = build_run(tmp_path / "run", Plan(codes=("en", "eu"), holes=False, models={"a": "A", "b": "B"}))
    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    manifest["notes"] = ["[red]x[/] [/nothing] | <b>"]
    (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    done = here("compare", path, "--by", "model", COLUMNS="200")
    assert done.exit_code == 0, done.stderr
    assert "[red]x[/] [/nothing] | <b>" in done.stdout
