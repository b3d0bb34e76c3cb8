"""The requests of a profile are the same in every language, and those of `labels` are the task's own; wrong files are told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.languages import load_languages
from evalsuite.catalog.profile_texts import ProfileTexts, load_profile_texts
from evalsuite.catalog.tasks import load_tasks
from evalsuite.errors import CatalogError, DataMissingError
from evalsuite.records import Kind, PromptForm
from tests.helpers import ROOT

LANGUAGES = load_languages()
CODES = sorted(LANGUAGES)
LINES: list[dict[str, Any]] = [
    {"id": "reading-1", "kind": "reading", "prompt": "A passage.\nQuestion: why?\nAnswer:", "answer": " So."},
    {"id": "reading-2", "kind": "reading", "prompt": "Another.\nQuestion: how?\nAnswer:", "answer": " Thus."},
    {"id": "translation-1", "kind": "translation", "prompt": "Hola\nEnglish:", "answer": " Hello"},
    {"id": "answer-1", "kind": "answer", "prompt": "Why is the sky blue?\nAnswer:"},
    {"id": "long-1", "kind": "long", "prompt": "A long text."},
]

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a folder of the user with the requests of a language, as lines or as text."""

    def place(code: str, lines: list[dict[str, Any]] | str = LINES) -> None:
        path = tmp_path / "tasks" / "profile" / "data" / f"{code}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = lines if isinstance(lines, str) else "".join(json.dumps(line) + "\n" for line in lines)
        path.write_text(text, encoding="utf-8")

    return place


@pytest.fixture
def write_labels(tmp_path: Path) -> Write:
    """Write a folder of the user with the messages of a language, changed by a function, or as text."""

    def place(code: str, change: Callable[[dict[str, Any]], object] | str) -> None:
        path = tmp_path / "tasks" / "labels" / "data" / f"{code}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(change, str):
            path.write_text(change, encoding="utf-8")
            return
        data = yaml.safe_load((ROOT / "tasks/labels/data" / f"{code}.yaml").read_text(encoding="utf-8"))
        change(data)
        path.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), encoding="utf-8")

    return place


def load(*codes: str, include: Path | None = None) -> ProfileTexts:
    return load_profile_texts([LANGUAGES[code] for code in codes], [include] if include else [])


def of_kind(texts: ProfileTexts, code: str, kind: Kind) -> list[str]:
    return [text.id for text in texts.requests if (text.language, text.kind) == (code, kind)]


# --- what is shipped


def test_every_language_is_asked_the_same_in_the_same_order() -> None:
    texts = load(*CODES)
    for kind, size in {Kind.CLASSIFICATION: 120, Kind.READING: 5, Kind.TRANSLATION: 5, Kind.ANSWER: 5}.items():
        ids = {tuple(of_kind(texts, code, kind)) for code in CODES}
        assert [len(each) for each in ids] == [size]
    assert len(texts.requests) == len(CODES) * 135
    assert len({(text.language, text.id) for text in texts.requests}) == len(texts.requests)


def test_messages_come_one_of_each_category_after_the_other() -> None:
    """So that the first dozen has every right answer once."""
    texts = [text for text in load("eu").requests if text.kind is Kind.CLASSIFICATION]
    assert [text.right for text in texts] == list(range(12)) * 10
    assert [text.id.rpartition("-")[2] for text in texts[::12]] == [f"{number:02d}" for number in range(1, 11)]


@pytest.mark.parametrize("code", ["es", "ja"])
def test_a_message_is_put_as_the_task_puts_it(code: str) -> None:
    """To the letter what lm-eval makes of the task: prompt, what stands before each choice, and the right one."""
    from evalsuite.harness import build_task

    built = build_task(load_tasks()[f"labels_{code}"], DataFinder(), PromptForm.NATIVE)
    ours = {text.id: text for text in load(code).requests if text.kind is Kind.CLASSIFICATION}
    assert len(built) == len(ours)
    for index in (0, 17, 119):
        part = built._part([index])
        part.build_all_requests()
        doc = part.instances[0].doc
        text = ours[doc["id"]]
        # The task asks for each choice a second time, behind a prompt without the message.
        asked = [instance.args for instance in part.instances][: len(text.choices)]
        assert [(text.prompt, choice) for choice in text.choices] == asked
        assert doc["gold"] == text.right


def test_the_long_text_is_that_of_the_first_language() -> None:
    assert load("ja", "en").long == load("ja").long != load("en").long


def test_the_hash_covers_all_that_is_asked(write: Write, tmp_path: Path) -> None:
    write("en")
    first = load("en", include=tmp_path).sha256
    assert load("en", include=tmp_path).sha256 == first
    for place, field in ((0, "prompt"), (0, "answer"), (4, "prompt"), (1, "id")):
        changed = [dict(line) for line in LINES]
        changed[place][field] += "x"
        write("en", changed)
        assert load("en", include=tmp_path).sha256 != first, field


# --- the user's own


def test_a_file_of_the_user_stands_in_for_the_shipped_one(write: Write, tmp_path: Path) -> None:
    write("en")
    texts = load("en", include=tmp_path)
    assert of_kind(texts, "en", Kind.READING) == ["reading-1", "reading-2"]
    assert texts.long == "A long text."
    (answer,) = (text for text in texts.requests if text.kind is Kind.ANSWER)
    assert (answer.prompt, answer.answer, answer.choices, answer.right) == (LINES[3]["prompt"], "", (), None)
    # The messages are still those of the task.
    assert len(of_kind(texts, "en", Kind.CLASSIFICATION)) == 120


def test_messages_of_the_user_stand_in_for_the_shipped_ones(write_labels: Write, tmp_path: Path) -> None:
    write_labels("eu", lambda data: data["messages"]["delivery"].__setitem__(0, "Non dago nire liburua?"))
    found = {text.id: text for text in load("eu", include=tmp_path).requests}
    assert "Non dago nire liburua?" in found["delivery-01"].prompt
    assert found["delivery-02"] == {text.id: text for text in load("eu").requests}["delivery-02"]


def test_a_category_with_fewer_messages_shortens_all(write_labels: Write, tmp_path: Path) -> None:
    write_labels("eu", lambda data: data["messages"].update(delivery=data["messages"]["delivery"][:3]))
    texts = load("eu", include=tmp_path)
    assert len(of_kind(texts, "eu", Kind.CLASSIFICATION)) == 3 * 12


def test_a_message_with_the_words_of_a_placeholder_is_left_alone(write_labels: Write, tmp_path: Path) -> None:
    write_labels("en", lambda data: data["messages"]["delivery"].__setitem__(0, "What is {{text}} on my bill? \\1 {0}"))
    text = {text.id: text for text in load("en", include=tmp_path).requests}["delivery-01"]
    assert text.prompt == "Message: What is {{text}} on my bill? \\1 {0}\nCategory:"


def test_lines_in_another_order_are_asked_in_the_same_order(write: Write, tmp_path: Path) -> None:
    """A round takes the requests by their place, so that the content would else differ between languages."""
    write("en")
    write("es", [LINES[number] for number in (4, 1, 3, 0, 2)])
    texts = load("en", "es", include=tmp_path)
    assert of_kind(texts, "es", Kind.READING) == of_kind(texts, "en", Kind.READING) == ["reading-1", "reading-2"]


# --- what is missing or differs


def test_a_language_without_requests_is_told(tmp_path: Path) -> None:
    basque = LANGUAGES["eu"].model_copy(update={"code": "xx", "english_name": "Exish"})
    with pytest.raises(
        DataMissingError, match=r"requests for a profile in Exish \(xx\): no profile/data/xx.jsonl"
    ) as caught:
        load_profile_texts([basque], [tmp_path])
    assert "--langs" in str(caught.value.fix)
    assert "--include" in str(caught.value.fix)


def test_a_language_without_messages_is_told(write: Write, tmp_path: Path) -> None:
    write("xx")
    unknown = LANGUAGES["eu"].model_copy(update={"code": "xx"})
    with pytest.raises(DataMissingError, match=r"no labels/data/xx\.yaml"):
        load_profile_texts([unknown], [tmp_path])


def test_a_language_without_prompt_words_is_told() -> None:
    silent = LANGUAGES["eu"].model_copy(update={"prompts": {}})
    with pytest.raises(DataMissingError, match="no prompt words for `labels`") as caught:
        load_profile_texts([silent])
    assert str(silent.path) in caught.value.problem
    assert "prompts.labels" in str(caught.value.fix)


@pytest.mark.parametrize(
    ("lines", "odd"),
    [
        pytest.param(LINES[1:], "reading-1", id="one is missing"),
        pytest.param([*LINES, {**LINES[3], "id": "answer-2"}], "answer-2", id="one is added"),
        pytest.param([*LINES[1:], {**LINES[0], "id": "reading-9"}], "reading-1, reading-9", id="another one"),
        pytest.param([*LINES[1:], {**LINES[0], "kind": "translation"}], "reading-1", id="of another kind"),
        pytest.param([*LINES, LINES[0]], "reading-1", id="one is there twice"),
    ],
)
def test_languages_with_different_requests_are_refused(
    write: Write, tmp_path: Path, lines: list[dict[str, Any]], odd: str
) -> None:
    write("en")
    write("es", lines)
    # By itself the language may have other requests, but none twice.
    with pytest.raises((DataMissingError, CatalogError)) as caught:
        load("en", "es", include=tmp_path)
    assert odd in caught.value.problem
    assert "es" in caught.value.problem
    assert caught.value.fix


# --- files that are wrong


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "Expecting property name"),
        ("", "Expecting value"),
        ('["reading"]', ""),
        ('{"id": "a", "prompt": "b"}', "kind"),
        ('{"id": "a", "kind": "readings", "prompt": "b", "answer": "c"}', "'reading'"),
        ('{"id": "a", "kind": "reading", "answer": "b"}', "Field required"),
        ('{"id": "a", "kind": "reading", "prompt": "b", "answer": 3}', "string"),
        ('{"id": "a", "kind": "reading", "prompt": "b", "answer": "c", "target": "d"}', "not permitted"),
        ('{"id": "a", "kind": "long"}', "prompt"),
        # A device would be asked to choose among nothing, or to write nothing behind nothing.
        ('{"id": "a", "kind": "classification", "prompt": "b"}', "classification"),
        ('{"id": "a", "kind": "answer", "prompt": ""}', "prompt"),
        ('{"id": "a", "kind": "reading", "prompt": "b", "answer": ""}', "answer"),
        ('{"id": "a", "kind": "translation", "prompt": "b"}', "answer"),
        ('{"id": "a", "kind": "long", "prompt": ""}', "prompt"),
        ('{"id": "reading-1", "kind": "reading", "prompt": "b", "answer": "c"}', "reading-1"),
    ],
)
def test_a_line_that_is_no_request_is_told_with_its_number(write: Write, tmp_path: Path, line: str, told: str) -> None:
    good = "".join(json.dumps(one) + "\n" for one in LINES)
    write("en", good + line + "\n" + json.dumps({**LINES[3], "id": "answer-7"}) + "\n")
    with pytest.raises(CatalogError) as caught:
        load("en", include=tmp_path)
    assert caught.value.problem.startswith(f"{tmp_path}/tasks/profile/data/en.jsonl:6: ")
    assert told in caught.value.problem
    assert caught.value.fix


@pytest.mark.parametrize("kind", ["reading", "translation", "answer", "long"])
def test_a_kind_without_a_request_is_told(write: Write, tmp_path: Path, kind: str) -> None:
    write("en", [line for line in LINES if line["kind"] != kind])
    with pytest.raises(CatalogError, match=f"no request of the kind {kind}") as caught:
        load("en", include=tmp_path)
    assert "en.jsonl" in caught.value.problem


def test_a_file_that_is_no_text_is_told(write: Write, tmp_path: Path) -> None:
    write("es", "")
    path = tmp_path / "tasks" / "profile" / "data" / "es.jsonl"
    path.write_bytes('{"id": "reading-1", "prompt": "¿Qué?"}'.encode("latin-1"))
    with pytest.raises(CatalogError, match="UTF-8") as caught:
        load("es", include=tmp_path)
    assert str(path) in caught.value.problem


def test_a_line_separator_within_a_text_ends_no_line(write: Write, tmp_path: Path) -> None:
    """JSON may hold U+2028 as it is, and Python takes it for the end of a line."""
    lines = [{**line, "prompt": line["prompt"].replace("\n", "\u2028")} for line in LINES]
    write("en", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    found = {text.id: text for text in load("en", include=tmp_path).requests}
    assert found["reading-1"].prompt == LINES[0]["prompt"].replace("\n", "\u2028")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: data.pop("categories"), id="no categories"),
        pytest.param(lambda data: data.pop("messages"), id="no messages"),
        pytest.param(lambda data: data["messages"].pop("delivery"), id="a category without messages"),
        pytest.param(lambda data: data["messages"].update(delivery=[]), id="a category with no messages in it"),
        pytest.param(lambda data: data["categories"]["delivery"].pop("name"), id="a category without a name"),
        pytest.param(lambda data: data["messages"].update(delivery=[1] * 10), id="a message that is no text"),
        pytest.param("categories: [\n", id="no YAML"),
    ],
)
def test_messages_that_are_wrong_are_told(write_labels: Write, tmp_path: Path, change: Any) -> None:
    write_labels("en", change)
    with pytest.raises(CatalogError) as caught:
        load("en", include=tmp_path)
    assert str(tmp_path / "tasks/labels/data/en.yaml") in caught.value.problem


def test_the_shipped_folder_is_not_needed_beside_a_whole_one_of_the_user(tmp_path: Path) -> None:
    """A new language is two files: its requests and its messages."""
    for name, suffix in (("profile", "jsonl"), ("labels", "yaml")):
        folder = tmp_path / "tasks" / name / "data"
        folder.mkdir(parents=True)
        shutil.copy(ROOT / "tasks" / name / "data" / f"eu.{suffix}", folder / f"xx.{suffix}")
    new = LANGUAGES["eu"].model_copy(update={"code": "xx"})
    texts = load_profile_texts([LANGUAGES["es"], new], [tmp_path])
    assert of_kind(texts, "xx", Kind.READING) == of_kind(texts, "es", Kind.READING)
