"""Messages with their categories from a CSV file: columns by natural names, each row checked, all problems told at once."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evalsuite.catalog.languages import resolve_languages
from evalsuite.errors import InputError, suggest
from evalsuite.messages.csvfile import AUTO, CsvTable, Problem, Row, read_csv, shown
from evalsuite.messages.labels import LabelSet, folded
from evalsuite.records import Language

__all__ = ["Asked", "Message", "Messages", "read_messages"]

_NAMES = {
    "text": (
        *("text", "texts", "message", "messages", "texto", "textos", "mensaje", "mensajes", "mensagem", "mensagens"),
        *("missatge", "missatges", "mensaxe", "mensaxes", "mezua", "mezuak", "testua", "testuak"),
        *("メッセージ", "本文", "テキスト", "文章"),
    ),
    "label": (
        *("label", "labels", "category", "class", "intent", "categoría", "categoria", "etiqueta", "etiquetas", "rótulo"),
        *("kategoria", "etiketa", "カテゴリ", "カテゴリー", "ラベル", "分類"),
    ),
    "lang": (
        *("lang", "language", "idioma", "lengua", "língua", "lingua", "llengua", "hizkuntza", "言語"),
    ),
    "id": ("id", "message id", "identifier", "identificador", "identifikatzailea"),
}  # fmt: skip
_SHOWN_PROBLEMS = 20
_WHAT = {"text": "the messages", "label": "the labels", "lang": "the languages", "id": "the ids"}


@dataclass(frozen=True, slots=True)
class Asked:
    """How a file is to be read, where that is not to be found out."""

    text_column: str | None = None
    label_column: str | None = None
    id_column: str | None = None
    lang_column: str | None = None
    lang: str | None = None
    """Language of all messages: code or name."""
    delimiter: str = AUTO
    encoding: str = AUTO


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    row: int
    line: int
    id: str
    text: str
    label: str
    """Key of its category."""
    language: str


@dataclass(frozen=True, slots=True)
class Messages:
    """All messages of a file, which hold at least one."""

    path: Path
    labels: LabelSet
    messages: tuple[Message, ...]
    named: bool
    """Whether the file has ids; else the number of the row is the id."""
    notes: tuple[str, ...]
    """What was assumed, and what may be odd."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes, in the order in which they come."""
        return tuple(dict.fromkeys(message.language for message in self.messages))

    def in_language(self, code: str) -> tuple[Message, ...]:
        return tuple(message for message in self.messages if message.language == code)

    @property
    def parallel(self) -> bool:
        """Whether the same ids, with the same labels, are in several languages: the same content."""
        sets = [{(m.id, m.label) for m in self.in_language(code)} for code in self.languages]
        return self.named and len(sets) > 1 and all(found == sets[0] for found in sets)


def read_messages(path: Path, labels: LabelSet, languages: Mapping[str, Language], asked: Asked) -> Messages:
    """Return the messages of a CSV file.

    Args:
        path: The file.
        labels: Its categories.
        languages: Those that there are, by code.
        asked: What is not to be found out.

    Raises:
        InputError: Something is wrong; the message tells up to 20 problems by file, line, row and column, with the fix.
    """
    known = {folded(name) for names in _NAMES.values() for name in names}
    table = read_csv(path, encoding=asked.encoding, delimiter=asked.delimiter, known=lambda name: _plain(name) in known)
    reader = _Reader(table, labels, languages, asked)
    problems = sorted((*table.problems, *reader.problems), key=lambda problem: problem.line)
    if problems:
        raise InputError(_told(path, problems), fix="mend these lines in the file, and give the command again")
    if not reader.messages:
        raise InputError(f"{path}: there is a header and no row below it", fix="write a row for each message")
    messages = tuple(reader.messages)
    notes = (*table.notes, *reader.notes, *_doubles(path, messages), *_unused(labels, messages))
    return Messages(path, labels, messages, reader.columns["id"] is not None, notes)


class _Reader:
    """Goes through the rows of a table."""

    def __init__(self, table: CsvTable, labels: LabelSet, languages: Mapping[str, Language], asked: Asked) -> None:
        self._table, self._labels, self._languages = table, labels, languages
        self.notes: list[str] = []
        self.problems: list[Problem] = []
        self.messages: list[Message] = []
        _refuse_repeated(table)
        self.columns, self._lang = self._find(asked)
        if self._lang is not None:
            natural = {folded(name) for name in _NAMES["lang"]}
            unread = [name for name in table.header if _plain(name) in natural]
            self.notes += [
                f"{table.path}: --lang {self._lang} counts for all, and the column {n!r} is not read" for n in unread
            ]
        self._ids: dict[tuple[str | None, str], Row] = {}
        for row in table.rows:
            self._take(row)

    def _find(self, asked: Asked) -> tuple[dict[str, int | None], str | None]:
        """Return the place of each column, and the language of all messages where one was given."""
        table = self._table
        if asked.lang is not None and asked.lang_column is not None:
            raise InputError(
                f"both --lang {asked.lang} and --lang-column {asked.lang_column} are given", fix="give one of them"
            )
        code = resolve_languages([asked.lang], self._languages)[0].code if asked.lang is not None else None
        columns = {
            "text": _column(table, "text", asked.text_column),
            "label": _column(table, "label", asked.label_column),
            "id": _column(table, "id", asked.id_column, needed=False),
            "lang": None if code else _column(table, "lang", asked.lang_column),
        }
        places = [place for place in columns.values() if place is not None]
        for place, count in Counter(places).items():
            if count > 1:
                raise InputError(
                    f"{table.path}:{table.header_line}: the column {table.header[place]!r} is given for two things",
                    fix="name another one with --text-column, --label-column, --id-column or --lang-column",
                )
        return columns, code

    def _take(self, row: Row) -> None:
        before = len(self.problems)
        text = self._cell(row, "text").replace("\r\n", "\n").replace("\r", "\n")
        if not text:
            self._wrong(row, "text", "is empty", "write the message, or delete the row")
        code = self._lang or self._language(row)
        key = self._label(row, code)
        name = self._cell(row, "id") if self.columns["id"] is not None else str(row.number)
        if not name:
            self._wrong(row, "id", "is empty", "give every message an id of its own, or delete the column")
        elif (first := self._ids.setdefault((code, name), row)) is not row:
            told = f"{shown(name)} is the id of row {first.number} (line {first.line}) too"
            self._wrong(row, "id", told, "give every message of a language an id of its own")
        if len(self.problems) == before and key is not None and code is not None:
            self.messages.append(Message(row.number, row.line, name, text, key, code))

    def _cell(self, row: Row, what: str) -> str:
        place = self.columns[what]
        assert place is not None
        return unicodedata.normalize("NFC", row.cells[place]).strip()

    def _language(self, row: Row) -> str | None:
        value = self._cell(row, "lang")
        if not value:
            self._wrong(row, "lang", "is empty", "write the language, such as eu")
            return None
        try:
            return resolve_languages([value], self._languages)[0].code
        except InputError:
            known = [*self._languages, *(language.english_name for language in self._languages.values())]
            fix = suggest(value, known, kind="language", show="evalsuite langs list")
            self._wrong(row, "lang", f"{shown(value)} is no language", fix)
            return None

    def _label(self, row: Row, code: str | None) -> str | None:
        value = self._cell(row, "label")
        if not value:
            self._wrong(row, "label", "is empty", f"write one of the labels of {self._labels.path}, or delete the row")
            return None
        keys = self._labels.find(value, code)
        if len(keys) == 1:
            return keys[0]
        if keys:
            self._wrong(row, "label", f"{shown(value)} is a name of {' and '.join(map(repr, keys))}", "write the key")
        else:
            self._wrong(row, "label", f"{shown(value)} is no label of {self._labels.path}", self._labels.why_not(value))
        return None

    def _wrong(self, row: Row, what: str, told: str, fix: str) -> None:
        place = self.columns[what]
        assert place is not None
        text = f"row {row.number}, column {self._table.header[place]!r}: {told}; fix: {fix}"
        self.problems.append(Problem(row.line, text))


def _told(path: Path, problems: list[Problem]) -> str:
    lines = [f"{path}:{problem.line}: {problem.text}" for problem in problems[:_SHOWN_PROBLEMS]]
    more = len(problems) - len(lines)
    head = "" if len(problems) == 1 else f"{path}: {len(problems)} problems\n"
    return head + "\n".join(lines) + (f"\nand {more} more" if more else "")


def _plain(name: str) -> str:
    return folded(unicodedata.normalize("NFKC", name).replace("_", " "))


def _refuse_repeated(table: CsvTable) -> None:
    seen: dict[str, int] = {}
    for place, name in enumerate(table.header, start=1):
        first = seen.setdefault(_plain(name), place) if name else place
        if first != place:
            raise InputError(
                f"{table.path}:{table.header_line}: columns {first} and {place} of the header have the same name, {name!r}",
                fix="give each column a name of its own",
            )


def _column(table: CsvTable, what: str, asked: str | None, *, needed: bool = True) -> int | None:
    """Return the place of a column: the one that was asked for, else the one with a natural name."""
    option, here = f"--{what}-column", f"{table.path}:{table.header_line}"
    has = f"the header has {', '.join(map(repr, table.header))}"
    if asked is not None:
        if asked in table.header:
            return table.header.index(asked)
        found = [place for place, name in enumerate(table.header) if _plain(name) == _plain(asked)]
        if not found:
            raise InputError(
                f"{here}: there is no column {asked!r} ({option}); {has}", fix=f"give one of these with {option}"
            )
        return found[0]
    natural = {folded(name) for name in _NAMES[what]}
    found = [place for place, name in enumerate(table.header) if _plain(name) in natural]
    if len(found) > 1:
        both = " and ".join(repr(table.header[place]) for place in found)
        raise InputError(f"{here}: {both} may each hold {_WHAT[what]}; {has}", fix=f"name the column with {option}")
    if found:
        return found[0]
    if needed:
        other = "give --lang for all messages, or name the column" if what == "lang" else "name the column"
        raise InputError(f"{here}: no column is known to hold {_WHAT[what]}; {has}", fix=f"{other} with {option}")
    return None


def _doubles(path: Path, messages: tuple[Message, ...]) -> list[str]:
    """Return warnings of messages that come twice; they are kept."""
    first: dict[tuple[str, str], Message] = {}
    told = []
    for message in messages:
        other = first.setdefault((message.language, folded(message.text)), message)
        if other is not message:
            how = "the same label" if other.label == message.label else f"other labels ({other.label}, {message.label})"
            rows = f"rows {other.row} and {message.row} (lines {other.line} and {message.line})"
            told.append(f"{path}: {rows} hold the same message with {how}: {shown(message.text)}; both are kept")
    more = len(told) - _SHOWN_PROBLEMS
    return told[:_SHOWN_PROBLEMS] + ([f"{path}: {more} more messages come twice"] if more > 0 else [])


def _unused(labels: LabelSet, messages: tuple[Message, ...]) -> list[str]:
    """Return notes of labels that no message of a language has."""
    told = []
    codes = dict.fromkeys(message.language for message in messages)
    for code in codes:
        used = {message.label for message in messages if message.language == code}
        unused = [key for key in labels.keys if key not in used]
        if unused:
            where = f" in {code}" if len(codes) > 1 else ""
            told.append(f"{labels.path}: no message{where} has the label {', '.join(unused)}")
    return told
