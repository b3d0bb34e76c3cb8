"""Adds made-up baselines to a made-up run folder, for tests of what reads them."""

from __future__ import annotations

from pathlib import Path

from evalsuite.records import TRAINED, Cell, CellStatus, Model, PromptForm, Skip, Source, TrainedOn
from evalsuite.store import RunWriter
from tests.synthetic import Plan, cell_of, record

__all__ = ["BASELINES", "add_baselines"]

BASELINES = {"majority": "Most frequent class", "tfidf-svm": "TF-IDF + linear SVM"}


def add_baselines(path: Path, *, skipped: str | None = None, folds: bool = True, failed: bool = True) -> Path:
    """Add both baselines on `toy_topics` to a run that `build_run` has made.

    Args:
        path: The run folder.
        skipped: Why `majority` has no cell in Basque; none where it has one.
        folds: Whether they were trained on the other folds (47 or 48 items), or on a split of 701.
        failed: Whether `tfidf-svm` has failed in Japanese.
    """
    with RunWriter(path) as writer:
        manifest = writer.manifest
        on = TrainedOn(text="text", label="category", **({"folds": 5} if folds else {"split": "train"}))
        topics = {name: task for name, task in manifest.tasks.items() if task.parallel_group == "toy_topics"}
        tasks = manifest.tasks | {name: one.model_copy(update={"trained_on": on}) for name, one in topics.items()}
        cells = [
            cell_of(Plan(), name, one, PromptForm.NATIVE)
            for name in BASELINES
            for one in topics.values()
            if not (skipped and (name, one.language) == ("majority", "eu"))
        ]
        skips = [Skip(model="majority", task="toy_topics_eu", language="eu", reason=skipped)] if skipped else []
        update = {
            "models": {**manifest.models, **{name: _model(name) for name in BASELINES}},
            "tasks": tasks,
            "cells": (*manifest.cells, *cells),
            "skips": (*manifest.skips, *skips),
        }
        writer.write_manifest(manifest.model_copy(update=update))
        for cell in cells:
            if failed and (cell.model, cell.language) == ("tfidf-svm", "ja"):
                writer.finish(
                    cell, CellStatus.FAILED, "the training data has 3 items of 1 classes (fix: check `label`)"
                )
            else:
                _fill(writer, cell, folds=folds)
    return path


def _model(name: str) -> Model:
    source = Source(kind="pypi", package="scikit-learn", version="1.9.1")
    return Model(
        name=name, backend=TRAINED, title=BASELINES[name], licence="BSD-3-Clause", source=source, sha256="c" * 64
    )


def _fill(writer: RunWriter, cell: Cell, *, folds: bool) -> None:
    every = 7 if cell.model == "majority" else 2
    for chunk in range(cell.chunks):
        records = []
        for index in cell.chunk(chunk):
            right = float(index % every == 0)
            made = record(index, score=right, context_tokens=None, logprobs=(), greedy=(), answer_tokens=())
            behind = 47 + index % 2 if folds else 701
            records.append(made.model_copy(update={"metrics": {"acc": right, "trained_on": behind}}))
        writer.write_chunk(cell, chunk, records, wall_s=0.1, tokens=0)
    writer.finish(cell, CellStatus.DONE)
