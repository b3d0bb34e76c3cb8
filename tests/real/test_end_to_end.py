"""The main job on the real models, tried as a user would try it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

from evalsuite.records import CellStatus
from evalsuite.store import RunFolder
from tests.helpers import ROOT, evalsuite


def records(run):
    folder = RunFolder(run)
    return {cell.id: folder.records(cell) for cell in folder.manifest.cells}


def test_killed_and_resumed_a_real_run_ends_with_the_same_records_and_a_report(tmp_path):
    ask = ["run", "--model", "smollm2-135m-instruct", "--langs", "en,eu", "--tasks", "labels,lexicon", "--limit", "20"]
    whole = evalsuite(*ask, "--out", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    page = (tmp_path / "whole.html").read_text(encoding="utf-8")
    assert "Basque" in page and "SmolLM2" in page
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-m", "evalsuite", *ask, "--out", str(killed)], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        if list(killed.rglob("chunk-*.parquet")):
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.01)
    assert process.wait() == -signal.SIGKILL
    before = sum(len(r) for r in records(killed).values())
    assert 0 < before < 80
    again = evalsuite(*ask, "--out", killed)
    assert again.returncode == 0, again.stderr
    assert records(killed) == records(tmp_path / "whole")
    assert {r.status for r in RunFolder(killed).results()} == {CellStatus.DONE}


def test_sib200_falls_from_english_and_spanish_to_basque(tmp_path, mirror):
    done = evalsuite(
        "run", "--model", "gemma3-270m", "--langs", "en,es,eu", "--tasks", "sib200", "--data", mirror, "--offline",
        "--out", tmp_path / "sib", "--no-report",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = RunFolder(tmp_path / "sib")
    accuracy = {}
    for result in folder.results():
        scores = [record.score or 0.0 for record in folder.records(result.cell)]
        assert len(scores) == 204
        accuracy[result.cell.language] = sum(scores) / len(scores)
    assert accuracy["en"] > accuracy["eu"] + 0.05
    assert accuracy["es"] > accuracy["eu"] + 0.05
    assert accuracy["eu"] > 1 / 7


def test_every_kind_of_starter_task_is_scored_by_a_real_model(tmp_path):
    tasks = "answer,choice,extract,grammar_eu,reading,translate_to_es,labels_many"
    done = evalsuite(
        "run", "--model", "gemma3-270m", "--langs", "eu", "--tasks", tasks, "--limit", "3", "--out", tmp_path / "run"
    )
    assert done.returncode == 0, done.stderr
    found = records(tmp_path / "run")
    assert {name.split(".")[1] for name in found} == {
        *("answer_eu", "choice_eu", "extract_eu", "grammar_eu", "reading_eu", "translate_eu_es", "labels_many_eu")
    }
    for cell in found.values():
        assert len(cell) == 3
        assert all(record.score is not None for record in cell)


def test_own_messages_are_sorted_by_a_real_model(tmp_path):
    example = ROOT / "examples" / "messages"
    done = evalsuite(
        "classify-eval", example / "messages.csv", "--labels", example / "labels.yaml", "--model", "gemma3-270m",
        "--limit", "8", "--no-latency", "--out", tmp_path / "own", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {row["language"]: row["accuracy"]["n"] for row in told["results"]} == {"es": 8, "eu": 8, "ca": 8}
    assert {row["trained"] for row in told["trained"] if row["language"] == "es"} == {
        "trained on the other folds, 64 items"
    }
    page = (tmp_path / "own.html").read_text(encoding="utf-8")
    assert "messages.csv" in page
    assert "trained" in page
