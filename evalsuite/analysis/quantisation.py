"""What quantisation costs: each quantisation against its source, language by language, on the same items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalsuite.analysis.gap_table import margin_of, verdict_of
from evalsuite.analysis.load import Run
from evalsuite.analysis.paired_items import compared, group_tasks, scored_items, shared_items, usable_clusters
from evalsuite.analysis.rows import Scale, Verdict
from evalsuite.analysis.score_table import scale_of, why_no_items
from evalsuite.records import DEQUANTISED, PromptForm, Task
from evalsuite.stats.corrections import holm
from evalsuite.stats.equivalence import non_inferiority_p
from evalsuite.stats.paired import PairedDifference, paired_difference

__all__ = [
    "DeltaRow",
    "DoubleDeltaRow",
    "Quantised",
    "TierDeltaRow",
    "delta_of_deltas",
    "quantisation_deltas",
    "quantised_models",
    "tier_deltas",
]


@dataclass(frozen=True, slots=True)
class Quantised:
    """A quantisation that a run has measured, and what it is held against."""

    model: str
    base: str
    """The source of the family where the run has it: what is made from a file cannot hold more than it does. Otherwise
    the member that has the most bits per weight."""


@dataclass(frozen=True, slots=True)
class DeltaRow:
    """One quantisation against its base on the same items of a task."""

    model: str
    base: str
    task: str
    group: str
    language: str
    form: PromptForm
    difference: PairedDifference
    """First is the quantisation, second its base: a negative difference is what quantisation costs."""
    scale: Scale
    p_holm: float | None
    """Corrected over all rows of this table."""
    verdict: Verdict | None
    """Behind: quantisation costs; ahead: it does better than its base; within: it costs less than the margin."""
    reason: str | None
    """Why there is no difference."""
    margin: float | None
    """Loss that matters, as for gaps; none where scores are no shares and the sweep names none."""
    p_margin: float | None
    """One-sided p that the loss is the margin or more, corrected over all rows of this table by itself."""


@dataclass(frozen=True, slots=True)
class DoubleDeltaRow:
    """Whether a quantisation costs a language more than it costs the reference language, on the same items."""

    model: str
    base: str
    group: str
    language: str
    reference: str
    form: PromptForm
    difference: PairedDifference
    """First is quantisation minus base in the language, second the same in the reference: a negative difference is a
    language that loses more."""
    scale: Scale
    p_holm: float | None
    """Corrected over all rows of this table."""
    verdict: Verdict | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class TierDeltaRow:
    """Whether a quantisation costs low-resource languages more than high-resource ones, on the same items."""

    model: str
    base: str
    group: str | None
    """None: the items of all groups whose scores are shares, together."""
    form: PromptForm
    low: tuple[str, ...]
    """Low-resource languages that the row is about."""
    high: tuple[str, ...]
    """High-resource languages, without the control that gaps are taken against."""
    difference: PairedDifference
    """First is quantisation minus base as a mean over the low-resource languages, second the same over the high-resource
    ones; an item with all of its languages is one value."""
    scale: Scale
    p_holm: float | None
    """Corrected over all rows of this table."""
    verdict: Verdict | None
    reason: str | None


def quantised_models(run: Run) -> tuple[Quantised, ...]:
    """Return every quantisation of which the run has another one, or the source, in the order of the run.

    Models are of one family if they were made from the same file, or one from the other, by the files' hashes. A float32
    copy (`+dequantised`) has the weights of its source and is in no family.
    """
    families: dict[str, list[str]] = {}
    for name in run.models:
        root = None if name.endswith(DEQUANTISED) else _root(run, name)
        if root is not None:
            families.setdefault(root, []).append(name)
    bases = {root: _base(run, root, names) for root, names in families.items() if len(names) > 1}
    base_of = {name: base for root, base in bases.items() for name in families[root] if name != base}
    return tuple(Quantised(name, base_of[name]) for name in run.models if name in base_of)


def quantisation_deltas(run: Run) -> tuple[DeltaRow, ...]:
    """Return quantisation minus base for every quantisation × task × prompt form, paired by item.

    Intervals, tests and margin are those of a gap (`paired_difference`, `non_inferiority_p`). p-values of no difference
    are corrected by Holm over all rows, and so, by themselves, are those of a loss as large as the margin.
    """
    found = [
        _delta(run, pair, task, form)
        for group in run.groups
        for language in run.languages
        for task in run.manifest.tasks.values()
        if run.group_of(task.name) == group and task.language == language and not task.only_read
        for pair in quantised_models(run)
        for form in run.forms
        if run.result(pair.model, task.name, form)
    ]
    corrected = holm([row.difference.p for row in found])
    within = holm([row.p_margin for row in found])
    return tuple(
        replace(row, p_holm=p, p_margin=q, verdict=verdict_of(row.difference, p, q))
        for row, p, q in zip(found, corrected, within, strict=True)
    )


def delta_of_deltas(run: Run) -> tuple[DoubleDeltaRow, ...]:
    """Return, for every quantisation × parallel group × language × form, what it costs beyond the reference language.

    With s(m, l, i) the score of model m on item i in language l, v the quantisation, b its base and r the reference
    language, the difference is the mean over items of [s(v, l, i) - s(b, l, i)] - [s(v, r, i) - s(b, r, i)]: a difference
    in differences, paired by item, over the items that all four have (Card and Krueger 1994, Am. Econ. Rev. 84, 772-793,
    for the estimator). The interval is Student's t of the items' double differences, the test flips their signs; where
    both sides are only 0 and 1, Newcombe's interval and McNemar's test, which is the same test exactly. Items that share
    a passage are taken together. p-values are corrected by Holm over all rows.
    """
    found = [
        _double(run, pair, group, (language, reference), form)
        for group in run.groups
        for language in run.languages
        if language in group_tasks(run, group) and (reference := run.reference_of(language)) is not None
        for pair in quantised_models(run)
        for form in run.forms
        if any(run.result(pair.model, task.name, form) for task in group_tasks(run, group)[language])
    ]
    corrected = holm([row.difference.p for row in found])
    return tuple(
        replace(row, p_holm=p, verdict=verdict_of(row.difference, p)) for row, p in zip(found, corrected, strict=True)
    )


def tier_deltas(run: Run) -> tuple[TierDeltaRow, ...]:
    """Return, for every quantisation × parallel group × form, whether low-resource languages lose more.

    For each item, quantisation minus base is averaged over the low-resource languages, and over the high-resource ones
    without the control (the languages that are a reference themselves). The difference of the two is the same as that of
    their double differences to a reference language, which cancels. An item in all these languages is one value, so that
    languages do not count as if they were independent. Where there are several groups, a row with no group joins the
    items of all whose scores are shares, each item with equal weight. p-values are corrected by Holm over all rows.
    """
    found: list[TierDeltaRow] = []
    for pair in quantised_models(run):
        for form in run.forms:
            rows = [made for group in run.groups if (made := _tier(run, pair, group, form)) is not None]
            found += [row for row, _ in rows]
            shares = [(row, sides) for row, sides in rows if sides is not None and row.scale is Scale.SHARE]
            if len(shares) > 1:
                found.append(_all_groups(run, pair, form, shares))
    corrected = holm([row.difference.p for row in found])
    return tuple(
        replace(row, p_holm=p, verdict=verdict_of(row.difference, p)) for row, p in zip(found, corrected, strict=True)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Items:
    """Values by item (row) and side (column), and what each item shares with others."""

    matrix: NDArray[np.float64]
    clusters: list[str] | None
    ids: list[str]


def _root(run: Run, name: str) -> str | None:
    """Return the hash of the file that a model goes back to."""
    models = run.manifest.models
    by_hash = {one.sha256: one for key, one in models.items() if one.sha256 and not key.endswith(DEQUANTISED)}
    model, seen = models[name], {name}
    while model.made_from is not None:
        above = by_hash.get(model.made_from.sha256 or "")
        if above is None or above.name in seen:
            return model.made_from.sha256
        model = above
        seen.add(above.name)
    return model.sha256


def _base(run: Run, root: str, names: Sequence[str]) -> str:
    models = run.manifest.models
    source = [name for name in names if models[name].sha256 == root]
    # Of equals the first, which is the order of the sweep.
    return source[0] if source else max(names, key=lambda name: models[name].bits_per_weight or 0.0)


def _delta(run: Run, pair: Quantised, task: Task, form: PromptForm) -> DeltaRow:
    found = _joined([_scored(run, name, task.name, form) for name in (pair.model, pair.base)])
    group = run.group_of(task.name)
    margin = margin_of(run, group)
    p_margin: float | None = None
    if margin is not None and isinstance(found, _Items):
        p_margin = non_inferiority_p(found.matrix[:, 0], found.matrix[:, 1], margin, clusters=found.clusters)
    difference = _compared(run, ("quantisation", pair.model, pair.base, task.name, form.value), found)
    return DeltaRow(
        model=pair.model,
        base=pair.base,
        task=task.name,
        group=group,
        language=task.language,
        form=form,
        difference=difference,
        scale=scale_of(run, group),
        p_holm=None,
        verdict=None,
        reason=difference.reason,
        margin=margin,
        p_margin=p_margin,
    )


def _double(run: Run, pair: Quantised, group: str, languages: tuple[str, str], form: PromptForm) -> DoubleDeltaRow:
    language, reference = languages
    key = ("quantisation-language", pair.model, pair.base, group, language, reference, form.value)
    difference = _without_counts(_compared(run, key, _costs(run, pair, group, languages, form)))
    return DoubleDeltaRow(
        model=pair.model,
        base=pair.base,
        group=group,
        language=language,
        reference=reference,
        form=form,
        difference=difference,
        scale=scale_of(run, group),
        p_holm=None,
        verdict=None,
        reason=difference.reason,
    )


def _tier(run: Run, pair: Quantised, group: str, form: PromptForm) -> tuple[TierDeltaRow, _Items | None] | None:
    low, high = (tuple(_of_tier(run, pair, group, form, tier)) for tier in ("low", "high"))
    if not low or not high:
        return None
    found = _costs(run, pair, group, (*low, *high), form)
    if isinstance(found, _Items):
        sides = (found.matrix[:, : len(low)].mean(axis=1), found.matrix[:, len(low) :].mean(axis=1))
        found = replace(found, matrix=np.column_stack(sides))
    key = ("quantisation-tier", pair.model, pair.base, group, form.value)
    difference = _without_counts(_compared(run, key, found))
    row = TierDeltaRow(
        model=pair.model,
        base=pair.base,
        group=group,
        form=form,
        low=low,
        high=high,
        difference=difference,
        scale=scale_of(run, group),
        p_holm=None,
        verdict=None,
        reason=difference.reason,
    )
    return row, found if isinstance(found, _Items) else None


def _all_groups(
    run: Run, pair: Quantised, form: PromptForm, rows: Sequence[tuple[TierDeltaRow, _Items]]
) -> TierDeltaRow:
    tiers = {code for row, _ in rows for code in row.low}, {code for row, _ in rows for code in row.high}
    low, high = (tuple(code for code in run.languages if code in tier) for tier in tiers)
    # Where items of a group share nothing, each is a cluster of its own, and with the same item of another group.
    clusters = [cluster for _, items in rows for cluster in items.clusters or items.ids]
    ids = [one for _, items in rows for one in items.ids]
    joined = _Items(np.concatenate([items.matrix for _, items in rows]), clusters, ids)
    difference = _without_counts(_compared(run, ("quantisation-tier", pair.model, pair.base, form.value), joined))
    return replace(rows[0][0], group=None, low=low, high=high, difference=difference, reason=difference.reason)


def _of_tier(run: Run, pair: Quantised, group: str, form: PromptForm, tier: str) -> Iterator[str]:
    """Yield the languages of a tier in which both models have scores, without those that are a reference."""
    references = {run.reference_of(code) for code in run.languages}
    for code, tasks in group_tasks(run, group).items():
        known = run.language(code)
        if known is None or known.tier != tier or code in references or len(tasks) > 1:
            continue
        if all(scored_items(run, name, tasks[0].name, form) is not None for name in (pair.model, pair.base)):
            yield code


def _costs(run: Run, pair: Quantised, group: str, languages: Sequence[str], form: PromptForm) -> _Items | str:
    """Return quantisation minus base by item (row) and language (column), or why there is nothing to return."""
    tasks = group_tasks(run, group)
    sides: list[pd.DataFrame | str] = []
    metrics: set[str] = set()
    for code in languages:
        same = tasks.get(code, [])
        if len(same) != 1:
            known = run.language(code)
            number = "no task" if not same else f"{len(same)} tasks"
            return f"this group has {number} in {known.english_name if known else code} in this run"
        metrics.add(same[0].primary_metric)
        sides += [_scored(run, name, same[0].name, form) for name in (pair.model, pair.base)]
    if len(metrics) > 1:
        return f"the languages are scored by other metrics: {', '.join(sorted(metrics))}"
    found = _joined(sides)
    return found if isinstance(found, str) else replace(found, matrix=found.matrix[:, 0::2] - found.matrix[:, 1::2])


def _scored(run: Run, model: str, task: str, form: PromptForm) -> pd.DataFrame | str:
    found = scored_items(run, model, task, form)
    return f"{model} has no scores on {task} ({why_no_items(run, model, task, form)})" if found is None else found


def _joined(sides: Sequence[pd.DataFrame | str]) -> _Items | str:
    """Return the scores of the items that all sides have; items are taken by the cluster that the first side names."""
    frames = [side for side in sides if not isinstance(side, str)]
    if len(frames) < len(sides):
        return next(side for side in sides if isinstance(side, str))
    joined = shared_items([frame["score"].astype("float64") for frame in frames])
    if isinstance(joined, str):
        return joined
    clusters = usable_clusters(frames[0].loc[joined.index, "cluster"])
    return _Items(joined.to_numpy(dtype=np.float64), clusters, [str(one) for one in joined.index])


def _compared(run: Run, key: tuple[str, ...], found: _Items | str) -> PairedDifference:
    if isinstance(found, str):
        return replace(paired_difference([], []), reason=found)
    return compared(run, found.matrix[:, 0], found.matrix[:, 1], key, found.clusters)


def _without_counts(difference: PairedDifference) -> PairedDifference:
    """Return a difference of differences: its sides are no right and wrong answers that could be counted."""
    return replace(difference, only_first=None, only_second=None, odds=None)
