"""The project's own sets: the same items in every language, whole, evenly placed, and read as the task files say."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import pytest

from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.languages import load_languages
from evalsuite.harness import build_task
from evalsuite.itemcheck import guesses
from evalsuite.records import PromptForm
from tests.helpers import ROOT
from tests.tasks.building import catalog, module

CODES = ("en", "es", "pt", "ca", "gl", "eu", "ja")
SIZES = {"choice": 100, "reading": 30, "extract": 60, "translate": 100, "answer": 40, "grammar": 80, "labels_many": 36}
PARALLEL = tuple(name for name in SIZES if name != "grammar")
starter = module("_shared/starter")


def lines(name, code):
    path = ROOT / "tasks" / name / "data" / f"{code}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").removesuffix("\n").split("\n")]


def built(name, form="native"):
    return build_task(catalog()[name], DataFinder(offline=True), PromptForm(form))


def items(name, form="native"):
    task = built(name, form)
    return task.items(range(len(task)))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", SIZES)
def test_every_set_is_whole_and_its_ids_are_single(name, code):
    rows = lines(name, code)
    ids = [row.get("id") or row["key"] for row in rows]
    assert len(ids) == len(set(ids)) == SIZES[name]


@pytest.mark.parametrize("code", CODES[1:])
@pytest.mark.parametrize("name", PARALLEL)
def test_languages_hold_the_same_items_in_the_same_order(name, code):
    ours, english = lines(name, code), lines(name, "en")
    for mine, theirs in zip(ours, english, strict=True):
        assert mine.keys() == theirs.keys()
        for key in {"id", "key", "kind"} & mine.keys():
            assert mine[key] == theirs[key]
        if name == "choice":
            assert mine["ask"] == theirs["ask"]
        if name == "reading":
            assert [len(q["wrong"]) for q in mine["questions"]] == [3, 3]
        if name == "labels_many":
            assert len(mine["messages"]) == 4


@pytest.mark.parametrize("code", CODES)
def test_minimal_pairs_are_tagged_by_phenomenon(code):
    pairs = lines("grammar", code)
    found = Counter(pair["phenomenon"] for pair in pairs)
    assert 8 <= len(found) <= 10
    assert min(found.values()) >= 8
    assert len({pair["good"] for pair in pairs} | {pair["bad"] for pair in pairs}) == 160


@pytest.mark.parametrize(("places", "count"), [(2, 100), (4, 60), (3, 10)])
def test_right_answers_are_spread_evenly_and_alike(places, count):
    spread = starter.spread(count, places, "x")
    counted = Counter(spread)
    assert max(counted.values()) - min(counted.values()) <= 1
    assert spread == starter.spread(count, places, "x") != starter.spread(count, places, "y")
    # No pattern that a model could follow: neighbours agree about as often as by chance.
    assert 0 < sum(a == b for a, b in itertools.pairwise(spread)) < count - 1


@pytest.mark.parametrize("name", ["choice", "reading", "grammar", "labels_many"])
def test_right_choices_are_those_of_the_files(name):
    for code in CODES:
        found = {item.id: item for item in items(f"{name}_{code}")}
        if name == "choice":
            # Told as endings of a sentence: the first letter is small.
            right = {row["id"]: row["right"][:1].lower() + row["right"][1:] for row in lines(name, code)}
            if code == "ja":
                right = {row["id"]: row["right"] for row in lines(name, code)}
        elif name == "reading":
            right = {
                f"{row['id']}-{n}": q["right"]
                for row in lines(name, code)
                for n, q in enumerate(row["questions"], start=1)
            }
        elif name == "grammar":
            right = {row["id"]: row["good"] for row in lines(name, code)}
        else:
            names = {row["key"]: row["name"] for row in lines("labels_many", code)}
            right = {id_: names[id_[:-3]] for id_ in found if id_[:-3] in names}
        assert {id_: found[id_].choices[found[id_].gold] for id_ in right} == right
        assert len(found) == catalog()[f"{name}_{code}"].items


@pytest.mark.parametrize("code", CODES)
def test_48_categories_are_the_twelve_and_36_more(code):
    twelve, many = items(f"labels_{code}"), items(f"labels_many_{code}")
    assert many[0].choices[:12] == twelve[0].choices
    assert len(set(many[0].choices)) == 48
    assert Counter(item.gold for item in many) == dict.fromkeys(range(48), 4)
    first = {item.id: item.context for item in twelve if item.id.endswith(("01", "02", "03", "04"))}
    assert {item.id: item.context for item in many[:48]} == first


@pytest.mark.parametrize("code", CODES)
def test_categories_can_be_listed_described_and_named_in_english(code):
    plain, listed, described = (items(f"labels_{code}", form)[0] for form in ("native", "listed", "described"))
    assert plain.choices == listed.choices == described.choices
    for name in plain.choices:
        assert f"- {name}\n" in listed.context
        assert f"- {name}" in described.context
        assert f"- {name}\n" not in described.context
    assert listed.context.endswith("\n\n" + plain.context)
    forms = catalog()[f"labels_{code}"].wordings
    if code == "en":
        assert not {"english-names", "english-described", "english"} & set(forms)
        return
    english = items("labels_en")[0].choices
    named, told = (items(f"labels_{code}", form)[0] for form in ("english-names", "english-described"))
    assert named.choices == told.choices == english
    assert named.context == plain.context
    assert f"- {english[0]}" in told.context


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", ["choice", "reading", "grammar", "lexicon"])
def test_no_guesser_without_a_model_is_better_than_chance(name, code):
    spaced = load_languages()[code].spaced
    found = guesses(items(f"{name}_{code}"), spaced=spaced)
    assert len(found) == 4
    assert [guess for guess in found if guess.better_than_chance] == []


@pytest.mark.parametrize("given", ["€45", "45 €", "45€"])
def test_a_euro_sign_may_touch_its_number(given):
    task = built("extract_es")
    doc = {"golds": starter._spaced_or_not(["45 €", "€45", "45 euros"])}
    assert task._lm_task.config.process_results(doc, [given], task._lm_task.config.metadata)["exact_match"] == 1
    assert task._lm_task.config.process_results(doc, ["54 €"], task._lm_task.config.metadata)["exact_match"] == 0


def test_translations_go_both_ways_with_english_and_spanish():
    tasks = [task for task in catalog().values() if (task.parallel_group or "").startswith("translate_")]
    pairs = {tuple(task.name.removeprefix("translate_").split("_")) for task in tasks}
    assert pairs == {(a, b) for a in CODES for b in CODES if a != b and ({"en", "es"} & {a, b})}
    for source, target in (("eu", "es"), ("en", "ja")):
        found = items(f"translate_{source}_{target}")
        assert [item.target for item in found] == [row["text"] for row in lines("translate", target)]
        assert all(row["text"] in item.context for row, item in zip(lines("translate", source), found, strict=True))


@pytest.mark.parametrize("code", CODES)
def test_an_answer_as_it_is_written_down_is_right(code):
    from lm_eval.tasks import TaskManager  # noqa: F401  # the tasks' own functions come with it

    for name in ("extract", "answer"):
        task = built(f"{name}_{code}")
        for row in lines(name, code):
            doc = {"golds": row["answers"]}
            for answer in row["answers"]:
                scores = task._lm_task.config.process_results(doc, [f" {answer}."], task._lm_task.config.metadata)
                assert scores["exact_match"] == 1, (name, row["id"], answer)
            wrong = task._lm_task.config.process_results(doc, ["zzz"], task._lm_task.config.metadata)
            assert wrong == {"exact_match": 0, "f1": 0}
