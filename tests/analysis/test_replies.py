"""Written answers: their shares counted by hand, intervals from statsmodels."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from statsmodels.stats.proportion import proportion_confint

from evalsuite.analysis import load_run, written_answers
from evalsuite.analysis.replies import ReplyRow, answer_language
from evalsuite.errors import InputError
from tests.synthetic import build_run, task
from tests.synthetic_forms import Forms, build_forms

SPANISH = "La biblioteca municipal abre a las nueve de la mañana todos los días."
ENGLISH = "The public library opens at nine in the morning on every working day."


def _row(path: Path, texts: list[str]) -> ReplyRow:
    plan = Forms(
        items=len(texts), codes=("en", "es"), models={"m": "M"}, orders=1, wordings=("native",),
        write=lambda cell, index: texts[index],
    )  # fmt: skip
    rows = written_answers(load_run(build_forms(path / "run", plan)))
    assert [r.task for r in rows] == [f"toy_{g}_{c}" for g in ("answers", "translation") for c in ("en", "es")]
    return next(r for r in rows if r.task == "toy_answers_es")


def test_answers_are_counted_by_what_they_are(tmp_path: Path) -> None:
    row = _row(tmp_path, [SPANISH] * 5 + [ENGLISH] * 2 + ["", " .\n"] + ["que no " * 20] + ["sí"] * 2)
    assert (row.n, row.expected) == (12, "es")
    assert (row.empty.value, row.looping.value) == (2 / 12, 1 / 12)
    # Two are empty, two too short to be judged, and the loop is too poor in letters of one language.
    assert row.not_told.value == 5 / 12
    assert (row.wrong_language.value, row.wrong_language.n) == (2 / 7, 7)
    assert (row.empty.low, row.empty.high) == pytest.approx(proportion_confint(2, 12, method="wilson"))
    assert (row.wrong_language.low, row.wrong_language.high) == pytest.approx(proportion_confint(2, 7, method="wilson"))
    tokens = [len(t.split()) for t in [SPANISH] * 5 + [ENGLISH] * 2 + ["", " .\n"] + ["que no " * 20] + ["sí"] * 2]
    assert row.tokens.value == pytest.approx(sum(tokens) / 12)
    assert row.at_limit.value == sum(t >= 12 for t in tokens) / 12


def test_what_the_records_do_not_tell_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise InputError("language identification needs py3langid", fix="install it")

    monkeypatch.setattr("evalsuite.texts.identify.fidelity", refuse)
    monkeypatch.setattr("evalsuite.analysis.replies._limit", lambda arguments: None)
    row = _row(tmp_path, [SPANISH] * 3)
    assert row.wrong_language.reason == row.not_told.reason == "language identification needs py3langid"
    assert row.at_limit.reason == "the token limit is not in the records"
    assert row.empty.value == 0


def test_the_answer_may_be_in_another_language() -> None:
    assert answer_language(task("a", "es", "g")) == "es"
    assert answer_language(task("a", "es", "g", answer_language="en")) == "en"


def test_the_limit_is_read_where_it_is() -> None:
    from evalsuite.analysis.replies import _limit

    assert _limit('[["context", {"max_gen_toks": 64, "until": ["."]}]]') == 64
    for other in ('[["context", {}]]', "[]", "?", '[["context", " answer"]]'):
        assert _limit(other) is None


def test_a_run_of_choices_loads_no_identifier(tmp_path: Path) -> None:
    path = build_run(tmp_path / "run")
    code = (
        "import sys, pathlib\n"
        "from evalsuite.analysis import analyse, load_run\n"
        f"assert analyse(load_run(pathlib.Path({str(path)!r}))).replies == ()\n"
        "print(sorted({'py3langid', 'sacrebleu', 'evalsuite.texts.identify'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
