"""Baselines against scikit-learn put together by another route: counts weighted by `TfidfTransformer`, `DummyClassifier`."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.svm import LinearSVC

from evalsuite.backends.trained import BASELINES, Example, Trainer, baseline_model, deal
from evalsuite.catalog.data import DataFinder
from evalsuite.errors import BackendError, InputError
from evalsuite.harness import build_task
from evalsuite.records import PromptForm
from evalsuite.trained_task import TrainedTask
from tests.tasks.building import MIRROR, catalog, needs

SEED = 20260401
LANGUAGES = ("en", "es", "pt", "ca", "gl", "eu", "ja")


def pipeline() -> Pipeline:
    """The classifier that `tfidf-svm` stands for, from parts that our code does not use."""
    parts = [
        (kind, Pipeline([("count", counter), ("weigh", TfidfTransformer(sublinear_tf=True))]))
        for kind, counter in (
            ("words", CountVectorizer(ngram_range=(1, 2))),
            ("characters", CountVectorizer(analyzer="char_wb", ngram_range=(1, 5))),
        )
    ]
    return Pipeline([("features", FeatureUnion(parts)), ("svm", LinearSVC(C=1.0, random_state=SEED))])


def task_and_records(name, baseline, mirror=None):
    finder = DataFinder(mirror, offline=True)
    built = build_task(catalog()[name], finder, PromptForm.NATIVE)
    return finder, built, TrainedTask(built, finder).score(Trainer(baseline, SEED), range(len(built)))


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize(("group", "folds"), [("labels", 5), ("labels_many", 4)])
def test_shipped_labels_are_classified_as_cross_val_predict_does(group, folds, code):
    name = f"{group}_{code}"
    finder, built, records = task_and_records(name, "tfidf-svm")
    rows = finder.load(built.task)["test"]
    dealt = StratifiedKFold(folds, shuffle=True, random_state=SEED)
    expected = cross_val_predict(pipeline(), rows["text"], rows["category"], cv=dealt)
    names = [rows[i]["choices"][rows[i]["gold"]] for i in range(len(rows))]
    known = dict(zip(rows["category"], names, strict=True))
    assert [r.choices[r.prediction] for r in records] == [known[label] for label in expected]
    assert sum(r.score for r in records) == sum(np.array(expected) == np.array(rows["category"]))
    trained_on = {"labels": 96, "labels_many": 144}[group]
    assert {r.metrics["trained_on"] for r in records} == {trained_on}
    assert all(r.metrics["acc"] == r.score for r in records)


@needs("Davlan/sib200")
@pytest.mark.parametrize("code", LANGUAGES)
def test_sib200_is_classified_as_an_independent_pipeline_does(code):
    import pandas as pd

    _, built, records = task_and_records(f"sib200_{code}", "tfidf-svm", MIRROR)
    folder = MIRROR / "Davlan/sib200" / str(built.task.data.config)
    train, test = (pd.read_parquet(folder / f"{split}.parquet") for split in ("train", "test"))
    expected = pipeline().fit(train["text"], train["category"]).predict(test["text"])
    right = [bool(r.score) for r in records]
    assert right == list(expected == test["category"])
    assert 0.5 < np.mean(right) < 0.9
    order = ["science/technology", "travel", "politics", "sports", "health", "entertainment", "geography"]
    assert [order[r.prediction] for r in records] == list(expected)
    assert {r.metrics["trained_on"] for r in records} == {701}
    _, _, guesses = task_and_records(f"sib200_{code}", "majority", MIRROR)
    guesser = DummyClassifier(strategy="most_frequent").fit(train[["text"]], train["category"])
    assert [order[r.prediction] for r in guesses] == list(guesser.predict(test[["text"]]))


@needs("jerbarnes/multibooked")
def test_what_process_docs_makes_is_trained_on_and_repeated_items_are_not():
    finder, built, records = task_and_records("multibooked_eu", "tfidf-svm", MIRROR)
    texts = {r.context.strip() for r in records}
    train = built.task.model_copy(update={"data": built.task.data.model_copy(update={"split": "train"})})
    from evalsuite.trained_task import _rows

    again = [text for text in _rows(train, finder)["text"] if text.strip() not in texts]
    assert {r.metrics["trained_on"] for r in records} == {len(again)}
    assert len(again) < finder.load(train)["train"].num_rows


@needs("osekilab/JCoLA")
def test_a_label_that_counts_the_other_way_round_finds_its_choice():
    _, built, records = task_and_records("jcola_ja", "majority", MIRROR)
    assert np.mean([r.score for r in records]) == pytest.approx(built.task.chance, abs=1e-4)
    assert {r.choices[r.prediction] for r in records} == {"はい"}


def test_of_two_classes_the_side_of_the_plane_decides():
    training = [Example(text, label) for text, label in (("good warm", "b"), ("bad cold", "a"), ("warm sun", "b"))]
    said = Trainer("tfidf-svm", SEED).predict(training, ["warm", "cold", "bad"])
    fitted = pipeline().fit([e.text for e in training], [e.label for e in training])
    assert [p.label for p in said] == list(fitted.predict(["warm", "cold", "bad"]))
    assert [p.scores["b"] for p in said] == pytest.approx(list(fitted.decision_function(["warm", "cold", "bad"])))
    assert all(p.scores["a"] == -p.scores["b"] for p in said)


def test_the_most_frequent_class_is_the_first_by_name_where_several_are():
    training = [Example(f"t{i}", label) for i, label in enumerate("cbbcca")]
    said = Trainer("majority", SEED).predict([*training, Example("x", "b")], ["new"])[0]
    assert (said.label, said.trained_on) == ("b", 7)
    assert said.scores == pytest.approx({"a": 1 / 7, "b": 3 / 7, "c": 3 / 7})


def test_an_item_is_never_trained_on():
    training = [Example("a text ", "x"), Example("other", "y"), Example("third", "x")]
    assert Trainer("majority", SEED).predict(training, ["a text"])[0].trained_on == 2
    with pytest.raises(BackendError, match="1 items of 1 classes"):
        Trainer("majority", SEED).predict(training, ["a text", "other"])


def test_folds_spread_every_class_and_follow_the_seed():
    labels = ["a"] * 10 + ["b"] * 7 + ["c"] * 2
    parts = deal(labels, 5, 1)
    assert sorted(i for part in parts for i in part) == list(range(19))
    assert len(parts) == 5
    for label, n in Counter(labels).items():
        sizes = [sum(labels[i] == label for i in part) for part in parts]
        assert max(sizes) - min(sizes) <= 1, label
        assert max(sizes) < n
    assert deal(labels, 5, 1) == parts != deal(labels, 5, 2)
    assert len(deal(["a", "a", "b", "b"], 5, 1)) == 2


def test_a_class_of_one_item_is_refused():
    with pytest.raises(BackendError, match="two items of every class; there is only one of: c, d"):
        deal(["a", "a", "c", "d"], 2, 1)


def test_a_baseline_is_known_by_its_parameters_and_version(monkeypatch):
    first = baseline_model("tfidf-svm", 1)
    assert first.sha256 == baseline_model("tfidf-svm", 2).sha256 != baseline_model("majority", 1).sha256
    assert first.options == {"baseline": "tfidf-svm", "seed": 1}
    monkeypatch.setattr("importlib.metadata.version", lambda _: "0.1")
    assert baseline_model("tfidf-svm", 1).sha256 != first.sha256
    assert str(baseline_model("tfidf-svm", 1).source) == "pypi:scikit-learn==0.1"


def test_unknown_names_are_told_with_near_ones():
    assert list(BASELINES) == ["majority", "tfidf-svm"]
    with pytest.raises(InputError, match="unknown baseline 'tfidf'") as told:
        Trainer("tfidf", 1)
    assert "did you mean 'tfidf-svm'?" in str(told.value)
