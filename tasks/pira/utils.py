"""Prepares the items of Pirá: each row holds a question on a scientific text in English and in Portuguese."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset


def english_docs(docs: Dataset) -> Dataset:
    """Return the rows with the English `context`, `question` and `golds`, and with `passage`, an id of the text."""
    return docs.map(lambda doc: item(doc, "en", "abstract"), load_from_cache_file=False, keep_in_memory=True)


def portuguese_docs(docs: Dataset) -> Dataset:
    """Return the rows with the Portuguese `context`, `question` and `golds`, and with `passage`, an id of the text."""
    return docs.map(
        lambda doc: item(doc, "pt", "abstract_translated_pt"), load_from_cache_file=False, keep_in_memory=True
    )


def item(doc: dict[str, Any], code: str, text: str) -> dict[str, Any]:
    """Return the fields of one language: the question as first asked, and the answers of its author and of a validator."""
    from evalsuite.texts.normalise import clean

    answers = [clean(doc[f"answer_{code}_{who}"] or "").strip() for who in ("origin", "validate")]
    return {
        "context": clean(doc[text]).strip(),
        "question": clean(doc[f"question_{code}_origin"]).strip(),
        "golds": [answer for answer in answers if answer],
        # From the English text, so that it is the same in both languages.
        "passage": hashlib.sha256(doc["abstract"].encode()).hexdigest()[:12],
    }
