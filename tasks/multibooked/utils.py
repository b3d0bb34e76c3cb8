"""Makes one polarity of a sentence's opinions, and joins what the corpus' tokeniser took apart."""

from __future__ import annotations

import re
from typing import Any

_CLASSES = ("Positive", "Negative", "Neutral")
_CONTRACTIONS = {"a": "al", "de": "del", "per": "pel"}


def prepare(docs: Any) -> Any:
    """Return the items with readable `text`, `gold` (0 positive, 1 negative, 2 neutral or mixed) and `review`, its review."""
    return docs.map(_prepared, load_from_cache_file=False)


def _prepared(doc: dict[str, Any]) -> dict[str, Any]:
    return {
        "text": joined(doc["text"], catalan="/corpora/ca/" in doc["sent_id"]),
        "gold": polarity([opinion["Polarity"] for opinion in doc["opinions"]]),
        "review": doc["sent_id"].rpartition("-")[0],
    }


def polarity(polarities: list[str]) -> int:
    """Return 0 where all opinions are positive, 1 where all are negative, 2 where there are none or of both kinds."""
    unknown = set(polarities) - set(_CLASSES)
    if unknown:
        raise ValueError(
            f"polarity {unknown.pop()!r} is none of {', '.join(_CLASSES)}; check the version of the data set"
        )
    kinds = set(polarities)
    return _CLASSES.index(kinds.pop()) if len(kinds) == 1 else 2


def joined(text: str, *, catalan: bool) -> str:
    """Return a tokenised text as it is written; in Catalan `de el` becomes `del` again, and `l' hotel` `l'hotel`."""
    text = re.sub(r"\s+", " ", text).strip()
    if catalan:
        # The corpus splits contractions; only the lower-case article is meant: "de El Prat" is a name.
        text = re.sub(r"\b([Aa]|[Dd]e|[Pp]er) (els?)\b", _contracted, text)
        text = re.sub(r"\b([ldnmst]') (?=\w)", r"\1", text, flags=re.IGNORECASE)
    text = re.sub(r" (?=[,.;:!?)\]])", "", text)
    return re.sub(r"(?<=[(\[¿¡]) ", "", text)


def _contracted(found: re.Match[str]) -> str:
    """Return `al`, `del` or `pel`, or their plurals, for a preposition and an article."""
    preposition, article = found[1], found[2]
    whole = _CONTRACTIONS[preposition.lower()] + article.removeprefix("el")
    return whole.capitalize() if preposition[0].isupper() else whole
