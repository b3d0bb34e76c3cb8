"""Confusions and confidence: golden values from scikit-learn and scipy, out of the stored records."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from sklearn import metrics
from statsmodels.stats.proportion import proportion_confint

from evalsuite.analysis import Run, category_answers, load_run
from evalsuite.analysis.categories import CategoryRow
from evalsuite.analysis.category_cells import category_cells
from evalsuite.analysis.confidence import LEVELS
from evalsuite.analysis.confusion import confusion_of
from evalsuite.analysis.metrics import predictions
from evalsuite.records import Cell, Record
from evalsuite.stats.strata import stratified_weights
from evalsuite.store import RunFolder
from tests.synthetic_labels import Labels, build_labels, names_of

ALIKE = "all resamples are alike, so that a bootstrap has no width"


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Twelve categories in two languages."""
    return load_run(build_labels(tmp_path_factory.mktemp("runs") / "labels"))


def _records(run: Run, row: CategoryRow) -> list[Record]:
    cell = next(c for c in run.manifest.cells if (c.model, c.task, c.prompt_form) == (row.model, row.task, row.form))
    return RunFolder(run.path).records(cell)


def _one(path: Path, plan: Labels) -> CategoryRow:
    return category_answers(load_run(build_labels(path, replace(plan, codes=("en",)))))[0]


def test_confusions_are_those_of_scikit_learn(labelled: Run) -> None:
    rows = category_answers(labelled)
    assert len(rows) == 4
    for row in rows:
        made = _records(labelled, row)
        right, picked = [int(r.target) for r in made], [r.prediction for r in made]
        found = row.confusion
        assert found is not None
        assert np.array(found.matrix).tolist() == metrics.confusion_matrix(right, picked).tolist()
        precision, recall, f1, items = metrics.precision_recall_fscore_support(right, picked, zero_division=0)
        assert [c.precision.value or 0 for c in found.categories] == pytest.approx(list(precision))
        assert [c.recall.value for c in found.categories] == pytest.approx(list(recall))
        assert [c.f1 for c in found.categories] == pytest.approx(list(f1))
        assert [c.items for c in found.categories] == list(items)
        assert found.macro_f1.value == pytest.approx(f1.mean())
        assert found.balanced_accuracy.value == pytest.approx(metrics.balanced_accuracy_score(right, picked))
        assert [c.name for c in found.categories] == list(names_of(12, row.language))
        first = found.categories[0]
        golden = proportion_confint(first.hits, first.items, method="wilson")
        assert (first.recall.low, first.recall.high) == pytest.approx(golden)
        for e in (found.macro_f1, found.balanced_accuracy):
            assert e.value is not None
            assert e.low is not None
            assert e.high is not None
            assert e.low < e.value < e.high


def test_the_interval_of_balanced_accuracy_is_that_of_a_stratified_mean() -> None:
    rng = np.random.default_rng(1)
    right = np.repeat(np.arange(12), 10)
    picked = np.where(rng.random(120) < 0.6, right, (right + 1) % 12)
    found = confusion_of(names_of(12), right, picked, rng).balanced_accuracy
    hits = (right == picked).reshape(12, 10)
    error = np.sqrt((hits.var(axis=1, ddof=1) / 10).sum()) / 12
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.08)


def test_a_model_that_always_gives_one_answer(tmp_path: Path) -> None:
    row = _one(tmp_path / "run", Labels(values=lambda cell, index: [-9.0] * 3 + [-1.0] + [-9.0] * 8))
    found = row.confusion
    assert found is not None
    assert found.never_answered == tuple(name for i, name in enumerate(names_of(12)) if i != 3)
    silent, loud = found.categories[0], found.categories[3]
    assert (silent.precision.value, silent.precision.reason) == (None, "never answered")
    assert (silent.recall.value, silent.f1) == (0.0, 0.0)
    assert loud.precision.value == pytest.approx(1 / 12)
    assert (loud.precision.n, loud.recall.value) == (60, 1.0)
    assert found.macro_f1.value == pytest.approx((2 / 13) / 12)
    assert found.balanced_accuracy.value == pytest.approx(1 / 12)
    assert found.balanced_accuracy.reason == ALIKE
    assert [(m.taken_for, m.n) for m in found.mistakes(2)] == [(names_of(12)[3], 5)] * 2
    assert row.confidence is not None
    sure = 1 / (1 + 11 * math.exp(-8))
    # All answers are equally sure, so all bins are alike.
    assert row.confidence.calibration.estimate.value == pytest.approx(sure - 1 / 12)
    assert row.confidence.auroc.value == 0.5
    assert row.confidence.brier_uniform == pytest.approx(11 / 12)


def test_mistakes_are_ranked_by_how_often_they_are_made(tmp_path: Path) -> None:
    def values(cell: Cell, index: int) -> list[float]:
        # Of category 0 four items are taken for 2, of category 1 two for 0; the rest is right.
        picked = {0: 2, 1: 2, 2: 2, 3: 2, 5: 0, 6: 0}.get(index, index // 5)
        return [-1.0 if i == picked else -5.0 for i in range(4)]

    found = _one(tmp_path / "run", Labels(categories=4, values=values)).confusion
    assert found is not None
    names = names_of(4)
    assert [(m.right, m.taken_for, m.n) for m in found.mistakes()] == [
        (names[0], names[2], 4),
        (names[1], names[0], 2),
    ]
    assert found.matrix == ((1, 0, 4, 0), (2, 3, 0, 0), (0, 0, 5, 0), (0, 0, 0, 5))


def test_confidence_is_softmax_of_the_log_likelihoods(labelled: Run) -> None:
    for row in category_answers(labelled):
        made = _records(labelled, row)
        shares = softmax([r.logprobs for r in made], axis=1)
        sure, hit = shares.max(axis=1), np.array([r.score for r in made])
        found = row.confidence
        assert found is not None
        assert found.mean.value == pytest.approx(sure.mean())
        assert found.accuracy.value == pytest.approx(hit.mean())
        assert found.auroc.value == pytest.approx(metrics.roc_auc_score(hit, sure))
        right = [int(r.target) for r in made]
        brier = metrics.brier_score_loss(right, shares, labels=list(range(12)), scale_by_half=False)
        assert found.brier.value == pytest.approx(brier)
        assert [c.least for c in found.covered] == list(LEVELS)
        for one in found.covered:
            taken = sure >= one.least
            assert one.coverage.value == taken.mean()
            assert one.accuracy.value == (hit[taken].mean() if taken.any() else None)
            assert one.accuracy.reason == (None if taken.any() else "no answer is this sure")
            golden = proportion_confint(int(taken.sum()), len(hit), method="wilson")
            assert (one.coverage.low, one.coverage.high) == pytest.approx(golden)


@pytest.mark.parametrize("metric", ["acc", "acc_norm", "acc_bytes", "acc_mutual_info"])
def test_answers_are_those_that_the_primary_metric_takes(tmp_path: Path, metric: str) -> None:
    plan = Labels(
        changes={"primary_metric": metric},
        priors=lambda cell: [-5.0 - i % 3 for i in range(12)],
        codes=("ja",),
    )
    run = load_run(build_labels(tmp_path / "run", plan))
    for cell in category_cells(run):
        assert cell.reason is None
        stored = next(c for c in run.manifest.cells if (c.model, c.task) == (cell.model, cell.task.name))
        made = RunFolder(run.path).records(stored)
        golden = predictions([r.choices for r in made], [r.logprobs for r in made], [r.prior_logprobs for r in made])
        assert cell.picked.tolist() == golden[metric].tolist()
        first = np.array(made[0].logprobs)
        sizes = np.array([len(name) for name in made[0].choices])
        expected = {
            "acc": first, "acc_norm": first / sizes, "acc_bytes": first / sizes,
            "acc_mutual_info": first - np.array(made[0].prior_logprobs),
        }  # fmt: skip
        assert cell.values[0] == pytest.approx(expected[metric])


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        ("acc_mutual_info", "log-probabilities without context were not measured"),
        ("f1", "f1 is not made from the log-probabilities of choices alone"),
    ],
)
def test_what_cannot_be_had_says_why(tmp_path: Path, metric: str, reason: str) -> None:
    row = _one(tmp_path / "run", Labels(changes={"primary_metric": metric}))
    assert (row.confusion, row.confidence, row.reason) == (None, None, reason)


def test_items_without_log_probabilities_are_left_out(tmp_path: Path) -> None:
    def change(cell: Cell, made: Record) -> Record:
        lacking: dict[int, dict[str, object]] = {
            0: {"logprobs": ()},
            1: {"target": "[0, 1]"},
            2: {"logprobs": (math.nan,) * 12},
        }
        return made.model_copy(update=lacking.get(made.item_index, {}))

    found = _one(tmp_path / "some", Labels(change=change)).confusion
    assert found is not None
    assert (found.n, found.categories[0].items) == (57, 2)
    none = _one(tmp_path / "none", Labels(change=lambda cell, made: made.model_copy(update={"logprobs": ()})))
    assert none.reason == "no item has one right category and log-probabilities of all"
    unknown = _one(
        tmp_path / "nan", Labels(change=lambda cell, made: made.model_copy(update={"logprobs": (math.nan,) * 12}))
    )
    assert unknown.reason == "no item has log-probabilities that are numbers"


def test_letters_and_written_answers_are_no_categories(varied: Run, run: Run) -> None:
    assert category_answers(varied) == ()
    # The run's classification and its facts offer the same choices everywhere; what failed has no row.
    assert {row.group for row in category_answers(run)} == {"toy_topics", "toy_facts"}


def test_choices_that_differ_from_item_to_item_are_no_categories(tmp_path: Path) -> None:
    def change(cell: Cell, made: Record) -> Record:
        return made.model_copy(update={"choices": (*made.choices[:-1], f"other {made.item_index}")})

    assert category_answers(load_run(build_labels(tmp_path / "run", Labels(change=change)))) == ()


def test_the_same_run_gives_the_same_rows(labelled: Run) -> None:
    assert category_answers(load_run(labelled.path)) == category_answers(labelled)


def test_shared_samples_give_what_draws_of_its_own_would() -> None:
    rng = np.random.default_rng(5)
    right = np.repeat(np.arange(4), [12, 12, 9, 1])
    picked = np.where(rng.random(right.size) < 0.6, right, rng.integers(0, 4, right.size))
    samples = stratified_weights(right, np.random.default_rng(1), 40_000, collapse=False)
    shared = confusion_of(names_of(4), right, picked, rng, samples)
    alone = confusion_of(names_of(4), right, picked, np.random.default_rng(2))
    for mine, other in ((shared.macro_f1, alone.macro_f1), (shared.balanced_accuracy, alone.balanced_accuracy)):
        assert mine.value == other.value
        assert (mine.low, mine.high) == pytest.approx((other.low, other.high), abs=0.015)
    assert shared.matrix == alone.matrix
