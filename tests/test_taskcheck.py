"""The check of tasks: each fault is found in a task that has it, and a sound task is clean."""

from __future__ import annotations

import json
import textwrap

import pytest
import yaml

from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.tasks import load_tasks
from evalsuite.taskcheck import check_tasks
from tests.helpers import evalsuite

ROWS = [
    {"id": f"i{n}", "text": f"text {n}", "options": ["red", f"blue {n}", "green"], "gold": n % 3} for n in range(60)
]
UTILS = """\
\"\"\"Reads rows.\"\"\"
import json
from pathlib import Path
from datasets import Dataset, DatasetDict

def load(language, **_):
    path = Path(__file__).parent / "data" / f"{language}.json"
    return DatasetDict({"test": Dataset.from_list(json.loads(path.read_text(encoding="utf-8")))})
"""


def write(folder, language="en", rows=ROWS, metadata=None, **fields):
    """Write a task of one's own, and return it."""
    place = folder / "tasks" / "toy"
    (place / "data").mkdir(parents=True, exist_ok=True)
    (place / "utils.py").write_text(UTILS, encoding="utf-8")
    (place / "data" / f"{language}.json").write_text(json.dumps(rows), encoding="utf-8")
    task = {
        "task": f"toy_{language}",
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "Text: {{text}}\nColour:",
        "doc_to_choice": "options",
        "doc_to_target": "gold",
        "num_fewshot": 0,
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {
            "language": language,
            "family": "choice",
            "chance": 0.3333,
            "parallel_group": "toy",
            "id_column": "id",
            "items": len(rows),
            "primary_metric": "acc",
            "data_files": [f"data/{language}.json"],
            "licence": "none",
            "source": "made up",
            **(metadata or {}),
        },
        **fields,
    }
    text = "custom_dataset: !function utils.load\n" + yaml.safe_dump(task, sort_keys=False)
    (place / f"toy_{language}.yaml").write_text(text, encoding="utf-8")


def found(folder, *names):
    tasks = load_tasks([folder])
    checked = check_tasks([tasks[name] for name in names or ("toy_en",)], DataFinder(offline=True))
    return {finding.code: finding for one in checked for finding in one.findings}


def test_a_sound_task_is_clean(tmp_path):
    write(tmp_path)
    write(tmp_path, "es")
    assert found(tmp_path, "toy_en", "toy_es") == {}


def changed(**values):
    return [{**row, **{k: v(n) if callable(v) else v for k, v in values.items()}} for n, row in enumerate(ROWS)]


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("repeated-ids", {"rows": changed(id=lambda n: f"i{n // 2}")}),
        ("gold-range", {"rows": changed(gold=lambda n: 3 if n == 5 else n % 3)}),
        ("gold-place", {"rows": changed(gold=0)}),
        ("one-choice", {"rows": changed(options=lambda n: ["red"] if n == 0 else ["red", f"b{n}", "g"])}),
        ("equal-choices", {"rows": changed(options=lambda n: ["red", "red", f"blue {n}"])}),
        ("chance", {"metadata": {"chance": 0.25}}),
        ("items", {"metadata": {"items": 61}}),
        ("invisible", {"rows": changed(text=lambda n: f"a\u200bb {n}")}),
        ("invisible", {"rows": changed(text=lambda n: f"a\ufffdb {n}")}),
        ("hole", {"rows": changed(text=lambda n: f"None {n}")}),
        ("template", {"doc_to_text": "{{ '{{' }}text}} {{text}}\nColour:"}),
        ("build", {"doc_to_text": "{{missing}}"}),
        (
            "two-answers",
            {"rows": changed(text="the same", options=lambda _: ["red", "blue", "green"])},
        ),
        ("no-target", {"output_type": "generate_until", "doc_to_target": "{{''}}", "doc_to_choice": None}),
    ],
)
def test_a_fault_is_found(tmp_path, code, changes):
    write(tmp_path, **changes)
    assert code in found(tmp_path)


def test_a_fault_that_is_known_is_accepted_with_its_reason(tmp_path):
    write(tmp_path, rows=changed(gold=0), metadata={"accept": {"gold-place": "as published"}})
    assert found(tmp_path)["gold-place"].accepted == "as published"


def test_languages_of_a_group_are_held_against_each_other(tmp_path):
    write(tmp_path)
    write(tmp_path, "es", rows=changed(gold=lambda n: (n + (n == 7)) % 3, id=lambda n: f"x{n}" if n == 9 else f"i{n}"))
    codes = found(tmp_path, "toy_en", "toy_es")
    assert codes.keys() == {"ids", "gold-differs"}
    assert codes["ids"].text.startswith("1 of 60 ids")
    assert codes["gold-differs"].text.startswith("1 of 59 items")


def test_labels_of_unequal_size_may_have_the_largest_share_as_chance(tmp_path):
    rows = changed(options=lambda _: ["a", "b", "c"], gold=lambda n: 0 if n < 40 else 1)
    write(tmp_path, rows=rows, metadata={"chance": 0.6667})
    assert found(tmp_path) == {}


def test_the_verb_tells_problems_and_what_was_not_checked(tmp_path):
    write(tmp_path, rows=changed(gold=0))
    done = evalsuite("tasks", "check", "toy", "--include", tmp_path, EVALSUITE_DATA="")
    assert done.returncode == 1
    assert "problem: toy_en: gold-place: right choices are not evenly placed: 100%, 0%, 0%" in done.stdout
    clean = evalsuite("tasks", "check", "labels_en", "xquad_es", "--json", EVALSUITE_DATA="")
    assert clean.returncode == 0, clean.stderr
    labels, xquad = json.loads(clean.stdout)
    assert (labels["items"], labels["problems"], labels["not_checked"]) == (120, [], None)
    assert xquad["items"] is None
    assert "--offline forbids the hub" in xquad["not_checked"]
    assert textwrap.dedent(done.stderr).count("Traceback") == 0


def test_nothing_may_be_right_where_the_chance_level_says_so(tmp_path):
    written = {
        "output_type": "generate_until",
        "doc_to_choice": None,
        "doc_to_target": "{{names}}",
        "doc_to_text": "{{text}}",
    }
    rows = [{"id": f"i{n}", "text": f"text {n}", "names": "Ane" if n % 4 else ""} for n in range(60)]
    write(tmp_path, rows=rows, metadata={"chance": 0.25, "family": "extraction"}, **written)
    assert found(tmp_path) == {}
    write(tmp_path, rows=rows, metadata={"chance": 0.1, "family": "extraction"}, **written)
    assert found(tmp_path)["no-target"].text == "25.0% of items have no right answer"
    write(tmp_path, rows=rows, metadata={"chance": None, "family": "generation"}, **written)
    assert found(tmp_path) == {}
