"""Dominance against a search of all pairs; which cost stands for which score; what is not compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalsuite.analysis import Run, load_run
from evalsuite.analysis.device_tables import DeviceTables, device_tables
from evalsuite.analysis.language_index import language_indices
from evalsuite.analysis.score_table import scores
from evalsuite.analysis.tradeoffs import Measure, TradeoffRow, front, tradeoffs
from evalsuite.records import Kind, ReadingLabel
from evalsuite.stats.estimate import Estimate
from tests.synthetic import MODELS, Plan, build_run
from tests.synthetic_profile import DevicePlan, build_profiles

SMOL, GEMMA = MODELS
CODES = ("en", "es", "eu")


def dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] >= other[0] and one[1] <= other[1]


@pytest.mark.parametrize("seed", range(40))
def test_the_front_is_what_a_search_of_all_pairs_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Few distinct values, so that ties in one number and equal points occur.
    points = [(float(s), float(c)) for s, c in rng.integers(0, 5, size=(rng.integers(0, 12), 2))]
    expected = [not any(dominates(other, one) for other in points) for one in points]
    assert front(points) == expected


def test_equal_points_do_not_dominate_each_other() -> None:
    assert front([(0.5, 2.0), (0.5, 2.0), (0.5, 3.0), (0.4, 2.0)]) == [True, True, False, False]
    assert front([]) == []


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = build_run(tmp_path_factory.mktemp("traded") / "run", Plan(items=30, codes=CODES, holes=False))
    return load_run(build_profiles(path, DevicePlan(codes=CODES)))


@pytest.fixture(scope="module")
def device(run: Run) -> DeviceTables:
    return device_tables(run)


def made(run: Run, device: DeviceTables) -> tuple[TradeoffRow, ...]:
    return tradeoffs(run, scores(run), language_indices(run, differences=False), device)


@pytest.fixture(scope="module")
def rows(run: Run, device: DeviceTables) -> tuple[TradeoffRow, ...]:
    return made(run, device)


def test_every_row_has_the_score_and_the_cost_of_the_other_tables(
    run: Run, device: DeviceTables, rows: tuple[TradeoffRow, ...]
) -> None:
    known = {(r.model, r.task): r.estimate for r in scores(run)}
    times = {(r.model, r.language): r.total.median for r in device.latencies if r.kind is Kind.CLASSIFICATION}
    joules = {(r.model, r.language): r.gross for r in device.energies if r.kind is Kind.CLASSIFICATION}
    needs = {r.model: r.needed for r in device.memory}
    assert {r.measure for r in rows} == set(Measure)
    of_tasks = [row for row in rows if row.group]
    # One of the two groups is of a family that a kind of request stands for.
    assert {row.group for row in of_tasks} == {"toy_topics"}
    assert len(of_tasks) == len(MODELS) * len(CODES) * len(Measure)
    for row in of_tasks:
        assert row.score == known[row.model, row.task]
        assert row.requests is Kind.CLASSIFICATION
        if row.measure is Measure.SECONDS:
            assert row.cost == times[row.model, row.language]
        elif row.measure is Measure.ENERGY:
            gross = joules[row.model, row.language]
            assert (row.cost.value, row.cost.low, row.label) == (gross.value, gross.low, "measured")
        else:
            assert row.cost.value == needs[row.model] / 2**20  # type: ignore[operator]


def test_place_and_rivals_are_those_of_a_search_of_all_pairs(run: Run, device: DeviceTables) -> None:
    # The larger model costs more throughout: where it scores less it is beaten, where as much too.
    known = {(r.model, r.language): r.estimate for r in scores(run) if r.group == "toy_topics"}
    changed = [
        replace(
            r, estimate=known[SMOL, "es"] if r.language == "es" else replace(r.estimate, value=0.0, low=0.0, high=0.1)
        )
        if r.model == GEMMA and r.language != "en"
        else r
        for r in scores(run)
    ]
    rows = tradeoffs(run, changed, (), device)
    beaten = []
    for row in rows:
        rivals = [r for r in rows if (r.language, r.task, r.measure) == (row.language, row.task, row.measure)]
        own = (row.score.value, row.cost.value)
        above = {r.model for r in rivals if dominates((r.score.value, r.cost.value), own)}  # type: ignore[arg-type]
        assert row.on_front == (not above)
        assert set(row.dominated_by) == above
        beaten += [(row.model, row.language, row.measure)] if above else []
    assert beaten == [(GEMMA, code, measure) for code in ("es", "eu") for measure in Measure]


def test_the_index_is_held_against_memory_alone(run: Run, rows: tuple[TradeoffRow, ...]) -> None:
    own = [row for row in rows if not row.group]
    assert {row.measure for row in own} == {Measure.MEMORY}
    found = {(r.model, r.language): r.index.estimate for r in language_indices(run) if r.index}
    assert {(row.model, row.language): row.score for row in own} == found


def test_differences_of_the_index_can_be_left_out(run: Run) -> None:
    whole, bare = language_indices(run), language_indices(run, differences=False)
    assert [replace(r, difference=None, p_holm=None, verdict=None) for r in whole] == list(bare)
    assert any(row.difference for row in whole)


def test_a_model_that_was_not_profiled_is_on_no_front(run: Run, device: DeviceTables) -> None:
    alone = replace(run, profiles=tuple(p for p in run.profiles if p.model == SMOL))
    for row in made(alone, device_tables(alone)):
        if row.model == SMOL:
            assert row.on_front
        else:
            assert (row.on_front, row.cost.value, row.dominated_by) == (None, None, ())
            assert row.missing == "the model was not measured on the device"


def test_a_missing_score_or_cost_is_not_compared(run: Run, device: DeviceTables) -> None:
    silent = tuple(replace(r, needed=None, basis="weights lie elsewhere") for r in device.memory)
    for row in made(run, replace(device, memory=silent)):
        if row.measure is Measure.MEMORY:
            assert (row.on_front, row.missing) == (None, "weights lie elsewhere")
        else:
            assert row.on_front is not None
    nothing = Estimate(None, None, None, 0, "", "failed")
    lost = [replace(r, estimate=nothing) if r.model == GEMMA else r for r in scores(run)]
    for row in tradeoffs(run, lost, (), device):
        assert (row.on_front, row.missing) == ((None, "failed") if row.model == GEMMA else (True, None))


def test_energy_of_unlike_labels_is_in_no_order(run: Run, device: DeviceTables) -> None:
    mixed = tuple(replace(row, label=ReadingLabel.ESTIMATED) if row.model == GEMMA else row for row in device.energies)
    found = [row for row in made(run, replace(device, energies=mixed)) if row.measure is Measure.ENERGY]
    assert found
    for row in found:
        assert row.on_front is None
        assert row.missing == "energy is estimated and measured: such figures are not compared"


def test_indices_of_other_groups_are_not_compared(run: Run, device: DeviceTables) -> None:
    indices = [
        replace(row, groups=("another",)) if row.model == GEMMA else row
        for row in language_indices(run, differences=False)
    ]
    for row in tradeoffs(run, (), indices, device):
        assert row.on_front == (True if row.model == SMOL else None)


def test_families_without_a_kind_of_request_have_no_rows(run: Run, device: DeviceTables) -> None:
    tasks = {name: task.model_copy(update={"family": "nli"}) for name, task in run.manifest.tasks.items()}
    other = replace(run, manifest=run.manifest.model_copy(update={"tasks": tasks}))
    assert tradeoffs(other, scores(run), (), device) == ()
