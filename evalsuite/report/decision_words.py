"""The decision page's words for what a policy asks, and for what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from evalsuite.gate.placement import Place, Placement
from evalsuite.gate.policy import Policy, Rules, UseCase
from evalsuite.gate.rows import EVIDENCE, Finding, Outcome, RuleTest, Unit
from evalsuite.report.device_shown import Shown
from evalsuite.report.names import Names
from evalsuite.report.text import MISSING, Text

__all__ = ["DecisionWords"]

_TIMES = ("latency_p95_s", "first_token_p95_s")


class DecisionWords:
    """Says in short what decides an answer, with its numbers.

    Args:
        text: Wording and formats.
        names: What things are called.
        reference: Code of the language that gaps are taken against.
    """

    def __init__(self, text: Text, names: Names, reference: str | None) -> None:
        self._text, self._shown = text, Shown(text)
        self._reference = names.language(reference).shown if reference else MISSING

    def why(self, placed: Placement) -> tuple[str, ...]:
        """Return what carries an answer, in a few words each."""
        if placed.place is Place.DEVICE:
            return tuple(self._kept(placed))
        if placed.place is Place.HYBRID and placed.sure is not None:
            sure = placed.sure
            share, right = (self._text.percent(value) for value in (sure.answered, sure.right))
            least = self._text.percent_sign(self._text.number(100 * sure.least, 0))
            return (self._text("decision.why.sure", share=share, right=right, least=least),)
        if placed.place is Place.UNASKED:
            return ()
        if placed.finding is None:
            # Every rule is kept by itself: what is left is the correction for the choice among several models.
            return (self._text("decision.why.luck"),)
        return (self.finding(placed.finding),)

    def _kept(self, placed: Placement) -> Iterator[str]:
        score, time = placed.of_rule("minimum_score"), placed.of_rule("latency_p95_s")
        if score is not None and score.test.value is not None:
            low = self.amount(score.test.low, score.test.unit)
            yield self._text("decision.why.right", value=self.amount(score.test.value, score.test.unit), low=low)
        if time is not None and time.test.value is not None:
            yield self._text("decision.why.time", value=self._shown.seconds(time.test.value))

    def finding(self, finding: Finding) -> str:
        """Return what is broken or open, with the number and the limit."""
        test, broken = finding.test, finding.outcome is Outcome.NO_GO
        if test.rule.startswith(f"{EVIDENCE}."):
            return self._evidence(test)
        if test.value is None:
            return self._missing(test)
        value, limit = self.amount(test.value, test.unit), self.amount(test.limit, test.unit)
        said = {"value": value, "limit": limit}
        if test.rule == "maximum_gap":
            said["reference"] = self._reference
        told = self._text(f"decision.{'broken' if broken else 'open'}.{test.rule}", **said)
        if broken or test.needed is None or (test.n is not None and test.needed <= test.n):
            return told
        # "requests of 8 texts" are requests.
        counted = test.of.partition(" ")[0]
        return self._text(f"decision.needed.{counted}", told=told, n=test.needed)

    def _missing(self, test: RuleTest) -> str:
        if test.rule in {*_TIMES, "memory_mib"}:
            return self._text("decision.missing.device")
        return self._text("decision.missing.energy" if test.rule == "energy_j" else "decision.missing.scores")

    def _evidence(self, test: RuleTest) -> str:
        name = test.rule.partition(".")[2]
        known = {"no_warnings", "least_items", "least_requests", "all_scored", "undisturbed", "spot_check", "device"}
        return self._text(f"decision.evidence.{name if name in known else 'other'}")

    def amount(self, value: float | None, unit: Unit) -> str:
        """Return a number as a reader expects it; a difference without its sign, which the sentence says."""
        if value is None:
            return MISSING
        show: dict[Unit, Callable[[float], str]] = {
            Unit.SHARE: self._text.percent,
            Unit.POINTS: lambda v: self._text.number(abs(100 * v)),
            Unit.RAW: lambda v: self._text.number(v, 2),
            Unit.RAW_DIFFERENCE: lambda v: self._text.number(abs(v), 2),
            Unit.SECONDS: self._shown.seconds,
            Unit.MIB: lambda v: f"{self._text.number(v, 0)} MiB",
            Unit.JOULES: lambda v: f"{self._text.number(v)} J",
        }
        return show[unit](value)

    def rules(self, policy: Policy) -> tuple[tuple[str, str], ...]:
        """Return what each use case asks, in a sentence; use cases that ask the same are one."""
        asked: dict[str, list[str]] = {}
        for use_case in policy.use_cases:
            asked.setdefault(self._rules(use_case), []).append(use_case.name)
        return tuple((self._text.join(same), told) for told, same in asked.items())

    def _rules(self, use_case: UseCase) -> str:
        parts = [self._rule(name, use_case.rules) for name in use_case.rules.asked]
        if use_case.overrides:
            parts.append(self._text("decision.rule.overrides", languages=", ".join(use_case.overrides)))
        return self._text.series(parts)

    def _rule(self, name: str, rules: Rules) -> str:
        value = getattr(rules, name)
        if name == "above_chance":
            return self._text("decision.rule.above_chance")
        if name in _TIMES:
            return self._text(f"decision.rule.{name}", limit=self._shown.seconds(float(value)))
        if name == "memory_mib":
            return self._text("decision.rule.memory_mib", limit=self.amount(float(value), Unit.MIB))
        if name == "energy_j":
            return self._text("decision.rule.energy_j", limit=self.amount(float(value), Unit.JOULES))
        share = value.is_share or value.value < 1
        plain = Unit.POINTS if name == "maximum_gap" else Unit.SHARE
        raw = Unit.RAW_DIFFERENCE if name == "maximum_gap" else Unit.RAW
        limit = self.amount(value.value, plain if share else raw)
        return self._text(f"decision.rule.{name}", limit=limit, reference=self._reference)
