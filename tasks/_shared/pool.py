"""Reads several configurations of one data set as one, for stock lm-eval; evalsuite itself reads them from its mirror."""

from __future__ import annotations

from typing import Any

from datasets import DatasetDict, concatenate_datasets, load_dataset


def load(pool: dict[str, Any], **_: Any) -> DatasetDict:
    """Return the split of all configurations, in their order, with the column `subset` that names the configuration."""
    parts = []
    for config in pool["configs"]:
        part = load_dataset(pool["path"], config, split=pool["split"], revision=pool.get("revision"))
        parts.append(part.add_column("subset", [config] * len(part)))
    return DatasetDict({pool["split"]: concatenate_datasets(parts)})
