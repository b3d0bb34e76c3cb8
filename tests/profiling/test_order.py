"""What is asked in which order: the same in every language, by turns, anew in each round."""

from __future__ import annotations

from collections import Counter

import pytest

from evalsuite.profiling.order import by_kind, longest_requests, repeats, round_of
from evalsuite.records import Kind, ProfileSettings, ProfileText

LANGUAGES = ("en", "eu", "ja")
SIZES = {Kind.CLASSIFICATION: 12, Kind.READING: 5, Kind.TRANSLATION: 4, Kind.ANSWER: 3}


def text(language: str, kind: Kind, number: int, **fields: str) -> ProfileText:
    asked = {"prompt": f"{kind} {number}:", **fields}
    return ProfileText.model_validate({"language": language, "id": f"{kind}-{number}", "kind": kind, **asked})


def texts(languages=LANGUAGES):
    return by_kind([text(code, kind, n) for code in languages for kind, size in SIZES.items() for n in range(size)])


def asked(number, languages=LANGUAGES, **fields):
    settings = ProfileSettings.model_validate({"classifications": 3, **fields})
    return round_of(texts(languages), languages, settings, number)


def test_requests_are_sorted_by_language_and_kind_in_their_order():
    found = texts()
    assert set(found) == {(code, kind) for code in LANGUAGES for kind in Kind}
    assert [one.id for one in found["eu", Kind.READING]] == [f"reading-{n}" for n in range(5)]


@pytest.mark.parametrize("number", [0, 1, 7, 40])
def test_a_round_asks_every_language_for_the_same(number):
    ids = {code: [one.id for one in asked(number) if one.language == code] for code in LANGUAGES}
    assert ids["en"] == ids["eu"] == ids["ja"]
    assert Counter(one.kind for one in asked(number) if one.language == "ja") == {
        Kind.CLASSIFICATION: 3,
        Kind.READING: 1,
        Kind.TRANSLATION: 1,
        Kind.ANSWER: 1,
    }
    assert len(set(ids["en"])) == 6


@pytest.mark.parametrize("number", [0, 1, 7])
def test_languages_take_turns_at_each_request(number):
    found = asked(number)
    for start in range(0, len(found), len(LANGUAGES)):
        turn = found[start : start + len(LANGUAGES)]
        assert len({one.id for one in turn}) == 1
        assert {one.language for one in turn} == set(LANGUAGES)


def test_no_language_is_always_the_first_or_the_last_of_a_turn():
    found = [one.language for number in range(20) for one in asked(number)]
    for place in range(len(LANGUAGES)):
        share = Counter(found[place :: len(LANGUAGES)])
        # 120 turns: each language has a third of them, and 20 is further from 40 than chance goes.
        assert share.total() == 120
        assert min(share[code] for code in LANGUAGES) > 20


def test_the_order_follows_the_seed():
    orders = {tuple(one.language for one in asked(1, seed=seed)) for seed in range(8)}
    assert len(orders) == 8
    assert asked(1, seed=3) == asked(1, seed=3)
    # The seed draws the order, not what is asked.
    assert {one.id for one in asked(1, seed=3)} == {one.id for one in asked(1, seed=4)}


def test_two_rounds_have_different_orders():
    first, second = ([one.language for one in asked(number)] for number in (0, 1))
    assert first != second


def test_rounds_take_other_messages_until_they_run_out():
    def messages(number):
        return {one.id for one in asked(number) if one.kind is Kind.CLASSIFICATION}

    rounds = [messages(number) for number in range(4)]
    assert len(set.union(*rounds)) == 12 == sum(map(len, rounds))
    assert messages(4) == rounds[0]
    readings = [one.id for number in range(6) for one in asked(number) if one.kind is Kind.READING][:: len(LANGUAGES)]
    assert readings == [f"reading-{n}" for n in (0, 1, 2, 3, 4, 0)]


def test_more_messages_than_there_are_begin_again():
    counts = Counter(one.id for one in asked(0, languages=("en",), classifications=15) if one.kind == "classification")
    assert sorted(counts.values()) == [1] * 9 + [2] * 3


# --- energy


@pytest.mark.parametrize("typical_s", [[0.5], [2.0, 0.5, 4.0], [0.013, 0.2], [0.0004, 3.0], [70.0, 90.0]])
@pytest.mark.parametrize("least_s", [0.1, 60.0, 100.0])
def test_a_block_is_long_enough_for_the_fastest_language(typical_s, least_s):
    count = repeats(typical_s, least_s)
    assert count * min(typical_s) >= least_s
    assert count >= 5
    # A tenth more than needed and one request; no more than that.
    assert count <= max(5, 1.1 * least_s / min(typical_s) + 1)


def test_a_request_that_turns_out_a_little_faster_still_makes_a_whole_block():
    # 60 s of requests of 0.5 s are 120, and a tenth more is 132.
    assert repeats([2.0, 0.5], 60.0) == 132


def test_few_long_requests_still_give_a_standard_error():
    assert repeats([90.0, 100.0], 60.0) == 5
    assert repeats([90.0, 100.0], 60.0, at_least=8) == 8


def test_requests_that_take_no_time_do_not_make_an_endless_block():
    assert repeats([0.0, 1.0], 60.0) == 5


# --- memory


def test_the_longest_request_of_each_kind_counts_its_answer_and_bytes():
    found = longest_requests(
        [
            text("en", Kind.READING, 1, prompt="abcdef", answer="g"),
            text("eu", Kind.READING, 1, prompt="abc", answer="defgh"),
            # 3 characters of 3 bytes each.
            text("ja", Kind.READING, 1, prompt="請求書"),
            text("en", Kind.ANSWER, 1, prompt="abc"),
            text("ja", Kind.CLASSIFICATION, 1, prompt="ab"),
            text("en", Kind.CLASSIFICATION, 1, prompt="abc"),
        ]
    )
    assert [(one.kind, one.language) for one in found] == [(Kind.READING, "ja"), (Kind.CLASSIFICATION, "en")]
    assert longest_requests([]) == []


def test_a_round_asks_the_kinds_that_are_asked_for_only():
    kinds = ("classification", "answer")
    found = asked(1, kinds=kinds)
    assert Counter(one.kind for one in found if one.language == "eu") == {Kind.CLASSIFICATION: 3, Kind.ANSWER: 1}
    assert {one.id for one in found if one.kind is Kind.ANSWER} == {"answer-1"}


def test_energy_is_of_kinds_that_are_asked():
    with pytest.raises(ValueError, match="energy_kinds: not all of classification are among the kinds"):
        ProfileSettings.model_validate({"kinds": ["answer"]})
