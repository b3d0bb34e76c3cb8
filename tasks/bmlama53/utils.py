"""Makes BMLAMA-53's rows into items: a sentence with a blank, candidates in an order that tells nothing, one right answer."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any

from datasets import Dataset

_BLANK = "___"


def process_docs(dataset: Dataset) -> Dataset:
    """Return the rows with `sentence` (text with a blank), `options` (texts) and `gold` (place of the right one).

    The right answer is the last candidate in the data, so candidates are put into an order that depends on `idx` alone and
    is thus the same in every language. A sentence may stand in several rows, each with another right answer: answers
    that another row of the sentence gives as right are not offered as wrong ones.
    """
    right: dict[str, set[str]] = defaultdict(set)
    for prompt, answer in zip(dataset["Prompt"], dataset["Ans"], strict=True):
        right[prompt].add(answer)
    return dataset.map(lambda row: _item(row, right[row["Prompt"]]), load_from_cache_file=False)


def _item(row: dict[str, Any], right: set[str]) -> dict[str, Any]:
    """Return the new fields of one row; `right` holds every right answer of its sentence."""
    from evalsuite.texts.normalise import clean

    candidates = row["Candidate Ans"].split(", ")
    ordered = [candidates[place] for place in _order(row["idx"], len(candidates))]
    kept = [text for text in ordered if text == row["Ans"] or text not in right]
    sentence = row["Prompt"].replace("<mask>", _BLANK)
    return {
        "sentence": clean(sentence).strip(),
        "options": [clean(text).strip() for text in kept],
        "gold": kept.index(row["Ans"]),
    }


def _order(item: object, count: int) -> list[int]:
    """Return the places 0 to `count` - 1 in an order that depends on the item's id alone."""
    return sorted(range(count), key=lambda place: hashlib.sha256(f"{item}:{place}".encode()).digest())
