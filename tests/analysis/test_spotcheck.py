"""Spot checks against their run: margins, counts, intervals, and when something is lower than it should be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from evalsuite.analysis.metrics import SCORINGS, predictions
from evalsuite.analysis.rows import Scale
from evalsuite.analysis.spotcheck import compare, margin, spot_table, spot_tables
from evalsuite.records import CellStatus, SpotCell
from evalsuite.spot_store import StoredCheck
from evalsuite.store import RunFolder
from tests.synthetic import MODELS, Plan, build_run, record
from tests.synthetic_spot import add_check, make_check, turned

FIRST, SECOND = MODELS


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two models, two groups, two languages, 40 items in each of eight cells; every third item is a close call."""

    def lead(cell, made):
        by = 0.25 if made.item_index % 3 == 0 else 1 + made.item_index / 10
        lls = [-9.0] * len(made.choices)
        lls[made.prediction], lls[made.prediction - 1] = -1.0, -1.0 - by
        return made.model_copy(update={"logprobs": tuple(lls)}) if "topics" in cell.task else made

    plan = Plan(items=40, codes=("en", "eu"), holes=False, record_hook=lead)
    return build_run(tmp_path_factory.mktemp("runs") / "run", plan)


def table(run, change=None, **fields):
    return spot_table(RunFolder(run), make_check(run, change, **fields))


def leads(scored):
    """A second way to the margin of `acc`: sorted log-likelihoods."""
    ordered = sorted(scored.logprobs)
    return ordered[-1] - ordered[-2]


# --- margins


def test_a_margin_is_the_lead_in_nats():
    assert margin("acc", ("a", "b", "c"), (-3.0, -1.25, -2.0), ()) == 0.75


def test_a_margin_takes_the_priors_off_where_the_score_does():
    # -1 - -4 = 3 and -2 - -5.5 = 3.5
    assert margin("acc_mutual_info", ("a", "b"), (-1.0, -2.0), (-4.0, -5.5)) == 0.5
    assert margin("acc_mutual_info", ("a", "b"), (-1.0, -2.0), ()) is None


def test_a_margin_of_a_normalised_score_is_turned_back_into_nats():
    # -4/4 = -1 leads over -3/2 = -1.5 by half a nat a character; the shorter has two.
    assert margin("acc_norm", ("abcd", "ab"), (-4.0, -3.0), ()) == 1.0
    # In UTF-8, "日本" has six bytes: -6/6 = -1 leads over -6/4 = -1.5, and the shorter has four.
    assert margin("acc_bytes", ("日本", "abcd"), (-6.0, -6.0), ()) == 2.0


@pytest.mark.parametrize("metric", SCORINGS)
def test_another_choice_wins_when_one_log_likelihood_moves_by_the_margin_and_not_before(metric):
    rng = np.random.default_rng(5)
    for _ in range(50):
        choices = tuple("abcdefgh日本語"[: rng.integers(1, 11)] + str(i) for i in range(4))
        lls, priors = tuple(-rng.exponential(5, 4)), tuple(-rng.exponential(5, 4))

        def pick(moved, choices=choices, priors=priors):
            return predictions([choices], [moved], [priors])[metric][0]

        def picks(by, lls=lls, pick=pick):
            nudged = [[x + sign * by * (i == j) for i, x in enumerate(lls)] for j in range(4) for sign in (1, -1)]
            return {pick(moved) for moved in nudged}

        lead = margin(metric, choices, lls, priors)
        assert lead is not None
        assert picks(0.999 * lead) == {pick(lls)}
        assert len(picks(1.001 * lead + 1e-9)) > 1


@pytest.mark.parametrize(
    ("choices", "lls"), [((), ()), (("only",), (-1.0,)), (("a", "b"), (-1.0,)), (("a", "b"), (-math.inf, -math.inf))]
)
def test_without_two_choices_that_can_be_told_apart_there_is_no_margin(choices, lls):
    assert margin("acc", choices, lls, ()) is None


# --- items


def test_an_item_is_compared_in_answer_log_likelihoods_and_score():
    stored = record(3, score=1.0)
    lls = tuple(ll + (0.3 if i == 2 else -0.1) for i, ll in enumerate(stored.logprobs))
    again = turned(stored).model_copy(update={"logprobs": lls, "score": 0.0})
    item = compare("t", "acc", stored, again)
    assert (item.same_item, item.same, item.item_id) == (True, False, "id-3")
    assert item.difference == pytest.approx(0.3)
    assert item.margin == pytest.approx(leads(stored))
    assert (item.stored_score, item.score) == (1.0, 0.0)
    assert item.flipped


def test_priors_are_log_likelihoods_too():
    stored = record(0, score=1.0).model_copy(update={"prior_logprobs": (-5.0,) * 7})
    again = stored.model_copy(update={"prior_logprobs": (-5.0,) * 6 + (-5.25,)})
    assert compare("t", "acc", stored, again).difference == 0.25


def test_equal_infinities_do_not_differ():
    stored = record(0, score=1.0).model_copy(update={"logprobs": (-1.0, *(-math.inf,) * 6)})
    assert compare("t", "acc", stored, stored).difference == 0.0


@pytest.mark.parametrize("update", [{"prompt_hash": "0" * 64}, {"item_id": "another"}, {"target": "5"}])
def test_an_item_that_was_asked_otherwise_is_not_compared(update):
    stored = record(0, score=1.0)
    item = compare("t", "acc", stored, stored.model_copy(update=update))
    assert (item.same_item, item.same, item.margin, item.difference) == (False, None, None, None)


def test_generated_text_agrees_where_filtered_answer_and_score_are_the_same():
    text = {"choices": (), "logprobs": (), "prediction": None, "output": "So: 7", "filtered": '["7"]'}
    stored = record(0, score=1.0).model_copy(update=text)
    chatty = stored.model_copy(update={"output": "I say: 7"})
    wrong = stored.model_copy(update={"output": "So: 8", "filtered": '["8"]', "score": 0.0})
    assert [compare("t", "exact_match", stored, other).same for other in (stored, chatty, wrong)] == [True, True, False]
    item = compare("t", "exact_match", stored, wrong)
    assert (item.margin, item.clear, item.flipped, item.difference) == (None, False, False, None)


# --- tables


def test_the_same_answers_agree_fully(run):
    found = table(run)
    assert found.well
    assert [total.model for total in found.totals] == [FIRST, SECOND]
    for total in found.totals:
        low, high = proportion_confint(80, 80, method="wilson")
        assert total.counts.n == 80
        assert (total.counts.agreement.value, total.counts.agreement.high) == (1.0, pytest.approx(high))
        assert total.counts.agreement.low == pytest.approx(low)
        assert (total.counts.largest, total.counts.score_change) == (0.0, 0.0)
        assert not total.warned
    assert {(row.model, row.task, row.counts.n) for row in found.rows} == {
        (m, f"toy_{g}_{c}", 20) for m in MODELS for g in ("topics", "facts") for c in ("en", "eu")
    }


def test_another_answer_is_counted_and_a_clear_one_warns(run):
    wrong = {"id-0", "id-4", "id-8", "id-12", "id-16"}  # 0 and 12 are close calls

    def change(cell, r):
        hit = (cell.model, cell.task) == (SECOND, "toy_topics_eu") and r.item_id in wrong
        return turned(r) if hit else r

    found = table(run, change)
    (row,) = (r for r in found.rows if (r.model, r.task) == (SECOND, "toy_topics_eu"))
    assert row.counts.agreement.value == 15 / 20
    low, high = proportion_confint(15, 20, method="wilson")
    assert (row.counts.agreement.low, row.counts.agreement.high) == (pytest.approx(low), pytest.approx(high))
    assert row.counts.clear.n == 13  # of 20, seven are divisible by 3
    assert row.counts.clear.value == 10 / 13
    first, second = found.totals
    assert not first.warned
    assert second.warned
    assert [item.item_id for item in second.flipped] == ["id-16", "id-8", "id-4"]
    assert [item.margin for item in second.flipped] == pytest.approx([2.6, 1.8, 1.4])
    assert not second.low  # 75 of 80 lie within what 95 % allow
    assert not found.well


def _cell(run, model, task):
    return next(c for c in RunFolder(run).manifest.cells if (c.model, c.task) == (model, task))


@pytest.mark.parametrize("same", range(66, 81))
def test_the_agreement_is_low_where_its_whole_interval_lies_below_95_percent(run, same):
    """Only close calls are turned: clear ones would warn by themselves."""
    left = {FIRST: 80 - same, SECOND: 0}

    def change(cell, r):
        close = r.model_copy(update={"logprobs": (-1.0,) * len(r.choices)})
        if left[cell.model]:
            left[cell.model] -= 1
            return turned(close)
        return close

    stored = make_check(run, change)
    folder = _Close(run)
    total = spot_table(folder, stored).totals[0]
    _, high = proportion_confint(same, 80, method="wilson")
    assert total.counts.agreement.value == same / 80
    assert total.flipped == ()
    assert total.low == (high < 0.95)
    assert total.warned == total.low


class _Close(RunFolder):
    """A run in which no answer leads."""

    def records(self, cell):
        return [r.model_copy(update={"logprobs": (-1.0,) * len(r.choices)}) for r in super().records(cell)]


def test_the_largest_difference_is_that_of_any_choice_of_any_item(run):
    def change(cell, r):
        hit = cell.task == "toy_facts_en" and r.item_index == 7
        return r.model_copy(update={"logprobs": (r.logprobs[0] - 0.375, *r.logprobs[1:])}) if hit else r

    found = table(run, change)
    assert [total.counts.largest for total in found.totals] == pytest.approx([0.375, 0.375])
    assert {row.task for row in found.rows if row.counts.largest} == {"toy_facts_en"}


def test_the_change_of_the_score_is_a_mean_and_of_mixed_scales_there_is_none(run):
    def change(cell, r):
        return r.model_copy(update={"score": 0.0})

    found = table(run, change)
    for row in found.rows:
        kept = [r.score or 0.0 for r in RunFolder(run).records(_cell(run, row.model, row.task))[:20]]
        assert row.counts.score_change == pytest.approx(-sum(kept) / 20)
        assert row.counts.scale is Scale.SHARE

    def raw(cell, r):
        return r.model_copy(update={"score": 40.0}) if "facts" in cell.task else r

    mixed = table(run, raw)
    assert [total.counts.score_change for total in mixed.totals] == [None, None]
    assert {row.counts.scale for row in mixed.rows if "facts" in row.task} == {Scale.RAW}


def test_items_that_were_asked_otherwise_are_named_and_left_out(run):
    def change(cell, r):
        return r.model_copy(update={"prompt_hash": "f" * 64}) if r.item_index < 3 and "eu" in cell.task else r

    found = table(run, change)
    assert {row.task for row in found.incomplete} == {"toy_topics_eu", "toy_facts_eu"}
    assert {row.unlike for row in found.incomplete} == {("id-0", "id-1", "id-2")}
    assert {row.counts.n for row in found.incomplete} == {17}
    assert not found.well


def test_a_cell_that_could_not_be_scored_has_its_reason_and_no_numbers(run):
    check = make_check(run)
    cell = _cell(run, FIRST, "toy_facts_eu").id
    failed = SpotCell(cell=cell, item_indices=(0, 1), status=CellStatus.FAILED, reason="the engine crashed (SIGILL)")
    cells = tuple(failed if c.cell == cell else c for c in check.check.cells)
    records = {name: rows for name, rows in check.records.items() if name != cell}
    found = spot_table(RunFolder(run), StoredCheck(check.check.model_copy(update={"cells": cells}), records))
    (row,) = found.incomplete
    assert (row.task, row.reason, row.counts.n) == ("toy_facts_eu", "the engine crashed (SIGILL)", 0)
    assert (row.counts.agreement.value, row.counts.agreement.reason) == (None, "no items")
    assert [total.counts.n for total in found.totals] == [60, 80]
    assert not found.well


def test_records_that_are_gone_are_missed(run):
    check = make_check(run)
    cell = _cell(run, FIRST, "toy_facts_eu").id
    found = spot_table(RunFolder(run), StoredCheck(check.check, {**check.records, cell: check.records[cell][:12]}))
    assert [row.reason for row in found.incomplete] == ["8 of 20 items have no record to compare (fix: check again)"]


def test_cells_that_the_run_no_longer_has_are_left_out(run):
    check = make_check(run)
    gone = SpotCell(cell="gone", item_indices=(0,), status=CellStatus.DONE)
    more = check.check.model_copy(update={"cells": (gone, *check.check.cells)})
    assert len(spot_table(RunFolder(run), StoredCheck(more, check.records)).rows) == 8


def test_another_engine_version_is_named_and_other_packages_are_not(run):
    versions = {**RunFolder(run).manifest.versions, "llama-cpp-python": "0.3.40", "Babel": "3.0"}
    assert table(run, versions=versions).versions == (("llama-cpp-python", "0.3.36", "0.3.40"),)
    assert table(run).versions == ()


def test_it_is_said_whether_the_run_was_measured_on_that_device(run):
    assert not table(run).same_device
    assert table(run, device=RunFolder(run).manifest.device).same_device


def test_the_checks_of_a_folder_are_read(tmp_path):
    path = build_run(tmp_path / "run", Plan(items=5, codes=("en",), holes=False))
    assert spot_tables(RunFolder(path)) == ()
    add_check(path, items=3)
    (found,) = spot_tables(RunFolder(path))
    assert [total.counts.n for total in found.totals] == [6, 6]
    assert found.check.device.cpu == "Example Board 5"
