"""Rollout rules against runs: GO, NO-GO or INCONCLUSIVE for every use case, language and model, with the reasons."""

from __future__ import annotations

from evalsuite.gate.decide import hold
from evalsuite.gate.inputs import Inputs, open_runs
from evalsuite.gate.policy import Policy, example_policy, load_policy
from evalsuite.gate.rows import Decision, Finding, GateResult, Outcome, Rollout, RuleTest, UseCaseResult

__all__ = [
    "Decision",
    "Finding",
    "GateResult",
    "Inputs",
    "Outcome",
    "Policy",
    "Rollout",
    "RuleTest",
    "UseCaseResult",
    "example_policy",
    "hold",
    "load_policy",
    "open_runs",
]
