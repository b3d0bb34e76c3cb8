"""Every task of lm-eval that the suite names loads, asks and scores, on stand-in rows of our own: no hub and no model."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

import pytest
import yaml
from datasets import Dataset, DatasetDict
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml

from tests.helpers import ROOT

LISTS = ROOT / "tasks" / "lm_eval" / "data"
STANDINS = ROOT / "tests" / "standins" / "lm_eval"
LANGUAGES = {path.stem for path in (ROOT / "langs").glob("*.yaml")}
FAMILIES = {
    "classification", "nli", "choice", "reading", "facts", "extraction", "math", "grammar", "translation", "generation",
}  # fmt: skip
FIELDS = {
    "name", "language", "suite", "chance", "parallel_group", "id_column", "primary_metric", "primary_why", "licence",
    "source", "note", "columns",
}  # fmt: skip
# `files.yaml` may stand beside the lists; it says where lm-eval keeps each task.
LIST_FILES = sorted(path for path in LISTS.glob("*.yaml") if path.name != "files.yaml")
ENTRIES: list[dict[str, Any]] = [
    entry for path in LIST_FILES for entry in yaml.safe_load(path.read_text(encoding="utf-8"))
]
each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=[entry["name"] for entry in ENTRIES])

# What ends the first row rightly, as the author of the stand-ins meant it: a label that is read wrongly shows here.
RIGHT = {
    "global_piqa_parallel_cloze_eus_latn": "Lapikoari estalkia utzita.",
    "global_piqa_nonparallel_cloze_jpn_jpan": "鍋にふたをしておく。",
    "xstorycloze_en": "The tree grew green leaves.",
    "xstorycloze_ca": "A l'arbre li van sortir fulles verdes.",
    "xstorycloze_gl": "Á árbore saíronlle follas verdes.",
    "ja_leaderboard_xwinograd": "カップが棚に入らなかったのは、カップが高すぎたからだ。",
    "piqa_ca": "Deixant la tapa a l'olla.",
    "siqa_ca": "agraït",
    "assin_entailment": "A câmara abriu uma biblioteca nova no bairro., certo? Sim, O bairro tem uma biblioteca nova.",
    "openbookqa_gl": "unha candea",
    "arc_eu_easy": "kandela bat",
    "bertaqa_eu": "A",
    "eus_trivia": "A",
    "eus_proficiency": "A",
    "eus_reading": "B",
    "multiblimp_por": "Os gatos dormem no jardim.",
}


def standin(entry):
    lines = (STANDINS / f"{entry['columns']}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def item_ids(entry):
    column = entry["id_column"]
    return [str(index if column is None else row[column]) for index, row in enumerate(standin(entry))]


@pytest.fixture(scope="module")
def built():
    """Return a function from an entry to lm-eval's task over its stand-in rows; each task is made once."""
    manager, tasks = TaskManager(include_defaults=True), {}

    def get(entry):
        if entry["name"] not in tasks:
            tasks[entry["name"]] = build(manager, entry)
        return tasks[entry["name"]]

    return get


def build(manager, entry):
    """Return lm-eval's task with its scored split replaced by the stand-in rows; it has no other split."""
    config = load_yaml(manager.task_index[entry["name"]].yaml_path)
    split = config.get("test_split") or config["validation_split"]
    data = DatasetDict({split: Dataset.from_list(standin(entry))})
    # lm-eval reads the split of the examples even where no example is shown, so it is pointed at the scored one.
    spec = {"task": entry["name"], "custom_dataset": lambda **_: data, "fewshot_split": split}
    return manager.load({"group": "standins", "task": [spec]})["tasks"][entry["name"]]


def requests(task):
    """Return the requests of each item, as lm-eval makes them without examples."""
    task.set_config(key="num_fewshot", value=0)
    task.build_all_requests(rank=0, world_size=1)
    items = defaultdict(list)
    for instance in task.instances:
        items[instance.doc_id].append(instance)
    return [sorted(items[number], key=lambda instance: instance.idx) for number in sorted(items)]


def score(task, item, favourite):
    """Return the metrics of an item for a model that finds one of its answers by far the likeliest."""
    replies = [(-1.0 if number == favourite else -1e6, number == favourite) for number in range(len(item))]
    return task.process_results(item[0].doc, replies)


@each_entry
def test_an_entry_is_whole(entry):
    assert set(entry) - {"items", "accept"} == FIELDS
    assert entry["language"] in LANGUAGES
    assert entry["suite"] == (["core"] if entry["parallel_group"] else ["native"])
    assert entry["chance"] is None or 0 < entry["chance"] < 1
    assert all(isinstance(entry[field], str) and entry[field] for field in ("primary_why", "licence", "source"))


@each_entry
def test_a_task_asks_without_examples_and_keeps_its_items_in_place(built, entry):
    task, rows = built(entry), standin(entry)
    assert not task.get_config("num_fewshot")
    assert len(rows) == len(task.eval_docs) == len(requests(task)) == 3
    columns = [entry["id_column"]] if entry["id_column"] else []
    assert [[doc[c] for c in columns] for doc in task.eval_docs] == [[row[c] for c in columns] for row in rows]


@each_entry
def test_the_primary_metric_is_one_number_per_item_and_one_answer_is_right(built, entry):
    task = built(entry)
    assert task.OUTPUT_TYPE == "multiple_choice"
    assert task._metric_fn_list.keys() >= {entry["primary_metric"]}
    for item in requests(task):
        scores = [score(task, item, favourite)[entry["primary_metric"]] for favourite in range(len(item))]
        assert Counter(map(float, scores)) == {1.0: 1, 0.0: len(item) - 1}
        answers = {instance.args for instance in item}
        assert len(answers) == len(item)  # no two answers are alike


@pytest.mark.parametrize("name", RIGHT)
def test_the_right_answer_is_the_one_that_was_meant(built, name):
    entry = next(entry for entry in ENTRIES if entry["name"] == name)
    task = built(entry)
    item = requests(task)[0]
    best = next(i for i in range(len(item)) if score(task, item, i)[entry["primary_metric"]] == 1)
    assert item[best].args[1].strip() == RIGHT[name]


@pytest.mark.parametrize("name", ["xwinograd_en", "xwinograd_pt"])
def test_the_end_of_a_winograd_sentence_is_scored_after_each_reading(built, name):
    entry = next(entry for entry in ENTRIES if entry["name"] == name)
    task = built(entry)
    first = requests(task)[0]
    assert first[0].args[1] == first[1].args[1]
    assert "cup" in first[0].args[0].lower().split("because")[-1] or "chávena" in first[0].args[0].split("porque")[-1]
    assert score(task, first, 0)["acc"] == 1


def test_names_are_given_once_and_lists_are_named_after_families():
    assert max(Counter(entry["name"] for entry in ENTRIES).values()) == 1
    assert {path.stem for path in LIST_FILES} <= FAMILIES


def test_every_stand_in_is_used():
    assert {path.stem for path in STANDINS.iterdir()} == {entry["columns"] for entry in ENTRIES}


@pytest.mark.parametrize("group", sorted({e["parallel_group"] for e in ENTRIES if e["parallel_group"]}))
def test_a_parallel_group_has_one_task_a_language_and_ids_that_join(group):
    members = [entry for entry in ENTRIES if entry["parallel_group"] == group]
    languages = [entry["language"] for entry in members]
    assert len(languages) == len(set(languages)) > 1
    assert "en" in languages  # the control, which gaps are taken against
    assert len({tuple(item_ids(entry)) for entry in members}) == 1
    assert len({(entry["primary_metric"], entry["chance"]) for entry in members}) == 1
