"""Looks for the least number of items that is enough, where enough may come and go as a saw."""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["MOST_ITEMS", "least_items", "near_items", "saw_until"]

MOST_ITEMS = 1_000_000
"""No plan asks for more: beyond it the answer is none."""

_FINE = 3.0
"""Standard deviation of the items that differ from which on the saw of a power is below 0.3 points, and not looked for."""


def near_items(distance: float, discordant: float, tail: float, power: float) -> int:
    """Return about how many items a paired test of shares needs, by the normal distribution: where to begin to look."""
    from statistics import NormalDist

    normal = NormalDist()
    variance = max(discordant - distance**2, discordant / 100)
    found = (normal.inv_cdf(1 - tail) + max(0.0, normal.inv_cdf(power))) ** 2 * variance / distance**2
    return math.ceil(min(found, MOST_ITEMS))


def saw_until(discordant: float) -> float:
    """Return the number of items from which on the saw of a power is too fine to look for."""
    return _FINE**2 / (discordant * (1 - discordant)) if discordant < 1 else math.inf


def least_items(
    enough: Callable[[int], bool], *, first: int = 1, near: int = 1, looked_for: float = math.inf
) -> int | None:
    """Return the least number of items from which on there are enough; none above the most.

    Counts are whole, so that power is a saw: a number may be enough and the next one not. Past a number that is enough
    the next ones are looked at too, a twentieth as many again up to 50.

    Args:
        enough: Whether a number of items is enough.
        first: The least number that may be asked about.
        near: A number near the one that is looked for, where one is known.
        looked_for: From this number on the saw is too fine to look for: the next numbers may fall short by a little.
    """
    low, high = first - 1, min(max(first, near), MOST_ITEMS)
    step = max(1, high // 16)
    if enough(high):
        while high > first and enough(lower := max(first, high - step)):
            high, step = lower, 2 * step
        low = max(first - 1, high - step)
    else:
        while not enough(high):
            if high >= MOST_ITEMS:
                return None
            low, high, step = high, min(high + step, MOST_ITEMS), 2 * step
    while True:
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
        if high >= looked_for:
            return high
        end = min(high + max(2, min(50, high // 20)), MOST_ITEMS)
        short = next((n for n in range(end, high, -1) if not enough(n)), None)
        if short is None:
            return high
        if short >= MOST_ITEMS:
            return None
        low, high = short, short + 1
