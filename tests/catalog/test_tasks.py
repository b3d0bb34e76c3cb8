"""Tasks: the shipped YAML is whole, hashes follow what a task depends on, wrong files are told."""

from __future__ import annotations

import shutil

import pytest
import yaml

from evalsuite.catalog.languages import load_languages, resolve_languages
from evalsuite.catalog.tasks import asked_columns, load_tasks, resolve_tasks
from evalsuite.errors import CatalogError, InputError
from tests.helpers import ROOT

TASKS = load_tasks()
LANGUAGES = load_languages()


FAMILIES = {
    "classification", "labels", "nli", "choice", "reading", "facts", "extraction", "math", "grammar", "translation",
    "generation", "long", "text",
}  # fmt: skip


def lacking(rule):
    """Return the tasks that break a rule."""
    return sorted(name for name, task in TASKS.items() if not rule(task))


def test_every_task_states_what_a_reader_must_know():
    assert len(TASKS) > 200
    assert lacking(lambda task: task.language in LANGUAGES) == []
    assert lacking(lambda task: task.licence and task.source and task.primary_why) == []
    assert lacking(lambda task: task.family in FAMILIES) == []
    suites = {"starter", "core", "native", "labels", "long", "parity"}
    assert lacking(lambda task: task.suite and set(task.suite) <= suites) == []
    choice = [task for task in TASKS.values() if task.output_type == "multiple_choice"]
    assert len(choice) > 100
    assert [task.name for task in choice if task.chance is None or not 0 < task.chance < 1] == []
    assert [task.name for task in choice if not task.primary_metric.startswith("acc")] == []


def test_what_is_in_several_languages_is_core_and_the_other_way_round():
    languages: dict[str, set[str]] = {}
    for task in TASKS.values():
        if task.parallel_group:
            languages.setdefault(task.parallel_group, set()).add(task.language)
    alone = {group for group, codes in languages.items() if len(codes) == 1}
    assert alone == set()
    assert lacking(lambda task: "core" not in task.suite or task.parallel_group) == []


def test_starter_prompts_are_those_of_the_language_files():
    """Written again here by hand: the recipes must not change what was measured before there were any."""
    for code, language in LANGUAGES.items():
        for group in ("labels", "sib200"):
            config = yaml.load(TASKS[f"{group}_{code}"].path.read_text(encoding="utf-8"), yaml.SafeLoader)
            words = language.prompts[group]
            assert config["doc_to_text"] == f"{words['text']}\n{words['answer']}"
            assert config["metadata"]["prior_context"] == words["answer"]
            assert config["target_delimiter"] == (" " if language.spaced else "")


def test_an_unknown_field_of_a_list_is_told(tmp_path):
    folder = tmp_path / "tasks" / "lm_eval" / "data"
    folder.mkdir(parents=True)
    (folder / "choice.yaml").write_text("- {name: xstorycloze_eu, langauge: eu}\n", encoding="utf-8")
    with pytest.raises(CatalogError, match="xstorycloze_eu: unknown field 'langauge'"):
        load_tasks([tmp_path])
    (folder / "choice.yaml").write_text("- {name: no_such_task_of_lm_eval}\n", encoding="utf-8")
    with pytest.raises(CatalogError, match="has no task 'no_such_task_of_lm_eval'"):
        load_tasks([tmp_path])


def names(wanted, codes):
    found, missing = resolve_tasks(wanted, resolve_languages(codes, LANGUAGES), TASKS)
    return [task.name for task in found], missing


STARTER_JA = [
    *("answer_ja", "choice_ja", "extract_ja", "grammar_ja", "labels_ja", "lexicon_ja", "reading_ja"),
    *("translate_en_ja", "translate_es_ja", "translate_ja_en", "translate_ja_es"),
]


def test_of_several_meanings_the_narrowest_counts():
    assert names(["labels"], ["es", "eu"]) == (["labels_es", "labels_eu"], [])
    assert names(["family:labels"], ["eu"]) == names(["suite:labels"], ["eu"]) == (["labels_eu", "labels_many_eu"], [])
    assert names(["choice"], ["eu"]) == (["choice_eu"], [])
    assert {"choice_eu", "copa_eu"} <= set(names(["family:choice"], ["eu"])[0])
    with pytest.raises(InputError, match="unknown task 'family:none'"):
        names(["family:none"], ["en"])


def test_the_columns_that_a_prompt_asks_for_are_known_from_its_templates():
    assert set(asked_columns(TASKS["labels_eu"]) or ()) == {"text", "choices", "gold"}, (
        "not the descriptions, which it leaves out"
    )
    assert set(asked_columns(TASKS["extract_en"]) or ()) == {"text", "kind", "golds"}
    assert set(asked_columns(TASKS["choice_en"]) or ()) == {"stem", "question", "endings", "gold"}, (
        "made by process_docs in part"
    )


def test_names_may_be_tasks_groups_families_or_suites():
    assert names(["starter"], ["ja"]) == (STARTER_JA, [])
    found, missing = names(["facts", "lexicon_ja"], ["ja"])
    assert {"lexicon_ja", "bmlama53_ja", "jmmlu_ja"} <= set(found)
    assert len(found) == len(set(found))
    assert missing == []
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
    for name in (
        "labels_eu.yaml",
        "_labels.yaml",
        "../_shared/messages.py",
        "data/eu.yaml",
        "../_shared/calibrated.py",
    ):
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
