"""Makes the rows of EusExams into items with listed options."""

from __future__ import annotations

from typing import Any

from datasets import Dataset

_NO_ANSWER = -100  # lm-eval's own mark for a right answer that is not among the options


def process_docs(dataset: Dataset) -> Dataset:
    """Return the rows with `stem` (text), `options` (four texts) and `gold` (place of the right one, or -100).

    A row without an answer keeps its place, and no model gets it right; lm-eval's own tasks leave such rows out.
    """
    return dataset.map(_item, load_from_cache_file=False)


def _item(row: dict[str, Any]) -> dict[str, Any]:
    from evalsuite.texts.normalise import clean

    options = [clean(text or "").strip() for text in row["candidates"]]
    answered = row["answer"] in range(len(options)) and any(options)
    return {
        "stem": clean(row["question"]).strip(),
        "options": options,
        "gold": row["answer"] if answered else _NO_ANSWER,
    }
