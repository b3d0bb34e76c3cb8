"""The frozen rows of a gate: what was tested, what came of it, and what follows for each rollout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from evalsuite.gate.fixes import Fix, joined

if TYPE_CHECKING:
    from evalsuite.gate.inputs import Source
    from evalsuite.gate.policy import Policy
    from evalsuite.stats.one_sample import Against

__all__ = [
    "EVIDENCE",
    "Decision",
    "Finding",
    "GateResult",
    "Outcome",
    "Rollout",
    "RuleTest",
    "Unit",
    "UseCaseResult",
    "demand",
    "missing",
    "tested",
    "worst",
]

EVIDENCE = "evidence"
"""Before the name of a demand on the evidence, where the name of a rule stands."""


class Outcome(StrEnum):
    """What follows; the one that weighs most comes first."""

    NO_GO = "NO-GO"
    """A rule is shown to be broken."""
    INCONCLUSIVE = "INCONCLUSIVE"
    """Neither is shown, or evidence is missing."""
    GO = "GO"
    """All rules are shown to be kept."""


class Unit(StrEnum):
    """What a rule's numbers are in."""

    SHARE = "share"
    POINTS = "share difference"
    RAW = "score"
    RAW_DIFFERENCE = "score difference"
    SECONDS = "s"
    MIB = "MiB"
    JOULES = "J"


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One rule held against the evidence; before any correction."""

    rule: str
    """Name in the policy; `evidence.NAME` for a demand on the evidence."""
    task: str | None = None
    """None for rules on times, memory and energy."""
    unit: Unit = Unit.SHARE
    limit: float | None = None
    value: float | None = None
    low: float | None = None
    """One-sided lower confidence bound; none where there is none."""
    high: float | None = None
    n: int | None = None
    """Items, requests or answers that the value is of."""
    of: str = "items"
    """What `n` counts."""
    p_go: float | None = None
    """One-sided p of the hypothesis that the rule is broken: a small one shows that it is kept."""
    p_no_go: float | None = None
    """One-sided p of the hypothesis that the rule is kept: a small one shows that it is broken."""
    needed: int | None = None
    """Count at which either would be shown with a probability of 80 %, if what was seen is the truth."""
    method: str = ""
    outcome: Outcome | None = None
    """What follows where no test of a hypothesis decides; none where one does."""
    told: str = ""
    """Why, in words, where `outcome` is given; otherwise what else there is to say."""
    fix: Fix | None = None
    """What to do where it is open."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one test."""

    test: RuleTest
    outcome: Outcome
    p_no_go_holm: float | None
    """Corrected over all rules of the family; the same as the test's where nothing is corrected."""
    sentence: str

    @property
    def fix(self) -> Fix | None:
        """What would settle it, where it is open."""
        return self.test.fix if self.outcome is Outcome.INCONCLUSIVE else None


@dataclass(frozen=True, slots=True)
class Decision:
    """One model for one use case in one language."""

    model: str
    outcome: Outcome
    findings: tuple[Finding, ...]
    p_go: float | None
    """Largest of the rules' p; none where a rule has none, or none is needed."""
    p_go_holm: float | None
    """Corrected over the decisions of the family."""
    corrected: int
    """Decisions of the family."""
    sentence: str

    @property
    def open(self) -> tuple[Finding, ...]:
        """What stands in the way of GO, the gravest first."""
        return tuple(
            f for outcome in (Outcome.NO_GO, Outcome.INCONCLUSIVE) for f in self.findings if f.outcome is outcome
        )


@dataclass(frozen=True, slots=True)
class Rollout:
    """One use case in one language."""

    language: str
    outcome: Outcome
    decisions: tuple[Decision, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that may be rolled out."""
        return tuple(d.model for d in self.decisions if d.outcome is Outcome.GO)


@dataclass(frozen=True, slots=True)
class UseCaseResult:
    """One use case in all its languages."""

    name: str
    outcome: Outcome
    rollouts: tuple[Rollout, ...]
    about: tuple[str, ...] = ()
    """What a reader must know: categories, prompt form, remarks on the data."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """A policy held against runs."""

    policy: Policy
    outcome: Outcome
    use_cases: tuple[UseCaseResult, ...]
    sources: tuple[Source, ...]
    as_of: datetime
    notes: tuple[str, ...] = ()
    """What the runs say about how they came about."""

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """What would settle the decisions that are open, where no other model has settled the language."""
        return joined(
            finding.fix
            for one in self.use_cases
            for rollout in one.rollouts
            if rollout.outcome is Outcome.INCONCLUSIVE
            for decision in rollout.decisions
            if decision.outcome is Outcome.INCONCLUSIVE
            for finding in decision.findings
            if finding.fix is not None
        )


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcome of a whole whose every part must be GO."""
    found = set(outcomes)
    return next((one for one in Outcome if one in found), Outcome.INCONCLUSIVE)


def missing(
    rule: str, told: str, *, task: str | None = None, unit: Unit = Unit.SHARE, fix: Fix | None = None
) -> RuleTest:
    """Return a test without evidence."""
    return RuleTest(rule, task, unit, outcome=Outcome.INCONCLUSIVE, told=told, fix=fix)


def tested(rule: str, limit: float, found: Against, *, at_least: bool) -> RuleTest:
    """Return a rule that a sample was held against.

    Args:
        rule: Name in the policy.
        limit: Of the rule.
        found: What the sample shows about the limit.
        at_least: Whether the rule is kept above the limit, and not below it.
    """
    sides = (found.p_above, found.p_below) if at_least else (found.p_below, found.p_above)
    return RuleTest(
        rule=rule,
        limit=limit,
        value=found.value,
        low=found.low,
        high=found.high,
        n=found.n,
        p_go=sides[0],
        p_no_go=sides[1],
        method=found.method,
        told=found.reason or "",
    )


def demand(name: str, test: RuleTest) -> RuleTest:
    """Return a test as one of a demand on the evidence."""
    return replace(test, rule=f"{EVIDENCE}.{name}")
