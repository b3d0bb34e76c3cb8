"""Resampling of items within categories, for designs that fix how many items each category has."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from evalsuite.stats.estimate import Estimate

__all__ = ["drawn_interval", "resampled_rows", "stratified_weights"]

_DIGITS = 6
"""Single precision moves a sample by some 1e-7: what differs by less than these digits is alike."""


def stratified_weights(
    strata: Sequence[Hashable] | NDArray[np.intp], rng: np.random.Generator, resamples: int, *, collapse: bool = True
) -> NDArray[np.float64]:
    """Return how much each item counts in each bootstrap sample that is drawn within strata.

    Of the m items of a stratum, m − 1 are drawn with replacement and count m / (m − 1) each, so that a stratum keeps
    its size. To draw m of them would make the variance too small by (m − 1) / m, a quarter with four items. Source:
    P. J. McCarthy and C. B. Snowden (1985), The Bootstrap and Finite Population Sampling, Vital and Health Statistics
    2 (95); J. N. K. Rao and C. F. J. Wu (1988), J. Am. Stat. Assoc. 83, 231-241.

    Strata of one item are taken together as one stratum, which errs on the side of too wide an interval (collapsed
    strata: W. G. Cochran (1977), Sampling Techniques, 3rd ed., section 5A.12). If there is only one such item, it is
    always drawn: what it adds to the uncertainty cannot be known.

    Args:
        strata: Stratum of each item.
        rng: Source of randomness.
        resamples: Number of bootstrap samples.
        collapse: Whether strata of one item are taken together; else each is always drawn.

    Returns:
        Samples × items.
    """
    weights = np.ones((resamples, len(strata)))
    members: dict[Hashable, list[int]] = {}
    for i, stratum in enumerate(strata):
        members.setdefault(stratum, []).append(i)
    alone = [inside[0] for inside in members.values() if len(inside) == 1]
    for inside in (*members.values(), *([alone] if collapse else [])):
        m = len(inside)
        if m > 1:
            # A count of places that are drawn one by one; a multinomial draw takes ten times as long.
            places = rng.integers(0, m, size=(resamples, m - 1)) + m * np.arange(resamples)[:, None]
            drawn = np.bincount(places.ravel(), minlength=resamples * m).reshape(resamples, m)
            weights[:, inside] = drawn * (m / (m - 1))
    return weights


def resampled_rows(counts: NDArray[np.intp], rng: np.random.Generator, resamples: int) -> list[NDArray[np.float64]]:
    """Return the rows of a table of counts as they are in bootstrap samples drawn within rows.

    The same as `stratified_weights` for items that differ in nothing but their column, where strata of one item are not
    collapsed.

    Args:
        counts: Strata × outcomes.
        rng: Source of randomness.
        resamples: Number of bootstrap samples.

    Returns:
        For each stratum, samples × outcomes.
    """
    found: list[NDArray[np.float64]] = []
    for row in counts:
        m = int(row.sum())
        if m > 1:
            # Outcomes that did not come up are never drawn, and of many categories most are such. The one after the
            # last that did is kept: without it other random numbers would be taken.
            seen = np.flatnonzero(row)
            seen = np.append(seen, seen[-1] + 1) if seen[-1] + 1 < len(row) else seen
            drawn = np.zeros((resamples, len(row)))
            drawn[:, seen] = rng.multinomial(m - 1, row[seen] / m, size=resamples) * (m / (m - 1))
            found.append(drawn)
        else:
            found.append(np.repeat(row[None, :].astype(np.float64), resamples, axis=0))
    return found


def drawn_interval(
    value: float | None, drawn: NDArray[np.float64], n: int, *, level: float = 0.95, lacking: str = "no items"
) -> Estimate:
    """Return a value with the percentile interval of its bootstrap samples, or why there is none.

    Args:
        value: The value of the sample itself; none where there is none.
        drawn: The values of the bootstrap samples; NaN where a sample has none. They may be of single precision.
        n: Number of items.
        level: Coverage of the interval.
        lacking: Why there is no value, where there is none.
    """
    method = "bootstrap within categories"
    if value is None or np.isnan(value):
        return Estimate(None, None, None, n, method, lacking)
    known = np.round(drawn[~np.isnan(drawn)], _DIGITS)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2]) if known.size else (np.nan, np.nan)
    if not high - low > 1e-12:
        reason = "all resamples are alike, so that a bootstrap has no width"
        return Estimate(float(value), None, None, n, method, reason)
    # Rounding must not put the value beside its own interval.
    return Estimate(float(value), float(min(low, value)), float(max(high, value)), n, method)
