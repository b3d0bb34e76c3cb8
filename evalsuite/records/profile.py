"""The frozen data models of a profile: what is asked of a device, and the raw values that it gave."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from evalsuite.records.base import Frozen, Name, Sha256
from evalsuite.records.results import CellStatus
from evalsuite.records.sweep import Kind, ProfileSettings

__all__ = [
    "BASELINE_PHASE",
    "SERVING_PHASE",
    "CurvePoint",
    "Load",
    "MemoryPhase",
    "MeterFound",
    "PowerRow",
    "PowerSourceRow",
    "ProfileCell",
    "ProfileFacts",
    "ProfileText",
    "RequestRow",
    "Stretch",
    "ThreadPoint",
    "needed_memory",
]

BASELINE_PHASE = "before the model"
"""Name of the phase in which memory is that of the program alone."""
_MAPPED = "_Mapped"
"""End of llama.cpp's name for weights that are read from the mapped file."""
_IN_MEMORY = 0.98
"""Share of the mapped weights that must be in memory: what was evicted is read again for each token."""
SERVING_PHASE = "serving requests"
"""Name of the phase in which memory is that of the requests."""


class ProfileText(Frozen):
    """One request; the same id has the same content in every language."""

    language: str
    id: str
    kind: Kind
    prompt: str
    answer: str = ""
    """What is to be written, for readings and translations."""
    choices: tuple[str, ...] = ()
    right: int | None = None
    """Index of the right choice."""


class ProfileCell(Frozen):
    """The unit of work: one model on this device, in all languages by turns."""

    id: str
    model: Name
    model_sha256: Sha256
    languages: tuple[str, ...]
    settings: ProfileSettings
    texts_sha256: Sha256
    """Of all requests."""
    device: str
    """Fingerprint of the device."""
    threads: Annotated[int, Field(gt=0)]
    threads_reason: str
    """Why so many."""


class RequestRow(Frozen):
    """What one request took; times in seconds, marks on the monotonic clock."""

    block: str
    """`latency`: by turns; `energy`: many of one kind and language in a row."""
    round: int
    sitting: int
    """0, and one more after each interruption."""
    language: str
    kind: Kind
    id: str
    start_ns: int
    end_ns: int
    tokenise_s: float
    prefill_s: float
    ttft_s: float
    steps_s: tuple[float, ...]
    total_s: float
    prompt_tokens: int
    prompt_chars: int
    prompt_bytes: int
    output_tokens: int
    output_chars: int
    output_bytes: int
    output: str
    right: bool | None = None
    """Whether the right category was chosen."""


class Load(Frozen):
    """How long it took from the start of loading to the first evaluated token."""

    kind: str
    """`cold`: the file was not in memory; `warm`: it was."""
    seconds: float | None
    reason: str | None = None
    """Why there is no value."""


class MemoryPhase(Frozen):
    """Memory of the process in one phase, in bytes; peaks."""

    phase: str
    context: int | None = None
    """Tokens that the cache had room for."""
    peak_rss: int | None = None
    """As the kernel kept it."""
    rss_anon: int | None = None
    """Anonymous memory: highest of the looks at it."""
    rss_file: int | None = None
    """Mapped files that were in memory: weights and libraries."""
    rss_shmem: int | None = None
    weights_mapped: int | None = None
    """The part of the model file that was in memory."""
    vram: int | None = None
    swap: int | None = None
    major_faults: int | None = None
    """Page faults that had to read from storage: many, where weights do not stay in memory."""
    available: int | None = None
    """Least memory that the whole system had left."""
    looks: int = 0
    since_start: bool = False
    """Whether `peak_rss` is of the whole life of the process, because the system does not let it be reset."""


class CurvePoint(Frozen):
    """What a context of so many tokens takes."""

    tokens: int
    prefill_s: float | None
    steps_s: tuple[float, ...] = ()
    kv_bytes: int | None = None
    compute_bytes: int | None = None
    peak_rss: int | None = None
    reason: str | None = None
    """Why there is no value."""


class ThreadPoint(Frozen):
    """Rates with so many threads."""

    threads: int
    prefill_tokens: int
    prefill_s: tuple[float, ...]
    steps_s: tuple[float, ...]


class Stretch(Frozen):
    """The state of the device over one round, or one block of energy."""

    block: str
    round: int
    sitting: int
    language: str | None = None
    kind: Kind | None = None
    start_ns: int
    end_ns: int
    temperature_start_c: float | None = None
    temperature_max_c: float | None = None
    frequency_min: float | None = None
    """Lowest clock of the fastest processor, as a share of what the hardware can do."""
    frequency_median: float | None = None
    throttled: bool | None = None
    """None where the system does not tell."""
    throttle_reasons: tuple[str, ...] = ()
    other_cores: float | None = None
    """Cores that other processes kept busy."""
    steal_cores: float | None = None
    """Cores that the host took away from this virtual machine."""
    noisy: bool | None = None
    """Whether other work disturbed it; none where that cannot be told."""
    noise: tuple[str, ...] = ()
    """What disturbed it, or why it cannot be told."""

    @property
    def disturbed(self) -> tuple[str, ...]:
        """What other work or throttling did to it; empty where nothing is known to have."""
        return (self.noise if self.noisy else ()) + (self.throttle_reasons if self.throttled else ())


class MeterFound(Frozen):
    """What came of looking for a power meter."""

    name: str
    available: bool
    told: str
    fix: str | None = None


class PowerSourceRow(Frozen):
    """A source of power figures that was read."""

    id: str
    scope: str
    label: str
    kind: str
    nominal_hz: float
    quantum_j: float | None = None
    quantum_w: float | None = None
    accuracy: float | None = None
    note: str | None = None
    primary: bool
    sampler_cpu_s: float | None = None
    failures: tuple[str, ...] = ()
    """Looks that failed, the first few."""
    failed_looks: int = 0


class PowerRow(Frozen):
    """One look at a power source."""

    source: str
    sitting: int = 0
    t_ns: int
    power_w: float | None
    energy_j: float | None
    rails_w: dict[str, float] = Field(default_factory=dict)
    flags: tuple[str, ...] = ()


class ProfileFacts(Frozen):
    """All that a profile holds besides its tables of requests and of power."""

    cell: ProfileCell
    status: CellStatus
    reason: str | None = None
    engine: str = ""
    """Name and version of what served the requests."""
    engine_flags: str = ""
    """What the engine's library was built with, in its own words."""
    file_bytes: int | None = None
    context: int | None = None
    """Tokens that the cache had room for while requests were served."""
    sittings: int = 1
    rounds_done: int = 0
    parts: tuple[str, ...] = ()
    """Other parts that are whole: `loads`, `energy`, `threads`, `curve`."""
    loads: tuple[Load, ...] = ()
    buffers: dict[str, dict[str, int]] = Field(default_factory=dict)
    """Bytes that the engine told it had taken: kind → device → bytes."""
    memory: tuple[MemoryPhase, ...] = ()
    curve: tuple[CurvePoint, ...] = ()
    thread_points: tuple[ThreadPoint, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    meters: tuple[MeterFound, ...] = ()
    sources: tuple[PowerSourceRow, ...] = ()
    idle: tuple[tuple[int, int], ...] = ()
    """Stretches without work, on the monotonic clock in ns."""
    memory_proof: dict[str, Any] | None = None
    """What came of the run under a limit."""
    cool_down: str | None = None
    """What came of waiting for the device to cool down."""
    grid: dict[str, Any] | None = None
    """The grid's carbon, as it was found: g_per_kwh, place, source, year."""
    clock_offset_s: float | None = None
    """UNIX time minus monotonic time when it began, so that logs of other devices can be joined."""


def needed_memory(facts: ProfileFacts) -> tuple[int | None, str | None]:
    """Return what serving requests took, in bytes, or why that is not known.

    Anonymous and shared memory, the mapped weights that were in memory, and memory of an accelerator. Weights that the
    engine has rearranged for the processor lie in anonymous memory too; their pages of the file can be dropped, and are
    not counted twice.
    """
    phase = next((phase for phase in facts.memory if phase.phase == SERVING_PHASE), None)
    if phase is None or phase.rss_anon is None or phase.weights_mapped is None:
        return None, "the system does not tell the memory of a process by its parts"
    model = facts.buffers.get("model", {})
    mapped = sum(size for device, size in model.items() if device.endswith(_MAPPED))
    elsewhere = [device for device in model if not device.startswith("CPU") and not device.endswith(("_Host", _MAPPED))]
    if elsewhere and phase.vram is None:
        return None, f"weights lie in the memory of {', '.join(elsewhere)}, whose use the system does not tell"
    if phase.weights_mapped < _IN_MEMORY * mapped:
        share = 100 * phase.weights_mapped / mapped
        return None, f"only {share:.0f} % of the weights were in memory: the device has too little of it"
    if phase.swap:
        return None, "parts of the program were swapped out: the device has too little memory"
    rearranged = sum(
        size for device, size in model.items() if device.startswith("CPU") and not device.endswith(_MAPPED)
    )
    weights = max(0, phase.weights_mapped - rearranged)
    return phase.rss_anon + (phase.rss_shmem or 0) + weights + (phase.vram or 0), None
