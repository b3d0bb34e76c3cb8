"""Task files from recipes and prompt words, for the shipped languages and for one that a user adds."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
import yaml

from evalsuite.catalog.languages import load_languages
from evalsuite.catalog.load import load_catalog
from evalsuite.catalog.paths import data_root
from evalsuite.catalog.recipes import load_recipes, make_task_files, write_task_files
from evalsuite.errors import CatalogError
from tests.helpers import ROOT, evalsuite

RECIPE = """\
languages:
  en: {config: english, items: 3}
  eu: {config: basque, items: 2}
template:
  include: _toy.yaml
  task: toy_<< lang.code >>
  dataset_path: made/up
  dataset_name: << v.config >>
  test_split: test
  output_type: multiple_choice
  doc_to_text: "<< w.text >>\\n<< w.answer >>"
  doc_to_choice: "<< w.choices.values() | list >>"
  doc_to_target: gold
  target_delimiter: "<< delimiter >>"
  metadata:
    language: << lang.code >>
    items: << v.items >>
    family: classification
    primary_metric: acc
    licence: none
    source: made up
    norms: << lang.norms >>
    prior_context: "<< w.answer >>"
"""
WORDS = {
    "en": {"text": "Text: {{text}}", "answer": "Topic:", "choices": {"a": "yes", "b": "no"}},
    "eu": {
        "text": "Testua: {{text}}",
        "answer": "Gaia:",
        "choices": {"a": "bai", "b": "ez"},
        "variants": [{"text": "«{{text}}»"}],
    },
    "fr": {"text": "Texte : {{text}}", "answer": "Sujet :", "choices": {"a": "oui", "b": "non"}},
}


@pytest.fixture
def recipes(tmp_path):
    folder = tmp_path / "shipped" / "toy"
    folder.mkdir(parents=True)
    (folder / "_recipe.yaml").write_text(RECIPE, encoding="utf-8")
    (folder / "_toy.yaml").write_text("num_fewshot: 0\n", encoding="utf-8")
    (folder / "utils.py").write_text('"""Helper."""\n', encoding="utf-8")
    return load_recipes(tmp_path / "shipped")


def languages(**changes):
    known = load_languages()
    found = {
        code: known[code].model_copy(update={"prompts": {"toy": words}})
        for code, words in WORDS.items()
        if code in known
    }
    found["fr"] = found["en"].model_copy(update={"code": "fr", "prompts": {"toy": WORDS["fr"]}, **changes})
    return found


def test_words_and_variables_go_into_the_template(recipes):
    made = {task.name: yaml.safe_load(task.text) for task in make_task_files(recipes, languages())}
    assert made.keys() == {"toy_en", "toy_eu"}, "French has words, but the recipe does not say that there is data"
    assert made["toy_eu"]["doc_to_text"] == "Testua: {{text}}\nGaia:"
    assert made["toy_eu"]["doc_to_choice"] == ["bai", "ez"]
    assert made["toy_eu"]["metadata"]["items"] == 2
    assert made["toy_eu"]["metadata"]["norms"]["decimal"] == ","
    assert "forms" not in made["toy_en"]["metadata"]


def test_forms_hold_what_differs_and_nothing_else(recipes):
    (basque,) = [yaml.safe_load(t.text) for t in make_task_files(recipes, languages(), ["eu"])]
    assert basque["metadata"]["forms"] == {
        "native-2": {"doc_to_text": "«{{text}}»\nGaia:"},
        "english": {"doc_to_text": "Text: {{text}}\nTopic:", "doc_to_choice": ["yes", "no"], "prior_context": "Topic:"},
    }


def test_a_language_file_can_bring_the_variables(recipes):
    known = languages(data={"toy": {"config": "french", "items": 9}})
    made = {task.name: yaml.safe_load(task.text) for task in make_task_files(recipes, known)}
    assert (made["toy_fr"]["dataset_name"], made["toy_fr"]["metadata"]["items"]) == ("french", 9)


def test_a_missing_word_names_recipe_line_and_language_file(recipes):
    known = languages()
    words = {"text": "Testua: {{text}}", "choices": {"a": "bai", "b": "ez"}}
    known["eu"] = known["eu"].model_copy(update={"prompts": {"toy": words}})
    with pytest.raises(CatalogError, match=r"_recipe\.yaml:11: template\.doc_to_text: .*answer.*language eu") as caught:
        make_task_files(recipes, known)
    assert "prompts.toy" in str(caught.value.fix)
    assert "eu.yaml" in str(caught.value.fix)


def test_a_recipe_can_name_wordings_of_its_own(recipes):
    forms = {"loud": {"doc_to_text": "<< w.text >>!"}, "english-loud": {"doc_to_text": "loud"}}
    (recipe,) = [one.model_copy(update={"forms": forms, "forms_need": ("choices",)}) for one in recipes]
    made = {t.name: yaml.safe_load(t.text)["metadata"].get("forms") for t in make_task_files([recipe], languages())}
    assert made["toy_en"] == {"loud": {"doc_to_text": "Text: {{text}}!"}}, "English has no English names of its own"
    assert made["toy_eu"].keys() == {"native-2", "english", "loud", "english-loud"}
    lacking = recipe.model_copy(update={"forms_need": ("shouting",)})
    made = {t.name: yaml.safe_load(t.text)["metadata"].get("forms") for t in make_task_files([lacking], languages())}
    assert made["toy_en"] is None
    assert made["toy_eu"].keys() == {"native-2", "english"}


def test_a_language_without_its_data_file_has_no_task(recipes, tmp_path):
    (recipe,) = [one.model_copy(update={"data_file": "data/<< lang.code >>.jsonl"}) for one in recipes]
    assert make_task_files([recipe], languages()) == []
    data = recipe.path.parent / "data" / "eu.jsonl"
    data.parent.mkdir()
    data.write_text("{}", encoding="utf-8")
    assert [task.name for task in make_task_files([recipe], languages())] == ["toy_eu"]
    assert make_task_files([recipe], languages(), folder=tmp_path / "elsewhere") == []


def test_files_are_written_once_and_parts_go_with_them(recipes, tmp_path):
    made, target = make_task_files(recipes, languages()), tmp_path / "mine" / "tasks"
    changed, left = write_task_files(made, target, check=True)
    assert (len(changed), left, target.exists()) == (2, [], False)
    assert len(write_task_files(made, target)[0]) == 2
    assert {p.name for p in (target / "toy").iterdir()} == {"toy_en.yaml", "toy_eu.yaml", "_toy.yaml", "utils.py"}
    assert write_task_files(made, target) == ([], [])
    _, left = write_task_files([t for t in made if t.name == "toy_en"], target)
    assert [p.name for p in left] == ["toy_eu.yaml"]


def test_a_wrong_recipe_names_file_line_and_field(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "_recipe.yaml").write_text("languages: some\ntemplate: {}\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"_recipe\.yaml:1: languages"):
        load_recipes(tmp_path)


def test_the_shipped_files_are_as_they_would_be_made():
    changed, left = write_task_files(make_task_files(load_recipes(), load_languages()), data_root("tasks"), check=True)
    assert (changed, left) == ([], []), "run `evalsuite tasks make`"


def test_the_verb_makes_tasks_for_a_language_of_ones_own(tmp_path):
    (tmp_path / "langs").mkdir()
    (tmp_path / "langs" / "fr.yaml").write_text(
        textwrap.dedent("""\
            code: fr
            name: Français
            english_name: French
            locale: fr
            iso639_3: fra
            flores: fra_Latn
            script: Latn
            family: Indo-European, Romance
            tier: high
            reference: en
            spaced: true
            metric_tokenizer: 13a
            colon: " : "
            prompts:
              sib200:
                text: "Texte : {{text}}"
                answer: "Sujet :"
                choices: {science/technology: a, travel: b, politics: c, sports: d, health: e, entertainment: f, geography: g}
            """),
        encoding="utf-8",
    )
    done = evalsuite("tasks", "make", "--include", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 tasks in fr" in done.stderr
    catalog = load_catalog([tmp_path])
    task = catalog.tasks["sib200_fr"]
    assert (task.language, task.parallel_group, task.data.config) == ("fr", "sib200", "fra_Latn")
    assert task.path == tmp_path / "tasks" / "sib200" / "sib200_fr.yaml"
    again = evalsuite("tasks", "make", "--include", tmp_path, "--check")
    assert again.returncode == 0, again.stderr
    assert Path(ROOT / "tasks" / "sib200" / "sib200_fr.yaml").exists() is False
