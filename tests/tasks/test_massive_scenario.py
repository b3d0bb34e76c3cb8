"""MASSIVE on stand-ins with the hub's columns: 18 names in every language, and the same requests."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Dataset

from evalsuite.catalog.languages import load_languages
from tests.tasks.building import catalog, group, module, on_rows, stand_in

CODES = ("en", "es", "pt", "ja", "ca")
utils = module("massive_scenario/utils")


def test_the_group():
    assert set(group("massive_scenario")) == set(CODES)
    assert catalog()["massive_scenario_ca"].data.kind == "mirror"
    assert catalog()["massive_scenario_es"].data.revision == "fad2c6e8459f9e1c45d9315f4953d921437d70f8"


@pytest.mark.parametrize("code", CODES)
def test_items_on_stand_ins(code):
    rows = stand_in(f"massive_scenario/{code}")
    words = load_languages()[code].prompts["massive_scenario"]["choices"]
    shown = on_rows(f"massive_scenario_{code}", rows).prompts(range(3))
    assert [item["id"] for item in shown] == [row["id"] for row in stand_in("massive_scenario/en")]
    for item, row, scenario in zip(shown, rows, ("alarm", "weather", "takeaway"), strict=True):
        assert item["target"] == words[scenario]
        assert len(item["choices"]) == 18
        assert row.get("text", row.get("utt")) in item["context"]


def test_each_language_names_18_scenarios_and_no_two_alike():
    named = {
        code: known.prompts["massive_scenario"]
        for code, known in load_languages().items()
        if "massive_scenario" in known.prompts
    }
    assert set(named) >= {*CODES, "gl", "eu"}
    for code, said in named.items():
        words = said["choices"]
        assert tuple(words) == utils._SCENARIOS, code
        assert len(set(words.values())) == 18, code


def test_numbers_of_scenarios_are_read_by_the_names_in_the_data():
    rows = Dataset.from_list(stand_in("massive_scenario/ca")).cast_column(
        "scenario", ClassLabel(names=["weather", "takeaway", "alarm"])
    )
    assert rows["scenario"][:] == [2, 0, 1]
    assert utils.prepare(rows)["label_text"][:] == ["alarm", "weather", "takeaway"]


def test_numbers_without_names_are_refused():
    rows = [{**row, "scenario": 3} for row in stand_in("massive_scenario/ca")]
    with pytest.raises(ValueError, match="scenario 3 of item 1 is none of alarm, audio"):
        utils.prepare(Dataset.from_list(rows))
