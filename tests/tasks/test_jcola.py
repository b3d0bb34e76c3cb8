"""JCoLA's two parts: yes is the answer to an acceptable sentence, and chance is the share of the larger class."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.tasks.building import catalog, needs, on_mirror, on_rows

PARTS = ("jcola_ja", "jcola_out_of_domain_ja")
ROWS = [{"uid": 1, "label": 1, "sentence": "花が咲いた。"}, {"uid": 2, "label": 0, "sentence": "花を咲いた。"}]
mirror = needs("osekilab/JCoLA")


@pytest.mark.parametrize("form", ["native", "native-2", "native-3", "english"])
def test_yes_is_acceptable(form):
    good, bad = on_rows("jcola_ja", ROWS, form).prompts([0, 1])
    assert (good["target"], bad["target"]) == (("Yes", "No") if form == "english" else ("はい", "いいえ"))
    assert "花が咲いた。" in good["context"]
    assert good["context"].endswith(":" if form == "english" else "：")


@mirror
@pytest.mark.parametrize("name", PARTS)
def test_items_and_chance(name):
    built = on_mirror(name)
    counts = Counter(built._docs["label"])
    assert len(built) == built.task.items == len(set(built._docs["uid"]))
    assert built.task.chance == pytest.approx(counts[1] / len(built), abs=1e-4)
    assert counts[1] > counts[0]
    assert f"{counts[1]} of {len(built)} sentences are acceptable" in (built.task.note or "")
    assert {row["diacritic"] for row in built._docs if row["label"] == 1} == {"g"}


@mirror
def test_the_parts_share_no_sentence():
    first, second = (set(on_mirror(name)._docs["sentence"]) for name in PARTS)
    assert not first & second
    assert catalog()[PARTS[0]].data.split != catalog()[PARTS[1]].data.split
