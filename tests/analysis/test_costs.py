"""Costs of a correct answer: values by hand from the stored requests and scores, errors by the formulas they come from."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import pytest

from evalsuite.analysis import Run, load_run
from evalsuite.analysis.costs import CostRow, costs_per_correct
from evalsuite.analysis.energy_table import energies
from evalsuite.records import Cell, Kind, ReadingLabel, Record
from tests.synthetic import MODELS, Plan, build_run
from tests.synthetic_profile import NOISY, THROTTLED, DevicePlan, Meter, build_profiles, stored

MODEL = next(iter(MODELS))
ONE = {MODEL: MODELS[MODEL]}
Table = dict[tuple[str, str], CostRow]


def _hook(cell: Cell, record: Record) -> Record:
    """Topics: half right in English, a quarter in Spanish, none in Basque; facts as they are."""
    if not cell.task.startswith("toy_topics"):
        return record
    right = {"en": record.item_index % 2 == 0, "es": record.item_index % 4 == 0, "eu": False}[cell.language]
    return record.model_copy(update={"score": float(right)})


def _made(path: Path, device: DevicePlan) -> tuple[Path, Run]:
    plan = Plan(items=40, codes=("en", "es", "eu"), models=ONE, holes=False, record_hook=_hook)
    build_profiles(build_run(path / "run", plan), device)
    return path / "run", load_run(path / "run")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    return _made(tmp_path_factory.mktemp("runs"), DevicePlan(models=ONE))


@pytest.fixture(scope="module")
def table(made: tuple[Path, Run]) -> Table:
    return {(r.group, r.language): r for r in costs_per_correct(made[1])}


def _contents(path: Path, code: str) -> dict[str, float]:
    """Return the mean seconds of each classification in undisturbed rounds."""
    found: dict[str, list[float]] = {}
    for r in stored(path, MODEL)[1]:
        here = (r.block, r.language, r.kind) == ("latency", code, Kind.CLASSIFICATION)
        if here and r.round not in (NOISY, THROTTLED):
            found.setdefault(r.id, []).append(r.total_s)
    return {key: statistics.fmean(values) for key, values in found.items()}


def test_seconds_are_those_of_a_request_over_the_share_of_right_answers(made: tuple[Path, Run], table: Table) -> None:
    row, times = table["toy_topics", "es"], _contents(made[0], "es")
    assert (row.kind, row.score.value) == (Kind.CLASSIFICATION, 0.25)
    assert row.chance == pytest.approx(1 / 7)
    mean = statistics.fmean(times.values())
    assert row.seconds.per_request == pytest.approx(mean)
    assert row.seconds.per_correct.value == pytest.approx(mean / 0.25)
    # Delta method: the squares of both relative errors add up.
    error = math.sqrt(statistics.variance(times.values()) / len(times) / mean**2 + 0.75 / (39 * 0.25))
    found = row.seconds.per_correct
    assert found.low is not None and found.high is not None
    assert math.log(found.high / found.low) / 2 / error == pytest.approx(2.02, abs=0.03)
    assert found.low * found.high == pytest.approx((mean / 0.25) ** 2)


def test_the_ratio_to_the_reference_pairs_requests_and_items(made: tuple[Path, Run], table: Table) -> None:
    here, there = _contents(made[0], "es"), _contents(made[0], "en")
    cost = statistics.fmean(here.values()) / statistics.fmean(there.values())
    ratio = table["toy_topics", "es"].seconds.ratio
    assert ratio.value == pytest.approx(cost / (0.25 / 0.5))
    # Of 40 items 10 are right in both, 10 in English alone: the paired relative variance of the ratio of shares.
    errors = [(1 / 0.25 if i % 4 == 0 else 0) - (1 / 0.5 if i % 2 == 0 else 0) for i in range(40)]
    scores = sum(e * e for e in errors) / (39 * 40)
    a, b = statistics.fmean(here.values()), statistics.fmean(there.values())
    costs = sum((here[i] / a - there[i] / b) ** 2 for i in here) / (len(here) * (len(here) - 1))
    assert ratio.low is not None and ratio.high is not None
    assert math.log(ratio.high / ratio.low) / 2 / math.sqrt(scores + costs) == pytest.approx(2.02, abs=0.03)
    english = table["toy_topics", "en"].seconds.ratio
    assert (english.value, english.reason) == (None, "no reference")


def test_tokens_are_those_of_prompt_and_answer(made: tuple[Path, Run], table: Table) -> None:
    found = [
        r for r in stored(made[0], MODEL)[1]
        if (r.block, r.language, r.kind) == ("latency", "en", Kind.CLASSIFICATION) and r.round not in (NOISY, THROTTLED)
    ]  # fmt: skip
    by_content: dict[str, list[int]] = {}
    for r in found:
        by_content.setdefault(r.id, []).append(r.prompt_tokens + r.output_tokens)
    mean = statistics.fmean(statistics.fmean(v) for v in by_content.values())
    assert table["toy_topics", "en"].tokens.per_correct.value == pytest.approx(mean / 0.5)
    assert table["toy_topics", "en"].tokens.label is ReadingLabel.MEASURED


def test_joules_keep_label_and_scope_of_the_meter(made: tuple[Path, Run], table: Table) -> None:
    row = table["toy_topics", "es"]
    energy = next(e for e in energies(made[1].profiles) if (e.language, e.kind) == ("es", Kind.CLASSIFICATION))
    english = next(e for e in energies(made[1].profiles) if (e.language, e.kind) == ("en", Kind.CLASSIFICATION))
    assert (row.joules.label, row.joules.scope) == (ReadingLabel.MEASURED, "at the wall")
    assert energy.gross.value is not None and english.gross.value is not None
    assert row.joules.per_correct.value == pytest.approx(energy.gross.value / 0.25)
    assert row.joules.ratio.value == pytest.approx(energy.gross.value / english.gross.value * 2)
    assert row.joules.ratio.low is not None


def test_no_correct_answer_has_no_cost(table: Table) -> None:
    row = table["toy_topics", "eu"]
    for cost in (row.seconds, row.tokens, row.joules):
        assert cost.per_request is not None
        assert (cost.per_correct.value, cost.per_correct.reason) == (None, "no correct answer")
        assert cost.ratio.reason == "no correct answer here among the items of both"
    assert row.notes == ("the score is not shown to be above chance: what counts as right may be guessed",)
    assert table["toy_topics", "en"].notes == ()


def test_a_family_without_a_kind_of_request_says_so(table: Table) -> None:
    row = table["toy_facts", "en"]
    assert row.kind is None
    assert row.seconds.label is ReadingLabel.UNAVAILABLE
    assert row.seconds.per_correct.reason == "no kind of request in a profile stands for facts tasks"
    assert row.score.value is not None


def test_an_estimate_stays_an_estimate_and_has_no_interval(tmp_path: Path) -> None:
    _, run = _made(tmp_path, DevicePlan(models=ONE, meter=None, watts=6.5, rounds=3, noisy=(), throttled=()))
    row = next(r for r in costs_per_correct(run) if (r.group, r.language) == ("toy_topics", "es"))
    assert row.joules.label is ReadingLabel.ESTIMATED
    assert row.joules.per_request == pytest.approx(6.5 * (row.seconds.per_request or 0))
    assert row.joules.per_correct.reason == "an estimate has no interval"
    assert row.joules.ratio.value is not None


def test_what_was_not_measured_on_the_device_has_a_reason(tmp_path: Path) -> None:
    device = DevicePlan(models=ONE, codes=("es",), meter=Meter(samples=False), rounds=3, noisy=(0, 1, 2), throttled=())
    _, run = _made(tmp_path, device)
    rows = {r.language: r for r in costs_per_correct(run) if r.group == "toy_topics"}
    assert rows["eu"].seconds.per_correct.reason == "the device was not measured in this language"
    assert rows["es"].seconds.ratio.reason == "the reference was not measured with the same requests"
    assert rows["es"].joules.label is ReadingLabel.UNAVAILABLE
    assert "gave no value" in (rows["es"].joules.per_correct.reason or "")
    assert any("disturbed rounds" in note for note in rows["es"].notes)


def test_part_scores_have_no_right_answers(tmp_path: Path) -> None:
    def part(cell: Cell, record: Record) -> Record:
        return record.model_copy(update={"score": 0.5})

    plan = Plan(items=5, codes=("en", "es"), models=ONE, holes=False, record_hook=part)
    device = DevicePlan(models=ONE, codes=("en", "es"), meter=None, rounds=2, noisy=(), throttled=())
    build_profiles(build_run(tmp_path / "run", plan), device)
    row = next(
        r for r in costs_per_correct(load_run(tmp_path / "run")) if (r.group, r.language) == ("toy_topics", "es")
    )
    reason = "acc gives part scores, so that no answer is simply right"
    assert row.seconds.per_correct.reason == row.seconds.ratio.reason == reason
    assert row.seconds.per_request is not None


def test_a_run_without_a_profile_has_no_costs(run: Run) -> None:
    assert costs_per_correct(run) == ()
