"""Files of labels: both forms, names in several languages, what a text means, and what is refused."""

from __future__ import annotations

import pytest

from evalsuite.errors import InputError
from evalsuite.messages import load_labels

CODES = ("en", "es", "eu", "ja")
FULL = """\
delivery:
  name: shipping
  names: {es: envío, en: delivery}
  description: where a parcel is
  descriptions: {en: where an order is}
return:
  names: {es: devolución, en: return}
  descriptions: {es: enviar algo de vuelta, en: sending something back}
"""


def load(folder, text):
    path = folder / "labels.yaml"
    path.write_text(text, encoding="utf-8")
    return load_labels(path, CODES)


def test_a_list_of_names(tmp_path):
    labels = load(tmp_path, "- entrega\n- devolución\n")
    assert labels.keys == ("entrega", "devolución")
    assert labels.names_in("eu") == ("entrega", "devolución")
    assert labels.descriptions_in("eu") is None
    assert labels.translated("en") == (None, None)


def test_keys_with_names_or_nothing(tmp_path):
    assert load(tmp_path, "a: entrega\nb:\n").names_in("es") == ("entrega", "b")


def test_names_and_descriptions_fall_back(tmp_path):
    labels = load(tmp_path, FULL)
    assert labels.names_in("es") == ("envío", "devolución")
    assert labels.names_in("eu") == ("shipping", "return")
    assert labels.descriptions_in("es") == ("where a parcel is", "enviar algo de vuelta")
    assert labels.descriptions_in("eu") is None, "the second has none"
    assert labels.translated("en") == (("delivery", "return"), ("where an order is", "sending something back"))
    assert labels.translated("es")[1] is None, "a description of no language is not said to be Spanish"


@pytest.mark.parametrize("text", ["delivery", "envío", " ENVÍO ", "Shipping", "env\u0069\u0301o"])
def test_key_or_name_in_any_language_and_any_case(tmp_path, text):
    assert load(tmp_path, FULL).find(text, "eu") == ("delivery",)


def test_accents_must_be_right(tmp_path):
    labels = load(tmp_path, FULL)
    assert labels.find("envio", "es") == ()
    assert labels.why_not("envio") == "it is 'envío' but for accents; write it so"
    assert labels.why_not("devolucio") == "did you mean 'devolución'?"
    assert "write one of delivery, return" in labels.why_not("zzz")


def test_the_languages_own_name_comes_first(tmp_path):
    labels = load(tmp_path, "a: {names: {es: pago, eu: oso}}\nb: {names: {es: oso, eu: ordaina}}\nc:\n")
    assert labels.find("oso", "es") == ("b",)
    assert labels.find("oso", "eu") == ("a",)
    assert labels.find("oso", "en") == ("a", "b")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- a\n", "labels.yaml: 1 labels; there must be 2 to 200"),
        ("\n".join(f"- k{n}" for n in range(201)), "201 labels; there must be 2 to 200"),
        ("- a\n- a\n", "labels.yaml:2: 'a' is given twice (first on line 1)"),
        ("- a\n- no\n", "labels.yaml:2: 'no' is no text"),
        ("- a\n- [b]\n", "labels.yaml:2: 'a list or mapping' is no text"),
        ("a:\nno:\n", "labels.yaml:2: the key `no` is not text but bool"),
        ("a: {nmae: x}\nb:\n", "labels.yaml:1: labels.a.nmae: unknown field"),
        ("a:\n  names: {eu: ''}\nb:\n", "labels.yaml:2: labels.a.names.eu: "),
        ("a: 3\nb:\n", "labels.yaml:1: labels.a: "),
        ("a:\n  names: {xx: y}\nb:\n", "labels.yaml:2: a.names: no language 'xx'"),
        ("a:\n  descriptions: {xx: y}\nb:\n", "labels.yaml:2: a.descriptions: no language 'xx'"),
        ("a: uno\nb: Uno\n", "labels.yaml:2: the labels 'a' and 'b' have the same name, 'Uno'"),
        ("a: {names: {es: x}}\nb: {names: {es: X}}\n", "labels.yaml:2: the labels 'a' and 'b' have the same name in 'es', 'X'"),
        ("", "labels.yaml: the file is empty"),
        ("a: [\n", "not valid YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_line_and_field(tmp_path, text, told):
    with pytest.raises(InputError) as error:
        load(tmp_path, text)
    assert told in error.value.problem


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_labels(tmp_path / "none.yaml", CODES)
