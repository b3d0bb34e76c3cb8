"""Puts inference data sets into one shape: premise, the premise without its full stop, hypothesis, and a number for the label."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_LABELS = {"entailment": 0, "neutral": 1, "contradiction": 2}
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")


def prepare(docs: Any) -> Any:
    """Return the items with `premise`, `stem`, `hypothesis`, `label` (0 entailment, 1 neutral, 2 contradiction) and `premise_id`.

    The columns may also be called sentence1, sentence2 and gold_label, and the label may be a word.
    """
    ids = _premise_ids(docs)
    return docs.map(lambda doc, index: _prepared(doc, ids[index]), with_indices=True, load_from_cache_file=False)


def prepare_english(docs: Any) -> Any:
    """Return JSICK's items with the English sentences and labels (columns `premise_en`, `hypothesis_en`, `label_en`)."""
    ids = _premise_ids(docs)

    def chosen(doc: dict[str, Any], index: int) -> dict[str, Any]:
        english = {name: doc[f"{name}_en"] for name in ("premise", "hypothesis", "label")}
        return _prepared({**doc, **english}, ids[index])

    return docs.map(chosen, with_indices=True, load_from_cache_file=False)


def _prepared(doc: dict[str, Any], premise_id: str) -> dict[str, Any]:
    premise = tidy(doc.get("premise", doc.get("sentence1")) or "")
    label = doc.get("label", doc.get("gold_label"))
    return {
        "premise": premise,
        # "He left., right?" is no English. Question marks stay: they carry meaning.
        "stem": premise.rstrip(" .,;:。、"),
        "hypothesis": tidy(doc.get("hypothesis", doc.get("sentence2")) or ""),
        "label": _number(label),
        "premise_id": premise_id,
    }


def _number(label: Any) -> int:
    """Return the number of a label that is a word or a number."""
    number = _LABELS.get(label, label) if isinstance(label, str) else label
    if number not in _LABELS.values():
        raise ValueError(
            f"label {label!r} is none of {', '.join(_LABELS)} (0, 1, 2); check the version of the data set"
        )
    return int(number)


def _premise_ids(docs: Any) -> list[str]:
    """Return for each item what names the items that share its premise, so that they are no independent sample."""
    if "prem_id" in docs.column_names:
        return [str(name) for name in docs["prem_id"]]
    if "pair_id" in docs.column_names:
        return [str(name).rpartition("_")[0] for name in docs["pair_id"]]
    if "premise_en" in docs.column_names:
        return linked(zip(docs["premise_en"], docs["hypothesis_en"], strict=True))
    # XNLI has no id, but its rows come in threes that share a premise.
    return [str(index // 3) for index in range(len(docs))]


def linked(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return for each pair of sentences the name of its group: pairs that share a sentence, directly or through others."""
    above: dict[str, str] = {}

    def top(sentence: str) -> str:
        while above.setdefault(sentence, sentence) != sentence:
            above[sentence] = above[above[sentence]]
            sentence = above[sentence]
        return sentence

    pairs = list(pairs)
    for first, second in pairs:
        above[top(first)] = top(second)
    return [top(first) for first, _ in pairs]


def tidy(text: str) -> str:
    """Return a text without invisible characters and repeated spaces."""
    return re.sub(r"\s+", " ", _INVISIBLE.sub("", text)).strip()
