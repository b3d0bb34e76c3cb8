"""The frozen rows of every table: what the report, and any other reader of a run, works from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from evalsuite.records import CellStatus, PromptForm
from evalsuite.stats.intervals import Estimate
from evalsuite.stats.paired import PairedDifference

__all__ = [
    "ALPHA",
    "FAMILIES",
    "MARGIN",
    "Alternative",
    "AnswerSpread",
    "ComparisonRow",
    "FailureRow",
    "GapRow",
    "Scale",
    "ScoreRow",
    "TokenRow",
    "TrainedBy",
    "Verdict",
    "split_fix",
]

FAMILIES = (
    *("classification", "labels", "nli", "choice", "reading", "facts"),
    *("extraction", "math", "grammar", "translation", "generation", "long", "text"),
)
"""Task families, in the order in which they are shown; a family that is not among them comes last."""

ALPHA = 0.05
"""Family-wise error rate of every verdict, and one minus the level of every interval."""


MARGIN = 0.05
"""Gap that matters, as a share of items, where the sweep names none: what lies within may be called no gap."""


class Verdict(StrEnum):
    """What a comparison shows. Not to show a difference is not to show that there is none."""

    BEHIND = "behind"
    AHEAD = "ahead"
    WITHIN = "within margin"
    """No difference is shown, and it is shown that the first is not behind by as much as the margin."""
    INCONCLUSIVE = "inconclusive"
    """Neither a difference is shown, nor that there is none that matters."""


class Scale(StrEnum):
    """How a score is to be read."""

    SHARE = "share"
    """0 to 1, shown as a percentage."""
    RAW = "raw"
    """Any other number, shown as it is."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """What one scoring of the same log-probabilities gives."""

    metric: str
    value: float | None
    n: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class AnswerSpread:
    """How the answers of one cell fall on the options; shares are 0 to 1, of items."""

    n: int
    """Items with an answer; the shares of answers are of these."""
    answer: str
    """Text of the option that was answered most often, wherever it stood."""
    answer_share: float
    answer_right: float | None
    """Share of items in which that text is right; none where no right choice is known."""
    place: int
    """Place, from 0, that was answered most often, whatever stood there."""
    place_share: float
    place_right: float | None
    """Share of items in which the right choice stands at that place; none where no right choice is known."""


@dataclass(frozen=True, slots=True)
class TrainedBy:
    """What a baseline was trained on."""

    items: tuple[int, int] | None
    """Fewest and most items behind a prediction; none where there is no prediction."""
    folds: int | None
    """Whether it was the task's other items, dealt into at most so many folds; none: a training split."""


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One model on one task in one prompt form."""

    model: str
    task: str
    group: str
    language: str
    form: PromptForm
    metric: str
    """The task's primary metric: the one that `estimate` is of."""
    estimate: Estimate
    scale: Scale
    chance: float | None
    above_chance: bool | None
    """Whether the whole interval lies above the chance level; none where one of them is missing."""
    alternatives: tuple[Alternative, ...]
    spread: AnswerSpread | None
    """None where no item has an answer that is one of several choices."""
    planned: int
    not_scored: int
    """Items of the plan that have no score."""
    binary: bool
    """Whether every item scores 0 or 1, on a scale from 0 to 1; false where none has a score."""
    reproduced: int | None
    """Items whose score, computed again from the stored log-probabilities, is the stored one."""
    status: CellStatus
    trained: TrainedBy | None = None
    """Of a baseline: what it was trained on; none for a model."""


@dataclass(frozen=True, slots=True)
class GapRow:
    """One model in one language against the reference language, on the same items of a parallel group."""

    model: str
    group: str
    form: PromptForm
    language: str
    reference: str
    difference: PairedDifference
    """First is the language, second the reference: a negative difference is a language that falls behind."""
    scale: Scale
    p_holm: float | None
    """Corrected over all gaps of the run."""
    verdict: Verdict | None
    reason: str | None
    """Why there is no verdict."""
    margin: float | None = None
    """Gap that matters, in units of the score; none where scores are no shares and none was named."""
    p_margin: float | None = None
    """One-sided p that the language is behind by the margin or more, corrected over all gaps of the run."""
    needed: int | None = None
    """Items at which one verdict or the other would be reached in 80 % of runs, if what was seen is the truth."""
    detectable: float | None = None
    """Smallest gap that this many items show in 80 % of runs, in units of the score."""


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """Two models on the same items of a task."""

    task: str
    group: str
    language: str
    form: PromptForm
    model: str
    other: str
    difference: PairedDifference
    p_holm: float | None
    """Corrected over all pairs of models of the run."""
    verdict: Verdict | None
    """Whether `model` is ahead of or behind `other`."""

    def turned(self) -> ComparisonRow:
        """Return the same comparison from the other model's side."""
        d = self.difference
        other_way = {Verdict.AHEAD: Verdict.BEHIND, Verdict.BEHIND: Verdict.AHEAD}
        return replace(
            self,
            model=self.other,
            other=self.model,
            difference=replace(
                d,
                first=d.second,
                second=d.first,
                difference=None if d.difference is None else -d.difference,
                low=None if d.high is None else -d.high,
                high=None if d.low is None else -d.low,
                only_first=d.only_second,
                only_second=d.only_first,
            ),
            verdict=None if self.verdict is None else other_way.get(self.verdict, self.verdict),
        )


@dataclass(frozen=True, slots=True)
class TokenRow:
    """How many tokens a model's tokenizer needs for the contexts of a task."""

    model: str
    task: str
    group: str
    form: PromptForm
    language: str
    reference: str | None
    items: int
    tokens_per_item: float | None
    chars_per_token: float | None
    ratio: Estimate
    """Tokens here for each token of the reference, on the same items."""
    reason: str | None
    """Why there are no token counts."""


@dataclass(frozen=True, slots=True)
class FailureRow:
    """A cell that is not whole, and why."""

    status: CellStatus
    model: str | None
    """None: all models."""
    task: str
    language: str
    form: PromptForm | None
    """None: all prompt forms."""
    reason: str | None
    fix: str | None
    done: int
    planned: int | None


def split_fix(reason: str | None) -> tuple[str | None, str | None]:
    """Return a stored reason as problem and fix, which the runner and `EvalsuiteError` each join into one text."""
    text = reason or ""
    if text.endswith(")") and " (fix: " in text:
        problem, _, fix = text.removesuffix(")").rpartition(" (fix: ")
    else:
        problem, _, fix = text.partition("\n  fix: ")
    return problem or None, fix or None
