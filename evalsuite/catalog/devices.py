"""Devices that people ask about, with the memory that they leave for a model: the shipped ones and the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evalsuite.catalog.paths import data_root
from evalsuite.catalog.reading_speed import READING_SPEED_FILE
from evalsuite.catalog.yamlfile import LineOf, load_mapping, validate
from evalsuite.errors import CatalogError
from evalsuite.records import Name

__all__ = ["DeviceBudget", "load_budgets"]


class DeviceBudget(BaseModel):
    """How much memory a kind of device has, and how much of it a model can have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Name
    name: Annotated[str, Field(min_length=1)]
    """For people."""
    ram_bytes: Annotated[int, Field(gt=0)]
    """As the maker states it: 4 GB are 4 GiB."""
    free_bytes: Annotated[int, Field(gt=0)]
    """What is left after firmware, kernel and an idle system."""
    basis: Literal["reported", "estimate"]
    """Whether `free_bytes` is a published reading of such a device, or arithmetic on other readings."""
    how: Annotated[str, Field(min_length=1)]
    """The reading with its circumstances, or the arithmetic."""
    source: Annotated[str, Field(min_length=1)] | None = None
    """Address or title of the document with the reading; an estimate may have none."""

    @model_validator(mode="after")
    def _plausible(self) -> DeviceBudget:
        if self.free_bytes >= self.ram_bytes:
            raise ValueError(f"free_bytes ({self.free_bytes}) must be less than ram_bytes ({self.ram_bytes})")
        if self.basis == "reported" and self.source is None:
            raise ValueError("a reported figure needs its `source`; without one, write `basis: estimate`")
        return self


def load_budgets(include: Sequence[Path] = ()) -> dict[str, DeviceBudget]:
    """Return all devices by id, in the order of the files.

    Args:
        include: The user's folders; a device of their `devices/*.yaml` adds to the shipped ones, or replaces the one of the
            same id.

    Raises:
        CatalogError: A file is wrong; the message names file, line and field.
    """
    budgets: dict[str, DeviceBudget] = {}
    for folder in (data_root("devices"), *(path / "devices" for path in include)):
        for path in sorted(folder.glob("*.yaml")):
            if path.name == READING_SPEED_FILE:
                continue
            data, line_of = load_mapping(path)
            for key, fields in data.items():
                budgets[key] = _budget(key, fields, path, line_of)
    return budgets


def _budget(key: str, fields: Any, path: Path, line_of: LineOf) -> DeviceBudget:
    if not isinstance(fields, dict):
        raise CatalogError(
            f"{path}:{line_of((key,))}: {key}: must hold the device's fields, not {fields!r}",
            fix="write name, ram_bytes, free_bytes, basis and how below it, indented",
        )
    if "id" in fields:
        raise CatalogError(
            f"{path}:{line_of((key, 'id'))}: {key}: the key is the id already", fix="remove the field `id`"
        )
    return validate(DeviceBudget, {**fields, "id": key}, path, lambda loc: line_of((key, *loc)))
