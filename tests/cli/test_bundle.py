"""`evalsuite bundle`, and `evalsuite run` with a pack in place of a sweep file, as a user gives them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from evalsuite.store import RunFolder
from tests.catalog.test_data_hub import REVISION, hub
from tests.helpers import ROOT, evalsuite, fake_model, write_sweep
from tests.hub import environment

__all__ = ["hub"]


def ok(*arguments, **options):
    done = evalsuite(*arguments, **options)
    assert done.returncode == 0, done.stderr
    return done


def refused(*arguments, **options):
    done = evalsuite(*arguments, **options)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    assert "fix:" in done.stderr
    return done.stderr


def scores(run):
    folder = RunFolder(run)
    return {cell.id: [r.score for r in folder.records(cell)] for cell in folder.manifest.cells}


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A pack of two tasks in two languages, what was said of it, and the run of the same sweep at the desk."""
    desk = tmp_path_factory.mktemp("desk")
    sweep = write_sweep(desk, limit=5)
    ok("run", sweep, "--out", desk / "run", "--no-report")
    said = ok("bundle", sweep, "-o", desk / "pack", "--json")
    return desk / "pack", json.loads(said.stdout), scores(desk / "run")


@pytest.fixture
def pack(packed, tmp_path):
    """The pack on another device: elsewhere, and with a cache of its own."""
    return shutil.copytree(packed[0], tmp_path / "device" / "pack")


def test_help_has_examples():
    text = ok("bundle", "--help").stdout
    assert "evalsuite bundle sweeps/quickstart.yaml" in text.partition("Examples:")[2]


def test_json_says_what_is_in_it(packed):
    folder, told, _ = packed
    lock = json.loads((folder / "pack.lock.json").read_text(encoding="utf-8"))
    assert told["pack"] == str(folder)
    assert (told["cells"], told["files"]) == (4, len(lock["files"]))
    assert told["bytes"] == sum(entry["bytes"] for entry in lock["files"].values())
    assert [model["name"] for model in told["models"]] == ["fake"]
    assert told["left_out"] == []


def test_a_pack_runs_elsewhere_and_gives_what_the_desk_gives(pack, packed, tmp_path):
    done = ok("run", f"{pack}/", cwd=tmp_path, EVALSUITE_CACHE=str(tmp_path / "cache"))
    assert "4 cells measured" in done.stderr
    assert scores(tmp_path / "out" / "small") == packed[2]
    assert (tmp_path / "out" / "small.html").is_file()
    # What Python left beside the helpers does not make the pack another one, and the same command goes on.
    assert "0 cells measured, 4 were done before" in ok("run", "device/pack", "--no-report", cwd=tmp_path).stderr


def test_a_pack_can_be_planned_and_run_in_part(pack, tmp_path):
    cells = json.loads(ok("plan", pack, "--langs", "eu", "--json", cwd=tmp_path).stdout)["cells"]
    assert [(cell["task"], cell["items"]) for cell in cells] == [("labels_eu", 5), ("lexicon_eu", 5)]


def test_a_changed_file_stops_the_run(pack, tmp_path):
    (pack / "weights" / "fake" / "fake.bin").write_bytes(b"FAKE")
    said = refused("run", pack, cwd=tmp_path)
    assert f"{pack / 'weights' / 'fake' / 'fake.bin'} has changed" in said
    assert not (tmp_path / "out").exists()


def test_another_version_than_at_the_desk_is_told(pack, tmp_path):
    path = pack / "pack.lock.json"
    lock = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**lock, "versions": {**lock["versions"], "lm-eval": "0.0.1"}}), encoding="utf-8")
    assert "0.0.1 where the pack was made" in ok("plan", pack, cwd=tmp_path).stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "PACK", "--data", "."), "--data cannot be given with a pack"),
        (("run", "PACK", "--include", "."), "--include cannot be given with a pack"),
        (("run", "."), "no pack: it has no pack.lock.json"),
        (("plan", "PACK", "--langs", "Basqe"), "unknown language 'Basqe'"),
        (("bundle", "PACK", "-o", "other"), "is a folder"),
        (("bundle", "no-such.yaml", "-o", "other"), "no such sweep file"),
        (("bundle", "-o", "other"), "nothing to run"),
        (("bundle", "--model", "gemma3-270m", "--offline", "-o", "other"), "evalsuite models fetch gemma3-270m"),
        (("bundle", "PACK/sweep.yaml", "-o", "PACK"), "lies in the folder that the pack is to be written to"),
        (("bundle", "PACK/sweep.yaml", "-o", "."), "is no pack, and not empty (device)"),
    ],
)
def test_bad_input(pack, tmp_path, arguments, told):
    given = [argument.replace("PACK", str(pack)) for argument in arguments]
    assert told in refused(*given, cwd=tmp_path, EVALSUITE_CACHE=str(tmp_path / "device" / "cache"))
    assert not (tmp_path / "other").exists()
    assert not (tmp_path / "out").exists()


def test_without_a_name_the_pack_has_that_of_the_sweep(tmp_path):
    done = ok("bundle", write_sweep(tmp_path, tasks=["labels"], languages=["en"]), cwd=tmp_path)
    assert (tmp_path / "packs" / "small" / "pack.lock.json").is_file()
    assert "cells to measure: 1" in done.stderr
    assert done.stdout == ""


def hub_environment(folder: Path, server):
    return environment(folder, server.endpoint)


def test_data_of_the_hub_is_packed_and_its_results_are_those_of_the_desk(tmp_path, hub):
    sweep = write_sweep(tmp_path, tasks=["sib200", "labels"], languages=["eu"], limit=3)
    desk = hub_environment(tmp_path / "desk", hub)
    ok("run", sweep, "--out", tmp_path / "desk-run", "--no-report", **desk)
    ok("bundle", sweep, "-o", tmp_path / "pack", **desk)
    assert (tmp_path / "pack" / "data" / "Davlan" / "sib200" / "eus_Latn" / "test.parquet").is_file()
    hub.asked.clear()
    # The device has a network here, and does not ask it.
    device = hub_environment(tmp_path / "device", hub)
    ok("run", tmp_path / "pack", "--out", tmp_path / "run", "--no-report", **device)
    assert hub.asked == []
    assert len(scores(tmp_path / "run")) == 2
    assert scores(tmp_path / "run") == scores(tmp_path / "desk-run")
    data = RunFolder(tmp_path / "run").manifest.tasks["sib200_eu"].data
    assert (data.found, data.revision) == ("hub", REVISION)
    # Offline, the hub's cache will do, and only with the revision that is asked for.
    ok("bundle", sweep, "-o", tmp_path / "again", "--offline", **desk)
    assert hub.asked == []
    locks = [json.loads((tmp_path / name / "pack.lock.json").read_text(encoding="utf-8")) for name in ("pack", "again")]
    assert locks[0]["data"] == locks[1]["data"]
    for name in ("sib200", "_shared"):
        shutil.copytree(ROOT / "tasks" / name, tmp_path / "mine" / "tasks" / name)
    task = tmp_path / "mine" / "tasks" / "sib200" / "sib200_eu.yaml"
    task.write_text(task.read_text(encoding="utf-8").replace(str(REVISION), "d" * 40), encoding="utf-8")
    done = ok("bundle", sweep, "--include", tmp_path / "mine", "-o", tmp_path / "other", "--offline", **desk)
    assert (
        f"left out: sib200_eu (eu): Davlan/sib200 is in the hub's cache, but not as revision {'d' * 40}" in done.stderr
    )


def test_models_named_on_the_command_line_are_packed(tmp_path):
    fake_model(tmp_path)
    (tmp_path / "mine" / "models").mkdir(parents=True)
    (tmp_path / "mine" / "models" / "m.yaml").write_text(
        "title: M\nlicence: MIT\nbackend: fake\nsource: {file: ../../fake.bin}\n", encoding="utf-8"
    )
    asked = ["--model", "m", "--include", "mine", "--langs", "eu", "--tasks", "labels", "--limit", "2"]
    ok("bundle", *asked, "-o", "pack", cwd=tmp_path)
    shutil.rmtree(tmp_path / "mine")
    (tmp_path / "fake.bin").unlink()
    ok("run", "pack", "--no-report", cwd=tmp_path)
    assert [len(found) for found in scores(tmp_path / "out" / "m").values()] == [2]
