"""Where the work of a use case may be done in a language: on the device, in part on it, in the cloud, or not yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from evalsuite.analysis.categories import CategoryRow
from evalsuite.analysis.load import Run
from evalsuite.gate.policy import SCORE_RULES, Policy, UseCase
from evalsuite.gate.rows import EVIDENCE, Decision, Finding, GateResult, Outcome, Rollout
from evalsuite.stats.corrections import holm
from evalsuite.stats.one_sample import share_against

__all__ = ["HYBRID_SHARE", "Place", "Placement", "Sure", "is_of_scores", "placements"]

HYBRID_SHARE = 0.3
"""Least share of the items that must stay on the device to be worth two ways of working."""


class Place(StrEnum):
    """Where the work may be done."""

    DEVICE = "device"
    """A model is shown to keep every rule."""
    HYBRID = "hybrid"
    """A model is shown to be right often enough where it is sure; the rest goes elsewhere."""
    CLOUD = "cloud"
    """Every model is shown to break a rule."""
    NOT_YET = "not yet"
    """Neither is shown, or something was not measured."""
    UNASKED = "not measured"
    """No model was asked anything of the use case in this language."""


@dataclass(frozen=True, slots=True)
class Sure:
    """What a model does with the items that it is sure of."""

    model: str
    least: float
    """Least confidence of the answers that are taken, 0 to 1."""
    answered: float
    """Share of the items whose answer is taken; of several tasks the smallest."""
    right: float
    """Share of those answers that are right; of several tasks the smallest."""
    low: float | None
    """One-sided lower bound of it."""
    p_holm: float
    """Of being right as often as is asked, corrected over levels and models."""


@dataclass(frozen=True, slots=True)
class Placement:
    """One use case in one language."""

    use_case: str
    language: str
    place: Place
    model: str | None
    """The model that it rests on: the one that may be used, or else the best one."""
    finding: Finding | None
    """What decides: the rule that is broken or open, the gravest first; none where all is kept."""
    sure: Sure | None
    decision: Decision | None
    """Of `model`."""
    models: tuple[str, ...] = ()
    """All models that may be used."""

    def of_rule(self, rule: str) -> Finding | None:
        """Return what came of a rule for `model`; of several tasks the one with the lowest value."""
        found = [f for f in (self.decision.findings if self.decision else ()) if f.test.rule == rule]
        known = [f for f in found if f.test.value is not None]
        return min(known, key=lambda f: f.test.value or 0.0) if known else next(iter(found), None)


def placements(
    result: GateResult, run: Run, categories: Sequence[CategoryRow], *, share: float = HYBRID_SHARE
) -> tuple[Placement, ...]:
    """Return where the work of each use case may be done in each language.

    On the device: a model is GO. Hybrid: no model is, but one is shown to reach the least score on the answers that it is
    sure of, at one of the levels of `analysis.confidence`, and keeps the rules of the device; those answers are at least
    `share` of the items. For tasks of categories alone, since only there is a confidence stored that means the same for
    all items. Cloud: every model is shown to break a rule. Not yet: all else.

    Args:
        result: A policy held against runs.
        run: Those runs in one.
        categories: The run's table of categories, which holds what is left of the surer answers.
        share: Least share of the items for a hybrid.
    """
    policy = result.policy
    cases = {one.name: one for one in policy.use_cases}
    return tuple(
        _placed(policy, cases[held.name], rollout, run, categories, share)
        for held in result.use_cases
        for rollout in held.rollouts
    )


def is_of_scores(finding: Finding) -> bool:
    """Return whether a finding is about answers, and not about what a device takes."""
    rule = finding.test.rule
    if rule.startswith(f"{EVIDENCE}."):
        # A demand on the evidence of scores names the task.
        return finding.test.task is not None
    return rule in SCORE_RULES or rule == "tasks"


def _placed(
    policy: Policy,
    use_case: UseCase,
    rollout: Rollout,
    run: Run,
    categories: Sequence[CategoryRow],
    share: float,
) -> Placement:
    decisions = {decision.model: decision for decision in rollout.decisions}
    ranked = sorted(decisions.values(), key=_rank, reverse=True)
    passed = [decision for decision in ranked if decision.outcome is Outcome.GO]
    if passed:
        names = tuple(decision.model for decision in passed)
        return Placement(use_case.name, rollout.language, Place.DEVICE, names[0], None, None, passed[0], names)
    if all(_unasked(decision) for decision in ranked):
        return Placement(use_case.name, rollout.language, Place.UNASKED, None, None, None, None)
    for sure in _sure(policy, use_case, rollout, run, categories, share):
        decision = decisions[sure.model]
        device = [f for f in decision.findings if not is_of_scores(f)]
        if all(f.outcome is Outcome.GO for f in device):
            broken = next(iter(decision.open), None)
            return Placement(
                use_case.name, rollout.language, Place.HYBRID, sure.model, broken, sure, decision, (sure.model,)
            )
        if not any(f.outcome is Outcome.NO_GO for f in device):
            # It could be one, if the device were shown to bear it.
            waiting = next(f for f in device if f.outcome is Outcome.INCONCLUSIVE)
            return Placement(use_case.name, rollout.language, Place.NOT_YET, sure.model, waiting, sure, decision)
    best = ranked[0]
    finding = next(iter(best.open), None)
    place = Place.CLOUD if all(one.outcome is Outcome.NO_GO for one in ranked) else Place.NOT_YET
    if place is Place.NOT_YET:
        best = next(one for one in ranked if one.outcome is not Outcome.NO_GO)
        finding = next(iter(best.open), None)
    return Placement(use_case.name, rollout.language, place, best.model, finding, None, best)


def _rank(decision: Decision) -> float:
    """Return the lowest score among the tasks: what a user of the model would suffer from most."""
    values = [f.test.value for f in decision.findings if f.test.rule == "minimum_score" and f.test.value is not None]
    return min(values, default=-1.0)


def _unasked(decision: Decision) -> bool:
    """Return whether no task of the use case was asked of the model in this language."""
    scored = [f for f in decision.findings if f.test.rule in SCORE_RULES]
    return not any(f.test.n for f in scored) and (
        bool(scored) or any(f.test.rule == "tasks" for f in decision.findings)
    )


def _sure(
    policy: Policy,
    use_case: UseCase,
    rollout: Rollout,
    run: Run,
    categories: Sequence[CategoryRow],
    share: float,
) -> Iterator[Sure]:
    """Yield what the models are shown to do where they are sure, the largest share of items first."""
    asked = use_case.rules_of(rollout.language).minimum_score
    if asked is None or asked.value >= 1 or use_case.categories is not None:
        return
    found: list[tuple[float | None, Sure]] = []
    for decision in rollout.decisions:
        tasks = [f.test.task for f in decision.findings if f.test.rule == "minimum_score" and f.test.task]
        rows = {row.task: row for row in categories if row.model == decision.model and row.form in run.forms[:1]}
        if not tasks or any(task not in rows or rows[task].confidence is None for task in tasks):
            continue
        found += _levels(decision.model, [rows[task] for task in tasks], asked.value, policy.confidence)
    corrected = holm([p for p, _ in found])
    shown = [
        Sure(one.model, one.least, one.answered, one.right, one.low, p)
        for (_, one), p in zip(found, corrected, strict=True)
        if p is not None and p <= policy.alpha and one.answered >= share
    ]
    yield from sorted(shown, key=lambda one: one.answered, reverse=True)


def _levels(
    model: str, rows: Sequence[CategoryRow], limit: float, confidence: float
) -> Iterator[tuple[float | None, Sure]]:
    """Yield the largest p over the tasks at each level of confidence: each task must reach the limit."""
    known = [row.confidence for row in rows if row.confidence is not None]
    for i, level in enumerate(known[0].covered):
        held = [one.covered[i] for one in known]
        tests = [
            share_against(
                round((one.accuracy.value or 0.0) * one.accuracy.n), one.accuracy.n, limit, confidence=confidence
            )
            for one in held
        ]
        ps = [test.p_above for test in tests]
        lows = [test.low for test in tests]
        yield (
            None if any(p is None for p in ps) else max(p for p in ps if p is not None),
            Sure(
                model,
                level.least,
                min(one.coverage.value or 0.0 for one in held),
                min(test.value or 0.0 for test in tests),
                None if any(low is None for low in lows) else min(low for low in lows if low is not None),
                1.0,
            ),
        )
