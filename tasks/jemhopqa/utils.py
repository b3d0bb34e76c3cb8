"""Prepares the items of JEMHopQA: yes and no in Japanese words, names and dates as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset

# The data writes YES and NO; the questions are in Japanese, and so are replies.
_YES_NO = {"YES": ["はい", "ええ", "そうです", "YES"], "NO": ["いいえ", "いや", "違います", "NO"]}


def process_docs(docs: Dataset) -> Dataset:
    """Return the rows with `golds`, the right answers, and with `yes_no`, whether they are words for yes or no."""
    return docs.map(item, load_from_cache_file=False, keep_in_memory=True)


def item(doc: dict[str, Any]) -> dict[str, Any]:
    """Return what `process_docs` changes of a row."""
    return {"golds": _YES_NO.get(doc["answer"], [doc["answer"]]), "yes_no": doc["answer"] in _YES_NO}
