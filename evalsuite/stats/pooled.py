"""Differences over several groups of items that count alike, where groups may share their items."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.stats.clusters import cluster_error
from evalsuite.stats.estimate import Estimate
from evalsuite.stats.signflip import sign_flip_p

__all__ = ["GroupOfItems", "pooled_mean", "pooled_p"]

_METHOD = "t, groups"


@dataclass(frozen=True, slots=True, eq=False)
class GroupOfItems:
    """The differences of one group."""

    units: Sequence[Hashable]
    """What is sampled: the item, or what it shares with others; n."""
    values: NDArray[np.float64]
    """Difference of each item; n."""


def pooled_mean(groups: Sequence[GroupOfItems], *, level: float = 0.95) -> Estimate:
    """Return the mean difference over groups, each with the same weight however many items it has.

    Groups are taken as fixed: the interval is about other items in the same groups. The mean is that of a stratified
    sample with equal weights (W. G. Cochran (1977), Sampling Techniques, 3rd ed., sections 5.3 and 5.4), each group's
    error that of `cluster_error`. Groups that have units in common are no independent samples: a unit adds to the mean
    the sum of its deviations from its groups' means, each divided by the number of groups and of items in its group, and
    the variance of these groups together is the sum of the squares of what their m units add, times m / (m - 1)
    (section 9A.2, clusters of unequal size). Student's t has the degrees of freedom of F. E. Satterthwaite (1946),
    Biometrics Bull. 2, 110-114.

    Args:
        groups: Groups, each with an item or more.
        level: Coverage of the interval.

    Returns:
        The mean; `n` counts items.

    Raises:
        ValueError: A group has no items, or not one unit for each value.
    """
    _check(groups)
    if not groups:
        return Estimate(None, None, None, 0, _METHOD, "no groups")
    n = sum(int(group.values.size) for group in groups)
    value = float(np.mean([group.values.mean() for group in groups]))
    variances = [_variance(part, len(groups)) for part in _linked(groups)]
    known = [one for one in variances if one is not None]
    if len(known) < len(variances):
        return Estimate(value, None, None, n, _METHOD, "a group whose items are one unit has no interval")
    half = _half(known, level)
    if not half > 1e-12:
        lacking = "all items of a group differ by the same, so that the interval has no width"
        return Estimate(value, None, None, n, _METHOD, lacking)
    return Estimate(value, value - half, value + half, n, _METHOD)


def pooled_p(groups: Sequence[GroupOfItems], rng: np.random.Generator) -> float:
    """Return the two-sided p-value of no difference over groups that count alike.

    If the groups have no difference, what a unit adds to their mean is as likely with the other sign (E. J. G. Pitman
    (1937), J. R. Stat. Soc. Suppl. 4, 119-130; `sign_flip_p`).

    Args:
        groups: One or more groups, each with an item or more.
        rng: Source of randomness.

    Raises:
        ValueError: There are no groups; one has no items, or not one unit for each value.
    """
    _check(groups)
    return sign_flip_p(_added(groups, len(groups), centred=False), rng)


def _check(groups: Sequence[GroupOfItems]) -> None:
    if any(not group.values.size or len(group.units) != group.values.size for group in groups):
        raise ValueError("each group needs items, and a unit for each")


def _variance(groups: Sequence[GroupOfItems], count: int) -> tuple[float, float] | None:
    """Return what linked groups add to the variance of the mean over `count` groups, and its degrees of freedom."""
    if len(groups) == 1:
        found = cluster_error(groups[0].values, groups[0].units)
        return None if found.se is None else ((found.se / count) ** 2, found.df)
    added = _added(groups, count, centred=True)
    m = int(added.size)
    return None if m == 1 else (m / (m - 1) * float(added @ added), m - 1.0)


def _half(variances: Sequence[tuple[float, float]], level: float) -> float:
    """Return half of the interval from independent variances and their degrees of freedom."""
    from scipy.special import stdtrit

    whole = sum(variance for variance, _ in variances)
    if not whole > 0:
        return 0.0
    df = whole**2 / sum(variance**2 / freedom for variance, freedom in variances)
    return float(stdtrit(df, (1 + level) / 2)) * math.sqrt(whole)


def _added(groups: Sequence[GroupOfItems], count: int, *, centred: bool) -> NDArray[np.float64]:
    """Return what each unit adds to the mean over `count` groups, or to its deviation."""
    found: dict[Hashable, float] = {}
    for group in groups:
        base = float(group.values.mean()) if centred else 0.0
        for unit, value in zip(group.units, group.values, strict=True):
            found[unit] = found.get(unit, 0.0) + (float(value) - base) / (count * group.values.size)
    return np.array(list(found.values()))


def _linked(groups: Sequence[GroupOfItems]) -> list[list[GroupOfItems]]:
    """Return the groups in parts, such that groups of unlike parts have no unit in common."""
    parts: list[tuple[set[Hashable], list[GroupOfItems]]] = []
    for group in groups:
        units, members = set(group.units), [group]
        apart = []
        for known, inside in parts:
            if known & units:
                units, members = units | known, [*inside, *members]
            else:
                apart.append((known, inside))
        parts = [*apart, (units, members)]
    return [members for _, members in parts]
