"""TE-ca on stand-ins with the hub's columns, asked in the words of XNLI."""

from __future__ import annotations

import pytest
from datasets import Dataset

from tests.tasks.building import module, on_rows, stand_in

utils = module("teca/utils")


@pytest.mark.parametrize(
    ("form", "answers"),
    [
        ("native", ["Sí,", "A més,", "No,"]),
        ("native-2", ["Vertadera", "Indeterminada", "Falsa"]),
        ("english", ["Yes,", "Also,", "No,"]),
    ],
)
def test_the_answer_is_the_relation(form, answers):
    rows = stand_in("teca/ca")
    shown = on_rows("teca_ca", rows, form).prompts(range(3))
    for item, row, answer in zip(shown, rows, answers, strict=True):
        assert item["target"].startswith(answer)
        assert row["hypothesis"] in item["context" if form == "native-2" else "target"]
        assert len(item["choices"]) == 3


def test_the_premise_loses_its_full_stop():
    assert on_rows("teca_ca", stand_in("teca/ca")).prompts([0])[0]["context"] == (
        "L'ajuntament obre una biblioteca nova al barri, oi?"
    )


@pytest.mark.parametrize(("label", "gold"), [(0, 0), ("1", 1), ("contradiction", 2)])
def test_labels(label, gold):
    row = {"premise": "Plou.", "hypothesis": "El terra és moll.", "label": label}
    assert utils.prepare(Dataset.from_list([row]))["gold"][:] == [gold]


def test_items_of_one_premise_are_one_sample():
    rows = [{"premise": "Plou.", "hypothesis": h, "label": 0} for h in ("Fa mal temps.", "El terra és moll.")]
    assert set(utils.prepare(Dataset.from_list(rows))["first"]) == {"Plou."}


def test_other_labels_are_refused():
    with pytest.raises(ValueError, match="label 3 is none of 0, 1, 2"):
        utils.prepare(Dataset.from_list([{"premise": "a", "hypothesis": "b", "label": 3}]))
