"""Our llama.cpp engine in stock lm-eval's own command line gives what `evalsuite run` gives."""

from __future__ import annotations

import json

import pytest

from evalsuite.backends.llamacpp.lm import LlamaCppLM
from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.tasks import load_tasks
from evalsuite.harness import build_task
from evalsuite.records import PromptForm
from tests.helpers import ROOT, evalsuite

OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
ITEMS = 4


def lm_eval(model_args, tmp_path, task="lexicon_eu", **environment):
    return evalsuite(
        "lm-eval", "--model", "evalsuite-llamacpp", "--model_args", model_args, "--tasks", task,
        "--include_path", ROOT / "tasks", "--limit", str(ITEMS), "--output_path", tmp_path / "out", "--log_samples",
        cwd=tmp_path, **{**OFFLINE, **environment},
    )  # fmt: skip


def test_scores_are_those_of_evalsuite(smollm2, tmp_path):
    done = lm_eval(f"path={smollm2},threads=1,context=2048", tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    (samples,) = (tmp_path / "out").rglob("samples_lexicon_eu_*.jsonl")
    (results,) = (tmp_path / "out").rglob("results_*.json")
    theirs = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    found = json.loads(results.read_text(encoding="utf-8"))
    assert found["config"]["model"] == "evalsuite-llamacpp"

    built = build_task(load_tasks()["lexicon_eu"], DataFinder(), PromptForm.NATIVE)
    lm = LlamaCppLM(smollm2, threads=1, context=2048)
    ours = built.score(lm, range(ITEMS))
    lm.close()
    assert len(theirs) == len(ours) == ITEMS
    for left, right in zip(theirs, ours, strict=True):
        assert left["doc"]["id"] == right.item_id
        assert left["doc_hash"] == right.doc_hash
        replies = [reply for (reply,) in left["resps"]]
        # lm-eval writes what a model returns as text.
        logprobs = [float(reply[0]) for reply in replies]
        assert logprobs == pytest.approx([*right.logprobs, *right.prior_logprobs], abs=1e-4)
        assert [str(reply[1]) == "True" for reply in replies[: len(right.greedy)]] == list(right.greedy)
        assert {metric: left[metric] for metric in left["metrics"]} == pytest.approx(right.metrics)
    for metric in ("acc", "acc_mutual_info"):
        mean = sum(record.metrics[metric] for record in ours) / ITEMS
        assert found["results"]["lexicon_eu"][f"{metric},none"] == pytest.approx(mean)


def test_a_model_that_is_not_at_hand_is_not_fetched_offline(tmp_path):
    done = lm_eval("model=gemma3-270m", tmp_path, EVALSUITE_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 2
    assert "evalsuite models fetch gemma3-270m" in done.stderr
    assert "Traceback" not in done.stderr
