"""EsBBQ and CaBBQ: nine categories with the same items in Spanish and Catalan, and one that cannot be aligned."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import lm_eval
import pytest
import yaml
from datasets import Dataset

from tests.tasks.building import MIRROR, catalog, group, needs, on_mirror, on_rows

mirror = needs("BSC-LT")
KEYS = ("template_id", "version", "template_label", "flipped", "question_polarity", "context_condition", "label")
TEXTS = {
    "es": ("La vecina habló con el médico.", "¿Quién canta?", "La vecina", "El médico", "No se puede saber"),
    "ca": ("La veïna va parlar amb el metge.", "Qui canta?", "La veïna", "El metge", "No es pot saber"),
}


def _rows(code: str) -> list[dict[str, object]]:
    context, question, one, other, _ = TEXTS[code]
    fixed = {"category": "Age", "context": context, "question": question, "ans0": one, "ans1": other, "ans2": "unknown"}
    return [{**fixed, "instance_id": number, "label": label} for number, label in enumerate((2, 0, 1))]


@pytest.mark.parametrize("task", ["bbq", "bbq_appearance"])
@pytest.mark.parametrize("code", ["es", "ca"])
def test_unknown_is_said_in_the_language(task: str, code: str) -> None:
    built = on_rows(f"{task}_{code}", _rows(code))
    for item, right in zip(built.prompts(range(3)), (2, 0, 1), strict=True):
        assert item["choices"] == list(TEXTS[code][2:])
        assert item["target"] == item["choices"][right]
        assert "unknown" not in item["context"]
    english = on_rows(f"{task}_{code}", _rows(code), "english").prompts([0])[0]
    assert english["choices"] == list(TEXTS[code][2:])
    assert english["context"].endswith("\nAnswer:")


@pytest.mark.parametrize(("code", "folder"), [("es", "esbbq"), ("ca", "cabbq")])
def test_prompt_and_wording_are_those_of_lm_eval(code: str, folder: str) -> None:
    path = Path(lm_eval.__file__).parent / f"tasks/{folder}/_{folder}_common_yaml"
    text = path.read_text(encoding="utf-8").replace("!function", "")
    theirs = yaml.safe_load(text)
    context, question, *_, unknown = TEXTS[code]
    asked = theirs["doc_to_text"].replace("{{context}}", context).replace("{{question}}", question)
    assert on_rows(f"bbq_{code}", _rows(code)).prompts([0])[0]["context"] == asked
    assert repr(unknown) in theirs["doc_to_choice"]


def test_the_prior_of_the_stock_phrase_is_taken_out() -> None:
    built = on_rows("bbq_es", _rows("es"))
    given = [(-6.0, False), (-7.0, False), (-4.0, False), (-6.0, False), (-8.0, False), (-3.0, False)]
    assert built._lm_task.process_results(built._docs[2], given)["acc_mutual_info"] == 1.0
    assert built._lm_task.process_results(built._docs[2], given)["acc"] == 0.0


@mirror
def test_spanish_and_catalan_have_the_same_items() -> None:
    assert set(group("bbq")) == {"es", "ca"}
    es, ca = on_mirror("bbq_es"), on_mirror("bbq_ca")
    assert len(es) == len(ca) == es.task.items == ca.task.items == 23792
    for column in ("category", "instance_id", *KEYS):
        assert list(es._docs[column]) == list(ca._docs[column])
    assert len(set(zip(es._docs["category"], es._docs["instance_id"], strict=True))) == 23792
    assert set(es.task.data.configs) == {p.name for p in (MIRROR / "BSC-LT/EsBBQ").iterdir()} - {"PhysicalAppearance"}


@mirror
@pytest.mark.parametrize("name", ["bbq_es", "bbq_ca", "bbq_appearance_es", "bbq_appearance_ca"])
def test_items(name: str) -> None:
    built = on_mirror(name)
    docs, task = built._docs, built.task
    assert len(docs) == task.items
    assert set(docs["ans2"]) == {"unknown"}
    assert all(one != other for one, other in zip(docs["ans0"], docs["ans1"], strict=True))
    places = Counter(docs["label"])
    assert set(places) == {0, 1, 2}
    assert all(0.31 < count / len(docs) < 0.35 for count in places.values())
    assert task.chance == pytest.approx(1 / 3, abs=1e-4)
    unsaid = [label for label, told in zip(docs["label"], docs["context_condition"], strict=True) if told == "ambig"]
    assert set(unsaid) == {2}
    share = "a third" if "appearance" in name else f"{len(unsaid) / len(docs):.0%}"
    assert f"In {share} of the items" in (task.note or "")


@mirror
def test_a_cluster_holds_whole_templates() -> None:
    docs = on_mirror("bbq_es")._docs
    templates = zip(docs["category"], docs["template_id"], strict=True)
    value: dict[tuple[str, int], set[str]] = {}
    for template, social in zip(templates, docs["relevant_social_value"], strict=True):
        value.setdefault(template, set()).add(social)
    assert all(len(found) == 1 for found in value.values())
    assert len(set().union(*value.values())) > 100


@mirror
def test_physical_appearance_cannot_be_aligned() -> None:
    es, ca = (
        Dataset.from_parquet(str(MIRROR / f"BSC-LT/{s}/PhysicalAppearance/test.parquet")) for s in ("EsBBQ", "CaBBQ")
    )
    assert len(ca) - len(es) == 24
    assert catalog()["bbq_appearance_es"].parallel_group is None
    es_rows, ca_rows = (Counter(zip(*(rows[key] for key in KEYS[:-1]), strict=True)) for rows in (es, ca))
    assert {key[:2] for key in ca_rows - es_rows} == {(20, "b")}
    assert not es_rows - ca_rows
    # No set of columns names a row, so that the rows after the added ones cannot be told apart.
    assert max(es_rows.values()) > 1
