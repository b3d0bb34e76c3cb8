"""BasqueGLUE's tweets, texts and requests on stand-ins with the columns and labels of the makers' files."""

from __future__ import annotations

import pytest

from tests.tasks.building import catalog, module, on_rows, stand_in

utils = module("basqueglue/utils")
COUNTS = {
    "bec": (377, 477, 448),
    "vaxx": (92, 135, 85),
    "bhtc": (169, 17, 94, 535, 61, 177, 60, 22, 174, 249, 287, 9),
    "intent": (100, 100, 100, 99, 100, 100, 100, 100, 100, 34, 54, 100),
}
"""Test items by class, as the makers' README files give them."""


def rows(name):
    return stand_in("basqueglue/eu" if name == "bec" else f"basqueglue/{name}")


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("bec", ["negatiboa", "neutroa", "positiboa"]),
        ("vaxx", ["aurkakoa", "neutroa", "aldekoa"]),
        ("bhtc", ["ekonomia", "Euskal Herria", "zientzia"]),
        ("intent", ["alarma kentzea", "gogorarazlea jartzea", "eguraldia jakitea"]),
    ],
)
def test_the_answer_is_the_class(name, answers):
    shown = on_rows(f"{name}_eu", rows(name)).prompts(range(3))
    assert [item["target"] for item in shown] == answers
    assert len(shown[0]["choices"]) == len(set(shown[0]["choices"])) == len(COUNTS[name])
    assert all(item["context"].count("\n") == 1 for item in shown)


@pytest.mark.parametrize("name", COUNTS)
def test_items_and_chance(name):
    task = catalog()[f"{name}_eu"]
    assert task.items == sum(COUNTS[name])
    assert task.chance == pytest.approx(max(COUNTS[name]) / sum(COUNTS[name]), abs=1e-4)
    assert task.data.kind == "mirror"


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("form", ["native-2", "english"])
def test_other_wordings_name_as_many_classes(name, form):
    shown = on_rows(f"{name}_eu", rows(name), form).prompts(range(3))
    assert len(set(shown[0]["choices"])) == len(COUNTS[name])
    assert shown[0]["context"].endswith(":")


def test_line_breaks_and_tokenised_points_are_taken_out():
    shown = [on_rows(f"{name}_eu", rows(name)).prompts(range(3)) for name in ("bec", "intent")]
    assert shown[0][1]["context"] == "Txioa: Mitina arratsaldeko zazpietan hasiko da plazan #URL\nSentimendua:"
    assert shown[1][0]["context"] == "Eskaera: kendu zazpietako alarma.\nAsmoa:"


@pytest.mark.parametrize(
    ("label", "place"), [("NEU", 1), (2, 2), ("11", 11), ("Euskal_Herria", 1), ("alarm/snooze_alarm", 4)]
)
def test_labels(label, place):
    assert utils.number(label) == place


def test_other_labels_are_refused():
    with pytest.raises(ValueError, match="label 'alarm/play' is none of N, NEU, P"):
        utils.number("alarm/play")
