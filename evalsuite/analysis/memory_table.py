"""What a model takes in memory, part by part, and whether its need was proven or only observed."""

from __future__ import annotations

from collections.abc import Iterable

from evalsuite.analysis.profile_rows import MemoryRow
from evalsuite.analysis.profiles import Profile
from evalsuite.records import BASELINE_PHASE, SERVING_PHASE, MemoryPhase, ProfileFacts, needed_memory

__all__ = ["memory"]


def memory(profiles: Iterable[Profile]) -> tuple[MemoryRow, ...]:
    """Return the memory of every model while it served requests."""
    return tuple(_row(profile.model, profile.facts) for profile in profiles if profile.facts.memory)


def _row(model: str, facts: ProfileFacts) -> MemoryRow:
    phases = {phase.phase: phase for phase in facts.memory}
    serving = phases.get(SERVING_PHASE, MemoryPhase(phase=SERVING_PHASE))
    program = phases.get(BASELINE_PHASE)
    proven, basis = _basis(facts)
    needed, unknown_because = needed_memory(facts)
    if unknown_because is not None:
        proven, basis = False, unknown_because
    loads = {load.kind: (load.seconds, load.reason) for load in facts.loads}
    unknown = (None, "not measured")
    return MemoryRow(
        model=model,
        context=facts.context,
        file=facts.file_bytes,
        weights=serving.weights_mapped,
        cache=_sum(facts, "kv"),
        compute=_sum(facts, "compute"),
        program=program.rss_anon if program else None,
        anonymous=None if serving.rss_anon is None else serving.rss_anon + (serving.rss_shmem or 0),
        vram=serving.vram,
        peak_rss=serving.peak_rss,
        needed=needed,
        basis=basis,
        proven=proven,
        load_cold=loads.get("cold", unknown),
        load_warm=loads.get("warm", unknown),
    )


def _sum(facts: ProfileFacts, kind: str) -> int | None:
    found = facts.buffers.get(kind)
    return sum(found.values()) if found else None


def _basis(facts: ProfileFacts) -> tuple[bool, str]:
    """Return whether the need was proven, and how; otherwise that it is an observed peak, and why."""
    proof = facts.memory_proof
    if proof is None:
        return False, "observed peak: no run under a limit was made"
    if "limit_bytes" not in proof:
        return False, f"observed peak: {proof.get('reason')}"
    mib = f"{proof['limit_bytes'] / 2**20:.0f} MiB"
    if proof["proven"]:
        return (
            True,
            f"proven: served the longest requests under a limit of {mib} ({proof['method']}), as fast as without",
        )
    if proof["oom_killed"]:
        return False, f"observed peak: under a limit of {mib} it was ended by the system, so it needs more"
    if not proof["held"]:
        return False, f"observed peak: under a limit of {mib} it did not get to its end"
    slower = proof["slower"]
    told = "how fast is not known" if slower is None else f"{100 * slower:.0f} % slower than without"
    return False, f"observed peak: under a limit of {mib} it served the requests, but {told}"
