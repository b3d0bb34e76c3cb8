"""Classical text classifiers that are trained for a task, to show what labelled examples give beside a model without any."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalsuite.errors import BackendError, InputError, suggest
from evalsuite.records import TRAINED, Model, Source, digest

__all__ = ["BASELINES", "Baseline", "Example", "Prediction", "Trainer", "baseline_model", "baseline_of", "deal"]

_WORDS = (1, 2)
_CHARACTERS = (1, 5)
_C = 1.0


@dataclass(frozen=True, slots=True)
class Example:
    """A text and its class."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a trained classifier says of one text."""

    label: str
    scores: Mapping[str, float]
    """By label, the highest of which is the answer: distances from the planes, or shares of the training items."""
    trained_on: int
    """Items that it was trained on."""


@dataclass(frozen=True)
class Baseline:
    """A classifier and how it is made."""

    title: str
    parameters: Mapping[str, Any]
    """What its answers depend on, beside training data, seed and the version of scikit-learn."""
    scores: Callable[[Sequence[Example], Sequence[str], int], list[dict[str, float]]]
    """Given training data, texts and a seed: for each text, a score by label."""


def _majority(training: Sequence[Example], texts: Sequence[str], _seed: int) -> list[dict[str, float]]:
    """Return the share of each label in the training data, whatever the text; labels in their own order."""
    counts = Counter(example.label for example in training)
    shares = {label: counts[label] / len(training) for label in sorted(counts)}
    return [shares for _ in texts]


def _tfidf_svm(training: Sequence[Example], texts: Sequence[str], seed: int) -> list[dict[str, float]]:
    """Return how far each text lies on the side of each label (one against the rest; of two labels, one plane)."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    # Characters within words carry inflected languages, and Japanese, where no spaces tell words apart.
    features = make_union(
        TfidfVectorizer(ngram_range=_WORDS, sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=_CHARACTERS, sublinear_tf=True),
    )
    fitted = make_pipeline(features, LinearSVC(C=_C, random_state=seed % 2**32))
    fitted.fit([example.text for example in training], [example.label for example in training])
    distances = fitted.decision_function(list(texts))
    labels = [str(label) for label in fitted.classes_]
    if len(labels) == 2:  # one plane, on whose positive side the second label lies
        return [{labels[0]: -float(d), labels[1]: float(d)} for d in distances]
    return [dict(zip(labels, map(float, row), strict=True)) for row in distances]


BASELINES: dict[str, Baseline] = {
    "majority": Baseline("Most frequent class", {}, _majority),
    "tfidf-svm": Baseline(
        "TF-IDF + linear SVM",
        {"words": _WORDS, "characters": _CHARACTERS, "sublinear_tf": True, "C": _C},
        _tfidf_svm,
    ),
}
"""Name → classifier. Parameters are common ones, chosen once and not tuned to any task."""


def baseline_of(name: str) -> Baseline:
    """Return a baseline.

    Raises:
        InputError: There is none of this name.
    """
    if name not in BASELINES:
        fix = suggest(name, BASELINES, kind="baseline", show="evalsuite run --help")
        raise InputError(f"unknown baseline {name!r} (known: {', '.join(BASELINES)})", fix=fix)
    return BASELINES[name]


def baseline_model(name: str, seed: int) -> Model:
    """Return a baseline as the store knows models: its hash is of its parameters and of scikit-learn's version.

    Raises:
        InputError: There is no baseline of this name.
    """
    from importlib.metadata import version

    made = baseline_of(name)
    package = version("scikit-learn")
    recipe = {"baseline": name, "parameters": made.parameters, "scikit-learn": package}
    return Model(
        name=name,
        backend=TRAINED,
        title=made.title,
        licence="BSD-3-Clause (scikit-learn)",
        source=Source(kind="pypi", package="scikit-learn", version=package),
        sha256=digest(recipe),
        options={"baseline": name, "seed": seed},
    )


class Trainer:
    """Trains one baseline, in the place of an engine with a model.

    Args:
        baseline: A key of `BASELINES`.
        seed: For whatever the baseline draws.

    Raises:
        InputError: There is no baseline of this name.
    """

    evaluated_tokens = 0
    """Classifiers have no tokens."""

    def __init__(self, baseline: str, seed: int) -> None:
        self._baseline = baseline_of(baseline)
        self.seed = seed

    def predict(self, training: Sequence[Example], texts: Sequence[str]) -> list[Prediction]:
        """Return what a classifier says of texts. A training item whose text is one of them is left out.

        Raises:
            BackendError: The training data has fewer than two classes.
        """
        asked = {text.strip() for text in texts}
        kept = [example for example in training if example.text.strip() not in asked]
        labels = {example.label for example in kept}
        if len(labels) < 2:
            raise BackendError(
                f"the training data has {len(kept)} items of {len(labels)} classes; two are needed to tell them apart",
                fix="check `label` of trained_on, or leave the baselines out",
            )
        scores = self._baseline.scores(kept, texts, self.seed)
        # The first of the highest, as scikit-learn and NumPy take it.
        return [Prediction(max(found, key=lambda label: found[label]), found, len(kept)) for found in scores]

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


def deal(labels: Sequence[str], folds: int, seed: int) -> list[list[int]]:
    """Return the positions of items dealt into folds, each class spread as evenly as can be (`StratifiedKFold`).

    Args:
        labels: Class of each item.
        folds: How many folds; at most as many as the largest class has items.
        seed: Of the draw.

    Raises:
        BackendError: A class has one item only, so that nothing would be left to train on.
    """
    from sklearn.model_selection import StratifiedKFold

    counts = Counter(labels)
    alone = sorted(label for label, n in counts.items() if n < 2)
    if alone:
        raise BackendError(
            f"cross-validation needs two items of every class; there is only one of: {', '.join(alone[:3])}",
            fix="add items of that class, or leave the baselines out",
        )
    dealer = StratifiedKFold(min(folds, max(counts.values())), shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():
        # A class with fewer items than folds is fine: no two of them fall into one fold.
        warnings.filterwarnings("ignore", message="The least populated class")
        return [[int(i) for i in part] for _, part in dealer.split([[0]] * len(labels), list(labels))]
