"""Reads the messages that lie beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from datasets import Dataset, DatasetDict


def load(language: str, **_: Any) -> DatasetDict:
    """Return the messages of a language as a data set with one split, `test`."""
    path = Path(__file__).parent / "data" / f"{language}.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    keys = list(data["categories"])
    names = [data["categories"][key]["name"] for key in keys]
    rows = [
        {"id": f"{key}-{number:02d}", "text": text, "category": key, "choices": names, "gold": keys.index(key)}
        for key in keys
        for number, text in enumerate(data["messages"][key], start=1)
    ]
    return DatasetDict({"test": Dataset.from_list(rows)})
