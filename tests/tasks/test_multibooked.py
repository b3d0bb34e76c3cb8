"""MultiBooked: one polarity a sentence, readable text, and classes as the note counts them."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.tasks.building import module, needs, on_mirror, on_rows

utils = module("multibooked/utils")
mirror = needs("jerbarnes/multibooked")


@pytest.mark.parametrize(
    ("polarities", "gold"),
    [(["Positive"], 0), (["Positive", "Positive"], 0), (["Negative"], 1), ([], 2), (["Positive", "Negative"], 2)],
)
def test_polarity(polarities, gold):
    assert utils.polarity(polarities) == gold


def test_an_unknown_polarity_is_refused():
    with pytest.raises(ValueError, match="polarity 'Good' is none of Positive, Negative, Neutral"):
        utils.polarity(["Good"])


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("L' accés a el bany de els nens , per el pati .", "L'accés al bany dels nens, pel pati."),
        ("A els matins i Per els vespres", "Als matins i Pels vespres"),
        ("De el Prat a ell", "Del Prat a ell"),
        ("a el , de ella", "al, de ella"),
    ],
)
def test_catalan_is_joined(raw, shown):
    assert utils.joined(raw, catalan=True) == shown


def test_basque_keeps_its_words():
    assert utils.joined("Dena ondo ( gosaria ere ) , a el !", catalan=False) == "Dena ondo (gosaria ere), a el!"


@pytest.mark.parametrize("form", ["native", "native-2", "native-3", "english"])
def test_answers(form):
    row = {
        "sent_id": "multibooked/corpora/eu/etxea_1-3",
        "text": "Lekua ondo dago .",
        "opinions": [{"Polarity": "Positive"}],
    }
    (item,) = on_rows("multibooked_eu", [row], form).prompts([0])
    assert item["target"] == ("positive" if form == "english" else "positiboa")
    assert "Lekua ondo dago." in item["context"]
    assert item["id"] == row["sent_id"]


@mirror
@pytest.mark.parametrize("code", ["ca", "eu"])
def test_items(code):
    built = on_mirror(f"multibooked_{code}")
    docs = built._docs
    counts = Counter(docs["gold"])
    assert len(built) == built.task.items == len(set(docs["sent_id"]))
    assert f"{counts[0]} positive, {counts[1]} negative, {counts[2]} neutral" in (built.task.note or "")
    assert built.task.chance == pytest.approx(max(counts.values()) / len(docs), abs=1e-4)
    assert all(row["sent_id"].startswith(row["review"] + "-") for row in docs)
    assert 1 < len(set(docs["review"])) < len(docs)
    assert not any(" ," in text or " ." in text.replace(" ...", "") for text in docs["text"])
