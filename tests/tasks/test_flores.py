"""FLORES-200 on stand-ins with the hub's columns: every direction is built, prompted and scored."""

from __future__ import annotations

import pytest

from tests.tasks.building import catalog, group, on_rows, scored, stand_in

SIX = ("es", "pt", "ca", "gl", "eu", "ja")
NAMES = [name for c in SIX for name in (f"flores_en_{c}", f"flores_{c}_en")]
NAMES += [name for c in SIX[1:] for name in (f"flores_es_{c}", f"flores_{c}_es")]
COLUMNS = {
    "en": "eng_Latn", "es": "spa_Latn", "pt": "por_Latn", "ca": "cat_Latn", "gl": "glg_Latn", "eu": "eus_Latn", "ja": "jpn_Jpan",
}  # fmt: skip


def test_groups() -> None:
    assert set(group("flores_from_en")) == set(group("flores_to_en")) == set(SIX)
    assert set(group("flores_from_es")) == set(group("flores_to_es")) == set(SIX[1:])


@pytest.mark.parametrize("name", NAMES)
def test_direction(name: str) -> None:
    source, target = name.split("_")[1:]
    rows = stand_in(f"flores/{catalog()[name].language}")
    built = on_rows(name, rows)
    assert built.task.data.split == "devtest"
    for index, (row, item) in enumerate(zip(rows, built.prompts(range(3)), strict=True)):
        assert row[COLUMNS[source]] in item["context"]
        assert item["target"] == row[COLUMNS[target]]
        found = scored(built, index, item["target"])
        assert found["chrf_pp"] == pytest.approx(100.0)
        assert found["wrong_language"] == 0.0
        assert scored(built, index, row[COLUMNS[source]])["chrf_pp"] < 60
