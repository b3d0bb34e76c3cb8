"""Runs with the fake backend: resumed after a kill, and every failure is a stored result with a reason."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from evalsuite.records import CellStatus
from evalsuite.store import RunFolder
from tests.helpers import evalsuite, fake_model, write_sweep


def statuses(run):
    return {(r.cell.model, r.cell.task): r.status for r in RunFolder(run).results()}


def contents(run):
    """All records of a run, by cell; what time it took is not among them."""
    folder = RunFolder(run)
    return {cell.id: folder.records(cell) for cell in folder.manifest.cells}


def run_ok(sweep, out, *more):
    done = evalsuite("run", sweep, "--out", out, "--no-report", *more)
    assert done.returncode == 0, done.stderr
    return done


def test_a_run_stores_every_item_and_a_second_one_measures_nothing(tmp_path):
    sweep = write_sweep(tmp_path)
    run_ok(sweep, tmp_path / "run")
    assert set(statuses(tmp_path / "run").values()) == {CellStatus.DONE}
    records = contents(tmp_path / "run")
    assert {len(r) for r in records.values()} == {40}
    one = records[next(cell for cell in records if "lexicon_eu" in cell)][0]
    assert one.metrics.keys() == {"acc", "acc_norm", "acc_bytes", "acc_mutual_info"}
    assert one.score == one.metrics["acc_mutual_info"] == float(one.prediction == int(one.target))
    assert len(one.logprobs) == len(one.prior_logprobs) == len(one.choices) == 4
    again = run_ok(sweep, tmp_path / "run", "--json")
    told = json.loads(again.stdout)
    assert (told["done"], told["already_done"]) == (0, 4)
    assert contents(tmp_path / "run") == records


def test_killed_at_any_moment_it_goes_on_and_ends_with_the_same_records(tmp_path):
    sweep = write_sweep(tmp_path, models=[fake_model(tmp_path, delay_s=0.002)])
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run_ok(sweep, whole)
    command = [sys.executable, "-m", "evalsuite", "run", str(sweep), "--out", str(killed), "--no-report"]
    kills = 0
    for wanted in (1, 4, 7):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            stored = sum(len(RunFolder(killed).done_chunks(c)) for c in _cells(killed))
            if stored >= wanted:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.005)
        process.wait()
    assert kills == 3
    run_ok(sweep, killed)
    assert contents(killed) == contents(whole)
    assert set(statuses(killed).values()) == {CellStatus.DONE}


def _cells(run):
    return RunFolder(run).manifest.cells if RunFolder(run).exists else ()


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("crash", "the engine crashed (SIGSEGV)"),
        ("oom", "out of memory"),
        ("memory", "out of memory"),
        ("error", "RuntimeError: the fake backend was asked to fail"),
    ],
)
def test_a_model_that_fails_to_load_fails_with_the_reason_and_the_sweep_goes_on(tmp_path, how, told):
    models = [fake_model(tmp_path, "bad", fail=how), fake_model(tmp_path, "good")]
    sweep = write_sweep(tmp_path, models=models, tasks=["labels"], limit=5)
    done = evalsuite("run", sweep, "--out", tmp_path / "run", "--no-report")
    assert done.returncode == 1
    found = statuses(tmp_path / "run")
    assert {s for (model, _), s in found.items() if model == "good"} == {CellStatus.DONE}
    bad = [r for r in RunFolder(tmp_path / "run").results() if r.cell.model == "bad"]
    assert len(bad) == 2
    assert all(r.status is CellStatus.FAILED and told in (r.reason or "") for r in bad)
    assert told in done.stderr


@pytest.mark.parametrize(("how", "told"), [("crash", "SIGSEGV"), ("oom", "out of memory"), ("error", "RuntimeError")])
def test_a_failure_in_a_cell_costs_that_cell_and_keeps_what_was_measured(tmp_path, how, told):
    # The category's label is in the prompt of the Basque task only.
    models = [fake_model(tmp_path, fail=how, fail_on="Kategoria:")]
    sweep = write_sweep(tmp_path, models=models, languages=["en", "eu", "es"], tasks=["labels"], limit=20)
    assert evalsuite("run", sweep, "--out", tmp_path / "run", "--no-report").returncode == 1
    found = {r.cell.language: r for r in RunFolder(tmp_path / "run").results()}
    assert found["eu"].status is CellStatus.FAILED
    assert told in (found["eu"].reason or "")
    assert {found[code].status for code in ("en", "es")} == {CellStatus.DONE}
    assert {found[code].items for code in ("en", "es")} == {20}


def test_a_model_that_hangs_is_given_up(tmp_path):
    models = [fake_model(tmp_path, "stuck", fail="hang", fail_on="Kategoria:"), fake_model(tmp_path, "good")]
    sweep = write_sweep(tmp_path, models=models, tasks=["labels"], limit=5, limits={"chunk_timeout_s": 8})
    assert evalsuite("run", sweep, "--out", tmp_path / "run", "--no-report").returncode == 1
    found = {(r.cell.model, r.cell.language): r for r in RunFolder(tmp_path / "run").results()}
    assert "time-out: nothing came for 8 s" in (found["stuck", "eu"].reason or "")
    assert found["stuck", "en"].status is CellStatus.DONE
    assert found["good", "eu"].status is CellStatus.DONE


def test_a_failed_cell_is_tried_again_and_its_chunks_are_kept(tmp_path):
    sweep = write_sweep(tmp_path, tasks=["labels"], languages=["en"])
    run_ok(sweep, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    (cell,) = folder.manifest.cells
    expected = folder.records(cell)
    place = tmp_path / "run" / "cells" / cell.id
    result = json.loads((place / "cell.json").read_text(encoding="utf-8"))
    (place / "cell.json").write_text(json.dumps({**result, "status": "failed", "reason": "x"}), encoding="utf-8")
    (place / "records.parquet").unlink()
    run_ok(sweep, tmp_path / "run")
    assert folder.records(cell) == expected
    assert folder.result(cell).status is CellStatus.DONE


def test_another_version_of_a_model_is_not_mixed_in(tmp_path):
    sweep = write_sweep(tmp_path, tasks=["labels"], limit=5)
    run_ok(sweep, tmp_path / "run")
    (tmp_path / "fake.bin").write_bytes(b"other weights")
    done = evalsuite("run", sweep, "--out", tmp_path / "run", "--no-report")
    assert done.returncode == 2
    assert "another version of the model fake" in done.stderr


def test_another_device_is_not_mixed_in(tmp_path):
    sweep = write_sweep(tmp_path, tasks=["labels"], limit=5)
    run_ok(sweep, tmp_path / "run")
    path = tmp_path / "run" / "manifest.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    data["device"]["cpu"] = "Some other board"
    path.write_text(json.dumps(data), encoding="utf-8")
    done = evalsuite("run", sweep, "--out", tmp_path / "run", "--no-report")
    assert done.returncode == 2
    assert "another device (Some other board" in done.stderr


def test_two_runs_on_one_folder_are_refused(tmp_path):
    sweep = write_sweep(tmp_path, models=[fake_model(tmp_path, delay_s=0.05)])
    first = subprocess.Popen(
        [sys.executable, "-m", "evalsuite", "run", str(sweep), "--out", str(tmp_path / "run"), "--no-report"],
        stderr=subprocess.DEVNULL,
        # A shell's background job ignores interrupts, and so would everything that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # no threads are at work here
    )
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "run" / "manifest.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        second = evalsuite("run", sweep, "--out", tmp_path / "run", "--no-report")
    finally:
        first.send_signal(signal.SIGINT)
        code = first.wait(timeout=30)
    assert second.returncode == 2
    assert "in use by another evalsuite run" in second.stderr
    assert code == 130


def test_another_limit_in_the_same_folder_takes_the_place_of_the_first(tmp_path):
    run = tmp_path / "run"
    small, large = (write_sweep(tmp_path, tasks=["labels"], limit=n).rename(tmp_path / f"{n}.yaml") for n in (5, 20))
    run_ok(small, run)
    first = contents(run)
    run_ok(large, run)
    assert {len(r) for r in contents(run).values()} == {20}
    again = run_ok(small, run, "--json")
    assert json.loads(again.stdout)["already_done"] == 2
    assert contents(run) == first
    run_ok(write_sweep(tmp_path, tasks=["lexicon"], languages=["en"], limit=5), run)
    assert {task for _, task in statuses(run)} == {"labels_en", "labels_eu", "lexicon_en"}


def test_a_model_that_could_not_be_had_at_first_may_come_later(tmp_path):
    """No hash was stored for it, and nothing was measured with it: that is no other version."""
    models = tmp_path / "mine" / "models"
    models.mkdir(parents=True)
    late = tmp_path / "late.bin"
    text = f"title: Late\nlicence: MIT\nbackend: fake\nsource: {{file: {late}}}\n"
    (models / "late.yaml").write_text(text, encoding="utf-8")
    sweep = write_sweep(
        tmp_path, models=[fake_model(tmp_path), "late"], tasks=["labels"], limit=5, include=[str(tmp_path / "mine")]
    )
    run_ok(sweep, tmp_path / "run")
    assert {model for model, _ in statuses(tmp_path / "run")} == {"fake"}
    late.write_bytes(b"weights")
    run_ok(sweep, tmp_path / "run")
    assert {model for model, _ in statuses(tmp_path / "run")} == {"fake", "late"}
    late.unlink()
    run_ok(sweep, tmp_path / "run")
    assert {model for model, _ in statuses(tmp_path / "run")} == {"fake", "late"}


def test_another_version_of_the_engine_is_not_mixed_in(tmp_path):
    sweep = write_sweep(tmp_path, tasks=["labels"], limit=5)
    run_ok(sweep, tmp_path / "run")
    path = tmp_path / "run" / "manifest.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    data["versions"]["lm-eval"] = "0.0.1"
    path.write_text(json.dumps(data), encoding="utf-8")
    done = evalsuite("run", sweep, "--out", tmp_path / "run", "--no-report")
    assert done.returncode == 2
    assert "was measured with lm-eval 0.0.1" in done.stderr


def test_a_worker_that_is_cut_off_within_a_letter_is_a_death(tmp_path, monkeypatch):
    """A kill can fall into the middle of a UTF-8 character; the parent must say so at once, not wait."""
    from evalsuite.child import ChildProcess

    monkeypatch.setattr(sys, "executable", "/bin/sh")
    real = subprocess.Popen

    def popen(_command, **options):
        return real(["/bin/sh", "-c", r"cat >/dev/null; printf '{\"event\": \"\303'; kill -9 $$"], **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    worker = ChildProcess("evalsuite.worker", b"{}", tmp_path / "log")
    event = worker.next_event(30)
    worker.stop()
    assert event["event"] == "died"
    assert "SIGKILL" in event["reason"] or "out of memory" in event["reason"]
