"""XNLIvar's native part: the same pairs in Basque, Spanish and English."""

from __future__ import annotations

from collections import Counter

from datasets import Dataset

from tests.tasks.building import MIRROR, catalog, group, needs, on_mirror

CODES = ("eu", "es", "en")
mirror = needs("hitz-zentroa/XNLIvar")


def test_the_group():
    assert set(group("xnli_native")) == set(CODES)


@mirror
def test_ids_and_labels_agree():
    docs = [on_mirror(f"xnli_native_{code}")._docs for code in CODES]
    assert docs[0]["pair_id"][:] == docs[1]["pair_id"][:] == docs[2]["pair_id"][:]
    assert docs[0]["label"][:] == docs[1]["label"][:] == docs[2]["label"][:]
    assert len(set(docs[0]["pair_id"])) == len(docs[0]) == catalog()["xnli_native_eu"].items == 621
    assert Counter(docs[0]["label"]) == {0: 207, 1: 207, 2: 207}
    assert len(set(docs[0]["premise_id"])) == 207


@mirror
@needs("HiTZ/xnli-eu/eu_native")
def test_the_basque_is_that_of_xnli_eu():
    theirs = Dataset.from_parquet(str(MIRROR / "HiTZ/xnli-eu/eu_native/test.parquet"))
    ours = on_mirror("xnli_native_eu")._docs
    assert ours["label"][:] == theirs["label"][:]
    assert ours["hypothesis"][:] == [" ".join(text.split()) for text in theirs["hypothesis"]]


@mirror
def test_items():
    (item,) = on_mirror("xnli_native_eu").prompts([1])
    assert item["id"] == "prem1_hyp1"
    assert item["context"].endswith("programa informatiko baten bidez egiten da, ezta?")
    assert item["target"] == "Gainera, Zozketa guztietan notario bera izaten da normalean."
