"""Texts from models and data as a page can show them: nothing hidden in them, none without an end."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

__all__ = ["Excerpt", "excerpt", "visible"]

_HIDDEN = {
    code: f"\N{MATHEMATICAL LEFT ANGLE BRACKET}U+{code:04X}\N{MATHEMATICAL RIGHT ANGLE BRACKET}"
    for codes in (
        # Controls, but for tabs and line breaks.
        (*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0)),
        # What turns the direction of text, alone or up to its counterpart.
        (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)),
        # What has no width. Joiners stay: emoji and some scripts are not the same without them.
        (0x00AD, 0x180E, 0x200B, *range(0x2060, 0x2065), *range(0x206A, 0x2070), 0xFEFF),
        (0x2028, 0x2029, *range(0xFFF9, 0xFFFC)),
        # Tags: a copy of ASCII that nobody sees.
        range(0xE0000, 0xE0080),
    )
    for code in codes
}

_MOST_MARKS = 8
"""Combining marks on one letter that are shown; no script needs as many."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A text, in parts where it is long."""

    head: str
    middle: str = ""
    """What is folded away between head and tail."""
    tail: str = ""
    omitted: int = 0
    """Characters before the tail that are left out altogether."""


def visible(text: str) -> str:
    """Return a text in which characters that would hide something, or turn other text round, are signs that can be seen."""
    shown = text.replace("\r\n", "\n").translate(_HIDDEN)
    if shown.isascii():
        return shown
    return _thinned(shown)


def excerpt(text: str, *, shown: int = 600, whole: int = 4000) -> Excerpt:
    """Return a text of which a reader sees the beginning and the end, with the rest folded away.

    Args:
        text: Any text.
        shown: Characters that are seen at once, two thirds of them from the beginning: a question often comes last.
        whole: Characters that are kept.
    """
    text = visible(text)
    # A fold for a few words more is no help.
    if len(text) <= shown * 1.2:
        return Excerpt(text)
    start, end = _cut(text, shown * 2 // 3), _cut(text, len(text) - shown // 3)
    kept = _cut(text, min(end, max(start, whole - shown // 3)))
    return Excerpt(text[:start], text[start:kept], text[end:], end - kept)


def _cut(text: str, at: int) -> int:
    """Return a place near `at` where a text can be cut: before a word, and never within a letter with its marks."""
    for back in range(40):
        if text[at - back - 1 : at - back].isspace():
            return at - back
    while 0 < at < len(text) and _joined(text[at], text[at - 1]):
        at -= 1
    return at


def _joined(char: str, before: str) -> bool:
    marks = ("\N{ZERO WIDTH JOINER}", "\N{ZERO WIDTH NON-JOINER}")
    return char in marks or before in marks or unicodedata.category(char) in {"Mn", "Me", "Mc"}


def _thinned(text: str) -> str:
    """Return a text without the marks that are stacked beyond what any script needs, and a sign in their place."""
    out: list[str] = []
    stacked = 0
    for char in text:
        stacked = stacked + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        if stacked <= _MOST_MARKS:
            out.append(char)
        elif stacked == _MOST_MARKS + 1:
            out.append("\N{HORIZONTAL ELLIPSIS}")
    return "".join(out)
