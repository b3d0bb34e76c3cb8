"""The verbs: help with examples, JSON for scripts, plain text off a terminal, nothing heavy at start-up."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import pytest

from evalsuite import __version__
from tests.helpers import evalsuite, write_sweep

VERBS = [
    ("run",), ("plan",), ("report",), ("export",), ("doctor",), ("models", "list"), ("models", "show"),
    ("models", "fetch"), ("tasks", "list"), ("tasks", "show"), ("langs", "list"), ("langs", "show"), ("lm-eval",), ("classify-eval",),
    ("bundle",), ("merge",), ("profile",), ("spot-check",), ("meter", "list"), ("meter", "import"),
]  # fmt: skip
HEAVY = (
    "torch",
    "transformers",
    "datasets",
    "lm_eval",
    "llama_cpp",
    "matplotlib",
    "pandas",
    "pyarrow",
    "pydantic",
    "scipy",
)


def ok(*arguments, **options):
    done = evalsuite(*arguments, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_has_help_with_examples(verb):
    text = ok(*verb, "--help")
    assert f"evalsuite {' '.join(verb)}" in text.partition("Examples:")[2]


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from evalsuite.cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version():
    assert ok("--version").strip() == f"evalsuite {__version__}"


def test_lists_are_json_on_request():
    languages = json.loads(ok("langs", "list", "--json"))
    assert {lang["code"] for lang in languages} == {"en", "es", "pt", "ca", "gl", "eu", "ja"}
    tasks = json.loads(ok("tasks", "list", "--lang", "Basque", "--json"))
    assert {"labels_eu", "lexicon_eu", "sib200_eu"} <= {task["name"] for task in tasks}
    assert {task["language"] for task in tasks} == {"eu"}
    models = {model["name"]: model for model in json.loads(ok("models", "list", "--json"))}
    assert models["smollm2-135m-instruct"]["licence"] == "Apache-2.0"
    assert "Gemma" in models["gemma3-270m"]["licence"]


def test_a_task_is_shown_as_the_model_sees_it():
    shown = json.loads(ok("tasks", "show", "labels_eu", "--items", "1", "--json"))
    (prompt,) = shown["prompts"]
    assert prompt["context"].startswith("Mezua: ")
    assert prompt["context"].endswith("\nKategoria:")
    assert prompt["target"] in prompt["choices"]
    assert len(prompt["choices"]) == 12


def test_a_language_is_shown_by_any_of_its_names():
    assert json.loads(ok("langs", "show", "Euskara", "--json"))["code"] == "eu"
    assert "Kategoria:" in ok("langs", "show", "eu")


def test_plan_measures_and_fetches_nothing(tmp_path):
    told = json.loads(ok("plan", "--model", "gemma3-270m", "--langs", "eu", "--json", EVALSUITE_CACHE=str(tmp_path)))
    assert told["models_to_fetch"] == ["gemma3-270m"]
    assert {cell["task"] for cell in told["cells"]} == {
        *("answer_eu", "choice_eu", "extract_eu", "grammar_eu", "labels_eu", "lexicon_eu", "reading_eu"),
        *("translate_en_eu", "translate_es_eu", "translate_eu_en", "translate_eu_es"),
    }
    assert not list(tmp_path.rglob("*.gguf"))


def test_output_off_a_terminal_is_plain(tmp_path):
    done = evalsuite("run", write_sweep(tmp_path, limit=5, tasks=["labels"]), "--out", tmp_path / "run", "--no-report")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr
    assert "[1/2] fake × labels_en" in done.stderr


def test_doctor_says_what_it_finds():
    done = evalsuite("doctor", "--json")
    told = json.loads(done.stdout)
    assert told["device"]["cores_logical"] >= 1
    assert 1 <= told["threads"]["count"] <= told["device"]["cores_logical"]
    assert told["threads"]["reason"]
    assert {check["what"] for check in told["checks"]} >= {"llama.cpp", "catalog", "free space"}
    assert done.returncode == (0 if all(check["ok"] for check in told["checks"]) else 1)


def test_doctor_lets_the_engine_evaluate_some_tokens(tmp_path):
    pytest.importorskip("llama_cpp")
    from evalsuite.cli.doctor import _TRY
    from tests import tiny_gguf

    model = tiny_gguf.write_llama(tmp_path / "tiny.gguf")
    done = subprocess.run([sys.executable, "-c", _TRY, str(model)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "evaluated some tokens with tiny.gguf" in done.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    done = evalsuite("run", write_sweep(folder, limit=12), "--out", folder / "run", "--no-report")
    assert done.returncode == 0
    return folder / "run"


def test_export_as_csv(run, tmp_path):
    ok("export", run, "--format", "csv", "--out", tmp_path / "items.csv")
    with (tmp_path / "items.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 4 * 12
    assert {row["language"] for row in rows} == {"en", "eu"}
    assert len(json.loads(rows[0]["logprobs"])) == len(json.loads(rows[0]["choices"]))


def test_export_as_parquet(run, tmp_path):
    import pyarrow.parquet as pq

    ok("export", run, "--out", tmp_path / "items.parquet")
    table = pq.read_table(tmp_path / "items.parquet")
    assert table.num_rows == 4 * 12
    assert table.column_names[:4] == ["model", "task", "language", "form"]


def test_export_as_lm_eval_is_what_lm_eval_itself_writes(run, tmp_path):
    """The independent writer is lm-eval's own EvaluationTracker, given lm-eval's own samples of the same items."""
    from lm_eval.evaluator import evaluate
    from lm_eval.loggers import EvaluationTracker

    from evalsuite.backends.fake import FakeLM
    from evalsuite.catalog.data import DataFinder
    from evalsuite.catalog.tasks import load_tasks
    from evalsuite.harness import build_task
    from evalsuite.records import PromptForm
    from evalsuite.store import RunFolder

    ok("export", run, "--format", "lm-eval", "--out", tmp_path / "ours")
    (ours,) = (tmp_path / "ours" / "fake").glob("samples_lexicon_eu_*.jsonl")
    cell = next(c for c in RunFolder(run).manifest.cells if c.task == "lexicon_eu")
    built = build_task(load_tasks()["lexicon_eu"], DataFinder(), PromptForm.NATIVE)
    results = evaluate(
        lm=FakeLM("x"),
        task_dict={"tasks": {"lexicon_eu": built._lm_task}, "groups": {}, "group_map": {}},
        samples={"lexicon_eu": list(cell.item_indices)},
        bootstrap_iters=0,
    )
    tracker = EvaluationTracker(output_path=str(tmp_path / "theirs"))
    tracker.general_config_tracker.model_name_sanitized = "fake"
    tracker.date_id = "now"
    tracker.save_results_samples("lexicon_eu", results["samples"]["lexicon_eu"])
    (theirs,) = (tmp_path / "theirs" / "fake").glob("samples_lexicon_eu_*.jsonl")
    left, right = ([json.loads(x) for x in p.read_text(encoding="utf-8").splitlines()] for p in (ours, theirs))
    assert len(left) == 12
    assert left == right
