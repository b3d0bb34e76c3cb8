"""Shows which words AM2iCo asks about, and joins what its tokeniser took apart."""

from __future__ import annotations

import re
from typing import Any

_WORD = re.compile(r"<word>\s*(.*?)\s*</word>")
# Japanese and Chinese characters and their punctuation, between which no space stands.
_UNSPACED = "[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]"
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")


def prepare(docs: Any) -> Any:
    """Return the items with the words (`word1`, `word2`) marked in `text1` and `text2`, and `gold` (0 same, 1 not the same)."""
    return docs.map(_prepared, load_from_cache_file=False)


def _prepared(doc: dict[str, Any]) -> dict[str, Any]:
    if doc["label"] not in ("T", "F"):
        raise ValueError(f"label {doc['label']!r} is neither T nor F; check the version of the data set")
    shown: dict[str, Any] = {"gold": "TF".index(doc["label"])}
    for number in "12":
        text = doc[f"context{number}"]
        found = _WORD.findall(text)
        if len(found) != 1:
            raise ValueError(f"context{number} marks {len(found)} words with <word>, not 1: {text!r}")
        shown |= {f"word{number}": joined(found[0]), f"text{number}": joined(_WORD.sub(r"**\1**", text))}
    return shown


def joined(text: str) -> str:
    """Return a tokenised text as it is written: no space before a comma or after a bracket, quotation marks of one kind."""
    text = _INVISIBLE.sub("", text).replace("``", '"').replace("''", '"')
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r" (?=[,.;:!?)\]])", "", text)
    text = re.sub(r"(?<=[(\[]) ", "", text)
    text = re.sub(rf"(?<={_UNSPACED}) (?=\*\*)|(?<=\*\*) (?={_UNSPACED})", "", text)
    text = re.sub(r" ('(?:s|re|ve|ll|d|m)|n't)\b", r"\1", text)
    return re.sub(r'" ([^"]*) "', r'"\1"', text)
