"""Makes the rows of EXAMS into items with listed options."""

from __future__ import annotations

from typing import Any

from datasets import Dataset


def process_docs(dataset: Dataset) -> Dataset:
    """Return the rows with `stem` (text), `options` (texts), their `letters`, and `gold` (place of the right one)."""
    return dataset.map(_item, load_from_cache_file=False)


def _item(row: dict[str, Any]) -> dict[str, Any]:
    from evalsuite.texts.normalise import clean

    choices = row["question"]["choices"]
    return {
        "stem": clean(row["question"]["stem"]).strip(),
        "options": [clean(text).strip() for text in choices["text"]],
        "letters": list(choices["label"]),
        "gold": list(choices["label"]).index(row["answerKey"]),
    }
