"""The frozen rows of what a device was measured to take: latency, token tax, memory, contexts, energy."""

from __future__ import annotations

from dataclasses import dataclass

from evalsuite.records import Kind, ReadingLabel
from evalsuite.stats.energy import Quantity
from evalsuite.stats.intervals import Estimate

__all__ = ["CurveRow", "EnergyRow", "LatencyRow", "MemoryRow", "Spread", "TaxRow", "ThreadsRow"]


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution of times, in seconds: median, 95th and 99th percentile."""

    median: Estimate
    p95: Estimate
    p99: Estimate


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """One kind of request of one model in one language."""

    model: str
    language: str
    kind: Kind
    n: int
    """Requests that the figures are of."""
    apart: int
    """Requests of noisy or throttled rounds, which are kept apart."""
    flagged: tuple[str, ...]
    """Why the figures themselves are of disturbed rounds: there are no others."""
    total: Spread
    ttft: Spread
    """Time to first token."""
    step: Spread
    """Time between two tokens."""
    prefill_rate: Estimate
    """Prompt tokens per second, median."""
    decode_rate: Estimate
    """Answer tokens per second after the first, median."""
    decode_chars: Estimate
    """Characters of the answer per second after the first token, median: to be held against a reader's speed."""
    prompt_tokens: float
    """Mean per request; the same for the next four."""
    output_tokens: float
    prompt_chars: float
    prompt_bytes: float
    output_chars: float
    right: tuple[int, int] | None
    """(right answers, requests) of classifications."""


@dataclass(frozen=True, slots=True)
class TaxRow:
    """What the same content costs in a language, relative to its reference."""

    model: str
    language: str
    reference: str
    kind: Kind
    tokens: Estimate
    """Tokens of prompt and answer; also the ratio of memory in the cache, which is taken token by token."""
    time: Estimate
    """Seconds per request."""
    energy: Quantity
    """Joules per request."""


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """What one model took while it served requests, in bytes."""

    model: str
    context: int | None
    """Tokens that the cache had room for."""
    file: int | None
    weights: int | None
    """Mapped weights that were in memory."""
    cache: int | None
    """Keys and values, as the engine told."""
    compute: int | None
    """The engine's buffers for computing, as it told; the part that was used counts in `anonymous`."""
    program: int | None
    """Anonymous memory of the program before the model was loaded."""
    anonymous: int | None
    """Anonymous and shared memory, with the program, the cache and the buffers."""
    vram: int | None
    peak_rss: int | None
    needed: int | None
    """Anonymous memory, mapped weights and memory of an accelerator."""
    basis: str
    """Whether that was proven by a run under a limit, or is an observed peak, and why."""
    proven: bool
    load_cold: tuple[float | None, str | None]
    """(seconds, why there are none)"""
    load_warm: tuple[float | None, str | None]


@dataclass(frozen=True, slots=True)
class CurveRow:
    """What a context of so many tokens takes."""

    model: str
    tokens: int
    prefill_s: float | None
    prefill_rate: float | None
    decode_rate: Estimate
    cache: int | None
    peak_rss: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class ThreadsRow:
    """Rates with so many threads."""

    model: str
    threads: int
    prefill_rate: Estimate
    decode_rate: Estimate


@dataclass(frozen=True, slots=True)
class EnergyRow:
    """Energy of one kind of request of one model in one language."""

    model: str
    language: str
    kind: Kind
    label: ReadingLabel
    scope: str
    requests: int
    gross: Quantity
    """Joules per request."""
    net: Quantity
    """Joules per request, less what the idle device takes."""
    per_token: Quantity
    """Gross joules per token of prompt and answer."""
    per_thousand_chars: Quantity
    """Gross joules per 1,000 characters of prompt and answer."""
    per_correct: Quantity
    """Gross joules per right answer."""
    carbon_g: float | None
    """Grams of CO2 equivalent per 1,000 requests."""
    carbon_note: str
    """Where the grid's figure comes from; why there is no carbon."""
    mean_w: float | None
    idle_w: tuple[float | None, float | None]
    """Before and after."""
    flags: tuple[str, ...]
    fix: str | None = None
    """What would make a figure possible."""
    note: str | None = None
    """What a reader must know of the source, such as that it was replayed."""
