"""One sample against a limit: is a share, a mean or a quantile shown to lie above it, or below it?"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evalsuite.stats.binomial import at_least, at_most
from evalsuite.stats.clusters import are_clustered, cluster_error, cluster_mean
from evalsuite.stats.intervals import clopper_pearson
from evalsuite.stats.planning import items_for_real
from evalsuite.stats.quantiles import quantile
from evalsuite.stats.search import MOST_ITEMS

__all__ = ["Against", "items_for_share", "items_to_settle", "mean_against", "quantile_against", "share_against"]

_EXACT_ITEMS = 50_000
"""Above, the item count of the normal approximation is taken as it is: it is off by less than a hundredth there."""


@dataclass(frozen=True, slots=True)
class Against:
    """A statistic held against a limit, with both one-sided tests and the bounds that decide as they do.

    `low` is at or above the limit just where `p_above` is at most 1 - confidence, and `high` below it (a quantile's: at
    it) just where `p_below` is.
    """

    n: int
    value: float | None
    low: float | None
    """One-sided lower confidence bound."""
    high: float | None
    """One-sided upper confidence bound."""
    p_above: float | None
    """One-sided p of the hypothesis that the true value is at the limit or below: a small one shows that it is above."""
    p_below: float | None
    """The same of at the limit or above: a small one shows that it is below."""
    method: str
    reason: str | None = None
    """Why there is no test, or no bound."""
    units: int | None = None
    """Independent values, where they are fewer than `n`: clusters."""
    error: float | None = None
    """Standard error that the test divides by; none where the test is exact."""


def share_against(successes: int, n: int, limit: float, *, confidence: float = 0.95) -> Against:
    """Hold a share against a limit, by the exact binomial test.

    Source: C. J. Clopper and E. S. Pearson (1934), Biometrika 26, 404-413; one tail each. The error of either test is at
    most 1 - confidence for every n and limit, which tests from the normal distribution do not promise.

    Args:
        successes: Items that count.
        n: All items.
        limit: What the true share is held against, between 0 and 1.
        confidence: Of each of the two bounds.

    Raises:
        ValueError: `successes` is not between 0 and `n`, the limit not between 0 and 1, or the confidence not between 0.5
            and 1.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} items")
    _check(limit=limit)
    _check_confidence(confidence)
    method = "exact binomial"
    if n == 0:
        return Against(0, None, None, None, None, None, method, "no items")
    bounds = clopper_pearson(successes, n, level=2 * confidence - 1)
    return Against(
        n=n,
        value=successes / n,
        low=bounds.low,
        high=bounds.high,
        p_above=float(at_least(successes, n, limit)),
        p_below=float(at_most(successes, n, limit)),
        method=method,
    )


def mean_against(
    values: Sequence[float] | NDArray[np.float64],
    limit: float,
    *,
    clusters: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> Against:
    """Hold a mean against a limit.

    =============  =========================  ==========================================================
    values         items independent          items in clusters
    =============  =========================  ==========================================================
    all 0 or 1     exact binomial test        score test with the effective number of items and Student's
                                              t; the exact binomial test of clusters where all are alike
    others         Student's t                t with the clusters' standard error
    =============  =========================  ==========================================================

    Sources: `share_against`, `cluster_mean` (whose interval decides as the score test does) and `cluster_error`.

    Args:
        values: One score per item.
        limit: What the true mean is held against.
        clusters: What each item shares with others, in the same order; none where items are independent.
        confidence: Of each of the two bounds, above 0.5.

    Raises:
        ValueError: Values and clusters differ in length, a value is no number, or `confidence` is not between 0.5 and 1.
    """
    from scipy.special import stdtr

    _check_confidence(confidence)
    data = np.asarray(values, dtype=np.float64)
    if not np.isfinite(data).all():
        raise ValueError("a value is no finite number: leave out items without a score")
    n = int(data.size)
    shared = clusters if clusters is not None and are_clustered(clusters, n) else None
    binary = bool(np.isin(data, (0.0, 1.0)).all()) and 0 < limit < 1
    if n == 0 or (binary and shared is None):
        return share_against(int(data.sum()), n, limit, confidence=confidence)
    keys: Sequence[Hashable] = range(n) if shared is None else shared
    found = cluster_error(data, keys)
    units = found.clusters if shared is not None else None
    method = "t" if shared is None else "score test of clusters" if binary else "t of clusters"
    if found.se is None:
        return Against(
            n, found.mean, None, None, None, None, method, "one item, or items of one cluster: no test", units
        )
    if binary and found.mean in (0.0, 1.0):
        alike = share_against(round(found.mean) * found.clusters, found.clusters, limit, confidence=confidence)
        return replace(alike, n=n, units=units, method="exact binomial of clusters")
    if binary:
        items = found.mean * (1 - found.mean) / found.se**2 if found.se else float(found.clusters)
        error = math.sqrt(limit * (1 - limit) / items)
        bounds = cluster_mean(data, keys, level=2 * confidence - 1)
        low, high = bounds.low, bounds.high
    elif found.se == 0:
        return Against(n, found.mean, None, None, None, None, method, "all items score the same: no test", units)
    else:
        error = found.se
        half = found.quantile(2 * confidence - 1) * error
        low, high = found.mean - half, found.mean + half
    t = (found.mean - limit) / error
    above, below = float(stdtr(found.df, -t)), float(stdtr(found.df, t))
    return Against(n, found.mean, low, high, above, below, method, None, units, error)


def quantile_against(
    values: Sequence[float] | NDArray[np.float64], q: float, limit: float, *, confidence: float = 0.95
) -> Against:
    """Hold a quantile against a limit, whatever the distribution is.

    The true quantile is at most the limit just where at least a share q of all values is: an exact binomial test of the
    number of values up to the limit, whose bounds are order statistics (H. A. David and H. N. Nagaraja (2003), Order
    Statistics, 3rd ed., section 7.1). So p95 is shown to be at most the limit by 59 values that all are, with confidence
    95 %, and by no fewer.

    Args:
        values: One number per repeat; the limit is in their unit.
        q: Which quantile, between 0 and 1.
        limit: What the true quantile is held against.
        confidence: Of each of the two bounds.

    Raises:
        ValueError: `q` is not between 0 and 1, the confidence not between 0.5 and 1, or a value is no finite number.
    """
    _check(q=q)
    _check_confidence(confidence)
    point = quantile(values, q)
    data = np.sort(np.asarray(values, dtype=np.float64))
    n, method, alpha = int(data.size), "order statistics", 1 - confidence
    if n == 0:
        return Against(0, None, None, None, None, None, method, "no values")
    within = int(np.searchsorted(data, limit, side="right"))
    ranks = np.arange(1, n + 1)
    lows = np.flatnonzero(at_most(ranks - 1, n, q) <= alpha)
    highs = np.flatnonzero(at_least(ranks, n, q) <= alpha)
    return Against(
        n=n,
        value=point.value,
        low=float(data[lows[-1]]) if lows.size else None,
        high=float(data[highs[0]]) if highs.size else None,
        p_above=float(at_most(within, n, q)),
        p_below=float(at_least(within, n, q)),
        method=method,
        reason=point.reason if point.value is None else None,
    )


def items_for_share(share: float, limit: float, *, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """Return from how many items on the exact binomial test shows that a share is on its side of a limit.

    It is the last item count whose power falls short, and one more: with whole counts, power rises in a saw-tooth.

    Args:
        share: The true share, above the limit or below it.
        limit: What it is held against, between 0 and 1.
        alpha: Level of the one-sided test.
        power: Least probability that the test shows it.

    Returns:
        The number of items; none where share and limit are equal, or more than a million would be needed.

    Raises:
        ValueError: The share is outside 0 to 1; limit, alpha or power is not between 0 and 1.
    """
    from scipy import stats

    _check(limit=limit, alpha=alpha, power=power)
    if not 0 <= share <= 1:
        raise ValueError(f"share {share} is outside 0 to 1")
    if share < limit:
        share, limit = 1 - share, 1 - limit
    if math.isclose(share, limit):
        return None
    # The usual normal approximation says how far to look (J. L. Fleiss (1981), Statistical Methods, 2nd ed., section 1.3).
    at_limit, at_share = math.sqrt(limit * (1 - limit)), math.sqrt(share * (1 - share))
    rough = float(((stats.norm.ppf(1 - alpha) * at_limit + stats.norm.ppf(power) * at_share) / (share - limit)) ** 2)
    if rough > MOST_ITEMS:
        return None
    if rough > _EXACT_ITEMS:
        return math.ceil(rough)
    most = 2 * math.ceil(rough) + 50 + math.ceil(math.log(alpha) / math.log(limit))
    n = np.arange(1, most + 1)
    critical = stats.binom.isf(alpha, n, limit) + 1
    short = np.flatnonzero(stats.binom.sf(critical - 1, n, share) < power)
    return int(n[short[-1]]) + 1 if short.size else 1


def items_to_settle(found: Against, limit: float, *, confidence: float = 0.95, power: float = 0.8) -> int | None:
    """Return how many items would probably show on which side of the limit the true value is, if it is what was seen.

    For exact tests by `items_for_share`; for others by `items_for_real`, with the error of these items. Items of clusters
    are counted as if more of them came in clusters of the same size.

    Args:
        found: From `share_against` or `mean_against`.
        limit: The limit that it was held against.
        confidence: Of the one-sided test.
        power: Probability of showing it.

    Returns:
        The number; none where the value is the limit, is not known, or more than a million items would be needed.
    """
    if found.value is None or found.p_above is None:
        return None
    alpha = 1 - confidence
    if found.error is None:
        needed = items_for_share(found.value, limit, alpha=alpha, power=power)
        return None if needed is None else math.ceil(needed * found.n / (found.units or found.n))
    if math.isclose(found.value, limit):
        return None
    per_item = found.error * math.sqrt(found.n)
    return items_for_real(per_item, abs(found.value - limit), alpha=alpha, power=power, one_sided=True)


def _check(**shares: float) -> None:
    for name, value in shares.items():
        if not 0 < value < 1:
            raise ValueError(f"{name} {value} is not between 0 and 1")


def _check_confidence(confidence: float) -> None:
    # At one half or less, the two bounds would change places.
    if not 0.5 < confidence < 1:
        raise ValueError(f"confidence {confidence} is not between 0.5 and 1")
