"""Rules on scores, with golden numbers of scipy, statsmodels and a numeric solution of the constrained likelihood."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests

from evalsuite.errors import InputError
from evalsuite.gate import Outcome, RuleTest, load_policy
from evalsuite.gate.decide import _Case, _judged
from evalsuite.stats.one_sample import share_against
from tests.synthetic import task
from tests.synthetic_forms import build_forms
from tests.synthetic_gate import ITEMS, MODEL, OTHER, decision, finding, judged, known_run, write_policy

GO, NO_GO, OPEN = Outcome.GO, Outcome.NO_GO, Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("limit", "expected"), [("75 %", GO), (0.75, GO), ("80 %", OPEN), ("85 %", OPEN), ("90 %", NO_GO)]
)
def test_a_least_score_is_decided_by_exact_binomial_bounds(scored, tmp_path, limit, expected):
    found = finding(judged(scored, write_policy(tmp_path, {"rules": {"minimum_score": limit}})), "minimum_score", "en")
    assert found.outcome is expected
    share = 0.75 if limit == 0.75 else float(str(limit).removesuffix(" %")) / 100
    above = stats.binomtest(100, ITEMS, share, alternative="greater")
    below = stats.binomtest(100, ITEMS, share, alternative="less")
    test = found.test
    assert (test.value, test.n, test.limit) == (100 / ITEMS, ITEMS, share)
    assert test.low == pytest.approx(above.proportion_ci(0.95, "exact").low)
    assert test.high == pytest.approx(below.proportion_ci(0.95, "exact").high)
    assert (test.p_go, test.p_no_go) == (pytest.approx(above.pvalue), pytest.approx(below.pvalue))
    assert f"{ITEMS} items" in found.sentence


def test_a_stricter_confidence_asks_for_more(scored, tmp_path):
    rules = {"rules": {"minimum_score": "76 %"}}
    assert decision(judged(scored, write_policy(tmp_path, rules)), "en").outcome is GO
    assert decision(judged(scored, write_policy(tmp_path, rules, confidence="99 %")), "en").outcome is OPEN


def test_what_is_open_says_how_many_items_would_settle_it(scored, tmp_path):
    found = finding(judged(scored, write_policy(tmp_path, {"rules": {"minimum_score": "80 %"}})), "minimum_score", "en")
    assert found.outcome is OPEN
    assert f"About {found.test.needed:,} items would settle it" in found.sentence
    # By the normal approximation of Fleiss (1981), section 1.3, one-sided.
    z1, z2 = (float(stats.norm.ppf(p)) for p in (0.95, 0.8))
    rough = ((z1 * math.sqrt(0.8 * 0.2) + z2 * math.sqrt(5 / 36)) / (100 / ITEMS - 0.8)) ** 2
    assert found.test.needed == pytest.approx(rough, rel=0.08)  # a whole count passes it in a saw-tooth
    assert "toy_topics has only 204 items" in str(found.fix)


def test_better_than_guessing_is_a_test_against_the_tasks_chance(scored, tmp_path):
    result = judged(scored, write_policy(tmp_path, {"rules": {"above_chance": True}, "models": [OTHER]}))
    found = finding(result, "above_chance", "eu", OTHER)
    assert found.test.limit == pytest.approx(1 / 7)
    assert found.test.p_go == pytest.approx(stats.binomtest(30, ITEMS, 1 / 7, alternative="greater").pvalue)
    assert found.outcome is GO


def tango_p(only_first, only_second, n, margin):
    """One-sided p of difference <= -margin, from a numeric maximum of the likelihood under difference = -margin."""

    def against(q):  # q: share that only the second gets right; q - margin: only the first
        shares = np.array([q - margin, q, 1 - 2 * q + margin])
        counts = np.array([only_first, only_second, n - only_first - only_second])
        return -float((counts * np.log(np.maximum(shares, 1e-300))).sum())

    q = optimize.minimize_scalar(
        against, bounds=(margin + 1e-12, (1 + margin) / 2 - 1e-12), method="bounded", options={"xatol": 1e-12}
    ).x
    variance = n * (2 * q - margin - margin**2)
    return float(stats.norm.sf((only_first - only_second + n * margin) / math.sqrt(variance)))


@pytest.mark.parametrize(("language", "limit", "expected"), [
    ("es", "10 points", GO),
    ("es", 0.03, OPEN),
    ("eu", "20 points", NO_GO),
    ("eu", "30 points", OPEN),
])  # fmt: skip
def test_a_gap_is_decided_by_non_inferiority_on_the_same_items(scored, tmp_path, language, limit, expected):
    result = judged(scored, write_policy(tmp_path, {"rules": {"maximum_gap": limit}}))
    found = finding(result, "maximum_gap", language)
    lost = {"es": 3, "eu": 40}[language]
    margin = -found.test.limit
    assert found.test.value == pytest.approx(-lost / ITEMS)
    assert found.test.p_go == pytest.approx(tango_p(0, lost, ITEMS, margin), rel=1e-4, abs=1e-12)
    assert found.test.p_no_go == pytest.approx(1 - found.test.p_go)
    assert found.outcome is expected
    assert (found.test.low >= -margin) == (found.test.p_go <= 0.05)
    assert (found.test.high < -margin) == (found.test.p_no_go <= 0.05)
    assert f"{100 * lost / ITEMS:.1f} points behind" in found.sentence


def test_the_reference_language_has_no_gap_to_itself(scored, tmp_path):
    result = judged(scored, write_policy(tmp_path, {"rules": {"maximum_gap": "5 points"}}))
    assert finding(result, "maximum_gap", "en").outcome is GO
    assert "reference" in finding(result, "maximum_gap", "en").sentence
    other = judged(scored, write_policy(tmp_path, {"rules": {"maximum_gap": "5 points"}}, reference="es"))
    assert finding(other, "maximum_gap", "es").sentence == "this is the reference language"
    assert finding(other, "maximum_gap", "en").test.value == pytest.approx(3 / ITEMS)


def test_a_gap_without_its_reference_is_open_and_says_what_to_run(tmp_path):
    run = known_run(tmp_path / "run", codes=("eu",))
    policy = write_policy(tmp_path, {"rules": {"maximum_gap": "5 points"}, "languages": ["eu"]}, reference="en")
    found = finding(judged(run, policy), "maximum_gap", "eu")
    assert found.outcome is OPEN
    assert "has no tasks in en" in found.sentence
    assert str(found.fix) == f"`evalsuite run --model {MODEL} --tasks toy_topics --langs eu,en`"


def test_all_tasks_of_a_use_case_must_keep_the_rules_each(scored, tmp_path):
    use_case = {"tasks": ["toy_topics", "toy_facts"], "rules": {"minimum_score": "75 %"}}
    found = decision(judged(scored, write_policy(tmp_path, use_case)), "en")
    assert [(f.test.task, f.outcome) for f in found.findings if f.test.rule == "minimum_score"] == [
        ("toy_topics_en", GO),
        ("toy_facts_en", GO),
    ]
    assert found.p_go == pytest.approx(stats.binomtest(100, ITEMS, 0.75, alternative="greater").pvalue)


@pytest.mark.parametrize("name", ["toy_topics_en", "toy_topics", "family:classification", "suite:core"])
def test_tasks_are_named_as_a_sweep_names_them(scored, tmp_path, name):
    use_case = {"tasks": [name], "languages": ["en"], "rules": {"minimum_score": "75 %"}}
    tasks = [f.test.task for f in decision(judged(scored, write_policy(tmp_path, use_case)), "en").findings]
    assert "toy_topics_en" in tasks
    assert ("toy_facts_en" in tasks) == (name == "suite:core")


def test_categories_take_their_items_only(scored, tmp_path):
    use_case = {"categories": ["goods"], "rules": {"minimum_score": "75 %"}}
    result = judged(scored, write_policy(tmp_path, use_case))
    test = finding(result, "minimum_score", "en").test
    assert (test.n, test.value) == (60, 50 / 60)
    assert "Only items of the categories goods" in result.use_cases[0].about[1]
    gap = {"categories": ["goods"], "rules": {"maximum_gap": "20 points"}, "languages": ["eu"]}
    test = finding(judged(scored, write_policy(tmp_path, gap)), "maximum_gap", "eu").test
    assert (test.n, test.value) == (60, pytest.approx(-20 / 60))


def test_a_rule_for_one_language_takes_the_place_of_the_general_one(scored, tmp_path):
    use_case = {
        "rules": {"minimum_score": "75 %", "maximum_gap": "20 points"},
        "overrides": {"eu": {"minimum_score": "40 %", "maximum_gap": None}},
    }
    result = judged(scored, write_policy(tmp_path, use_case))
    assert finding(result, "minimum_score", "eu").test.limit == 0.4
    assert decision(result, "eu").outcome is GO
    assert finding(result, "minimum_score", "es").test.limit == 0.75
    assert not [f for f in decision(result, "eu").findings if f.test.rule == "maximum_gap"]


def test_a_rollout_needs_every_rule(scored, tmp_path):
    use_case = {"rules": {"minimum_score": "40 %", "above_chance": True, "maximum_gap": "20 points"}}
    found = decision(judged(scored, write_policy(tmp_path, use_case)), "eu")
    assert [(f.test.rule, f.outcome) for f in found.findings if not f.test.rule.startswith("evidence")] == [
        ("minimum_score", GO),
        ("above_chance", GO),
        ("maximum_gap", NO_GO),
    ]
    assert found.outcome is NO_GO
    assert found.sentence == "broken: maximum_gap"


def test_a_rollout_is_as_sure_as_its_least_sure_rule(scored, tmp_path):
    # The intersection-union test of Berger (1982): each rule at the full level, and the largest p is that of the whole.
    use_case = {"rules": {"minimum_score": "75 %", "above_chance": True, "maximum_gap": "10 points"}}
    found = decision(judged(scored, write_policy(tmp_path, use_case)), "es")
    raw = [f.test.p_go for f in found.findings if f.test.p_go is not None]
    assert len(set(raw)) == 3
    assert found.p_go == max(raw) == pytest.approx(stats.binomtest(97, ITEMS, 0.75, alternative="greater").pvalue)


# --- many decisions


def test_of_several_models_each_p_is_corrected_as_statsmodels_does(scored, tmp_path):
    use_case = {"models": [MODEL, OTHER], "rules": {"minimum_score": "63 %"}}
    result = judged(scored, write_policy(tmp_path, use_case))
    raw = [stats.binomtest(right, ITEMS, 0.63, alternative="greater").pvalue for right in (100, 84)]
    expected = multipletests(raw, method="holm")[1]
    found = [decision(result, "en", model) for model in (MODEL, OTHER)]
    assert [d.p_go for d in found] == pytest.approx(raw)
    assert [d.p_go_holm for d in found] == pytest.approx(expected)
    whole = judged(scored, write_policy(tmp_path, use_case, family="policy"))
    raw = [stats.binomtest(right, ITEMS, 0.63, alternative="greater").pvalue for right in (100, 84, 97, 72, 60, 30)]
    expected = multipletests(raw, method="holm")[1]
    found = [decision(whole, code, model) for code in ("en", "es", "eu") for model in (MODEL, OTHER)]
    assert [d.p_go_holm for d in found] == pytest.approx(expected)
    assert {d.corrected for d in found} == {6}


def test_what_passes_by_itself_may_not_pass_among_several_models(scored, tmp_path):
    # 84 of 120 against 62 %: p = 0.042, and twice that where the other model does not pass.
    use_case = {"models": [MODEL, OTHER], "rules": {"minimum_score": "62 %"}, "languages": ["en"]}
    alone = {**use_case, "models": [OTHER]}
    assert decision(judged(scored, write_policy(tmp_path, alone)), "en", OTHER).outcome is GO
    # Holm asks the smallest p for the most: the better model passes, and the other is then tested at the full level.
    assert decision(judged(scored, write_policy(tmp_path, use_case)), "en", OTHER).outcome is GO
    both = {**use_case, "name": "Second", "tasks": ["toy_topics"]}
    hard = {**use_case, "rules": {"minimum_score": "62 %"}, "overrides": {"en": {"minimum_score": "62 %"}}}
    result = judged(scored, write_policy(tmp_path, hard, {**both, "rules": {"minimum_score": "84 %"}}, family="policy"))
    found = decision(result, "en", OTHER)
    assert found.outcome is OPEN
    assert all(f.outcome is GO for f in found.findings)
    assert "not after the correction for 4 decisions" in found.sentence
    uncorrected = write_policy(
        tmp_path, hard, {**both, "rules": {"minimum_score": "84 %"}}, family="policy", correction="none"
    )
    assert decision(judged(scored, uncorrected), "en", OTHER).outcome is GO


def test_a_no_go_is_corrected_over_all_rules_of_the_family(scored, tmp_path):
    # 30 of 120 against 32 %: p = 0.057 of being below; against 33 %: 0.036, which two rules of one family do not stand.
    use_case = {"models": [OTHER], "languages": ["eu"], "rules": {"minimum_score": "33 %"}}
    assert decision(judged(scored, write_policy(tmp_path, use_case)), "eu", OTHER).outcome is NO_GO
    two = {**use_case, "rules": {"minimum_score": "33 %", "above_chance": True}}
    found = finding(judged(scored, write_policy(tmp_path, two)), "minimum_score", "eu", OTHER)
    assert found.test.p_no_go == pytest.approx(stats.binomtest(30, ITEMS, 0.33, alternative="less").pvalue)
    assert found.p_no_go_holm == pytest.approx(2 * found.test.p_no_go)
    assert found.outcome is OPEN
    assert "not after the correction" in found.sentence
    none = finding(judged(scored, write_policy(tmp_path, two, correction="none")), "minimum_score", "eu", OTHER)
    assert none.outcome is NO_GO


@pytest.mark.parametrize("correction", ["holm", "none"])
def test_of_models_at_their_limits_one_passes_in_at_most_one_of_twenty_cases(tmp_path, correction):
    # By simulation: three models, every true share at its limit, 60 items each. Uncorrected, it is more.
    policy = load_policy(write_policy(tmp_path, {"rules": {"minimum_score": "60 %"}}, correction=correction))
    rng = np.random.default_rng(11)
    nothing: Any = None
    table = [share_against(right, 60, 0.6) for right in range(61)]

    def family():
        shares = [table[right] for right in rng.binomial(60, 0.6, 3)]
        tests = [RuleTest("minimum_score", n=60, p_go=one.p_above, p_no_go=one.p_below) for one in shares]
        return [_Case(nothing, "en", f"m{i}", (test,)) for i, test in enumerate(tests)]

    passed = broken = 0
    for _ in range(3000):
        found = list(_judged(family(), policy))
        passed += any(one.outcome is GO for one in found)
        broken += any(one.outcome is NO_GO for one in found)
    low, high = stats.binomtest(passed, 3000).proportion_ci(0.999)
    assert high < 0.05 if correction == "holm" else low > 0.05
    assert (broken / 3000 < 0.055) == (correction == "holm")


def test_one_model_that_passes_is_enough_unless_every_one_is_needed(scored, tmp_path):
    use_case = {"models": [MODEL, OTHER], "rules": {"minimum_score": "75 %"}, "languages": ["en"]}
    result = judged(scored, write_policy(tmp_path, use_case))
    (rollout,) = result.use_cases[0].rollouts
    assert [d.outcome for d in rollout.decisions] == [GO, OPEN]
    assert (rollout.outcome, rollout.models, result.outcome) == (GO, (MODEL,), GO)
    every = judged(scored, write_policy(tmp_path, use_case, need="every"))
    assert every.outcome is OPEN
    assert decision(every, "en").corrected == 1


def test_a_policy_is_go_only_if_every_language_of_every_use_case_is(scored, tmp_path):
    easy = {"rules": {"minimum_score": "40 %"}, "languages": ["en", "es"]}
    hard = {**easy, "name": "Hard", "rules": {"minimum_score": "80 %"}}
    assert judged(scored, write_policy(tmp_path, easy)).outcome is GO
    assert judged(scored, write_policy(tmp_path, easy, hard)).outcome is OPEN
    broken = {**easy, "name": "Broken", "languages": ["eu"], "rules": {"minimum_score": "70 %"}}
    assert judged(scored, write_policy(tmp_path, easy, hard, broken)).outcome is NO_GO


# --- other scores


def test_scores_that_are_no_shares_are_held_by_a_t_test(tmp_path):
    rng = np.random.default_rng(3)
    values = rng.normal(40, 12, ITEMS)
    run = known_run(
        tmp_path / "run",
        codes=("en",),
        change=lambda cell, record: record.model_copy(update={"score": float(values[record.item_index])}),
    )
    policy = write_policy(tmp_path, {"rules": {"minimum_score": 37}, "languages": ["en"]})
    found = finding(judged(run, policy), "minimum_score", "en")
    assert found.test.p_go == pytest.approx(stats.ttest_1samp(values, 37, alternative="greater").pvalue)
    assert found.test.unit.value == "score"
    with pytest.raises(InputError, match="the scores are no shares, and the limit is given in percent"):
        judged(run, write_policy(tmp_path, {"rules": {"minimum_score": "37 %"}, "languages": ["en"]}))


def test_a_limit_on_another_scale_than_the_scores_is_refused(scored, tmp_path):
    with pytest.raises(InputError, match="shares from 0 to 1, and the limit is 37") as caught:
        judged(scored, write_policy(tmp_path, {"rules": {"minimum_score": 37}}))
    assert "write 37 %" in str(caught.value)
    with pytest.raises(InputError, match="shares from 0 to 1, and the limit is 5"):
        judged(scored, write_policy(tmp_path, {"rules": {"maximum_gap": 5}}))


def test_items_of_one_passage_are_worth_less_than_as_many_others(tmp_path):
    def change(cell, record):
        doc = f'{{"passage": "p{record.item_index // 10}"}}'
        return record.model_copy(update={"doc": doc, "score": float(record.item_index // 10 % 6 != 0)})

    free = known_run(tmp_path / "free", codes=("en",), change=change)
    policy = write_policy(tmp_path, {"rules": {"minimum_score": "70 %"}, "languages": ["en"]})
    assert decision(judged(free, policy), "en").outcome is GO

    from evalsuite.store import RunWriter

    with RunWriter(free) as writer:
        manifest = writer.manifest
        grouped = {name: one.model_copy(update={"cluster_column": "passage"}) for name, one in manifest.tasks.items()}
        writer.write_manifest(manifest.model_copy(update={"tasks": grouped}))
    found = finding(judged(free, policy), "minimum_score", "en")
    assert found.test.method == "score test of clusters"
    assert found.outcome is OPEN
    assert task("x", "en", None).cluster_column is None


def test_answers_in_another_language_are_counted_where_answers_are_written(tmp_path):
    model, run = "smollm2-135m-q4_1", build_forms(tmp_path / "run")
    case = {
        "models": [model],
        "languages": ["en"],
        "tasks": ["toy_answers", "toy_reading"],
        "rules": {"wrong_language_share": "10 %"},
        "evidence": {"no_warnings": False},
    }
    found = finding(judged(run, write_policy(tmp_path, case)), "wrong_language_share", "en", model)
    # Of the 40 answers the language of 31 can be told, and none is in another one: 0.9 ** 31 = 0.038.
    assert (found.test.n, found.test.value, found.outcome) == (31, 0.0, GO)
    assert found.test.p_go == pytest.approx(0.9**31)
    assert found.test.high == pytest.approx(1 - 0.05 ** (1 / 31))
    strict = judged(run, write_policy(tmp_path, {**case, "rules": {"wrong_language_share": "5 %"}}))
    found = finding(strict, "wrong_language_share", "en", model)
    assert (found.outcome, found.test.needed) == (OPEN, 59)
    assert "About 59 answers would settle it" in found.sentence
    # A rule that no task can be asked is not kept either.
    none = judged(run, write_policy(tmp_path, {**case, "tasks": ["toy_reading"]}))
    assert decision(none, "en", model).outcome is OPEN
    assert decision(none, "en", model).sentence == "no rule could be tested"


def test_under_need_every_a_model_that_fails_is_still_one_of_several(scored, tmp_path):
    use_case = {"models": [MODEL, OTHER], "rules": {"minimum_score": "33 %"}, "languages": ["eu"]}
    for need in ("any", "every"):
        found = finding(judged(scored, write_policy(tmp_path, use_case, need=need)), "minimum_score", "eu", OTHER)
        assert found.p_no_go_holm == pytest.approx(2 * stats.binomtest(30, ITEMS, 0.33, alternative="less").pvalue)


def test_a_language_without_a_reference_has_no_gap_that_could_be_kept(copied, tmp_path):
    rules = {"rules": {"maximum_gap": "5 points"}, "languages": ["en", "eu"]}
    change_manifest(copied, lambda data: [one.update(reference=None) for one in data["languages"].values()])
    found = finding(judged(copied, write_policy(tmp_path, rules)), "maximum_gap", "eu")
    assert (found.outcome, found.sentence) == (OPEN, "no reference language is known for eu")
    named = judged(copied, write_policy(tmp_path, rules, reference="en"))
    assert finding(named, "maximum_gap", "eu").outcome is NO_GO
    assert finding(named, "maximum_gap", "en").sentence == "this is the reference language"


def test_a_score_from_0_to_100_stays_one_where_all_are_0(copied, tmp_path):
    change_manifest(copied, lambda data: [one.update(primary_metric="chrf_pp") for one in data["tasks"].values()])
    found = finding(judged(copied, write_policy(tmp_path, {"rules": {"minimum_score": 35}})), "minimum_score", "en")
    assert found.outcome is NO_GO
    with pytest.raises(InputError, match=r"0\.6 of 100"):
        judged(copied, write_policy(tmp_path, {"rules": {"minimum_score": 0.6}}))


def change_manifest(run, change):
    """Change a run's manifest as JSON."""
    path = run / "manifest.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")
