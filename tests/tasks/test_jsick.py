"""JSICK: Japanese and English from the same rows, each with its own labels."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.tasks.building import group, module, needs, on_mirror, on_rows

ROW = {
    "id": 1, "premise": "男性が走っている", "hypothesis": "走っている人は一人もいない", "label": 2,
    "premise_en": "A man is running", "hypothesis_en": "Nobody is running", "label_en": 0,
}  # fmt: skip
nli = module("_shared/nli")
mirror = needs("hpprc/jsick/base")


def test_each_language_has_its_own_sentences_and_labels():
    (japanese,) = on_rows("jsick_ja", [ROW]).prompts([0])
    assert japanese["context"] == "男性が走っている。そうですよね？"
    assert japanese["target"] == "いいえ、走っている人は一人もいない"
    (english,) = on_rows("jsick_en", [ROW]).prompts([0])
    assert english["context"] == "A man is running, right?"
    assert english["target"] == "Yes, Nobody is running"


def test_english_words_around_japanese_items():
    (item,) = on_rows("jsick_ja", [ROW], "english").prompts([0])
    assert item["context"] == "男性が走っている, right?"


def test_pairs_that_share_a_sentence_are_one_group():
    found = nli.linked([("a", "b"), ("c", "d"), ("e", "b"), ("f", "g"), ("d", "h")])
    assert found[0] == found[2]
    assert found[1] == found[4]
    assert len(set(found)) == 3


@mirror
def test_labels_are_as_the_note_says():
    tasks = group("jsick")
    counts = {}
    for code in ("ja", "en"):
        built = on_mirror(f"jsick_{code}")
        assert len(built) == tasks[code].items == 4927
        counts[code] = Counter(built._docs["label"])
        shares = [counts[code][k] for k in (0, 1, 2)]
        assert tasks[code].chance == pytest.approx(max(shares) / 4927, abs=1e-4)
        assert "{:,} entailment, {:,} neutral, {:,} contradiction".format(*shares) in (tasks[code].note or "")
    ja, en = (on_mirror(f"jsick_{code}")._docs for code in ("ja", "en"))
    assert ja["id"][:] == en["id"][:]
    assert len(set(ja["id"])) == 4927
    assert ja["premise_id"][:] == en["premise_id"][:]
    assert 500 < len(set(ja["premise_id"])) < 1500
    assert sum(a == b for a, b in zip(ja["label"], en["label"], strict=True)) == 4272


@mirror
def test_the_numbers_of_the_labels_mean_what_the_sentences_say():
    """A sentence and its plain negation contradict each other; nearly equal sentences are entailed by one another."""
    docs = on_mirror("jsick_en")._docs
    found = {frozenset((d["premise"], d["hypothesis"])): d["label"] for d in docs}
    running = [
        label for pair, label in found.items()
        if any(s.startswith("There is no ") for s in pair) and len(set(" ".join(pair).lower().split())) < 12
    ]  # fmt: skip
    assert len(running) > 30
    assert Counter(running)[2] / len(running) > 0.6
    alike = [d["label"] for d in docs if d["score_en"] >= 4.9 and d["premise"] != d["hypothesis"]]
    assert Counter(alike)[0] / len(alike) > 0.9
