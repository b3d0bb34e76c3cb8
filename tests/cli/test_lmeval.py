"""`evalsuite lm-eval`: what it hands to lm-eval, and what comes of errors. Whole runs are in tests/real/."""

from __future__ import annotations

import sys

import pytest
from typer.testing import CliRunner

from evalsuite.cli.main import app
from tests.helpers import evalsuite


@pytest.fixture
def lm_eval_main(monkeypatch):
    """Put a function in the place of lm-eval's own command line."""

    def place(function):
        monkeypatch.setattr("lm_eval.__main__.cli_evaluate", function)

    return place


@pytest.mark.parametrize(
    "arguments",
    [
        ["--model", "evalsuite-fake", "--tasks", "labels_eu"],
        ["run", "--help"],
        ["run", "-M", "evalsuite-fake", "-t", "a", "b", "--", "--json"],
        ["ls", "tasks", "--include", "x"],
        ["--log_samples", "--help"],
        ["--version"],
    ],
)
def test_arguments_arrive_as_they_are(lm_eval_main, arguments):
    seen = []
    lm_eval_main(lambda: seen.append(list(sys.argv)))
    before = list(sys.argv)
    done = CliRunner().invoke(app, ["lm-eval", *arguments])
    assert done.exit_code == 0, done.output
    assert seen == [["lm-eval", *arguments]]
    assert sys.argv == before


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_is_ours_and_says_where_lm_evals_is(lm_eval_main, arguments):
    lm_eval_main(lambda: pytest.fail("lm-eval was started"))
    done = CliRunner().invoke(app, ["lm-eval", *arguments])
    assert done.exit_code == 0
    assert "evalsuite-llamacpp" in done.output
    assert "evalsuite lm-eval run --help" in done.output.partition("Examples:")[2]


def test_our_models_are_registered_before_lm_eval_starts(lm_eval_main, tmp_path):
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"weights")
    made = []

    def main():
        from lm_eval.api.registry import get_model

        made.append(get_model("evalsuite-fake").create_from_arg_obj({"path": str(weights)}, {"batch_size": 1}))

    lm_eval_main(main)
    assert CliRunner().invoke(app, ["lm-eval", "ls", "tasks"]).exit_code == 0
    assert made[0].tokenizer_name == "bytes"


def test_our_errors_are_told_without_a_traceback(lm_eval_main, capfd):
    def main():
        from lm_eval.api.registry import get_model

        get_model("evalsuite-llamacpp").create_from_arg_obj({"path": "no/such.gguf"}, {"batch_size": 1})

    lm_eval_main(main)
    done = CliRunner().invoke(app, ["lm-eval", "--model", "evalsuite-llamacpp"])
    assert done.exit_code == 2
    assert isinstance(done.exception, SystemExit)
    assert "'no/such.gguf' does not exist" in done.stderr
    assert "fix:" in done.stderr


def test_an_interrupt(lm_eval_main):
    def main():
        raise KeyboardInterrupt

    lm_eval_main(main)
    done = CliRunner().invoke(app, ["lm-eval", "--tasks", "labels_eu"])
    assert done.exit_code == 130
    assert "what was measured is stored" not in done.stderr


def test_what_lm_eval_itself_refuses_keeps_its_exit_code():
    done = evalsuite("lm-eval", "run", "--no-such-option")
    assert done.returncode == 2
    assert "unrecognized arguments: --no-such-option" in done.stderr
    assert "Traceback" not in done.stderr
