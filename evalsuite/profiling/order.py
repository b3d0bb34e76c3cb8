"""What is asked in which order (pure): every round has the same requests for every language, by turns."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from evalsuite.records import Kind, ProfileSettings, ProfileText

__all__ = ["by_kind", "longest_requests", "repeats", "round_of"]

Texts = Mapping[tuple[str, Kind], Sequence[ProfileText]]
"""Requests by language and kind; ids come in the same order in every language."""


def by_kind(texts: Sequence[ProfileText]) -> dict[tuple[str, Kind], list[ProfileText]]:
    """Return requests by language and kind, in their order."""
    found: dict[tuple[str, Kind], list[ProfileText]] = {}
    for text in texts:
        found.setdefault((text.language, text.kind), []).append(text)
    return found


def round_of(texts: Texts, languages: Sequence[str], settings: ProfileSettings, number: int) -> list[ProfileText]:
    """Return the requests of round `number` (from 0).

    Each request comes in all languages one after the other, so that a drift of the device meets them alike. Their order
    is drawn anew each time.
    """
    draw = random.Random(f"{settings.seed}:{number}")  # an order, not a secret
    asked: list[ProfileText] = []
    for kind in (kind for kind in Kind if kind in settings.kinds):
        count = settings.classifications if kind is Kind.CLASSIFICATION else 1
        for place in range(number * count, (number + 1) * count):
            for language in draw.sample(list(languages), len(languages)):
                of_kind = texts[language, kind]
                asked.append(of_kind[place % len(of_kind)])
    return asked


def repeats(typical_s: Sequence[float], least_s: float, *, at_least: int = 5) -> int:
    """Return how many requests each language makes in a block of energy: alike for all, and long enough for the fastest.

    Args:
        typical_s: Duration of one request in each language.
        least_s: How long each language's block must last.
        at_least: Fewer give no standard error to speak of.
    """
    fastest = min(typical_s)
    # A tenth more: the block would else be too short when a request is a little faster than it was.
    return max(at_least, math.ceil(1.1 * least_s / fastest)) if fastest > 0 else at_least


def longest_requests(texts: Sequence[ProfileText]) -> list[ProfileText]:
    """Return the classification and the other request with the most bytes in any language, answer included."""
    found: dict[bool, ProfileText] = {}
    for text in texts:
        short = text.kind is Kind.CLASSIFICATION
        if short not in found or _size(text) > _size(found[short]):
            found[short] = text
    return list(found.values())


def _size(text: ProfileText) -> int:
    return len((text.prompt + text.answer).encode())
