"""Holds a policy against runs: every rule tested, corrected over its family, and what follows for each rollout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from evalsuite.analysis.flags import Flag
from evalsuite.analysis.load import Run
from evalsuite.analysis.replies import written_answers
from evalsuite.analysis.tables import find_flags, scores
from evalsuite.gate.device import device_tests
from evalsuite.gate.fixes import run_fix
from evalsuite.gate.gap import gap_tests
from evalsuite.gate.inputs import Inputs
from evalsuite.gate.policy import SCORE_RULES, Correction, Family, Need, Policy
from evalsuite.gate.proof import Seen, evidence_tests
from evalsuite.gate.quality import Replies, score_tests
from evalsuite.gate.rows import (
    EVIDENCE,
    Decision,
    Finding,
    GateResult,
    Outcome,
    Rollout,
    RuleTest,
    UseCaseResult,
    missing,
    worst,
)
from evalsuite.gate.scope import Scope, scope_of
from evalsuite.gate.words import decision_sentence, sentence
from evalsuite.stats.corrections import holm

__all__ = ["hold"]


@dataclass(frozen=True, slots=True)
class _Case:
    """One model for one use case in one language, tested and not yet judged."""

    scope: Scope
    language: str
    model: str
    tests: tuple[RuleTest, ...]

    @property
    def p_go(self) -> float | None:
        """Largest p of the rules' tests: small only where each rule is shown to be kept (an intersection-union test).

        Source: R. L. Berger (1982), Multiparameter hypothesis testing and acceptance sampling, Technometrics 24, 295-300.
        """
        found = [test.p_go for test in self.tests if test.outcome is None]
        known = [p for p in found if p is not None]
        return max(known) if known and len(known) == len(found) else None


def hold(
    policy: Policy,
    inputs: Inputs,
    *,
    as_of: datetime | None = None,
    flags: Sequence[Flag] | None = None,
    settle: bool = True,
) -> GateResult:
    """Hold a policy against runs.

    Args:
        policy: From `load_policy`.
        inputs: From `open_runs`.
        as_of: The time that ages are counted to; none stands for now.
        flags: The flags of the runs, where they are known already.

        settle: Whether to work out how many items would settle what is open, which takes most of the time.

    Raises:
        InputError: A name of the policy means nothing in the runs, or a limit is on another scale than the scores.
        StoreError: The runs were measured on another device than the policy asks for.
    """
    energies: dict[str, Any] = {}
    scopes = [scope_of(policy, use_case, inputs.run, settle=settle, energies=energies) for use_case in policy.use_cases]
    now = as_of or datetime.now(UTC)
    seen = Seen(inputs, tuple(flags) if flags is not None else _flags(scopes, inputs.run), now)
    replies = _replies(scopes, inputs.run)
    cases = [
        _Case(scope, language, model, tuple(_tests(scope, model, language, seen, replies)))
        for scope in scopes
        for language in scope.languages
        for model in scope.models
    ]
    decisions = _decided(cases, policy)
    results = tuple(_use_case(scope, decisions, inputs.run) for scope in scopes)
    return GateResult(
        policy=policy,
        outcome=worst(one.outcome for one in results),
        use_cases=results,
        sources=inputs.sources,
        as_of=now,
        notes=inputs.run.manifest.notes,
    )


def _asked(scope: Scope) -> set[str]:
    return {name for code in scope.languages for name in scope.use_case.rules_of(code).asked}


def _flags(scopes: Iterable[Scope], run: Run) -> tuple[Flag, ...]:
    wanted = any(scope.evidence.no_warnings and _asked(scope) & set(SCORE_RULES) for scope in scopes)
    return find_flags(scores(run)) if wanted else ()


def _replies(scopes: Iterable[Scope], run: Run) -> Replies:
    # To tell the language of all answers takes a while, and few policies ask for it.
    if not any("wrong_language_share" in _asked(scope) for scope in scopes):
        return {}
    return {(row.model, row.task, row.form): row for row in written_answers(run)}


def _tests(scope: Scope, model: str, language: str, seen: Seen, replies: Replies) -> Iterator[RuleTest]:
    run = seen.inputs.run
    if set(scope.use_case.rules_of(language).asked) & set(SCORE_RULES):
        for lacking in scope.lacking[language]:
            told = f"the runs have no task of {lacking.name!r} in {language}"
            if lacking.tasks:
                several = f" and {len(lacking.tasks) - 1} more" if len(lacking.tasks) > 1 else ""
                told = f"of {lacking.name!r} in {language} the runs lack {lacking.tasks[0]}{several}"
            yield missing("tasks", told, fix=run_fix(model, lacking.name, language))
    yield from score_tests(run, scope, model, language, replies)
    yield from gap_tests(run, scope, model, language)
    yield from device_tests(run, scope, model, language)
    yield from evidence_tests(scope, model, language, seen)


# --- what follows


def _decided(cases: Sequence[_Case], policy: Policy) -> Mapping[tuple[str, str, str], Decision]:
    """Return the decisions by use case, language and model."""
    families: dict[tuple[str, ...], list[_Case]] = {}
    for case in cases:
        alone = (case.scope.use_case.name, case.language)
        families.setdefault(() if policy.family is Family.POLICY else alone, []).append(case)
    return {
        (case.scope.use_case.name, case.language, case.model): decision
        for family in families.values()
        for case, decision in zip(family, _judged(family, policy), strict=True)
    }


def _judged(family: Sequence[_Case], policy: Policy) -> Iterator[Decision]:
    """Yield the decisions of a family: p of GO corrected over its cases, p of NO-GO over all its rules."""
    broken = [test.p_no_go for case in family for test in case.tests]
    kept = [case.p_go for case in family]
    # Where every model must pass none is chosen, so that each is held up alone; one that fails is still one of several.
    chosen = policy.need is not Need.EVERY or policy.family is Family.POLICY
    holds = policy.correction is Correction.HOLM
    broken_holm = holm(broken) if holds else list(broken)
    kept_holm = holm(kept) if holds and chosen else list(kept)
    rest = iter(broken_holm)
    corrected = sum(p is not None for p in kept) if chosen else 1
    for case, p, p_holm in zip(family, kept, kept_holm, strict=True):
        findings = tuple(_finding(test, next(rest), policy) for test in case.tests)
        outcome = worst(f.outcome for f in findings)
        if not any(not f.test.rule.startswith(f"{EVIDENCE}.") for f in findings):
            outcome = Outcome.INCONCLUSIVE
        if outcome is Outcome.GO and p_holm is not None and p_holm > policy.alpha:
            outcome = Outcome.INCONCLUSIVE
        yield Decision(
            model=case.model,
            outcome=outcome,
            findings=findings,
            p_go=p,
            p_go_holm=p_holm,
            corrected=corrected,
            sentence=decision_sentence(outcome, findings, corrected, p_holm, policy),
        )


def _finding(test: RuleTest, p_no_go: float | None, policy: Policy) -> Finding:
    if test.outcome is not None:
        outcome = test.outcome
    elif test.p_go is not None and test.p_go <= policy.alpha:
        outcome = Outcome.GO
    elif p_no_go is not None and p_no_go <= policy.alpha:
        outcome = Outcome.NO_GO
    else:
        outcome = Outcome.INCONCLUSIVE
    return Finding(test, outcome, p_no_go, sentence(test, outcome, policy))


def _use_case(scope: Scope, decisions: Mapping[tuple[str, str, str], Decision], run: Run) -> UseCaseResult:
    name = scope.use_case.name
    rollouts = tuple(
        _rollout(language, tuple(decisions[name, language, model] for model in scope.models), scope.policy.need)
        for language in scope.languages
    )
    return UseCaseResult(name, worst(one.outcome for one in rollouts), rollouts, tuple(_about(scope, run)))


def _rollout(language: str, decisions: tuple[Decision, ...], need: Need) -> Rollout:
    outcomes = [decision.outcome for decision in decisions]
    if need is Need.ANY and Outcome.GO in outcomes:
        outcome = Outcome.GO
    elif need is Need.ANY and set(outcomes) != {Outcome.NO_GO}:
        outcome = Outcome.INCONCLUSIVE
    else:
        outcome = worst(outcomes)
    return Rollout(language, outcome, decisions)


def _about(scope: Scope, run: Run) -> Iterator[str]:
    tasks = {task.name: task for of in scope.tasks.values() for task in of}
    if tasks:
        groups = dict.fromkeys(run.group_of(name) for name in tasks)
        yield f"Tasks: {', '.join(groups)}; prompt form {scope.form}"
    if scope.use_case.categories:
        yield (
            f"Only items of the categories {', '.join(scope.use_case.categories)}; the models chose among all categories "
            "of the task"
        )
    yield from dict.fromkeys(f"Note on {run.group_of(task.name)}: {task.note}" for task in tasks.values() if task.note)
