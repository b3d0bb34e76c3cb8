"""Makes TruthfulQA's rows into multiple-choice items whose true answer stands in no fixed place."""

from __future__ import annotations

import hashlib
from typing import Any

from datasets import Dataset


def process_docs(dataset: Dataset) -> Dataset:
    """Return the rows with `asked` (text), `options` (texts) and `gold` (place of the true answer).

    The true answer is the first in the data, so answers are put into an order that depends on `id` alone and is thus the
    same in every language. Blank answers, which some rows have, are left out: they are slips of the data, and with them
    left out the number of answers is the same in every language.
    """
    return dataset.map(_item, load_from_cache_file=False)


def _item(row: dict[str, Any]) -> dict[str, Any]:
    from evalsuite.texts.normalise import clean

    targets = row["mc1_targets"]
    right = clean(targets["choices"][list(targets["labels"]).index(1)]).strip()
    texts = [text for text in (clean(choice).strip() for choice in targets["choices"]) if text]
    options = [texts[place] for place in _order(row["id"], len(texts))]
    # A translation may offer the true answer twice; the scores are then equal, and the first of the highest is taken.
    return {"asked": clean(row["question"]).strip(), "options": options, "gold": options.index(right)}


def _order(item: object, count: int) -> list[int]:
    """Return the places 0 to `count` - 1 in an order that depends on the item's id alone."""
    return sorted(range(count), key=lambda place: hashlib.sha256(f"{item}:{place}".encode()).digest())
