"""The categories of a user: a list of names, or keys with names and descriptions in several languages."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from evalsuite.catalog.yamlfile import Loader, load_mapping, validate
from evalsuite.errors import InputError
from evalsuite.records import Frozen

__all__ = ["Label", "LabelSet", "folded", "load_labels"]

_Text = Annotated[str, Field(min_length=1, pattern=r"\S")]
_LEAST, _MOST = 2, 200
_TEXT_TAG = "tag:yaml.org,2002:str"


class Label(Frozen):
    """One category."""

    name: _Text | None = None
    """In every language that `names` does not have; the key where it is missing."""
    description: _Text | None = None
    names: dict[str, _Text] = Field(default_factory=dict)
    """By language code."""
    descriptions: dict[str, _Text] = Field(default_factory=dict)


class _LabelFile(Frozen):
    labels: dict[str, Label]


@dataclass(frozen=True)
class LabelSet:
    """The k categories of a file, in its order."""

    path: Path
    labels: Mapping[str, Label]
    """By key."""
    lines: Mapping[str, int] = field(default_factory=dict)
    """Where each key stands in the file."""

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.labels)

    def names_in(self, language: str) -> tuple[str, ...]:
        """Return the k names in a language, in the order of the keys."""
        return tuple(label.names.get(language) or label.name or key for key, label in self.labels.items())

    def descriptions_in(self, language: str) -> tuple[str, ...] | None:
        """Return the k descriptions in a language; none where one is missing."""
        found = [label.descriptions.get(language) or label.description for label in self.labels.values()]
        whole = tuple(text for text in found if text)
        return whole if len(whole) == len(found) else None

    def translated(self, language: str) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
        """Return names and descriptions that are said to be in a language; none where one of the k is missing."""
        names = tuple(label.names[language] for label in self.labels.values() if language in label.names)
        told = tuple(label.descriptions[language] for label in self.labels.values() if language in label.descriptions)
        count = len(self.labels)
        return (names if len(names) == count else None, told if len(told) == count else None)

    def find(self, text: str, language: str | None) -> tuple[str, ...]:
        """Return the keys that a text means; none, or several where it is a name of several.

        Surrounding space and case do not matter. A name in `language` comes before a key, and a key before names in other
        languages.
        """
        wanted = folded(text)
        own = self._named.get((language or "", wanted), ()) if language else ()
        return own or self._named.get(("", wanted), ()) or self._anywhere.get(wanted, ())

    def why_not(self, text: str) -> str:
        """Return what may have been meant by a text that means no label."""
        bare = _bare(text)
        accents = sorted({known for known in self._written if _bare(known) == bare})
        if accents:
            return f"it is {' or '.join(map(repr, accents))} but for accents; write it so"
        known = {known.casefold(): known for known in self._written}
        near = [known[hit] for hit in difflib.get_close_matches(folded(text), known, n=3, cutoff=0.6)]
        if near:
            return f"did you mean {' or '.join(map(repr, near))}?"
        first = ", ".join(self.keys[:8]) + (", …" if len(self.keys) > 8 else "")
        return f"write one of {first}, or add it to {self.path}"

    @cached_property
    def _written(self) -> tuple[str, ...]:
        texts = [
            text for key, label in self.labels.items() for text in (key, label.name, *label.names.values()) if text
        ]
        return tuple(dict.fromkeys(texts))

    @cached_property
    def _named(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """Keys by language and folded name; the language is empty for keys."""
        found: dict[tuple[str, str], tuple[str, ...]] = {}
        for key, label in self.labels.items():
            for code, text in (("", key), *label.names.items()):
                place = (code, folded(text))
                found[place] = (*found.get(place, ()), key)
        return found

    @cached_property
    def _anywhere(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for key, label in self.labels.items():
            for text in {folded(text) for text in (key, label.name, *label.names.values()) if text}:
                found[text] = (*found.get(text, ()), key)
        return found


def load_labels(path: Path, codes: Collection[str]) -> LabelSet:
    """Return the categories of a file.

    Args:
        path: YAML: a list of names, or a mapping from keys to `name`, `description`, `names` and `descriptions`.
        codes: Languages that there are; names and descriptions in others are refused.

    Raises:
        InputError: The file is wrong; the message names file, line and field.
    """
    entries, lines, line_of = _listed(path) or _mapped(path)
    checked = validate(_LabelFile, {"labels": entries}, path, lambda loc: line_of(tuple(loc[1:])), error=InputError)
    found = LabelSet(path, checked.labels, lines)
    if not _LEAST <= len(found.keys) <= _MOST:
        raise InputError(
            f"{path}: {len(found.keys)} labels; there must be {_LEAST} to {_MOST}", fix="add or remove labels"
        )
    for key, label in found.labels.items():
        for part in ("names", "descriptions"):
            odd = sorted(getattr(label, part).keys() - set(codes))
            if odd:
                raise InputError(
                    f"{path}:{line_of((key, part, odd[0]))}: {key}.{part}: no language {odd[0]!r}",
                    fix=f"one of {', '.join(sorted(codes))}, or add langs/{odd[0]}.yaml to a folder and give it with --include",
                )
    for code in ("", *sorted({code for label in found.labels.values() for code in label.names})):
        _refuse_equal(found, code)
    return found


def folded(text: str) -> str:
    """Return a text for comparison: case, surrounding and repeated space do not matter."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _bare(text: str) -> str:
    """Return a folded text without accents."""
    return "".join(c for c in unicodedata.normalize("NFD", folded(text)) if not unicodedata.combining(c))


def _refuse_equal(labels: LabelSet, code: str) -> None:
    """Two categories of one name could not be told apart."""
    seen: dict[str, str] = {}
    for key, name in zip(labels.keys, labels.names_in(code), strict=True):
        first = seen.setdefault(folded(name), key)
        if first != key:
            where = f" in {code!r}" if code else ""
            raise InputError(
                f"{labels.path}:{labels.lines.get(key, 1)}: the labels {first!r} and {key!r} have the same name{where}, {name!r}",
                fix="give each label a name of its own",
            )


_Loc = tuple[int | str, ...]


def _listed(path: Path) -> tuple[dict[str, Any], dict[str, int], Any] | None:
    """Return the labels of a file that is a list of names; none where it is something else."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None  # the reader of mappings says what is wrong
    if not isinstance(node, yaml.SequenceNode):
        return None
    entries: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for item in node.value:
        line = item.start_mark.line + 1
        if not isinstance(item, yaml.ScalarNode) or item.tag != _TEXT_TAG or not item.value.strip():
            value = item.value if isinstance(item, yaml.ScalarNode) else "a list or mapping"
            raise InputError(
                f"{path}:{line}: {value!r} is no text", fix="write a name, in quotes if it is a word such as no"
            )
        if item.value in entries:
            raise InputError(
                f"{path}:{line}: {item.value!r} is given twice (first on line {lines[item.value]})", fix="delete one"
            )
        entries[item.value], lines[item.value] = {}, line
    return entries, lines, lambda loc: lines.get(str(loc[0]), 1) if loc else 1


def _mapped(path: Path) -> tuple[dict[str, Any], dict[str, int], Any]:
    data, line_of = load_mapping(path, error=InputError)
    entries = {key: _entry(value) for key, value in data.items()}
    return entries, {key: line_of((key,)) for key in _keys(data)}, line_of


def _keys(data: Iterable[Any]) -> list[str]:
    return [str(key) for key in data]


def _entry(value: Any) -> Any:
    """Return what stands behind a key: fields, a bare name, or nothing."""
    return {} if value is None else {"name": value} if isinstance(value, str) else value
