"""Runs whose every answer is known, and policies over them, for tests of the gate."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from evalsuite.gate import GateResult, Inputs, hold, load_policy, open_runs
from evalsuite.gate.rows import Decision
from evalsuite.records import Cell, Record
from tests.synthetic import Plan, build_run
from tests.synthetic_profile import DevicePlan, build_profiles

__all__ = ["AS_OF", "ITEMS", "MODEL", "OTHER", "decision", "finding", "judged", "known_run", "write_policy"]

ITEMS = 120
MODEL, OTHER = "alpha", "beta"
TITLES = {MODEL: "Alpha", OTHER: "Beta"}
AS_OF = datetime(2026, 4, 11, 9, 30, tzinfo=UTC)
"""Ten days after the runs were made."""
CATEGORIES = ("goods", "money")

# How many of the topics' items each model gets right, from the first on; the items of facts come the other way round.
_RIGHT = {
    (MODEL, "en"): 100, (MODEL, "es"): 97, (MODEL, "eu"): 60,
    (OTHER, "en"): 84, (OTHER, "es"): 72, (OTHER, "eu"): 30,
}  # fmt: skip


def known_run(
    path: Path,
    *,
    profile: DevicePlan | None = None,
    change: Callable[[Cell, Record], Record] | None = None,
    **plan: Any,
) -> Path:
    """Write a run of two models in three languages with known answers; with a profile if one is asked for."""

    def hook(cell: Cell, record: Record) -> Record:
        right = record.item_index < _RIGHT[cell.model, cell.language]
        if cell.task.startswith("toy_facts"):
            right = record.item_index >= ITEMS - _RIGHT[cell.model, cell.language]
        picked = int(record.target) if right else (int(record.target) + 1) % len(record.choices)
        doc = json.dumps({"text": "…", "category": CATEGORIES[record.item_index % 2]})
        made = record.model_copy(update={"score": float(right), "prediction": picked, "doc": doc})
        return change(cell, made) if change else made

    fields: dict[str, Any] = {
        "items": ITEMS, "codes": ("en", "es", "eu"), "models": TITLES, "limit": None, "holes": False, "note": None,
        "record_hook": hook,
    }  # fmt: skip
    build_run(path, Plan(**(fields | plan)))
    if profile is not None:
        build_profiles(path, profile)
    return path


def write_policy(folder: Path, *use_cases: dict[str, Any], **fields: Any) -> Path:
    """Write a policy; a use case that names no tasks, languages or models gets the usual ones."""
    usual = {"name": "Sorting", "tasks": ["toy_topics"], "languages": ["en", "es", "eu"], "models": [MODEL]}
    path = folder / "policy.yaml"
    data = {"name": "Rollout", **fields, "use_cases": [{**usual, **one} for one in use_cases]}
    path.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def judged(runs: Path | list[Path], policy: Path) -> GateResult:
    """Hold runs against a policy, ten days after they were made."""
    rules = load_policy(policy)
    spot = any(rules.evidence_of(one).spot_check for one in rules.use_cases)
    if isinstance(runs, Path) and not spot:
        return hold(rules, _opened(runs, (runs / "manifest.json").stat().st_mtime_ns), as_of=AS_OF)
    with open_runs([runs] if isinstance(runs, Path) else runs, spot_checks=spot) as inputs:
        return hold(rules, inputs, as_of=AS_OF)


@cache
def _opened(run: Path, _changed: int) -> Inputs:
    # Many policies are held against the same few runs.
    with open_runs([run]) as inputs:
        return inputs


def decision(result: GateResult, language: str, model: str = MODEL, use_case: str = "Sorting") -> Decision:
    """Return what follows for one model in one language."""
    one = next(case for case in result.use_cases if case.name == use_case)
    rollout = next(rollout for rollout in one.rollouts if rollout.language == language)
    return next(found for found in rollout.decisions if found.model == model)


def finding(result: GateResult, rule: str, language: str, model: str = MODEL, use_case: str = "Sorting") -> Any:
    """Return what came of a rule (a `Finding`); there is one of it."""
    found = [one for one in decision(result, language, model, use_case).findings if one.test.rule == rule]
    assert len(found) == 1, [one.test.rule for one in decision(result, language, model, use_case).findings]
    return found[0]
