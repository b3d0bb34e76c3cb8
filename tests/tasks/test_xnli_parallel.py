"""XNLI and the groups that share its form: one shape from several columns, and the same items in every language."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from datasets import Dataset

from tests.tasks.building import catalog, group, module, needs, on_mirror, on_rows, stand_in

INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")
MIRRORED = ("xnli_parallel_en", "xnli_parallel_es", "xnli_parallel_eu")
nli = module("_shared/nli")
mirror = needs("HiTZ/xnli-eu")


def prepared(**row):
    (found,) = nli.prepare(Dataset.from_list([row]))
    return found


@pytest.mark.parametrize(("label", "number"), [("entailment", 0), ("neutral", 1), ("contradiction", 2), (0, 0), (2, 2)])
def test_labels_are_words_or_numbers(label, number):
    assert prepared(premise="It rains.", hypothesis="It is wet.", label=label)["label"] == number
    assert prepared(sentence1="It rains.", sentence2="It is wet.", gold_label=label)["label"] == number


@pytest.mark.parametrize("label", ["yes", -1, 3])
def test_other_labels_are_refused(label):
    with pytest.raises(ValueError, match=re.escape(f"label {label!r} is none of entailment, neutral, contradiction")):
        prepared(premise="It rains.", hypothesis="It is wet.", label=label)


@pytest.mark.parametrize(
    ("premise", "stem"),
    [
        ("It rains.", "It rains"),
        ("Is it wet?", "Is it wet?"),
        ("Wait...", "Wait"),
        ("雨が降る。", "雨が降る"),
        ("Go!", "Go!"),
    ],
)
def test_the_stem_has_no_full_stop_and_the_premise_keeps_it(premise, stem):
    found = prepared(premise=premise, hypothesis="x", label=0)
    assert (found["premise"], found["stem"]) == (premise, stem)


def test_invisible_characters_and_repeated_spaces_go():
    found = prepared(premise="It\u200b  rains\ufeff.", hypothesis=" It is\u00ad wet. ", label=0)
    assert (found["premise"], found["hypothesis"]) == ("It rains.", "It is wet.")


def test_premises_are_named_by_the_data_or_by_threes():
    rows = Dataset.from_list([{"premise": "p", "hypothesis": "h", "label": 0}] * 7)
    assert nli.prepare(rows)["premise_id"][:] == ["0", "0", "0", "1", "1", "1", "2"]
    assert prepared(pair_id="prem12_hyp1", premise="p", hypothesis="h", label=0)["premise_id"] == "prem12"
    assert prepared(prem_id="prem7", premise="p", hypothesis="h", label=0)["premise_id"] == "prem7"


def test_the_group_holds_the_languages_with_a_translation():
    assert set(group("xnli_parallel")) == {"en", "es", "eu", "ca", "gl"}


@pytest.mark.parametrize(
    ("code", "ask", "opening"),
    [("ca", ", oi?", ("Sí, ", "A més, ", "No, ")), ("gl", ", verdade?", ("Si, ", "Ademais, ", "Non, "))],
)
def test_hub_only_languages_are_built_on_stand_ins(code, ask, opening):
    rows = stand_in(f"xnli_parallel/{code}")
    shown = on_rows(f"xnli_parallel_{code}", rows).prompts(range(3))
    for row, item, place in zip(rows, shown, (2, 0, 1), strict=True):
        premise, hypothesis = (row.get("premise") or row["sentence1"]), (row.get("hypothesis") or row["sentence2"])
        assert item["context"] == premise.rstrip(".") + ask
        assert item["choices"] == [word + hypothesis for word in opening]
        assert item["target"] == item["choices"][place]


@pytest.mark.parametrize("form", ["native-2", "native-3", "english"])
def test_every_wording_gives_three_answers(form):
    for code in ("ca", "gl"):
        for item in on_rows(f"xnli_parallel_{code}", stand_in(f"xnli_parallel/{code}"), form).prompts(range(3)):
            assert len(set(item["choices"])) == 3
            assert "{" not in item["context"] + "".join(item["choices"])
            assert item["target"] in item["choices"]


def test_quotation_marks_and_braces_in_the_data_stay_text():
    row = {"premise": 'He said "it\'s {over}".', "hypothesis": 'It\'s "over" {{now}} \\ here.', "label": 0}
    (item,) = on_rows("xnli_parallel_es", [row]).prompts([0])
    assert item["target"] == 'Sí, It\'s "over" {{now}} \\ here.'


@mirror
def test_the_same_labels_in_every_language():
    golds = [on_mirror(name)._docs["label"][:] for name in MIRRORED]
    assert golds[0] == golds[1] == golds[2]
    assert Counter(golds[0]) == {0: 1670, 1: 1670, 2: 1670}
    assert catalog()["xnli_parallel_es"].chance == pytest.approx(1 / 3, abs=1e-4)


@mirror
@pytest.mark.parametrize("name", MIRRORED)
def test_items_of_xnli(name):
    built = on_mirror(name)
    assert len(built) == built.task.items == 5010
    docs = built._docs
    assert all(len({docs[i + k]["premise"] for k in range(3)}) == 1 for i in range(0, 5010, 3))
    assert not any(INVISIBLE.search(text) for text in [*docs["premise"], *docs["hypothesis"]])
    for item in built.prompts(range(0, 5010, 501)):
        assert item["target"] in item["choices"]
        assert not item["context"].endswith(" ")


@mirror
def test_the_lost_character_of_the_source_is_where_the_note_says():
    rows = [i for i, text in enumerate(on_mirror("xnli_parallel_en")._docs["premise"]) if "\ufffd" in text]
    assert rows == [3240, 3241, 3242]
    assert "3240 to 3242" in (catalog()["xnli_parallel_en"].note or "")
