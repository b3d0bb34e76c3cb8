"""CSV files as spreadsheets export them: encoding, delimiter, quotes and line numbers, with every problem told at once."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from evalsuite.errors import InputError

__all__ = ["AUTO", "DELIMITERS", "CsvTable", "Problem", "Row", "read_csv", "shown"]

AUTO = "auto"
DELIMITERS = {",": ",", ";": ";", "|": "|", "tab": "\t"}
"""How a delimiter is written on the command line → the character."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER_KINDS = (
    (b"PK\x03\x04", "an Excel, LibreOffice or zip file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"%PDF", "a PDF file"),
    (b"PAR1", "a Parquet file"),
)
_KANA = re.compile("[\u3040-\u30ff]")
_BEYOND_ASCII = re.compile("[^\\x00-\\x7f]")
_KANA_SHARE = 0.2
"""Least share of kana among letters beyond ASCII in Japanese; text of another encoding that is read as Shift_JIS has next to none."""
_SEP_LINE = re.compile(r"sep=(?P<delimiter>[,;|\t])\r?\n?", re.IGNORECASE)
"""A first line with which Excel names the delimiter."""
_SNIFFED_ROWS = 30
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that must be mended in the file."""

    line: int
    """As an editor counts, from 1."""
    text: str
    """Row, column, value and fix; the file and line are put before it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of data."""

    number: int
    """Among the rows that are not empty, the first below the header is 1."""
    line: int
    """Where it begins, as an editor counts."""
    cells: tuple[str, ...]
    """As many as the header has."""


@dataclass(frozen=True, slots=True)
class CsvTable:
    """What a CSV file holds."""

    path: Path
    header: tuple[str, ...]
    header_line: int
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    """What was assumed."""
    problems: tuple[Problem, ...]
    """Rows that could not be read; they are not among `rows`."""


def read_csv(
    path: Path, *, encoding: str = AUTO, delimiter: str = AUTO, known: Callable[[str], bool] = lambda _: False
) -> CsvTable:
    """Read a CSV file with a header.

    Args:
        path: The file.
        encoding: A name that Python knows, or `auto`: UTF-8, UTF-16 with a byte-order mark, Shift_JIS, Windows-1252.
        delimiter: A key of `DELIMITERS`, or `auto`.
        known: Whether a name in the header is one that is looked for; of two possible delimiters, the one that makes more
            such names is taken.

    Raises:
        InputError: The file cannot be read as a whole: missing, no CSV, another encoding, no delimiter, a broken header.
    """
    text, notes = _decoded(path, _bytes_of(path), encoding)
    text = text.removeprefix("\ufeff")
    named = _SEP_LINE.match(text)
    # The line is emptied and not taken away, so that line numbers stay those of the file.
    text = "\n" + text[named.end() :] if named else text
    separator = _delimiter(path, text, named["delimiter"] if named else None, delimiter, known)
    records = _records(text, separator)
    header_line, header = next(((line, cells) for line, cells in records if not _is_empty(cells)), (1, []))
    if isinstance(header, str):
        raise InputError(f"{path}:{header_line}: the header cannot be read: {header}", fix=_QUOTES)
    if not header:
        raise InputError(
            f"{path}: the file is empty", fix="write a header such as `text,label`, and a row for each message"
        )
    names = [cell.strip() for cell in header]
    while not names[-1]:
        names.pop()
    rows, problems = _rows(names, records, separator)
    return CsvTable(path, tuple(names), header_line, rows, tuple(notes), problems)


def shown(value: str) -> str:
    """Return a value for a message: in quotes, and not too long."""
    return repr(value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "…")


# --- bytes and letters


def _bytes_of(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file", fix="give a CSV file with a header, such as `text,label`") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}", fix="give a CSV file") from error
    for magic, kind in _OTHER_KINDS:
        if data.startswith(magic):
            raise InputError(f"{path}: is {kind} and no CSV", fix="export it as CSV (UTF-8), and give that file")
    return data


def _decoded(path: Path, data: bytes, encoding: str) -> tuple[str, list[str]]:
    if encoding != AUTO:
        try:
            found = codecs.lookup(encoding).name
            b"a".decode(found, "replace")  # some, such as hex, are no text
        except LookupError as error:
            raise InputError(
                f"--encoding: {encoding!r} is no encoding", fix="give auto, utf-8, utf-16, cp1252, cp932 or the like"
            ) from error
        # A byte-order mark is no part of the text.
        found = "utf-8-sig" if found == "utf-8" else found
        return _strictly(path, data, found, f"not {encoding}", "give the encoding that it was saved in, or auto"), []
    for mark, name in _BOMS:
        if data.startswith(mark):
            told = f"not {name.removesuffix('-sig')}, which its byte-order mark says it is"
            return _strictly(path, data, name, told, "save the file as UTF-8 again"), []
    return _guessed(path, data)


def _guessed(path: Path, data: bytes) -> tuple[str, list[str]]:
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        pass
    # UTF-8 with some broken bytes must not be read as something else, which would spoil every accent.
    tried = data.decode("utf-8", "replace")
    broken = tried.count("\ufffd")
    if len(_BEYOND_ASCII.findall(tried)) - broken > broken:
        return _strictly(
            path, data, "utf-8", "not UTF-8, as the rest of the file is", "mend that character, or give --encoding"
        ), []
    try:
        japanese = data.decode("cp932")
    except UnicodeDecodeError:
        japanese = ""
    beyond = len(_BEYOND_ASCII.findall(japanese))
    if beyond and len(_KANA.findall(japanese)) >= _KANA_SHARE * beyond:
        return japanese, [_assumed(path, "Shift_JIS (cp932)", japanese)]
    fix = "save the file as UTF-8, or give --encoding"
    text = _strictly(path, data, "cp1252", "neither UTF-8, Shift_JIS nor Windows-1252", fix)
    return text, [_assumed(path, "Windows-1252 (cp1252)", text)]


def _assumed(path: Path, name: str, text: str) -> str:
    sample = next(iter(re.findall(r"\w*[^\W\x00-\x7f]\w*", text)), "")
    example = f" ({shown(sample)})" if sample else ""
    return f"{path}: not UTF-8, read as {name}; if letters look wrong{example}, give --encoding"


def _strictly(path: Path, data: bytes, encoding: str, told: str, fix: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = len(re.findall(rb"\r\n|\r|\n", data[: error.start])) + 1
        if encoding.startswith(("utf-16", "utf-32")):
            line = len(data[: error.start].decode(encoding, "ignore").splitlines()) or 1
        raise InputError(
            f"{path}:{line}: byte 0x{data[error.start]:02x} at offset {error.start} is {told}", fix=fix
        ) from error
    except UnicodeError as error:
        raise InputError(f"{path}: {told}: {error}", fix=fix) from error


# --- delimiter and rows

_QUOTES = 'put the whole cell in quotes, and write a quote within it twice: "she said ""no"""'


def _delimiter(path: Path, text: str, named: str | None, asked: str, known: Callable[[str], bool]) -> str:
    if asked != AUTO:
        if asked not in (*DELIMITERS, *DELIMITERS.values()):
            raise InputError(f"--delimiter: {asked!r} is none", fix=f"give {', '.join(DELIMITERS)} or auto")
        return DELIMITERS.get(asked, asked)
    if named:
        return named
    ranked = []
    for separator in DELIMITERS.values():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        try:
            records = list(islice((cells for cells in reader if not _is_empty(cells)), _SNIFFED_ROWS))
        except csv.Error:
            continue
        if records and len(records[0]) > 1:
            width = len(records[0])
            alike = sum(len(cells) == width for cells in records) / len(records)
            ranked.append((sum(known(cell) for cell in records[0]), alike, width, separator))
    if not ranked:
        line, cells = next(_records(text, DELIMITERS[","]), (1, []))
        if isinstance(cells, str):
            raise InputError(f"{path}:{line}: the header cannot be read: {cells}", fix=_QUOTES)
        first = next((line for line in text.splitlines() if line.strip()), "")
        if not first:
            raise InputError(
                f"{path}: the file is empty", fix="write a header such as `text,label`, and a row for each message"
            )
        raise InputError(
            f"{path}: there is but one column, {shown(first)}: no , ; | or tab stands in the header",
            fix="a file needs a column of texts and one of labels; give --delimiter if they are there",
        )
    return max(ranked)[-1]


def _records(text: str, separator: str) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the line that each record begins on, with its cells, or with what is wrong with it."""
    # With newline="" a line ends where an editor ends it, and what ends it stays in a cell of several lines.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            told = str(error)
            if "unexpected end" in told:
                told = "a quote is opened and never closed, so that the rest of the file belongs to it"
            elif "expected after" in told:
                told = "something stands behind a closing quote"
            yield line, told


def _is_empty(cells: list[str] | str) -> bool:
    return not isinstance(cells, str) and not any(cell.strip() for cell in cells)


def _rows(
    names: list[str], records: Iterator[tuple[int, list[str] | str]], separator: str
) -> tuple[tuple[Row, ...], tuple[Problem, ...]]:
    rows: list[Row] = []
    problems: list[Problem] = []
    number, width = 0, len(names)
    for line, cells in records:
        if _is_empty(cells):
            continue
        number += 1
        if isinstance(cells, str):
            problems.append(Problem(line, f"row {number}: {cells}; fix: {_QUOTES}"))
        elif len(cells) < width:
            last = names[len(cells)] or f"column {len(cells) + 1}"
            told = f"has {len(cells)} cells and the header {width}, so that {last!r} is missing"
            problems.append(Problem(line, f"row {number}: {told}; fix: write the missing cells, empty ones too"))
        elif any(cell.strip() for cell in cells[width:]):
            extra = next(cell for cell in cells[width:] if cell.strip())
            told = f"has {len(cells)} cells and the header {width}; {shown(extra.strip())} is in none of its columns"
            written = "a tab" if separator == "\t" else f"a {separator}"
            problems.append(Problem(line, f"row {number}: {told}; fix: put a text that holds {written} in quotes"))
        else:
            problems += _nul(number, line, names, cells)
            rows.append(Row(number, line, tuple(cells[:width])))
    return tuple(rows), tuple(problems)


def _nul(number: int, line: int, names: list[str], cells: list[str]) -> list[Problem]:
    return [
        Problem(
            line,
            f"row {number}, column {name!r}: {shown(cell)} holds a NUL character; "
            "fix: delete it, or give --encoding utf-16-le if the whole file is UTF-16",
        )
        for name, cell in zip(names, cells, strict=False)
        if "\0" in cell
    ]
