"""Loops against a search by hand, hand-made replies and real sentences."""

from __future__ import annotations

import random

import pytest

from evalsuite.texts.replies import ReplyKind, classify, find_loop, is_empty
from tests.texts.norms import ISO3


@pytest.mark.parametrize("reply", ["", "  \n\t", "...", "?!", "\u200b\ufeff", "「」。", "—", "***"])
def test_a_reply_without_letters_digits_or_symbols_is_empty(reply):
    assert is_empty(reply)
    assert classify(reply) is ReplyKind.EMPTY


@pytest.mark.parametrize("reply", ["0", "a", "はい", "=", "😀", "- x"])
def test_anything_else_is_not(reply):
    assert not is_empty(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "The capital is Madrid. " * 4,
        "Erantzuna hau da. " + "Bai, hori da. " * 20 + "Bai, ho",
        "東京です。" * 8,
        "こたえは" + "はい" * 30,
        "a" * 60,
        "1. La casa es roja.\n2. La casa es roja.\n3. La casa es roja.\n4. La",
        "x\ny\n" * 12,
    ],
)
def test_a_unit_that_repeats_to_the_end_is_a_loop(reply):
    assert classify(reply) is ReplyKind.LOOPING


@pytest.mark.parametrize(
    "reply",
    [
        "no, no, no",
        "Madrid",
        "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18",
        "| 1 | 2 | 3 |\n| 4 | 5 | 6 |\n| 7 | 8 | 9 |\n| 4 | 5 | 6 |",
        "1. Poma\n2. Pera\n3. Raïm\n4. Meló\n5. Figa\n6. Cirera\n7. Pruna",
        "A paragraph that says something of its own, and at some length, before it ends. ha ha ha ha",
        "Row row row your boat, gently down the stream, merrily merrily merrily merrily, life is but a dream",
    ],
)
def test_other_text_is_text(reply):
    assert classify(reply) is ReplyKind.TEXT


def test_a_loop_tells_its_unit_and_how_much_it_covers():
    loop = find_loop("Start. " + "abcdefghij " * 9 + "abcde")
    assert loop is not None
    assert len(loop.unit) == 11
    assert set(loop.unit) == set("abcdefghij ")
    assert 9.4 < loop.repeats < 9.6
    assert 0.9 < loop.share < 1


def test_the_shortest_period_agrees_with_a_search_by_hand():
    """The reference compares the text with itself, shifted, for every period."""
    draw = random.Random(3)
    looped = 0
    for _ in range(300):
        text = "".join(draw.choices("abc", k=draw.randint(0, 30)))
        text += "".join(draw.choices("abc", k=draw.randint(1, 20))) * draw.randint(1, 8)
        expected = None
        for period in range(1, len(text) // 3 + 1):
            tail = next(
                (n for n in range(len(text) - period) if text[-1 - n] != text[-1 - n - period]), len(text) - period
            )
            covered = tail + period
            if covered >= max(40, 3 * period, len(text) / 2):
                expected = period
                break
        loop = find_loop(text)
        looped += expected is not None
        assert (loop and len(loop.unit)) == expected
    assert 30 < looped < 270


@pytest.mark.parametrize("iso3", ISO3.values(), ids=ISO3)
def test_no_sentence_or_document_of_ntrex_is_a_loop(ntrex, iso3):
    documents = ["\n".join(group) for _, group in ntrex.groupby("doc_id")[iso3]]
    assert [text for text in [*ntrex[iso3], *documents] if find_loop(text)] == []


@pytest.mark.parametrize("iso3", ISO3.values(), ids=ISO3)
def test_loops_made_of_ntrex_are_found(ntrex, iso3):
    draw = random.Random(11)
    missed = 0
    for text in [t for t in ntrex[iso3][:300] if len(t) > 20]:
        begin = draw.randrange(len(text) // 2)
        unit = text[begin : begin + draw.randint(1, 120)] + draw.choice(["", " ", "\n"])
        made = draw.choice(["", text + "\n"]) + unit * (len(text) // len(unit) + 40)
        missed += find_loop(made[: len(made) - draw.randrange(len(unit))]) is None
    assert missed == 0
