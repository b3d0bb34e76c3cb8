"""Readings of a device: each has its unit, scope and label, a missing one its reason, and none passes for what it is not."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalsuite.analysis.device_tables import device_tables
from evalsuite.analysis.load import load_run
from evalsuite.analysis.readings import profile_readings
from evalsuite.records import CellStatus, Kind, MemoryPhase, Reading, ReadingLabel
from tests.synthetic import MODELS
from tests.synthetic_profile import MIB, DevicePlan, Meter, build_profiles

SMOL, GEMMA = MODELS
ONE = {SMOL: "One"}
GRID = {"g_per_kwh": 174.0, "place": "Spain (ESP)", "source": "a table", "year": 2023}
BARE = DevicePlan(models=ONE, meter=None, rounds=2, noisy=(), throttled=())
PLANS = {
    "whole": DevicePlan(grid=GRID),
    "estimated": replace(BARE, watts=7.5, grid=GRID),
    "estimated by its source": DevicePlan(models=ONE, codes=("en", "es"), meter=Meter(label="estimated"), grid=GRID),
    "bare": BARE,
    "too short": DevicePlan(models=ONE, codes=("en", "eu"), meter=Meter(block_s=20.0)),
    "disturbed": replace(BARE, noisy=(0, 1)),
    "no reference": replace(BARE, codes=("es", "eu")),
    "broken off": replace(
        BARE,
        row_hook=lambda _: None,
        facts={
            "status": CellStatus.FAILED, "context": None, "file_bytes": None, "loads": (), "buffers": {}, "curve": (),
            "thread_points": (), "memory": (MemoryPhase(phase="before the model", rss_anon=25 * MIB),),
        },
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("readings")
    return {name: build_profiles(folder / name.replace(" ", "-"), plan) for name, plan in PLANS.items()}


@pytest.fixture(scope="module")
def readings(paths: dict[str, Path]) -> dict[str, list[Reading]]:
    return {name: profile_readings(path) for name, path in paths.items()}


def find(found: list[Reading], name: str, language: str | None = None, **more: Any) -> Reading:
    wanted = {"name": name, "language": language, "model": SMOL, **more}
    if language is not None:
        wanted.setdefault("kind", Kind.CLASSIFICATION.value)
    (one,) = [r for r in found if wanted.items() <= r.model_dump().items()]
    return one


@pytest.mark.parametrize("plan", PLANS)
def test_every_reading_says_what_it_is(readings: dict[str, list[Reading]], plan: str) -> None:
    assert readings[plan]
    for one in readings[plan]:
        assert one.unit
        assert one.scope
        assert "None" not in one.scope
        assert one.model in MODELS
        assert (one.language is None) == (one.kind is None)
        if one.value is None:
            assert one.label is ReadingLabel.UNAVAILABLE
            assert one.reason
            assert (one.low, one.high) == (None, None)
        else:
            assert one.label is not ReadingLabel.UNAVAILABLE
            assert one.value > 0, one
        if one.low is not None:
            assert one.high is not None
            assert one.value is not None
            assert one.low <= one.value <= one.high


@pytest.mark.parametrize("plan", PLANS)
def test_no_two_readings_have_the_same_name(readings: dict[str, list[Reading]], plan: str) -> None:
    counts = Counter((r.name, r.model, r.language, r.kind) for r in readings[plan])
    assert [key for key, n in counts.items() if n > 1] == []


@pytest.mark.parametrize("plan", PLANS)
def test_readings_survive_json(readings: dict[str, list[Reading]], plan: str) -> None:
    text = json.dumps([r.model_dump(mode="json") for r in readings[plan]], allow_nan=False)
    assert [Reading.model_validate(row) for row in json.loads(text)] == readings[plan]


def test_a_name_has_one_unit(readings: dict[str, list[Reading]]) -> None:
    pairs = {(r.name, r.unit) for found in readings.values() for r in found}
    assert len(pairs) == len({name for name, _ in pairs})
    endings = {"_s": "s", "_bytes": "bytes", "_tokens_per_s": "tokens/s", "_chars_per_s": "characters/s"}
    for name, unit in pairs:
        for ending in sorted((e for e in endings if name.endswith(e)), key=len, reverse=True)[:1]:
            assert unit == endings[ending], name


def test_values_and_intervals_are_those_of_the_tables(paths, readings) -> None:
    tables = device_tables(load_run(paths["whole"]))
    found = readings["whole"]
    for row in tables.latencies:
        about = {"language": row.language, "model": row.model, "kind": row.kind.value}
        for name, estimate in (
            ("total_s.median", row.total.median),
            ("total_s.p95", row.total.p95),
            ("ttft_s.median", row.ttft.median),
            ("inter_token_s.p99", row.step.p99),
            ("prefill_tokens_per_s", row.prefill_rate),
            ("decode_tokens_per_s", row.decode_rate),
            ("decode_chars_per_s", row.decode_chars),
        ):
            one = find(found, name, **about)
            assert (one.value, one.low, one.high, one.n) == (estimate.value, estimate.low, estimate.high, estimate.n)
            assert one.reason == estimate.reason
        mean = find(found, "output_chars", **about)
        assert (mean.value, mean.unit, mean.n) == (row.output_chars, "characters", row.n)
    for spent in tables.energies:
        one = find(found, "energy_j.per_right_answer", spent.language, model=spent.model)
        each = spent.per_correct
        assert (one.value, one.low, one.high) == (each.value, each.low, each.high)
        assert (one.unit, one.scope, one.n) == ("J", "at the wall", spent.requests)
    for held in tables.memory:
        needed = find(found, "memory.needed_bytes", model=held.model)
        assert (needed.value, needed.scope) == (held.needed, held.basis)
        assert find(found, "memory.program_bytes", model=held.model).value == 25 * MIB
    assert find(found, "threads.4.prefill_tokens_per_s").value == pytest.approx(256 / 1.1)


def test_labels_of_a_measurement_and_of_what_is_made_from_it(readings: dict[str, list[Reading]]) -> None:
    whole = readings["whole"]
    for name in ("gross_per_request", "net_per_request", "per_token", "per_1000_characters", "per_right_answer"):
        assert find(whole, f"energy_j.{name}", "eu").label is ReadingLabel.MEASURED
    assert find(whole, "token_tax.time", "eu").label is ReadingLabel.MEASURED
    for name in ("token_tax.energy", "token_tax.memory", "carbon_g.per_1000_requests"):
        assert find(whole, name, "eu").label is ReadingLabel.DERIVED
    assert not [r for r in whole if r.label is ReadingLabel.ESTIMATED]
    assert find(whole, "carbon_g.per_1000_requests", "eu").reason == "174 g/kWh, Spain (ESP) (a table, 2023)"


@pytest.mark.parametrize("plan", ["estimated", "estimated by its source"])
def test_an_estimate_yields_estimates_alone(readings: dict[str, list[Reading]], plan: str) -> None:
    made = [r for r in readings[plan] if r.name.startswith(("energy_j", "carbon_g", "token_tax.energy"))]
    known = {r.name: r.label for r in made if r.value is not None and r.kind == Kind.CLASSIFICATION.value}
    assert known.keys() >= {"energy_j.gross_per_request", "carbon_g.per_1000_requests", "token_tax.energy"}
    assert {r.label for r in made} <= {ReadingLabel.ESTIMATED, ReadingLabel.UNAVAILABLE}
    assert set(known.values()) == {ReadingLabel.ESTIMATED}
    # What was timed stays measured.
    assert find(readings[plan], "total_s.median", "en").label is ReadingLabel.MEASURED


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        ("bare", "no power sensor was found, and no meter was named"),
        ("too short", "s measured, 60 s needed"),
    ],
)
def test_without_power_every_energy_says_why(readings: dict[str, list[Reading]], plan: str, reason: str) -> None:
    made = [r for r in readings[plan] if r.name.startswith("energy_j")]
    assert len(made) == 5 * len(PLANS[plan].codes)
    assert all(r.value is None and reason in (r.reason or "") for r in made)
    carbon = [r for r in readings[plan] if r.name.startswith("carbon_g")]
    assert {r.value for r in carbon} == {None}
    assert all(r.reason in ("no energy, so no carbon", reason) for r in carbon)
    assert {r.value for r in readings[plan] if r.name == "token_tax.energy"} == {None}


def test_carbon_without_a_grid_says_what_is_lacking(tmp_path: Path) -> None:
    found = profile_readings(build_profiles(tmp_path / "run", replace(BARE, watts=7.5)))
    assert find(found, "carbon_g.per_1000_requests", "en").reason == "no grid was named (--grid)"


def test_figures_of_disturbed_rounds_carry_what_disturbed_them(readings: dict[str, list[Reading]]) -> None:
    reason = "0.42 cores were busy with other processes"
    assert find(readings["disturbed"], "total_s.median", "eu").flags == (reason,)
    assert {r.flags for r in readings["bare"]} == {()}


def test_what_the_system_does_not_tell_is_missing_with_its_reason(readings: dict[str, list[Reading]]) -> None:
    whole, broken = readings["whole"], readings["broken off"]
    assert find(whole, "load_cold_s").reason == "97 % of the file stayed in the page cache"
    assert find(whole, "load_warm_s").value == 0.25
    assert find(whole, "memory.vram_bytes").reason == "no accelerator was used"
    for part in ("prefill_s", "decode_tokens_per_s", "peak_rss_bytes"):
        one = find(whole, f"curve.512.{part}")
        assert (one.value, one.reason) == (None, "the model was trained for 256 tokens")
        assert find(whole, f"curve.128.{part}").value is not None
    assert {r.name: r.value for r in broken if r.value is not None} == {"memory.program_bytes": 25 * MIB}
    assert find(broken, "memory.needed_bytes").reason == "the system does not tell it"
    assert find(broken, "load_warm_s").reason == "not measured"


def test_taxes_without_their_reference_are_missing_with_the_reason(readings: dict[str, list[Reading]]) -> None:
    taxes = [r for r in readings["no reference"] if r.name.startswith("token_tax")]
    assert len(taxes) == 4 * len(Kind) * 2
    assert {(r.value, r.reason) for r in taxes} == {(None, "the reference en was not measured")}


def test_a_run_without_profiles_has_no_readings(run_path: Path) -> None:
    assert profile_readings(run_path) == []
