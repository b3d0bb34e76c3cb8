"""Says in plain words what came of a test and what follows for a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evalsuite.gate.policy import Policy
from evalsuite.gate.rows import EVIDENCE, Finding, Outcome, RuleTest, Unit

__all__ = ["amount", "decision_sentence", "sentence"]

_SUBJECTS = {
    "minimum_score": "score",
    "above_chance": "score",
    "wrong_language_share": "answers in another language:",
    "latency_p95_s": "19 of 20 requests take up to",
    "first_token_p95_s": "19 of 20 requests begin to be answered within",
    "energy_j": "energy of a request",
}
_AT_LEAST = {"minimum_score", "above_chance", "maximum_gap"}
"""Rules whose value must not be below the limit."""


def amount(value: float | None, unit: Unit) -> str:
    """Return a number with its unit; differences as "12.0 points behind"."""
    if value is None:
        return "—"
    if unit is Unit.SHARE:
        return f"{100 * value:.1f} %"
    if unit in (Unit.POINTS, Unit.RAW_DIFFERENCE):
        shown = f"{abs(100 * value):.1f} points" if unit is Unit.POINTS else f"{abs(value):.2f}"
        return f"{shown} {'behind' if value < 0 else 'ahead'}"
    if unit is Unit.RAW:
        return f"{value:.2f}"
    return f"{value:.4g} {unit.value}"


def sentence(test: RuleTest, outcome: Outcome, policy: Policy) -> str:
    """Return what came of a test, in one sentence or two."""
    if test.outcome is not None:
        return test.told + (_against(test) if test.value is not None else "")
    if test.p_go is None:
        return f"{_seen(test)}; no test is possible: {test.told}"
    sure = f"{100 * policy.confidence:g} % confidence"
    limit = _limit(test)
    least = test.rule in _AT_LEAST
    if outcome is Outcome.GO:
        bound = test.low if least else test.high
        told = f"{'at least' if least else 'at most'} {amount(bound, test.unit)}"
        return f"{_seen(test)}, and with {sure} {told}: keeps {limit}"
    if outcome is Outcome.NO_GO:
        bound = test.high if least else test.low
        told = f"{'at most' if least else 'at least'} {amount(bound, test.unit)}"
        return f"{_seen(test)}, and with {sure} {told}: breaks {limit}"
    if test.p_no_go is not None and test.p_no_go <= policy.alpha:
        told = "looks broken by itself, but not after the correction for all the rules that are tested"
        return f"{_seen(test)}: {limit} {told}"
    return f"{_seen(test)}; the true value may lie {_range(test)}, on either side of {limit}{_settle(test)}"


def _seen(test: RuleTest) -> str:
    count = f" ({test.n:,} {test.of})" if test.n is not None else ""
    if test.rule == "maximum_gap":
        return f"{amount(test.value, test.unit)}{count}"
    subject = _SUBJECTS.get(test.rule, test.rule)
    if test.value is None:
        return f"too few requests for a 95th percentile{count}"
    return f"{subject} {amount(test.value, test.unit)}{count}"


def _limit(test: RuleTest) -> str:
    if test.rule == "above_chance":
        return f"the limit, guessing ({amount(test.limit, test.unit)})"
    return f"the limit of {amount(test.limit, test.unit)}"


def _against(test: RuleTest) -> str:
    return "" if test.limit is None else f"; the limit is {amount(test.limit, test.unit)}"


def _range(test: RuleTest) -> str:
    if test.low is None and test.high is None:
        return "anywhere"
    if test.high is None:
        return f"anywhere from {amount(test.low, test.unit)} upwards"
    if test.low is None:
        return f"anywhere up to {amount(test.high, test.unit)}"
    return f"anywhere from {amount(test.low, test.unit)} to {amount(test.high, test.unit)}"


def _settle(test: RuleTest) -> str:
    what = test.of.partition(" ")[0]
    if test.needed is None:
        return ". What was seen is so near the limit that no reachable number would settle it"
    if test.n is not None and test.needed <= test.n:
        return f". So many {what} settle it four times in five; a few more would"
    return f". About {test.needed:,} {what} would settle it"


def decision_sentence(
    outcome: Outcome, findings: Sequence[Finding], corrected: int, p: float | None, policy: Policy
) -> str:
    """Return what follows for one model in one language."""
    rules = [f for f in findings if not f.test.rule.startswith(f"{EVIDENCE}.")]
    broken = _names(f for f in findings if f.outcome is Outcome.NO_GO)
    unclear = _names(f for f in findings if f.outcome is Outcome.INCONCLUSIVE)
    if outcome is Outcome.NO_GO:
        return f"broken: {broken}"
    if outcome is Outcome.GO:
        told = (
            f"all {len(rules)} rules are kept"
            if len(rules) > 2
            else "both rules are kept"
            if len(rules) > 1
            else "its rule is kept"
        )
        return (
            told
            if p is None
            else f"{told} (p = {p:.3g}{f', corrected for {corrected} decisions' if corrected > 1 else ''})"
        )
    if unclear:
        return f"not shown: {unclear}"
    if p is not None:
        return (
            f"each rule is kept by itself, but not after the correction for {corrected} decisions (p = {p:.3g}, above "
            f"{policy.alpha:.3g}): more items, or fewer models to choose from"
        )
    return "no rule could be tested"


def _names(findings: Iterable[Finding]) -> str:
    return ", ".join(dict.fromkeys(f.test.rule for f in findings))
