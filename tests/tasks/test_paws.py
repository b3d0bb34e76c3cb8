"""PAWS and two native sets of paraphrases, on stand-ins with the hub's columns."""

from __future__ import annotations

import pytest
from datasets import Dataset

from tests.tasks.building import catalog, group, module, on_rows, stand_in

CODES = ("en", "es", "ca", "gl", "eu", "ja")
FORMS = ("native", "native-2", "native-3")
YES_NO = {
    "en": ("Yes", "No"), "es": ("Sí", "No"), "ca": ("Sí", "No"), "gl": ("Si", "Non"), "eu": ("Bai", "Ez"), "ja": ("はい", "いいえ"),
}  # fmt: skip
utils = module("paws/utils")


def test_the_group_is_joined_by_the_id():
    found = group("paws")
    assert set(found) == set(CODES)
    assert {task.id_column for task in found.values()} == {"id"}
    ids = {code: [str(row["id"]) for row in stand_in(f"paws/{code}")] for code in CODES}
    assert {tuple(column) for column in ids.values()} == {("1", "2", "3")}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("form", FORMS)
def test_yes_is_the_answer_to_a_paraphrase(code, form):
    rows = stand_in(f"paws/{code}")
    shown = on_rows(f"paws_{code}", rows, form).prompts(range(3))
    for item, row in zip(shown, rows, strict=True):
        assert item["target"].startswith(YES_NO[code][0 if row["label"] else 1])
        assert item["choices"][0].startswith(YES_NO[code][0])
        second = utils.joined(row["sentence2"])
        assert all(
            (choice in YES_NO[code]) if form == "native-2" else choice.endswith(second) for choice in item["choices"]
        )


@pytest.mark.parametrize(
    ("code", "context"),
    [
        ("en", "The river flows from the lake to the sea, right?"),
        ("es", "El río fluye del lago al mar, ¿verdad?"),
        ("ja", "川は湖から海へ流れている。そうですよね？"),
        ("eu", "Ibaia aintziratik itsasora doa, ezta?"),
    ],
)
def test_the_first_sentence_is_put_as_a_question(code, context):
    assert on_rows(f"paws_{code}", stand_in(f"paws/{code}")).prompts([0])[0]["context"] == context


def test_rows_without_a_sentence_stay_in_their_place():
    rows = [
        {"id": 7, "sentence1": "NS", "sentence2": "川が流れる。", "label": 0},
        {"id": 8, "sentence1": "雨が降る。", "sentence2": None, "label": 0},
        {"id": 9, "sentence1": "雨が降る。", "sentence2": "雨だ。", "label": 1},
    ]
    assert [item["id"] for item in on_rows("paws_ja", rows).prompts(range(3))] == ["7", "8", "9"]
    assert "NS" in (catalog()["paws_ja"].note or "")


@pytest.mark.parametrize(
    ("tokenised", "written"),
    [
        ("In 1950 , he moved ( with her ) .", "In 1950, he moved (with her)."),
        ("He saw `` The Lake '' again .", 'He saw "The Lake" again.'),
        ("She did n't know John 's aunt .", "She didn't know John's aunt."),
        ("¿ Quién llamó ?", "¿Quién llamó?"),
        ("El \u200brío fluye .", "El río fluye."),
    ],
)
def test_tokenised_text_is_joined(tokenised, written):
    assert utils.joined(tokenised) == written


def test_parafraseja_reads_labels_in_words():
    shown = on_rows("parafraseja_ca", stand_in("paws/parafraseja")).prompts(range(3))
    assert [item["target"].partition(",")[0] for item in shown] == ["Sí", "No", "Sí"]
    assert shown[0]["context"] == "La coral del barri canta diumenge, oi?"


def test_borderline_pairs_count_as_paraphrases():
    shown = on_rows("parafrases_gl", stand_in("paws/parafrases")).prompts(range(3))
    assert [item["target"].partition(",")[0] for item in shown] == ["Si", "Non", "Si"]
    assert "Borderline pairs" in (catalog()["parafrases_gl"].note or "")


def test_other_labels_are_refused():
    row = {"sentence1": "a", "sentence2": "b", "label": 2}
    with pytest.raises(ValueError, match="label 2 is none of 0, 1"):
        utils.prepare(Dataset.from_list([row]))
    with pytest.raises(ValueError, match="Avaliación 3 is none of 0, 1, 2"):
        utils.prepare_galician(Dataset.from_list([{"Frase": "a", "Paráfrase": "b", "Avaliación": 3}]))


@pytest.mark.parametrize("name", ["parafraseja_ca", "parafrases_gl"])
def test_items_that_share_a_sentence_are_one_sample(name):
    task = catalog()[name]
    place = name.partition("_")[0]
    docs = on_rows(name, stand_in(f"paws/{place}"))._docs
    assert task.cluster_column == "first"
    assert len(set(docs["first"])) == (2 if place == "parafraseja" else 3)
