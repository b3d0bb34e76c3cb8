"""Reads the project's own messages with their categories, which lie beside the task files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

if TYPE_CHECKING:
    from datasets import DatasetDict

_TASKS = Path(__file__).parent.parent
_OF_EACH = 4
"""Messages of a category where there are 48."""


class Category(NamedTuple):  # no dataclass: lm-eval does not register the module while it is read
    """A category in one language, and the messages that belong to it."""

    key: str
    name: str
    description: str
    messages: Sequence[str]


def load(language: str, parallel_group: str, **_: Any) -> DatasetDict:
    """Return messages as a data set with one split, `test`.

    Columns: id, text, category (its key), gold; choices and descriptions, in the order of the categories, and
    english_names and english_descriptions, the same in English.
    """
    from datasets import Dataset, DatasetDict

    many = parallel_group == "labels_many"
    own, english = ((_many if many else _twelve)(code) for code in (language, "en"))
    common = {
        "choices": [category.name for category in own],
        "descriptions": [category.description for category in own],
        "english_names": [category.name for category in english],
        "english_descriptions": [category.description for category in english],
    }
    rows = [
        {"id": f"{category.key}-{number:02d}", "text": text, "category": category.key, **common, "gold": place}
        for place, category in enumerate(own)
        for number, text in enumerate(category.messages, start=1)
    ]
    return DatasetDict({"test": Dataset.from_list(rows)})


def _twelve(language: str) -> list[Category]:
    data = yaml.safe_load(_found(Path("labels", "data", f"{language}.yaml")).read_text(encoding="utf-8"))
    return [
        Category(key, one["name"], one["description"], data["messages"][key]) for key, one in data["categories"].items()
    ]


def _many(language: str) -> list[Category]:
    lines = _found(Path("labels_many", "data", f"{language}.jsonl")).read_text(encoding="utf-8").removesuffix("\n")
    more = [Category(**json.loads(line)) for line in lines.split("\n")]
    first = [Category(c.key, c.name, c.description, c.messages[:_OF_EACH]) for c in _twelve(language)]
    return [*first, *more]


def _found(path: Path) -> Path:
    """Return a file beside the tasks; English is the shipped one where a user's folder has a language of its own only."""
    if (_TASKS / path).is_file():
        return _TASKS / path
    from evalsuite.catalog.paths import data_root

    return data_root("tasks") / path
