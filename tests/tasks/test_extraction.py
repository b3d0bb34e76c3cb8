"""Names in texts: Galician, Japanese, and English with Portuguese; one list an item."""

from __future__ import annotations

import pytest

from tests.tasks.building import catalog, group, module, needs, on_mirror, on_rows, scored

utils = module("extraction/utils")
NAMES = {"sli_nerc_gl": 1655, "ner_wikipedia_ja": 5343, "universal_ner_en": 1000, "universal_ner_pt": 1000}
galician = needs("xavier-gz/SLI_NERC_Galician_Gold")
japanese = needs("stockmark/ner-wikipedia-dataset")
parallel = needs("universalner/universal_ner")


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        (["O", "B-PER", "I-PER", "O", "B-LOC"], [(1, 3), (4, 5)]),
        (["B-ORG", "B-ORG", "I-ORG"], [(0, 1), (1, 3)]),
        (["I-PER", "I-PER", "O", "I-LOC"], [(0, 2), (3, 4)]),  # begun by I-, as CoNLL's evaluation reads it
        (["B-PER", "I-ORG"], [(0, 1), (1, 2)]),
        (["B-MISC", "I-MISC", "I-PER"], [(2, 3)]),
        (["O", "O"], []),
    ],
)
def test_spans(tags, spans):
    assert utils.spans(tags) == spans


def test_galician_tokens_become_running_text():
    tokens = ["Xa#que", "a", '"', "Asociación", "(", "ADEGA", ")", '"', ",", "a_través_da", "_", "."]
    made = utils.galician_item({"tokens": tokens, "ner_tags": ["O", "O", "O", "B-ORG", "O", "B-ORG", *["O"] * 6]})
    assert made == {"text": 'Xa que a "Asociación (ADEGA)", a través da _.', "golds": ["Asociación", "ADEGA"]}


def test_names_are_taken_from_the_text_as_it_stands():
    doc = {
        "idx": "n01001-0001",
        "text": "Ms. Curie-Joliot’s home",
        "tokens": ["Ms.", "Curie", "-", "Joliot", "’s", "home"],
        "ner_tags": [0, 1, 2, 2, 0, 0],
    }
    assert utils.universal_item(doc) == {
        "text": "Ms. Curie-Joliot’s home",
        "golds": ["Curie-Joliot"],
        "document": "n01001",
    }


def test_tokens_that_are_not_the_texts_are_refused():
    with pytest.raises(ValueError, match="'b' does not come next in ' x b'"):
        utils.located("a x b", ["a", "b"])


def test_japanese_kinds():
    entities = [
        {"name": "名古屋", "type": "地名"},
        {"name": "NHK", "type": "法人名"},
        {"name": "こころ", "type": "製品名"},
    ]
    assert utils.japanese_item({"entities": entities}) == {"golds": ["名古屋", "NHK"]}


def test_prompt_in_both_wordings():
    row = {"id": 0, "tokens": ["Vigo", "."], "ner_tags": ["B-LOC", "O"]}
    (native,) = on_rows("sli_nerc_gl", [row]).prompts([0])
    (english,) = on_rows("sli_nerc_gl", [row], "english").prompts([0])
    assert native["context"].startswith("Texto: Vigo.\nNomes de persoas, lugares e organizacións")
    assert english["context"].startswith("Text: Vigo.\nNames of people, places and organisations")
    assert native["target"] == english["target"] == "Vigo"


def _check(name):
    built = on_mirror(name)
    task = catalog()[name]
    assert len(built) == task.items == NAMES[name]
    empty = [scored(built, index, " -")["f1"] for index in range(len(built))]
    assert set(empty) == {0.0, 1.0}
    assert task.chance == pytest.approx(sum(empty) / len(built), abs=1e-4)
    assert f"{int(sum(empty)):,} of {len(built):,}" in str(task.note)
    for index in range(0, len(built), 50):
        item = built.prompts([index])[0]
        assert scored(built, index, item["target"])["f1"] == 1.0
        assert all(gold in item["context"] for gold in built._docs[index]["golds"])


@galician
def test_galician_on_the_mirror():
    _check("sli_nerc_gl")
    texts = on_mirror("sli_nerc_gl")._docs["text"][:]
    assert len(texts) - len(set(texts)) == 47


@japanese
def test_japanese_on_the_mirror():
    _check("ner_wikipedia_ja")


@parallel
@pytest.mark.parametrize("code", ["en", "pt"])
def test_universal_ner_on_the_mirror(code):
    _check(f"universal_ner_{code}")


@parallel
def test_universal_ner_is_parallel():
    assert set(group("universal_ner")) == {"en", "pt"}
    english, portuguese = (on_mirror(f"universal_ner_{code}")._docs for code in ("en", "pt"))
    assert english["idx"][:] == portuguese["idx"][:]
    assert english["document"][:] == portuguese["document"][:]
    assert len(set(english["idx"])) == 1000
    assert sum(" de a " in text for text in portuguese["text"]) > 100  # what the note says of contractions
