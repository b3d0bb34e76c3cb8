"""PUD on the mirror: the same sentences in three languages, in both directions, and the documents they are from."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.tasks.building import group, needs, on_mirror, scored

mirror = needs("UniversalDependencies/PUD/all")
NAMES = ["pud_en_es", "pud_en_pt", "pud_en_gl", "pud_es_en", "pud_pt_en", "pud_gl_en"]


def test_groups() -> None:
    assert set(group("pud_from_en")) == set(group("pud_to_en")) == {"es", "pt", "gl"}


@mirror
def test_ids_are_the_same_in_every_task_and_unique() -> None:
    ids = [tuple(on_mirror(name)._docs["sent_id"]) for name in NAMES]
    assert len(set(ids)) == 1
    assert len(set(ids[0])) == 1000


@mirror
@pytest.mark.parametrize("name", NAMES)
def test_prompts_and_scores(name: str) -> None:
    built = on_mirror(name)
    assert len(built) == built.task.items == 1000
    for index in range(0, 1000, 50):
        item = built.prompts([index])[0]
        source, _, label = item["context"].partition("\n")
        assert label.endswith(":")
        assert item["target"] not in source
        assert scored(built, index, item["target"])["chrf_pp"] == pytest.approx(100.0)


@mirror
def test_documents_hold_a_few_sentences() -> None:
    built = on_mirror("pud_en_gl")
    assert built.task.cluster_column == "document"
    sizes = Counter(list(built._docs["document"]))
    assert len(sizes) > 100
    assert max(sizes.values()) < 20
