"""Tasks that cannot be scored item by item are refused, with the reason."""

from __future__ import annotations

import shutil

import pytest

from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.tasks import load_tasks
from evalsuite.errors import BackendError
from evalsuite.harness import build_task, predict
from evalsuite.records import PromptForm
from tests.helpers import ROOT


def build(tmp_path, line, code=""):
    for name in ("labels", "_shared"):
        shutil.copytree(ROOT / "tasks" / name, tmp_path / "tasks" / name)
    folder = tmp_path / "tasks" / "labels"
    (folder / "utils.py").write_text(code, encoding="utf-8")
    path = folder / "labels_en.yaml"
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    task = load_tasks([tmp_path])["labels_en"]
    return build_task(task, DataFinder(), PromptForm.NATIVE)


def test_a_task_that_keeps_its_items_in_place_is_built(tmp_path):
    code = "\n\ndef shout(docs):\n    return docs.map(lambda d: {'text': d['text'].upper()})\n"
    built = build(tmp_path, "process_docs: !function utils.shout", code)
    assert "IT HAS BEEN NINE DAYS" in built.prompts([0])[0]["context"]


@pytest.mark.parametrize("how", ["docs.select(range(5))", "docs.select(reversed(range(len(docs))))"])
def test_a_task_that_moves_its_items_is_refused(tmp_path, how):
    code = f"\n\ndef move(docs):\n    return {how}\n"
    with pytest.raises(BackendError, match="drops, adds or reorders items"):
        build(tmp_path, "process_docs: !function utils.move", code)


def test_few_shots_are_refused(tmp_path):
    with pytest.raises(BackendError, match="num_fewshot is 2"):
        build(tmp_path, "num_fewshot: 2")


def test_predictions_are_the_first_of_the_highest():
    replies = [(-4.0, False), (-2.0, False), (-2.0, False)]
    assert predict("acc", ["a", "bb", "cc"], replies, []) == 1
    assert predict("acc_norm", ["aaaa", "b", "cc"], replies, []) == 0  # a tie at -1; lm-eval takes the first
    assert predict("acc_bytes", ["é", "bbbb", "c"], replies, []) == 1
    assert predict("acc_mutual_info", ["a", "b", "c"], replies, [(-9.0, False), (-1.0, False), (-1.0, False)]) == 0


def test_metrics_of_several_values_are_stored(tmp_path):
    from evalsuite.backends.fake import FakeLM

    metrics = (
        "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}, {metric: f1}, {metric: brier_score}]"
    )
    built = build(tmp_path, metrics)
    (record,) = built.score(FakeLM("x"), [3])
    assert record.model_dump_json()
    assert isinstance(record.metrics["f1"], list) and len(record.metrics["f1"]) == 2


def test_a_task_whose_files_change_after_the_plan_is_refused(tmp_path):
    shutil.copytree(ROOT / "tasks" / "labels", tmp_path / "tasks" / "labels")
    shutil.copytree(ROOT / "tasks" / "_shared", tmp_path / "tasks" / "_shared")
    task = load_tasks([tmp_path])["labels_eu"]
    assert len(build_task(task, DataFinder(), PromptForm.NATIVE)) == 120
    path = tmp_path / "tasks" / "labels" / "data" / "eu.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    with pytest.raises(BackendError, match="labels_eu: its files have changed since it was planned"):
        build_task(task, DataFinder(), PromptForm.NATIVE)
