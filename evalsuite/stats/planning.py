"""How many items a comparison needs, and what a number of items can show."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from evalsuite.stats.binomial import at_least, at_most
from evalsuite.stats.intervals import wilson_bounds
from evalsuite.stats.search import MOST_ITEMS, least_items, near_items, saw_until
from evalsuite.stats.tango import tango_statistics, tango_z

__all__ = [
    "MOST_ITEMS",
    "items_for_difference",
    "items_for_margin",
    "items_for_real",
    "items_for_width",
    "minimum_detectable",
    "power_mcnemar",
    "power_non_inferiority",
]


_RARE = 7.0
"""Standard deviations from the mean beyond which a count is not looked at: their chance is below 1e-11."""
_FAR = 30.0
"""Noncentrality beyond which the t distribution is not computed: found where it is above the critical value."""
_BLOCK = 256
"""Counts that are computed together, and kept."""


def power_mcnemar(n: int, only_first: float, only_second: float, *, alpha: float = 0.05) -> float:
    """Return how often the exact two-sided McNemar test is significant.

    Unconditional: the number of items that differ is binomial (n, only_first + only_second), and given it the number that
    the first won is binomial too; both are summed exactly. Source: S. W. Duffy (1984), Biometrics 40, 1005-1015.

    Args:
        n: Items.
        only_first: Share of all items that only the first gets right, 0 to 1.
        only_second: Share of all items that only the second gets right.
        alpha: Level of the test.

    Raises:
        ValueError: A share, the level or the number of items is impossible.
    """
    _check(n, only_first, only_second, alpha)
    discordant = only_first + only_second
    if discordant == 0:
        return 0.0
    counts, chance = _likely_counts(n, discordant)
    first, last = int(counts[0]), int(counts[-1])
    # Whether it is significant depends on the items that differ alone, so that the same parts serve all numbers of items.
    parts = [_rejected(block, only_first / discordant, alpha) for block in range(first // _BLOCK, last // _BLOCK + 1)]
    start = first % _BLOCK
    power = float(chance @ np.concatenate(parts)[start : start + len(counts)])
    return min(1.0, power)


def minimum_detectable(n: int, discordant: float, *, alpha: float = 0.05, power: float = 0.8) -> float | None:
    """Return the smallest difference that the exact McNemar test finds with a given power.

    Args:
        n: Items.
        discordant: Share of items that only one side gets right, either side; above 0.
        alpha: Level of the test, two-sided.
        power: How often it is to be found.

    Returns:
        The difference, in share units (0.05 is five points of accuracy); none where even the largest possible one, all
        that differ won by one side, is found less often.

    Raises:
        ValueError: An argument is out of its range.
    """
    from scipy.optimize import brentq

    _check_discordant(discordant)
    _check_power(power)

    def found(difference: float) -> float:
        return power_mcnemar(n, (discordant + difference) / 2, (discordant - difference) / 2, alpha=alpha)

    if found(discordant) < power:
        return None
    root = 0.0
    if found(root) < power:
        root = float(brentq(lambda difference: found(difference) - power, 0.0, discordant, xtol=1e-9))
    # Upwards on a grid of a millionth or finer, so that how the root was found does not show.
    steps = 2.0 ** max(0, math.ceil(math.log2(discordant / 1e-6)))
    return min(discordant, discordant * max(1, math.ceil(root / discordant * steps)) / steps)


def items_for_difference(
    difference: float, discordant: float, *, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """Return how many items the exact McNemar test needs to find a difference with a given power.

    Args:
        difference: Share of the first minus share of the second; not 0.
        discordant: Share of items that only one side gets right; at least as large as the difference.
        alpha: Level of the test, two-sided.
        power: How often it is to be found.

    Returns:
        The least number from which on the power is reached (`search.least_items` says how exactly), none above a million.

    Raises:
        ValueError: An argument is out of its range.
    """
    _check_discordant(discordant)
    _check_power(power)
    size = abs(difference)
    if not 0 < size <= discordant:
        raise ValueError(f"a difference of {difference} is not between 0 and the share that differs, {discordant}")
    shares = (discordant + size) / 2, (discordant - size) / 2
    return least_items(
        lambda n: power_mcnemar(n, *shares, alpha=alpha) >= power,
        near=near_items(size, discordant, alpha / 2, power),
        looked_for=saw_until(discordant),
    )


def power_non_inferiority(
    n: int, only_first: float, only_second: float, margin: float, *, alpha: float = 0.05
) -> float:
    """Return how often Tango's one-sided test shows that the first is less than the margin worse.

    Exact: the sum over the number of items that differ of the binomial chance that the first won enough of them.

    Args:
        n: Items.
        only_first: Share of all items that only the first gets right, 0 to 1.
        only_second: Share of all items that only the second gets right.
        margin: The loss that would matter, between 0 and 1.
        alpha: Level of the test, one-sided.

    Raises:
        ValueError: A share, the level, the margin or the number of items is impossible.
    """
    from statistics import NormalDist

    _check(n, only_first, only_second, alpha)
    _check_margin(margin)
    critical = NormalDist().inv_cdf(1 - alpha)
    discordant = only_first + only_second
    if discordant == 0:
        return float(tango_z(0, 0, n, -margin) >= critical)
    counts, chance = _likely_counts(n, discordant)
    high = _least_wins(counts, n, margin, critical)
    return float(min(1.0, (chance * at_least(high, counts, only_first / discordant)).sum()))


def items_for_margin(
    margin: float, discordant: float, *, true_difference: float = 0.0, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """Return how many items Tango's test needs to show that the first is less than the margin worse.

    The number is found by the exact power (`power_non_inferiority`).

    Args:
        margin: The loss that would matter, between 0 and 1.
        discordant: Share of items that only one side gets right, either side; at least as large as the true difference.
        true_difference: What is in truth the share of the first minus the share of the second; above -margin.
        alpha: Level of the test, one-sided.
        power: How often it is to be shown.

    Returns:
        The least number from which on the power is reached (`search.least_items` says how exactly), none above a million.

    Raises:
        ValueError: An argument is out of its range.
    """
    _check_margin(margin)
    _check_discordant(discordant)
    _check_power(power)
    if not -margin < true_difference <= discordant or abs(true_difference) > discordant:
        raise ValueError(
            f"a true difference of {true_difference} is not above -{margin}, or larger than the share that differs, "
            f"{discordant}"
        )
    shares = (discordant + true_difference) / 2, (discordant - true_difference) / 2
    return least_items(
        lambda n: power_non_inferiority(n, *shares, margin, alpha=alpha) >= power,
        near=near_items(margin + true_difference, discordant, alpha, power),
        looked_for=saw_until(discordant),
    )


def items_for_real(
    se_per_item: float, difference_or_margin: float, *, alpha: float = 0.05, power: float = 0.8, one_sided: bool = False
) -> int | None:
    """Return how many items a t test of paired differences of scores needs.

    The power is exact for normal differences, from the noncentral t distribution: J. Cohen (1988), Statistical Power
    Analysis, 2nd ed., chapter 2.

    Args:
        se_per_item: Standard deviation of the difference of one item (the standard error of a pilot times the root of
            its number of items), in units of the score.
        difference_or_margin: The difference that is to be found, or with `one_sided` the margin plus the true difference.
        alpha: Level of the test.
        power: How often it is to be found, or shown.
        one_sided: Of a test of non-inferiority.

    Returns:
        The least number, two or more; none above a million.

    Raises:
        ValueError: An argument is out of its range.
    """
    # What scipy.stats calls, without its checks, which take twenty times as long.
    from scipy.special import nctdtr, stdtrit

    _check_power(power)
    _check_share("alpha", alpha)
    size = abs(difference_or_margin) if not one_sided else difference_or_margin
    if not se_per_item > 0 or not size > 0:
        raise ValueError(f"a difference of {difference_or_margin} with a deviation of {se_per_item} cannot be found")
    tail = alpha if one_sided else alpha / 2

    def enough(n: int) -> bool:
        df, shift = n - 1, size / se_per_item * math.sqrt(n)
        critical = float(stdtrit(df, 1 - tail))
        if shift > _FAR:
            return shift > critical
        found = 1 - float(nctdtr(df, shift, critical))
        # The wrong side counts as found in a two-sided test, as everywhere; far from zero its chance is nothing.
        if not one_sided and shift < _RARE:
            found += float(nctdtr(df, shift, -critical))
        return found >= power

    # The t test's power has no saw: its scores need not be whole.
    return least_items(enough, first=2, looked_for=0)


def items_for_width(share: float, half_width: float, level: float = 0.95) -> int | None:
    """Return how many items Wilson's interval of a share needs to be this narrow.

    Args:
        share: The share that is expected, 0 to 1 (0.5 asks for most).
        half_width: Half the width of the interval, above 0 (0.05 is five points of accuracy).
        level: Coverage of the interval.

    Returns:
        The least number, none above a million.

    Raises:
        ValueError: An argument is out of its range.
    """
    if not 0 <= share <= 1 or not half_width > 0:
        raise ValueError(f"a share of {share} with half a width of {half_width} cannot be planned for")
    _check_share("level", level)

    def narrow(n: int) -> bool:
        low, high = wilson_bounds(share * n, n, level)
        return (high - low) / 2 <= half_width

    return least_items(narrow)


@lru_cache(maxsize=256)
def _likely_counts(n: int, share: float) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the binomial counts that may occur, and how likely each is."""
    from scipy.special import gammaln, xlog1py, xlogy

    reach = _RARE * math.sqrt(n * share * (1 - share)) + 2 * _RARE
    counts = np.arange(max(0, math.floor(n * share - reach)), min(n, math.ceil(n * share + reach)) + 1)
    # scipy.stats says the same with checks that take several times as long; a search asks for thousands of these.
    rest = n - counts
    logs = gammaln(n + 1) - gammaln(counts + 1) - gammaln(rest + 1) + xlogy(counts, share) + xlog1py(rest, -share)
    return counts, np.asarray(np.exp(logs), dtype=np.float64)


@lru_cache(maxsize=2048)
def _mcnemar_limits(block: int, alpha: float) -> NDArray[np.float64]:
    """Return the most wins of the side that won fewer at which McNemar's test rejects, for a block of counts that differ."""
    from statistics import NormalDist

    counts = np.arange(block * _BLOCK, (block + 1) * _BLOCK, dtype=np.float64)
    # From the normal limit, which is a few wins off: up to where it does not reject, then down to where it does.
    rough = np.floor((counts + NormalDist().inv_cdf(alpha / 2) * np.sqrt(counts)) / 2)
    most = np.clip(rough, -1.0, np.maximum(counts - 1, -1))
    while (more := at_most(most + 1, counts, 0.5) <= alpha / 2).any():
        most += more
    while (less := (most >= 0) & (at_most(most, counts, 0.5) > alpha / 2)).any():
        most -= less
    return most


@lru_cache(maxsize=2048)
def _rejected(block: int, share: float, alpha: float) -> NDArray[np.float64]:
    """Return how often McNemar's test rejects, for a block of counts that differ, where the first wins a share of them."""
    counts, most = np.arange(block * _BLOCK, (block + 1) * _BLOCK, dtype=np.float64), _mcnemar_limits(block, alpha)
    first, ways = _ways(block, alpha)
    found = np.zeros(_BLOCK)
    if first == _BLOCK:
        return found
    if not 0 < share < 1:
        return np.where(most >= 0, at_most(most, counts, share) + at_most(most, counts, 1 - share), 0.0)
    counts, most = counts[first:], most[first:]
    # Either side may be the one that won so few. With one more item that differs, the chance of at most so many wins loses
    # that of so many and one more win, and gains that of one more where the limit rises: one incomplete beta is enough.
    shares = np.array([[share], [1 - share]])
    exactly = np.exp(ways + most * np.log(shares) + (counts - most) * np.log1p(-shares))
    steps = np.diff(most) * exactly[:, 1:] - shares * exactly[:, :-1]
    start = at_most(most[:1], counts[:1], share) + at_most(most[:1], counts[:1], 1 - share)
    found[first:] = np.concatenate([start, start + steps.sum(axis=0).cumsum()])
    return np.maximum(found, 0.0)


@lru_cache(maxsize=2048)
def _ways(block: int, alpha: float) -> tuple[int, NDArray[np.float64]]:
    """Return from where on McNemar's test can reject in a block, and the logarithm of in how many ways the limit is met."""
    from scipy.special import gammaln

    most = _mcnemar_limits(block, alpha)
    first = int((most < 0).sum())
    counts, most = np.arange(block * _BLOCK + first, (block + 1) * _BLOCK, dtype=np.float64), most[first:]
    return first, np.asarray(gammaln(counts + 1) - gammaln(most + 1) - gammaln(counts - most + 1))


def _least_wins(counts: NDArray[np.intp], n: int, margin: float, critical: float) -> NDArray[np.intp]:
    """Return the least number of wins of the first that Tango's test takes as shown, for each number that differs.

    It is one more than `counts` where none is enough. The statistic rises with the wins.
    """

    def shown(wins: NDArray[np.intp]) -> NDArray[np.bool_]:
        found = tango_statistics(wins.astype(np.float64), (counts - wins).astype(np.float64), n, -margin)
        return np.asarray((wins > counts) | ((wins >= 0) & (found >= critical)))

    # From the wins at which the statistic with the variance of the margin alone is critical, and one step of the secant
    # from there, for it is nearly a line; then in growing steps.
    guess = (counts - n * margin + critical * np.sqrt(np.maximum(counts - n * margin**2, 0.0))) / 2
    guess = np.clip(guess, 0.0, counts)
    here, next_one = (tango_statistics(won, counts - won, n, -margin) for won in (guess, guess + 0.5))
    slope = np.maximum(2 * (next_one - here), 1e-6)
    low = np.clip(np.floor(guess + (critical - here) / slope), -1, counts).astype(np.intp)
    high = low + 1
    step = 1
    while (above := shown(low)).any():
        low = np.where(above, np.maximum(low - step, -1), low)
        step *= 2
    step = 1
    while not (enough := shown(high)).all():
        high = np.where(enough, high, np.minimum(high + step, counts + 1))
        step *= 2
    while (moving := high - low > 1).any():
        middle = (low + high) // 2
        enough = shown(middle)
        low, high = np.where(moving & ~enough, middle, low), np.where(moving & enough, middle, high)
    return np.asarray(high, dtype=np.intp)


def _check(n: int, only_first: float, only_second: float, alpha: float) -> None:
    if n < 0 or min(only_first, only_second) < 0 or only_first + only_second > 1 + 1e-12:
        raise ValueError(f"{n} items, of which {only_first} and {only_second} are right on one side only, cannot be")
    _check_share("alpha", alpha)


def _check_discordant(discordant: float) -> None:
    if not 0 < discordant <= 1:
        raise ValueError(f"a share that differs of {discordant} is not above 0 and at most 1")


def _check_margin(margin: float) -> None:
    if not 0 < margin < 1:
        raise ValueError(f"a margin of {margin} is not above 0 and below 1")


def _check_power(power: float) -> None:
    _check_share("power", power)


def _check_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} {value} is not between 0 and 1")
