"""Ten public tasks, unchanged, in stock lm-eval: its own reading of the YAML, of the data from the hub, and its own means."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evalsuite.catalog.tasks import load_tasks
from evalsuite.store import RunFolder
from tests.helpers import ROOT, evalsuite
from tests.hub import Hub, environment, mirrored, serving

MIRROR = Path(os.environ.get("EVALSUITE_DATA") or "/nowhere")
TASKS = (
    "sib200_ja", "bmlama53_gl", "truthfulqa_mc1_ca", "xnli_parallel_eu", "bl2mp_eu", "jcola_ja", "multibooked_ca",
    "ntrex_eu_en", "xquad_es", "mgsm_ja",
)  # fmt: skip
ITEMS = 3

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not MIRROR.is_dir(), reason="no mirror of the data: set EVALSUITE_DATA (docs/tasks.md)"),
]


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """Return what evalsuite makes of a few items of each task."""
    out = tmp_path_factory.mktemp("ours") / "run"
    languages = ",".join(sorted({load_tasks()[name].language for name in TASKS}))
    done = evalsuite(
        "run", "--model", "smollm2-135m-instruct", "--tasks", ",".join(TASKS), "--langs", languages, "--limit", str(ITEMS),
        "--data", MIRROR, "--out", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    folder = RunFolder(out)
    return {cell.task: folder.records(cell) for cell in folder.manifest.cells}


@pytest.fixture(scope="module")
def theirs(ours, tmp_path_factory):
    """Return what stock lm-eval makes of the same items, with the data from a stand-in of the hub."""
    tasks = {name: load_tasks()[name] for name in TASKS}
    repos = {str(task.data.path): mirrored(MIRROR / str(task.data.path), task.data.split) for task in tasks.values()}
    revisions = {str(t.data.path): t.data.revision for t in tasks.values() if t.data.revision}
    folder = tmp_path_factory.mktemp("theirs")
    samples = {name: [record.item_index for record in records] for name, records in ours.items()}
    with serving(Hub(repos, revisions)) as hub:
        done = subprocess.run(
            [
                sys.executable, "-m", "evalsuite", "lm-eval", "--model", "evalsuite-llamacpp",
                "--model_args", "model=smollm2-135m-instruct", "--tasks", ",".join(TASKS),
                "--include_path", str(ROOT / "tasks"), "--samples", json.dumps(samples), "--log_samples",
                "--output_path", str(folder),
            ],
            capture_output=True, text=True, check=False, cwd=folder, timeout=1500,
            env={**os.environ, **environment(folder, hub.endpoint)},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    (path,) = folder.rglob("results_*.json")
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    logged = {
        name: [
            json.loads(line) for line in next(folder.rglob(f"samples_{name}_*.jsonl")).read_text("utf-8").splitlines()
        ]
        for name in TASKS
    }
    return results, logged


@pytest.mark.parametrize("name", TASKS)
def test_every_item_gets_the_same_score(name, ours, theirs):
    _, logged = theirs
    metric = load_tasks()[name].primary_metric
    stock = {sample["doc_id"]: sample for sample in logged[name]}
    assert len(ours[name]) == len(stock) == ITEMS
    for record in ours[name]:
        sample = stock[record.item_index]
        assert sample["arguments"]["gen_args_0"]["arg_0"] == record.context
        assert sample["prompt_hash"] == record.prompt_hash
        assert sample[metric] == pytest.approx(record.score, abs=1e-9)


@pytest.mark.parametrize("name", TASKS)
def test_the_mean_is_the_same(name, ours, theirs):
    results, _ = theirs
    metric = load_tasks()[name].primary_metric
    mean = math.fsum(record.score or 0.0 for record in ours[name]) / len(ours[name])
    (key,) = [key for key in results[name] if key.split(",")[0] == metric]
    assert results[name][key] == pytest.approx(mean, abs=1e-6)
