"""Demands on the evidence: enough items and requests, no warnings, no disturbance, a spot check, recent results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from evalsuite.analysis.flags import Flag, FlagKind
from evalsuite.analysis.profiles import Profile
from evalsuite.gate.device import is_device, profile_of
from evalsuite.gate.fixes import Fix, advice, profile_fix, run_fix
from evalsuite.gate.inputs import Inputs
from evalsuite.gate.policy import SCORE_RULES
from evalsuite.gate.quality import CellItems, cell_items, run_name
from evalsuite.gate.rows import Outcome, RuleTest, demand
from evalsuite.gate.scope import Scope
from evalsuite.records import CellStatus, Task

__all__ = ["Seen", "evidence_tests"]

_SECONDS_A_DAY = 86_400
_FLAGS: Mapping[FlagKind, str] = {
    FlagKind.MODEL_AT_CHANCE: "in no language and no task is the model shown to be better than guessing",
    FlagKind.AT_CHANCE: "in no language of this task is the model shown to be better than guessing",
    FlagKind.SAME_ANSWER: "nearly all items get one and the same answer",
    FlagKind.SAME_PLACE: "nearly all items get the option at one and the same place as their answer",
}
"""Too few items to tell is no suspicion, and is not among them."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the demands are held against, beside the tests of rules."""

    inputs: Inputs
    flags: tuple[Flag, ...]
    as_of: datetime


def evidence_tests(scope: Scope, model: str, language: str, seen: Seen) -> Iterator[RuleTest]:
    """Yield what the evidence for one model in one language must show, and whether it does."""
    asked = scope.use_case.rules_of(language).asked
    if any(rule in SCORE_RULES for rule in asked):
        for task in scope.tasks[language]:
            items = cell_items(seen.inputs.run, scope, model, task)
            # Without scores, the rules themselves say so.
            if not isinstance(items, str):
                yield from _of_scores(scope, model, task, items, seen)
    if any(rule not in SCORE_RULES for rule in asked):
        profile = profile_of(seen.inputs.run, scope, model)
        if profile is not None and profile.facts.status is CellStatus.DONE and language in profile.languages:
            yield from _of_profile(scope, profile, language, seen)
    if scope.evidence.spot_check:
        yield _spot_check(scope, model, language, seen.inputs)


def _of_scores(scope: Scope, model: str, task: Task, items: CellItems, seen: Seen) -> Iterator[RuleTest]:
    evidence, n = scope.evidence, len(items.frame)
    here = RuleTest("", task.name, n=n)
    again = run_fix(model, run_name(task), task.language)
    more = replace(again, text="with a larger --limit, or none")
    if evidence.least_items is not None:
        told = f"{n} items have scores; the policy asks for at least {evidence.least_items}"
        yield demand("least_items", _judged(here, n >= evidence.least_items, told, more))
    if items.not_scored:
        told = f"{items.not_scored} of {n + items.not_scored} items have no score, and may be the hard ones"
        yield demand("all_scored", _judged(here, False, told, again))  # noqa: FBT003  # what it is shows in the call
    if evidence.no_warnings:
        group = seen.inputs.run.group_of(task.name)
        warned = [
            _FLAGS[flag.kind]
            for flag in seen.flags
            if (flag.model, flag.form) == (model, scope.form)
            if flag.kind in _FLAGS and group in flag.groups and task.language in flag.languages
        ]
        told = f"warning: {'; '.join(warned)}" if warned else "no warnings"
        fix = advice(
            "where there is a warning, look at the items (`evalsuite export`): is the prompt right for the model?"
        )
        yield demand("no_warnings", _judged(here, not warned, told, fix))
    result = seen.inputs.run.result(model, task.name, scope.form)
    if evidence.oldest_days is not None and result is not None:
        yield _age(here, "scores", result.cell.id, evidence.oldest_days, seen, again)


def _of_profile(scope: Scope, profile: Profile, language: str, seen: Seen) -> Iterator[RuleTest]:
    evidence, model = scope.evidence, profile.facts.cell.model
    again = profile_fix(model, language)
    kind = scope.use_case.requests
    if evidence.device is not None:
        yield demand("device", RuleTest("", outcome=Outcome.GO, told=f"measured on {profile.device.cpu}"))
    if kind is not None:
        rows, _, disturbed = profile.timed(language, kind)
        here = RuleTest("", n=len(rows), of="requests")
        if evidence.least_requests is not None:
            told = f"{len(rows)} timed requests; the policy asks for at least {evidence.least_requests}"
            enough = len(rows) >= evidence.least_requests
            yield demand("least_requests", _judged(here, enough, told, replace(again, text="with more --rounds")))
        if evidence.undisturbed and rows:
            told = f"all rounds were disturbed: {'; '.join(disturbed)}" if disturbed else "undisturbed rounds"
            yield demand(
                "undisturbed", _judged(here, not disturbed, told, replace(again, text="on an idle, cool device"))
            )
    if evidence.oldest_days is not None:
        yield _age(RuleTest(""), "profile", profile.facts.cell.id, evidence.oldest_days, seen, again)


def _age(here: RuleTest, what: str, cell: str, oldest: float, seen: Seen, fix: Fix) -> RuleTest:
    days = (seen.as_of - seen.inputs.of_cell[cell].created).total_seconds() / _SECONDS_A_DAY
    told = f"the run with these {what} is {days:.0f} days old; the policy asks for at most {oldest:g}"
    if days < -1:
        told = f"the run with these {what} is dated {-days:.0f} days in the future: a clock is wrong"
    made = replace(here, n=None)
    return demand(f"oldest_days.{what}", _judged(made, -1 <= days <= oldest, told, fix))


def _spot_check(scope: Scope, model: str, language: str, inputs: Inputs) -> RuleTest:
    """Return whether a check on the device that the policy is about scored the items of these tasks again, and all held."""
    wanted = scope.evidence.device
    where = f" on {wanted}" if wanted else ""
    fix = advice(f"`evalsuite spot-check RUN --model {model}`{where}")
    names = {task.name for task in scope.tasks[language]}
    tables = [t for t in inputs.spot_checks if wanted is None or is_device(wanted, t.check.device)]
    for table in tables:
        rows = [row for row in table.rows if row.model == model and row.form == scope.form and row.task in names]
        total = next((total for total in table.totals if total.model == model), None)
        if total is None or {row.task for row in rows} != names:
            continue
        bad = [row.task for row in rows if row.reason or row.unlike]
        n = total.counts.n
        if total.warned:
            told = f"a spot check{where} found answers that differ: {len(total.flipped)} clear items of {n}"
            return demand(
                "spot_check",
                RuleTest(
                    "",
                    n=n,
                    outcome=Outcome.INCONCLUSIVE,
                    told=told,
                    fix=advice("docs/spot-check.md says what to look at"),
                ),
            )
        if bad:
            told = f"a spot check{where} could not compare all items of {', '.join(bad)}"
            return demand("spot_check", RuleTest("", n=n, outcome=Outcome.INCONCLUSIVE, told=told, fix=fix))
        told = f"a spot check on {table.check.device.cpu} found that the scores hold"
        return demand("spot_check", RuleTest("", n=n, outcome=Outcome.GO, told=told))
    told = f"no spot check{where} of these tasks"
    return demand("spot_check", RuleTest("", outcome=Outcome.INCONCLUSIVE, told=told, fix=fix))


def _judged(test: RuleTest, kept: bool, told: str, fix: Fix) -> RuleTest:  # noqa: FBT001  # a private builder
    """Return a demand that is met, or not."""
    outcome = Outcome.GO if kept else Outcome.INCONCLUSIVE
    return replace(test, outcome=outcome, told=told, fix=None if kept else fix)
