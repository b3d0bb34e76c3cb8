"""Reads the class of a tweet, a number or a word, and puts the tweet on one line."""

from __future__ import annotations

from typing import Any

_CLASSES = ("negative", "neutral", "positive")


def prepare(docs: Any) -> Any:
    """Return the items with `text` on one line and `gold` (0 negative, 1 neutral, 2 positive)."""
    return docs.map(_prepared, load_from_cache_file=False)


def _prepared(doc: dict[str, Any]) -> dict[str, Any]:
    return {"text": " ".join(doc["text"].split()), "gold": number(doc["label"])}


def number(label: int | str) -> int:
    """Return the number of a class that is given as 0, 1, 2, as such a digit, or by its name."""
    found = _CLASSES.index(label) if label in _CLASSES else int(label)
    if not 0 <= found < len(_CLASSES):
        raise ValueError(
            f"label {label!r} is none of 0, 1, 2 ({', '.join(_CLASSES)}); check the version of the data set"
        )
    return found
