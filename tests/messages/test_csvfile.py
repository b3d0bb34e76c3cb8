"""CSV files as people have them: encodings, delimiters, quotes, line numbers, and what is refused."""

from __future__ import annotations

import codecs
import gzip

import pytest

from evalsuite.errors import InputError
from evalsuite.messages.csvfile import read_csv

SPANISH = "texto;etiqueta\n¿Dónde está el señor Peña?;envío\nMañana irá mi compañera, según dijo;devolución\n"
JAPANESE = "本文,ラベル\n荷物がまだ届いていません。,配送\nサイズを交換したいです。,返品\n"


def file(folder, data):
    path = folder / "m.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def cells(folder, data, **options):
    table = read_csv(file(folder, data), **options)
    assert table.problems == ()
    return [list(table.header), *(list(row.cells) for row in table.rows)]


def refused(folder, data, **options):
    with pytest.raises(InputError) as error:
        read_csv(file(folder, data), **options)
    return error.value


@pytest.mark.parametrize(
    ("encoding", "text", "note"),
    [
        ("utf-8", SPANISH, None),
        ("utf-8-sig", SPANISH, None),
        ("utf-16", SPANISH, None),
        ("utf-32", SPANISH, None),
        ("cp1252", SPANISH, "read as Windows-1252 (cp1252)"),
        ("latin-1", SPANISH, "read as Windows-1252 (cp1252)"),
        ("utf-8", JAPANESE, None),
        ("utf-16", JAPANESE, None),
        ("cp932", JAPANESE, "read as Shift_JIS (cp932)"),
        ("shift_jis", JAPANESE, "read as Shift_JIS (cp932)"),
    ],
)
def test_encodings_are_found_out_and_what_was_guessed_is_told(tmp_path, encoding, text, note):
    table = read_csv(file(tmp_path, text.encode(encoding)))
    separator = ";" if text is SPANISH else ","
    assert [table.header, *(row.cells for row in table.rows)] == [
        tuple(line.split(separator)) for line in text.splitlines()
    ]
    if note is None:
        assert table.notes == ()
    else:
        (told,) = table.notes
        assert note in told
        assert "give --encoding" in told


@pytest.mark.parametrize("bom", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE], ids=["little", "big"])
def test_utf_16_of_either_order(tmp_path, bom):
    name = "utf-16-le" if bom == codecs.BOM_UTF16_LE else "utf-16-be"
    assert cells(tmp_path, bom + SPANISH.encode(name))[1][1] == "envío"


def test_an_encoding_that_is_given_is_taken(tmp_path):
    assert cells(tmp_path, "a;b\nŐ;ű\n".encode("cp1250"), encoding="cp1250")[1] == ["Ő", "ű"]
    assert cells(tmp_path, codecs.BOM_UTF8 + b"a;b\n1;2\n", encoding="utf-8")[0] == ["a", "b"]
    assert cells(tmp_path, codecs.BOM_UTF16_LE + "a;b\n1;2\n".encode("utf-16-le"), encoding="utf-16-le")[0] == [
        "a",
        "b",
    ]


def test_a_byte_that_is_not_of_the_encoding_is_named_with_line_and_offset(tmp_path):
    data = b"text,label\nbuenos d\xeda,x\n"
    told = refused(tmp_path, data, encoding="utf-8")
    assert f"m.csv:2: byte 0xed at offset {data.index(0xED)} is not utf-8" in told.problem
    assert "auto" in told.fix


def test_one_broken_byte_in_utf_8_does_not_turn_the_file_into_another_encoding(tmp_path):
    data = (SPANISH * 3).encode() + b"roto \xff;x\n"
    assert f"m.csv:10: byte 0xff at offset {data.index(0xFF)} is not UTF-8" in refused(tmp_path, data).problem


def test_a_byte_that_no_guess_has(tmp_path):
    assert "neither UTF-8, Shift_JIS nor Windows-1252" in refused(tmp_path, b"text,label\nbad \x81\x20,x\n").problem


def test_an_encoding_that_there_is_not(tmp_path):
    assert "--encoding: 'utf8000' is no encoding" in refused(tmp_path, "a,b\n", encoding="utf8000").problem
    assert "'hex' is no encoding" in refused(tmp_path, "a,b\n", encoding="hex").problem


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"], ids=["comma", "semicolon", "tab", "pipe"])
def test_delimiters_are_found_out_though_texts_hold_others(tmp_path, separator):
    rows = [["text", "label"], ["uno, dos; tres | cuatro", "x"], ["cinco", "y; z"], ['dice "no"', "w"]]
    text = "\r\n".join(separator.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    assert cells(tmp_path, text) == rows


def test_a_delimiter_is_judged_by_header_and_rows(tmp_path):
    assert cells(tmp_path, "text,label\na;b,x\nc;d,y\n")[1] == ["a;b", "x"]
    assert cells(tmp_path, "what, if any;label\nuno;x\ndos, y;z\n")[0] == ["what, if any", "label"]


def test_of_two_delimiters_the_one_that_makes_known_names(tmp_path):
    text = "a,text;label,b\n1,x;y,2\n"
    assert cells(tmp_path, text, known=lambda name: name == "b")[0] == ["a", "text;label", "b"]
    assert cells(tmp_path, text, known=lambda name: name == "label,b")[0] == ["a,text", "label,b"]


def test_a_delimiter_that_is_given_or_named_in_the_file(tmp_path):
    assert cells(tmp_path, "a;b,c\n1;2,3\n", delimiter=",")[1] == ["1;2", "3"]
    assert cells(tmp_path, "a\tb\n1\t2\n", delimiter="tab")[1] == ["1", "2"]
    table = read_csv(file(tmp_path, "sep=|\na|b;c|d\n1|2|3\n"))
    assert (table.header, table.header_line, table.rows[0].line) == (("a", "b;c", "d"), 2, 3)
    assert "'::' is none" in refused(tmp_path, "a,b\n", delimiter="::").problem


def test_quotes_and_line_breaks_in_cells_and_line_numbers_of_an_editor(tmp_path):
    text = 'text;label\r\n"uno\r\ndos ""tres""; cuatro";x\r\n\r\n;;\r\nfin;y\r\n'
    table = read_csv(file(tmp_path, text))
    assert [(row.number, row.line, row.cells) for row in table.rows] == [
        (1, 2, ('uno\r\ndos "tres"; cuatro', "x")),
        (2, 6, ("fin", "y")),
    ]


def test_empty_columns_at_the_end_do_not_matter(tmp_path):
    assert cells(tmp_path, "text;label;;\nuno;x;;\ndos;y\ntres;z;;;;\n") == [
        ["text", "label"], ["uno", "x"], ["dos", "y"], ["tres", "z"]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("text,label\nok,x\nuno,dos,tres\n", 3, "row 2: has 3 cells and the header 2; 'tres' is in none of its columns"),
        ("text,label\nuno\n", 2, "row 1: has 1 cells and the header 2, so that 'label' is missing"),
        ('text,label\n"a" b,x\n', 2, "row 1: something stands behind a closing quote"),
        ('text,label\nok,x\n"a,x\nb,y\n', 3, "row 2: a quote is opened and never closed"),
        ("text,label\na\0b,x\n", 2, "row 1, column 'text': 'a\\x00b' holds a NUL character"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_read_is_told_with_line_and_fix(tmp_path, text, line, told):
    (problem,) = read_csv(file(tmp_path, text)).problems
    assert problem.line == line
    assert told in problem.text
    assert "; fix: " in problem.text


def test_rows_behind_a_broken_one_are_read(tmp_path):
    table = read_csv(file(tmp_path, 'text,label\n"a" b,x\nok,y\nmal\nbien,z\n'))
    assert [row.cells[0] for row in table.rows] == ["ok", "bien"]
    assert [problem.line for problem in table.problems] == [2, 4]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"PK\x03\x04\x14\x00", "is an Excel, LibreOffice or zip file and no CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "is an old Excel file and no CSV"),
        (gzip.compress(b"a,b\n", mtime=0), "is a gzip file and no CSV"),
        (b"%PDF-1.7", "is a PDF file and no CSV"),
        (b"PAR1", "is a Parquet file and no CSV"),
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"text\nuno\n", "there is but one column, 'text'"),
        (b'"text,label\nuno,x\n', "a quote is opened and never closed"),
    ],
)
def test_what_is_no_csv_is_refused_with_a_fix(tmp_path, data, told):
    error = refused(tmp_path, data)
    assert told in error.problem
    assert "m.csv" in error.problem
    assert error.fix


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_csv(tmp_path / "none.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_csv(tmp_path)
