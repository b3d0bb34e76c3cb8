"""Demands on the evidence: enough items and requests, no warnings, no disturbance, a spot check, recent results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from evalsuite.analysis.flags import Flag, FlagKind
from evalsuite.analysis.profiles import Profile
from evalsuite.gate.device import energy_row, is_device, profile_of
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
        yield demand("spot_check", _spot_check(scope, model, language, seen.inputs))


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
        looked = scope.form in seen.inputs.run.forms
        if not looked:
            told = (
                f"warnings are looked for in main prompt forms only, and {scope.form.value} is another wording of one"
            )
        fix = advice(
            "where there is a warning, look at the items (`evalsuite export`): is the prompt right for the model?"
        )
        yield demand("no_warnings", _judged(here, looked and not warned, told, fix))
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
    energy = energy_row(scope, profile, language) if evidence.undisturbed else None
    if energy is not None and scope.use_case.rules_of(language).energy_j is not None:
        told = f"energy was disturbed: {'; '.join(energy.flags)}" if energy.flags else "undisturbed stretches of energy"
        idle = replace(again, text="with --meter, on an idle, cool device")
        made = _judged(RuleTest("", n=energy.requests, of="requests"), not energy.flags, told, idle)
        yield demand("undisturbed.energy", made)
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
    """Return whether checks on the device that the policy is about scored the items of these tasks again, and all held."""
    wanted = scope.evidence.device
    where = f" on {wanted}" if wanted else ""
    fix = advice(f"`evalsuite spot-check RUN --model {model}`{where}")
    names = {task.name for task in scope.tasks[language]}
    profile = profile_of(inputs.run, scope, model)
    found = []
    for table in inputs.spot_checks:
        device = table.check.device
        # Of a profile, the device that it was made on is meant; else any that the policy does not rule out.
        meant = (
            is_device(wanted, device) if wanted else profile is None or device.fingerprint == profile.device.fingerprint
        )
        rows = [row for row in table.rows if row.model == model and row.form == scope.form and row.task in names]
        total = next((total for total in table.totals if total.model == model), None)
        if meant and total is not None and {row.task for row in rows} == names:
            found.append((device, total, [row.task for row in rows if row.reason or row.unlike]))
    for _, total, _ in found:
        if total.warned:
            told = (
                f"a spot check{where} found answers that differ: {len(total.flipped)} clear items of {total.counts.n}"
            )
            look = advice("docs/spot-check.md says what to look at")
            return RuleTest("", n=total.counts.n, outcome=Outcome.INCONCLUSIVE, told=told, fix=look)
    for _, total, bad in found:
        if bad:
            told = f"a spot check{where} could not compare all items of {', '.join(bad)}"
            return RuleTest("", n=total.counts.n, outcome=Outcome.INCONCLUSIVE, told=told, fix=fix)
    if not found:
        told = f"no spot check{where} of these tasks"
        if profile is not None and not wanted and inputs.spot_checks:
            told = f"{told} on the device of the profile"
        return RuleTest("", outcome=Outcome.INCONCLUSIVE, told=told, fix=fix)
    device, total, _ = found[0]
    return RuleTest(
        "", n=total.counts.n, outcome=Outcome.GO, told=f"a spot check on {device.cpu} found that the scores hold"
    )


def _judged(test: RuleTest, kept: bool, told: str, fix: Fix) -> RuleTest:  # noqa: FBT001  # a private builder
    """Return a demand that is met, or not."""
    outcome = Outcome.GO if kept else Outcome.INCONCLUSIVE
    return replace(test, outcome=outcome, told=told, fix=None if kept else fix)
