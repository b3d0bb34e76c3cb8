"""Reads what is to be replied to: a part of the messages of `labels`, and the open questions of the profile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from datasets import Dataset, DatasetDict

_EACH = 3
_ONE_MORE_OF_EVERY = 3
"""Three messages of each of the twelve categories, and a fourth of every third category, make forty."""


def load(language: str, **_: Any) -> DatasetDict:
    """Return 40 messages and 5 questions of a language as a data set with one split, `test`.

    Columns: `id`, the same in every language; `kind`, `message` or `question`; `text`.
    """
    tasks = Path(__file__).parent.parent
    said = yaml.safe_load((tasks / "labels" / "data" / f"{language}.yaml").read_text(encoding="utf-8"))["messages"]
    rows = [
        {"id": f"{category}-{number:02d}", "kind": "message", "text": text}
        for place, (category, texts) in enumerate(said.items())
        for number, text in enumerate(texts[: _EACH + (place % _ONE_MORE_OF_EVERY == 0)], start=1)
    ]
    with (tasks / "profile" / "data" / f"{language}.jsonl").open(encoding="utf-8") as lines:
        asked = [row for row in map(json.loads, lines) if row["kind"] == "answer"]
    # The last line of a prompt there is the answer label, which is a prompt word here.
    rows += [{"id": row["id"], "kind": "question", "text": row["prompt"].rpartition("\n")[0]} for row in asked]
    return DatasetDict({"test": Dataset.from_list(rows)})
