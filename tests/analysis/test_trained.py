"""Scores of baselines: beside the models, and in no comparison. Golden values from statsmodels and the stored records."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from statsmodels.stats.proportion import proportion_confint

from evalsuite.analysis import Run, analyse, load_run, write_accuracy_table
from evalsuite.analysis.rows import TrainedBy
from evalsuite.analysis.trained import told, trained_scores
from evalsuite.records import CellStatus
from tests.synthetic import MODELS, build_run
from tests.synthetic_trained import BASELINES, add_baselines


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return load_run(build_run(tmp_path_factory.mktemp("plain") / "run"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same run, with two baselines on one of its groups."""
    return load_run(add_baselines(build_run(tmp_path_factory.mktemp("trained") / "run")))


def test_baselines_are_no_models(trained: Run, plain: Run) -> None:
    assert trained.models == plain.models == tuple(MODELS)
    assert trained.trained == tuple(BASELINES)
    assert trained.forms == plain.forms
    assert plain.trained == ()


def test_every_other_table_is_as_without_them(trained: Run, plain: Run) -> None:
    with_them, without = analyse(trained), analyse(plain)
    assert without.trained == ()
    for field in dataclasses.fields(with_them):
        if field.name not in ("trained", "failures"):
            assert getattr(with_them, field.name) == getattr(without, field.name), field.name
    assert [r for r in with_them.failures if r.model not in BASELINES] == list(without.failures)


def test_rows_are_those_of_the_records(trained: Run) -> None:
    rows = trained_scores(trained)
    assert [(r.language, r.model) for r in rows] == [(c, b) for c in trained.languages for b in BASELINES]
    for row in rows:
        assert row.trained is not None
        assert (row.form, row.metric, row.task) == ("native", "acc", f"toy_topics_{row.language}")
        if row.model == "tfidf-svm" and row.language == "ja":
            assert row.status is CellStatus.FAILED
            assert row.estimate.reason == "failed: the training data has 3 items of 1 classes"
            assert (row.trained.items, row.above_chance) == (None, None)
            continue
        frame = trained.items[(trained.items["model"] == row.model) & (trained.items["language"] == row.language)]
        right, n = int(frame["score"].sum()), len(frame)
        assert (row.estimate.value, row.estimate.n, row.planned) == (right / n, n, 60)
        low, high = proportion_confint(right, n, method="wilson")
        assert (row.estimate.low, row.estimate.high) == pytest.approx((low, high))
        assert row.above_chance is (low > 1 / 7)
        assert row.trained == TrainedBy((47, 48), 5)
        assert (row.alternatives, row.spread, row.reproduced) == ((), None, None)


def test_a_baseline_that_was_skipped_has_a_row_with_the_reason(tmp_path: Path) -> None:
    run = load_run(add_baselines(build_run(tmp_path / "run"), skipped="no data to train on"))
    reasons = {row.language: row.estimate.reason for row in trained_scores(run) if row.model == "majority"}
    assert reasons["eu"] == "skipped: no data to train on"
    assert reasons["en"] is None


def test_the_markdown_marks_their_columns(trained: Run, plain: Run) -> None:
    text = write_accuracy_table(trained)
    (head,) = (line for line in text.splitlines() if "majority" in line and line.startswith("| language"))
    assert head.split(" | ")[-2:] == [
        "majority, trained on the other folds, 47 to 48 items",
        "tfidf-svm, trained on the other folds, 47 to 48 items |",
    ]
    assert text.count("Columns marked “trained”") == 1
    assert "trained" not in write_accuracy_table(plain)


@pytest.mark.parametrize(
    ("by", "text"),
    [
        (TrainedBy(None, None), "trained"),
        (TrainedBy((701, 701), None), "trained on 701 items"),
        (TrainedBy((1, 1), None), "trained on 1 item"),
        (TrainedBy((95, 96), 5), "trained on the other folds, 95 to 96 items"),
    ],
)
def test_what_they_were_trained_on_is_told(by: TrainedBy, text: str) -> None:
    assert told(by) == text
