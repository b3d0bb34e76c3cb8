"""Languages as validated objects: one file each in `langs/`, and in the user's own folders."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from evalsuite.catalog.paths import data_root
from evalsuite.catalog.yamlfile import load_mapping, validate
from evalsuite.errors import CatalogError, InputError, suggest
from evalsuite.records import Language

__all__ = ["load_languages", "resolve_languages"]


def load_languages(include: Sequence[Path] = ()) -> dict[str, Language]:
    """Return all languages by code; those of `include` folders add to the shipped ones or replace them.

    Raises:
        CatalogError: A file is wrong; the message names file, line and field.
    """
    languages: dict[str, Language] = {}
    for folder in (data_root("langs"), *(path / "langs" for path in include)):
        for path in sorted(folder.glob("*.yaml")):
            data, line_of = load_mapping(path)
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            language = validate(Language, {**data, "path": path, "sha256": sha256}, path, line_of)
            if language.code != path.stem:
                raise CatalogError(
                    f"{path}:{line_of(('code',))}: code: {language.code!r} is not the file's name",
                    fix=f"name the file {language.code}.yaml",
                )
            languages[language.code] = language
    for language in languages.values():
        if language.reference is not None and language.reference not in languages:
            raise CatalogError(
                f"{language.path}: reference: there is no language {language.reference!r}",
                fix=f"one of {', '.join(sorted(languages))}, or null",
            )
    return languages


def resolve_languages(names: Sequence[str], languages: Mapping[str, Language]) -> list[Language]:
    """Return the languages of `names`: codes, or names in English or in the language itself.

    Raises:
        InputError: A name is unknown.
    """
    by_name = {
        name.casefold(): language
        for language in languages.values()
        for name in (language.code, language.english_name, language.name)
    }
    chosen = []
    for name in names:
        found = by_name.get(name.casefold())
        if found is None:
            known = [*languages, *(language.english_name for language in languages.values())]
            raise InputError(
                f"unknown language {name!r}", fix=suggest(name, known, kind="language", show="evalsuite langs list")
            )
        if found not in chosen:
            chosen.append(found)
    return chosen
