"""Integration against analytic energies on a virtual clock; uncertainty and rules against arithmetic written here."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from evalsuite.meters.source import Counter
from evalsuite.stats.energy import (
    EnergyFigure,
    PowerSeries,
    Quantity,
    Rules,
    energy_between,
    per,
    per_correct,
    per_thousand,
    request_energy,
)

properties = settings(max_examples=60, deadline=None)  # no test asserts on wall time
LOOSE = Rules(min_duration_s=0, min_updates=0, min_quanta=0, min_idle_s=0)


def series(t, power=None, energy=None, **more) -> PowerSeries:
    power_w, energy_j = (None if column is None else np.asarray(column, dtype=float) for column in (power, energy))
    return PowerSeries(np.asarray(t, dtype=float), power_w, energy_j, **{"nominal_hz": 1.0, **more})


@st.composite
def curves(draw: st.DrawFn) -> tuple[list[float], list[float]]:
    """Times and watts of the knots of a piecewise-linear curve."""
    steps = draw(st.lists(st.floats(0.01, 20), min_size=1, max_size=30))
    t = [0.0, *np.cumsum(steps).tolist()]
    return t, draw(st.lists(st.floats(0, 300), min_size=len(t), max_size=len(t)))


def exact(t: list[float], power: list[float], start: float, end: float) -> float:
    """Energy of a piecewise-linear curve from the primitive of each piece, not by the trapezoidal rule."""
    total = 0.0
    for (t0, p0), (t1, p1) in pairwise(zip(t, power, strict=True)):
        a, b = max(start, t0), min(end, t1)
        if b > a:
            slope = (p1 - p0) / (t1 - t0)
            total += p0 * (b - a) + slope * ((b - t0) ** 2 - (a - t0) ** 2) / 2
    return total


def near(value: float, size: float = 1.0):
    return pytest.approx(value, rel=1e-9, abs=1e-9 * max(1.0, size))


# --- integration ---


@properties
@given(curves(), st.floats(0, 1), st.floats(0, 1))
def test_a_piecewise_linear_curve_sampled_at_its_knots_is_exact(curve, one, other) -> None:
    t, power = curve
    start, end = sorted((one * t[-1], other * t[-1]))
    found = energy_between(series(t, power), start, end)
    assert found.energy_j == near(exact(t, power, start, end), 300 * t[-1])
    assert (found.method, found.duration_s) == ("power", end - start)


@properties
@given(curves(), st.lists(st.floats(0, 1), min_size=1, max_size=6), st.booleans())
def test_the_parts_of_a_span_add_up(curve, cuts, counted) -> None:
    t, values = curve
    data = series(t, None, np.cumsum(values)) if counted else series(t, values)
    edges = [0.0, *sorted(cut * t[-1] for cut in cuts), t[-1]]
    parts = [energy_between(data, a, b) for a, b in pairwise(edges)]
    whole = energy_between(data, 0.0, t[-1])
    assert sum(part.energy_j or 0.0 for part in parts) == near(whole.energy_j or 0.0, 300 * t[-1])
    assert sum(part.samples for part in parts) == whole.samples == sum(moment < t[-1] for moment in t)


@properties
@given(curves(), st.floats(0, 1e6), st.floats(0, 1), st.floats(0, 1))
def test_when_it_was_measured_changes_nothing(curve, shift, one, other) -> None:
    t, power = curve
    start, end = sorted((one * t[-1], other * t[-1]))
    here = energy_between(series(t, power), start, end)
    there = energy_between(series([moment + shift for moment in t], power), start + shift, end + shift)
    # A double at 1e6 s resolves 1e-10 s, at up to 300 W.
    assert there.energy_j == pytest.approx(here.energy_j, rel=1e-6, abs=1e-6)


@properties
@given(st.lists(st.floats(0.001, 30), min_size=1, max_size=40), st.floats(0, 500), st.floats(0, 1), st.floats(0, 1))
def test_constant_power_gives_power_times_time_for_any_sampling(steps, watts, one, other) -> None:
    t = np.concatenate(([0.0], np.cumsum(steps)))
    start, end = sorted((one * t[-1], other * t[-1]))
    assert energy_between(series(t, np.full(t.size, watts)), start, end).energy_j == near(watts * (end - start))


@properties
@given(curves(), st.floats(0, 1), st.floats(0, 1))
def test_a_wrapping_counter_gives_the_same_as_power(curve, one, other) -> None:
    t, power = curve
    # Power that is constant between knots, as a counter shows it: linear. 6000 J is the most that one step may take.
    joules = np.concatenate(([0.0], np.cumsum(np.array(power[:-1]) * np.diff(t))))
    wraps_at = 6001.0
    counter = Counter(wraps_at)
    energy = []
    for total in joules:
        assert counter.add(float((total + 5000) % wraps_at))
        energy.append(counter.total)
    start, end = sorted((one * t[-1], other * t[-1]))
    stepped = sum(p * max(0.0, min(end, b) - max(start, a)) for (a, b), p in zip(pairwise(t), power[:-1], strict=True))
    found = energy_between(series(t, None, energy), start, end)
    assert found.energy_j == pytest.approx(stepped, rel=1e-6, abs=1e-6)
    assert found.method == "counter"


@pytest.mark.parametrize(("start", "end"), [(0.0, 60.0), (0.33, 7.77), (12.05, 59.96)])
def test_a_sine_on_a_ramp_at_10_hz_is_right_within_one_percent(start: float, end: float) -> None:
    def primitive(t: float) -> float:  # of 5 + 0.05 t + 2 sin(2 pi t / 1.7)
        return 5 * t + 0.025 * t * t - 2 * math.cos(2 * math.pi * t / 1.7) * 1.7 / (2 * math.pi)

    t = np.arange(0, 60.05, 0.1)
    data = series(t, 5 + 0.05 * t + 2 * np.sin(2 * np.pi * t / 1.7), nominal_hz=10)
    found = energy_between(data, start, end)
    assert found.energy_j == pytest.approx(primitive(end) - primitive(start), rel=0.01)
    assert found.flags == ()


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        (0.5, 3.0, "at or before the start: the first came 0.5 s"),
        (1.0, 4.25, "at or after the end: the last came 0.25 s"),
    ],
)
def test_nothing_is_extrapolated(counted: bool, start: float, end: float, told: str) -> None:
    values = [1.0, 2.0, 3.0, 4.0]
    data = series([1, 2, 3, 4], None, values) if counted else series([1, 2, 3, 4], values)
    found = energy_between(data, start, end)
    assert found.energy_j is None
    assert found.reason is not None
    assert told in found.reason
    assert energy_between(data, 1.0, 4.0).energy_j == (3.0 if counted else 7.5)


def test_a_long_gap_is_flagged_and_three_intervals_are_none() -> None:
    assert energy_between(series([0, 1, 4, 5], [2.0] * 4), 0, 5).flags == ()
    late = energy_between(series([0, 1, 4.2, 5], [2.0] * 4), 0, 5)
    assert late.flags == ("gap",)
    assert (late.max_gap_s, late.energy_j) == pytest.approx((3.2, 10.0))
    assert energy_between(series([0, 1, 4.2, 5], [2.0] * 4), 0, 1).flags == ()


def test_a_missing_power_makes_a_gap_not_a_zero() -> None:
    power = [4.0, 4.0, math.nan, math.nan, math.nan, 4.0]
    found = energy_between(series(range(6), power), 0, 5)
    assert (found.energy_j, found.max_gap_s, found.flags) == (20.0, 4.0, ("gap",))
    assert energy_between(series(range(3), [4.0, 4.0, math.nan]), 0, 2).energy_j is None


@pytest.mark.parametrize("bad", [math.nan, 1.0], ids=["lost", "falling"])
def test_a_counter_reset_falls_back_to_power_or_to_nothing(bad: float) -> None:
    energy = [10.0, 20.0, bad, 40.0, 50.0]
    with_power = energy_between(series(range(5), [7.0] * 5, energy), 0.5, 3.5)
    assert (with_power.energy_j, with_power.method, with_power.flags) == (21.0, "power", ("counter_reset",))
    alone = energy_between(series(range(5), None, energy), 0.5, 3.5)
    assert (alone.energy_j, alone.flags) == (None, ("counter_reset",))
    assert alone.reason == "the counter was reset within the span, and there is no power"
    # Before it and after it, the counter holds.
    assert energy_between(series(range(5), [7.0] * 5, energy), 3.0, 4.0).energy_j == 10.0


def test_a_source_that_said_nothing_gives_no_energy() -> None:
    for data in (series([0, 1]), series([0, 1], [math.nan] * 2, [math.nan] * 2), series([])):
        assert energy_between(data, 0, 1).reason == "no sample has power or energy"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: series([0, 1], [1.0]), "1 values of power_w at 2 times"),
        (lambda: series([1, 0], [1.0, 1.0]), "run backwards"),
        (lambda: series([0, math.nan], [1.0, 1.0]), "missing"),
        (lambda: series([0, 1], [1.0, 1.0], nominal_hz=0.0), "nominal_hz 0.0"),
        (lambda: energy_between(series([0, 1], [1.0, 1.0]), 1, 0), "from 1 s to 0 s"),
    ],
)
def test_impossible_input_is_refused(make, told) -> None:
    with pytest.raises(ValueError, match=told):
        make()


# --- requests ---

IDLE_W = 2.0
REQUESTS = [(100.0 + 10 * i, 108.0 + 10 * i) for i in range(10)]
"""Ten of 8 s, with 2 s between them; the i-th at 5 + i / 10 watts."""
JOULES = np.array([8 * (5 + i / 10) for i in range(10)])


def _bench(idle_after_w: float = IDLE_W, **more) -> PowerSeries:
    """Idle for 100 s, ten requests, idle for 100 s; a sample on either side of every step, and every 0.5 s."""
    steps = np.array([edge for span in REQUESTS for edge in span])
    t = np.unique(np.concatenate((np.arange(0, 300.25, 0.5), steps - 1e-9, steps + 1e-9)))
    power = np.where(t < 199, IDLE_W, idle_after_w)
    for i, (start, end) in enumerate(REQUESTS):
        power[(t > start) & (t < end)] = 5 + i / 10
    # The grid falls on the steps too; a value between both would bend the curve.
    keep = ~np.isin(t, steps)
    return series(t[keep], power[keep], **{"nominal_hz": 2.0, **more})


def _figure(data: PowerSeries | None = None, rules: Rules = Rules(), **more) -> EnergyFigure:  # noqa: B008 - frozen
    return request_energy(
        data or _bench(),
        more.get("spans", REQUESTS),
        more.get("before", (10, 90)),
        more.get("after", (210, 290)),
        rules,
    )


def test_gross_and_net_energy_of_requests() -> None:
    found = _figure()
    assert found.energy_j == pytest.approx(JOULES.sum())  # 436 J
    assert found.net_energy_j == pytest.approx(JOULES.sum() - 2.0 * 80)
    assert (found.requests, found.duration_s) == pytest.approx((10, 80.0))
    assert found.mean_w == pytest.approx(436 / 80)
    assert (found.idle_before_w, found.idle_after_w) == pytest.approx((2.0, 2.0))
    assert found.gross_per_request.value == pytest.approx(43.6)
    assert found.net_per_request.value == pytest.approx(27.6)
    assert found.flags == ()
    assert found.reason is None


def test_with_steady_idle_the_uncertainty_is_that_of_the_repeats() -> None:
    found = _figure()
    u_rep = JOULES.std(ddof=1) * math.sqrt(10)
    assert found.gross.u == pytest.approx(u_rep, rel=1e-6)
    assert found.net.u == pytest.approx(u_rep, rel=1e-6)  # all take as long
    assert found.gross_per_request.u == pytest.approx(scipy_stats.sem(JOULES), rel=1e-6)
    low, high = scipy_stats.t.interval(0.95, 9, JOULES.mean(), scipy_stats.sem(JOULES))
    each = found.gross_per_request
    assert (each.low, each.high) == pytest.approx((low, high), rel=1e-6)


def test_idle_energy_is_taken_off_by_the_duration_of_each_request() -> None:
    t = np.arange(0, 301.0)
    spans = [(100.0, 110.0), (110.0, 140.0), (140.0, 200.0)]
    found = request_energy(series(t, np.where((t >= 100) & (t <= 200), 6.0, 2.0)), spans, (0, 90), (210, 300))
    assert found.gross.u == pytest.approx(np.std([60, 180, 360], ddof=1) * math.sqrt(3))
    assert found.net.u == pytest.approx(np.std([40, 120, 240], ddof=1) * math.sqrt(3))


def test_every_source_of_error_adds_to_the_uncertainty() -> None:
    found = _figure(_bench(idle_after_w=2.06, quantum_w=0.04, accuracy=0.02))
    u_rep2 = JOULES.var(ddof=1) * 10
    u_res2 = (0.04 * 80) ** 2 / 12
    scale2 = (0.02 * 436) ** 2
    u_idle = 0.06 / 2
    assert found.gross.u == pytest.approx(math.sqrt(u_rep2 + u_res2 + scale2), rel=1e-6)
    assert found.net.u == pytest.approx(math.sqrt(u_rep2 + u_res2 + scale2 + (80 * u_idle) ** 2), rel=1e-6)
    assert found.net_energy_j == pytest.approx(436 - 2.03 * 80)
    assert found.gross.u is not None
    assert found.gross.high == pytest.approx(436 + scipy_stats.t.ppf(0.975, 9) * found.gross.u)


def test_a_counter_errs_by_a_step_at_both_ends_of_every_request() -> None:
    t = np.arange(0, 301.0)
    power = np.where((t >= 100) & (t < 200), 6.0, 2.0)
    joules = np.concatenate(([0.0], np.cumsum(power[:-1])))
    spans = [(100.0 + 10 * i, 110.0 + 10 * i) for i in range(10)]
    data = series(t, None, joules, quantum_j=3.6, quantum_w=1.0)  # a step of power that no one integrates
    found = request_energy(data, spans, (10, 90), (210, 290))
    assert found.energy_j == pytest.approx(600.0)
    assert found.gross.u == pytest.approx(math.sqrt(10) * 3.6 / math.sqrt(6))
    # Simulated: differences of two readings that are each cut to a step at a random place.
    rng = np.random.default_rng(1)
    ends = rng.uniform(0, 1000, (2, 100_000))
    errors = np.diff(np.floor(ends / 3.6) * 3.6 - ends, axis=0)
    assert errors.std() == pytest.approx(3.6 / math.sqrt(6), rel=0.01)


def test_idle_that_wanders_adds_the_scatter_of_its_batches() -> None:
    data = _bench()
    assert data.power_w is not None
    batch = np.floor((data.t_s - 10) / 8).astype(int)  # ten batches of 8 s in 10 to 90 s
    wander = np.where((data.t_s >= 10) & (data.t_s <= 90), 0.1 * (-1.0) ** batch, 0.0)
    found = _figure(series(data.t_s, data.power_w + wander, nominal_hz=2.0))
    # Means of ±0.1 W, ten of them: a standard deviation of 0.1·√(10/9), over √10; halved, as the other idle is still.
    expected = 0.1 * math.sqrt(10 / 9) / math.sqrt(10) / 2
    u_rep = JOULES.std(ddof=1) * math.sqrt(10)
    assert found.net.u is not None
    # Between batches the curve bends over one sample of sixteen, which takes a little from either.
    assert math.sqrt(found.net.u**2 - u_rep**2) / 80 == pytest.approx(expected, rel=0.08)
    assert found.gross.u == pytest.approx(u_rep, rel=1e-6)


def test_the_interval_covers_the_mean_request_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    inside, draws = 0, 400
    for _ in range(draws):
        watts = rng.normal(6, 1, 8)
        t = np.concatenate([(10 * i + 1e-6, 10 * i + 10 - 1e-6) for i in range(8)])
        data = series(t, np.repeat(watts, 2))
        found = request_energy(data, [(a, b) for a, b in t.reshape(-1, 2)], None, None, LOOSE).gross_per_request
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= 60 <= found.high
    assert inside / draws == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / draws))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"spans": REQUESTS[:6]}, "48 s measured, 60 s needed"),
        ({"spans": [(100.0, 159.96)]}, "59.9 s measured, 60 s needed"),
        ({"rules": Rules(min_updates=500)}, "samples, 500 needed"),
        ({"before": (50, 92)}, "idle before: 42 s measured, 60 s needed"),
        ({"after": (210, 240.5)}, "idle after: 30.5 s measured, 60 s needed"),
        ({"after": None}, "idle after: not measured, 60 s needed"),
        ({"before": (-5, 90)}, "idle before: no sample at or before the start"),
        ({"spans": []}, "no requests"),
        ({"spans": [(100.0, 100.0)]}, "requests of no duration"),
        ({"spans": [(100.0, 150.0), (149.0, 190.0)]}, "requests overlap in time"),
        ({"spans": [(100.0, 150.0), (150.0, 301.0)], "after": None}, "request 2: no sample at or after the end"),
    ],
)
def test_a_rule_that_is_not_met_leaves_no_figure_and_says_the_need(change, told) -> None:
    found = _figure(**change)
    assert (found.energy_j, found.net_energy_j, found.mean_w, found.gross.u) == (None, None, None, None)
    assert found.gross_per_request.value is None
    assert found.reason is not None
    assert told in found.reason


def test_all_rules_that_are_not_met_are_told_at_once() -> None:
    found = _figure(spans=REQUESTS[:2], before=(80, 90), rules=Rules(min_updates=1000))
    assert found.reason is not None
    assert found.reason.startswith("16 s measured, 60 s needed; ")
    assert found.reason.endswith("; idle before: 10 s measured, 60 s needed")
    assert found.idle_after_w == pytest.approx(2.0)


def test_a_counter_needs_enough_steps() -> None:
    t = np.arange(0, 301.0)
    args = ([(100.0, 200.0)], (0.0, 100.0), (200.0, 300.0))
    short = request_energy(series(t, None, 1.79 * t, quantum_j=3.6), *args)
    assert short.reason == "49.7 steps of the counter, 50 needed"  # 179 J / 3.6 J = 49.72
    assert request_energy(series(t, None, 1.80 * t, quantum_j=3.6), *args).energy_j == pytest.approx(180.0)
    assert request_energy(series(t, None, 1.79 * t), *args).energy_j == pytest.approx(179.0)


def test_spans_that_add_up_to_sixty_seconds_but_for_rounding_are_enough() -> None:
    t = np.arange(0, 300.0, 0.1)
    spans = [(120.0 + i, 120.0 + i + 0.6) for i in range(100)]
    assert 59.999999 < sum(b - a for a, b in spans) < 60.0
    assert request_energy(series(t, np.full(t.size, 3.0)), spans, (0, 100), (220, 290)).energy_j is not None


def test_without_the_need_for_idle_there_is_a_gross_figure_and_no_net_one() -> None:
    found = _figure(after=None, rules=Rules(min_idle_s=0))
    assert found.energy_j == pytest.approx(436)
    assert (found.net_energy_j, found.net.reason) == (None, "idle after: not measured")


def test_one_request_has_an_energy_and_no_interval() -> None:
    found = _figure(spans=[(100.0, 198.0)])
    assert found.energy_j is not None
    assert (found.gross.u, found.gross.low, found.gross.high) == (None, None, None)
    assert found.reason == "one request has no scatter: its uncertainty is not known"


@pytest.mark.parametrize(("after_w", "flags"), [(2.09, ()), (2.11, ("idle_drift",)), (1.89, ("idle_drift",))])
def test_idle_that_drifts_is_flagged_and_still_gives_a_figure(after_w, flags) -> None:
    found = _figure(_bench(idle_after_w=after_w))  # 0.11 W of 2.055 W is 5.4 %, 0.09 W of 2.045 W is 4.4 %
    assert found.flags == flags
    assert found.net_energy_j is not None


def test_flags_of_requests_and_idle_are_kept_apart() -> None:
    data = _bench()
    assert data.power_w is not None
    keep = ~((data.t_s > 40) & (data.t_s < 60))
    assert _figure(series(data.t_s[keep], data.power_w[keep], nominal_hz=2.0)).flags == ("idle_gap",)
    keep = ~((data.t_s > 101) & (data.t_s < 107))
    assert _figure(series(data.t_s[keep], data.power_w[keep], nominal_hz=2.0)).flags == ("gap",)
    assert _figure(spans=[*REQUESTS, (198.7, 198.9)]).flags == ("undersampled",)


@pytest.mark.parametrize("change", [{"before": (10, 101)}, {"after": (197, 290)}])
def test_idle_time_cannot_overlap_the_requests(change) -> None:
    with pytest.raises(ValueError, match="idle time"):
        _figure(**change)


# --- per piece ---


def test_a_known_count_carries_the_relative_uncertainty_over() -> None:
    energy = Quantity(200.0, 10.0, 2.0)
    assert per(energy, 400, "tokens") == Quantity(0.5, 0.025, 2.0)
    assert (per(energy, 400).low, per(energy, 400).high) == (0.45, 0.55)
    assert per_thousand(energy, 8000) == Quantity(25.0, 1.25, 2.0)
    assert per(energy, 0, "tokens") == Quantity(None, reason="no tokens")
    assert per_thousand(energy, 0).reason == "no characters"


def test_what_is_missing_stays_missing_with_its_reason() -> None:
    nothing = Quantity(None, reason="42 s measured, 60 s needed")
    assert per(nothing, 5) == per_thousand(nothing, 5) == per_correct(nothing, 1, 2) == nothing
    alone = Quantity(10.0, reason="one request")
    assert per(alone, 5) == Quantity(2.0, reason="one request")
    assert per_correct(alone, 5, 10) == Quantity(2.0, reason="one request")


def test_a_count_of_correct_answers_adds_its_own_uncertainty() -> None:
    found = per_correct(Quantity(200.0, 10.0, 2.0), 40, 100)
    # 5 % of the energy, and sqrt(1/40 - 1/100) = sqrt(0.015) = 12.25 % of the count.
    assert found.value == 5.0
    assert found.u == pytest.approx(5.0 * math.sqrt(0.05**2 + 0.015))
    counts = np.random.default_rng(2).binomial(400, 0.4, 200_000)
    simulated = (2000 / counts).std()
    assert per_correct(Quantity(2000.0, 0.0, 2.0), 160, 400).u == pytest.approx(simulated, rel=0.02)


def test_nothing_right_has_no_energy_per_correct_answer() -> None:
    energy = Quantity(200.0, 10.0, 2.0)
    assert per_correct(energy, 0, 100) == Quantity(None, reason="no correct answers")
    assert per_correct(energy, 100, 100) == Quantity(2.0, 0.1, 2.0)
    with pytest.raises(ValueError, match="101 correct answers of 100"):
        per_correct(energy, 101, 100)


def test_a_quantity_cannot_lack_something_without_a_reason() -> None:
    for wrong in ({"value": 1.0}, {"value": None}, {"value": 1.0, "u": 0.1, "coverage": 2.0, "reason": "why?"}):
        with pytest.raises(ValueError, match="reason"):
            Quantity(**wrong)
