"""AM2iCo: the word that is asked about is shown, texts are readable, and a wrong row is refused."""

from __future__ import annotations

import re

import pytest
from datasets import Dataset

from tests.tasks.building import module, needs, on_mirror, on_rows

ROW = {
    "context1": "Herriko  <word>banku</word> batean eseri zen , eguzkitan .",
    "context2": "The old  <word>bank</word> ( closed in 1990 ) was sold , `` quickly '' , and wasn't the town 's .",
    "label": "F",
}
utils = module("am2ico/utils")
mirror = needs("cambridgeltl/AM2iCo")


def test_words_are_marked_and_named():
    (item,) = on_rows("am2ico_eu", [ROW]).prompts([0])
    assert item["context"].splitlines() == [
        "1. testua: Herriko **banku** batean eseri zen, eguzkitan.",
        "2. testua: The old **bank** (closed in 1990) was sold, \"quickly\", and wasn't the town's.",
        "Galdera: Gauza bera esan nahi al dute 1. testuko «banku» hitzak eta 2. testuko «bank» hitzak?",
        "Erantzuna:",
    ]
    assert (item["choices"], item["target"]) == (["Bai", "Ez"], "Ez")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("これは **嵐** です 。", "これは**嵐**です 。"),
        ("G * STAR", "G * STAR"),
        ("Aranguren go", "Aranguren go"),
        ("a\u00adb", "ab"),
    ],
)
def test_joining(raw, shown):
    assert utils.joined(raw) == shown


@pytest.mark.parametrize(
    ("change", "told"),
    [({"label": "true"}, "label 'true' is neither T nor F"), ({"context2": "The bank"}, "context2 marks 0 words")],
)
def test_wrong_rows_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        utils.prepare(Dataset.from_list([{**ROW, **change}]))


@mirror
@pytest.mark.parametrize("code", ["eu", "ja"])
def test_items(code):
    built = on_mirror(f"am2ico_{code}")
    assert len(built) == built.task.items == 1000
    docs = built._docs
    assert sum(docs["gold"]) == 500
    assert built.task.chance == 0.5
    for doc in docs:
        for number in "12":
            text, word = doc[f"text{number}"], doc[f"word{number}"]
            assert f"**{word}**" in text
            assert "word>" not in text
            assert not re.search("[\u00ad\u200b-\u200d\u2060\ufeff]|  ", text)
