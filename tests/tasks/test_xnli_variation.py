"""XNLIvar's varieties: every row is an item, and the premises lead back to the standard ones."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.tasks.building import catalog, needs, on_mirror

mirror = needs("hitz-zentroa/XNLIvar")


def test_varieties_are_in_no_parallel_group():
    for code in ("eu", "es"):
        assert catalog()[f"xnli_variation_{code}"].parallel_group is None


@mirror
@pytest.mark.parametrize(("code", "items"), [("eu", 894), ("es", 666)])
def test_items(code, items):
    built = on_mirror(f"xnli_variation_{code}")
    assert len(built) == built.task.items == items
    assert set(Counter(built._docs["label"]).values()) == {items // 3}
    standard = on_mirror(f"xnli_native_{code}")._docs
    assert set(built._docs["premise_id"]) == set(standard["premise_id"])
    assert (
        set(built._docs["region"])
        == {
            "eu": {"gipuzkoa", "bizkaia", "nafarroa"},
            "es": {"Cuba", "Ecuador", "Uruguay", "Espainia_and", "Espainia_ten"},
        }[code]
    )


@mirror
def test_only_the_premise_is_in_a_variety():
    for code in ("eu", "es"):
        standard = {
            (row["premise_id"], row["label"]): row["hypothesis"] for row in on_mirror(f"xnli_native_{code}")._docs
        }
        rows = on_mirror(f"xnli_variation_{code}")._docs
        same = sum(standard[row["premise_id"], row["label"]] == row["hypothesis"] for row in rows)
        assert same / len(rows) > 0.95
