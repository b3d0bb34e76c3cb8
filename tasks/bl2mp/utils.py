"""Puts a good and a bad sentence in an order that does not tell which is which."""

from __future__ import annotations

import hashlib
import re
from typing import Any


def prepare(docs: Any) -> Any:
    """Return the items with `options` (two sentences) and `gold` (0 or 1, the place of the good one)."""
    return docs.map(_prepared, load_from_cache_file=False)


def _prepared(doc: dict[str, Any]) -> dict[str, Any]:
    good, bad = (re.sub(r"\s+", " ", doc[name]).strip() for name in ("sentence_good", "sentence_bad"))
    # There is no id; the pair itself is one. The hash is of both in alphabetical order, so it cannot tell the good one.
    gold = hashlib.sha256("\n".join(sorted((good, bad))).encode()).digest()[0] % 2
    return {"options": [bad, good] if gold else [good, bad], "gold": gold}
