"""Brings three corpora of acceptability into one shape: the sentence, whether it is acceptable, and where it comes from."""

from __future__ import annotations

from typing import Any

_PAIR = ("paper_id", "source_type", "source_id")


def prepare(docs: Any) -> Any:
    """Return the items with `text`, `gold` (0 acceptable: yes; 1 not) and `origin` (what is no independent sample shares it).

    Columns may be written with a capital. The halves of a pair of GalCoLA share their origin; elsewhere it is the row.
    """
    return docs.map(_prepared, with_indices=True, load_from_cache_file=False)


def _prepared(doc: dict[str, Any], index: int) -> dict[str, Any]:
    row = {name.lower(): value for name, value in doc.items()}
    if str(row["label"]) not in ("0", "1"):
        raise ValueError(f"label {row['label']!r} is neither 0 nor 1; check the version of the data set")
    paired = all(row.get(name) is not None for name in _PAIR)
    return {
        "text": " ".join(row["sentence"].split()),
        "gold": 1 - int(row["label"]),
        "origin": "/".join(str(row[name]) for name in _PAIR) if paired else str(index),
    }
