"""Paired comparisons: each language against its reference, and each model against each other, on the same items."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations

from evalsuite.analysis.load import Run
from evalsuite.analysis.paired_items import SCORES, group_tasks, language_sides, pair, scored_items
from evalsuite.analysis.rows import ALPHA, MARGIN, ComparisonRow, GapRow, Scale, Verdict
from evalsuite.analysis.score_table import scale_of
from evalsuite.analysis.settling import detectable_difference, needed_items
from evalsuite.errors import InputError
from evalsuite.records import PromptForm, Task
from evalsuite.stats.corrections import holm
from evalsuite.stats.equivalence import non_inferiority_p
from evalsuite.stats.paired import PairedDifference, paired_difference

__all__ = ["comparisons", "gaps", "margin_of", "verdict_of"]


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


def gaps(
    run: Run, *, reference: str | None = None, margin: float | None = None, languages: Collection[str] | None = None
) -> tuple[GapRow, ...]:
    """Return the gap of every model × parallel group × language to its reference language.

    Two families of tests are corrected by Holm, each over all gaps that are returned: that there is no difference, and
    that a language is behind by the margin or more (docs/statistics.md).

    Args:
        run: A loaded run.
        reference: Code of the language that all others are held against; by default the sweep's, or each language's own.
        margin: Gap that matters, as a share of items; by default the sweep's, or `rows.MARGIN`.
        languages: Codes of the languages whose gaps are wanted, and corrected for; by default all.

    Raises:
        InputError: The run has no such reference, or the margin is not between 0 and 1.
    """
    if reference is not None and reference not in run.manifest.languages:
        known = ", ".join(run.languages)
        raise InputError(f"the run has no language {reference!r} to hold others against", fix=f"one of {known}")
    if margin is not None and not 0 < margin < 1:
        raise InputError(
            f"a margin of {margin:g} is not between 0 and 1", fix="give it as a share: 0.05 is five points"
        )
    found = [
        _gap(run, model, form, group, (language, against), margin_of(run, group, margin))
        for group in run.groups
        if (tasks := group_tasks(run, group))
        for language in run.languages
        if languages is None or language in languages
        if language in tasks and (against := run.reference_of(language, reference)) is not None
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
            frames = {m: f for m in run.models if (f := scored_items(run, m, task.name, form, SCORES)) is not None}
            for model, other in combinations(frames, 2):
                paired = pair(frames[model], frames[other])
                if paired is not None and paired.first.size:
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
    """Return the gap that matters in a group; none where its scores are no shares, of which a margin is one."""
    if scale_of(run, group) is Scale.RAW:
        return None
    return next(one for one in (margin, run.manifest.sweep.margin, MARGIN) if one is not None)


def _touched(run: Run, model: str, tasks: dict[str, list[Task]], form: PromptForm) -> bool:
    return any(run.result(model, task.name, form) for same in tasks.values() for task in same)


def _gap(
    run: Run, model: str, form: PromptForm, group: str, languages: tuple[str, str], margin: float | None
) -> _Found:
    sides = language_sides(run, model, group, form, languages, SCORES)
    reason = sides if isinstance(sides, str) else None
    difference, p_margin = paired_difference([], []), None
    if not isinstance(sides, str):
        (here, first), (there, second) = sides
        paired = pair(first, second)
        assert paired is not None  # `language_sides` refuses ids that repeat.
        difference = paired.difference(run.rng("paired", here.name, there.name, model, form.value))
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
