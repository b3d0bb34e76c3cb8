"""The policy that stands in where none is given: each family of tasks is a use case, held against thresholds that ship."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

from evalsuite.analysis.costs import STANDS_FOR
from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import FAMILIES
from evalsuite.catalog.paths import data_root
from evalsuite.catalog.yamlfile import load_mapping, validate
from evalsuite.gate.policy import Evidence, Policy, Rules, UseCase

__all__ = ["DEFAULTS", "default_policy"]

DEFAULTS = "default.yaml"
"""File of the thresholds, in `reports/policies`."""

_NEEDS_KIND = ("latency_p95_s", "first_token_p95_s", "energy_j")


def default_policy(run: Run, name_of: Callable[[str], str]) -> Policy | None:
    """Return the policy for a run that is given without one; none where the run has no score that is a share.

    Use cases are the families of its parallel groups whose scores are shares, in the order of every table; each asks for
    all of them, in all their languages, of all models.

    Args:
        run: The run.
        name_of: Returns what to call a family.

    Raises:
        CatalogError: The shipped thresholds are damaged.
    """
    path = data_root("reports") / "policies" / DEFAULTS
    data, line_of = load_mapping(path)
    rules = validate(Rules, data, path, line_of)
    assert isinstance(rules, Rules)
    families: dict[str, list[str]] = {}
    for task in run.ordered_tasks:
        group = task.parallel_group
        if group and not task.only_read and group not in run.raw_groups:
            families.setdefault(task.family, []).append(group)
    if not families:
        return None
    order = [*(family for family in FAMILIES if family in families), *(f for f in families if f not in FAMILIES)]
    return Policy(
        name=DEFAULTS,
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        reference=run.manifest.sweep.reference,
        evidence=Evidence(device=_device(run)),
        use_cases=tuple(
            _use_case(family, name_of(family), list(dict.fromkeys(families[family])), rules, run) for family in order
        ),
    )


def _device(run: Run) -> str | None:
    """Return the fingerprint of the device that counts where models were measured on several: where most of them were."""
    found = Counter(profile.device.fingerprint for profile in run.profiles)
    models = {profile.facts.cell.model for profile in run.profiles}
    return found.most_common(1)[0][0] if len(run.profiles) > len(models) else None


def _use_case(family: str, name: str, groups: list[str], rules: Rules, run: Run) -> UseCase:
    kind = STANDS_FOR.get(family)
    if kind is None:
        # Times are of a kind of request, and none stands for this family.
        rules = rules.model_copy(update=dict.fromkeys(_NEEDS_KIND))
    return UseCase(name=name, tasks=tuple(groups), requests=kind, rules=rules, prompt_form=run.forms[0])
