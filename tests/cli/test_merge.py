"""`evalsuite merge` as a user types it: parts measured apart give the whole run, and refusals say what to do."""

from __future__ import annotations

import json

import pytest

from evalsuite.store import RunFolder
from tests.helpers import evalsuite, fake_model, write_sweep


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two parts of a sweep, one for each language, and the whole sweep; all with the fake backend."""
    folder = tmp_path_factory.mktemp("runs")
    models = [fake_model(folder)]
    for name, languages in (("part-en", ["en"]), ("part-eu", ["eu"]), ("whole", ["en", "eu"])):
        sweep = write_sweep(folder, models=models, languages=languages, limit=12)
        done = evalsuite("run", sweep, "--out", folder / name, "--no-report")
        assert done.returncode == 0, done.stderr
    return folder


def records(path):
    folder = RunFolder(path)
    return {cell.id: folder.records(cell) for cell in folder.manifest.cells}


def test_help_shows_examples():
    done = evalsuite("merge", "--help")
    assert done.returncode == 0
    assert "evalsuite merge out/laptop out/kitchen-pi --out out/both" in done.stdout.partition("Examples:")[2]


def test_parts_that_were_measured_apart_are_the_whole_run(runs, tmp_path):
    out = tmp_path / "out"
    done = evalsuite("merge", runs / "part-en", runs / "part-eu", "-o", out)
    assert done.returncode == 0, done.stderr
    assert "2 runs joined; models: 1, languages: 2, cells: 4, profiles: 0" in done.stderr
    assert f"`evalsuite report {out}`" in done.stderr
    assert records(out) == records(runs / "whole")
    assert RunFolder(out).manifest.command == f"evalsuite merge {runs / 'part-en'} {runs / 'part-eu'} -o {out}"

    made = evalsuite("report", out)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "out.html").stat().st_size > 10_000

    # It goes on as any run does, here with nothing left to measure.
    again = evalsuite("run", runs / "sweep.yaml", "--out", out, "--no-report", "--json")
    told = json.loads(again.stdout)
    assert (told["done"], told["already_done"]) == (0, 4)


def test_what_was_joined_is_json_on_request(runs, tmp_path):
    done = evalsuite("merge", runs / "part-eu", runs / "whole", "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    device = RunFolder(runs / "whole").manifest.device
    assert told["runs"] == [
        {"run": str(runs / "part-eu"), "cells": 2, "profiles": 0},
        {"run": str(runs / "whole"), "cells": 2, "profiles": 0},
    ]
    assert (told["run"], told["models"], told["languages"]) == (str(tmp_path / "out"), ["fake"], ["eu", "en"])
    assert told["tasks"] == ["labels_eu", "lexicon_eu", "labels_en", "lexicon_en"]
    assert told["cells"] == {"done": 4}
    assert (told["profiles"], told["skipped"], told["notes"]) == (0, 0, [])
    assert (told["device"], told["devices"]) == (device.fingerprint, {device.fingerprint: device.cpu})


def test_a_refusal_says_why_and_what_to_do_with_exit_code_2(runs, tmp_path):
    sweep = write_sweep(tmp_path, models=[fake_model(tmp_path)], languages=["eu"], limit=7)
    assert evalsuite("run", sweep, "--out", tmp_path / "seven", "--no-report").returncode == 0
    done = evalsuite("merge", runs / "whole", tmp_path / "seven", "-o", tmp_path / "out")
    assert done.returncode == 2
    assert f"12 items in {runs / 'whole'}, 7 in {tmp_path / 'seven'}" in done.stderr
    assert "fix: measure one of them again" in done.stderr
    assert not (tmp_path / "out").exists()

    done = evalsuite("merge", runs / "whole", tmp_path, "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "is no run folder" in done.stderr

    done = evalsuite("merge", runs / "part-en", runs / "part-eu", "-o", runs)
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert "fix: give a new folder with --out" in done.stderr


def test_force_merges_what_another_engine_measured_and_notes_it(runs, tmp_path):
    part = tmp_path / "part"
    part.mkdir()
    for path in (runs / "part-eu").rglob("*"):
        target = part / path.relative_to(runs / "part-eu")
        target.mkdir() if path.is_dir() else target.write_bytes(path.read_bytes())
    data = json.loads((part / "manifest.json").read_text(encoding="utf-8"))
    data["versions"]["lm-eval"] = "0.0.1"
    (part / "manifest.json").write_text(json.dumps(data), encoding="utf-8")
    arguments = ("merge", runs / "part-en", part, "-o", tmp_path / "out")
    done = evalsuite(*arguments)
    assert done.returncode == 2
    assert "scores of fake were measured with different engines" in done.stderr
    assert "--force" in done.stderr
    done = evalsuite(*arguments, "--force")
    assert done.returncode == 0, done.stderr
    assert f"note: The scores of {part} were measured with lm-eval 0.0.1" in done.stderr
