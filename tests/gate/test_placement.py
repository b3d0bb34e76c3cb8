"""Where work may be done: what follows from a gate's decisions, case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from evalsuite.analysis import load_run
from evalsuite.analysis.categories import CategoryRow
from evalsuite.analysis.confidence import LEVELS, Confidence, Covered
from evalsuite.gate.amounts import Amount
from evalsuite.gate.defaults import default_policy
from evalsuite.gate.placement import HYBRID_SHARE, Place, is_of_scores, placements
from evalsuite.gate.policy import Policy, Rules, UseCase
from evalsuite.gate.rows import Decision, Finding, GateResult, Outcome, Rollout, RuleTest, UseCaseResult
from evalsuite.records import PromptForm
from evalsuite.report.build import render
from evalsuite.stats.calibration import CalibrationError
from evalsuite.stats.intervals import Estimate, wilson
from tests.synthetic import MODELS, Plan, build_run

LIMIT = 0.6
NO = Estimate(None, None, None, 0, "", "not of interest")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return load_run(build_run(tmp_path_factory.mktemp("runs") / "run", Plan(items=4, codes=("en", "eu"), holes=False)))


def finding(rule: str, outcome: Outcome, value: float | None = 0.5, task: str | None = "toy_topics_eu") -> Finding:
    return Finding(RuleTest(rule, task, value=value, n=100 if value is not None else None), outcome, None, "")


def decision(model: str, *findings: Finding) -> Decision:
    order = list(Outcome)
    worst = min((f.outcome for f in findings), key=order.index)
    return Decision(model, worst, findings, None, None, 1, "")


def policy() -> Policy:
    made = Rules(minimum_score=Amount(LIMIT, "percent"))
    case = UseCase(name="Sorting", tasks=("toy_topics",), rules=made)
    return Policy(name="p", path=Path("p.yaml"), sha256="0" * 64, use_cases=(case,))


def placed(run, *decisions: Decision, categories=()) -> Any:
    rollout = Rollout("eu", Outcome.INCONCLUSIVE, decisions)
    result = GateResult(
        policy(),
        Outcome.INCONCLUSIVE,
        (UseCaseResult("Sorting", Outcome.GO, (rollout,)),),
        (),
        datetime(2026, 3, 1, tzinfo=UTC),
    )
    (found,) = placements(result, run, categories)
    return found


GO, NO_GO, OPEN = Outcome.GO, Outcome.NO_GO, Outcome.INCONCLUSIVE


def test_a_model_that_keeps_all_rules_may_go_ahead(run):
    found = placed(
        run,
        decision("a", finding("minimum_score", NO_GO, 0.9)),
        decision("b", finding("minimum_score", GO, 0.7), finding("memory_mib", GO, 300.0, None)),
        decision("c", finding("minimum_score", GO, 0.8)),
    )
    assert (found.place, found.model, found.models) == (Place.DEVICE, "c", ("c", "b"))


def test_only_if_all_break_a_rule_is_it_the_cloud(run):
    broken = decision("a", finding("minimum_score", NO_GO, 0.2))
    slow = decision("b", finding("minimum_score", GO, 0.8), finding("latency_p95_s", NO_GO, 9.0, None))
    assert placed(run, broken, slow).place is Place.CLOUD
    # The best model's grave finding is what is told.
    assert placed(run, broken, slow).finding.test.rule == "latency_p95_s"
    waiting = decision("c", finding("minimum_score", OPEN, 0.3))
    assert placed(run, broken, waiting).place is Place.NOT_YET
    assert placed(run, broken, waiting).model == "c"


def test_what_was_not_measured_on_the_device_is_not_yet(run):
    found = placed(run, decision("a", finding("minimum_score", GO, 0.9), finding("latency_p95_s", OPEN, None, None)))
    assert (found.place, found.finding.test.rule) == (Place.NOT_YET, "latency_p95_s")


def test_a_language_that_was_not_asked_is_said_to_be(run):
    assert placed(run, decision("a", finding("minimum_score", OPEN, None))).place is Place.UNASKED


def confident(model: str, taken: int, hits: int, items: int = 200) -> CategoryRow:
    """A model whose answers at the level 0.9 and above are `taken` of its items, with so many hits."""
    covered = tuple(
        Covered(level, wilson(taken if level >= 0.9 else items, items, level=0.95),
                wilson(hits if level >= 0.9 else items // 4, taken if level >= 0.9 else items, level=0.95))
        for level in LEVELS
    )  # fmt: skip
    made = Confidence(items, NO, NO, CalibrationError(NO, None, None), NO, 0.9, NO, covered)
    return CategoryRow(model, "toy_topics_eu", "toy_topics", "eu", "labels", PromptForm.NATIVE, "acc", None, made, None)


def test_sure_answers_make_a_hybrid_if_they_are_shown_to_be_right_enough(run):
    held = decision("a", finding("minimum_score", NO_GO, 0.4), finding("memory_mib", GO, 300.0, None))
    found = placed(run, held, categories=[confident("a", 100, 80)])
    assert (found.place, found.model) == (Place.HYBRID, "a")
    assert (found.sure.answered, found.sure.right, found.sure.least) == (0.5, 0.8, 0.9)
    # Independent of our own code: scipy's binomial test, corrected by hand over the five levels.
    p = stats.binomtest(80, 100, LIMIT, alternative="greater").pvalue
    assert found.sure.p_holm == pytest.approx(min(1.0, p * len(LEVELS)))


@pytest.mark.parametrize(
    ("taken", "hits", "why"),
    [(100, 65, "not shown to reach the limit"), (50, 49, "too small a share stays on the device")],
)
def test_a_hybrid_needs_both_evidence_and_a_share_worth_it(run, taken, hits, why):
    assert taken / 200 < HYBRID_SHARE or stats.binomtest(hits, taken, LIMIT, alternative="greater").pvalue > 0.05 / 5
    held = decision("a", finding("minimum_score", NO_GO, 0.4), finding("memory_mib", GO, 300.0, None))
    assert placed(run, held, categories=[confident("a", taken, hits)]).place is Place.CLOUD, why


def test_a_hybrid_needs_the_device_too(run):
    for outcome, place in ((NO_GO, Place.CLOUD), (OPEN, Place.NOT_YET)):
        held = decision("a", finding("minimum_score", NO_GO, 0.4), finding("memory_mib", outcome, None, None))
        assert placed(run, held, categories=[confident("a", 100, 90)]).place is place


def test_evidence_is_of_scores_where_it_names_a_task():
    assert is_of_scores(finding("evidence.no_warnings", OPEN))
    assert not is_of_scores(finding("evidence.undisturbed", OPEN, task=None))
    assert is_of_scores(finding("tasks", OPEN, None, None))
    assert not is_of_scores(finding("energy_j", OPEN, task=None))


def test_without_a_policy_each_family_is_held_against_the_shipped_thresholds(run):
    found: Any = default_policy(run, str.upper)
    assert [one.name for one in found.use_cases] == ["CLASSIFICATION", "FACTS"]
    assert {one.rules.minimum_score.value for one in found.use_cases} == {0.6}
    # Times are asked only where the profile has requests of the kind.
    asked = {one.name: one.rules.asked for one in found.use_cases}
    assert "latency_p95_s" in asked["CLASSIFICATION"]
    assert "latency_p95_s" not in asked["FACTS"]


def test_a_run_without_shares_has_no_policy(run):
    assert default_policy(replace(run, items=run.items.assign(score=30.0)), str) is None


def test_the_page_shows_an_answer_for_each_language_and_use_case(run):
    from tests.report.conftest import Page

    (section,) = Page(render(run)).root.find("section", id="decision")
    (table,) = section.find("table")
    rows = [row for row in table.find("tr") if row.find("td")]
    assert [row.find("th")[0].text.split()[0] for row in rows] == ["English", "Basque"]
    assert all(len(row.find("td")) == 2 for row in rows)
    assert len(section.find("ol")[0].find("li")) == 3
    assert "Time and memory on a device of: " + " and ".join(MODELS.values()) in section.text
