"""Puts TE-ca's items into the shape that the words for inference expect."""

from __future__ import annotations

import re
from typing import Any

_LABELS = {"0": 0, "1": 1, "2": 2, "entailment": 0, "neutral": 1, "contradiction": 2}
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")


def prepare(docs: Any) -> Any:
    """Return the items with `premise`, `stem`, `hypothesis`, `first` (names the items of one premise) and `gold`.

    `gold` is 0 for entailment, 1 for neutral, 2 for contradiction; the label may be a number, its digit or its name.
    """
    return docs.map(_prepared, load_from_cache_file=False)


def _prepared(doc: dict[str, Any]) -> dict[str, Any]:
    label = str(doc["label"])
    if label not in _LABELS:
        raise ValueError(f"label {doc['label']!r} is none of {', '.join(_LABELS)}; check the version of the data set")
    premise = _tidy(doc["premise"])
    return {
        "premise": premise,
        "first": premise,
        "stem": premise.rstrip(" .,;:"),
        "hypothesis": _tidy(doc["hypothesis"]),
        "gold": _LABELS[label],
    }


def _tidy(text: str) -> str:
    return " ".join(_INVISIBLE.sub("", text).split())
