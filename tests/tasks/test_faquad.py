"""FaQuAD: questions on Brazilian regulations, with three or four right answers each."""

from __future__ import annotations

from tests.tasks.building import needs, on_mirror, scored

mirror = needs("eraldoluis/faquad")


@mirror
def test_items_are_as_the_note_says():
    built = on_mirror("faquad_pt")
    docs = built._docs
    assert len(built) == built.task.items == 63
    assert len(set(docs["id"])) == 63
    assert len(set(docs["title"])) == 14
    assert built.task.cluster_column == "title"
    assert all(doc["context"] == doc["context"].lower() for doc in docs)
    assert {len(doc["golds"]) for doc in docs} == {3, 4}


@mirror
def test_any_of_the_right_answers_is_right():
    built = on_mirror("faquad_pt")
    for index in range(63):
        for gold in built._docs[index]["golds"]:
            assert scored(built, index, gold)["f1"] == 1.0


@mirror
def test_prompt():
    shown = on_mirror("faquad_pt").prompts([0])[0]["context"]
    assert shown.startswith("Texto: caberá ao coordenador de curso")
    assert shown.endswith("\nPergunta: o que o acadêmico deve preencher?\nResposta:")
