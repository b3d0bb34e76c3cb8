"""`evalsuite gate` as a user types it: exit codes, files, refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from typer.testing import CliRunner

from evalsuite.cli.main import app
from evalsuite.gate import example_policy
from tests.helpers import evalsuite, fake_model, write_sweep
from tests.synthetic_gate import known_run, write_policy


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return known_run(tmp_path_factory.mktemp("run") / "run", codes=("en", "eu"))


def gate(*arguments):
    return CliRunner().invoke(app, ["gate", *map(str, arguments)], env={"COLUMNS": "200"})


def policy(folder, score="50 %", **fields):
    return write_policy(folder, {"languages": ["en", "eu"], "rules": {"minimum_score": score}, **fields})


@pytest.mark.parametrize(
    ("score", "code", "word"), [("40 %", 0, "GO"), ("70 %", 1, "NO-GO"), ("50 %", 3, "INCONCLUSIVE")]
)
def test_the_exit_code_says_what_follows(run, tmp_path, score, code, word):
    done = gate(run, "--policy", policy(tmp_path, score))
    assert done.exit_code == code, done.output
    assert done.stdout.splitlines()[0].endswith(word)


def test_files_hold_the_same_decision(run, tmp_path):
    files = {name: tmp_path / f"gate.{name}" for name in ("json", "xml", "md")}
    done = gate(
        run, "-p", policy(tmp_path, "70 %"), "--json", files["json"], "--junit", files["xml"], "--markdown", files["md"]
    )
    assert done.exit_code == 1
    assert json.loads(files["json"].read_text(encoding="utf-8"))["outcome"] == "NO-GO"
    root: Any = ET.parse(files["xml"]).getroot()
    assert int(root.get("failures")) > 0
    assert files["md"].read_text(encoding="utf-8").startswith("# Rollout: ✗ NO-GO")
    assert all(f"wrote {path}" in done.stderr for path in files.values())


def test_json_on_standard_output_is_nothing_but_json(run, tmp_path):
    done = gate(run, "--policy", policy(tmp_path), "--json", "-")
    assert json.loads(done.stdout)["exit_code"] == done.exit_code == 3


def test_ages_are_counted_to_the_day_that_is_given(run, tmp_path):
    rules = policy(tmp_path, "40 %", evidence={"oldest_days": 30})
    assert gate(run, "--policy", rules, "--as-of", "2026-04-20").exit_code == 0
    assert gate(run, "--policy", rules, "--as-of", "2026-06-20").exit_code == 3


def test_the_example_is_printed_as_it_ships():
    done = gate("--example")
    assert (done.exit_code, done.stdout) == (0, example_policy())


@pytest.mark.parametrize(("arguments", "told"), [
    ((), "no policy was given"),
    (("--policy", "POLICY"), "no run was given"),
    (("RUN", "--policy", "none.yaml"), "no such policy file"),
    (("none", "--policy", "POLICY"), "is no run folder"),
    (("RUN", "RUN", "--policy", "POLICY"), "was given twice"),
    (("RUN", "--policy", "POLICY", "--as-of", "yesterday"), "'yesterday' is no date"),
    (("RUN", "--policy", "POLICY", "--junit", "no/such/folder/gate.xml"), "cannot be written"),
])  # fmt: skip
def test_bad_input_is_refused_with_exit_code_2(run, tmp_path, arguments, told):
    names = {"RUN": str(run), "POLICY": str(policy(tmp_path))}
    done = gate(*(names.get(one, one) for one in arguments))
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())
    assert "fix:" in done.stderr


def test_a_malformed_policy_is_told_line_by_line(run, tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(
        "name: x\nuse_cases:\n  - name: a\n    tasks: [labels]\n    rules: {minimum_scor: 1}\n", encoding="utf-8"
    )
    done = gate(run, "--policy", path)
    assert done.exit_code == 2
    assert "policy.yaml:5: use_cases.0.rules.minimum_scor: unknown field; did you mean 'minimum_score'?" in done.stderr


def test_a_real_run_of_the_shipped_messages_is_held_against_the_example(tmp_path):
    """In a process of its own, from the sweep to the exit code; the fake backend answers."""
    sweep = write_sweep(tmp_path, models=[fake_model(tmp_path)], tasks=["labels"], languages=["en", "es"], limit=120)
    assert evalsuite("run", sweep, "--out", tmp_path / "run", "--no-report").returncode == 0
    rules = tmp_path / "policy.yaml"
    rules.write_text(example_policy(), encoding="utf-8")
    done = evalsuite("gate", tmp_path / "run", "--policy", rules, "--json", tmp_path / "gate.json")
    assert done.returncode in (1, 3), done.stderr
    assert "Traceback" not in done.stderr
    facts = json.loads((tmp_path / "gate.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in facts["use_cases"]] == ["Shop messages", "Clinic front desk", "Farm sensors"]
    english = facts["use_cases"][0]["languages"][0]["models"][0]["rules"]
    assert next(rule["n"] for rule in english if rule["rule"] == "minimum_score") == 40
    assert done.returncode == facts["exit_code"]
    assert "evalsuite profile fake --langs" in done.stdout


def test_a_reader_that_leaves_does_not_change_the_exit_code(run, tmp_path):
    program = f"import sys; from evalsuite.cli.main import main; sys.argv[1:] = {['gate', str(run), '-p', str(policy(tmp_path, '40 %'))]}; main()"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert done.returncode == 0, done.stderr


def test_a_mistake_in_the_program_is_no_no_go(run, tmp_path, monkeypatch):
    def broken(*_args, **_fields):
        raise RuntimeError("a mistake")

    monkeypatch.setattr("evalsuite.gate.hold", broken)
    assert gate(run, "--policy", policy(tmp_path)).exit_code == 70
