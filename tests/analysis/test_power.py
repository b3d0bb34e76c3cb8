"""What a number of items can show, against exact sums with scipy, statsmodels and simulation."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import proportion_confint

from evalsuite.analysis.compare import compare
from evalsuite.analysis.compare_axis import Axis
from evalsuite.analysis.narrow import Part
from evalsuite.analysis.power_table import plan_power, power_rows
from evalsuite.analysis.power_text import plan_lines, power_cells, power_csv, power_json, power_markdown
from evalsuite.errors import InputError


def mcnemar_power(n: int, first: float, second: float, alpha: float) -> float:
    """Power of the exact McNemar test by summing over all outcomes."""
    power = 0.0
    for k in range(1, n + 1):
        wins = np.arange(k + 1)
        p = np.minimum(1, 2 * scipy_stats.binom.cdf(np.minimum(wins, k - wins), k, 0.5))
        shown = scipy_stats.binom.pmf(wins, k, first / (first + second))[p < alpha].sum()
        power += scipy_stats.binom.pmf(k, n, first + second) * shown
    return float(power)


def test_the_plan_agrees_with_exact_sums():
    plan = plan_power(120, 0.6, 0.3, 0.1, comparisons=6)
    assert plan.alpha == pytest.approx(0.05 / 6)
    assert (plan.score_low, plan.score_high) == pytest.approx(proportion_confint(72, 120, method="wilson"))
    d = plan.detectable
    assert d is not None
    assert mcnemar_power(120, (0.3 + d) / 2, (0.3 - d) / 2, plan.alpha) >= 0.8 - 1e-6
    assert mcnemar_power(120, (0.29 + d) / 2, (0.31 - d) / 2, plan.alpha) < 0.8
    n = plan.items_to_show
    assert n is not None
    assert mcnemar_power(n, 0.2, 0.1, plan.alpha) >= 0.8
    assert mcnemar_power(n - 12, 0.2, 0.1, plan.alpha) < 0.8


def test_the_power_to_rule_a_difference_out_is_that_of_simulated_runs():
    plan = plan_power(200, 0.6, 0.2, 0.1)
    rng = np.random.default_rng(4)
    counts = rng.multinomial(200, [0.1, 0.1, 0.8], size=4000)
    from evalsuite.stats.tango import tango_interval

    cache: dict[tuple[int, int], bool] = {}
    for b, c, _ in counts.tolist():
        if (b, c) not in cache:
            cache[b, c] = tango_interval(b, c, 200, 0.9)[0] > -0.1
    share = np.mean([cache[b, c] for b, c, _ in counts.tolist()])
    assert plan.power_to_rule_out == pytest.approx(share, abs=0.02)


def test_more_comparisons_need_more_items():
    one, many = plan_power(200, 0.6, 0.25, 0.05), plan_power(200, 0.6, 0.25, 0.05, comparisons=42)
    for name in ("items_to_show", "items_to_rule_out", "detectable"):
        assert getattr(one, name) < getattr(many, name)
    assert "one of 42" in " ".join(plan_lines(many))


@pytest.mark.parametrize(
    ("score", "differing", "margin", "told"),
    [(0.9, 0.3, 0.05, "at most 20%"), (0.5, 0.04, 0.05, "a margin of 5% is more than the 4%")],
)
def test_what_cannot_be_is_refused(score, differing, margin, told):
    with pytest.raises(InputError, match=told):
        plan_power(200, score, differing, margin)


@pytest.fixture(scope="module")
def found(run):
    return compare([run], Axis.LANGUAGE, part=Part(tasks=("toy_topics",), languages=("es", "eu")), margin=0.1)


def test_rows_are_the_comparisons_of_the_run_at_the_level_of_the_first_step(found):
    rows = power_rows(found)
    assert [power.row for power in rows] == list(found.pairs)
    power: Any = rows[0]
    d = power.row.difference
    assert power.differing == pytest.approx((d.only_first + d.only_second) / 60)
    assert power.half_width == pytest.approx((d.high - d.low) / 2)
    share, alpha = power.differing, 0.05 / found.pairs_family.size
    least = power.detectable
    assert mcnemar_power(60, (share + least) / 2, (share - least) / 2, alpha) >= 0.8 - 1e-6
    assert mcnemar_power(power.items_to_show, (share + 0.1) / 2, (share - 0.1) / 2, alpha) >= 0.8


def test_a_margin_both_ways_needs_more_items_than_one_way(run):
    language: Any = power_rows(
        compare([run], Axis.LANGUAGE, part=Part(tasks=("toy_topics",), languages=("es",), models=(run.models[0],)))
    )
    model: Any = power_rows(compare([run], Axis.MODEL, part=Part(tasks=("toy_topics",), languages=("es",))))
    per_item = [rows[0].items_to_rule_out / rows[0].differing for rows in (language, model)]
    assert per_item[0] < per_item[1]


def test_forms_can_be_read_back(found):
    table = power_rows(found)
    rows = list(csv.DictReader(io.StringIO(power_csv(table))))
    data = json.loads(power_json(found, table))
    assert len(rows) == len(data["rows"]) == len(found.pairs)
    assert data["header"]["tests"] == found.pairs_family.size
    assert float(rows[0]["half_width"]) == data["rows"][0]["half_width"]
    assert rows[0]["items_to_show_margin"] == str(data["rows"][0]["items_to_show_margin"])
    text = power_markdown(found, table)
    assert all(f"| {' | '.join(power_cells(power))} |" in text for power in table if power.row.verdict)
