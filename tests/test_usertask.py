"""A user's messages as tasks: what stock lm-eval makes of the folder, wordings, chance, groups, and requests for the device."""

from __future__ import annotations

import dataclasses

import pytest

from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.languages import load_languages
from evalsuite.catalog.tasks import load_tasks
from evalsuite.errors import InputError, StoreError
from evalsuite.harness import build_task
from evalsuite.messages import Asked, load_labels, read_messages
from evalsuite.records import Kind, PromptForm
from evalsuite.taskcheck import check_tasks
from evalsuite.usertask import chance_of, device_requests, task_files, write_task_files
from tests.helpers import ROOT

LANGUAGES = load_languages()
LABELS = """\
delivery:
  names: {es: envío, eu: bidalketa, en: delivery}
  descriptions: {es: dónde está un paquete, en: where a parcel is}
return:
  names: {es: devolución, eu: itzulketa, en: return}
  descriptions: {es: enviar algo de vuelta, en: sending something back}
"""
ROWS = """\
id,text,label,lang
a,¿Dónde está {{mi}} caja?,delivery,es
b,No me vale el abrigo,return,es
c,"Sigue sin llegar\u2028nada",delivery,es
a,Non dago nire kutxa?,delivery,eu
b,Berokia handia zait,return,eu
c,Ez da ezer iritsi,delivery,eu
"""


@pytest.fixture
def messages(tmp_path):
    return read(tmp_path)


def read(folder, rows=ROWS, labels=LABELS):
    (folder / "l.yaml").write_text(labels, encoding="utf-8")
    (folder / "m.csv").write_text(rows, encoding="utf-8")
    return read_messages(folder / "m.csv", load_labels(folder / "l.yaml", LANGUAGES), LANGUAGES, Asked())


def tasks_of(messages, folder):
    write_task_files(task_files(messages, LANGUAGES), folder / "tasks" / "user", begun=False)
    return load_tasks([folder])


def test_a_task_for_each_language_with_its_metadata(messages, tmp_path):
    tasks = tasks_of(messages, tmp_path)
    task = tasks["user_es"]
    assert (task.language, task.family, task.suite, task.items, task.id_column) == ("es", "labels", ("user",), 3, "id")
    assert (task.primary_metric, task.licence) == ("acc", "the user's own")
    assert task.source == "m.csv and l.yaml, given by the user"
    assert task.data.kind == "shipped"
    assert tasks["user_eu"].parallel_group == task.parallel_group == "user"
    assert task.wordings == ("native", "english", "listed", "described", "english-names", "english-described")
    assert tasks["user_eu"].wordings == ("native", "english", "listed", "english-names", "english-described")


def test_items_are_asked_as_those_of_the_shipped_task(messages, tmp_path):
    tasks = tasks_of(messages, tmp_path)
    built = build_task(tasks["user_es"], DataFinder(), PromptForm.NATIVE)
    first, second, third = built.items(range(3))
    assert first.context == "Mensaje: ¿Dónde está {{mi}} caja?\nCategoría:"
    assert (first.choices, first.gold, second.gold, second.id) == (("envío", "devolución"), 0, 1, "b")
    assert "\u2028" in third.context, "separators within a text are no ends of lines"
    shipped = tasks["labels_es"]
    (one,) = build_task(shipped, DataFinder(), PromptForm.NATIVE).items([0])
    assert one.context.startswith("Mensaje: ")
    assert one.context.endswith("\nCategoría:")


def test_the_other_wordings_list_describe_and_translate(messages, tmp_path):
    task = tasks_of(messages, tmp_path)["user_es"]
    asked = {wording: build_task(task, DataFinder(), PromptForm(wording)).items([1])[0] for wording in task.wordings}
    assert asked["english"].context == "Message: No me vale el abrigo\nCategory:"
    assert "- envío\n- devolución\n\nMensaje: " in asked["listed"].context
    assert "- envío: dónde está un paquete\n- devolución: enviar algo de vuelta\n" in asked["described"].context
    assert asked["english-names"].choices == asked["english-described"].choices == ("delivery", "return")
    assert asked["english-names"].context == asked["native"].context
    assert "- return: sending something back\n" in asked["english-described"].context
    assert {item.gold for item in asked.values()} == {1}


def test_without_descriptions_and_english_names_there_are_no_such_wordings(tmp_path):
    labels = "delivery: {names: {es: envío}}\nreturn: {names: {es: devolución, en: return}}\n"
    tasks = tasks_of(read(tmp_path, labels=labels), tmp_path)
    assert tasks["user_es"].wordings == ("native", "english", "listed")


def test_other_ids_make_no_group(tmp_path):
    tasks = tasks_of(read(tmp_path, ROWS.replace("c,Ez", "d,Ez")), tmp_path)
    assert tasks["user_es"].parallel_group is None


def test_the_check_of_tasks_finds_nothing_wrong_with_how_they_are_made(tmp_path):
    tasks = tasks_of(read(tmp_path, ROWS.replace("{{mi}}", "mi")), tmp_path)
    checked = check_tasks([tasks["user_es"], tasks["user_eu"]], DataFinder())
    assert [one.items for one in checked] == [3, 3]
    # Three messages are too few to tell a language by.
    assert {found.code for one in checked for found in one.problems} <= {"language"}


@pytest.mark.parametrize(
    ("labels", "counts", "chance"), [(4, {"a": 5, "b": 5, "c": 5, "d": 5}, 0.25), (8, {"a": 1, "b": 3}, 0.75)]
)
def test_chance_is_that_of_the_better_guesser(messages, labels, counts, chance):
    one = messages.messages[0]
    many = [dataclasses.replace(one, label=label) for label, n in counts.items() for _ in range(n)]
    assert chance_of(many, labels) == chance


def test_stock_lm_eval_builds_and_reads_the_folder(messages, tmp_path):
    from lm_eval.tasks import TaskManager

    tasks_of(messages, tmp_path)
    manager = TaskManager(include_path=str(tmp_path / "tasks" / "user"), include_defaults=False)
    task = manager.load(["user_eu"])["tasks"]["user_eu"]
    docs = list(task.test_docs())
    assert [doc["id"] for doc in docs] == ["a", "b", "c"]
    assert task.doc_to_text(docs[1]) == "Mezua: Berokia handia zait\nKategoria:"
    assert task.doc_to_choice(docs[1])[task.doc_to_target(docs[1])] == "itzulketa"


def test_a_language_without_prompt_words_is_refused(messages):
    bare = {**LANGUAGES, "eu": LANGUAGES["eu"].model_copy(update={"prompts": {}})}
    with pytest.raises(InputError, match="there are no prompt words for `labels`"):
        task_files(messages, bare)


# --- the folder


def test_a_folder_goes_on_from_the_same_input_only(messages, tmp_path):
    folder = tmp_path / "run" / "tasks" / "user"
    files = task_files(messages, LANGUAGES)
    write_task_files(files, folder, begun=False)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    write_task_files(files, folder, begun=True)
    other = task_files(read(tmp_path, ROWS.replace("abrigo", "gorro")), LANGUAGES)
    with pytest.raises(StoreError, match=r"holds other messages or labels: data/es\.jsonl would differ"):
        write_task_files(other, folder, begun=True)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    spanish = "".join(line for line in ROWS.splitlines(keepends=True) if not line.rstrip().endswith(",eu"))
    with pytest.raises(StoreError, match=r"user_es\.yaml, user_eu\.yaml would differ"):
        write_task_files(task_files(read(tmp_path, spanish), LANGUAGES), folder, begun=True)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    with pytest.raises(StoreError, match="a run that `classify-eval` did not make"):
        write_task_files(files, tmp_path / "elsewhere" / "tasks" / "user", begun=True)


def test_what_was_not_begun_is_written_anew(messages, tmp_path):
    folder = tmp_path / "run" / "tasks" / "user"
    write_task_files(task_files(messages, LANGUAGES), folder, begun=False)
    mine = folder / "user_mine.yaml"
    mine.write_text("# not made by this command\n", encoding="utf-8")
    spanish = "".join(line for line in ROWS.splitlines(keepends=True) if not line.rstrip().endswith(",eu"))
    write_task_files(task_files(read(tmp_path, spanish), LANGUAGES), folder, begun=False)
    assert {path.name for path in folder.glob("user_*.yaml")} == {"user_es.yaml", "user_mine.yaml"}


def test_a_folder_that_cannot_be_written(messages, tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        write_task_files(task_files(messages, LANGUAGES), tmp_path / "file" / "user", begun=False)


# --- the device


def test_requests_for_the_device_are_the_tasks_prompts(messages, tmp_path):
    texts = device_requests(messages, LANGUAGES, most=2, seed=1)
    assert [text.language for text in texts.requests] == ["es", "es", "eu", "eu"]
    assert {text.kind for text in texts.requests} == {Kind.CLASSIFICATION}
    spanish, basque = ([t.id for t in texts.requests if t.language == code] for code in ("es", "eu"))
    assert spanish == basque, "the same content is drawn in both"
    built = build_task(tasks_of(messages, tmp_path)["user_es"], DataFinder(), PromptForm.NATIVE)
    items = {item.id: item for item in built.items(range(3))}
    for text in texts.requests[:2]:
        item = items[text.id]
        assert (text.prompt, text.choices, text.right) == (item.context, (" envío", " devolución"), item.gold)
    assert all(message.text in texts.long for message in messages.messages)


def test_requests_of_other_content_have_ids_of_their_own(tmp_path):
    found = read(tmp_path, ROWS.replace("c,Ez", "d,Ez"))
    ids = [text.id for text in device_requests(found, LANGUAGES, most=12, seed=1).requests]
    assert len(ids) == len(set(ids)) == 6
    assert {one.partition(":")[0] for one in ids} == {"es", "eu"}


def test_a_language_without_spaces_has_none_before_a_name(tmp_path):
    rows = "text,label,lang\n荷物はどこですか,delivery,ja\n返します,return,ja\n"
    texts = device_requests(read(tmp_path, rows), LANGUAGES, most=2, seed=1).requests
    assert texts[0].choices == ("delivery", "return")


def test_the_example_makes_three_tasks(tmp_path):
    folder = ROOT / "examples" / "messages"
    found = read_messages(folder / "messages.csv", load_labels(folder / "labels.yaml", LANGUAGES), LANGUAGES, Asked())
    tasks = tasks_of(found, tmp_path)
    assert {name: tasks[f"user_{name}"].chance for name in ("es", "eu", "ca")} == {
        "es": 0.125,
        "eu": 0.1333,
        "ca": 0.1333,
    }
    assert all("english-described" in tasks[f"user_{name}"].wordings for name in ("es", "eu", "ca"))
