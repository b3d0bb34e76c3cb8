"""What a language says about its own writing, as far as the comparison of answers needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalsuite.errors import InputError

__all__ = ["Norms"]


@dataclass(frozen=True, slots=True)
class Norms:
    """A language's articles and number marks. The values come from the language's file; no code holds them.

    Args:
        articles: Articles that are words of their own, in lower case ("the").
        elisions: Articles that end in an apostrophe and lean on the next word, in lower case ("l'").
        spaced: Whether spaces stand between words.
        decimal: The one character between a number's whole part and its fraction.
        group: Characters that may stand between groups of three digits; " " is any kind of space.
        multipliers: Characters that follow digits at once and multiply them, with their values (("万", 10000),).

    Raises:
        InputError: A value cannot be used.
    """

    articles: tuple[str, ...] = ()
    elisions: tuple[str, ...] = ()
    spaced: bool = True
    decimal: str = "."
    group: tuple[str, ...] = (",",)
    multipliers: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Norms:
        """Return the norms that a mapping holds; YAML and JSON have lists where the norms have tuples."""
        return cls(**{key: _tuples(value) for key, value in given.items()})

    def __post_init__(self) -> None:
        if len(self.decimal) != 1 or self.decimal.isalnum() or self.decimal.isspace():
            raise InputError(
                f"norms.decimal: {self.decimal!r} is no decimal mark", fix='give one character, "." or ","'
            )
        for mark in self.group:
            if len(mark) != 1 or mark.isalnum() or mark == self.decimal:
                raise InputError(
                    f"norms.group: {mark!r} is no grouping mark beside the decimal mark {self.decimal!r}",
                    fix='give single characters other than the decimal mark, such as "," or " "',
                )
        for sign, value in self.multipliers:
            if len(sign) != 1 or not sign.isalpha() or value < 2:
                raise InputError(
                    f"norms.multipliers: {sign!r}: {value!r} is no multiplier",
                    fix="give one letter and a number above 1",
                )
        for elision in self.elisions:
            if len(elision) < 2 or not elision.endswith("'"):
                raise InputError(f"norms.elisions: {elision!r} has no apostrophe at its end", fix='write "l\'"')
        for word in (*self.articles, *self.elisions):
            if not word or word != word.casefold() or any(c.isspace() for c in word):
                raise InputError(
                    f"norms.articles, norms.elisions: {word!r} is no word in lower case",
                    fix='write "the", one word each',
                )


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
