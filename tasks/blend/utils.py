"""Prepares the items of BLEnD: the answers that people of a country gave, with their votes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset


def process_docs(docs: Dataset) -> Dataset:
    """Return the rows with a clean `question`, with `golds`, and with `votes`, how many people gave each of them."""
    return docs.map(item, load_from_cache_file=False, keep_in_memory=True)


def item(doc: dict[str, Any]) -> dict[str, Any]:
    """Return what `process_docs` changes of a row; spellings of one answer share its votes."""
    from evalsuite.texts.normalise import clean

    told = [
        (spelling.strip(), answer["count"])
        for answer in doc["annotations"]
        for text in answer["answers"]
        for spelling in clean(text).splitlines()  # one answer holds two spellings, a line each
    ]
    return {
        "question": clean(doc["question"]).strip(),
        "golds": [text for text, _ in told],
        "votes": [count for _, count in told],
    }
