"""Reads the project's own items, which lie beside the task files, and puts right answers into evenly used places."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import DatasetDict

_TASKS = Path(__file__).parent.parent


def load(starter: str, **metadata: Any) -> DatasetDict:
    """Return the set that the metadata's `starter` names, as a data set with one split, `test`."""
    makers: dict[str, Callable[..., Iterator[dict[str, Any]]]] = {
        "choice": choice,
        "reading": reading,
        "answer": answer,
        "extract": extract,
        "translate": translate,
        "grammar": grammar,
    }
    from datasets import Dataset, DatasetDict

    return DatasetDict({"test": Dataset.from_list(list(makers[starter](**metadata)))})


def choice(language: str, **_: Any) -> Iterator[dict[str, Any]]:
    """Return premises with their two sentences, in COPA's columns: premise, question, choice1, choice2, label."""
    rows = read("choice", language)
    places = spread(len(rows), 2, "choice")
    return (
        {
            "id": row["id"],
            "premise": row["premise"],
            "question": row["ask"],
            **dict(zip(("choice1", "choice2"), _placed(row["right"], [row["wrong"]], place), strict=True)),
            "label": place,
        }
        for row, place in zip(rows, places, strict=True)
    )


def reading(language: str, **_: Any) -> Iterator[dict[str, Any]]:
    """Return questions on passages: context, question, options (four texts), gold (0 to 3), passage (its id)."""
    asked = [(row, n, one) for row in read("reading", language) for n, one in enumerate(row["questions"], start=1)]
    places = spread(len(asked), 4, "reading")
    return (
        {
            "id": f"{row['id']}-{number}",
            "passage": row["id"],
            "context": row["text"],
            "question": one["ask"],
            "options": _placed(one["right"], one["wrong"], place),
            "gold": place,
        }
        for (row, number, one), place in zip(asked, places, strict=True)
    )


def answer(language: str, **_: Any) -> Iterator[dict[str, Any]]:
    """Return questions on short texts: context, question, golds (every form of the answer that is right)."""
    return (
        {"id": row["id"], "context": row["text"], "question": row["ask"], "golds": row["answers"]}
        for row in read("answer", language)
    )


def extract(language: str, **_: Any) -> Iterator[dict[str, Any]]:
    """Return messages with what is to be found in them: text, kind (name, date or amount), golds."""
    return (
        {"id": row["id"], "text": row["text"], "kind": row["kind"], "golds": _spaced_or_not(row["answers"])}
        for row in read("extract", language)
    )


def translate(source_language: str, target_language: str, **_: Any) -> Iterator[dict[str, Any]]:
    """Return sentences in two languages: source, target."""
    source = read("translate", source_language)
    target = {row["id"]: row["text"] for row in read("translate", target_language)}
    return ({"id": row["id"], "source": row["text"], "target": target[row["id"]]} for row in source)


def grammar(language: str, **_: Any) -> Iterator[dict[str, Any]]:
    """Return minimal pairs: phenomenon, options (two sentences), gold (0 or 1, the place of the good one)."""
    rows = read("grammar", language)
    return (
        {
            "id": row["id"],
            "phenomenon": row["phenomenon"],
            "options": _placed(row["good"], [row["bad"]], place),
            "gold": place,
        }
        for row, place in zip(rows, spread(len(rows), 2, "grammar"), strict=True)
    )


def read(name: str, language: str) -> list[dict[str, Any]]:
    """Return the lines of one language's file."""
    path = _TASKS / name / "data" / f"{language}.jsonl"
    # Not `splitlines`, which would also split at separators within a text.
    lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return [json.loads(line) for line in lines]


def spread(items: int, places: int, key: str) -> list[int]:
    """Return a place for each item's right answer: each place equally often, in an order that depends on `key` alone.

    The same in every language, so that a liking for a place cannot look like a gap.
    """
    drawn = sorted(range(items), key=lambda item: hashlib.sha256(f"{key}:{item}".encode()).digest())
    found = [0] * items
    for rank, item in enumerate(drawn):
        found[item] = rank % places
    return found


def _spaced_or_not(answers: Sequence[str]) -> list[str]:
    """Return answers with the euro sign also next to its number and apart from it: both are written, and both right."""
    glued = [re.sub(r"(?<=\d) (?=€)", "", answer) for answer in answers]
    apart = [re.sub(r"(?<=\d)(?=€)", " ", answer) for answer in answers]
    return list(dict.fromkeys((*answers, *glued, *apart)))


def _placed(right: str, wrong: Sequence[str], place: int) -> list[str]:
    return [*wrong[:place], right, *wrong[place:]]
