"""How many items would settle a comparison, and what those that there are can show."""

from __future__ import annotations

import math
from functools import cache
from typing import Literal

from evalsuite.stats import planning
from evalsuite.stats.paired import PairedDifference

__all__ = [
    "POWER",
    "POWER_BOTH",
    "detectable_difference",
    "differing_share",
    "items_for_difference",
    "items_for_margin",
    "items_for_real",
    "needed_items",
]

POWER = 0.8
"""How often what is there is to be shown."""
POWER_BOTH = (1 + POWER) / 2
"""Power of each of two one-sided tests, so that both together have `POWER` at least."""


# Their sums are exact and take a while, and the rows of a table ask for the same ones: shares of a few items are few.
items_for_difference = cache(planning.items_for_difference)
items_for_margin = cache(planning.items_for_margin)
items_for_real = cache(planning.items_for_real)
_minimum_detectable = cache(planning.minimum_detectable)


def needed_items(
    difference: PairedDifference, margin: float | None, alpha: float, *, sides: Literal[1, 2] = 1
) -> int | None:
    """Return the fewest items at which one verdict is likely, if what was seen is the truth.

    Args:
        difference: What was seen.
        margin: Difference that matters, in units of the score.
        alpha: Level of each test: that of the correction's first step.
        sides: Whether only being behind by the margin matters (1), or a difference either way (2).
    """
    seen = difference.difference
    assert seen is not None
    # Of two one-sided tests the nearer one decides, but where nothing was seen both have to hold.
    nearer, power = (seen, POWER) if sides == 1 else (-abs(seen), POWER_BOTH)
    ways: list[int | None] = []
    if (differing := differing_share(difference)) is not None:
        if seen:
            ways.append(items_for_difference(abs(seen), differing, alpha=alpha, power=POWER))
        if margin is not None and nearer > -margin and not _is_farther(ways, differing, nearer, margin, alpha, power):
            ways.append(items_for_margin(margin, differing, true_difference=nearer, alpha=alpha, power=power))
    elif difference.se:
        deviation = difference.se * math.sqrt(difference.n)
        if seen:
            ways.append(items_for_real(deviation, abs(seen), alpha=alpha, power=POWER))
        if margin is not None and nearer > -margin:
            ways.append(items_for_real(deviation, margin + nearer, alpha=alpha, power=power, one_sided=True))
    return min((way for way in ways if way is not None), default=None)


def _is_farther(
    ways: list[int | None], differing: float, nearer: float, margin: float, alpha: float, power: float
) -> bool:
    """Whether the margin takes as many items as a way that is known: one look at the power spares the search."""
    if not ways or ways[0] is None or ways[0] < 2:
        return False
    shares = (differing + nearer) / 2, (differing - nearer) / 2
    return planning.power_non_inferiority(ways[0] - 1, *shares, margin, alpha=alpha) < power


def detectable_difference(difference: PairedDifference, alpha: float) -> float | None:
    """Return the smallest difference that these items show in 80 % of repeats, in units of the score."""
    differing = differing_share(difference)
    return None if differing is None else _minimum_detectable(difference.n, differing, alpha=alpha, power=POWER)


def differing_share(difference: PairedDifference) -> float | None:
    """Return the share of items that only one side got right; none where scores are not 0 or 1, or come in clusters."""
    if difference.only_first is None or difference.only_second is None or difference.clusters is not None:
        return None
    # None of few items is no promise of none: half an item is what is assumed then.
    return max(0.5, difference.only_first + difference.only_second) / difference.n
