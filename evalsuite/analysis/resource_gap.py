"""Whether low-resource languages are behind as a class, and whether a larger model closes the distance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalsuite.analysis.gap_table import verdict_of
from evalsuite.analysis.load import Run
from evalsuite.analysis.paired_items import as_difference, compared, group_tasks, scored_items, usable_clusters
from evalsuite.analysis.rows import ALPHA, Scale, Verdict
from evalsuite.analysis.score_table import scale_of
from evalsuite.records import PromptForm
from evalsuite.stats.corrections import holm
from evalsuite.stats.paired import PairedDifference, paired_difference
from evalsuite.stats.pooled import GroupOfItems, pooled_mean, pooled_p

__all__ = ["ResourceGapRow", "SizeRow", "larger_models", "resource_gaps"]

_NO_GROUP = "no group with scores between 0 and 1 has both low-resource and high-resource languages"


@dataclass(frozen=True, slots=True)
class ResourceGapRow:
    """Low-resource against high-resource languages, on the same items."""

    model: str | None
    """None: the mean over `models`."""
    group: str | None
    """None: the mean over `groups`, each with the same weight."""
    form: PromptForm
    models: tuple[str, ...]
    groups: tuple[str, ...]
    low: tuple[str, ...]
    """Languages of the low tier that are in it."""
    high: tuple[str, ...]
    """Languages of the high tier, without the control (the language that has no reference)."""
    difference: PairedDifference
    """First is the low tier, second the high tier: a negative difference is a class that falls behind. Each item has
    one value on each side, the mean of its scores over the languages, and over the models where there are several."""
    scale: Scale
    p_holm: float | None
    """Corrected over all rows of this table."""
    verdict: Verdict | None
    reason: str | None
    """Why there is no difference, or no verdict."""


@dataclass(frozen=True, slots=True)
class SizeRow:
    """The resource gap of the largest model against that of the smallest, on the same items."""

    group: str | None
    """None: the mean over `groups`, each with the same weight."""
    form: PromptForm
    groups: tuple[str, ...]
    larger: tuple[str, ...]
    """The models with the most parameters; several where they have equally many, and then their mean."""
    smaller: tuple[str, ...]
    sizes: tuple[int, int] | None
    """Parameters of the larger and the smaller."""
    high_scores: tuple[float, float] | None
    """Mean score of the larger and the smaller in the high tier. One that guesses there has no gap to close: its classes
    are alike because it does the task in neither."""
    unknown: tuple[str, ...]
    """Models whose parameters are not known, which are left out."""
    difference: PairedDifference
    """First is the resource gap of the larger, second that of the smaller: above 0, the larger is less far behind."""
    p_holm: float | None
    """Corrected over all rows of this table."""
    verdict: Verdict | None
    """`AHEAD`: the larger model's resource gap is the smaller one."""
    reason: str | None


@dataclass(frozen=True, slots=True, eq=False)
class _Tiers:
    """One model's items of one group: the mean of each over the languages of a tier."""

    group: str
    low: tuple[str, ...]
    high: tuple[str, ...]
    items: pd.DataFrame
    """Columns `low`, `high`, `cluster`; by item id, sorted."""


def resource_gaps(run: Run) -> tuple[ResourceGapRow, ...]:
    """Return how far low-resource languages are behind high-resource ones, by model and parallel group.

    Behind the rows of each model comes its mean over groups, and behind all models the means over models. The control
    language is in neither class: it is what the models were mostly made from, and would make the high tier look
    better than Spanish or Japanese are. Only items that all the languages have are counted, so that both classes are
    asked the same. Groups whose scores are no shares stand for themselves and are in no mean over groups.
    """
    rows = [row for form in run.forms for row in _of_form(run, form)]
    corrected = holm([row.difference.p for row in rows])
    return tuple(
        replace(row, p_holm=p, verdict=verdict_of(row.difference, p)) for row, p in zip(rows, corrected, strict=True)
    )


def larger_models(run: Run) -> tuple[SizeRow, ...]:
    """Return whether the largest model's resource gap differs from the smallest one's, by group and over groups.

    Two models differ in more than their size, and this says nothing about which of it makes the difference.
    """
    rows = [row for form in run.forms for row in _sizes_of_form(run, form)]
    corrected = holm([row.difference.p for row in rows])
    return tuple(
        replace(row, p_holm=p, verdict=verdict_of(row.difference, p)) for row, p in zip(rows, corrected, strict=True)
    )


def _of_form(run: Run, form: PromptForm) -> Iterator[ResourceGapRow]:
    found = {(m, g): _tiers(run, m, g, form) for g in run.groups if group_tasks(run, g) for m in run.models}
    for model in run.models:
        own = {g: tiers for (m, g), tiers in found.items() if m == model}
        for group, tiers in own.items():
            if tiers is not None:
                yield _row(run, (model,), form, tiers, group=group, model=model)
        yield _pooled(run, (model,), form, [t for t in own.values() if isinstance(t, _Tiers)], model=model)
    if len(run.models) < 2:
        return
    joined = []
    for group in dict.fromkeys(g for _, g in found):
        sides = [t for m in run.models if isinstance(t := found[m, group], _Tiers)]
        if len(sides) == len(run.models) and (mean := _mean_of(sides)) is not None:
            joined.append(mean)
            yield _row(run, run.models, form, mean, group=group, model=None)
    yield _pooled(run, run.models, form, joined, model=None)


def _tiers(run: Run, model: str, group: str, form: PromptForm) -> _Tiers | str | None:
    """Return the items of a group by tier, why there are none, or nothing where the model was not to do the group."""
    tasks = group_tasks(run, group)
    if not any(run.result(model, task.name, form) for same in tasks.values() for task in same):
        return None
    metrics = {task.primary_metric for same in tasks.values() for task in same}
    if len(metrics) > 1:
        return f"its tasks are scored by unlike metrics: {', '.join(sorted(metrics))}"
    tiers: dict[str, list[str]] = {"low": [], "high": []}
    frames: dict[str, pd.DataFrame] = {}
    for code in run.languages:
        known, same = run.language(code), tasks.get(code, ())
        control = known is None or (known.reference is None and known.tier == "high")
        frame = scored_items(run, model, same[0].name, form) if len(same) == 1 else None
        if known is None or control or frame is None or frame.index.has_duplicates:
            continue
        tiers[known.tier].append(code)
        frames[code] = frame
    for tier, codes in tiers.items():
        if not codes:
            return f"no scores in a {tier}-resource language" + (" beside the control" if tier == "high" else "")
    wide = pd.concat({code: frame["score"] for code, frame in frames.items()}, axis=1, join="inner").sort_index()
    if wide.empty:
        return "no item that all the languages have"
    first = frames[tiers["low"][0]]
    items = pd.DataFrame({t: wide[codes].mean(axis=1) for t, codes in tiers.items()}, index=wide.index)
    items["cluster"] = first["cluster"].reindex(wide.index)
    return _Tiers(group, tuple(tiers["low"]), tuple(tiers["high"]), items)


def _mean_of(sides: Sequence[_Tiers]) -> _Tiers | None:
    """Return the mean over models of the same languages and items; none where there are no such."""
    first = sides[0]
    if any((one.low, one.high) != (first.low, first.high) for one in sides):
        return None
    columns = ["low", "high"]
    stacked = pd.concat({i: one.items[columns] for i, one in enumerate(sides)}, axis=1, join="inner").sort_index()
    if stacked.empty:
        return None
    means = stacked.to_numpy(dtype=np.float64).reshape(len(stacked), len(sides), len(columns)).mean(axis=1)
    items = pd.DataFrame(means, columns=columns, index=stacked.index)
    items["cluster"] = first.items["cluster"].reindex(items.index)
    return replace(first, items=items)


def _row(
    run: Run, models: tuple[str, ...], form: PromptForm, tiers: _Tiers | str, *, group: str, model: str | None
) -> ResourceGapRow:
    found = None if isinstance(tiers, str) else tiers
    difference = paired_difference([], [])
    if found is not None:
        first, second = _values(found, "low"), _values(found, "high")
        key = ("resource", model or "", form.value, group)
        difference = compared(run, first, second, key, usable_clusters(found.items["cluster"]))
    return ResourceGapRow(
        model=model,
        group=group,
        form=form,
        models=models,
        groups=(group,),
        low=found.low if found else (),
        high=found.high if found else (),
        difference=difference,
        scale=scale_of(run, group),
        p_holm=None,
        verdict=None,
        reason=tiers if isinstance(tiers, str) else difference.reason,
    )


def _pooled(
    run: Run, models: tuple[str, ...], form: PromptForm, found: Iterable[_Tiers], *, model: str | None
) -> ResourceGapRow:
    kept = [tiers for tiers in found if tiers.group not in run.raw_groups]
    sides = {t.group: (_values(t, "low"), _values(t, "high"), _units(t)) for t in kept}
    difference = _over_groups(run, sides, ("resource over groups", model or "", form.value))
    return ResourceGapRow(
        model=model,
        group=None,
        form=form,
        models=models,
        groups=tuple(sides),
        low=_in_order(run, (code for t in kept for code in t.low)),
        high=_in_order(run, (code for t in kept for code in t.high)),
        difference=difference,
        scale=Scale.SHARE,
        p_holm=None,
        verdict=None,
        reason=difference.reason,
    )


def _values(tiers: _Tiers, column: str) -> NDArray[np.float64]:
    return tiers.items[column].to_numpy(dtype=np.float64)


def _units(tiers: _Tiers) -> list[str]:
    """Return what is drawn of each item: what it shares with others, else the item."""
    return usable_clusters(tiers.items["cluster"]) or [str(i) for i in tiers.items.index]


def _in_order(run: Run, codes: Iterable[str]) -> tuple[str, ...]:
    found = set(codes)
    return tuple(code for code in run.languages if code in found)


def _over_groups(
    run: Run, sides: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64], list[str]]], key: tuple[str, ...]
) -> PairedDifference:
    """Return the mean over groups of first minus second, as a row of a table of differences."""
    if not sides:
        return replace(paired_difference([], []), reason=_NO_GROUP)
    groups = [GroupOfItems(units, first - second) for first, second, units in sides.values()]
    estimate = pooled_mean(groups, level=1 - ALPHA)
    first = float(np.mean([one.mean() for one, _, _ in sides.values()]))
    second = float(np.mean([two.mean() for _, two, _ in sides.values()]))
    return as_difference(estimate, pooled_p(groups, run.rng(*key)), sides=(first, second))


# --- size


def _sizes_of_form(run: Run, form: PromptForm) -> Iterator[SizeRow]:
    known = {m: p for m in run.models if (p := run.manifest.models[m].parameters) is not None}
    unknown = tuple(m for m in run.models if m not in known)
    nothing = SizeRow(None, form, (), (), (), None, None, unknown, paired_difference([], []), None, None, None)
    if len(set(known.values())) < 2:
        reason = "parameters of fewer than two models are known" if len(known) < 2 else "all models are of one size"
        yield replace(nothing, reason=reason)
        return
    most, least = max(known.values()), min(known.values())
    larger, smaller = (tuple(m for m, p in known.items() if p == size) for size in (most, least))
    told = replace(nothing, larger=larger, smaller=smaller, sizes=(most, least))
    sides, levels = {}, []
    for group in (g for g in run.groups if group_tasks(run, g)):
        joined = _joined(run, group, form, (larger, smaller))
        if isinstance(joined, str):
            yield replace(told, group=group, groups=(group,), reason=joined)
            continue
        if joined is None:
            continue
        first, second = (
            (joined[s, "low"] - joined[s, "high"]).to_numpy(dtype=np.float64) for s in ("larger", "smaller")
        )
        clusters = usable_clusters(joined["larger", "cluster"])
        difference = compared(run, first, second, ("size", group, form.value), clusters)
        high = tuple(float(joined[s, "high"].mean()) for s in ("larger", "smaller"))
        yield replace(
            told,
            group=group,
            groups=(group,),
            difference=difference,
            high_scores=(high[0], high[1]),
            reason=difference.reason,
        )
        if group not in run.raw_groups:
            levels.append(high)
            sides[group] = (first, second, clusters or [str(i) for i in joined.index])
    over = _over_groups(run, sides, ("size over groups", form.value))
    means = (float(np.mean([one for one, _ in levels])), float(np.mean([two for _, two in levels]))) if levels else None
    yield replace(told, groups=tuple(sides), difference=over, high_scores=means, reason=over.reason)


def _joined(
    run: Run, group: str, form: PromptForm, models: tuple[tuple[str, ...], tuple[str, ...]]
) -> pd.DataFrame | str | None:
    """Return the tiers of the larger and the smaller models on the items of both, or why there are none."""
    means = []
    for side in models:
        found = [_tiers(run, m, group, form) for m in side]
        if all(tiers is None for tiers in found):
            return None
        why = next((t if isinstance(t, str) else "it was not asked" for t in found if not isinstance(t, _Tiers)), None)
        if why is not None:
            return f"{' or '.join(side)}: {why}"
        mean = _mean_of([t for t in found if isinstance(t, _Tiers)])
        if mean is None:
            return f"{' and '.join(side)} have scores in unlike languages"
        means.append(mean)
    one, other = means
    if (one.low, one.high) != (other.low, other.high):
        return "the larger and the smaller model have scores in unlike languages"
    both = pd.concat({"larger": one.items, "smaller": other.items}, axis=1, join="inner").sort_index()
    return both if len(both) else "no item that both have"
