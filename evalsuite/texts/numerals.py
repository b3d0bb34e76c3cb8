"""Numbers in running text, read with a language's own decimal and grouping marks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache

from evalsuite.texts.norms import Norms

__all__ = ["numbers", "rewrite_numbers"]

_WIDE = str.maketrans("０１２３４５６７８９．，－＋／：％", "0123456789.,-+/:%") | {
    0x00A0: " ", 0x202F: " ", 0x2007: " ", 0x2009: " ", 0x3000: " ",
}  # fmt: skip
_MINUS = "-−"
_USUAL = ".,"


def numbers(text: str, norms: Norms, *, whole: bool = False) -> tuple[Decimal, ...]:
    """Return the numbers in `text`, in order.

    Read: digits (full-width ones too), a minus sign or currency symbol before them, the language's grouping marks
    between groups of three digits, a fraction, and the language's multipliers. "12%" is 12, "$18." is 18, "10-5" is 10
    and 5, "1億2,000万" in Japanese is 120000000.

    Not read: numbers in words or kanji alone; powers ("1e5"); digits after a Latin letter ("H2O"); whatever is joined by
    "/" or ":" without spaces (fractions, dates, times); what is neither plain nor grouped in threes ("1.2.3").

    The other convention is understood where it is clear:

    - two kinds of marks: the last one is the decimal mark ("1,234.5" in Spanish is 1234.5);
    - the same mark more than once groups ("1,234,567");
    - a mark that is not before exactly three digits, or that comes after 0, is decimal ("3.5" and "0.125" in Spanish);
    - three zeros after the decimal mark are a group ("1,000" in Spanish is 1000), as nobody writes 1 with them.

    What is left is read as the language has it: "1,234" is 1234 in English and 1.234 in Spanish.

    Args:
        text: Any text.
        norms: The language's marks.
        whole: Whether all right answers of the data are known to be whole numbers; then "1,234" is 1234 in any
            language. This is a property of a data set, never to be set by the answer of one item.
    """
    text, worth = text.translate(_WIDE), dict(norms.multipliers)
    values: list[Decimal] = []
    # Where the last number ended, if it had a multiplier: a number there with less behind it belongs to it.
    open_at, open_sign, open_worth = -1, 1, 0
    for start, end, plain, negative in _found(text, norms, whole):
        value, by = Decimal(plain), 1
        while text[end : end + 1] in worth:
            by *= worth[text[end]]
            end += 1  # noqa: PLW2901 - the multiplier is part of the number
        if by > 1:
            value *= by  # a product is rounded to 28 digits; what is written is kept as it is
        if start == open_at and value < open_worth:
            values[-1] += open_sign * value
        else:
            open_sign = -1 if negative else 1
            values.append(value.copy_negate() if negative else value)
        open_at, open_worth = (end, by) if by > 1 else (-1, 0)
    return tuple(values)


def rewrite_numbers(text: str, norms: Norms, *, point: str = ".") -> str:
    """Return `text` with its grouping marks dropped and decimal marks replaced by `point`; all else stays.

    Args:
        text: Any text.
        norms: The language's marks.
        point: What to write between whole part and fraction.
    """
    parts, last = [], 0
    for start, end, plain, _ in _found(text.translate(_WIDE), norms, whole=False):
        parts += [text[last:start], plain.replace(".", point)]
        last = end
    return "".join(parts) + text[last:]


def _found(text: str, norms: Norms, whole: bool) -> Iterator[tuple[int, int, str, bool]]:  # noqa: FBT001
    """Yield start, end, plain digits with a point, and whether there is a minus sign."""
    for match in _pattern(norms).finditer(text):
        start, end = match.span()
        if _joined(text, start, end):
            continue
        plain = _plain(match.group(), norms, whole=whole)
        if plain is not None:
            yield start, end, plain, _negative(text, start)


@lru_cache(maxsize=64)
def _pattern(norms: Norms) -> re.Pattern[str]:
    marks = "".join(re.escape(m) for m in sorted({*_USUAL, norms.decimal, *norms.group} - {" "}))
    spaced = (
        rf"[0-9]{{1,3}}(?: [0-9]{{3}})+(?! ?[0-9])(?:[{marks}][0-9]+)?(?![{marks}]?[0-9])|"
        if " " in norms.group
        else ""
    )
    # A mark without a digit before it opens a fraction (".5") only where a number could begin.
    return re.compile(
        rf"(?<![0-9])(?<![0-9][{marks}])(?:{spaced}[0-9]+(?:[{marks}][0-9]+)*|(?<![0-9A-Za-z_À-ɏ{marks})])[{_USUAL}][0-9]+)"
    )


def _joined(text: str, start: int, end: int) -> bool:
    """Return whether digits are part of a word, a fraction, a date or a time."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    if before and (before[-1] == "_" or _latin(before[-1])):
        return True
    to_left = len(before) == 2 and before[1] in "/:" and before[0].isdigit()
    to_right = len(after) == 2 and after[0] in "/:" and after[1].isdigit()
    return to_left or to_right


def _latin(character: str) -> bool:
    # Japanese writes digits straight after kana and kanji, so only letters below U+0250 make a word of them.
    return character.isalpha() and character < "\u0250"


def _negative(text: str, start: int) -> bool:
    before = text[max(0, start - 3) : start]
    if before and unicodedata.category(before[-1]) == "Sc":
        before = before[:-1]
    if not before or before[-1] not in _MINUS:
        return False
    # "10-5", "COVID-19", "(a)-5" and "--5" have no sign.
    return len(before) < 2 or not (before[-2].isdigit() or _latin(before[-2]) or before[-2] in _MINUS + ")%")


def _plain(token: str, norms: Norms, *, whole: bool) -> str | None:
    """Return the digits of a number with a point as its decimal mark; `None` if it is no number."""
    by_space = " " in token
    token = token.replace(" ", "")
    marks = [c for c in token if not c.isdigit()]
    if not marks:
        return token
    head, _, fraction = token.rpartition(marks[-1])
    decimals = {*_USUAL, norms.decimal}
    if len(set(marks)) == 1 and not by_space:
        if len(marks) > 1:
            return "".join(token.split(marks[0])) if _grouped(token, marks[0]) else None
        if not _decimal(head, fraction, marks[0], norms, whole=whole):
            return head + fraction
    elif marks[-1] in marks[:-1] or len(set(marks[:-1])) > 1 or (marks[:-1] and not _grouped(head, marks[0])):
        return None
    if marks[-1] not in decimals:
        return None
    return f"{''.join(c for c in head if c.isdigit()) or '0'}.{fraction}"


def _decimal(head: str, fraction: str, mark: str, norms: Norms, *, whole: bool) -> bool:
    """Return whether a number's only mark is its decimal mark."""
    if len(fraction) != 3 or not 1 <= len(head) <= 3 or head.startswith("0"):
        return True
    return mark == norms.decimal and fraction != "000" and not whole


def _grouped(digits: str, mark: str) -> bool:
    first, *rest = digits.split(mark)
    return 1 <= len(first) <= 3 and all(len(part) == 3 for part in rest)
