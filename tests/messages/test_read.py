"""A user's messages: columns by natural names, every problem with file, line, row, column, value and fix, and warnings."""

from __future__ import annotations

import pytest

from evalsuite.catalog.languages import load_languages
from evalsuite.errors import InputError
from evalsuite.messages import Asked, load_labels, read_messages
from tests.helpers import ROOT

LANGUAGES = load_languages()
LABELS = "delivery: {names: {es: envío, eu: bidalketa}}\nreturn: {names: {es: devolución, eu: itzulketa}}\n"


def read(folder, text, **asked):
    (folder / "labels.yaml").write_text(LABELS, encoding="utf-8")
    (folder / "m.csv").write_text(text, encoding="utf-8", newline="")
    return read_messages(folder / "m.csv", load_labels(folder / "labels.yaml", LANGUAGES), LANGUAGES, Asked(**asked))


def refused(folder, text, **asked):
    with pytest.raises(InputError) as error:
        read(folder, text, **asked)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "label", "lang"),
    [
        ("text", "label", "lang"), ("Message", "Category", "Language"), ("Mensaje", "Categoría", "Idioma"),
        ("mensagem", "categoria", "língua"), ("missatge", "etiqueta", "llengua"), ("MEZUA", "kategoria", "hizkuntza"),
        ("testua", "etiketa", "hizkuntza"), ("メッセージ", "カテゴリ", "言語"), ("本文", "ラベル", "言語"), ("texto", "Categori\u0301a", "lang"),
    ],
)  # fmt: skip
def test_columns_are_found_by_their_names_in_the_languages(tmp_path, text, label, lang):
    found = read(
        tmp_path, f"fecha,{label},{text},{lang}\n1/2/2026,envío,¿Dónde está?,Spanish\n1/2/2026,itzulketa,Non da?,eu\n"
    )
    assert [(m.text, m.label, m.language, m.id, m.row, m.line) for m in found.messages] == [
        ("¿Dónde está?", "delivery", "es", "1", 1, 2),
        ("Non da?", "return", "eu", "2", 2, 3),
    ]
    assert found.languages == ("es", "eu")
    assert not found.named


def test_columns_that_are_named_and_one_language_for_all(tmp_path):
    asked = {"text_column": "asunto", "label_column": "Tema", "id_column": "no", "lang": "Euskara"}
    found = read(tmp_path, "Asunto;Tema;No;text\nKaixo;DELIVERY ;a7;-\n", **asked)
    (message,) = found.messages
    assert (message.text, message.label, message.language, message.id) == ("Kaixo", "delivery", "eu", "a7")
    assert found.named


def test_a_language_for_all_leaves_the_column_unread_and_says_so(tmp_path):
    found = read(tmp_path, "text,label,Idioma\nKaixo,bidalketa,es\nBai,itzulketa,\n", lang="eu")
    assert found.languages == ("eu",)
    (note,) = found.notes
    assert note.endswith("--lang eu counts for all, and the column 'Idioma' is not read")


@pytest.mark.parametrize(
    ("header", "asked", "told"),
    [
        ("a,label,lang", {}, "m.csv:1: no column is known to hold the messages; the header has 'a', 'label', 'lang'\n  fix: name the column with --text-column"),
        ("text,a,lang", {}, "no column is known to hold the labels; the header has 'text', 'a', 'lang'\n  fix: name the column with --label-column"),
        ("text,label,a", {}, "no column is known to hold the languages; the header has 'text', 'label', 'a'\n  fix: give --lang for all messages"),
        ("text,message,label", {"lang": "es"}, "'text' and 'message' may each hold the messages"),
        ("text,label,a", {"lang": "es", "text_column": "b"}, "there is no column 'b' (--text-column); the header has 'text', 'label', 'a'"),
        ("text,label,lang", {"lang": "es", "lang_column": "lang"}, "both --lang es and --lang-column lang are given"),
        ("text,label,a", {"lang": "xx"}, "unknown language 'xx'"),
        ("text,label,a", {"lang": "es", "label_column": "text"}, "the column 'text' is given for two things"),
        ("text,label,Text", {"lang": "es"}, "columns 1 and 3 of the header have the same name, 'Text'"),
    ],
)  # fmt: skip
def test_a_header_that_does_not_tell_is_refused(tmp_path, header, asked, told):
    assert told in refused(tmp_path, f"{header}\nuno,envío,es\n", **asked)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (" ,envío,es,1", "row 2, column 'text': is empty; fix: write the message"),
        ("uno,,es,1", "row 2, column 'label': is empty; fix: write one of the labels"),
        ("uno,envio,es,1", "'envio' is no label of"),
        ("uno,envio,es,1", "fix: it is 'envío' but for accents"),
        ("uno,devoluciones,es,1", "fix: did you mean 'devolución'?"),
        ("uno,envío,,1", "column 'lang': is empty; fix: write the language"),
        ("uno,envío,spansh,1", "'spansh' is no language; fix: did you mean 'Spanish'"),
        ("uno,envío,es,", "column 'id': is empty"),
        ("uno,envío,es,0", "'0' is the id of row 1 (line 2) too"),
        ("uno,envío,es", "has 3 cells and the header 4, so that 'id' is missing"),
    ],
)
def test_a_wrong_row_is_told_with_line_column_value_and_fix(tmp_path, row, told):
    said = refused(tmp_path, f"text,label,lang,id\nbien,envío,es,0\n{row}\n")
    assert "m.csv:3: row 2" in said
    assert told in said


def test_all_problems_are_told_in_the_order_of_lines_and_at_most_twenty(tmp_path):
    rows = ["x,nada,es", '"a" b,envío,es', *["y,nada,es"] * 23]
    said = refused(tmp_path, "text,label,lang\n" + "\n".join(rows) + "\n")
    lines = [line for line in said.splitlines() if ".csv:" in line]
    assert said.startswith(f"{tmp_path / 'm.csv'}: 25 problems")
    assert [
        int(line.partition(".csv:")[2].partition(":")[0]) for line in lines[1 if ": 25" in lines[0] else 0 :]
    ] == list(range(2, 22))
    assert "and 5 more" in said


def test_a_header_alone(tmp_path):
    assert "there is a header and no row below it" in refused(tmp_path, "text,label\n\n", lang="es")


def test_a_label_that_is_a_name_of_two(tmp_path):
    (tmp_path / "labels.yaml").write_text("a: {names: {es: x, eu: y}}\nb: {names: {es: z, ca: x}}\n", encoding="utf-8")
    (tmp_path / "m.csv").write_text("text,label\nuno,x\n", encoding="utf-8")
    labels = load_labels(tmp_path / "labels.yaml", LANGUAGES)
    with pytest.raises(InputError, match="'x' is a name of 'a' and 'b'; fix: write the key"):
        read_messages(tmp_path / "m.csv", labels, LANGUAGES, Asked(lang="ja"))


def test_doubles_are_kept_and_told(tmp_path):
    rows = "uno,envío,es\n UNO,envío,es\ndos,envío,es\ndos,devolución,es\ndos,itzulketa,eu\nhiru,bidalketa,eu\n"
    found = read(tmp_path, f"text,label,lang\n{rows}")
    assert len(found.messages) == 6
    same, other = found.notes
    assert "rows 1 and 2 (lines 2 and 3) hold the same message with the same label" in same
    assert "rows 3 and 4 (lines 4 and 5) hold the same message with other labels (delivery, return)" in other


def test_a_label_without_messages_is_a_note(tmp_path):
    (note,) = read(tmp_path, "text,label,lang\nuno,envío,es\ndos,itzulketa,eu\ntres,devolución,es\n").notes
    assert note.endswith("no message in eu has the label delivery")
    (note,) = read(tmp_path, "text,label\nuno,envío\n", lang="es").notes
    assert note.endswith("no message has the label return")


@pytest.mark.parametrize(
    ("rows", "parallel"),
    [
        ("1,a,envío,es\n2,b,devolución,es\n2,c,itzulketa,eu\n1,d,bidalketa,eu\n", True),
        ("1,a,envío,es\n2,b,devolución,es\n1,c,itzulketa,eu\n2,d,bidalketa,eu\n", False),
        ("1,a,envío,es\n2,b,devolución,es\n1,c,bidalketa,eu\n", False),
        ("1,a,envío,es\n2,b,devolución,es\n", False),
    ],
)
def test_the_same_ids_and_labels_in_every_language_are_the_same_content(tmp_path, rows, parallel):
    assert read(tmp_path, f"id,text,label,lang\n{rows}").parallel is parallel


def test_the_example_is_as_its_readme_says():
    folder = ROOT / "examples" / "messages"
    found = read_messages(folder / "messages.csv", load_labels(folder / "labels.yaml", LANGUAGES), LANGUAGES, Asked())
    assert {code: len(found.in_language(code)) for code in found.languages} == {"es": 80, "eu": 60, "ca": 60}
    assert found.notes == ()
    assert (folder / "messages.csv").read_bytes().startswith(b"\xef\xbb\xbfid;fecha;")
    assert any("\n" in message.text for message in found.messages)
    for message in found.messages:
        for code in (*found.languages, "en"):
            name = found.labels.names_in(code)[found.labels.keys.index(message.label)]
            assert name.casefold() not in message.text.casefold(), message
    for code in (*found.languages, "en"):
        assert found.labels.descriptions_in(code) is not None
