"""Paired comparisons: each language against its reference, and each model against each other, on the same items."""

from __future__ import annotations

from itertools import combinations

import pandas as pd

from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import ALPHA, ComparisonRow, GapRow, Verdict
from evalsuite.analysis.score_table import scale_of, why_no_items
from evalsuite.records import PromptForm, Task
from evalsuite.stats.corrections import holm
from evalsuite.stats.paired import PairedDifference, paired_difference

__all__ = ["comparisons", "gaps", "group_tasks", "verdict_of"]


def gaps(run: Run) -> tuple[GapRow, ...]:
    """Return the gap of every model × parallel group × language to its reference language.

    The p-values are corrected by Holm over all gaps that are returned, that is over all gaps of the run.
    """
    found: list[tuple[str, str, PromptForm, str, str, PairedDifference, str | None]] = []
    for group in run.groups:
        tasks = group_tasks(run, group)
        for language in (code for code in run.languages if code in tasks):
            reference = run.reference_of(language)
            if reference is None:
                continue
            for model in run.models:
                for form in run.forms:
                    if _touched(run, model, tasks, form):
                        difference, reason = _gap(run, model, form, tasks, (language, reference))
                        found.append((model, group, form, language, reference, difference, reason))
    corrected = holm([difference.p for *_, difference, _ in found])
    return tuple(
        GapRow(
            model=model,
            group=group,
            form=form,
            language=language,
            reference=reference,
            difference=difference,
            scale=scale_of(run, group),
            p_holm=p,
            verdict=verdict_of(difference, p),
            reason=reason or difference.reason,
        )
        for (model, group, form, language, reference, difference, reason), p in zip(found, corrected, strict=True)
    )


def comparisons(run: Run) -> tuple[ComparisonRow, ...]:
    """Return every pair of models on every task that both have scores of.

    The p-values are corrected by Holm over all pairs that are returned: which model scored highest is not known
    beforehand, so comparing only with the highest would find differences by chance.
    """
    found = []
    for task in (task for task in run.manifest.tasks.values() if not task.only_read):
        for form in run.forms:
            frames = {m: f for m in run.models if (f := _scored(run, m, task.name, form)) is not None}
            for model, other in combinations(frames, 2):
                difference = _paired(run, frames[model], frames[other], (task.name, model, other, form.value))
                if difference.n:
                    found.append((task, form, model, other, difference))
    corrected = holm([difference.p for *_, difference in found])
    return tuple(
        ComparisonRow(
            task=task.name,
            group=run.group_of(task.name),
            language=task.language,
            form=form,
            model=model,
            other=other,
            difference=difference,
            p_holm=p,
            verdict=verdict_of(difference, p),
        )
        for (task, form, model, other, difference), p in zip(found, corrected, strict=True)
    )


def verdict_of(difference: PairedDifference, p: float | None) -> Verdict | None:
    """Return what a comparison shows: a difference needs both the corrected test and the interval to exclude zero."""
    if p is None or difference.difference is None:
        return None
    if p < ALPHA and difference.high is not None and difference.high < 0:
        return Verdict.BEHIND
    if p < ALPHA and difference.low is not None and difference.low > 0:
        return Verdict.AHEAD
    return Verdict.INCONCLUSIVE


def group_tasks(run: Run, group: str) -> dict[str, list[Task]]:
    """Return the tasks of a parallel group by language; none for a task that is in no group, or whose texts are only read."""
    tasks: dict[str, list[Task]] = {}
    for task in run.manifest.tasks.values():
        if task.parallel_group == group and not task.only_read:
            tasks.setdefault(task.language, []).append(task)
    return tasks


def _touched(run: Run, model: str, tasks: dict[str, list[Task]], form: PromptForm) -> bool:
    return any(run.result(model, task.name, form) for same in tasks.values() for task in same)


def _gap(
    run: Run, model: str, form: PromptForm, tasks: dict[str, list[Task]], languages: tuple[str, str]
) -> tuple[PairedDifference, str | None]:
    empty = paired_difference([], [])
    sides = []
    for code in languages:
        known = run.language(code)
        name = known.english_name if known else code
        if code not in tasks:
            return empty, f"this group has no task in {name} in this run"
        if len(tasks[code]) > 1:
            return empty, f"this group has {len(tasks[code])} tasks in {name}, so which one to compare is not clear"
        task = tasks[code][0]
        frame = _scored(run, model, task.name, form)
        if frame is None:
            return empty, f"no scores in {name} ({why_no_items(run, model, task.name, form)})"
        if frame.index.has_duplicates:
            return empty, f"item ids of {task.name} are not unique, so items cannot be paired"
        sides.append((task, frame))
    (here, first), (there, second) = sides
    if here.primary_metric != there.primary_metric:
        return empty, f"{here.name} is scored by {here.primary_metric} but {there.name} by {there.primary_metric}"
    difference = _paired(run, first, second, (here.name, there.name, model, form.value))
    return difference, None


def _scored(run: Run, model: str, task: str, form: PromptForm) -> pd.DataFrame | None:
    """Return the items that have a score, indexed by item id."""
    result = run.result(model, task, form)
    frame = run.frames.get(result.cell.id) if result else None
    if frame is None:
        return None
    scored = frame.loc[frame["score"].notna(), ["item_id", "score"]].set_index("item_id")
    return scored if len(scored) else None


def _paired(run: Run, first: pd.DataFrame, second: pd.DataFrame, key: tuple[str, ...]) -> PairedDifference:
    if first.index.has_duplicates or second.index.has_duplicates:
        return paired_difference([], [])
    joined = first.merge(second, left_index=True, right_index=True, suffixes=("_first", "_second"))
    # Sorted, so that the resamples do not depend on the order in which items were scored.
    joined = joined.sort_index()
    a, b = joined["score_first"].to_numpy(dtype="float64"), joined["score_second"].to_numpy(dtype="float64")
    return paired_difference(a, b, rng=run.rng("paired", *key), level=1 - ALPHA)
