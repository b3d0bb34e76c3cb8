"""A gate's result for scripts and for people: plain values for JSON, JUnit XML for CI, Markdown."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evalsuite import __version__
from evalsuite.analysis.markdown_text import flat, table
from evalsuite.gate.fixes import Fix
from evalsuite.gate.rows import Decision, Finding, GateResult, Outcome, Rollout, UseCaseResult
from evalsuite.gate.words import amount

__all__ = ["EXIT_CODES", "SYMBOLS", "gate_facts", "gate_markdown", "junit_xml"]

EXIT_CODES = {Outcome.GO: 0, Outcome.NO_GO: 1, Outcome.INCONCLUSIVE: 3}
"""2 stands for bad input."""
SYMBOLS = {Outcome.GO: "✓", Outcome.NO_GO: "✗", Outcome.INCONCLUSIVE: "?"}
"""Never alone: the word stands beside it."""

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


# --- JSON


def gate_facts(result: GateResult) -> dict[str, Any]:
    """Return a result as plain values: what was asked, of which runs, and every number that a decision rests on."""
    policy = result.policy
    return {
        "schema_version": 1,
        "evalsuite": __version__,
        "outcome": result.outcome.value,
        "exit_code": EXIT_CODES[result.outcome],
        "as_of": result.as_of.isoformat(),
        "policy": {
            "path": str(policy.path),
            "sha256": policy.sha256,
            "name": policy.name,
            "question": policy.question,
            "reference": policy.reference,
            "confidence": policy.confidence,
            "correction": policy.correction.value,
            "family": policy.family.value,
            "need": policy.need.value,
        },
        "runs": [
            {
                "run": str(source.path),
                "created": source.manifest.created,
                "evalsuite": source.manifest.evalsuite,
                "device": {"fingerprint": source.manifest.device.fingerprint, "cpu": source.manifest.device.cpu},
                "models": {name: model.sha256 for name, model in source.manifest.models.items()},
            }
            for source in result.sources
        ],
        "notes": list(result.notes),
        "to_settle": [str(fix) for fix in result.fixes],
        "use_cases": [_use_case_facts(one) for one in result.use_cases],
    }


def _use_case_facts(one: UseCaseResult) -> dict[str, Any]:
    return {
        "name": one.name,
        "outcome": one.outcome.value,
        "about": list(one.about),
        "languages": [
            {
                "language": rollout.language,
                "outcome": rollout.outcome.value,
                "models_go": list(rollout.models),
                "models": [_decision_facts(decision) for decision in rollout.decisions],
            }
            for rollout in one.rollouts
        ],
    }


def _decision_facts(decision: Decision) -> dict[str, Any]:
    return {
        "model": decision.model,
        "outcome": decision.outcome.value,
        "sentence": decision.sentence,
        "p_go": decision.p_go,
        "p_go_corrected": decision.p_go_holm,
        "decisions_corrected_together": decision.corrected,
        "rules": [_finding_facts(finding) for finding in decision.findings],
    }


def _finding_facts(finding: Finding) -> dict[str, Any]:
    test = finding.test
    return {
        "rule": test.rule,
        "task": test.task,
        "outcome": finding.outcome.value,
        "sentence": finding.sentence,
        "value": test.value,
        "unit": test.unit.value,
        "low": test.low,
        "high": test.high,
        "limit": test.limit,
        "n": test.n,
        "n_of": test.of if test.n is not None else None,
        "p_go": test.p_go,
        "p_no_go": test.p_no_go,
        "p_no_go_corrected": finding.p_no_go_holm,
        "needed_to_settle": test.needed,
        "method": test.method or None,
        "fix": None if finding.fix is None else str(finding.fix),
    }


# --- JUnit


@dataclass(frozen=True, slots=True)
class _Named:
    """One test case: what it is called, and what came of it."""

    name: str
    outcome: Outcome
    sentence: str
    fix: Fix | None = None


def junit_xml(result: GateResult) -> bytes:
    """Return a result as JUnit XML: a suite for each use case, a case for each rule and for each decision.

    NO-GO is a failure and INCONCLUSIVE an error, so that neither passes; languages without a model that passes have a
    case of their own, whose outcome is that of the rollout.
    """
    root = ET.Element("testsuites", name=_xml(result.policy.name))
    totals = dict.fromkeys(("tests", "failures", "errors"), 0)
    for one in result.use_cases:
        suite = ET.SubElement(root, "testsuite", name=_xml(one.name), timestamp=f"{result.as_of:%Y-%m-%dT%H:%M:%S}")
        counts = dict.fromkeys(totals, 0)
        for rollout in one.rollouts:
            for owner, case in _cases(rollout):
                _add_case(suite, f"{one.name}.{rollout.language}{owner}", case)
                counts["tests"] += 1
                counts["failures"] += case.outcome is Outcome.NO_GO
                counts["errors"] += case.outcome is Outcome.INCONCLUSIVE
        for name, count in (*counts.items(), ("skipped", 0), ("time", 0)):
            suite.set(name, str(count))
        totals = {name: count + counts[name] for name, count in totals.items()}
    for name, count in totals.items():
        root.set(name, str(count))
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _cases(rollout: Rollout) -> Iterator[tuple[str, _Named]]:
    """Yield the cases of a use case in a language, each with the part of its class name that says which model.

    Where one model is enough, rules that another one breaks are no failures of the rollout: they are not listed then.
    """
    told = f"may be rolled out: {', '.join(rollout.models)}" if rollout.models else "no model may be rolled out"
    yield "", _Named("decision", rollout.outcome, told)
    for decision in rollout.decisions:
        if rollout.outcome is Outcome.GO and decision.outcome is not Outcome.GO:
            continue
        owner = f".{decision.model}"
        yield owner, _Named("decision", decision.outcome, decision.sentence)
        for finding in decision.findings:
            name = ": ".join(filter(None, (finding.test.task, finding.test.rule)))
            yield owner, _Named(name, finding.outcome, finding.sentence, finding.fix)


def _add_case(suite: ET.Element, owner: str, case: _Named) -> None:
    element = ET.SubElement(suite, "testcase", classname=_xml(owner), name=_xml(case.name), time="0")
    text = _xml(case.sentence + (f"\nto settle it: {case.fix}" if case.fix else ""))
    if case.outcome is Outcome.GO:
        ET.SubElement(element, "system-out").text = text
        return
    kind = "failure" if case.outcome is Outcome.NO_GO else "error"
    ET.SubElement(element, kind, type=case.outcome.value, message=_xml(case.sentence)).text = text


def _xml(text: str) -> str:
    """Return text without the characters that XML cannot hold, not even escaped (XML 1.0, section 2.2)."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


# --- Markdown


def gate_markdown(result: GateResult) -> str:
    """Return a result as Markdown: the decisions first, then every rule with its numbers."""
    policy = result.policy
    lines = [f"# {flat(policy.name)}: {shown(result.outcome)}", ""]
    if policy.question:
        lines += [flat(policy.question), ""]
    lines += [
        table(
            ("use case", "language", "decision", "models that may be rolled out"),
            [
                (one.name, rollout.language, shown(rollout.outcome), ", ".join(rollout.models) or "none")
                for one in result.use_cases
                for rollout in one.rollouts
            ],
            left=4,
        ),
        "",
    ]
    for one in result.use_cases:
        lines += [f"## {flat(one.name)}: {shown(one.outcome)}", "", *(f"- {flat(text)}" for text in one.about), ""]
        for rollout in one.rollouts:
            for decision in rollout.decisions:
                lines += _decision_lines(rollout.language, decision)
    if result.fixes:
        lines += ["## What would settle what is open", "", *(f"- {flat(str(fix))}" for fix in result.fixes), ""]
    lines += [*_made_how(result), ""]
    return "\n".join(lines)


def shown(outcome: Outcome) -> str:
    """Return an outcome with its symbol."""
    return f"{SYMBOLS[outcome]} {outcome.value}"


def _decision_lines(language: str, decision: Decision) -> list[str]:
    rows = []
    for finding in decision.findings:
        test = finding.test
        bounds = " to ".join(amount(end, test.unit) for end in (test.low, test.high))
        rows.append(
            (
                ": ".join(filter(None, (test.task, test.rule))),
                shown(finding.outcome),
                amount(test.value, test.unit),
                "—" if test.low is None and test.high is None else bounds,
                amount(test.limit, test.unit),
                "—" if test.n is None else f"{test.n:,}",
                finding.sentence,
            )
        )
    heads = ("rule", "", "value", "bounds", "limit", "n", "why")
    return [
        f"### {flat(language)}, {flat(decision.model)}: {shown(decision.outcome)}",
        "",
        f"{flat(decision.sentence)}.",
        "",
        table(heads, rows, left=7),
        "",
    ]


def _made_how(result: GateResult) -> Iterator[str]:
    policy = result.policy
    yield "## How it was decided"
    yield ""
    yield f"- Policy `{flat(str(policy.path)).replace('`', '')}`, sha256 {policy.sha256[:12]}; evalsuite {__version__}."
    yield f"- Each bound has {100 * policy.confidence:g} % confidence by itself."
    together = "of a use case in a language" if policy.family == "rollout" else "of the whole policy"
    yield f"- Correction: {policy.correction}" + (
        f", over the decisions {together}." if policy.correction != "none" else "."
    )
    for source in result.sources:
        device = flat(source.manifest.device.cpu)
        yield f"- Run `{flat(str(source.path)).replace('`', '')}` of {flat(source.manifest.created)} on {device}."
    for note in result.notes:
        yield f"- {flat(note)}"
