"""What a reader may ask of a report beyond its run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalsuite.errors import InputError, suggest
from evalsuite.report.chapters import CHAPTERS

if TYPE_CHECKING:
    from evalsuite.gate.policy import Policy
    from evalsuite.report.theme import Theme

__all__ = ["ReportOptions"]


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """How to make a report; what is left out is the run's own, or the usual.

    Raises:
        InputError: There is no such chapter.
    """

    title: str | None = None
    question: str | None = None
    """What is to be decided, in the words of those who decide."""
    policy: Policy | None = None
    """What must hold before a model is used; none: the thresholds that ship with evalsuite."""
    language: str = "en"
    """Code of the language that the report is written in."""
    sections: tuple[str, ...] = ()
    """Names of chapters; empty: all."""
    theme: Theme | None = None
    items: int | None = None
    """Items that are shown of each task group; none: the usual number."""
    live: bool = False
    """Whether the page asks, where it came from, if there is a newer one; only for `evalsuite view`."""

    def __post_init__(self) -> None:
        for name in self.sections:
            if name not in CHAPTERS:
                raise InputError(
                    f"a report has no section {name!r}",
                    fix=suggest(name, CHAPTERS, kind="section", show="evalsuite report --help"),
                )
