"""Puts a tweet on one line, and reads whether it is ironic."""

from __future__ import annotations

from typing import Any


def prepare(docs: Any) -> Any:
    """Return the items with `text`, `topic` and `gold` (0 ironic, 1 not)."""
    return docs.map(_prepared, load_from_cache_file=False)


def _prepared(doc: dict[str, Any]) -> dict[str, Any]:
    if str(doc["IS_IRONIC"]) not in ("0", "1"):
        raise ValueError(
            f"IS_IRONIC of {doc['ID']} is {doc['IS_IRONIC']!r}, not 0 or 1; check how the file was converted"
        )
    lines = {"text": doc["MESSAGE"], "topic": doc["TOPIC"]}
    return {name: " ".join(line.split()) for name, line in lines.items()} | {"gold": 1 - int(doc["IS_IRONIC"])}
