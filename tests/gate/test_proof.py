"""Demands on the evidence: what is missing, failed, old, warned of or unchecked is never GO, and says what to do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from evalsuite.catalog.tasks import load_tasks, named
from evalsuite.gate import Outcome
from evalsuite.gate.scope import Lacking, _lacking
from evalsuite.records import CellStatus
from evalsuite.store import RunFolder, RunWriter
from tests.synthetic import MODELS
from tests.synthetic_forms import Forms, build_forms
from tests.synthetic_gate import ITEMS, MODEL, OTHER, decision, finding, judged, known_run, write_policy
from tests.synthetic_spot import BOARD, add_check, turned

GO, NO_GO, OPEN = Outcome.GO, Outcome.NO_GO, Outcome.INCONCLUSIVE
EASY = {"rules": {"minimum_score": "30 %"}}


def test_enough_items_are_counted_and_too_few_are_open(scored, tmp_path):
    for least, expected in ((ITEMS, GO), (ITEMS + 1, OPEN)):
        result = judged(scored, write_policy(tmp_path, EASY, evidence={"least_items": least}))
        assert finding(result, "evidence.least_items", "en").outcome is expected
        assert decision(result, "en").outcome is expected


def test_a_use_case_may_ask_for_more_evidence_than_its_policy(scored, tmp_path):
    strict = {**EASY, "name": "Strict", "evidence": {"least_items": 500}}
    result = judged(scored, write_policy(tmp_path, EASY, strict, evidence={"least_items": 10, "oldest_days": 30}))
    assert decision(result, "en").outcome is GO
    assert decision(result, "en", use_case="Strict").outcome is OPEN
    assert finding(result, "evidence.oldest_days.scores", "en", use_case="Strict").outcome is GO


@pytest.mark.parametrize(("days", "expected"), [(10, GO), (9, OPEN)])
def test_results_that_are_too_old_are_open(scored, tmp_path, days, expected):
    result = judged(scored, write_policy(tmp_path, EASY, evidence={"oldest_days": days}))
    found = finding(result, "evidence.oldest_days.scores", "en")
    assert found.outcome is expected
    assert "10 days old" in found.sentence


def test_a_run_from_the_future_is_open(copied, tmp_path):
    with RunWriter(copied) as writer:
        writer.write_manifest(writer.manifest.model_copy(update={"created": "2026-05-11T09:30:00Z"}))
    result = judged(copied, write_policy(tmp_path, EASY, evidence={"oldest_days": 90}))
    assert finding(result, "evidence.oldest_days.scores", "en").outcome is OPEN
    assert "30 days in the future" in finding(result, "evidence.oldest_days.scores", "en").sentence


def test_a_failed_cell_is_open_with_its_reason(copied, tmp_path):
    folder = RunFolder(copied)
    cell = next(c for c in folder.manifest.cells if (c.model, c.task) == (MODEL, "toy_topics_eu"))
    with RunWriter(copied) as writer:
        writer.finish(cell, CellStatus.FAILED, "the engine crashed: SIGSEGV\n  fix: build it again")
    rules = {"rules": {"minimum_score": "30 %", "above_chance": True, "maximum_gap": "40 points"}}
    result = judged(copied, write_policy(tmp_path, rules))
    for rule in rules["rules"]:
        found = finding(result, rule, "eu")
        assert found.outcome is OPEN
        assert "failed: the engine crashed: SIGSEGV" in found.sentence
        assert str(found.fix) == f"`evalsuite run --model {MODEL} --tasks toy_topics --langs eu`"
    assert decision(result, "eu").outcome is OPEN
    assert decision(result, "en").outcome is GO


def test_a_cell_that_is_not_finished_is_open_though_it_holds_items(copied, tmp_path):
    folder = RunFolder(copied)
    cell = next(c for c in folder.manifest.cells if (c.model, c.task) == (MODEL, "toy_topics_en"))
    (copied / "cells" / cell.id / "cell.json").unlink()
    found = finding(judged(copied, write_policy(tmp_path, EASY)), "minimum_score", "en")
    assert (found.outcome, found.sentence) == (OPEN, "no scores: not finished yet")


def test_items_without_a_score_are_no_go_ahead(tmp_path):
    def change(cell, record):
        return record.model_copy(update={"score": None}) if record.item_index == 3 else record

    run = known_run(tmp_path / "run", codes=("en",), change=change)
    result = judged(run, write_policy(tmp_path, {**EASY, "languages": ["en"]}))
    assert finding(result, "minimum_score", "en").outcome is GO
    assert finding(result, "evidence.all_scored", "en").sentence.startswith(f"1 of {ITEMS} items have no score")
    assert decision(result, "en").outcome is OPEN


def test_a_task_or_language_that_the_runs_lack_is_open_and_says_what_to_run(scored, tmp_path):
    case = {**EASY, "tasks": ["toy_topics", "labels"], "languages": ["en", "ja"]}
    result = judged(scored, write_policy(tmp_path, case))
    told = [f.sentence for f in decision(result, "ja").findings if f.test.rule == "tasks"]
    assert told == ["the runs have no task of 'toy_topics' in ja", "the runs have no task of 'labels' in ja"]
    assert decision(result, "en").outcome is OPEN
    assert f"`evalsuite run --model {MODEL} --tasks labels,toy_topics --langs en,ja`" in [str(f) for f in result.fixes]


def test_a_model_of_the_catalog_that_was_not_run_is_open(scored, tmp_path):
    result = judged(scored, write_policy(tmp_path, {**EASY, "models": ["gemma3-270m"]}))
    found = finding(result, "minimum_score", "en", "gemma3-270m")
    assert (found.outcome, found.sentence) == (OPEN, "no scores: not part of this run")


def test_guessing_and_constant_answers_are_warned_of_and_are_no_go_ahead(tmp_path):
    def constant(cell, record):
        if (cell.model, cell.language) != (MODEL, "eu"):
            return record
        # Always the first option: right where it is the right one.
        return record.model_copy(update={"prediction": 0, "score": float(record.target == "0")})

    run = known_run(tmp_path / "run", change=constant, codes=("en", "eu"), models={MODEL: "Alpha"})
    case = {"rules": {"minimum_score": "5 %"}, "languages": ["en", "eu"]}
    result = judged(run, write_policy(tmp_path, case))
    assert finding(result, "minimum_score", "eu").outcome is GO
    found = finding(result, "evidence.no_warnings", "eu")
    assert found.outcome is OPEN
    assert "one and the same answer" in found.sentence
    assert decision(result, "eu").outcome is OPEN
    assert finding(result, "evidence.no_warnings", "en").outcome is GO
    without = judged(run, write_policy(tmp_path, case, evidence={"no_warnings": False}))
    assert decision(without, "eu").outcome is GO


def test_a_no_go_stays_one_though_evidence_is_missing(scored, tmp_path):
    case = {"rules": {"minimum_score": "80 %", "latency_p95_s": 1.0}, "requests": "classification"}
    result = judged(scored, write_policy(tmp_path, case, evidence={"least_items": 900}))
    assert decision(result, "eu").outcome is NO_GO
    assert next(f.test.rule for f in decision(result, "eu").open) == "minimum_score"


# --- spot checks

SPOT = {**EASY, "evidence": {"spot_check": True}}


def test_a_spot_check_that_holds_is_asked_for_and_found(copied, tmp_path):
    assert finding(judged(copied, write_policy(tmp_path, SPOT)), "evidence.spot_check", "en").outcome is OPEN
    assert decision(judged(copied, write_policy(tmp_path, EASY)), "en").outcome is GO
    add_check(copied)
    found = finding(judged(copied, write_policy(tmp_path, SPOT)), "evidence.spot_check", "en")
    assert found.outcome is GO
    assert BOARD.cpu in found.sentence
    here = {**SPOT, "evidence": {"spot_check": True, "device": "Example Board 5"}}
    assert finding(judged(copied, write_policy(tmp_path, here)), "evidence.spot_check", "en").outcome is GO
    elsewhere = {**SPOT, "evidence": {"spot_check": True, "device": "Raspberry"}}
    found = finding(judged(copied, write_policy(tmp_path, elsewhere)), "evidence.spot_check", "en")
    assert (found.outcome, found.sentence) == (OPEN, "no spot check on Raspberry of these tasks")
    assert str(found.fix) == f"`evalsuite spot-check RUN --model {MODEL}` on Raspberry"


def test_a_spot_check_with_other_answers_is_open(copied, tmp_path):
    add_check(copied, lambda cell, r: turned(r) if cell.model == MODEL else r)
    result = judged(copied, write_policy(tmp_path, {**SPOT, "models": [MODEL, OTHER]}))
    assert finding(result, "evidence.spot_check", "en").outcome is OPEN
    assert "answers that differ" in finding(result, "evidence.spot_check", "en").sentence
    assert finding(result, "evidence.spot_check", "en", OTHER).outcome is GO


def test_a_spot_check_of_items_that_were_asked_otherwise_is_open(copied, tmp_path):
    add_check(copied, lambda cell, r: r.model_copy(update={"prompt_hash": "0" * 64}))
    found = finding(judged(copied, write_policy(tmp_path, SPOT)), "evidence.spot_check", "en")
    assert found.outcome is OPEN
    assert "could not compare all items" in found.sentence


@pytest.mark.parametrize("bad_first", [True, False])
def test_of_several_spot_checks_one_that_found_something_is_enough(copied, tmp_path, bad_first):
    fast, slow = (BOARD.model_copy(update={"cpu": name}) for name in ("Fast Board", "Slow Board"))
    bad, good = (fast, slow) if (fast.fingerprint < slow.fingerprint) == bad_first else (slow, fast)
    add_check(copied, lambda cell, r: turned(r) if cell.model == MODEL else r, device=bad)
    add_check(copied, device=good)
    found = finding(judged(copied, write_policy(tmp_path, SPOT)), "evidence.spot_check", "en")
    assert found.outcome is OPEN
    assert "answers that differ" in found.sentence
    named = {**SPOT, "evidence": {"spot_check": True, "device": good.cpu}}
    assert finding(judged(copied, write_policy(tmp_path, named)), "evidence.spot_check", "en").outcome is GO


def test_a_suite_that_was_run_in_part_is_open_and_names_what_is_missing():
    catalog = load_tasks()
    suite = [task for task in named("starter", catalog.values()) if task.language == "eu"]
    part = [catalog["labels_eu"], catalog["lexicon_eu"]]
    (found,) = _lacking({"starter": part}, _has(part), "eu")
    assert set(found.tasks) == {task.name for task in suite} - {"labels_eu", "lexicon_eu"}
    assert _lacking({"starter": suite}, _has(suite), "eu") == ()
    assert _lacking({"labels": part[:1]}, _has(part), "eu") == ()
    assert _lacking({"labels": part[:1]}, _has(part), "es") == (Lacking("labels", ()),)


def _has(tasks):
    """A run that has these tasks."""
    run: Any = SimpleNamespace(manifest=SimpleNamespace(tasks={task.name: task for task in tasks}))
    return run


def test_warnings_are_not_looked_for_in_another_wording_and_so_are_open(tmp_path):
    model = next(iter(MODELS))
    run = build_forms(tmp_path / "run", Forms(codes=("en",), models={model: "A"}))
    case = {"tasks": ["toy_reading"], "languages": ["en"], "models": [model], "rules": {"minimum_score": "1 %"}}
    for form, expected in (("native", GO), ("native-2", OPEN)):
        result = judged(run, write_policy(tmp_path, {**case, "prompt_form": form}))
        found = finding(result, "evidence.no_warnings", "en", model)
        assert found.outcome is expected
        assert ("main prompt forms only" in found.sentence) == (expected is OPEN)
