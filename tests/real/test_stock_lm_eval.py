"""Our tasks in stock lm-eval, and its own `hf` backend against ours on the same weights."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.helpers import ROOT


def test_stock_lm_eval_runs_our_tasks(tmp_path):
    tasks = "labels_eu,lexicon_ja,labels,parity_eu"
    done = subprocess.run(
        [
            sys.executable, "-m", "lm_eval", "run", "--model", "dummy", "--tasks", tasks, "--limit", "3",
            "--include_path", str(ROOT / "tasks"), "--output_path", str(tmp_path), "--log_samples",
        ],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    (results,) = tmp_path.rglob("results_*.json")
    found = json.loads(results.read_text(encoding="utf-8"))["results"]
    assert {f"labels_{code}" for code in ("en", "es", "pt", "ca", "gl", "eu", "ja")} <= found.keys()
    assert {"acc,none", "acc_mutual_info,none"} <= found["lexicon_ja"].keys()
    assert {"loglikelihood,none", "bits_per_byte,none", "bits_per_char,none"} <= found["parity_eu"].keys()
    samples = next(tmp_path.rglob("samples_lexicon_ja_*.jsonl")).read_text(encoding="utf-8").splitlines()
    assert json.loads(samples[0])["doc"]["id"].startswith("territories:")


def test_lm_evals_hf_backend_gives_our_numbers(smollm2, smollm2_f32):
    """The independent implementation is lm-eval's own `hf` model with transformers, float32, through its own evaluator."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    import lm_eval
    from lm_eval.tasks import TaskManager

    from evalsuite.backends.llamacpp.lm import LlamaCppLM

    manager = TaskManager(include_path=str(ROOT / "tasks"), include_defaults=False)
    options = {"tasks": ["labels_es", "lexicon_en"], "task_manager": manager, "limit": 8, "bootstrap_iters": 0}
    arguments = f"pretrained={smollm2.parent},gguf_file={smollm2.name},dtype=float32"
    theirs = lm_eval.simple_evaluate(model="hf", model_args=arguments, device="cpu", batch_size=8, **options)
    ours = lm_eval.simple_evaluate(model=LlamaCppLM(smollm2_f32), **options)
    compared = 0
    for task in ("labels_es", "lexicon_en"):
        for left, right in zip(theirs["samples"][task], ours["samples"][task], strict=True):
            assert left["arguments"] == right["arguments"]
            for ((expected, greedy),), ((found, also),) in zip(left["resps"], right["resps"], strict=True):
                assert found == pytest.approx(expected, abs=0.1)
                assert greedy == also
                compared += 1
            assert [left[m] for m in left["metrics"]] == [right[m] for m in right["metrics"]]
    assert compared == 8 * (2 * 12 + 2 * 4)
