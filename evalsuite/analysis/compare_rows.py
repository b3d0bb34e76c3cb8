"""The frozen rows of a comparison: scores on the same items, times of the same requests, and what both rest on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from evalsuite.analysis.compare_axis import Axis
from evalsuite.analysis.rows import Scale, Verdict
from evalsuite.records import Kind, PromptForm
from evalsuite.stats.intervals import Estimate
from evalsuite.stats.paired import PairedDifference

__all__ = ["Comparison", "Effect", "Family", "Missing", "PairRow", "RunFacts", "TimeRow", "TimeVerdict"]


class TimeVerdict(StrEnum):
    """What a comparison of times shows of the first side."""

    SLOWER = "slower"
    FASTER = "faster"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Effect:
    """How large a difference is, free of the unit of the score."""

    name: str
    """`odds ratio`: items that only the first got right for each that only the second did. `d_z`: mean difference of an
    item in standard deviations of these differences (J. Cohen (1988), Statistical Power Analysis, 2nd ed., p. 48)."""
    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    """Why there is no value, or no end."""


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two sides on the same items."""

    group: str
    task: str | None
    """None where each side has a task of its own."""
    language: str | None
    model: str | None
    """None where it is what differs."""
    form: PromptForm | None
    metric: str
    first: str
    second: str
    first_run: str
    """Label of the run."""
    second_run: str
    difference: PairedDifference
    """First minus second."""
    scale: Scale
    effect: Effect | None
    agreement: Estimate | None
    """Share of items with the same choice on both sides, where one model is compared with itself."""
    p_holm: float | None
    """Corrected over all score rows of the comparison; the same for the next."""
    margin: float | None
    """Difference that matters, in units of the score."""
    p_margin: float | None
    """p that the difference is as large as the margin or larger, in the direction that `Comparison.sides` says."""
    verdict: Verdict | None
    reason: str | None
    """Why there is no verdict."""
    needed: int | None
    """Items at which a verdict would be reached in 80 % of repeats, if what was seen is the truth."""
    detectable: float | None
    """Smallest difference that this many items show in 80 % of repeats, in units of the score."""


@dataclass(frozen=True, slots=True)
class TimeRow:
    """Times of the same requests on two sides."""

    model: str | None
    language: str
    kind: Kind
    first: str
    second: str
    first_run: str
    second_run: str
    first_n: int
    """Requests that the figures are of; those of disturbed rounds are kept apart."""
    second_n: int
    first_median_s: float | None
    second_median_s: float | None
    ratio: Estimate
    """Median of the first divided by that of the second."""
    p: float | None
    p_holm: float | None
    verdict: TimeVerdict | None
    reason: str | None
    needed: int | None
    """Requests on each side at which the verdict would be reached in 80 % of repeats, if what was seen is the truth."""
    flagged: tuple[str, ...]
    """Why the figures themselves are of disturbed rounds."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run says about itself."""

    label: str
    path: Path
    created: str
    evalsuite: str
    device: str
    fingerprint: str
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """What a run lacks for a comparison."""

    run: str
    """Label of the run that lacks it."""
    kind: str
    """Plural: "tasks"."""
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """The tests that are corrected together."""

    size: int
    told: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `compare` found."""

    by: Axis
    runs: tuple[RunFacts, ...]
    pairs: tuple[PairRow, ...]
    times: tuple[TimeRow, ...]
    pairs_family: Family
    times_family: Family
    notes: tuple[str, ...]
    missing: tuple[Missing, ...]
    warnings: tuple[str, ...]
    """What is unlike, and was compared because that was forced."""
    level: float
    """Coverage of every interval."""
    sides: Literal[1, 2]
    """Whether the margin is about being behind alone (1: non-inferiority), or about any difference (2: equivalence)."""
