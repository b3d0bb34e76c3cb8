"""Differences between two shares of unlike items, which cannot be paired."""

from __future__ import annotations

import math

from evalsuite.stats.intervals import Estimate, wilson_bounds

__all__ = ["newcombe_independent"]


def newcombe_independent(first: tuple[int, int], second: tuple[int, int], *, level: float = 0.95) -> Estimate:
    """Return the first share minus the second, with Newcombe's interval for independent proportions.

    Source: R. G. Newcombe (1998), Interval estimation for the difference between independent proportions, Stat. Med. 17,
    873-890 (method 10, square-and-add, without continuity correction).

    Args:
        first: Right answers, and items.
        second: The same of the other items.
        level: Coverage of the interval.

    Returns:
        The difference, −1 to 1; `n` counts the items of both.

    Raises:
        ValueError: There are more right answers than items, or fewer than none.
    """
    method = "newcombe, independent"
    for right, n in (first, second):
        if not 0 <= right <= n:
            raise ValueError(f"{right} right answers of {n} items: give a number from 0 to {n}")
    total = first[1] + second[1]
    if not first[1] or not second[1]:
        return Estimate(None, None, None, total, method, "one side has no items")
    p1, p2 = first[0] / first[1], second[0] / second[1]
    (low1, high1), (low2, high2) = (wilson_bounds(right, n, level) for right, n in (first, second))
    low = p1 - p2 - math.hypot(p1 - low1, high2 - p2)
    high = p1 - p2 + math.hypot(high1 - p1, p2 - low2)
    return Estimate(p1 - p2, low, high, total, method)
