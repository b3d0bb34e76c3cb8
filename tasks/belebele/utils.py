"""Prepares the items of Belebele: clean texts, the four answers as a list, and the place of the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset


def process_docs(docs: Dataset) -> Dataset:
    """Return the rows with clean `context` and `question`, with `options` (four texts) and `gold` (0 to 3)."""
    return docs.map(item, load_from_cache_file=False, keep_in_memory=True)


def item(doc: dict[str, Any]) -> dict[str, Any]:
    """Return what `process_docs` changes of a row; `correct_answer_num` counts from 1."""
    from evalsuite.texts.normalise import clean

    return {
        "context": clean(doc["flores_passage"]).strip(),
        "question": clean(doc["question"]).strip(),
        "options": [clean(doc[f"mc_answer{number}"]).strip() for number in range(1, 5)],
        "gold": int(doc["correct_answer_num"]) - 1,
    }
