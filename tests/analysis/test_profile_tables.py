"""Tables of a device, against values worked out from the stored requests and the power curve by other means."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from evalsuite.analysis.device_fit import FitVerdict
from evalsuite.analysis.device_tables import DeviceTables, device_tables
from evalsuite.analysis.energy_table import energies
from evalsuite.analysis.load import load_run
from evalsuite.catalog.devices import load_budgets
from evalsuite.records import CellStatus, Kind, MeterFound, ReadingLabel, RequestRow, Stretch
from evalsuite.stats.intervals import Estimate
from tests.synthetic import MODELS
from tests.synthetic_profile import MIB, NOISY, THROTTLED, DevicePlan, Meter, build_profiles, idle_w, joules, stored

SMOL, GEMMA = MODELS
ONE = {SMOL: "One"}
CODES = ("en", "es", "eu")
DISTURBED = {NOISY, THROTTLED}
QUICK = DevicePlan(models=ONE, meter=None)
known = cache(stored)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_profiles(tmp_path_factory.mktemp("profiles") / "run", DevicePlan(grid=GRID))


@pytest.fixture(scope="module")
def tables(path: Path) -> Any:
    return device_tables(load_run(path))


GRID = {"g_per_kwh": 174.0, "place": "Spain (ESP)", "source": "a table", "year": 2023}


def made(tmp_path: Path, plan: DevicePlan, **changes: Any) -> Any:
    return device_tables(load_run(build_profiles(tmp_path / "run", replace(plan, **changes))))


def timed(path: Path, model: str, code: str, kind: Kind) -> list[RequestRow]:
    """The requests of undisturbed rounds."""
    rows = [r for r in known(path, model)[1] if (r.block, r.language, r.kind) == ("latency", code, kind)]
    return [r for r in rows if r.round not in DISTURBED]


def ends(estimate: Estimate) -> tuple[float | None, float | None]:
    return estimate.low, estimate.high


# --- times and rates


@pytest.mark.parametrize("model", [SMOL, GEMMA])
@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("code", CODES)
def test_medians_and_rates_are_those_of_the_undisturbed_requests(path, tables, model, kind, code) -> None:
    (row,) = [r for r in tables.latencies if (r.model, r.kind, r.language) == (model, kind, code)]
    kept = timed(path, model, code, kind)
    per_round = 3 if kind is Kind.CLASSIFICATION else 1
    assert (row.n, row.apart, row.flagged) == (8 * per_round, 2 * per_round, ())
    assert row.total.median.value == pytest.approx(np.median([r.total_s for r in kept]))
    assert row.ttft.median.value == pytest.approx(np.median([r.ttft_s for r in kept]))
    assert row.step.median.value == pytest.approx(np.median(np.concatenate([r.steps_s for r in kept])))
    assert row.prefill_rate.value == pytest.approx(np.median([r.prompt_tokens / r.prefill_s for r in kept]))
    speeds = np.array([1 / np.mean(r.steps_s) for r in kept])
    assert row.decode_rate.value == pytest.approx(np.median(speeds))
    letters = np.array([r.output_chars / r.output_tokens for r in kept])
    assert row.decode_chars.value == pytest.approx(np.median(speeds * letters))
    for name in ("prompt_tokens", "output_tokens", "prompt_chars", "prompt_bytes", "output_chars"):
        assert getattr(row, name) == pytest.approx(np.mean([getattr(r, name) for r in kept]))
    right = [r.right for r in kept if r.right is not None]
    assert row.right == ((sum(right), len(right)) if kind is Kind.CLASSIFICATION else None)


def test_there_is_a_row_for_every_model_kind_and_language(tables: Any) -> None:
    keys = [(r.model, r.kind, r.language) for r in tables.latencies]
    assert keys == [(model, kind, code) for model in MODELS for kind in Kind for code in CODES]


def test_intervals_of_quantiles_are_those_of_scipy(path: Path, tables: Any) -> None:
    for row in tables.latencies:
        kept = timed(path, row.model, row.language, row.kind)
        values = [r.total_s for r in kept]
        tested: Any = stats.quantile_test(values, p=0.5)
        assert ends(row.total.median) == pytest.approx(tuple(tested.confidence_interval(0.95)))
        steps = np.concatenate([r.steps_s for r in kept])
        if len(steps) >= 100:
            assert row.step.p99.value == pytest.approx(np.percentile(steps, 99))
        if len(values) >= 20:
            assert row.total.p95.value == pytest.approx(np.percentile(values, 95))
        else:
            assert (row.total.p95.value, row.total.p95.reason) == (None, "8 values, 20 needed for p95")
        assert (row.total.p99.value, row.total.p99.reason) == (None, f"{len(values)} values, 100 needed for p99")


def test_a_request_that_gives_one_token_has_no_speed_of_answering(tmp_path: Path) -> None:
    def short(row: RequestRow) -> RequestRow:
        return row.model_copy(update={"steps_s": (), "output_tokens": 1, "total_s": row.ttft_s})

    tables = made(tmp_path, QUICK, row_hook=short)
    for row in tables.latencies:
        for lacking in (row.decode_rate, row.decode_chars, row.step.median):
            assert (lacking.value, lacking.reason) == (None, "no values")
        assert row.total.median.value == row.ttft.median.value


@pytest.mark.parametrize(
    ("noisy", "throttled", "reasons"),
    [
        ((0, 1), (), ("0.42 cores were busy with other processes",)),
        ((0,), (1,), ("0.42 cores were busy with other processes", "the frequency limit fell")),
        ((0, 1), (1,), ("0.42 cores were busy with other processes", "the frequency limit fell")),
    ],
)
def test_disturbed_rounds_are_used_and_flagged_where_there_are_no_others(tmp_path, noisy, throttled, reasons) -> None:
    tables = made(tmp_path, QUICK, rounds=2, noisy=noisy, throttled=throttled)
    assert {(r.n, r.apart, r.flagged) for r in tables.latencies} == {(6, 0, reasons), (2, 0, reasons)}


def test_a_round_of_which_nothing_is_known_counts_as_undisturbed(tmp_path: Path) -> None:
    # A system that does not tell must not lose all its rounds, nor a reason why it cannot tell pass for a disturbance.
    def unknown(number: int) -> Stretch:
        return Stretch(
            block="latency", round=number, sitting=0, start_ns=0, end_ns=1, noisy=None, noise=("no /proc",)
        )  # fmt: skip

    tables = made(tmp_path, QUICK, rounds=2, facts={"stretches": (unknown(0), unknown(1))})
    assert {(r.n, r.apart, r.flagged) for r in tables.latencies} == {(6, 0, ()), (2, 0, ())}


def test_a_noisy_block_of_energy_takes_no_round_away(tmp_path: Path) -> None:
    noisy = Stretch(block="energy", round=0, sitting=0, start_ns=0, end_ns=1, noisy=True, noise=("work",))
    tables = made(tmp_path, QUICK, rounds=1, facts={"stretches": (noisy,)})
    assert {(r.n, r.apart, r.flagged) for r in tables.latencies} == {(3, 0, ()), (1, 0, ())}
    round_ = noisy.model_copy(update={"block": "latency", "noise": ("swap",)})
    tables = device_tables(
        load_run(build_profiles(tmp_path / "both", replace(QUICK, rounds=1, facts={"stretches": (noisy, round_)})))
    )
    assert {r.flagged for r in tables.latencies} == {("swap",)}


def test_rounds_of_another_sitting_are_told_apart(tmp_path: Path) -> None:
    # Round 1 of the first sitting was noisy; it was asked again in the second one, which was quiet.
    def again(row: RequestRow) -> RequestRow:
        return row.model_copy(update={"sitting": 1})

    noisy = Stretch(block="latency", round=1, sitting=0, start_ns=0, end_ns=1, noisy=True, noise=("work",))
    tables = made(tmp_path, QUICK, rounds=2, row_hook=again, facts={"stretches": (noisy,)})
    assert {(r.apart, r.flagged) for r in tables.latencies} == {(0, ())}


# --- token tax


@pytest.mark.parametrize("model", [SMOL, GEMMA])
@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("code", ["es", "eu"])
def test_taxes_pair_the_same_content_in_the_same_round(path, tables, model, kind, code) -> None:
    (row,) = [r for r in tables.taxes if (r.model, r.kind, r.language) == (model, kind, code)]
    assert row.reference == "en"
    here, there = (
        sorted(timed(path, model, one, kind), key=lambda r: (r.round, r.id)) for one in (code, "en")
    )  # fmt: skip
    assert [(r.round, r.id) for r in here] == [(r.round, r.id) for r in there]
    for found, measure in (
        (row.time, lambda r: r.total_s),
        (row.tokens, lambda r: r.prompt_tokens + r.output_tokens),
    ):
        # The same content in several rounds is one item.
        logs: dict[str, list[float]] = {}
        for a, b in zip(here, there, strict=True):
            logs.setdefault(a.id, []).append(np.log(measure(a) / measure(b)))
        ratios = [np.exp(np.mean(values)) for values in logs.values()]
        assert found.value == pytest.approx(stats.gmean(ratios))
        low, high = stats.ttest_1samp(np.log(ratios), 0).confidence_interval(0.95)
        assert ends(found) == pytest.approx((np.exp(low), np.exp(high)))
        assert found.n == len(ratios)


def test_a_tax_leaves_out_what_only_one_language_was_asked(tmp_path: Path) -> None:
    # In Spanish the classifications of round 0 are missing; all that are left are twice as slow as in English.
    def hook(row: RequestRow) -> RequestRow | None:
        if (row.language, row.kind, row.round) == ("es", Kind.CLASSIFICATION, 0):
            return None
        factor = (10 if row.round == 0 else 1) * (2 if row.language == "es" else 1)
        return row.model_copy(update={"total_s": 0.5 * factor})

    tables = made(tmp_path, QUICK, rounds=3, noisy=(), throttled=(), row_hook=hook)
    row = next(r for r in tables.taxes if (r.language, r.kind) == ("es", Kind.CLASSIFICATION))
    assert (row.time.value, row.time.n) == (pytest.approx(2.0), 6)
    eu = next(r for r in tables.taxes if (r.language, r.kind) == ("eu", Kind.CLASSIFICATION))
    assert (eu.time.value, eu.time.n) == (pytest.approx(1.0), 9)


def test_the_reference_pays_no_tax_and_a_reference_that_was_not_measured_gives_reasons(tmp_path: Path, tables) -> None:
    assert {r.language for r in tables.taxes} == {"es", "eu"}
    rows = made(tmp_path, QUICK, codes=("es", "eu")).taxes
    assert {(r.language, r.reference) for r in rows} == {("es", "en"), ("eu", "en")}
    for row in rows:
        for lacking in (row.tokens, row.time, row.energy):
            assert (lacking.value, lacking.reason) == (None, "the reference en was not measured")


# --- energy


def spent(path: Path, model: str, code: str) -> tuple[list[RequestRow], float, float]:
    """The requests of a block, what they took by the closed form, and what the idle device would have."""
    facts, rows = known(path, model)
    block = [r for r in rows if (r.block, r.language) == ("energy", code)]
    spans = [(r.start_ns / 1e9, r.end_ns / 1e9) for r in block]
    powers = [joules(a / 1e9, b / 1e9, idle=True) / ((b - a) / 1e9) for a, b in facts.idle]
    return block, sum(joules(*span) for span in spans), float(np.mean(powers)) * sum(b - a for a, b in spans)


def contains(quantity, value: float) -> bool:
    return quantity.low is not None and quantity.low <= value <= quantity.high


@pytest.mark.parametrize("model", [SMOL, GEMMA])
@pytest.mark.parametrize("code", CODES)
def test_joules_are_those_of_the_closed_form(path: Path, tables: Any, model: str, code: str) -> None:
    (row,) = [r for r in tables.energies if (r.model, r.language) == (model, code)]
    block, gross, idle = spent(path, model, code)
    assert (row.label, row.scope, row.kind) == (ReadingLabel.MEASURED, "at the wall", Kind.CLASSIFICATION)
    assert (row.requests, row.flags, row.fix) == (len(block), (), None)
    judged = {r.id: r.right is True for r in block}
    right, share = sum(judged.values()), len(block) / len(judged)
    for found, exact in (
        (row.gross, gross / len(block)),
        (row.net, (gross - idle) / len(block)),
        (row.per_token, gross / sum(r.prompt_tokens + r.output_tokens for r in block)),
        (row.per_thousand_chars, 1000 * gross / sum(r.prompt_chars + r.output_chars for r in block)),
        (row.per_correct, gross / share / right),
    ):
        assert found.value == pytest.approx(exact, rel=0.01)
        assert contains(found, exact)
        # And not because it is as wide as the world; a right answer is one of twelve messages.
        assert found.high - found.low < (1.0 if found is row.per_correct else 0.5) * exact
    assert 0 < right < len(judged)
    assert row.per_correct.u / row.per_correct.value > row.gross.u / row.gross.value
    assert row.mean_w == pytest.approx(gross / sum(r.total_s for r in block), rel=0.01)
    for watts in row.idle_w:
        assert watts == pytest.approx(idle_w(0), rel=0.02)


def test_a_counter_gives_the_same_joules(tmp_path: Path) -> None:
    tables = made(tmp_path, DevicePlan(models=ONE, meter=Meter(kind="counter", accuracy=None)))
    for row in tables.energies:
        block, gross, idle = spent(tmp_path / "run", SMOL, row.language)
        assert row.gross.value == pytest.approx(gross / len(block), rel=0.01)
        assert row.net.value == pytest.approx((gross - idle) / len(block), rel=0.01)
        assert contains(row.gross, gross / len(block))


def test_the_label_is_that_of_the_source(tmp_path: Path) -> None:
    tables = made(tmp_path, DevicePlan(models=ONE, meter=Meter(label="derived")))
    assert {r.label for r in tables.energies} == {ReadingLabel.DERIVED}


def test_the_energy_tax_is_the_ratio_of_joules(path: Path, tables: Any) -> None:
    for row in tables.taxes:
        if row.kind is not Kind.CLASSIFICATION:
            assert (row.energy.value, row.energy.reason) == (None, "no power was measured")
            continue
        each = [joule / len(block) for block, joule, _ in (spent(path, row.model, c) for c in (row.language, "en"))]
        assert row.energy.value == pytest.approx(each[0] / each[1], rel=0.01)
        assert contains(row.energy, each[0] / each[1])
        here, there = (
            next(r.gross for r in tables.energies if (r.model, r.language) == (row.model, c))
            for c in (row.language, "en")
        )
        assert row.energy.u is not None
        # Relative variances of independent quantities add.
        relative = np.hypot(here.u / here.value, there.u / there.value)
        assert row.energy.u / row.energy.value == pytest.approx(relative)
        requests = len(spent(path, row.model, row.language)[0])
        assert row.energy.coverage == pytest.approx(stats.t.ppf(0.975, requests - 1))


def test_carbon_is_made_of_joules_and_the_grid(tables: Any) -> None:
    for row in tables.energies:
        assert row.carbon_g == pytest.approx(1000 * row.gross.value / 3.6e6 * 174)
        assert row.carbon_note == "174 g/kWh, Spain (ESP) (a table, 2023)"


@pytest.mark.parametrize(
    ("meter", "reasons"),
    [
        # The fastest language's block is the shortest: 1.1 times 46 s and a little, by its lengths.
        (Meter(block_s=46.0), ("s measured, 60 s needed",)),
        (Meter(idle_s=30.0), ("idle before: 30 s measured, 60 s needed", "idle after: 30 s measured, 60 s needed")),
    ],
)
def test_what_was_too_short_has_no_figure_but_value_and_need(tmp_path: Path, meter: Meter, reasons) -> None:
    row = made(tmp_path, DevicePlan(models=ONE, meter=meter, codes=("en",))).energies[0]
    assert (row.label, row.carbon_g, row.mean_w) == (ReadingLabel.UNAVAILABLE, None, None)
    assert row.fix is not None
    assert "--energy-s" in row.fix
    for lacking in (row.gross, row.net, row.per_token, row.per_thousand_chars, row.per_correct):
        assert lacking.value is None
        assert all(reason in lacking.reason for reason in reasons)
    if meter.block_s == 46.0:
        block = [r for r in stored(tmp_path / "run", SMOL)[1] if r.block == "energy"]
        cut = np.floor(10 * sum(r.end_ns - r.start_ns for r in block) / 1e9) / 10
        assert row.gross.reason == f"{cut:g} s measured, 60 s needed"


@pytest.mark.parametrize(("kept", "reason"), [(0, "idle before: not measured"), (1, "idle after: not measured")])
def test_without_idle_time_there_is_no_figure(tmp_path: Path, kept: int, reason: str) -> None:
    plan = DevicePlan(models=ONE, codes=("en",))
    facts, _ = stored(build_profiles(tmp_path / "whole", plan), SMOL)
    row = made(tmp_path, plan, facts={"idle": facts.idle[:kept]}).energies[0]
    assert (row.gross.value, row.label) == (None, ReadingLabel.UNAVAILABLE)
    assert f"{reason}, 60 s needed" in row.gross.reason


def test_a_block_of_a_sitting_that_broke_off_is_not_held_against_the_idle_time_of_the_next(tmp_path: Path) -> None:
    # Interrupted in its blocks, begun again, interrupted after the idle time: blocks of the former are all there is.
    plan = DevicePlan(models=ONE, codes=("en",))
    _, rows = stored(build_profiles(tmp_path / "whole", plan), SMOL)
    later = max(r.end_ns for r in rows) + 10**9
    row = made(tmp_path, plan, facts={"idle": ((later, later + 65 * 10**9),), "sittings": 2}).energies[0]
    assert row.gross.value is None
    assert "idle before: not measured, 60 s needed" in row.gross.reason


def test_energy_is_of_the_last_sitting_alone(tmp_path: Path) -> None:
    # The first blocks were interrupted, and asked again in the next sitting.
    def early(row: RequestRow) -> RequestRow:
        first = row.block == "energy" and row.start_ns < 250 * 10**9
        return row.model_copy(update={"sitting": 0 if first else 1})

    row = made(
        tmp_path, DevicePlan(models=ONE, codes=("en",), meter=Meter(block_s=150.0, sitting=1)), row_hook=early
    ).energies[0]
    block = [r for r in stored(tmp_path / "run", SMOL)[1] if r.block == "energy"]
    late = [r for r in block if r.sitting == 1]
    assert 0 < len(late) < len(block)
    assert row.requests == len(late)
    assert row.gross.value == pytest.approx(
        sum(joules(r.start_ns / 1e9, r.end_ns / 1e9) for r in late) / len(late), rel=0.01
    )


def test_nothing_is_counted_across_a_counter_that_was_reset(tmp_path: Path) -> None:
    """What passed between the last value before and the first one after is lost, so the block has no figure."""
    plan = DevicePlan(models=ONE, codes=("en",), meter=Meter(kind="counter", accuracy=None))
    run = load_run(build_profiles(tmp_path / "run", plan))
    (profile,) = run.profiles
    block = profile.block("en", Kind.CLASSIFICATION)
    middle = (block[0].start_ns + block[-1].end_ns) // 2
    power = tuple(
        row.model_copy(update={"flags": ("counter_reset",)}) if middle <= row.t_ns < middle + 10**9 else row
        for row in profile.power
    )
    whole, broken = energies([profile])[0], energies([replace(profile, power=power)])[0]
    assert whole.label is ReadingLabel.MEASURED
    assert (broken.gross.value, broken.label) == (None, ReadingLabel.UNAVAILABLE)
    assert "counter" in (broken.gross.reason or "")


def test_what_disturbed_a_block_stands_beside_its_joules(tmp_path: Path) -> None:
    run = load_run(build_profiles(tmp_path / "run", DevicePlan(models=ONE, codes=("en",))))
    (profile,) = run.profiles
    stretches = tuple(
        one.model_copy(update={"throttled": True, "throttle_reasons": ("it was hot",)})
        if one.block == "energy"
        else one
        for one in profile.facts.stretches
    )
    hot = replace(profile, facts=profile.facts.model_copy(update={"stretches": stretches}))
    assert energies([profile])[0].flags == ()
    assert energies([hot])[0].flags == ("it was hot",)


@pytest.mark.parametrize(
    ("plan", "reason", "fix"),
    [
        (QUICK, "no power sensor was found, and no meter was named", "--meter"),
        (replace(QUICK, meters=("none",)), "power was not asked for (--meter none)", "--meter"),
        (
            replace(QUICK, meter=Meter(samples=False, failures=("the plug does not answer",))),
            "the power meter plug gave no value; the plug does not answer",
            "--meter",
        ),
        (
            replace(
                QUICK,
                meters=("log",),
                found=(MeterFound(name="log", available=False, told="the log is not imported", fix="import it"),),
            ),
            "the log of the meter was not imported yet",
            "evalsuite meter import",
        ),
    ],
    ids=["no meter", "not asked for", "no value", "log to come"],
)
def test_without_a_meter_nothing_is_made_up(tmp_path: Path, plan: DevicePlan, reason: str, fix: str) -> None:
    rows = made(tmp_path, plan).energies
    assert [r.language for r in rows] == list(CODES)
    for row in rows:
        assert (row.label, row.gross.value, row.net.value, row.carbon_g) == (ReadingLabel.UNAVAILABLE, None, None, None)
        assert (row.gross.reason, row.per_correct.reason, row.mean_w, row.idle_w) == (
            reason,
            reason,
            None,
            (None, None),
        )
        assert row.fix is not None
        assert fix in row.fix


def test_a_meter_that_failed_on_the_way_says_so(tmp_path: Path) -> None:
    failing = Meter(block_s=46.0, failures=("the plug does not answer", "again"))
    (row,) = made(tmp_path, DevicePlan(models=ONE, meter=failing, codes=("en",))).energies
    assert row.gross.reason.endswith("s measured, 60 s needed; the plug does not answer")


def test_watts_that_the_user_gave_make_an_estimate_and_never_a_measurement(tmp_path: Path) -> None:
    tables = made(tmp_path, QUICK, watts=7.5, grid=GRID)
    for row in tables.energies:
        kept = timed(tmp_path / "run", SMOL, row.language, Kind.CLASSIFICATION)
        each = 7.5 * np.mean([r.total_s for r in kept])
        assert (row.label, row.requests, row.fix) == (ReadingLabel.ESTIMATED, len(kept), None)
        assert row.scope == "7.5 W given by the user × measured time"
        assert row.gross.value == pytest.approx(each)
        assert (row.gross.low, row.gross.reason) == (None, "an estimate has no interval")
        assert (row.net.value, row.net.reason) == (None, "an estimate from one power has no idle part")
        tokens = np.mean([r.prompt_tokens + r.output_tokens for r in kept])
        assert row.per_token.value == pytest.approx(each / tokens)
        chars = np.mean([r.prompt_chars + r.output_chars for r in kept])
        assert row.per_thousand_chars.value == pytest.approx(1000 * each / chars)
        assert row.per_correct.value == pytest.approx(each / np.mean([r.right is True for r in kept]))
        assert row.carbon_g == pytest.approx(1000 * each / 3.6e6 * 174)
        assert (row.mean_w, row.idle_w) == (7.5, (None, None))


def test_a_meter_is_worth_more_than_an_estimate(tmp_path: Path) -> None:
    tables = made(tmp_path, DevicePlan(models=ONE, codes=("en",), watts=7.5))
    assert {r.label for r in tables.energies} == {ReadingLabel.MEASURED}


# --- memory


def test_memory_is_given_part_by_part(tables: Any) -> None:
    first, second = tables.memory
    assert (first.model, first.context, first.file) == (SMOL, 768, 98_000_000)
    assert (first.weights, first.cache, first.compute, first.program) == (90 * MIB, 20 * MIB, 30 * MIB, 25 * MIB)
    assert (first.anonymous, first.vram, first.peak_rss) == (114 * MIB, None, 260 * MIB)
    assert first.needed == (110 + 4 + 90) * MIB
    assert second.needed == (220 + 4 + 180) * MIB
    assert first.load_cold == (None, "97 % of the file stayed in the page cache")
    assert first.load_warm == (0.25, None)


def proof(**changes: Any) -> dict[str, Any]:
    return {
        "needed_bytes": 200 * MIB, "limit_bytes": 210 * MIB, "method": "cgroup2", "held": True, "oom_killed": False,
        "slower": 0.01, "proven": True, **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("found", "proven", "basis"),
    [
        (
            proof(),
            True,
            "proven: served the longest requests under a limit of 210 MiB (cgroup2), as fast as without",
        ),
        (
            proof(held=False, oom_killed=True, proven=False),
            False,
            "observed peak: under a limit of 210 MiB it was ended by the system, so it needs more",
        ),
        (
            proof(held=False, proven=False, slower=None),
            False,
            "observed peak: under a limit of 210 MiB it did not get to its end",
        ),
        (
            proof(slower=0.124, proven=False),
            False,
            "observed peak: under a limit of 210 MiB it served the requests, but 12 % slower than without",
        ),
        (
            proof(slower=None, proven=False),
            False,
            "observed peak: under a limit of 210 MiB it served the requests, but how fast is not known",
        ),
        ({"reason": "no memory group can be made"}, False, "observed peak: no memory group can be made"),
        (None, False, "observed peak: no run under a limit was made"),
    ],
    ids=["proven", "killed", "not ended", "slower", "speed unknown", "no cap", "not asked for"],
)
def test_what_is_needed_says_on_what_it_rests(tmp_path: Path, found, proven: bool, basis: str) -> None:
    (row,) = made(tmp_path, QUICK, rounds=1, facts={"memory_proof": found}).memory
    assert (row.proven, row.basis) == (proven, basis)
    assert row.needed == 204 * MIB


@pytest.mark.parametrize("lacking", ["rss_anon", "weights_mapped"])
def test_a_part_that_was_not_measured_leaves_the_need_unknown(tmp_path: Path, lacking: str) -> None:
    facts, _ = stored(build_profiles(tmp_path / "whole", replace(QUICK, rounds=1)), SMOL)
    phases = tuple(phase.model_copy(update={lacking: None}) for phase in facts.memory)
    tables = made(tmp_path, QUICK, rounds=1, facts={"memory": phases, "buffers": {}, "loads": ()})
    (row,) = tables.memory
    assert (row.needed, row.cache, row.compute) == (None, None, None)
    assert (row.load_cold, row.load_warm) == ((None, "not measured"), (None, "not measured"))
    assert {fit.verdict for fit in tables.fits[0].fits} == {FitVerdict.UNKNOWN}


def test_an_accelerators_memory_counts(tmp_path: Path) -> None:
    facts, _ = stored(build_profiles(tmp_path / "whole", replace(QUICK, rounds=1)), SMOL)
    phases = tuple(phase.model_copy(update={"vram": 500 * MIB}) for phase in facts.memory)
    (row,) = made(tmp_path, QUICK, rounds=1, facts={"memory": phases}).memory
    assert (row.vram, row.needed) == (500 * MIB, 704 * MIB)


def test_what_fits_is_told_for_every_device(tables: Any) -> None:
    budgets = load_budgets()
    assert [row.name for row in tables.fits] == [SMOL, GEMMA]
    for row, held in zip(tables.fits, tables.memory, strict=True):
        assert [fit.budget for fit in row.fits] == list(budgets.values())
        for fit in row.fits:
            share = held.needed / fit.budget.free_bytes
            assert fit.verdict.value == ("fits" if share <= 0.8 else "tight" if share <= 1 else "does not fit")
            assert fit.margin_bytes == fit.budget.free_bytes - held.needed


# --- contexts and threads


def test_a_point_of_the_curve_has_rates_and_one_without_a_value_its_reason(tables: Any) -> None:
    points = [p for p in tables.curve if p.model == GEMMA]
    whole, lacking = points
    assert (whole.tokens, whole.prefill_s, whole.prefill_rate) == (128, 1.0, 128.0)
    assert whole.decode_rate.value == pytest.approx(25.0)  # the median of 1/0.02, 1/0.04 and 1/0.05
    assert (whole.cache, whole.peak_rss, whole.reason) == (4 * MIB, 200 * MIB, None)
    assert (lacking.tokens, lacking.prefill_s, lacking.prefill_rate, lacking.peak_rss) == (512, None, None, None)
    assert lacking.decode_rate.value is None
    assert lacking.reason == lacking.decode_rate.reason == "the model was trained for 256 tokens"


def test_threads_are_compared_by_the_median_of_repeats(tables: Any) -> None:
    one, four = (t for t in tables.threads if t.model == SMOL)
    assert (one.threads, four.threads) == (1, 4)
    assert one.prefill_rate.value == pytest.approx(256 / 4.1)
    assert four.prefill_rate.value == pytest.approx(256 / 1.1)
    assert (one.decode_rate.value, four.decode_rate.value) == (pytest.approx(1 / 0.09), pytest.approx(25))


# --- what is not whole


def test_a_profile_that_was_never_begun_is_no_part_of_the_tables(tmp_path: Path) -> None:
    path = build_profiles(tmp_path / "run", replace(QUICK, models=None))
    for file in (path / "profiles" / f"{GEMMA}.0123456789").iterdir():
        file.unlink()
    tables = device_tables(load_run(path))
    assert {r.model for r in tables.latencies} == {r.model for r in tables.memory} == {SMOL}


def test_a_profile_that_broke_off_before_its_requests_has_no_rows_and_no_zeros(tmp_path: Path) -> None:
    facts = {
        "status": CellStatus.FAILED,
        "reason": "the engine crashed",
        "memory": (),
        "curve": (),
        "thread_points": (),
    }
    tables = made(tmp_path, QUICK, row_hook=lambda _: None, facts=facts)
    assert tables == DeviceTables((), (), (), (), (), (), ())


def test_a_run_without_profiles_has_empty_tables(run) -> None:
    assert device_tables(run) == DeviceTables((), (), (), (), (), (), ())
