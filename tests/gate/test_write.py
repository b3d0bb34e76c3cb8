"""What scripts and people get: JSON, JUnit XML, Markdown and the terminal, also with hostile text in names."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from rich.console import Console

from evalsuite.cli.gate_table import show_gate
from evalsuite.gate import Outcome
from evalsuite.gate.fixes import advice, joined, profile_fix, run_fix
from evalsuite.gate.rows import worst
from evalsuite.gate.write import gate_facts, gate_markdown, junit_xml
from evalsuite.store import RunWriter
from tests.synthetic_gate import MODEL, OTHER, judged, write_policy

HOSTILE = "<script>|[bold red]&\"' `x` ]]> 日本"
CASES = (
    {"name": HOSTILE, "models": [MODEL, OTHER], "rules": {"minimum_score": "75 %"}},
    {"name": "Times", "languages": ["en"], "requests": "classification", "rules": {"latency_p95_s": 2.0}},
)


@pytest.fixture(scope="module")
def result(scored, tmp_path_factory):
    policy = write_policy(tmp_path_factory.mktemp("policy"), *CASES, question="May we?")
    return judged(scored, policy)


def test_json_holds_every_number_and_where_it_comes_from(result):
    facts = json.loads(json.dumps(gate_facts(result)))
    assert (facts["outcome"], facts["exit_code"]) == ("NO-GO", 1)
    assert facts["policy"]["sha256"] == result.policy.sha256
    assert facts["runs"][0]["device"]["cpu"] == "Example CPU E-1000"
    assert set(facts["runs"][0]["models"]) == {MODEL, OTHER}
    english = facts["use_cases"][0]["languages"][0]
    assert (english["language"], english["outcome"], english["models_go"]) == ("en", "GO", [MODEL])
    rule = english["models"][0]["rules"][0]
    test = result.use_cases[0].rollouts[0].decisions[0].findings[0].test
    assert (rule["rule"], rule["task"], rule["outcome"]) == ("minimum_score", "toy_topics_en", "GO")
    assert [rule[k] for k in ("value", "low", "high", "limit", "n", "p_go")] == [
        test.value, test.low, test.high, 0.75, 120, test.p_go,
    ]  # fmt: skip
    assert facts["to_settle"] == [str(fix) for fix in result.fixes]


def test_junit_is_valid_and_counts_what_it_lists(result):
    root: Any = ET.fromstring(junit_xml(result))
    assert root.tag == "testsuites"
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == [HOSTILE, "Times"]
    for suite in suites:
        cases = suite.findall("testcase")
        assert int(suite.get("tests")) == len(cases)
        assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("errors")) == len(suite.findall("testcase/error"))
        assert all(case.get("classname") and case.get("name") for case in cases)
        keys = [(case.get("classname"), case.get("name")) for case in cases]
        assert len(keys) == len(set(keys))
    assert int(root.get("tests")) == sum(int(suite.get("tests")) for suite in suites)
    assert int(root.get("failures")) == sum(int(suite.get("failures")) for suite in suites)


def test_in_junit_a_no_go_is_a_failure_and_what_is_open_an_error(result):
    root: Any = ET.fromstring(junit_xml(result))
    by_name = {(case.get("classname"), case.get("name")): case for case in root.iter("testcase")}
    assert by_name[f"{HOSTILE}.eu", "decision"].find("failure").get("type") == "NO-GO"
    assert by_name["Times.en", "decision"].find("error").get("type") == "INCONCLUSIVE"
    error = by_name[f"Times.en.{MODEL}", "latency_p95_s"].find("error")
    assert "there is no profile" in error.get("message")
    assert f"evalsuite profile {MODEL} --langs en" in error.text
    passed = by_name[f"{HOSTILE}.en", "decision"]
    assert passed.find("failure") is None
    assert passed.find("error") is None
    # One model is enough: what the other one does not keep is no failure of the rollout.
    assert (f"{HOSTILE}.en.{OTHER}", "decision") not in by_name
    assert (f"{HOSTILE}.es.{MODEL}", "decision") in by_name


def test_text_that_xml_cannot_hold_is_replaced(copied, tmp_path):
    with RunWriter(copied) as writer:
        manifest = writer.manifest
        notes = {name: one.model_copy(update={"note": "\x1b[2J\x00￾ note"}) for name, one in manifest.tasks.items()}
        device = manifest.device.model_copy(update={"cpu": "<b>|\x1b[31m"})
        writer.write_manifest(manifest.model_copy(update={"tasks": notes, "device": device}))
    result = judged(copied, write_policy(tmp_path, {"rules": {"minimum_score": "50 %"}, "models": [MODEL]}))
    ET.fromstring(junit_xml(result))
    shown = printed(result, width=120)
    assert "\x1b" not in shown
    assert "\x00" not in shown
    assert "note" in shown
    assert "<b>" not in gate_markdown(result)


def printed(result, *, width, details=False, encoding="utf-8"):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace")
    show_gate(
        result, details=details, console=Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
    )
    stream.flush()
    return raw.getvalue().decode(encoding)


def test_markdown_has_the_decisions_the_numbers_and_what_would_settle_the_rest(result):
    text = gate_markdown(result)
    assert text.startswith("# Rollout: ✗ NO-GO\n\nMay we?\n")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    widths: dict[int, list[str]] = {}
    for line in lines:
        cells = line.replace("\\|", "").count("|")
        widths.setdefault(cells, []).append(line)
    assert set(widths) == {5, 8}  # four columns of decisions, seven of rules
    assert "<script>" not in text
    assert "| toy_topics_en: minimum_score | ✓ GO | 83.3 % | 76.7 % to 88.7 % | 75.0 % | 120 |" in text
    assert f"- `evalsuite profile {MODEL} --langs en`" in text
    assert f"sha256 {result.policy.sha256[:12]}" in text


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_a_terminal_of_any_width_shows_every_word(result, width):
    shown = printed(result, width=width)
    lines = shown.splitlines()
    fixes = {f"- {fix}" for fix in result.fixes}
    assert all(len(line.rstrip()) <= width for line in lines if line not in fixes)
    words = " ".join("".join(c for c in shown if c not in "│┃┏┓└┘├┤┼╇┡┩┳┴┬━─").split())
    assert "✗ NO-GO" in words
    assert "? INCONCLUSIVE" in words
    assert "✓ GO: en (alpha)" in words
    assert "[bold red]" in words.replace(" ", "") or "[bold red]" in words
    for text in (
        "minimum_score",
        "75.0 %",
        "What would settle what is open:",
        f"`evalsuite profile {MODEL} --langs en`",
    ):
        assert text in words


def test_what_stands_in_the_way_is_shown_and_everything_on_request(result):
    assert "keeps the limit of 75.0 %" not in printed(result, width=160)
    shown = printed(result, width=160, details=True)
    assert "[GO] minimum_score (toy_topics_en): score 83.3 % (120 items), and with 95 % confidence at least" in shown


def test_a_terminal_without_the_signs_gets_the_words_alone(result):
    shown = printed(result, width=60, encoding="ascii")
    assert "NO-GO" in shown
    assert "\\u2717" not in shown


def test_commands_of_one_kind_are_joined():
    fixes = [run_fix("m", "a", "en"), profile_fix("m", "en"), run_fix("m", "b", "eu"), advice("look"), advice("look"),
             profile_fix("m", "eu", rounds=20), profile_fix("m", "es", rounds=9), run_fix("n", "a", "en")]  # fmt: skip
    assert [str(fix) for fix in joined(fixes)] == [
        "`evalsuite run --model m --tasks a,b --langs en,eu`",
        "`evalsuite profile m --langs en,eu,es --rounds 20`",
        "look",
        "`evalsuite run --model n --tasks a --langs en`",
    ]


def test_a_whole_is_its_worst_part_and_nothing_is_inconclusive():
    go, no_go, open_ = Outcome.GO, Outcome.NO_GO, Outcome.INCONCLUSIVE
    assert worst([go, go]) is go
    assert worst([go, open_]) is open_
    assert worst([open_, no_go, go]) is no_go
    assert worst([]) is open_
