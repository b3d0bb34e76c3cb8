"""Puts an item of cause or effect into the middle of a sentence: a premise without its full stop, and endings that begin small."""

from __future__ import annotations

from typing import Any

_QUESTIONS = ("cause", "effect")


def prepare(docs: Any) -> Any:
    """Return the items with `stem`, `options` (the two sentences), `endings` (the same, begun small) and `gold` (0 or 1)."""
    return docs.map(_prepared, load_from_cache_file=False)


def _prepared(doc: dict[str, Any]) -> dict[str, Any]:
    if doc["question"] not in _QUESTIONS:
        raise ValueError(
            f"question {doc['question']!r} is neither 'cause' nor 'effect'; check the version of the data set"
        )
    label = str(doc["label"])
    if label not in ("0", "1"):
        raise ValueError(f"label {doc['label']!r} is neither 0 nor 1; take the labelled test set")
    premise = " ".join(doc["premise"].split())
    options = [" ".join(doc[name].split()) for name in ("choice1", "choice2")]
    return {
        "premise": premise,
        # Question and exclamation marks stay: they carry meaning.
        "stem": premise.rstrip(" ."),
        "options": options,
        "endings": [option[:1].lower() + option[1:] for option in options],
        "gold": int(label),
    }
