"""Policies as people write them: what is understood, and what every mistake is told with file, line, value and fix."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from evalsuite.errors import InputError
from evalsuite.gate import Outcome, example_policy, load_policy
from evalsuite.gate.policy import Correction, Family, Need
from tests.helpers import ROOT
from tests.synthetic_gate import judged, write_policy

CASE = """\
name: Rollout
use_cases:
  - name: Sorting
    tasks: [toy_topics]
    languages: [en, eu]
    requests: classification
    rules:
      minimum_score: 60 %
"""


def write(folder, text):
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder, text):
    with pytest.raises(InputError) as caught:
        load_policy(write(folder, text))
    return str(caught.value)


def test_what_is_not_said_has_a_default_that_errs_on_the_safe_side(tmp_path):
    policy = load_policy(write(tmp_path, CASE))
    assert (policy.confidence, policy.correction, policy.family, policy.need) == (
        0.95,
        Correction.HOLM,
        Family.ROLLOUT,
        Need.ANY,
    )
    (one,) = policy.use_cases
    assert (one.models, one.prompt_form, one.overrides) == (None, None, {})
    evidence = policy.evidence_of(one)
    assert (evidence.no_warnings, evidence.undisturbed, evidence.energy_labels) == (True, True, ("measured", "derived"))
    assert one.rules_of("en").asked == ("minimum_score",)


@pytest.mark.parametrize(
    ("written", "value"), [("0.6", 0.6), ("60 %", 0.6), ("60%", 0.6), ("62.5 percent", 0.625), ("37", 37.0)]
)
def test_a_score_may_be_written_as_a_share_or_as_a_percentage(tmp_path, written, value):
    policy: Any = load_policy(write(tmp_path, CASE.replace("60 %", written)))
    assert policy.use_cases[0].rules.minimum_score.value == pytest.approx(value)


@pytest.mark.parametrize(("written", "value"), [("5 points", 0.05), ("1 point", 0.01), ("0.05", 0.05), ("5 %", 0.05)])
def test_a_gap_may_be_written_in_points(tmp_path, written, value):
    policy: Any = load_policy(write(tmp_path, CASE.replace("minimum_score: 60 %", f"maximum_gap: {written}")))
    assert policy.use_cases[0].rules.maximum_gap.value == pytest.approx(value)


@pytest.mark.parametrize(("old", "new", "line", "told"), [
    ("name: Rollout", "nam: Rollout", 1, "nam: unknown field; did you mean 'name'?"),
    ("    tasks:", "    task:", 4, "use_cases.0.task: unknown field; did you mean 'tasks'?"),
    ("minimum_score", "minimum_scor", 8, "minimum_scor: unknown field; did you mean 'minimum_score'?"),
    ("60 %", "sixty", 8, "is no amount; write a share such as 0.6 or 60 %"),
    ("60 %", "60 points", 8, "is not given in points"),
    ("60 %", "'0.6'", 8, "is no amount"),
    ("60 %", "-5", 8, "must be above 0"),
    ("60 %", "120 %", 8, "not above 100 %"),
    ("60 %", "100 %", 8, "no number of items can show that everything is right"),
    ("60 %", "true", 8, "must be a number"),
    ("60 %", ".nan", 8, "is no number"),
    ("minimum_score: 60 %", "maximum_gap: .inf", 8, "is no number"),
    ("60 %", "[60]", 8, "must be a number"),
    ("minimum_score: 60 %", "maximum_gap: 5 pt", 8, "write a difference such as 5 points or 0.05"),
    ("minimum_score: 60 %", "maximum_gap: 0 points", 8, "above 0 and below 100 points"),
    ("minimum_score: 60 %", "wrong_language_share: 0", 8, "no number of answers can show that none is"),
    ("minimum_score: 60 %", "latency_p95_s: true", 8, "valid number"),
    ("minimum_score: 60 %", "latency_p95_s: 2 s", 8, "valid number"),
    ("minimum_score: 60 %", "memory_mib: -1", 8, "greater than 0"),
    ("minimum_score: 60 %", "energy_j: .inf", 8, "finite"),
    ("minimum_score: 60 %", "above_chance: 1", 8, "valid boolean"),
    ("minimum_score: 60 %", "above_chance: false", 3, "rules: asks for nothing"),
    ("[en, eu]", "eu", 5, "write a list such as [eu], or `all`"),
    ("[en, eu]", "[en, en]", 5, "named twice: en"),
    ("[en, eu]", "[]", 5, "at least 1 item"),
    ("classification", "clasification", 6, "'classification', 'reading'"),
    ("name: Sorting", 'name: ""', 3, "can be shown"),
    ("name: Sorting", 'name: "\\e[2J"', 3, "must be text that can be shown on one line"),
    ("name: Sorting", 'name: "a\\nb"', 3, "on one line"),
    ("    tasks: [toy_topics]\n", "", 3, "tasks: missing; minimum_score is of the scores of tasks"),
    ("use_cases:", "confidence: 5 %\nuse_cases:", 2, "above 50 % and below 100 %"),
    ("use_cases:", "correction: bonferroni\nuse_cases:", 2, "'holm' or 'none'"),
    ("use_cases:", "evidence: {least_item: 3}\nuse_cases:", 2, "did you mean 'least_items'?"),
    ("use_cases:", "evidence: {least_items: 2.5}\nuse_cases:", 2, "valid integer"),
    ("use_cases:", "evidence: {energy_labels: [unavailable]}\nuse_cases:", 2, "is no figure"),
    ("use_cases:", "path: /etc\nuse_cases:", 2, "path: unknown field"),
])  # fmt: skip
def test_every_mistake_names_file_line_and_field(tmp_path, old, new, line, told):
    assert old in CASE
    said = refused(tmp_path, CASE.replace(old, new))
    assert f"policy.yaml:{line}: " in said
    assert told in said


@pytest.mark.parametrize(("extra", "told"), [
    ("    overrides: {es: {minimum_score: 50 %}}\n", "overrides: 'es' is not among the languages en, eu"),
    ("    overrides: {eu: {minimum_score: null}}\n", "overrides: no rule is left for eu"),
    ("    overrides: {eu: {minimum_scor: 5 %}}\n", "overrides.eu.minimum_scor: unknown field; did you mean 'minimum_score'?"),
    ("    category_column: kind\n", "category_column: is of no use without `categories`"),
    ("    prompt_form: nativ\n", "no prompt form 'nativ'"),
])  # fmt: skip
def test_rules_for_a_language_and_items_are_checked_too(tmp_path, extra, told):
    assert told in refused(tmp_path, CASE + extra)


def test_a_rule_of_time_needs_a_kind_of_request(tmp_path):
    text = CASE.replace("    requests: classification\n", "").replace("minimum_score: 60 %", "latency_p95_s: 2")
    said = refused(tmp_path, text)
    assert "requests: missing; latency_p95_s is of one kind of request: classification, reading" in said


def test_a_policy_without_use_cases_or_with_two_of_a_name_is_refused(tmp_path):
    assert "name at least one use case" in refused(tmp_path, "name: x\nuse_cases: []\n")
    assert "use_cases: is missing" in refused(tmp_path, "name: x\n")
    twice = CASE + CASE.partition("use_cases:\n")[2]
    assert "two use cases have the name 'Sorting'" in refused(tmp_path, twice)


def test_all_mistakes_are_told_at_once_from_the_top_down(tmp_path):
    said = refused(tmp_path, CASE.replace("60 %", "x").replace("classification", "y").replace("Rollout", "[]"))
    assert [line.split(":")[1] for line in said.splitlines()] == ["1", "6", "8"]


def test_a_file_that_is_missing_or_no_mapping_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="no such policy file") as caught:
        load_policy(tmp_path / "none.yaml")
    assert "gate --example" in str(caught.value)
    assert "must be a mapping" in refused(tmp_path, "- a\n- b\n")
    assert "is given twice" in refused(tmp_path, CASE + "name: again\n")
    assert "not valid YAML" in refused(tmp_path, CASE + "  x: [\n")


# --- names that are known only when runs are at hand


@pytest.mark.parametrize(("fields", "told", "fix"), [
    ({"tasks": ["toy_topic"]}, "unknown task 'toy_topic'", "toy_topics"),
    ({"languages": ["en", "eus"]}, "unknown language 'eus'", "'eu'"),
    ({"models": ["alpa"]}, "unknown model 'alpa'; the runs have alpha, beta", "'alpha'"),
    ({"categories": ["good"]}, "no item of the category 'good' in the runs; there are: goods, money", "'goods'"),
    ({"categories": ["goods"], "category_column": "kind"}, "have no column 'kind'; they have text, category", "category_column"),
    ({"prompt_form": "english"}, "no task of it was asked in the prompt form 'english'", "one of native"),
    ({"tasks": ["labels"], "languages": "all"}, "the runs have nothing of its tasks labels", "name the languages"),
])  # fmt: skip
def test_a_name_that_means_nothing_in_the_runs_is_told_with_near_ones(scored, tmp_path, fields, told, fix):
    policy = write_policy(tmp_path, {"rules": {"minimum_score": "50 %"}, **fields})
    with pytest.raises(InputError) as caught:
        judged(scored, policy)
    assert f"{policy}: use case 'Sorting': " in caught.value.problem
    assert told in caught.value.problem
    assert fix in str(caught.value.fix)


def test_an_unknown_reference_is_refused(scored, tmp_path):
    with pytest.raises(InputError, match="unknown language 'enn'"):
        judged(scored, write_policy(tmp_path, {"rules": {"maximum_gap": "5 points"}}, reference="enn"))


def test_all_languages_and_models_are_those_of_the_runs(scored, tmp_path):
    case = {"languages": "all", "models": "all", "rules": {"minimum_score": "20 %"}}
    (one,) = judged(scored, write_policy(tmp_path, case)).use_cases
    assert [rollout.language for rollout in one.rollouts] == ["en", "es", "eu"]
    assert [d.model for d in one.rollouts[0].decisions] == ["alpha", "beta"]


def test_several_prompt_forms_need_a_word_which_is_used(tmp_path):
    from evalsuite.records import PromptForm
    from tests.synthetic_gate import known_run

    run = known_run(tmp_path / "run", codes=("en",), forms=(PromptForm.NATIVE, PromptForm.CHAT), items=40)
    case = {"languages": ["en"], "rules": {"minimum_score": "20 %"}}
    with pytest.raises(InputError, match="were asked in 2 prompt forms: native, chat"):
        judged(run, write_policy(tmp_path, case))
    assert judged(run, write_policy(tmp_path, {**case, "prompt_form": "chat"})).outcome is Outcome.GO


# --- the example


def test_the_example_is_a_policy_for_the_three_places_of_the_shipped_messages():
    policy: Any = load_policy(ROOT / "examples" / "policies" / "labels.yaml")
    assert [one.name for one in policy.use_cases] == ["Shop messages", "Clinic front desk", "Farm sensors"]
    data = yaml.safe_load((ROOT / "tasks" / "labels" / "data" / "en.yaml").read_text(encoding="utf-8"))
    named = [category for one in policy.use_cases for category in one.categories]
    assert named == list(data["categories"])
    assert example_policy() == policy.path.read_text(encoding="utf-8")


def test_every_number_of_the_example_has_its_reason_beside_it():
    lines = example_policy().splitlines()
    rules = [line for line in lines if line.startswith("      ") and any(c.isdigit() for c in line.partition("#")[0])]
    assert len(rules) > 10
    assert all("#" in line for line in rules)
