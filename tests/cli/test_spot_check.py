"""`evalsuite spot-check`: exit codes, what it prints, and what it leaves in the run folder."""

from __future__ import annotations

import json
import shutil

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from evalsuite.cli.main import app
from evalsuite.store import RunFolder
from tests.helpers import evalsuite, fake_model, write_sweep


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A run of two fake models, measured on another device."""
    folder = tmp_path_factory.mktemp("measured")
    models = [fake_model(folder, "one"), fake_model(folder, "two")]
    done = evalsuite(
        "run", write_sweep(folder, models=models, tasks=["labels"]), "--out", folder / "run", "--no-report"
    )
    assert done.returncode == 0, done.stderr
    manifest(folder / "run", lambda data: data["device"].update(cpu="A big server"))
    return folder / "run"


@pytest.fixture
def run(measured, tmp_path):
    shutil.copytree(measured, tmp_path / "run")
    return tmp_path / "run"


def manifest(run, change):
    """Change the manifest of a run."""
    path = run / "manifest.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def check(*arguments):
    return CliRunner().invoke(app, ["spot-check", *map(str, arguments)])


def refused(*arguments):
    done = check(*arguments)
    assert done.exit_code == 2, (done.exit_code, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def alter(run, task, items, change):
    """Change stored records of a task of every model, of the items that a check of 20 draws."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from evalsuite.spotcheck import draw

    folder = RunFolder(run)
    altered = {}
    for cell in folder.manifest.cells:
        if cell.task != task:
            continue
        (drawn,) = draw(folder, [cell], 20, folder.manifest.sweep.seed)
        path = run / "cells" / cell.id / "records.parquet"
        table = pq.read_table(path)
        rows = table.to_pylist()
        hit = [row for row in rows if row["item_index"] in drawn.item_indices[:items]]
        for row in hit:
            change(row)
        altered[cell.model] = [row["item_id"] for row in hit]
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    return altered


def test_it_has_help_with_examples():
    done = check("--help")
    assert "evalsuite spot-check" in done.stdout.partition("Examples:")[2]


def test_all_is_well_where_the_same_is_scored_again_on_another_device(run):
    """In a process of its own, as a user would."""
    done = evalsuite("spot-check", run)
    assert done.returncode == 0, done.stderr
    assert "80 of 80 items that were scored again got the same answer" in done.stderr
    assert "[4/4] two × labels_eu" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stdout.count("100.0%") >= 6
    (stored,) = (run / "spotchecks").glob("*.json")
    told = json.loads(stored.read_text(encoding="utf-8"))
    assert told["device"]["cpu"] != "A big server" == RunFolder(run).manifest.device.cpu
    assert (told["items"], told["seed"]) == (20, 20260401)
    assert "Do the scores hold on the device?" in run.with_suffix(".html").read_text(encoding="utf-8")


def test_it_tells_scripts_what_it_found(run):
    done = check(run, "--items", 5, "--seed", 3, "--model", "two", "--tasks", "labels_eu", "--json", "--no-report")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["well"], told["items"], told["seed"], told["report"], told["told"]) == (True, 5, 3, None, [])
    (cell,) = told["cells"]
    assert (cell["model"], cell["task"], cell["language"], cell["n"], cell["drawn"]) == ("two", "labels_eu", "eu", 5, 5)
    (model,) = told["models"]
    assert model["agreement"]["value"] == 1.0
    assert model["largest_difference_nats"] == 0.0
    assert (told["same_device"], model["flipped"], cell["other_answer"]) == (False, [], [])
    assert not run.with_suffix(".html").exists()


def test_altered_answers_are_found_and_named(run):
    def other(row):
        row["prediction"] = (row["prediction"] + 1) % len(row["choices"])

    items = alter(run, "labels_eu", 8, other)["one"]
    done = check(run, "--tasks", "labels", "--json")
    assert done.exit_code == 1, done.stderr
    told = json.loads(done.stdout)
    for model in told["models"]:
        assert model["agreement"]["value"] == 32 / 40
        assert model["low"]
    rows = {(row["model"], row["task"]): row for row in told["cells"]}
    assert sorted(item["id"] for item in rows["one", "labels_eu"]["other_answer"]) == sorted(items)
    assert rows["one", "labels_en"]["other_answer"] == []
    clear = [item for item in rows["one", "labels_eu"]["other_answer"] if item["margin_nats"] > 0.5]
    assert sorted(i["id"] for i in told["models"][0]["flipped"]) == sorted(i["id"] for i in clear)
    assert clear
    low = next(line for line in told["told"] if "only 80.0% of the answers" in line)
    assert sum(f"labels_eu: {item}" in low for item in items) == 5
    assert "memory errors" in told["told"][-1]


def test_moved_log_likelihoods_alone_are_no_warning(run):
    def move(row):
        row["logprobs"] = [x - 0.25 for x in row["logprobs"]]

    alter(run, "labels_en", 8, move)
    done = check(run, "--json", "--no-report")
    assert done.exit_code == 0, done.stderr
    assert [m["largest_difference_nats"] for m in json.loads(done.stdout)["models"]] == pytest.approx([0.25, 0.25])


def test_what_cannot_be_scored_is_told_and_the_rest_is_checked(run):
    for path in (run / "cells").glob("one.*/cell.json"):
        data = json.loads(path.read_text(encoding="utf-8"))
        data["cell"]["options"] = {"fail": "crash", "fail_on": "Kategoria:"}
        path.write_text(json.dumps(data), encoding="utf-8")
    done = check(run, "--items", 5)
    assert done.exit_code == 1
    assert "one.bin, labels_eu: the engine crashed (SIGSEGV). What to do: see logs/ in the run folder." in done.stderr
    assert "15 of 15 items that were scored again got the same answer" in done.stderr
    assert "a part of the spot check could not be made" in done.stderr


def test_another_model_file_is_refused(run, tmp_path):
    other = tmp_path / "other.bin"
    other.write_bytes(b"other weights")
    told = refused(run, "--model", f"one={other}")
    expected = RunFolder(run).manifest.models["one"].sha256
    assert str(expected) in told
    assert "has sha256" in told
    assert "fix: name the file of the run with --model one=PATH" in told
    assert not (run / "spotchecks").exists()


def test_a_copy_of_the_model_file_is_taken(run, tmp_path):
    copy = tmp_path / "copy,of one.bin"
    copy.write_bytes(b"one")
    manifest(run, lambda data: data["models"]["one"]["source"].update(path="/nowhere/one.bin"))
    assert "one: its file /nowhere/one.bin is not on this device" in refused(run)
    done = check(run, "--model", f"one={copy}", "--items", 3, "--no-report")
    assert done.exit_code == 0, done.stderr


def test_other_task_files_are_refused(run):
    manifest(run, lambda data: data["tasks"]["labels_eu"].update(sha256="0" * 64))
    told = refused(run)
    assert "labels_eu has sha256" in told
    assert "0" * 64 in told
    assert "labels_en" not in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--model", "oen"), "the run has no model 'oen' fix: one of one, two"),
        (("--tasks", "lables"), "unknown task 'lables'"),
        (("--model", "one=no/such.bin"), "no/such.bin is not on this device"),
        (("--data", "no-such-folder"), "is no folder"),
        (("--include", "no-such-folder"), "does not exist"),
    ],
)
def test_bad_input_is_refused(run, arguments, told):
    assert told in refused(run, *arguments)


def test_a_folder_that_is_no_run_is_refused_and_not_made(tmp_path):
    assert "is no run folder" in refused(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_folder_in_use_is_refused(run):
    with FileLock(run / "lock"):
        assert "in use by another evalsuite run" in refused(run)


def test_an_interrupted_check_stores_nothing_and_can_be_repeated(run, monkeypatch):
    from evalsuite import spotcheck

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(spotcheck, "score_again", interrupted)
        done = check(run, "--items", 3)
    assert done.exit_code == 130
    assert "nothing was stored" in done.stderr
    assert not (run / "spotchecks").exists()
    assert check(run, "--items", 3, "--model", "one,two", "--no-report").exit_code == 0


def test_a_check_of_fewer_cells_in_another_way_says_that_the_others_are_gone(run):
    assert check(run, "--items", 3, "--no-report").exit_code == 0
    done = check(run, "--items", 4, "--model", "one", "--no-report")
    assert done.exit_code == 0
    assert "an earlier check of 2 other cells on this device is gone" in " ".join(done.stderr.split())
