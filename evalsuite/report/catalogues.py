"""Translations of the report's sentences: gettext catalogues, one file a language, read with Babel."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from evalsuite.errors import CatalogError, InputError, suggest

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog
    from babel.support import Translations

__all__ = ["SOURCE", "Strings", "languages", "read_catalogue", "read_strings", "translations_of"]

SOURCE = "en"
"""The language that sentences are written in; the others are translated from it."""

Strings = Mapping[str, str | Mapping[str, str]]
"""Sentences by key; one with plural forms is a mapping from `one` and `other`."""


def read_strings(folder: Path) -> dict[str, str | Mapping[str, str]]:
    """Return the sentences of the source language, gathered from the files of `folder/en`.

    Raises:
        CatalogError: There are no such files, one holds something else than texts, or two hold the same text.
    """
    strings: dict[str, Any] = {}
    for path in sorted((folder / SOURCE).glob("*.yaml")):
        try:
            found = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise CatalogError(f"the report's texts cannot be read: {error}", fix="install evalsuite again") from error
        if not isinstance(found, dict) or (twice := strings.keys() & found.keys()):
            told = f"repeats {min(twice)}" if isinstance(found, dict) else "holds no texts"
            raise CatalogError(f"{path.name} {told}", fix="install evalsuite again")
        strings |= found
    if not strings:
        raise CatalogError(f"there are no texts of the report in {folder / SOURCE}", fix="install evalsuite again")
    return strings


def languages(folder: Path) -> tuple[str, ...]:
    """Return the codes of the languages that a report can be written in, the source first."""
    return (SOURCE, *sorted(path.stem for path in folder.glob("*.po")))


def read_catalogue(path: Path) -> Catalog:
    """Return a catalogue as it stands in its file.

    Raises:
        CatalogError: It cannot be read.
    """
    from babel.messages.pofile import PoFileError, read_po

    try:
        with path.open("rb") as file:
            return read_po(file, locale=path.stem, abort_invalid=True)
    except (OSError, PoFileError, ValueError) as error:
        raise CatalogError(f"{path.name} cannot be read: {error}", fix="install evalsuite again") from error


@lru_cache(maxsize=8)
def translations_of(folder: Path, language: str) -> Translations | None:
    """Return the translations of a language; none for the source.

    A sentence whose English has changed since is not found, as gettext finds translations by what they translate; it is
    then shown in English.

    Raises:
        InputError: There are no translations into that language.
        CatalogError: The catalogue cannot be read.
    """
    if language == SOURCE:
        return None
    known = languages(folder)
    if language not in known:
        raise InputError(
            f"there is no report in the language {language!r}; there are {', '.join(known)}",
            fix=suggest(language, known, kind="language of a report", show="evalsuite report --help"),
        )
    from babel.messages.mofile import write_mo
    from babel.support import Translations

    compiled = io.BytesIO()
    write_mo(compiled, read_catalogue(folder / f"{language}.po"))
    compiled.seek(0)
    return Translations(compiled)
