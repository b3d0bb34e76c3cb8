"""Makes the rows of JMMLU into items with listed options."""

from __future__ import annotations

from typing import Any

from datasets import Dataset

_LETTERS = "ABCD"


def process_docs(dataset: Dataset) -> Dataset:
    """Return the rows with `stem` (text), `options` (four texts) and `gold` (place of the right one)."""
    return dataset.map(_item, load_from_cache_file=False)


def _item(row: dict[str, Any]) -> dict[str, Any]:
    from evalsuite.texts.normalise import clean

    return {
        "stem": clean(row["question"]).strip(),
        "options": [clean(row[letter]).strip() for letter in _LETTERS],
        "gold": _LETTERS.index(row["answer"]),
    }
