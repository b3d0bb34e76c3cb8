"""Two sides on the same items, and what their comparison shows: one way for models, prompts, devices and quantisations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from evalsuite.analysis.compare_rows import Effect, PairRow
from evalsuite.analysis.gap_table import margin_of, verdict_of
from evalsuite.analysis.load import Run
from evalsuite.analysis.paired_items import SCORES, Paired, pair, scored_items
from evalsuite.analysis.rows import ALPHA, Scale, Verdict
from evalsuite.analysis.score_table import scale_of, why_no_items
from evalsuite.analysis.settling import detectable_difference, needed_items
from evalsuite.records import PromptForm
from evalsuite.stats.corrections import holm
from evalsuite.stats.equivalence import non_inferiority_p, tost_p
from evalsuite.stats.intervals import Estimate, wilson
from evalsuite.stats.paired import PairedDifference, paired_difference

__all__ = ["Pairing", "Side", "effect_of", "pair_sides", "settle"]


@dataclass(frozen=True, eq=False)
class Side:
    """One cell of a run."""

    run: Run
    label: str
    """Of the run; empty where there is but one."""
    model: str
    task: str
    form: PromptForm

    @property
    def name(self) -> str:
        """The model, with its run where there are two."""
        return f"{self.model} ({self.label})" if self.label else self.model


@dataclass(frozen=True, eq=False)
class Pairing:
    """Two sides before what depends on all the others."""

    group: str
    task: str | None
    language: str | None
    model: str | None
    form: PromptForm | None
    metric: str
    first: str
    second: str
    runs: tuple[str, str]
    scale: Scale
    margin: float | None
    run: Run
    """Whose seed is used."""
    paired: Paired | None
    reason: str | None = None
    agreement: Estimate | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """What is compared, so that no two comparisons share their random numbers."""
        about = (self.group, self.task, self.language, self.model, self.form)
        return ("compare", *(part or "" for part in about), self.first, self.second)


def pair_sides(
    first: Side,
    second: Side,
    names: tuple[str, str],
    *,
    margin: float | None,
    model: str | None,
    form: PromptForm | None,
) -> Pairing:
    """Return two cells of one task on the items that both have a score of.

    Args:
        first: One side.
        second: The other side, of the same task; it may be of another run.
        names: What to call the two.
        margin: Difference that matters, as a share of items; by default that of the first run.
        model: The model, where both sides have the same.
        form: The prompt form, where both sides have the same.
    """
    task = first.run.manifest.tasks[first.task]
    group = first.run.group_of(first.task)
    frames = [scored_items(side.run, side.model, side.task, side.form, SCORES) for side in (first, second)]
    paired, reason = None, None
    if frames[0] is None or frames[1] is None:
        told = [
            f"no scores of {side.name} ({why_no_items(side.run, side.model, side.task, side.form)})"
            for side, frame in zip((first, second), frames, strict=True)
            if frame is None
        ]
        reason = "; ".join(told)
    else:
        paired = pair(frames[0], frames[1])
        if paired is None:
            reason = f"item ids of {first.task} are not unique, so items cannot be paired"
    raw = Scale.RAW in (scale_of(first.run, group), scale_of(second.run, group))
    return Pairing(
        group=group,
        task=first.task,
        language=task.language,
        model=model,
        form=form,
        metric=task.primary_metric,
        first=names[0],
        second=names[1],
        runs=(first.label, second.label),
        scale=Scale.RAW if raw else Scale.SHARE,
        margin=None if raw else margin_of(first.run, group, margin),
        run=first.run,
        paired=paired,
        reason=reason,
        agreement=_agreement(first, second) if model is not None and form is not None and paired is not None else None,
    )


def settle(found: Sequence[Pairing], *, sides: Literal[1, 2]) -> tuple[PairRow, ...]:
    """Return pairings with their differences, corrected by Holm over all of them, and what each of them shows.

    Args:
        found: The pairings of one table.
        sides: Against which differences the margin is tested: 1, that the first is behind by as much (non-inferiority);
            2, that it is behind or ahead by as much (equivalence, two one-sided tests).
    """
    differences = [_difference(one) for one in found]
    nearness = [_p_margin(one, d, sides) for one, d in zip(found, differences, strict=True)]
    corrected, within = holm([d.p for d in differences]), holm(nearness)
    alpha = ALPHA / max(1, sum(p is not None for p in corrected))
    return tuple(
        _row(one, d, (p, q), alpha, sides) for one, d, p, q in zip(found, differences, corrected, within, strict=True)
    )


def effect_of(difference: PairedDifference) -> Effect | None:
    """Return how large a difference is, free of its unit; none where there is no difference."""
    odds = difference.odds
    if odds is not None:
        return Effect("odds ratio", odds.value, odds.low, odds.high, odds.reason)
    if difference.difference is None or difference.se is None or difference.clusters is not None:
        return None
    spread = difference.se * math.sqrt(difference.n)
    if not spread:
        return Effect("d_z", None, reason="all items differ by the same")
    return Effect("d_z", difference.difference / spread)


def _difference(one: Pairing) -> PairedDifference:
    if one.paired is None:
        return replace(paired_difference([], []), reason=one.reason)
    return one.paired.difference(one.run.rng(*one.key))


def _p_margin(one: Pairing, difference: PairedDifference, sides: Literal[1, 2]) -> float | None:
    if one.paired is None or one.margin is None or not difference.n:
        return None
    test = non_inferiority_p if sides == 1 else tost_p
    return test(one.paired.first, one.paired.second, one.margin, clusters=one.paired.clusters)


def _row(
    one: Pairing,
    difference: PairedDifference,
    p_values: tuple[float | None, float | None],
    alpha: float,
    sides: Literal[1, 2],
) -> PairRow:
    p, p_margin = p_values
    verdict = verdict_of(difference, p, p_margin)
    return PairRow(
        group=one.group,
        task=one.task,
        language=one.language,
        model=one.model,
        form=one.form,
        metric=one.metric,
        first=one.first,
        second=one.second,
        first_run=one.runs[0],
        second_run=one.runs[1],
        difference=difference,
        scale=one.scale,
        effect=effect_of(difference),
        agreement=one.agreement,
        p_holm=p,
        margin=one.margin,
        p_margin=p_margin,
        verdict=verdict,
        reason=one.reason or difference.reason,
        needed=needed_items(difference, one.margin, alpha, sides=sides) if verdict is Verdict.INCONCLUSIVE else None,
        detectable=detectable_difference(difference, alpha) if verdict is not None else None,
    )


def _agreement(first: Side, second: Side) -> Estimate:
    """Return the share of items with the same choice on both sides."""
    picked = []
    for side in (first, second):
        result = side.run.result(side.model, side.task, side.form)
        frame = side.run.frames[result.cell.id] if result else None
        assert frame is not None  # both have scores
        picked.append(frame.loc[frame["prediction"].notna()].set_index("item_id")["prediction"])
    shared = picked[0].index.intersection(picked[1].index)
    if not len(shared):
        return Estimate(None, None, None, 0, "wilson", "no item has a choice on both sides")
    same = np.asarray(picked[0].loc[shared]) == np.asarray(picked[1].loc[shared])
    return wilson(int(same.sum()), len(shared), level=1 - ALPHA)
