"""What became of a generated reply: text, nothing, or a loop."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from evalsuite.texts.normalise import clean

__all__ = ["Loop", "ReplyKind", "classify", "find_loop", "is_empty"]

_MIN_REPEATS = 3
_MIN_SHARE = 0.5
_MIN_WEIGHT = 40
_MIN_UNIT_LETTERS = 4
_DIGITS = re.compile(r"\d+")


class ReplyKind(StrEnum):
    """Kind of a reply. Whether it was cut at the token limit is another matter, which the backend knows."""

    TEXT = "text"
    EMPTY = "empty"
    LOOPING = "looping"


@dataclass(frozen=True, slots=True)
class Loop:
    """A repetition up to the end of a text.

    `unit` is what repeats (white space made single, and digits made "0" if only the numbers differ), `repeats` how
    often, a part at the end counting as a part, and `share` how much of the text it covers (0 to 1).
    """

    unit: str
    repeats: float
    share: float


def classify(reply: str) -> ReplyKind:
    """Return whether a reply is empty, loops, or is text."""
    if is_empty(reply):
        return ReplyKind.EMPTY
    return ReplyKind.TEXT if find_loop(reply) is None else ReplyKind.LOOPING


def is_empty(reply: str) -> bool:
    """Return whether a reply has nothing but white space, invisible characters and punctuation; "=" and "😀" are text."""
    return all(unicodedata.category(c)[0] in "ZCP" for c in clean(reply))


def find_loop(reply: str) -> Loop | None:
    """Return the repetition that a reply ends in, or `None`.

    A reply loops if its end has a period: a unit of characters, of any length and in any script, that stands there at
    least three times, covers at least half of the reply, and is at least 40 characters long in all; kana, kanji and
    Hangul count as two. The end of the reply may be amid a unit. White space is made single, case counts.

    A loop may count up ("1. The house 2. The house ..."): digits are ignored if the unit has four letters at least, so
    that lists and tables of numbers are no loops. A loop whose words change each time is not found.
    """
    text = " ".join(clean(reply).split())
    found = _period(text)
    if found is None and _DIGITS.search(text):
        counted = _period(_DIGITS.sub("0", text))
        found = counted if counted is not None and sum(map(str.isalpha, counted.unit)) >= _MIN_UNIT_LETTERS else None
    return found


def _period(text: str) -> Loop | None:
    """Return the loop of the shortest period at the end of `text`."""
    size = len(text)
    back = text[::-1]
    weights: list[int] = []
    reach = _z(back, size // _MIN_REPEATS + 1)
    for unit in range(1, size // _MIN_REPEATS + 1):
        covered = unit + reach[unit]
        if covered < _MIN_REPEATS * unit or covered < _MIN_SHARE * size:
            continue
        # The share is of weighted characters, so that a remark in another script before the loop counts fairly.
        weights = weights or [2 if _dense(c) else 1 for c in back]
        weight, heavy = sum(weights[:covered]), sum(weights)
        if weight >= _MIN_WEIGHT and weight >= _MIN_SHARE * heavy:
            return Loop(text[size - unit :], covered / unit, weight / heavy)
    return None


def _z(text: str, limit: int) -> list[int]:
    """Return for each start below `limit` how long the text from there agrees with the text from its beginning.

    The Z algorithm (Gusfield, 1997, "Algorithms on Strings, Trees, and Sequences"), linear in the length.
    """
    size = len(text)
    reach = [0] * min(limit, size)
    left = right = 0
    for start in range(1, len(reach)):
        match = min(right - start, reach[start - left]) if start < right else 0
        while start + match < size and text[match] == text[start + match]:
            match += 1
        reach[start] = match
        if start + match > right:
            left, right = start, start + match
    return reach


def _dense(character: str) -> bool:
    """Return whether a character says about as much as two letters: kana, kanji, Hangul."""
    return unicodedata.east_asian_width(character) == "W"
