"""Rules on times, memory and energy held against the profiles of a device."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from evalsuite.analysis.energy_table import energies
from evalsuite.analysis.load import Run
from evalsuite.analysis.memory_table import memory
from evalsuite.analysis.profile_rows import EnergyRow
from evalsuite.analysis.profiles import Profile
from evalsuite.errors import InputError, StoreError
from evalsuite.gate.fixes import Fix, advice, profile_fix
from evalsuite.gate.policy import SCORE_RULES
from evalsuite.gate.rows import Outcome, RuleTest, Unit, missing, tested
from evalsuite.gate.scope import Scope
from evalsuite.records import CellStatus, Device, Kind, ProfileFacts, ProfileSettings, ReadingLabel
from evalsuite.stats.one_sample import items_for_share, quantile_against

__all__ = ["device_tests", "energy_row", "is_device", "profile_of"]

_MIB = 2**20
_P95 = 0.95
_LEAST_PREFIX = 8
"""Shortest beginning of a fingerprint that stands for it."""


def is_device(wanted: str, device: Device) -> bool:
    """Return whether a policy's device is meant: a part of its name, in any case, or its fingerprint's beginning."""
    text = wanted.casefold().strip()
    names = " ".join((device.cpu, device.os, *device.accelerators)).casefold()
    return text in names or (len(text) >= _LEAST_PREFIX and device.fingerprint.startswith(text))


def profile_of(run: Run, scope: Scope, model: str) -> Profile | None:
    """Return the profile of a model on the device that the policy is about; none where it has none at all.

    Raises:
        StoreError: The model was measured, but not on that device.
        InputError: It was measured on several devices, and the policy does not say which one counts.
    """
    wanted = scope.evidence.device
    held = [profile for profile in run.profiles if profile.facts.cell.model == model]
    found = [profile for profile in held if wanted is None or is_device(wanted, profile.device)]
    if held and not found:
        told = "; ".join(_named(profile.device) for profile in held)
        raise StoreError(
            f"{scope.where}: asks for the device {wanted!r}, but {model} was measured on: {told}",
            fix=f"measure it there (`evalsuite profile {model}`), or name the device that was measured",
        )
    if len(found) > 1:
        told = "; ".join(_named(profile.device) for profile in found)
        raise InputError(
            f"{scope.where}: {model} was measured on {len(found)} devices: {told}",
            fix="say which one counts: `evidence: {device: ...}` with a part of its name, or its fingerprint",
        )
    return found[0] if found else None


def _named(device: Device) -> str:
    return f"{device.cpu}, {device.ram_bytes / 2**30:.0f} GiB, fingerprint {device.fingerprint}"


def device_tests(run: Run, scope: Scope, model: str, language: str) -> Iterator[RuleTest]:
    """Yield the tests of all rules that need a profile, of one model in one language.

    Raises:
        StoreError: The model was measured on another device than the policy asks for.
        InputError: It was measured on several.
    """
    asked = [name for name in scope.use_case.rules_of(language).asked if name not in SCORE_RULES]
    if not asked:
        return
    profile = profile_of(run, scope, model)
    absent = _why_none(run, profile, model, language)
    for rule in asked:
        limit = float(getattr(scope.use_case.rules_of(language), rule))
        unit = {"memory_mib": Unit.MIB, "energy_j": Unit.JOULES}.get(rule, Unit.SECONDS)
        if profile is None or absent is not None:
            made = missing(rule, absent or "", fix=_command(scope, model, language))
        elif rule == "memory_mib":
            made = _memory_test(scope, profile, limit)
        elif rule == "energy_j":
            made = _energy_test(scope, profile, language, limit)
        else:
            made = _time_test(rule, scope, profile, language, limit)
        yield replace(made, unit=unit, limit=limit)


def _command(scope: Scope, model: str, language: str, text: str = "", rounds: int | None = None) -> Fix:
    on = f"on {scope.evidence.device}" if scope.evidence.device else ""
    return profile_fix(model, language, text=" ".join(filter(None, (text, on))), rounds=rounds)


def _why_none(run: Run, profile: Profile | None, model: str, language: str) -> str | None:
    if profile is None:
        failed = next((facts for facts in run.unmeasured if facts.cell.model == model), None)
        return f"the profile is {failed.status}: {failed.reason or 'not begun'}" if failed else "there is no profile"
    if profile.facts.status is not CellStatus.DONE:
        return f"the profile is {profile.facts.status}: {profile.facts.reason or 'not finished'}"
    if language not in profile.languages:
        return f"the profile has no requests in {language}"
    return None


# --- time


def _time_test(rule: str, scope: Scope, profile: Profile, language: str, limit: float) -> RuleTest:
    kind = scope.use_case.requests
    assert kind is not None
    rows, _, disturbed = profile.timed(language, kind)
    model = profile.facts.cell.model
    if not rows:
        return missing(rule, f"the profile has no requests of the kind {kind}", fix=_command(scope, model, language))
    times = [row.total_s if rule == "latency_p95_s" else row.ttft_s for row in rows]
    confidence = scope.policy.confidence
    found = quantile_against(times, _P95, limit, confidence=confidence)
    within = sum(one <= limit for one in times) / len(times)
    needed = items_for_share(within, _P95, alpha=1 - confidence)
    fix = _command(scope, model, language, rounds=_rounds(profile, kind, len(rows), needed))
    texts = len({row.id for row in rows})
    of = "requests" if texts == len(rows) else f"requests of {texts} texts"
    made = replace(tested(rule, limit, found, at_least=False), of=of, needed=needed, fix=fix)
    fast = made.p_go is not None and made.p_go <= scope.policy.alpha
    if disturbed and scope.evidence.undisturbed and not fast:
        # Fast in spite of it is fast. That a device is too slow is not shown by what made it slow.
        told = "all rounds were disturbed, and the policy does not count such times"
        return replace(made, outcome=Outcome.INCONCLUSIVE, told=told, p_go=None, p_no_go=None)
    return made


def _rounds(profile: Profile, kind: Kind, requests: int, needed: int | None) -> int | None:
    """Return how many rounds of `evalsuite profile` make the requests that are needed."""
    if needed is None or not profile.facts.rounds_done:
        return None
    # As many as a round gave here, where some were disturbed; a round of a user's own messages has more of them.
    usual = ProfileSettings().classifications if kind is Kind.CLASSIFICATION else 1
    return math.ceil(needed / min(usual, requests / profile.facts.rounds_done))


# --- memory


def _memory_test(scope: Scope, profile: Profile, limit: float) -> RuleTest:
    model = profile.facts.cell.model
    row = next(iter(memory([profile])), None)
    fix = advice(f"profile {model} on a system that lets memory be limited (`evalsuite doctor` says whether it does)")
    if row is None or row.needed is None:
        return missing("memory_mib", row.basis if row else "memory was not measured", fix=fix)
    need = row.needed / _MIB
    context = f" with a context of {row.context} tokens" if row.context else ""
    told = f"needs {need:.0f} MiB{context} ({row.basis})"
    test = RuleTest("memory_mib", value=need, method="proven" if row.proven else "observed peak", told=told)
    if need > limit:
        return replace(test, outcome=Outcome.NO_GO, fix=None)
    if _needs_more(profile.facts):
        return replace(test, outcome=Outcome.INCONCLUSIVE, fix=fix)
    if scope.evidence.memory_proven and not row.proven:
        told = f"{told}; the policy asks for a proof by a run under a limit"
        return replace(test, outcome=Outcome.INCONCLUSIVE, told=told, fix=fix)
    return replace(test, outcome=Outcome.GO)


def _needs_more(facts: ProfileFacts) -> bool:
    """Return whether a run under a limit of about the observed need showed that it is not enough."""
    proof = facts.memory_proof or {}
    return "limit_bytes" in proof and bool(proof["oom_killed"] or not proof["held"])


# --- energy


def _energy_test(scope: Scope, profile: Profile, language: str, limit: float) -> RuleTest:
    from scipy import stats

    row = energy_row(scope, profile, language)
    model = profile.facts.cell.model
    if row is None or row.gross.value is None:
        reason = row.gross.reason if row else f"energy of {scope.use_case.requests} requests was not measured"
        fix = advice(row.fix) if row and row.fix else _command(scope, model, language)
        return missing("energy_j", reason or "", fix=fix)
    value, u = row.gross.value, row.gross.u
    test = RuleTest("energy_j", value=value, n=row.requests, of="requests", method=f"{row.label}, {row.scope}")
    if row.label not in scope.evidence.energy_labels:
        told = f"the figure is {row.label} ({row.scope}); the policy accepts {', '.join(scope.evidence.energy_labels)}"
        fix = _command(scope, model, language, "with --meter")
        return replace(test, outcome=Outcome.INCONCLUSIVE, told=told, fix=fix)
    if u is None or row.gross.coverage is None:
        # An estimate from assumed watts has no interval; whether it may count at all was asked above.
        kept = Outcome.GO if value <= limit else Outcome.NO_GO
        outcome = kept if row.label is ReadingLabel.ESTIMATED else Outcome.INCONCLUSIVE
        told = f"{value:.3g} J a request ({row.label}; no interval: {row.gross.reason})"
        return replace(test, outcome=outcome, told=told)
    # The stored factor is that of a 95 % interval; Student's t where degrees of freedom are few.
    error = u * row.gross.coverage / float(stats.norm.ppf(0.975))
    half = float(stats.norm.ppf(scope.policy.confidence)) * error
    p_go = float(stats.norm.cdf((value - limit) / error)) if error else float(value > limit)
    return replace(test, low=value - half, high=value + half, p_go=p_go, p_no_go=1 - p_go)


def energy_row(scope: Scope, profile: Profile, language: str) -> EnergyRow | None:
    """Return the energy of the requests that a use case is about; none where there is no such row."""
    kind = scope.use_case.requests
    if profile.model not in scope.energies:
        scope.energies[profile.model] = energies([profile])
    rows: tuple[EnergyRow, ...] = scope.energies[profile.model]
    return next((row for row in rows if (row.language, row.kind) == (language, kind)), None)
