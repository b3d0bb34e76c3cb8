"""IroSvA on stand-ins with the organisers' columns."""

from __future__ import annotations

import pytest
from datasets import Dataset

from tests.tasks.building import catalog, module, on_rows, stand_in

utils = module("irony/utils")


def test_items_on_stand_ins():
    shown = on_rows("irony_es", stand_in("irony/es")).prompts(range(3))
    assert [item["target"] for item in shown] == ["Sí", "No", "No"]
    assert shown[0]["context"].splitlines() == [
        "Tema: trenes",
        "Tuit: Claro que sí, solo dos horas de retraso. Un éxito rotundo.",
        "Pregunta: ¿Es irónico este tuit?",
        "Respuesta:",
    ]
    assert [item["id"] for item in shown] == ["es-0", "es-1", "es-2"]


def test_labels_as_text_are_read_and_others_refused():
    row = stand_in("irony/es")[0]
    assert utils.prepare(Dataset.from_list([{**row, "IS_IRONIC": "1"}]))["gold"][:] == [0]
    with pytest.raises(ValueError, match="IS_IRONIC of es-0 is 'ironic', not 0 or 1"):
        utils.prepare(Dataset.from_list([{**row, "IS_IRONIC": "ironic"}]))


def test_the_data_is_not_looked_for_on_the_hub():
    assert catalog()["irony_es"].data.kind == "mirror"
