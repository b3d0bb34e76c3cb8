"""Writes a user's messages and categories as tasks of lm-eval, a task for each language, and as requests for the device."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from evalsuite.catalog.paths import data_root
from evalsuite.catalog.profile_texts import ProfileTexts
from evalsuite.catalog.recipes import Recipe, load_recipes, make_task_files
from evalsuite.errors import InputError, StoreError
from evalsuite.messages import LabelSet, Message, Messages
from evalsuite.records import Kind, Language, ProfileText

__all__ = ["GROUP", "chance_of", "device_requests", "task_files", "task_name", "write_task_files"]

GROUP = "user"
"""Folder, suite, beginning of every name, and the parallel group where the same ids are in several languages."""
_RECIPE = "labels"
_SHARED = ("_calibrated.yaml", "calibrated.py")
"""What the tasks take over from the shipped ones, copied so that the folder is whole."""
_MARK = "written by `evalsuite classify-eval`"
_HEAD = f"# {{name}} in {{language}}, {_MARK}. Change the CSV or the labels, and not this file.\n"
_LOADER = '''"""Reads a user's messages with their categories, which lie beside the task files; runs in stock lm-eval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import DatasetDict


def load(language: str, **_: Any) -> DatasetDict:
    """Return the messages of a language as a data set with one split, `test`.

    Columns: id, text, category (its key), gold (its place among the choices), choices; where the user has given them
    also descriptions, english_names and english_descriptions, in the same order.
    """
    from datasets import Dataset, DatasetDict

    folder = Path(__file__).parent / "data"
    labels = json.loads((folder / f"{language}.labels.json").read_text(encoding="utf-8"))
    keys = labels.pop("keys")
    # Not `splitlines`, which would also split at separators within a text.
    lines = (folder / f"{language}.jsonl").read_text(encoding="utf-8").removesuffix("\\n").split("\\n")
    rows = [json.loads(line) for line in lines]
    return DatasetDict({"test": Dataset.from_list([{**r, **labels, "gold": keys.index(r["category"])} for r in rows])})
'''


def task_name(code: str) -> str:
    """Return the name of the task of a language."""
    return f"{GROUP}_{code}"


def chance_of(messages: Sequence[Message], labels: int) -> float:
    """Return what a guesser gets: 1 / number of labels, or the share of the largest category, which is at least as much.

    Args:
        messages: Of one language; at least one.
        labels: Number of categories that may be answered, k.
    """
    largest = max(Counter(message.label for message in messages).values())
    return round(max(1 / labels, largest / len(messages)), 4)


def task_files(messages: Messages, languages: Mapping[str, Language]) -> dict[str, str]:
    """Return the files of the task folder by their name in it.

    The prompts are those of the shipped `labels` tasks: the words of `langs/<language>.yaml` in the recipe of `labels`.
    Wordings that describe categories are there where every label has a description in the language, those with English
    names where every label has `names.en`.

    Raises:
        InputError: A language has no prompt words, or no file of labels can be made in it.
    """
    shared = data_root("tasks") / "_shared"
    files = {name: (shared / name).read_text(encoding="utf-8") for name in _SHARED}
    files["user_messages.py"] = _LOADER
    for code in messages.languages:
        found = messages.in_language(code)
        columns = _columns(messages.labels, code)
        files[f"data/{code}.labels.json"] = json.dumps(columns, ensure_ascii=False, indent=1) + "\n"
        rows = ({"id": one.id, "text": one.text, "category": one.label} for one in found)
        files[f"data/{code}.jsonl"] = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        files[f"{task_name(code)}.yaml"] = _task_file(messages, code, columns, languages)
    return files


def write_task_files(files: Mapping[str, str], folder: Path, *, begun: bool) -> None:
    """Write the task folder.

    Args:
        files: From `task_files`.
        folder: The folder of tasks, `<run folder>/tasks/user`.
        begun: Whether the run folder holds a run; its tasks must then be these, and nothing is written.

    Raises:
        StoreError: They are not, or the folder cannot be written.
    """
    if begun:
        odd = [name for name, text in files.items() if not _holds(folder / name, text)]
        odd += [path.name for path in _left(files, folder)]
        if odd:
            told = "other messages or labels" if folder.is_dir() else "a run that `classify-eval` did not make"
            raise StoreError(
                f"{folder.parent.parent} holds {told}: {', '.join(sorted(odd)[:3])} would differ",
                fix="give another folder with --out; results of different messages or labels are not mixed",
            )
        return
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        # What an earlier attempt with other languages has left would be a task of this run.
        for path in _left(files, folder):
            path.unlink()
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be written: {error.strerror or error}", fix="give another folder with --out"
        ) from error


def device_requests(messages: Messages, languages: Mapping[str, Language], *, most: int, seed: int) -> ProfileTexts:
    """Return up to `most` messages of each language as requests for the device, with the prompt that the task has.

    They are drawn by a hash of the id, so that the same ids are drawn in every language where they are the same content.
    Otherwise the ids name their language, since times of different content must not be compared item by item.
    """
    requests = []
    for code in messages.languages:
        words, language = languages[code].prompts[_RECIPE], languages[code]
        names = tuple((" " if language.spaced else "") + name for name in messages.labels.names_in(code))
        ranked = sorted(
            messages.in_language(code), key=lambda one: hashlib.sha256(f"{seed}:{one.id}".encode()).digest()
        )
        requests += [
            ProfileText(
                language=code,
                id=one.id if messages.parallel else f"{code}:{one.id}",
                kind=Kind.CLASSIFICATION,
                prompt=f"{str(words['text']).replace('{{text}}', one.text)}\n{words['answer']}",
                choices=names,
                right=messages.labels.keys.index(one.label),
            )
            for one in ranked[:most]
        ]
    running = [message.text for message in messages.messages]
    random.Random(seed).shuffle(running)
    return ProfileTexts(tuple(requests), "\n".join(running))


# --- one task


def _columns(labels: LabelSet, code: str) -> dict[str, Any]:
    """Return what every item of a language has alike."""
    columns: dict[str, Any] = {"keys": labels.keys, "choices": labels.names_in(code)}
    described = labels.descriptions_in(code)
    names, told = labels.translated("en")
    if described:
        columns["descriptions"] = described
    if names:
        columns["english_names"] = names
    if names and told:
        columns["english_descriptions"] = told
    return columns


def _task_file(messages: Messages, code: str, columns: Mapping[str, Any], languages: Mapping[str, Language]) -> str:
    if not languages[code].prompts.get(_RECIPE):
        raise InputError(
            f"{languages[code].path}: there are no prompt words for `{_RECIPE}`",
            fix=f"add prompts.{_RECIPE}.text and .answer to it",
        )
    shipped = next(recipe for recipe in load_recipes() if recipe.name == _RECIPE)
    (made,) = make_task_files([_own_recipe(shipped, messages, code, columns)], languages, [code])
    config = yaml.safe_load(made.text)
    # Functions are tags in YAML, which the recipe cannot hold.
    lines = ["include: _calibrated.yaml", "custom_dataset: !function user_messages.load"]
    body = yaml.safe_dump(config, allow_unicode=True, sort_keys=False, width=1000)
    head = _HEAD.format(name=messages.path.name, language=languages[code].english_name)
    return head + "\n".join(lines) + "\n" + body


def _own_recipe(shipped: Recipe, messages: Messages, code: str, columns: Mapping[str, Any]) -> Recipe:
    """Return the recipe of `labels` with the user's items, and with the wordings that the user's labels allow."""
    found = messages.in_language(code)
    template = {
        key: value for key, value in shipped.template.items() if key not in {"include", "task", "tag", "metadata"}
    }
    metadata = shipped.template["metadata"]
    template = {
        "task": task_name(code),
        "tag": [GROUP],
        **template,
        "doc_to_choice": "choices",
        "doc_to_target": "gold",
        "metadata": {
            "version": 1.0,
            "language": code,
            "family": "labels",
            "suite": [GROUP],
            "chance": chance_of(found, len(messages.labels.keys)),
            **({"parallel_group": GROUP} if messages.parallel else {}),
            "id_column": "id",
            "items": len(found),
            "primary_metric": metadata["primary_metric"],
            "primary_why": metadata["primary_why"],
            "prior_context": metadata["prior_context"],
            "trained_on": metadata["trained_on"],
            "data_files": [f"data/{code}.jsonl", f"data/{code}.labels.json"],
            "licence": "the user's own",
            "source": f"{messages.path.name} and {messages.labels.path.name}, given by the user",
        },
    }
    forms = {
        name: fields
        for name, fields in shipped.forms.items()
        if not (name == "described" and "descriptions" not in columns)
        and not (name == "english-names" and "english_names" not in columns)
        and not (name == "english-described" and "english_descriptions" not in columns)
    }
    return shipped.model_copy(update={"template": template, "forms": forms, "data_file": None, "languages": "any"})


def _left(files: Mapping[str, str], folder: Path) -> list[Path]:
    """Return task files that were written for other languages; what somebody else wrote there is left alone."""
    others = (path for path in folder.glob(f"{GROUP}_*.yaml") if path.name not in files)
    return sorted(p for p in others if _MARK in p.read_text(encoding="utf-8", errors="replace").partition("\n")[0])


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False
