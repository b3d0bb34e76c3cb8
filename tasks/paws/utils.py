"""Prepares pairs of sentences: text as it is written, the first without its full stop, and whether the second says the same."""

from __future__ import annotations

import re
from typing import Any

_LABELS = {"1": 0, "0": 1, "parafrasis": 0, "no parafrasis": 1}
"""Place of the answer: yes is first."""
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")


def prepare(docs: Any) -> Any:
    """Return the items with tidied sentences, `first`, `stem` and `gold` (0 the same, 1 not).

    Every row stays in its place, those with an empty sentence too: items are named by their place in the data.
    """
    return docs.map(
        lambda doc: pair(doc["sentence1"], doc["sentence2"], _gold(doc["label"])), load_from_cache_file=False
    )


def prepare_galician(docs: Any) -> Any:
    """Return Parafrases_gl's items in the same shape; the borderline pairs count as paraphrases."""
    return docs.map(
        lambda doc: pair(doc["Frase"], doc["Paráfrase"], _graded(doc["Avaliación"])), load_from_cache_file=False
    )


def pair(first: str | None, second: str | None, gold: int) -> dict[str, Any]:
    """Return the fields of an item; a missing sentence is an empty one."""
    tidied = joined(first or "")
    return {
        "first": tidied,
        "sentence1": tidied,
        # "He left., right?" is no English. Question marks stay: they carry meaning.
        "stem": tidied.rstrip(" .,;。、"),
        "sentence2": joined(second or ""),
        "gold": gold,
    }


def _gold(label: Any) -> int:
    found = _LABELS.get(str(label).strip().lower())
    if found is None:
        raise ValueError(
            f"label {label!r} is none of 0, 1, 'No Parafrasis', 'Parafrasis'; check the version of the data set"
        )
    return found


def _graded(label: Any) -> int:
    if str(label).strip() not in ("0", "1", "2"):
        raise ValueError(f"Avaliación {label!r} is none of 0, 1, 2; check the version of the data set")
    return 1 if str(label).strip() == "0" else 0


def joined(text: str) -> str:
    """Return a tokenised text as it is written: no space before a comma, inside brackets and quotation marks."""
    text = _INVISIBLE.sub("", text).replace("``", '"').replace("''", '"')
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r" (?=[,.;:!?)\]。、])", "", text)
    text = re.sub(r"(?<=[(\[¿¡]) ", "", text)
    text = re.sub(r" ('(?:s|re|ve|ll|d|m)|n't)\b", r"\1", text)
    return re.sub(r'"\s*([^"]*?)\s*"', r'"\1"', text)
