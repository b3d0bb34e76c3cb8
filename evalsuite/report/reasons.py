"""Recognises the reasons that analysis gives in English, so that a report can give them in its own language."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalsuite.report.text import Text

__all__ = ["REASON", "Reasons"]

REASON = "reason."
"""Before the keys of templates of reasons."""


class Reasons:
    """Templates of reasons, in English and in the language of a report.

    Reasons are stored in runs and worked out in analysis as English sentences with values in them: they are told apart by
    what does not vary.

    Args:
        templates: English template by key, with format fields for what varies.
        text: Gives each template in the language of the report.
    """

    def __init__(self, templates: Mapping[str, str], text: Text) -> None:
        self._templates, self._text = templates, text

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], Callable[..., str]]]:
        # The one with most fixed letters first: "no items in common with {x}" before "no items in {x}".
        ranked = sorted(self._templates.items(), key=lambda pair: -_fixed(pair[1]))
        return [(_pattern(english), self._filled(key)) for key, english in ranked]

    def _filled(self, key: str) -> Callable[..., str]:
        return lambda **values: self._text(key, **values)

    def say(self, english: str) -> str:
        """Return a reason in the language of the report; one that no template fits stays as it is."""
        for pattern, filled in self._patterns:
            if found := pattern.fullmatch(english):
                # What varies may itself be a reason.
                return filled(**{name: self.say(value) for name, value in found.groupdict().items()})
        return english


def _fixed(template: str) -> int:
    return sum(len(literal) for literal, *_ in string.Formatter().parse(template))


def _pattern(template: str) -> re.Pattern[str]:
    parts = []
    for literal, name, *_ in string.Formatter().parse(template):
        parts.append(re.escape(literal))
        if name is not None:
            parts.append(f"(?P<{name}>.+?)")
    return re.compile("".join(parts), re.DOTALL)
