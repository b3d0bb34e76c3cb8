"""Agreement of models and of runs: shares counted by hand, kappa from scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.proportion import proportion_confint

from evalsuite.analysis import Run, load_run
from evalsuite.analysis.agreements import agreements, run_agreements
from evalsuite.records import Cell, Record
from tests.synthetic import Plan, build_run
from tests.synthetic_forms import Forms, build_forms
from tests.synthetic_labels import Labels, build_labels

# What is answered for each of twelve items; item i is of category i // 4.
_PICKS: dict[str, tuple[int, ...]] = {
    "a": (0, 0, 1, 2, 1, 1, 1, 0, 2, 2, 0, 0),
    "b": (0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 0, 1),
}
_RIGHT = [i // 4 for i in range(12)]


def _run(path: Path, picks: dict[str, tuple[int, ...]], **changes: object) -> Run:
    def values(cell: Cell, index: int) -> Sequence[float]:
        return [-1.0 if i == picks[cell.model][index] else -5.0 for i in range(3)]

    models = {name: name.upper() for name in picks}
    plan = Labels(categories=3, each=4, codes=("en",), models=models, values=values, changes=changes)
    return load_run(build_labels(path, plan))


def test_models_agree_by_place_and_share_mistakes(tmp_path: Path) -> None:
    (row,) = agreements(_run(tmp_path / "run", _PICKS))
    a, b = _PICKS["a"], _PICKS["b"]
    alike = sum(x == y for x, y in zip(a, b, strict=True))
    wrong = [(x, y) for x, y, r in zip(a, b, _RIGHT, strict=True) if r not in (x, y)]
    assert (row.model, row.other, row.n) == ("a", "b", 12)
    assert row.alike.value == alike / 12
    assert (row.alike.low, row.alike.high) == pytest.approx(proportion_confint(alike, 12, method="wilson"))
    assert row.kappa.value == pytest.approx(cohen_kappa_score(a, b))
    assert (row.kappa.low or 0) < (row.kappa.value or 0) < (row.kappa.high or 0)
    assert (row.both_wrong, row.same_wrong.value) == (len(wrong), sum(x == y for x, y in wrong) / len(wrong))


def test_two_runs_of_one_model_are_compared_cell_by_cell(tmp_path: Path) -> None:
    first = _run(tmp_path / "one", {"a": _PICKS["a"], "c": _PICKS["a"]})
    second = _run(tmp_path / "two", {"a": _PICKS["b"], "c": _PICKS["a"]})
    other, same = run_agreements(first, second)
    assert (other.model, other.other, same.model) == ("a", "a", "c")
    assert other.kappa.value == pytest.approx(cohen_kappa_score(_PICKS["a"], _PICKS["b"]))
    assert (same.alike.value, same.kappa.value) == (1.0, 1.0)


def test_items_whose_choices_stand_in_another_order_are_not_compared(tmp_path: Path) -> None:
    def turned(cell: Cell, record: Record) -> Record:
        return record.model_copy(update={"choices": record.choices[::-1]} if record.item_index < 5 else {})

    def values(cell: Cell, index: int) -> Sequence[float]:
        return [-1.0, -5.0, -5.0]

    plan = Labels(categories=3, each=4, codes=("en",), models={"a": "A"}, values=values)
    one = load_run(build_labels(tmp_path / "one", plan))
    two = load_run(build_labels(tmp_path / "two", replace(plan, change=turned)))
    assert [r.n for r in run_agreements(one, two)] == [7]


def test_what_one_run_lacks_has_a_reason(tmp_path: Path) -> None:
    first = _run(tmp_path / "one", _PICKS)
    fewer = _run(tmp_path / "two", {"a": _PICKS["a"]})
    unlike = _run(tmp_path / "three", _PICKS, sha256="0" * 64)
    rows = {r.model: r for r in run_agreements(first, fewer)}
    assert (rows["a"].n, rows["a"].reason) == (12, None)
    assert (rows["b"].n, rows["b"].reason) == (0, "second run: it has no model of this name")
    assert rows["b"].alike.reason == rows["b"].reason
    assert {r.reason for r in run_agreements(first, unlike)} == {"the task is not the same in both runs"}
    elsewhere = load_run(build_run(tmp_path / "four", Plan(items=4, codes=("en",), models={"a": "A"}, holes=False)))
    assert {r.reason for r in run_agreements(elsewhere, first)} == {"second run: it has no task of this name"}


def test_failed_cells_are_in_no_pair_of_models_and_have_a_reason_between_runs(run: Run) -> None:
    names = {r.task for r in agreements(run)}
    assert "toy_facts_ja" not in names
    assert "toy_topics_eu" in names
    # One model has 20 items of this task, and 20 are compared.
    assert next(r for r in agreements(run) if r.task == "toy_topics_gl").n == 20
    failed = [r for r in run_agreements(run, run) if r.task == "toy_facts_ja" and r.reason]
    assert [r.reason for r in failed] == ["first run: failed: the engine crashed: SIGSEGV"]


def test_written_answers_are_compared_to_the_letter(tmp_path: Path) -> None:
    def write(cell: Cell, index: int) -> str:
        return "The same." if index % 4 else f"{cell.model} says"

    plan = Forms(items=8, codes=("en",), models={"a": "A", "b": "B"}, orders=1, wordings=("native",), write=write)
    rows = {r.group: r for r in agreements(load_run(build_forms(tmp_path / "run", plan)))}
    assert (rows["toy_answers"].n, rows["toy_answers"].alike.value) == (8, 6 / 8)
    assert rows["toy_answers"].kappa.value is None
    assert "answers are written" in (rows["toy_answers"].kappa.reason or "")
    assert rows["toy_reading"].kappa.value is not None


def test_of_two_options_the_same_mistake_says_nothing(tmp_path: Path) -> None:
    def values(cell: Cell, index: int) -> Sequence[float]:
        return [-1.0, -5.0]

    plan = Labels(categories=2, each=4, codes=("en",), models={"a": "A", "b": "B"}, values=values)
    (row,) = agreements(load_run(build_labels(tmp_path / "run", plan)))
    assert (row.both_wrong, row.same_wrong.value) == (4, None)
    assert row.same_wrong.reason == "there is one wrong option to an item, which two wrong answers share"
    assert row.kappa.value is None
