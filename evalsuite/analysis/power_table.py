"""What a number of items can show: for each comparison of a run, and for a run that is only planned."""

from __future__ import annotations

import math
from dataclasses import dataclass

from evalsuite.analysis.compare_rows import Comparison, PairRow
from evalsuite.analysis.rows import ALPHA
from evalsuite.analysis.settling import (
    POWER,
    POWER_BOTH,
    differing_share,
    items_for_difference,
    items_for_margin,
    items_for_real,
)
from evalsuite.errors import InputError
from evalsuite.stats.intervals import wilson_bounds
from evalsuite.stats.paired import newcombe_paired
from evalsuite.stats.planning import minimum_detectable, power_non_inferiority

__all__ = ["PowerPlan", "PowerRow", "plan_power", "power_rows"]


@dataclass(frozen=True, slots=True)
class PowerRow:
    """What the items of one comparison can show, at the level of the correction's first step."""

    row: PairRow
    differing: float | None
    """Share of items that only one side got right; none where scores are not 0 or 1, or items come in clusters."""
    half_width: float | None
    """Of the 95 % interval, in units of the score."""
    detectable: float | None
    """Smallest difference that these items show in 80 % of repeats, in units of the score."""
    items_to_show: int | None
    """Items that show a difference as large as the margin."""
    items_to_rule_out: int | None
    """Items that show that there is none as large as the margin, if there is none at all."""
    reason: str | None
    """Why something is missing."""


@dataclass(frozen=True, slots=True)
class PowerPlan:
    """What a planned number of items can show; shares are 0 to 1."""

    items: int
    score: float
    differing: float
    margin: float
    comparisons: int
    alpha: float
    """Level of one test: 0.05 divided by the comparisons."""
    score_low: float
    score_high: float
    """95 % interval of the score itself."""
    difference_low: float
    difference_high: float
    """95 % interval of a difference, if there is none."""
    detectable: float | None
    """Smallest difference that is shown in 80 % of repeats."""
    power_to_rule_out: float
    """How often these items show that there is no difference as large as the margin, if there is none."""
    items_to_show: int | None
    items_to_rule_out: int | None


def power_rows(comparison: Comparison) -> tuple[PowerRow, ...]:
    """Return what the items of each comparison of scores can show.

    Numbers of items are for the level 0.05 divided by the number of tests of the comparison: the first step of Holm's
    correction, and so rather too many than too few.

    Args:
        comparison: From `compare`.
    """
    alpha = ALPHA / max(1, comparison.pairs_family.size)
    return tuple(_row(row, alpha, comparison.sides) for row in comparison.pairs)


def plan_power(items: int, score: float, differing: float, margin: float, comparisons: int = 1) -> PowerPlan:
    """Return what a number of items can show.

    Args:
        items: Items that both sides are asked.
        score: Share of them that is expected to be right.
        differing: Share of them that only one side is expected to get right, either side.
        margin: Difference that matters.
        comparisons: Tests that are corrected together.

    Raises:
        InputError: So many items cannot differ at such a score.
    """
    most = 2 * min(score, 1 - score)
    if differing > most + 1e-9:
        raise InputError(
            f"--differing {100 * differing:g}% cannot be at a score of {100 * score:g}%: at most {100 * most:g}% of the items "
            "can be right on one side only while both sides score alike",
            fix="lower --differing, or give a score nearer to 50%",
        )
    if margin > differing:
        raise InputError(
            f"a margin of {100 * margin:g}% is more than the {100 * differing:g}% of items that differ at all",
            fix="lower --margin, or raise --differing",
        )
    alpha = ALPHA / comparisons
    right, one = round(items * score), round(items * differing / 2)
    both = max(0, min(right, items) - one)
    low, high = newcombe_paired(both, one, one, max(0, items - both - 2 * one), level=1 - ALPHA)
    score_low, score_high = wilson_bounds(right, items, 1 - ALPHA)
    return PowerPlan(
        items=items,
        score=score,
        differing=differing,
        margin=margin,
        comparisons=comparisons,
        alpha=alpha,
        score_low=score_low,
        score_high=score_high,
        difference_low=low,
        difference_high=high,
        detectable=minimum_detectable(items, differing, alpha=alpha, power=POWER),
        power_to_rule_out=power_non_inferiority(items, differing / 2, differing / 2, margin, alpha=alpha),
        items_to_show=items_for_difference(margin, differing, alpha=alpha, power=POWER),
        items_to_rule_out=items_for_margin(margin, differing, alpha=alpha, power=POWER),
    )


def _row(row: PairRow, alpha: float, sides: int) -> PowerRow:
    d, margin = row.difference, row.margin
    half = None if d.low is None or d.high is None else (d.high - d.low) / 2
    power = POWER if sides == 1 else POWER_BOTH
    differing = differing_share(d)
    show: int | None = None
    rule_out: int | None = None
    if d.difference is None or row.verdict is None:
        return PowerRow(row, None, half, None, None, None, row.reason or "not compared")
    if margin is None:
        reason: str | None = "scores are no shares, so there is no margin"
    elif differing is not None:
        # A difference cannot be larger than the share of items that differ: more would have to, for it to be there.
        show = items_for_difference(margin, max(differing, margin), alpha=alpha, power=POWER)
        rule_out = items_for_margin(margin, differing, alpha=alpha, power=power)
        reason = None
    elif d.se:
        deviation = d.se * math.sqrt(d.n)
        show = items_for_real(deviation, margin, alpha=alpha, power=POWER)
        rule_out = items_for_real(deviation, margin, alpha=alpha, power=power, one_sided=True)
        reason = None
    else:
        reason = "the spread of the items' differences is not known"
    return PowerRow(row, differing, half, row.detectable, show, rule_out, reason)
