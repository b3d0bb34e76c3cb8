"""Baselines in a plan and in a run: which cells, which skips; resumed like cells of a model."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.load import load_catalog
from evalsuite.errors import InputError
from evalsuite.plan import PlannedModel, make_plan
from evalsuite.records import TRAINED, CellStatus, Model, Source, Sweep, Task, TrainedOn
from evalsuite.spotcheck import done_cells
from evalsuite.store import RunFolder
from evalsuite.trained_plan import BASELINE_NAMES, check_baselines, with_baselines
from tests import synthetic
from tests.helpers import evalsuite, write_sweep

CATEGORIES = ("science/technology", "travel", "politics")


@pytest.fixture(scope="module")
def catalog():
    return load_catalog()


def sweep(**fields):
    common = {"name": "s", "models": ["m"], "tasks": ["labels"], "languages": ["en", "eu"]}
    return Sweep.model_validate({**common, "baselines": BASELINE_NAMES, **fields})


def planned(catalog, finder=None, **fields):
    finder = finder or DataFinder(offline=True)
    model = Model(name="m", backend="fake", title="m", licence="x", source=Source(kind="file"), sha256="a" * 64)
    plan = make_plan(sweep(**fields), catalog, finder, {"m": PlannedModel(model, Path("x"))})
    return with_baselines(plan, catalog, finder)


def mirror(folder, train=True):
    """A mirror with a few made-up items of SIB-200 in Basque."""
    for split, n in (("test", 9), ("train", 30))[: 1 + train]:
        rows = [{"index_id": i, "category": CATEGORIES[i % 3], "text": f"{split} {i} {i % 3}"} for i in range(n)]
        path = folder / "Davlan/sib200/eus_Latn" / f"{split}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_parquet(path)
    return DataFinder(folder, offline=True)


def test_every_trainable_task_has_a_cell_of_each_baseline_behind_those_of_models(catalog):
    plan = planned(catalog, tasks=["labels", "lexicon"], prompt_forms=["native", "english"], limit=30)
    ours = [cell for cell in plan.cells if cell.model in plan.trained]
    assert plan.cells[-len(ours) :] == tuple(ours)
    assert [(c.model, c.task) for c in ours] == [(b, f"labels_{code}") for b in BASELINE_NAMES for code in ("en", "eu")]
    native = {c.task: c.item_indices for c in plan.cells if c.model == "m"}
    assert all(cell.item_indices == native[cell.task] and cell.prompt_form == "native" for cell in ours)
    assert {model.backend for model in plan.trained.values()} == {TRAINED}
    assert plan.estimates.keys() == {cell.id for cell in plan.cells}
    assert not plan.skips or all(skip.model == "m" for skip in plan.skips)


def test_a_plan_without_baselines_stays_as_it_is(catalog):
    assert planned(catalog, baselines=()).trained == {}


def test_a_training_split_is_hashed_into_the_cell(catalog, tmp_path):
    plans = []
    for n in range(2):
        finder = mirror(tmp_path / str(n))
        if n:
            path = tmp_path / "1/Davlan/sib200/eus_Latn/train.parquet"
            pd.read_parquet(path).head(20).to_parquet(path)
        plans.append(planned(catalog, finder, tasks=["sib200"], languages=["eu"]))
    first, second = (plan.tasks["sib200_eu"].trained_on for plan in plans)
    assert first.sha256 != second.sha256
    ids = [{cell.id for cell in plan.cells if cell.model == "tfidf-svm"} for plan in plans]
    assert not ids[0] & ids[1]


def test_without_its_training_split_a_task_is_skipped_with_a_reason(catalog, tmp_path):
    plan = planned(catalog, mirror(tmp_path, train=False), tasks=["sib200"], languages=["eu"])
    assert {cell.model for cell in plan.cells} == {"m"}
    assert [skip.model for skip in plan.skips] == list(BASELINE_NAMES)
    assert all("no data to train on: Davlan/sib200 (eus_Latn, train)" in skip.reason for skip in plan.skips)
    assert all("--data" in (skip.fix or "") for skip in plan.skips)


def test_with_one_item_of_a_class_there_is_a_skip(catalog, tmp_path):
    finder = mirror(tmp_path)
    path = tmp_path / "Davlan/sib200/eus_Latn/test.parquet"
    frame = pd.read_parquet(path)
    frame.loc[0, "category"] = "sports"
    frame.to_parquet(path)
    folds = TrainedOn(text="text", label="category", folds=5)
    own = catalog.tasks["sib200_eu"].model_copy(update={"trained_on": folds})
    few = type(catalog)(catalog.languages, {"sib200_eu": own}, catalog.models, ())
    plan = planned(few, finder, tasks=["sib200_eu"], languages=["eu"])
    assert {skip.reason for skip in plan.skips} == {
        "cross-validation needs two items of every class; there is only one of: sports"
    }


def test_what_would_do_nothing_is_refused(catalog):
    with pytest.raises(InputError, match="none of the tasks says what a classifier could be trained on") as told:
        planned(catalog, tasks=["lexicon"])
    assert "labels" in (told.value.fix or "")
    with pytest.raises(InputError, match="unknown baseline 'svm'"):
        check_baselines(sweep(baselines=["svm"]))
    with pytest.raises(InputError, match="a model of the sweep has the name of the baseline 'majority'"):
        check_baselines(sweep(models=["majority"]))
    with pytest.raises(ValidationError, match="named twice: majority"):
        sweep(baselines=["majority", "majority"])


def test_a_task_says_one_way_to_train_and_none_that_gives_answers_away():
    for wrong in ({}, {"split": "train", "folds": 5}):
        with pytest.raises(ValidationError, match=r"give `split`, .* or `folds`"):
            TrainedOn.model_validate({"text": "text", "label": "label", **wrong})
    folds = {"text": "text", "label": "label", "folds": 5}
    assert synthetic.task("t_eu", "eu", None, trained_on=folds).trained_on == TrainedOn.model_validate(folds)
    with pytest.raises(ValidationError, match="items share their 'document'"):
        synthetic.task("t_eu", "eu", None, trained_on=folds, cluster_column="document")
    assert isinstance(load_catalog().tasks["labels_many_eu"], Task)


def test_a_run_with_baselines_is_resumed_and_its_devices_are_not_checked_with_them(tmp_path):
    path, out = write_sweep(tmp_path, tasks=["labels"], limit=20), tmp_path / "run"
    first = evalsuite("run", path, "--out", out, "--no-report", "--baselines")
    assert first.returncode == 0, first.stderr
    folder = RunFolder(out)
    results = folder.results()
    assert [(r.cell.model, r.status) for r in results] == [
        (model, CellStatus.DONE) for model in ("fake", *BASELINE_NAMES) for _ in range(2)
    ]
    records = {r.cell.id: folder.records(r.cell) for r in results}
    assert {len(found) for found in records.values()} == {20}
    # A chunk is lost: it alone is made again, and alike.
    lost = results[-1].cell
    kept = folder.records(lost)
    for name in ("cell.json", "records.parquet"):
        (out / "cells" / lost.id / name).unlink()
    again = evalsuite("run", path, "--out", out, "--no-report", "--baselines", "--json")
    told = json.loads(again.stdout)
    assert (told["done"], told["already_done"]) == (1, 5)
    assert folder.records(lost) == kept
    assert {cell.model for cell in done_cells(folder)} == {"fake"}
    assert folder.manifest.sweep.baselines == BASELINE_NAMES
    assert folder.manifest.versions["scikit-learn"]


def test_the_plan_of_the_command_line_shows_them(tmp_path):
    path = write_sweep(tmp_path, tasks=["labels"], limit=20, baselines=["majority"])
    done = evalsuite("plan", path, "--json")
    told = json.loads(done.stdout)
    assert [cell["model"] for cell in told["cells"]] == ["fake", "fake", "majority", "majority"]
    assert told["models_to_fetch"] == []
    wrong = evalsuite("plan", write_sweep(tmp_path, baselines=["tfidf"]))
    assert wrong.returncode == 2
    assert "did you mean 'tfidf-svm'?" in wrong.stderr
