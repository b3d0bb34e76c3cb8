"""Planning, against sums over all tables, statsmodels' power and the tests themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from evalsuite.stats import (
    items_for_difference,
    items_for_margin,
    items_for_real,
    items_for_width,
    mcnemar_exact,
    minimum_detectable,
    power_mcnemar,
    power_non_inferiority,
    wilson,
)
from evalsuite.stats.planning import MOST_ITEMS, _least_wins
from evalsuite.stats.tango import tango_z


def _over_all_tables(n: int, first: float, second: float, rejected) -> float:
    return sum(
        float(stats.multinomial.pmf([a, b, n - a - b], n, [first, second, 1 - first - second]))
        for a in range(n + 1)
        for b in range(n + 1 - a)
        if rejected(a, b)
    )


@pytest.mark.parametrize(("n", "first", "second"), [(20, 0.3, 0.1), (25, 0.1, 0.1), (15, 0.6, 0.0), (4, 0.5, 0.1)])
def test_the_power_of_mcnemar_is_the_sum_over_all_tables(n: int, first: float, second: float) -> None:
    golden = _over_all_tables(n, first, second, lambda a, b: mcnemar_exact(a, b) <= 0.05)
    assert power_mcnemar(n, first, second) == pytest.approx(golden, abs=1e-10)


@pytest.mark.parametrize(
    ("n", "first", "second", "margin"), [(25, 0.1, 0.08, 0.15), (18, 0.2, 0.05, 0.1), (20, 0.0, 0.0, 0.2)]
)
def test_the_power_of_tangos_test_is_the_sum_over_all_tables(
    n: int, first: float, second: float, margin: float
) -> None:
    z = stats.norm.ppf(0.95)
    golden = _over_all_tables(n, first, second, lambda a, b: tango_z(a, b, n, -margin) >= z)
    assert power_non_inferiority(n, first, second, margin) == pytest.approx(golden, abs=1e-10)


def test_the_power_of_many_items_is_near_the_normal_one() -> None:
    # J. M. Lachin (1992), Stat. Med. 11, 1239-1251, conditional variance under the null, unconditional otherwise.
    n, first, second = 20_000, 0.105, 0.095
    root = np.sqrt(first + second)
    z = ((first - second) * np.sqrt(n) - stats.norm.ppf(0.975) * root) / np.sqrt(first + second - (first - second) ** 2)
    assert power_mcnemar(n, first, second) == pytest.approx(stats.norm.cdf(z), abs=0.003)


def test_the_smallest_difference_has_the_power_asked_for() -> None:
    found = minimum_detectable(200, 0.3, power=0.9)
    assert found is not None
    assert power_mcnemar(200, (0.3 + found) / 2, (0.3 - found) / 2) == pytest.approx(0.9, abs=1e-4)
    # Five items that differ are never significant, however they fall.
    assert minimum_detectable(5, 1.0) is None
    assert minimum_detectable(40, 0.05) is None


@pytest.mark.parametrize(("difference", "discordant", "power"), [(0.1, 0.3, 0.8), (-0.2, 0.2, 0.9), (0.05, 0.12, 0.8)])
def test_the_items_for_a_difference_are_the_first_from_which_on_the_power_holds(
    difference: float, discordant: float, power: float
) -> None:
    n = items_for_difference(difference, discordant, power=power)
    assert n is not None
    shares = (discordant + abs(difference)) / 2, (discordant - abs(difference)) / 2
    assert power_mcnemar(n - 1, *shares) < power
    assert all(power_mcnemar(n + more, *shares) >= power for more in range(40))


def test_the_items_for_a_margin_are_the_first_from_which_on_the_power_holds() -> None:
    n = items_for_margin(0.1, 0.2)
    assert n is not None
    assert power_non_inferiority(n - 1, 0.1, 0.1, 0.1) < 0.8
    assert all(power_non_inferiority(n + more, 0.1, 0.1, 0.1) >= 0.8 for more in range(100))
    # The normal approximation of J. Nam (1997), Biometrics 53, 1422-1430, for no true difference: variance 0.2 on both
    # sides, but for the constraint, so (1.645 + 0.842)² × 0.2 / 0.1² = 124.
    assert 118 <= n <= 136
    # A truth that is a little worse takes more items.
    worse = items_for_margin(0.1, 0.2, true_difference=-0.03)
    assert worse is not None
    assert worse > 1.8 * n


@pytest.mark.parametrize(
    ("discordant", "margin", "truth", "alpha"),
    [
        (0.02, 0.05, 0.0, 0.05),
        (0.1, 0.05, 0.01, 0.01),
        (0.2, 0.05, -0.016, 0.01),
        (0.5, 0.1, 0.0, 0.001),
        (0.95, 0.1, 0.1, 0.05),
    ],
)
def test_past_a_plan_the_power_falls_short_by_little_if_at_all(
    discordant: float, margin: float, truth: float, alpha: float
) -> None:
    first, second = (discordant + truth) / 2, (discordant - truth) / 2
    n = items_for_margin(margin, discordant, true_difference=truth, alpha=alpha)
    assert n is not None
    powers = [power_non_inferiority(n + more, first, second, margin, alpha=alpha) for more in range(-1, 80)]
    assert powers[0] < 0.8 <= powers[1]
    # Where few differ the saw is coarse, and so looked for; elsewhere it is below 0.3 points.
    allowed = 0.0 if n * discordant * (1 - discordant) < 9 else 0.003
    assert min(powers[1 : 2 + n // 20]) >= 0.8 - allowed


def test_more_is_asked_for_less() -> None:
    differences = [items_for_difference(d, 0.3) for d in (0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03)]
    margins = [items_for_margin(m, 0.2) for m in (0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03)]
    powers = [items_for_margin(0.05, 0.2, power=p) for p in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)]
    widths = [items_for_width(0.8, w) for w in (0.2, 0.1, 0.05, 0.02, 0.01)]
    rising: Any
    for rising in (differences, margins, powers, widths):
        assert None not in rising
        assert rising == sorted(rising)
    seen: list[Any] = [minimum_detectable(n, 0.3) for n in (40, 80, 160, 320, 2000)]
    assert seen == sorted(seen, reverse=True)


def test_beyond_a_million_there_is_no_plan() -> None:
    assert MOST_ITEMS == 1_000_000
    assert items_for_difference(0.0005, 0.3) is None
    assert items_for_margin(0.0005, 0.3) is None
    assert items_for_width(0.5, 1e-4) is None
    assert items_for_real(1.0, 1e-4) is None


@pytest.mark.parametrize(("deviation", "difference"), [(0.3, 0.05), (1.0, 0.9), (0.2, -0.1)])
@pytest.mark.parametrize("one_sided", [False, True])
def test_items_for_real_scores_are_those_of_statsmodels(deviation: float, difference: float, one_sided: bool) -> None:
    difference = abs(difference) if one_sided else difference
    golden = TTestPower().solve_power(
        abs(difference) / deviation, power=0.8, alpha=0.05, alternative="larger" if one_sided else "two-sided"
    )
    assert items_for_real(deviation, difference, one_sided=one_sided) == int(np.ceil(golden))


def test_a_difference_that_is_everywhere_needs_two_items() -> None:
    assert items_for_real(0.01, 5.0) == 2


@pytest.mark.parametrize(("share", "half"), [(0.5, 0.05), (0.9, 0.02), (0.0, 0.03)])
def test_the_width_is_reached_and_not_before(share: float, half: float) -> None:
    n = items_for_width(share, half)
    assert n is not None
    if share == 0.5:
        # From Wilson's formula at one half: width z / sqrt(n + z²).
        z = stats.norm.ppf(0.975)
        assert n == int(np.ceil((z / (2 * half)) ** 2 - z**2))
    whole: Any = wilson(round(share * n), n)
    assert (whole.high - whole.low) / 2 == pytest.approx(half, abs=0.002)


def test_what_cannot_be_planned_is_refused() -> None:
    for wrong in (
        lambda: power_mcnemar(10, 0.6, 0.6),
        lambda: power_mcnemar(10, 0.1, 0.1, alpha=0),
        lambda: minimum_detectable(10, 0.0),
        lambda: items_for_difference(0.3, 0.2),
        lambda: items_for_difference(0.0, 0.2),
        lambda: items_for_difference(0.1, 0.2, power=1.0),
        lambda: items_for_margin(0.0, 0.2),
        lambda: items_for_margin(0.1, 0.2, true_difference=-0.1),
        lambda: items_for_margin(0.3, 0.1, true_difference=-0.2),
        lambda: items_for_real(0.0, 0.1),
        lambda: items_for_real(0.1, -0.1, one_sided=True),
        lambda: items_for_width(1.2, 0.1),
        lambda: items_for_width(0.5, 0.1, 95),
    ):
        with pytest.raises(ValueError, match=r"cannot|not|alpha|power|margin"):
            wrong()


@pytest.mark.parametrize(("n", "first", "second"), [(700, 0.2, 0.15), (900, 0.15, 0.14), (3000, 0.05, 0.03)])
def test_the_power_of_mcnemar_with_many_items_is_the_sum_over_those_that_differ(n, first, second) -> None:
    counts, share = np.arange(n + 1), first / (first + second)
    fewest = [np.flatnonzero(2 * stats.binom.cdf(np.arange(m // 2 + 1), m, 0.5) <= 0.01) for m in counts]
    most = np.array([found[-1] if found.size else -1 for found in fewest])
    rejected = stats.binom.cdf(most, counts, share) + stats.binom.sf(counts - most - 1, counts, share)
    golden = (stats.binom.pmf(counts, n, first + second) * np.where(most >= 0, rejected, 0)).sum()
    assert power_mcnemar(n, first, second, alpha=0.01) == pytest.approx(golden, abs=1e-9)


@pytest.mark.parametrize(
    ("n", "margin", "critical"), [(60, 0.05, 1.6), (60, 0.4, 2.9), (400, 0.02, 3.5), (30, 0.9, 0.1)]
)
def test_the_least_wins_are_found_by_trying_all(n: int, margin: float, critical: float) -> None:
    counts = np.arange(min(n, 60) + 1)
    golden = [
        next((b for b in range(m + 1) if tango_z(b, m - b, n, -margin) >= critical), m + 1) for m in counts.tolist()
    ]
    assert _least_wins(counts, n, margin, critical).tolist() == golden
