"""The requests of a profile: the same content in every language, from `tasks/profile/` and the messages of `labels`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evalsuite.catalog.tasks import task_folders
from evalsuite.catalog.yamlfile import load_mapping
from evalsuite.errors import CatalogError, DataMissingError
from evalsuite.records import Kind, Language, ProfileText, digest

__all__ = ["ProfileTexts", "load_profile_texts"]

_LONG = "long"


@dataclass(frozen=True)
class ProfileTexts:
    """All requests of some languages."""

    requests: tuple[ProfileText, ...]
    """Language by language; ids come in the same order in each."""
    long: str
    """A running text, for contexts of a wanted length."""

    @property
    def sha256(self) -> str:
        """Hash of all that is asked."""
        return digest([[text.model_dump(mode="json") for text in self.requests], self.long])


def load_profile_texts(languages: Sequence[Language], include: Sequence[Path] = ()) -> ProfileTexts:
    """Return the requests of a profile in `languages`.

    Args:
        languages: Which.
        include: Folders of the user; a file in their `tasks/profile/data/` stands in for the shipped one.

    Raises:
        DataMissingError: There are none in a language, or not the same ones as in the others.
        CatalogError: A file is wrong; the message names file and line.
    """
    requests: list[ProfileText] = []
    running = ""
    first: tuple[str, list[tuple[Kind, str]]] | None = None
    for language in languages:
        texts, long = _written(language, include)
        texts += _messages(language, include)
        found = {(text.kind, text.id): text for text in texts}
        if first is None:
            first, running = (language.code, list(found)), long
        elif found.keys() != set(first[1]):
            odd = sorted({name for _, name in found.keys() ^ set(first[1])})
            raise DataMissingError(
                f"the requests of a profile differ between {first[0]} and {language.code}: {', '.join(odd[:5])}",
                fix="give both the same ids, with the same content",
            )
        # Rounds take requests by their place, which therefore has the same content in every language.
        requests += [found[key] for key in first[1]]
    return ProfileTexts(tuple(requests), running)


def _written(language: Language, include: Sequence[Path]) -> tuple[list[ProfileText], str]:
    """Return readings, translations and questions, and the long text."""
    path = _find(Path("profile/data") / f"{language.code}.jsonl", language, include)
    texts: list[ProfileText] = []
    long = ""
    for number, line in enumerate(_lines(path), start=1):
        try:
            row: dict[str, Any] = json.loads(line)
            if row["kind"] == _LONG:
                long = _filled(row["prompt"], "prompt")
            else:
                texts.append(_request(language, row, {text.id for text in texts}))
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
            raise CatalogError(
                f"{path}:{number}: no request: {told}",
                fix='write {"id": ..., "kind": "reading", "translation", "answer" or "long", "prompt": ..., "answer": ...}',
            ) from error
    missing = sorted({kind.value for kind in Kind} - {Kind.CLASSIFICATION.value} - {text.kind.value for text in texts})
    if missing or not long:
        raise CatalogError(
            f"{path}: there is no request of the kind {' or '.join(missing) or _LONG}", fix="add a line of that kind"
        )
    return texts, long


def _lines(path: Path) -> list[str]:
    try:
        # Not `splitlines`, which would also split at separators within a text.
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise CatalogError(f"{path}: not UTF-8 text (byte {error.start})", fix="save the file as UTF-8") from error
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read: {error.strerror or error}") from error


def _request(language: Language, row: dict[str, Any], before: set[str]) -> ProfileText:
    """Return the request of a line; a `ValueError` says what a device could not be asked."""
    text = ProfileText(language=language.code, **row)
    if text.kind is Kind.CLASSIFICATION:
        raise ValueError("requests of the kind classification are the messages of `labels`")
    if text.id in before:
        raise ValueError(f"the id {text.id!r} is given twice")
    _filled(text.prompt, "prompt")
    if text.kind is not Kind.ANSWER:
        _filled(text.answer, "answer")
    return text


def _filled(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"the {name} is {value!r}")
    return value


def _messages(language: Language, include: Sequence[Path]) -> list[ProfileText]:
    """Return the messages of `labels`, one of each category after the other, with the prompt that the task has."""
    path = _find(Path("labels/data") / f"{language.code}.yaml", language, include)
    words = language.prompts.get("labels")
    if not words:
        raise DataMissingError(
            f"{language.path}: there are no prompt words for `labels`", fix="add prompts.labels.text and .answer"
        )
    data, _ = load_mapping(path)
    try:
        return _labelled(language, words, data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        told = f"there is no {error}" if isinstance(error, KeyError) else error
        raise CatalogError(
            f"{path}: no messages of every category: {told}", fix="write it as the shipped tasks/labels/data/en.yaml is"
        ) from error


def _labelled(language: Language, words: Mapping[str, Any], data: Mapping[str, Any]) -> list[ProfileText]:
    categories = list(data["categories"])
    space = " " if language.spaced else ""
    names = tuple(space + data["categories"][key]["name"] for key in categories)
    count = min(len(data["messages"][key]) for key in categories)
    if not count:
        raise ValueError("one has none")
    return [
        ProfileText(
            language=language.code,
            id=f"{key}-{number:02d}",
            kind=Kind.CLASSIFICATION,
            prompt=f"{str(words['text']).replace('{{text}}', data['messages'][key][number - 1])}\n{words['answer']}",
            choices=names,
            right=categories.index(key),
        )
        for number in range(1, count + 1)
        for key in categories
    ]


def _find(name: Path, language: Language, include: Sequence[Path]) -> Path:
    folders = task_folders(include)
    for folder in reversed(folders):
        if (folder / name).is_file():
            return folder / name
    raise DataMissingError(
        f"there are no requests for a profile in {language.english_name} ({language.code}): no {name} in "
        f"{', '.join(map(str, folders))}",
        fix=f"leave {language.code} out with --langs, or write tasks/{name} in a folder of yours and give it with --include",
    )
