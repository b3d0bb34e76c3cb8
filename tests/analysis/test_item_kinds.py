"""Scores by kind of item: shares counted by hand, intervals from statsmodels and scipy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import bootstrap
from statsmodels.stats.proportion import proportion_confint

from evalsuite.analysis import load_run
from evalsuite.analysis.item_kinds import KindRow, item_kinds, scores_by_kind
from evalsuite.records import Cell, Record, TrainedOn
from tests.synthetic import Plan, build_run
from tests.synthetic_labels import Labels, build_labels

_PHENOMENA = ("agreement", "word order", "case")


def _rows(path: Path, docs: object, scores: object = None) -> list[KindRow]:
    def change(cell: Cell, record: Record) -> Record:
        made = record.model_copy(update={"doc": json.dumps(docs(record.item_index))})  # type: ignore[operator]
        return made if scores is None else made.model_copy(update={"score": scores(record.item_index)})  # type: ignore[operator]

    plan = Plan(items=30, codes=("en",), models={"m": "M"}, holes=False, record_hook=change)
    return [r for r in scores_by_kind(load_run(build_run(path / "run", plan))) if r.task == "toy_topics_en"]


def test_each_phenomenon_has_its_share_and_interval(tmp_path: Path) -> None:
    rows = _rows(tmp_path, lambda i: {"phenomenon": _PHENOMENA[i % 3]}, lambda i: float(i % 3 == 0 or i % 6 == 1))
    assert [(r.kind, r.estimate.value, r.estimate.n) for r in rows] == [
        ("agreement", 1.0, 10),
        ("word order", 0.5, 10),
        ("case", 0.0, 10),
    ]
    for row, right in zip(rows, (10, 5, 0), strict=True):
        low, high = proportion_confint(right, 10, method="wilson")
        assert (row.estimate.low, row.estimate.high) == pytest.approx((low, high), abs=1e-12)
    assert {r.column for r in rows} == {"phenomenon"}


def test_part_scores_have_the_mean_and_its_bootstrap(tmp_path: Path) -> None:
    rows = _rows(tmp_path, lambda i: {"kind": "ab"[i % 2]}, lambda i: (i * 7 % 10) / 10)
    values = np.array([(i * 7 % 10) / 10 for i in range(0, 30, 2)])
    expected = bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(1)).confidence_interval
    assert rows[0].estimate.value == pytest.approx(values.mean())
    assert rows[0].estimate.low == pytest.approx(expected.low, abs=0.02)
    assert rows[0].estimate.high == pytest.approx(expected.high, abs=0.02)


def test_a_column_that_tells_items_apart_is_no_kind(tmp_path: Path) -> None:
    assert _rows(tmp_path / "a", lambda i: {"kind": f"k{i}"}) == []
    assert _rows(tmp_path / "b", lambda i: {"kind": "same"}) == []
    assert _rows(tmp_path / "c", lambda i: ["no", "object"]) == []
    rows = _rows(tmp_path / "d", lambda i: {"phenomenon": f"p{i}", "category": i % 2, "kind": ["a", "b"]})
    assert [(r.column, r.kind) for r in rows] == [("category", "0"), ("category", "1")]


def test_the_class_that_a_task_names_comes_first(tmp_path: Path) -> None:
    def change(cell: Cell, record: Record) -> Record:
        doc = {"category": "x", "topic": "ab"[record.item_index % 2]}
        return record.model_copy(update={"doc": json.dumps(doc)})

    plan = Labels(
        categories=2, each=3, codes=("en",), models={"m": "M"}, change=change,
        changes={"trained_on": TrainedOn(text="text", label="topic", folds=2)},
    )  # fmt: skip
    run = load_run(build_labels(tmp_path / "run", plan))
    (task,), (cell,) = run.manifest.tasks.values(), run.manifest.cells
    kinds = item_kinds(run, task, cell)
    assert not isinstance(kinds, str)
    assert kinds.column == "topic"
    assert kinds.of == {"key0-0": "a", "key0-1": "b", "key0-2": "a", "key1-0": "b", "key1-1": "a", "key1-2": "b"}
