"""Rules on times, memory and energy, with golden numbers of scipy and of the made-up profiles' closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from evalsuite.analysis import load_run
from evalsuite.errors import InputError, StoreError
from evalsuite.gate import Outcome
from evalsuite.records import SERVING_PHASE, CellStatus, Kind, MemoryPhase
from evalsuite.store import RunWriter
from tests.synthetic_gate import MODEL, OTHER, TITLES, decision, finding, judged, known_run, write_policy
from tests.synthetic_profile import MIB, DevicePlan, build_profiles

GO, NO_GO, OPEN = Outcome.GO, Outcome.NO_GO, Outcome.INCONCLUSIVE


def use_case(**rules):
    return {"requests": "classification", "rules": rules, "tasks": [], "languages": ["en", "eu"]}


def times(run, language, kind=Kind.CLASSIFICATION):
    profile = next(one for one in load_run(run).profiles if one.model == MODEL)
    return np.array([row.total_s for row in profile.timed(language, kind)[0]])


@pytest.mark.parametrize(("limit", "expected"), [(2.0, GO), (0.5, NO_GO)])
def test_a_95th_percentile_is_decided_by_how_many_requests_are_within_the_limit(measured, tmp_path, limit, expected):
    found = finding(judged(measured, write_policy(tmp_path, use_case(latency_p95_s=limit))), "latency_p95_s", "en")
    seen = times(measured, "en")
    within = int((seen <= limit).sum())
    assert found.outcome is expected
    assert found.test.n == len(seen) == 90
    assert found.test.p_go == pytest.approx(stats.binomtest(within, 90, 0.95, alternative="greater").pvalue)
    assert found.test.p_no_go == pytest.approx(stats.binomtest(within, 90, 0.95, alternative="less").pvalue)
    assert found.test.value == pytest.approx(np.quantile(seen, 0.95))
    # The 90th of 90 values is the first that leaves less than 5 %: P(Bin(90, 0.95) >= 89) is 0.057, and >= 90 is 0.010.
    assert found.test.high == seen.max()


def test_a_limit_among_the_slowest_requests_is_open_and_says_how_many_rounds_would_do(measured, tmp_path):
    limit = float(np.sort(times(measured, "en"))[-2])
    found = finding(judged(measured, write_policy(tmp_path, use_case(latency_p95_s=limit))), "latency_p95_s", "en")
    assert found.outcome is OPEN
    rounds = -(-found.test.needed * 30 // 90)
    assert str(found.fix) == f"`evalsuite profile {MODEL} --langs en --rounds {rounds}`"


def test_the_time_to_the_first_token_has_a_rule_of_its_own(measured, tmp_path):
    result = judged(measured, write_policy(tmp_path, use_case(first_token_p95_s=0.55)))
    assert finding(result, "first_token_p95_s", "en").outcome is GO
    assert finding(result, "first_token_p95_s", "eu").outcome is NO_GO


def test_too_few_requests_are_no_go_ahead(measured, tmp_path):
    case = {**use_case(latency_p95_s=10.0), "requests": "answer"}
    found = finding(judged(measured, write_policy(tmp_path, case)), "latency_p95_s", "en")
    assert (found.test.n, found.outcome, found.test.needed) == (30, OPEN, 59)
    assert str(found.fix).endswith("--rounds 59`")


def need_mib(size=1):
    """What the made-up profiles need: anonymous and shared memory and mapped weights."""
    return 110 * size + 4 + 90 * size


@pytest.mark.parametrize(("limit", "proven", "expected"), [
    (need_mib(), False, GO),
    (need_mib() - 1, False, NO_GO),
    (need_mib() + 500, True, OPEN),
])  # fmt: skip
def test_memory_is_a_reading_against_a_limit(measured, tmp_path, limit, proven, expected):
    case = {**use_case(memory_mib=limit), "evidence": {"memory_proven": proven}}
    found = finding(judged(measured, write_policy(tmp_path, case)), "memory_mib", "en")
    assert found.outcome is expected
    assert found.test.value == need_mib()
    assert f"the limit is {limit} MiB" in found.sentence
    assert ("asks for a proof" in found.sentence) == proven


def profiled(path, **plan):
    """Profiles alone, without power unless it is asked for."""
    usual: dict[str, Any] = {
        "codes": ("en", "eu"),
        "models": TITLES,
        "rounds": 2,
        "noisy": (),
        "throttled": (),
        "meter": None,
    }
    return build_profiles(path / "run", DevicePlan(**(usual | plan)))


PROOF = {"limit_bytes": 300 * MIB, "proven": True, "method": "cgroup", "oom_killed": False, "held": True, "slower": 0.0}


@pytest.mark.parametrize(("proof", "expected"), [
    (PROOF, GO),
    ({**PROOF, "proven": False, "oom_killed": True}, OPEN),
    ({**PROOF, "proven": False, "held": False}, OPEN),
])  # fmt: skip
def test_a_run_under_a_limit_proves_memory_or_shows_that_more_is_needed(tmp_path, proof, expected):
    run = profiled(tmp_path, facts={"memory_proof": proof})
    case = use_case(memory_mib=1000)
    result = judged(run, write_policy(tmp_path, case))
    assert finding(result, "memory_mib", "en").outcome is expected
    proven = {**case, "evidence": {"memory_proven": True}}
    assert finding(judged(run, write_policy(tmp_path, proven)), "memory_mib", "en").outcome is expected


def test_memory_that_the_system_does_not_tell_is_open(tmp_path):
    run = profiled(tmp_path, facts={"memory": (MemoryPhase(phase=SERVING_PHASE),)})
    found = finding(judged(run, write_policy(tmp_path, use_case(memory_mib=1000))), "memory_mib", "en")
    assert found.outcome is OPEN
    assert "does not tell" in found.sentence


def test_energy_is_decided_by_its_uncertainty(measured, tmp_path):
    gross = next(
        row.gross
        for row in _energies(measured)
        if (row.model, row.language, row.kind) == (MODEL, "en", Kind.CLASSIFICATION)
    )
    for limit, expected in ((gross.high * 1.01, GO), (gross.low * 0.99, NO_GO), (gross.value, OPEN)):
        found = finding(judged(measured, write_policy(tmp_path, use_case(energy_j=limit))), "energy_j", "en")
        assert found.outcome is expected
        # Half of the 95 % interval over 1.96 is the standard error of a normal one.
        error = (gross.high - gross.value) / stats.norm.ppf(0.975)
        assert found.test.p_go == pytest.approx(stats.norm.cdf(gross.value, limit, error), rel=1e-6)
        assert found.test.high == pytest.approx(gross.value + stats.norm.ppf(0.95) * error)


def _energies(run):
    from evalsuite.analysis.energy_table import energies

    return energies(load_run(run).profiles)


def test_an_estimate_of_energy_counts_only_where_the_policy_accepts_it(tmp_path):
    run = profiled(tmp_path, watts=5.0)
    case = use_case(energy_j=100.0)
    found = finding(judged(run, write_policy(tmp_path, case)), "energy_j", "en")
    assert found.outcome is OPEN
    assert "the figure is estimated" in found.sentence
    assert "--meter" in str(found.fix)
    accepted = {**case, "evidence": {"energy_labels": ["measured", "estimated"]}}
    assert finding(judged(run, write_policy(tmp_path, accepted)), "energy_j", "en").outcome is GO
    low = {**use_case(energy_j=0.01), "evidence": {"energy_labels": ["estimated"]}}
    assert finding(judged(run, write_policy(tmp_path, low)), "energy_j", "en").outcome is NO_GO


def test_no_meter_is_open_with_what_would_help(tmp_path):
    run = profiled(tmp_path)
    found = finding(judged(run, write_policy(tmp_path, use_case(energy_j=100.0))), "energy_j", "en")
    assert found.outcome is OPEN
    assert "no power sensor was found" in found.sentence
    assert "plug with a meter" in str(found.fix)


# --- what is missing, failed, or of another device


def test_no_profile_is_open_and_says_what_to_run(scored, tmp_path):
    result = judged(
        scored, write_policy(tmp_path, use_case(latency_p95_s=2.0, memory_mib=500), evidence={"device": "Pi 5"})
    )
    for rule in ("latency_p95_s", "memory_mib"):
        found = finding(result, rule, "eu")
        assert (found.outcome, found.sentence) == (OPEN, "there is no profile")
        assert str(found.fix) == f"`evalsuite profile {MODEL} --langs eu` on Pi 5"
    assert [str(fix) for fix in result.fixes] == [f"`evalsuite profile {MODEL} --langs en,eu` on Pi 5"]


def test_a_language_that_was_not_measured_is_open(tmp_path):
    run = profiled(tmp_path)
    case = {**use_case(memory_mib=900), "languages": ["es"]}
    found = finding(judged(run, write_policy(tmp_path, case)), "memory_mib", "es")
    assert (found.outcome, found.sentence) == (OPEN, "the profile has no requests in es")


@pytest.mark.parametrize("rounds", [0, 1])
def test_a_failed_profile_is_open_with_its_reason(tmp_path, rounds):
    facts = {"status": CellStatus.FAILED, "reason": "the engine crashed: SIGSEGV", "rounds_done": rounds}
    run = profiled(tmp_path, facts=facts)
    found = finding(judged(run, write_policy(tmp_path, use_case(memory_mib=900))), "memory_mib", "en")
    assert found.outcome is OPEN
    assert found.sentence == "the profile is failed: the engine crashed: SIGSEGV"


def test_times_of_disturbed_rounds_alone_are_open(tmp_path):
    run = profiled(tmp_path, codes=("en",), rounds=20, noisy=tuple(range(20)))
    case = {**use_case(latency_p95_s=9.0), "languages": ["en"]}
    result = judged(run, write_policy(tmp_path, case))
    assert finding(result, "latency_p95_s", "en").outcome is GO
    found = finding(result, "evidence.undisturbed", "en")
    assert found.outcome is OPEN
    assert "0.42 cores were busy" in found.sentence
    assert decision(result, "en").outcome is OPEN
    allowed = {**case, "evidence": {"undisturbed": False}}
    assert decision(judged(run, write_policy(tmp_path, allowed)), "en").outcome is GO


def test_requests_are_counted_where_a_number_is_asked_for(measured, tmp_path):
    case = {**use_case(latency_p95_s=2.0), "languages": ["en"]}
    for least, expected in ((90, GO), (91, OPEN)):
        result = judged(measured, write_policy(tmp_path, case, evidence={"least_requests": least}))
        assert finding(result, "evidence.least_requests", "en").outcome is expected
        assert decision(result, "en").outcome is expected


@pytest.mark.parametrize("wanted", ["example cpu", "E-1000", "fingerprint"])
def test_the_device_is_known_by_a_part_of_its_name_or_its_fingerprint(measured, tmp_path, wanted):
    name = load_run(measured).manifest.device.fingerprint[:8] if wanted == "fingerprint" else wanted
    case = {**use_case(memory_mib=need_mib()), "evidence": {"device": name}}
    result = judged(measured, write_policy(tmp_path, case))
    assert decision(result, "en").outcome is GO
    assert finding(result, "evidence.device", "en").sentence == "measured on Example CPU E-1000"


def test_a_profile_of_another_device_is_refused_with_both_names(measured, tmp_path):
    case = {**use_case(memory_mib=need_mib()), "evidence": {"device": "Raspberry Pi 5"}}
    with pytest.raises(
        StoreError, match=r"asks for the device 'Raspberry Pi 5', but alpha was measured on: Example CPU E-1000"
    ):
        judged(measured, write_policy(tmp_path, case))


def first_device(run):
    return load_run(run).manifest.device.fingerprint


def test_profiles_of_two_devices_need_a_word_which_counts(tmp_path):
    first, second = profiled(tmp_path / "first"), profiled(tmp_path / "second")
    with RunWriter(second) as writer:
        manifest = writer.manifest
        device = manifest.device.model_copy(update={"ram_bytes": 16 * 2**30})
        cells = tuple(cell.model_copy(update={"device": device.fingerprint}) for cell in manifest.profiles)
        writer.write_manifest(manifest.model_copy(update={"device": device, "profiles": cells}))
        for cell in cells:
            facts = writer.path / "profiles" / cell.id / "profile.json"
            facts.write_text(facts.read_text().replace(first_device(first), device.fingerprint))
    case = use_case(memory_mib=900)
    with pytest.raises(
        InputError, match=r"alpha was measured on 2 devices: Example CPU E-1000, 8 GiB.*Example CPU E-1000, 16 GiB"
    ):
        judged([first, second], write_policy(tmp_path, case))
    named = {**case, "evidence": {"device": load_run(second).manifest.device.fingerprint}}
    assert decision(judged([first, second], write_policy(tmp_path, named)), "en").outcome is GO


def test_scores_of_one_run_and_times_of_another_are_held_together(scored, tmp_path):
    board = profiled(tmp_path, codes=("en", "es", "eu"), rounds=30)
    case = {"requests": "classification", "rules": {"minimum_score": "75 %", "latency_p95_s": 2.0}}
    result = judged([scored, board], write_policy(tmp_path, case))
    assert decision(result, "en").outcome is GO
    assert [source.path for source in result.sources] == [scored, board]
    assert judged([board, scored], write_policy(tmp_path, case)).outcome is result.outcome


def test_runs_that_do_not_belong_together_are_refused_with_what_differs(scored, tmp_path):
    other = known_run(tmp_path / "other", limit=60, codes=("en",), models={MODEL: "Alpha"})
    with pytest.raises(StoreError, match=r"limit of the sweep is not set in .*, 60 in"):
        judged([scored, other], write_policy(tmp_path, {"rules": {"minimum_score": "75 %"}}))
    with RunWriter(other) as writer:
        manifest = writer.manifest
        changed = {**manifest.models, MODEL: manifest.models[MODEL].model_copy(update={"sha256": "0" * 64})}
        writer.write_manifest(manifest.model_copy(update={"models": changed}))
    with pytest.raises(StoreError, match="the model alpha is not the same: sha256"):
        judged([scored, other], write_policy(tmp_path, {"rules": {"minimum_score": "75 %"}}))


def test_the_model_that_needs_more_memory_is_the_one_that_breaks_the_rule(measured, tmp_path):
    case = {**use_case(memory_mib=need_mib()), "models": [MODEL, OTHER]}
    result = judged(measured, write_policy(tmp_path, case))
    assert [d.outcome for d in result.use_cases[0].rollouts[0].decisions] == [GO, NO_GO]
