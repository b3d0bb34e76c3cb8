"""The frozen rows of what lies behind a gap."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from evalsuite.analysis.rows import AnswerSpread
from evalsuite.records import PromptForm
from evalsuite.stats.estimate import Estimate
from evalsuite.stats.paired import PairedDifference

__all__ = [
    "Explains",
    "GapReasons",
    "GrownConfusion",
    "ItemChanges",
    "KindGap",
    "OptionBias",
    "Part",
    "SameMistakes",
    "WrongLanguage",
]

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Part(Generic[Found]):
    """One look at a gap, or the reason why it does not apply."""

    found: Found | None
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.found is None) != (self.reason is not None):
            raise ValueError("a part is there, or has a reason for its absence; not both, not neither")


@dataclass(frozen=True, slots=True)
class ItemChanges:
    """What became of single items, by item id."""

    lost: tuple[str, ...]
    """Right in the reference, wrong here."""
    gained: tuple[str, ...]
    """Wrong in the reference, right here."""
    both_right: int
    both_wrong: int


@dataclass(frozen=True, slots=True)
class SameMistakes:
    """Items that are wrong on both sides: whether the same option was taken, by its place.

    A model that lacks the knowledge makes the same mistake in both languages; one that does not understand the
    language makes another.
    """

    same: Estimate
    """Share with the same wrong option."""
    expected: float
    """The same share if the answers of one side were dealt anew among items with the same right option: what a habit of
    one place would give without any knowledge of the item."""


class Explains(StrEnum):
    """Whether answers in a wrong language are all there is to a gap."""

    YES = "yes"
    """Among answers in the right language no gap is shown, and one half as large as the whole is excluded."""
    NO = "no"
    """Among answers in the right language the language is still behind."""
    OPEN = "cannot be told"


@dataclass(frozen=True, slots=True)
class WrongLanguage:
    """Generated answers that are not in the language that was wanted, and their part in the gap."""

    wrong: Estimate
    """Share of answers in a wrong language, of those whose language could be told."""
    not_told: Estimate
    """Share of answers whose language could not be told."""
    among_right: PairedDifference
    """The gap on items whose answer here is in the right language."""
    from_right: float
    """What items with an answer in the right language add to the gap, in units of the score; the three sum to it."""
    from_wrong: float
    from_not_told: float
    explains: Explains | None
    """None where the language is not behind, so that there is nothing to explain."""


@dataclass(frozen=True, slots=True)
class OptionBias:
    """The answer that a model gives most often, on the same items in both languages; shares are 0 to 1, of items."""

    here: AnswerSpread
    reference: AnswerSpread
    place_share_reference: float
    """How often the place that is answered most often here (`here.place`) is answered in the reference."""


@dataclass(frozen=True, slots=True)
class GrownConfusion:
    """A category that is taken for another more often than in the reference, on the same items."""

    right: str
    taken_for: str
    """Names here."""
    right_reference: str
    taken_for_reference: str
    """The same categories in the reference."""
    n: int
    """Items of the one that were taken for the other here."""
    n_reference: int


@dataclass(frozen=True, slots=True)
class KindGap:
    """The gap on items of one kind."""

    column: str
    kind: str
    difference: PairedDifference
    """Of one kind among several, and not corrected for their number."""


@dataclass(frozen=True, slots=True)
class GapReasons:
    """What lies behind the gap of one model in one language of a parallel group, on the same items as the gap."""

    model: str
    group: str
    form: PromptForm
    language: str
    reference: str
    difference: PairedDifference
    """The gap itself: first is the language, second the reference."""
    items: Part[ItemChanges]
    mistakes: Part[SameMistakes]
    tokens: Estimate
    """Token tax: tokens of the prompt here for each token of the reference."""
    wrong_language: Part[WrongLanguage]
    options: Part[OptionBias]
    confusions: Part[tuple[GrownConfusion, ...]]
    """The pairs that grew most, the largest growth first; empty where none grew."""
    kinds: Part[tuple[KindGap, ...]]
    """By kind of item, the largest gap first."""
