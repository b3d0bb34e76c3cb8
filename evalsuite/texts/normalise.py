"""Text made comparable: what cannot be seen is removed, and an answer becomes a key in its own language's terms."""

from __future__ import annotations

import re
import string
import unicodedata
from functools import lru_cache

from evalsuite.texts.norms import Norms
from evalsuite.texts.numerals import rewrite_numbers

__all__ = ["answer_key", "clean", "is_punctuation"]

# Zero-width space, joiners, word joiner, byte-order mark, soft hyphen, and the marks of writing direction.
_INVISIBLE = (
    "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_CONTROLS = "".join(chr(c) for c in (*range(0x20), *range(0x7F, 0xA0)) if chr(c) not in "\n\t\r")
_SPACES = "\u00a0\u202f\u2007\u3000"
_TABLE = str.maketrans(
    {**dict.fromkeys(_INVISIBLE + _CONTROLS), **dict.fromkeys(_SPACES, " "), "\u2028": "\n", "\u2029": "\n"}
)
# Of a private use area, and dropped from texts: they stand for a decimal point and for the dot of l·l while punctuation
# is stripped.
_POINT, _DOT = "\ue000", "\ue001"
_GEMINATE = re.compile(r"(?<=l)·(?=l)")


def clean(text: str) -> str:
    r"""Return `text` in NFC, with no invisible characters and with plain single spaces.

    Removed: control characters (C0, DEL, C1) but `\n` and `\t`; U+200B, U+200C, U+200D, U+2060, U+FEFF; soft hyphens;
    marks of writing direction. `\r\n` and `\r` become `\n`, and so do U+2028 and U+2029. No-break spaces (U+00A0,
    U+202F, U+2007) and the ideographic space (U+3000) become spaces. Runs of spaces become one. Nothing is stripped at
    the ends, and lines stay lines. Without U+200D, joined emoji fall apart into their parts; both sides of a comparison
    do so alike.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_TABLE)
    return re.sub(r" {2,}", " ", unicodedata.normalize("NFC", text))


@lru_cache(maxsize=4096)
def is_punctuation(character: str) -> bool:
    """Return whether a character is punctuation: Unicode category P, or one of ASCII's marks (`$+<=>^|~` too)."""
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def answer_key(text: str, norms: Norms) -> str:
    """Return the key by which two answers in a language are the same.

    SQuAD's normalisation (Rajpurkar et al., 2016: lower case, no punctuation, no articles, single spaces), which MLQA
    (Lewis et al., 2020) carried over to other languages, with these differences:

    - The text is cleaned (`clean`) and case-folded. Without spaces between words, it is put into NFKC (full-width
      digits, half-width kana) and loses its spaces.
    - A number loses its grouping marks, and its decimal mark becomes a point and stays: "1.234,5" in Spanish is
      "1234.5". SQuAD would make 15 of 1.5. A sign is stripped, as in SQuAD; `numerals.numbers` keeps it.
    - The middle dot between two l's stays (Catalan l·l); "ŀ" is "l·".
    - Elided articles are dropped ("l'illa" is "illa").
    - A text of articles alone is kept, so that the answer "A" is not empty.
    """
    text = clean(text).replace(_POINT, "").replace(_DOT, "").replace("ŀ", "l·").replace("Ŀ", "L·")
    if not norms.spaced:
        text = clean(unicodedata.normalize("NFKC", text))
    text = _GEMINATE.sub(_DOT, rewrite_numbers(text.casefold(), norms, point=_POINT))
    elisions, articles = _patterns(norms)
    if elisions is not None:
        text = elisions.sub("", text)
    text = "".join(c for c in text if not is_punctuation(c)).replace(_POINT, ".").replace(_DOT, "·")
    bare = articles.sub(" ", text) if articles is not None else text
    words = bare.split() or text.split()
    return (" " if norms.spaced else "").join(words)


@lru_cache(maxsize=64)
def _patterns(norms: Norms) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    """Return what finds elided articles, and articles; `None` for a language that has none."""
    elided = "|".join(re.escape(e.removesuffix("'")) for e in norms.elisions)
    words = "|".join(re.escape(a) for a in norms.articles)
    return (
        re.compile(rf"\b(?:{elided})['’](?=\w)") if elided else None,
        re.compile(rf"\b(?:{words})\b") if words else None,
    )
