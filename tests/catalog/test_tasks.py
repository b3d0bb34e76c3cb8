"""Tasks: the shipped YAML is whole, hashes follow what a task depends on, wrong files are told."""

from __future__ import annotations

import shutil

import pytest
import yaml

from evalsuite.catalog.languages import load_languages, resolve_languages
from evalsuite.catalog.tasks import load_tasks, resolve_tasks
from evalsuite.errors import CatalogError, InputError
from tests.helpers import ROOT

TASKS = load_tasks()
LANGUAGES = load_languages()


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_states_what_a_reader_must_know(name):
    task = TASKS[name]
    assert task.language in LANGUAGES
    assert name == f"{task.parallel_group}_{task.language}"
    assert task.licence and task.source
    assert task.chance is not None and 0 < task.chance < 1
    assert task.data.kind == "shipped" or task.data.revision
    assert task.primary_metric.startswith("acc")


def test_the_prompts_are_those_of_the_language_files():
    for task in TASKS.values():
        config = yaml.load(task.path.read_text(encoding="utf-8"), yaml.SafeLoader)
        words = LANGUAGES[task.language].prompts[str(task.parallel_group)]
        if task.parallel_group != "lexicon":
            assert config["doc_to_text"] == f"{words['text']}\n{words['answer']}"
        assert config["target_delimiter"] == (" " if LANGUAGES[task.language].spaced else "")


def names(wanted, codes):
    found, missing = resolve_tasks(wanted, resolve_languages(codes, LANGUAGES), TASKS)
    return [task.name for task in found], missing


def test_names_may_be_tasks_groups_families_or_suites():
    assert names(["labels"], ["es", "eu"]) == (["labels_es", "labels_eu"], [])
    assert names(["starter"], ["ja"]) == (["labels_ja", "lexicon_ja"], [])
    assert names(["facts", "lexicon_ja"], ["ja"]) == (["lexicon_ja"], [])
    with pytest.raises(InputError, match="unknown task 'starer'") as told:
        names(["starer"], ["en"])
    assert "starter" in (told.value.fix or "")
    with pytest.raises(InputError, match="not among the languages"):
        names(["labels_eu"], ["en"])


@pytest.fixture
def mine(tmp_path):
    """A user's folder with a copy of one group of tasks."""
    shutil.copytree(ROOT / "tasks" / "labels", tmp_path / "tasks" / "labels")
    shutil.copytree(ROOT / "tasks" / "_shared", tmp_path / "tasks" / "_shared")
    return tmp_path


def test_a_hash_follows_the_yaml_its_includes_its_helpers_and_its_data(mine):
    before = load_tasks([mine])["labels_eu"].sha256
    assert before == TASKS["labels_eu"].sha256  # the place does not matter
    seen = {before}
    for name in ("labels_eu.yaml", "_labels.yaml", "utils.py", "data/eu.yaml", "../_shared/calibrated.py"):
        path = mine / "tasks" / "labels" / name
        path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
        seen.add(load_tasks([mine])["labels_eu"].sha256)
    assert len(seen) == 6
    path = mine / "tasks" / "labels" / "data" / "es.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert load_tasks([mine])["labels_eu"].sha256 in seen


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("language: eu", "language: [eu]", "labels_eu.yaml:.*language"),
        ("chance: 0.0833", "chance: high", "labels_eu.yaml:.*chance"),
        ("include: _labels.yaml", "include: _none.yaml", "no file _none.yaml"),
        ("- data/eu.yaml", "- data/none.yaml", "no file"),
        ("metadata:", "metadat:", "metadata: missing"),
        ("family: labels", "", "family"),
    ],
)
def test_a_wrong_file_is_told(mine, old, new, told):
    path = mine / "tasks" / "labels" / "labels_eu.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CatalogError, match=told):
        load_tasks([mine])
