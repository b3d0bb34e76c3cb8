"""How fast people read in each language, from published studies: what a model's speed of writing is held against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evalsuite.catalog.paths import data_root
from evalsuite.catalog.yamlfile import load_mapping, validate
from evalsuite.errors import CatalogError
from evalsuite.records import Name

__all__ = ["READING_SPEED_FILE", "ReadingSpeed", "load_reading_speeds"]

READING_SPEED_FILE = "reading_speed.yaml"
"""Its name in a folder of devices."""


class ReadingSpeed(BaseModel):
    """How fast adults read one language, or why that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: Name
    words_per_min: Annotated[float, Field(gt=0)] | None = None
    chars_per_min: Annotated[float, Field(gt=0)] | None = None
    """Without spaces."""
    spaced: bool = True
    """Whether words are written with spaces between them."""
    basis: Literal["reported", "estimate", "unknown"]
    like: Name | None = None
    """The language that an estimate is taken from."""
    how: Annotated[str, Field(min_length=1)]
    """The study with its circumstances, how it was estimated, or why nothing is known."""
    source: Annotated[str, Field(min_length=1)] | None = None
    """Address of the document."""

    @model_validator(mode="after")
    def _whole(self) -> ReadingSpeed:
        known = self.words_per_min is not None and self.chars_per_min is not None
        if self.basis == "reported" and not (known and self.source):
            raise ValueError("a reported speed needs words_per_min, chars_per_min and `source`")
        if self.basis == "unknown" and (self.words_per_min or self.chars_per_min):
            raise ValueError("a speed that is not known has no numbers")
        if self.basis == "estimate" and not (known and self.like):
            raise ValueError("an estimate needs `like`: a reported language of the same file that it is taken from")
        return self

    @property
    def chars_per_s(self) -> float | None:
        """Characters per second with spaces: one for each word, where words have spaces between them."""
        if self.chars_per_min is None or self.words_per_min is None:
            return None
        return (self.chars_per_min + (self.words_per_min if self.spaced else 0.0)) / 60


def load_reading_speeds(include: Sequence[Path] = ()) -> dict[str, ReadingSpeed]:
    """Return the reading speeds by code of the language.

    Args:
        include: The user's folders; a language of their `devices/reading_speed.yaml` adds to the shipped ones, or replaces
            it.

    Raises:
        CatalogError: A file is wrong; the message names file, line and field.
    """
    speeds: dict[str, ReadingSpeed] = {}
    for folder in (data_root("devices"), *(path / "devices" for path in include)):
        path = folder / READING_SPEED_FILE
        if path.is_file():
            speeds |= _read(path)
    return speeds


def _read(path: Path) -> dict[str, ReadingSpeed]:
    data, line_of = load_mapping(path)
    found: dict[str, ReadingSpeed] = {}
    for key, fields in data.items():
        if not isinstance(fields, dict):
            raise CatalogError(
                f"{path}:{line_of((key,))}: {key}: must hold the fields of a reading speed, not {fields!r}",
                fix="write basis and how below it, indented",
            )
        whole: dict[str, Any] = {**_borrowed(data, fields), **fields, "language": key}
        found[key] = validate(ReadingSpeed, whole, path, lambda loc, key=key: line_of((key, *loc)))  # type: ignore[misc]
    return found


def _borrowed(data: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of the language that an estimate is taken from; nothing where that has none of its own."""
    near = data.get(str(fields.get("like")))
    if not isinstance(near, dict) or near.get("basis") != "reported":
        return {}
    return {name: near[name] for name in ("words_per_min", "chars_per_min", "spaced") if name in near}
