"""The rule on gaps: is a language shown to be no more behind its reference than the policy allows, on the same items?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from evalsuite.analysis.load import Run
from evalsuite.analysis.paired_items import Paired, group_tasks, pair
from evalsuite.analysis.rows import Scale
from evalsuite.analysis.score_table import scale_of
from evalsuite.gate.fixes import advice, run_fix
from evalsuite.gate.quality import cell_items, limit_of, more_items, run_name
from evalsuite.gate.rows import Outcome, RuleTest, Unit, missing
from evalsuite.gate.scope import Scope
from evalsuite.records import Task
from evalsuite.stats.equivalence import non_inferiority_p
from evalsuite.stats.paired import is_binary, paired_difference
from evalsuite.stats.planning import items_for_real
from evalsuite.stats.tango import tango_interval

__all__ = ["gap_tests"]

_RULE = "maximum_gap"


def gap_tests(run: Run, scope: Scope, model: str, language: str) -> Iterator[RuleTest]:
    """Yield the test of each task's gap of one model in one language; the reference itself has none.

    Raises:
        InputError: The limit is not on the scale of the scores.
    """
    asked = scope.use_case.rules_of(language).maximum_gap
    known = language in run.manifest.languages
    reference = scope.policy.reference or (run.reference_of(language) if known else None)
    if asked is None:
        return
    for task in scope.tasks[language]:
        # A run names no reference for the language that is the reference itself.
        if reference == language or (reference is None and _is_reference(run, language)):
            yield _of_reference(run, scope, model, task)
            continue
        if reference is None:
            fix = advice("name the language to hold it against: `reference: en` in the policy")
            yield missing(_RULE, f"no reference language is known for {language}", task=task.name, fix=fix)
            continue
        scale = scale_of(run, run.group_of(task.name))
        unit = Unit.POINTS if scale is Scale.SHARE else Unit.RAW_DIFFERENCE
        margin = limit_of(asked, scale, f"{scope.where}: {_RULE}: {task.name}")
        made = _test(run, scope, model, task, reference, margin)
        yield replace(made, task=task.name, unit=unit, limit=-margin)


def _test(run: Run, scope: Scope, model: str, task: Task, reference: str, margin: float) -> RuleTest:
    other = _reference_task(run, task, reference)
    if isinstance(other, str):
        return missing(_RULE, other, fix=run_fix(model, run_name(task), task.language, reference))
    sides = []
    for one in (task, other):
        items = cell_items(run, scope, model, one)
        if isinstance(items, str):
            return missing(
                _RULE, f"no scores in {one.language}: {items}", fix=run_fix(model, run_name(one), one.language)
            )
        sides.append(items)
    here, there = sides
    pairs = pair(here.frame, there.frame)
    if pairs is None or not pairs.ids:
        told = "item ids are not unique, so items cannot be paired" if pairs is None else "no items in common"
        return missing(_RULE, told, fix=run_fix(model, run_name(task), task.language, reference))
    rng = run.rng("gate", model, task.name, other.name, scope.form.value)
    test = _compared(pairs, margin, confidence=scope.policy.confidence, rng=rng, reference=reference)
    return replace(test, fix=more_items(model, task, test.needed))


def _is_reference(run: Run, language: str) -> bool:
    return any(run.reference_of(other) == language for other in run.manifest.languages)


def _of_reference(run: Run, scope: Scope, model: str, task: Task) -> RuleTest:
    items = cell_items(run, scope, model, task)
    if isinstance(items, str):
        return missing(_RULE, f"no scores: {items}", task=task.name, fix=run_fix(model, run_name(task), task.language))
    return RuleTest(_RULE, task.name, outcome=Outcome.GO, told="this is the reference language", n=len(items.frame))


def _reference_task(run: Run, task: Task, reference: str) -> Task | str:
    """Return the task with the same items in the reference language, or why there is none."""
    if task.parallel_group is None:
        return f"{task.name} is in no parallel group, so there are no same items in {reference} to compare with"
    tasks = group_tasks(run, task.parallel_group)
    for code in (task.language, reference):
        if len(tasks.get(code, ())) != 1:
            count = len(tasks.get(code, ())) or "no"
            return f"the group {task.parallel_group} has {count} task{'s' * (count != 1)} in {code} in these runs"
    (other,) = tasks[reference]
    if other.primary_metric != task.primary_metric:
        return f"{task.name} is scored by {task.primary_metric}, but {other.name} by {other.primary_metric}"
    return other


def _compared(pairs: Paired, margin: float, *, confidence: float, rng: np.random.Generator, reference: str) -> RuleTest:
    """Return the test of non-inferiority, and its other side: both are of one statistic, so that their p add up to 1."""
    level, clusters = 2 * confidence - 1, pairs.clusters
    first, second = pairs.first, pairs.second
    found = paired_difference(first, second, clusters=clusters, rng=rng, level=level)
    assert found.difference is not None
    # Scores of a wider scale may happen to be 0 and 1 only; such a margin then is no difference of shares.
    odd = margin >= 1 and is_binary(first, second)
    p = None if odd else non_inferiority_p(first, second, margin, clusters=clusters)
    low, high, method = found.low, found.high, f"{found.interval_method}, non-inferiority"
    if found.only_first is not None and found.only_second is not None and found.clusters is None:
        # The interval that decides as the test does.
        low, high = tango_interval(found.only_first, found.only_second, found.n, level)
        method = "Tango's score test"
    return RuleTest(
        rule=_RULE,
        value=found.difference,
        low=low,
        high=high,
        n=found.n,
        of=f"items in both, reference {reference}",
        p_go=p,
        p_no_go=None if p is None else 1 - p,
        needed=_needed(found.se, found.n, found.difference + margin, 1 - confidence) if p is not None else None,
        method=method,
        told="" if p is not None else found.reason or "all items differ alike, so that there is no error",
    )


def _needed(error: float | None, n: int, beyond: float, alpha: float) -> int | None:
    """Return how many items would probably show on which side of the margin the gap is, if it is what was seen.

    Args:
        error: Standard error of the difference of these items.
        n: Their number.
        beyond: The difference plus the margin: negative where the gap is larger.
        alpha: Level of the test.
    """
    if not error or math.isclose(beyond, 0, abs_tol=1e-12):
        return None
    return items_for_real(error * math.sqrt(n), abs(beyond), alpha=alpha, one_sided=True)
