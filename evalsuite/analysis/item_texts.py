"""Whether a report may hold the texts of a task's items: a report is passed on, and so passes on what stands in it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from evalsuite.records import Task

__all__ = ["Withheld", "why_withheld"]

_OPEN = frozenset(
    (
        *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "afl-3.0", "unicode-3.0", "cc0-1.0", "pddl-1.0"),
        *("odc-by-1.0", "odbl-1.0", "cc-by-2.0-fr"),
        *(f"cc-{terms}-{version}" for terms in ("by", "by-sa") for version in ("1.0", "2.0", "2.5", "3.0", "4.0")),
    )
)
"""Licences under which anybody may pass texts on, also in part and for money, as SPDX writes them."""

_OWN = "the user's own"


class Withheld(StrEnum):
    """Why the texts of a task's items are left out."""

    OWN = "own"
    """A user's own texts: nobody has said that they may leave the machine, and they may be of persons."""
    TERMS = "terms"
    """The licence sets terms that a report cannot know to be met: no commercial use, no parts of it, research alone."""
    UNKNOWN = "unknown"
    """It is not known what is allowed."""


def why_withheld(tasks: Iterable[Task]) -> Withheld | None:
    """Return why the item texts of tasks that are shown together are left out; none where they may be shown.

    The rule is cautious. Texts are shown only if the licence of every task is one of a list, to the letter: a licence with
    something added to it ("for evaluation only", "terms of the platform") is not on it, and neither are those that forbid
    commercial use or changes, since a report may be used for money, and shows items in part.
    """
    found = [_why(task.licence) for task in tasks]
    return next((why for why in Withheld if why in found), None)


def _why(licence: str) -> Withheld | None:
    name = " ".join(licence.casefold().split())
    if name in _OPEN:
        return None
    if name == _OWN:
        return Withheld.OWN
    return Withheld.UNKNOWN if not name or name.startswith(("unknown", "other", "none")) else Withheld.TERMS
