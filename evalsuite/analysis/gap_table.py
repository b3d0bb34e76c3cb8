"""Paired comparisons: each language against its reference, and each model against each other, on the same items."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import ALPHA, MARGIN, ComparisonRow, GapRow, Scale, Verdict
from evalsuite.analysis.score_table import scale_of, why_no_items
from evalsuite.analysis.settling import detectable_difference, needed_items
from evalsuite.records import PromptForm, Task
from evalsuite.stats.corrections import holm
from evalsuite.stats.equivalence import non_inferiority_p
from evalsuite.stats.paired import PairedDifference, paired_difference

__all__ = ["Paired", "comparisons", "gaps", "group_tasks", "margin_of", "pair", "scored", "verdict_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Paired:
    """The items that two cells both have a score of, in the order of their ids."""

    ids: tuple[str, ...]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    clusters: tuple[Hashable, ...] | None
    """What each item shares with others; none where items stand alone."""

    def difference(self, rng: np.random.Generator) -> PairedDifference:
        """Return the first minus the second."""
        return paired_difference(self.first, self.second, clusters=self.clusters, rng=rng, level=1 - ALPHA)


@dataclass(frozen=True, slots=True)
class _Found:
    """A gap before what depends on all the others."""

    model: str
    group: str
    form: PromptForm
    language: str
    reference: str
    scale: Scale
    difference: PairedDifference
    margin: float | None
    p_margin: float | None
    reason: str | None


def gaps(run: Run, *, reference: str | None = None, margin: float | None = None) -> tuple[GapRow, ...]:
    """Return the gap of every model × parallel group × language to its reference language.

    Two families of tests are corrected by Holm, each over all gaps that are returned: that there is no difference, and
    that a language is behind by the margin or more (docs/statistics.md).

    Args:
        run: A loaded run.
        reference: Code of the language that all others are held against; by default the sweep's, or each language's own.
        margin: Gap that matters, as a share of items; by default the sweep's, or `rows.MARGIN`.
    """
    found = [
        _gap(run, model, form, group, (language, against), margin_of(run, group, margin))
        for group in run.groups
        if (tasks := group_tasks(run, group))
        for language in run.languages
        if language in tasks and (against := _reference(run, language, reference)) is not None
        for model in run.models
        for form in run.forms
        if _touched(run, model, tasks, form)
    ]
    corrected = holm([one.difference.p for one in found])
    within = holm([one.p_margin for one in found])
    alpha = ALPHA / max(1, sum(p is not None for p in corrected))
    return tuple(_row(one, p, q, alpha) for one, p, q in zip(found, corrected, within, strict=True))


def comparisons(run: Run) -> tuple[ComparisonRow, ...]:
    """Return every pair of models on every task that both have scores of.

    The p-values are corrected by Holm over all pairs that are returned: which model scored highest is not known
    beforehand, so comparing only with the highest would find differences by chance.
    """
    found = []
    for task in (task for task in run.manifest.tasks.values() if not task.only_read):
        for form in run.forms:
            frames = {m: f for m in run.models if (f := scored(run, m, task.name, form)) is not None}
            for model, other in combinations(frames, 2):
                paired = pair(frames[model], frames[other])
                if paired is not None and paired.ids:
                    rng = run.rng("paired", task.name, model, other, form.value)
                    found.append((task, form, model, other, paired.difference(rng)))
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


def verdict_of(difference: PairedDifference, p: float | None, p_margin: float | None = None) -> Verdict | None:
    """Return what a comparison shows: a difference needs both the corrected test and the interval to exclude zero.

    Args:
        difference: First minus second.
        p: Corrected p of no difference.
        p_margin: Corrected one-sided p that the first is behind by the margin or more.
    """
    if p is None or difference.difference is None:
        return None
    if p < ALPHA and difference.high is not None and difference.high < 0:
        return Verdict.BEHIND
    if p < ALPHA and difference.low is not None and difference.low > 0:
        return Verdict.AHEAD
    return Verdict.WITHIN if p_margin is not None and p_margin < ALPHA else Verdict.INCONCLUSIVE


def margin_of(run: Run, group: str, margin: float | None = None) -> float | None:
    """Return the gap that matters in a group; none where its scores are no shares and none was named."""
    if margin is not None:
        return margin
    return run.manifest.sweep.margin or (MARGIN if scale_of(run, group) is Scale.SHARE else None)


def group_tasks(run: Run, group: str) -> dict[str, list[Task]]:
    """Return the tasks of a parallel group by language; none for a task that is in no group, or whose texts are only read."""
    tasks: dict[str, list[Task]] = {}
    for task in run.manifest.tasks.values():
        if task.parallel_group == group and not task.only_read:
            tasks.setdefault(task.language, []).append(task)
    return tasks


def scored(run: Run, model: str, task: str, form: PromptForm) -> pd.DataFrame | None:
    """Return score and cluster of the items that have a score, by item id; none where there are none."""
    result = run.result(model, task, form)
    frame = run.frames.get(result.cell.id) if result else None
    if frame is None:
        return None
    known = frame.loc[frame["score"].notna(), ["item_id", "score", "cluster"]].set_index("item_id")
    return known if len(known) else None


def pair(first: pd.DataFrame, second: pd.DataFrame) -> Paired | None:
    """Return the items that two frames of `scored` share; none where ids repeat, so that items cannot be told apart.

    Items are taken by cluster where all of them name one and at least two share one; the clusters are those of the first.
    """
    if first.index.has_duplicates or second.index.has_duplicates:
        return None
    # Sorted, so that resamples do not depend on the order in which items were scored.
    ids = first.index.intersection(second.index).sort_values()
    here, there = first.loc[ids], second.loc[ids]
    clusters = tuple(here["cluster"])
    shared = all(one is not None for one in clusters) and len(set(clusters)) < len(clusters)
    return Paired(
        ids=tuple(str(one) for one in ids),
        first=here["score"].to_numpy(dtype="float64"),
        second=there["score"].to_numpy(dtype="float64"),
        clusters=clusters if shared else None,
    )


def _reference(run: Run, language: str, reference: str | None) -> str | None:
    return run.reference_of(language) if reference is None else None if reference == language else reference


def _touched(run: Run, model: str, tasks: dict[str, list[Task]], form: PromptForm) -> bool:
    return any(run.result(model, task.name, form) for same in tasks.values() for task in same)


def _gap(
    run: Run, model: str, form: PromptForm, group: str, languages: tuple[str, str], margin: float | None
) -> _Found:
    sides = _sides(run, model, form, group_tasks(run, group), languages)
    reason = sides if isinstance(sides, str) else None
    difference, p_margin = paired_difference([], []), None
    if not isinstance(sides, str):
        (here, first), (there, second) = sides
        paired = pair(first, second)
        assert paired is not None  # `_sides` refuses ids that repeat.
        difference = paired.difference(run.rng("paired", here, there, model, form.value))
        if margin is not None and difference.n:
            p_margin = non_inferiority_p(paired.first, paired.second, margin, clusters=paired.clusters)
    return _Found(
        model=model,
        group=group,
        form=form,
        language=languages[0],
        reference=languages[1],
        scale=scale_of(run, group),
        difference=difference,
        margin=margin,
        p_margin=p_margin,
        reason=reason or difference.reason,
    )


def _sides(
    run: Run, model: str, form: PromptForm, tasks: dict[str, list[Task]], languages: tuple[str, str]
) -> str | tuple[tuple[str, pd.DataFrame], tuple[str, pd.DataFrame]]:
    """Return (task, items) of both languages, or why they cannot be compared."""
    sides = []
    for code in languages:
        known = run.language(code)
        name = known.english_name if known else code
        if code not in tasks:
            return f"this group has no task in {name} in this run"
        if len(tasks[code]) > 1:
            return f"this group has {len(tasks[code])} tasks in {name}, so which one to compare is not clear"
        task = tasks[code][0]
        frame = scored(run, model, task.name, form)
        if frame is None:
            return f"no scores in {name} ({why_no_items(run, model, task.name, form)})"
        if frame.index.has_duplicates:
            return f"item ids of {task.name} are not unique, so items cannot be paired"
        sides.append((task, frame))
    (here, first), (there, second) = sides
    if here.primary_metric != there.primary_metric:
        return f"{here.name} is scored by {here.primary_metric} but {there.name} by {there.primary_metric}"
    return (here.name, first), (there.name, second)


def _row(found: _Found, p: float | None, p_margin: float | None, alpha: float) -> GapRow:
    verdict = verdict_of(found.difference, p, p_margin)
    return GapRow(
        model=found.model,
        group=found.group,
        form=found.form,
        language=found.language,
        reference=found.reference,
        difference=found.difference,
        scale=found.scale,
        p_holm=p,
        verdict=verdict,
        reason=found.reason,
        margin=found.margin,
        p_margin=p_margin,
        needed=needed_items(found.difference, found.margin, alpha) if verdict is Verdict.INCONCLUSIVE else None,
        detectable=detectable_difference(found.difference, alpha) if verdict is not None else None,
    )
