"""BMLAMA-53: blanks, candidates in an order that tells nothing, and the same items in seven languages."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from datasets import Dataset

from tests.tasks.building import MIRROR, group, module, needs, on_mirror

utils = module("bmlama53/utils")
mirror = needs("Betswish/BMLAMA53")
CODES = ("en", "es", "pt", "ca", "gl", "eu", "ja")
INVISIBLE = re.compile("[\u00a0\u00ad\u200b-\u200f\ufeff\u0080-\u009f]")
OTHER_CANDIDATES = {445, 489, 490, 491, 599}
"""Items with other candidates in Basque and Japanese than in the other languages, so that another one is left out."""


def _rows(*rows: tuple[int, str, str, str]) -> Dataset:
    names = ("idx", "Prompt", "Ans", "Candidate Ans")
    return utils.process_docs(Dataset.from_list([dict(zip(names, row, strict=True)) for row in rows]))


def test_an_item_has_a_blank_and_its_right_answer() -> None:
    made = _rows((0, "Ana lives in <mask> .", "Lugo", "Vigo, Oslo, Kobe, Lugo"))[0]
    assert made["sentence"] == "Ana lives in ___ ."
    assert sorted(made["options"]) == ["Kobe", "Lugo", "Oslo", "Vigo"]
    assert made["options"][made["gold"]] == "Lugo"
    assert made["idx"] == 0


def test_zero_width_spaces_are_removed() -> None:
    made = _rows((0, "Ana e <mask> son \u200b\u200bcidades.", "Lugo", "Vi\u200bgo, Lugo"))[0]
    assert made["sentence"] == "Ana e ___ son cidades."
    assert sorted(made["options"]) == ["Lugo", "Vigo"]


def test_the_order_depends_on_the_id_alone() -> None:
    english = _rows((7, "a <mask>", "four", "one, two, three, four"), (8, "b <mask>", "four", "one, two, three, four"))
    basque = _rows((7, "<mask> da", "lau", "bat, bi, hiru, lau"), (8, "<mask> du", "lau", "bat, bi, hiru, lau"))
    words = {"one": "bat", "two": "bi", "three": "hiru", "four": "lau"}
    assert [[words[o] for o in row["options"]] for row in english] == [row["options"] for row in basque]
    assert list(english["gold"]) == list(basque["gold"])
    assert len({tuple(_rows((i, "a <mask>", "four", "one, two, three, four"))[0]["options"]) for i in range(30)}) > 5


def test_a_known_right_answer_is_not_offered_as_a_wrong_one() -> None:
    made = _rows((0, "X borders <mask>.", "C", "A, B, C"), (1, "X borders <mask>.", "B", "A, D, B"))
    assert [sorted(row["options"]) for row in made] == [["A", "C"], ["A", "B", "D"]]
    assert [row["options"][row["gold"]] for row in made] == ["C", "B"]


def test_a_single_candidate_stays() -> None:
    assert _rows((0, "Ana plays <mask>.", "piano", "piano"))[0]["options"] == ["piano"]


@mirror
@pytest.mark.parametrize("code", CODES)
def test_items(code: str) -> None:
    built = on_mirror(f"bmlama53_{code}")
    docs = built._docs
    raw = Dataset.from_parquet(str(MIRROR / f"Betswish/BMLAMA53/{code}/test.parquet"))
    assert list(docs["idx"]) == list(raw["idx"]) == list(range(built.task.items or 0))
    assert [options[gold] for options, gold in zip(docs["options"], docs["gold"], strict=True)] == list(raw["Ans"])
    assert sum(1 / len(options) for options in docs["options"]) / len(docs) == pytest.approx(
        built.task.chance, abs=1e-4
    )
    assert all(len(set(options)) == len(options) for options in docs["options"])
    assert not any(INVISIBLE.search("".join([s, *o])) for s, o in zip(docs["sentence"], docs["options"], strict=True))
    assert all(sentence.count("___") == 1 for sentence in docs["sentence"])
    places = Counter(g for g, o in zip(docs["gold"], docs["options"], strict=True) if len(o) == 10)
    assert all(0.07 < places[place] / places.total() < 0.13 for place in range(10))


@mirror
def test_languages_have_the_same_items() -> None:
    assert set(group("bmlama53")) == set(CODES)
    of = {code: on_mirror(f"bmlama53_{code}")._docs for code in CODES}
    for code in CODES[1:]:
        pairs = zip(of[code]["gold"], of["en"]["gold"], of[code]["options"], of["en"]["options"], strict=True)
        differ = {i for i, (g, h, o, p) in enumerate(pairs) if g != h or len(o) != len(p)}
        assert differ == (OTHER_CANDIDATES if code in {"eu", "ja"} else set())


@mirror
def test_what_the_notes_say() -> None:
    of = {code: Dataset.from_parquet(str(MIRROR / f"Betswish/BMLAMA53/{code}/test.parquet")) for code in CODES}
    said = {code: on_mirror(f"bmlama53_{code}").task.note or "" for code in CODES}
    times = Counter(of["en"]["Prompt"])
    figures = {
        "en": [
            f"{sum(times[p] > 1 for p in of['en']['Prompt']):,} of 3,070 items share",
            f"{sum('maintains diplomatic relations' in p for p in times.elements())} items ask",
        ],
        "ja": [f"{sum('大文字' in p for p in of['ja']['Prompt'])} Japanese"],
        "eu": [f"{sum(p.endswith('-rekin partekatzen du') for p in of['eu']['Prompt'])} sentences on borders"],
    }
    for code in ("es", "pt", "ca", "gl", "eu"):
        same = sum(a == b for a, b in zip(of[code]["Subject"], of["en"]["Subject"], strict=True))
        figures.setdefault(code, []).append(f"{same:,} of 3,070 subjects")
    assert all(figure in said[code] for code, found in figures.items() for figure in found)
    assert all(c.split(", ")[-1] == a for c, a in zip(of["gl"]["Candidate Ans"], of["gl"]["Ans"], strict=True))


@mirror
@pytest.mark.parametrize("code", CODES)
def test_a_guess_by_the_prior_is_taken_out(code: str) -> None:
    built = on_mirror(f"bmlama53_{code}")
    task, doc = built._lm_task, built._docs[10]
    item = built.prompts([10])[0]
    assert "___" in item["context"]
    assert not item["context"].endswith(" ")
    count, gold = len(doc["options"]), doc["gold"]
    # All options are equally likely after the item, and the right one is the least likely without it.
    given = [(-1.0, False)] * count + [(-9.0 if place == gold else -2.0, False) for place in range(count)]
    assert task.process_results(doc, given)["acc_mutual_info"] == 1.0
