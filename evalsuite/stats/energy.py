"""Energy of requests from power samples: exact integration, idle taken off, uncertainty, and when there is no figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from evalsuite.stats.power_series import ROUNDING, Array, PowerSeries, Span, SpanEnergy, energy_between

__all__ = [
    "EnergyFigure",
    "PowerSeries",
    "Quantity",
    "Rules",
    "SpanEnergy",
    "energy_between",
    "per",
    "per_correct",
    "per_thousand",
    "request_energy",
]

_LEVEL = 0.95
_IDLE_BATCHES = 10


@dataclass(frozen=True, slots=True)
class Rules:
    """What a measurement must have for a figure to be given (reasons: power figures of a shorter one are noise)."""

    min_duration_s: float = 60.0
    """Time in requests, all together; MLPerf Power asks for the same."""
    min_updates: int = 100
    """Samples in requests, all together."""
    min_quanta: float = 50
    """Energy in steps of the counter, where its step is known: below, one step is more than 2 %."""
    min_idle_s: float = 60.0
    """Of the idle time before, and of that after. With 0 the gross figure needs no idle time."""
    max_idle_drift: float = 0.05
    """Difference of both idle powers over their mean; more is flagged, and is no reason to give no figure."""


_RULES = Rules()


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its standard uncertainty, or the reason why one of them is missing."""

    value: float | None
    u: float | None = None
    """Standard uncertainty, in the unit of the value."""
    coverage: float | None = None
    """Factor from the standard uncertainty to half of the 95 % interval."""
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None or self.u is None or self.coverage is None) != (self.reason is not None):
            raise ValueError("a quantity is whole, or has a reason for what it lacks; not both, not neither")

    @property
    def low(self) -> float | None:
        """Lower end of the 95 % interval."""
        return None if self._half is None or self.value is None else self.value - self._half

    @property
    def high(self) -> float | None:
        """Upper end of the 95 % interval."""
        return None if self._half is None or self.value is None else self.value + self._half

    @property
    def _half(self) -> float | None:
        return None if self.u is None or self.coverage is None else self.u * self.coverage


@dataclass(frozen=True, slots=True)
class EnergyFigure:
    """What requests of one kind took, in joules: gross, and net of what the machine takes when idle."""

    gross: Quantity
    """All requests together."""
    net: Quantity
    """Gross less idle power times the duration."""
    requests: int
    duration_s: float
    samples: int
    mean_w: float | None = None
    max_gap_s: float | None = None
    idle_before_w: float | None = None
    idle_after_w: float | None = None
    flags: tuple[str, ...] = ()
    """`gap`, `counter_reset`, the same with `idle_` before it, `idle_drift`, and `undersampled`: a request fell
    between two samples, so that it is known by its neighbours only."""

    @property
    def energy_j(self) -> float | None:
        """Gross energy of all requests."""
        return self.gross.value

    @property
    def net_energy_j(self) -> float | None:
        """Net energy of all requests."""
        return self.net.value

    @property
    def reason(self) -> str | None:
        """Why there is no gross energy, or no interval for it."""
        return self.gross.reason

    @property
    def gross_per_request(self) -> Quantity:
        """Mean gross energy of a request, with the uncertainty of that mean."""
        return per(self.gross, self.requests)

    @property
    def net_per_request(self) -> Quantity:
        """Mean net energy of a request, with the uncertainty of that mean."""
        return per(self.net, self.requests)


def request_energy(
    series: PowerSeries,
    spans: Sequence[Span],
    idle_before: Span | None,
    idle_after: Span | None,
    rules: Rules = _RULES,
) -> EnergyFigure:
    """Return the energy of requests of one kind, gross and net of idle power, with its uncertainty.

    u² = u_rep² + (T·u_idle)² + u_res² + (accuracy·E)², where

    - u_rep = s·√n for n requests whose energies scatter by s: the standard error s/√n of the mean request, n times.
      That of the net figure is taken from the net energies.
    - u_idle² = (d/2)² + (s_b² + s_a²)/4: idle power is the mean of that before and that after. d is their difference,
      and |d|/2 the standard error of a mean of two; s_b and s_a are the standard errors of each, from the means of
      batches, since neighbouring samples are not independent (A. M. Law, Simulation Modeling and Analysis,
      chapter 9). T is the duration; the gross figure has no such term.
    - u_res = √n·quantum_j/√6 with a counter: either end of a request errs uniformly by one step (step/√12), and the
      two ends add. With power, quantum_w·T/√12: all samples may err to the same side. Left out for an unknown step.
    - accuracy·E, with the gross E in both figures: an error of the scale need not be the same at idle and under load,
      so that it does not cancel. A maker's limit is taken for a standard uncertainty, which is on the safe side.

    The 95 % interval takes Student's t with the n - 1 degrees of freedom of the repeats, on the safe side too, since
    the other terms are better known. (GUM, JCGM 100:2008, sections 4.3, 5.1 and 6.)

    Args:
        series: Samples of one source over all of it.
        spans: Start and end of each request, in seconds on the clock of the samples.
        idle_before: When the machine was idle before the requests, model loaded; none where it was not measured.
        idle_after: The same after them.
        rules: What there must be for a figure to be given.

    Raises:
        ValueError: A span ends before it starts, or an idle span overlaps the requests.
    """
    _check_idle_spans(spans, idle_before, idle_after)
    parts = [energy_between(series, *span) for span in spans]
    idles = (_idle(series, idle_before, "idle before"), _idle(series, idle_after, "idle after"))
    lacking = _broken(spans, parts) or _unmet(series, parts, idles, rules)
    if lacking:
        gross = net = Quantity(None, reason="; ".join(lacking))
    else:
        gross, net = _gross_and_net(series, parts, idles)
    duration = sum(part.duration_s for part in parts)
    return EnergyFigure(
        gross=gross,
        net=net,
        requests=len(parts),
        duration_s=duration,
        samples=sum(part.samples for part in parts),
        mean_w=None if gross.value is None else gross.value / duration,
        max_gap_s=max((part.max_gap_s for part in parts if part.max_gap_s is not None), default=None),
        idle_before_w=idles[0].mean_w,
        idle_after_w=idles[1].mean_w,
        flags=_flags(parts, idles, rules),
    )


def _gross_and_net(
    series: PowerSeries, parts: Sequence[SpanEnergy], idles: tuple[_Idle, _Idle]
) -> tuple[Quantity, Quantity]:
    joules = np.array([part.energy_j for part in parts], dtype=np.float64)
    durations = np.array([part.duration_s for part in parts])
    common = _resolution(series, parts) + ((series.accuracy or 0.0) * float(joules.sum())) ** 2
    gross = _quantity(joules, common)
    before, after = idles
    if before.mean_w is None or after.mean_w is None:
        return gross, Quantity(None, reason=before.reason or after.reason)
    idle_w = (before.mean_w + after.mean_w) / 2
    u_idle = math.hypot((before.mean_w - after.mean_w) / 2, before.error_w / 2, after.error_w / 2)
    return gross, _quantity(joules - idle_w * durations, common + (float(durations.sum()) * u_idle) ** 2)


@dataclass(frozen=True, slots=True)
class _Idle:
    name: str
    mean_w: float | None = None
    error_w: float = 0.0
    duration_s: float = 0.0
    flags: tuple[str, ...] = ()
    reason: str | None = None


def _idle(series: PowerSeries, span: Span | None, name: str) -> _Idle:
    """Return mean power and its standard error from the means of batches."""
    if span is None:
        return _Idle(name, reason=f"{name}: not measured")
    whole = energy_between(series, *span)
    if whole.energy_j is None or not whole.duration_s > 0:
        return _Idle(name, duration_s=whole.duration_s, reason=f"{name}: {whole.reason or 'no time'}")
    # A batch of fewer than two samples would be interpolated from the same ones as its neighbour.
    edges = np.linspace(*span, max(2, min(_IDLE_BATCHES, whole.samples // 2)) + 1)
    parts = [energy_between(series, float(a), float(b)) for a, b in pairwise(edges)]
    means = np.array([part.energy_j / part.duration_s for part in parts if part.energy_j is not None])
    error = float(means.std(ddof=1)) / math.sqrt(means.size)
    return _Idle(name, whole.energy_j / whole.duration_s, error, whole.duration_s, whole.flags)


def _check_idle_spans(spans: Sequence[Span], before: Span | None, after: Span | None) -> None:
    if spans and before is not None and before[1] > min(start for start, _ in spans):
        raise ValueError("the idle time before the requests ends after the first of them starts")
    if spans and after is not None and after[0] < max(end for _, end in spans):
        raise ValueError("the idle time after the requests starts before the last of them ends")


def _flags(parts: Sequence[SpanEnergy], idles: Sequence[_Idle], rules: Rules) -> tuple[str, ...]:
    found = {flag for part in parts for flag in part.flags}
    found |= {f"idle_{flag}" for idle in idles for flag in idle.flags}
    found |= {"undersampled" for part in parts if part.energy_j is not None and not part.samples}
    first, last = (idle.mean_w for idle in idles)
    if first is not None and last is not None and abs(first - last) > rules.max_idle_drift * (first + last) / 2:
        found.add("idle_drift")
    return tuple(sorted(found))


def _broken(spans: Sequence[Span], parts: Sequence[SpanEnergy]) -> list[str]:
    """Return what makes the energies of the requests unknown, whatever the rules are."""
    if not sum(part.duration_s for part in parts) > 0:
        return ["no requests" if not parts else "requests of no duration"]
    if any(later[0] < earlier[1] for earlier, later in pairwise(sorted(spans))):
        return ["requests overlap in time: their energies cannot be told apart"]
    return [f"request {number}: {part.reason}" for number, part in enumerate(parts, 1) if part.energy_j is None][:1]


def _unmet(series: PowerSeries, parts: Sequence[SpanEnergy], idles: tuple[_Idle, _Idle], rules: Rules) -> list[str]:
    """Return the rules that are not met, each with value and requirement."""
    found = []
    duration = sum(part.duration_s for part in parts)
    samples = sum(part.samples for part in parts)
    if duration < rules.min_duration_s * (1 - ROUNDING):
        found.append(f"{_short(duration)} s measured, {rules.min_duration_s:g} s needed")
    if samples < rules.min_updates:
        found.append(f"{samples} samples, {rules.min_updates} needed")
    counted = [part.energy_j or 0.0 for part in parts if part.method == "counter"]
    if counted and series.quantum_j and sum(counted) < rules.min_quanta * series.quantum_j * (1 - ROUNDING):
        found.append(f"{_short(sum(counted) / series.quantum_j)} steps of the counter, {rules.min_quanta:g} needed")
    for idle in idles:
        if rules.min_idle_s > 0 and idle.mean_w is None:
            found.append(f"{idle.reason}, {rules.min_idle_s:g} s needed")
        elif idle.duration_s < rules.min_idle_s * (1 - ROUNDING):
            found.append(f"{idle.name}: {_short(idle.duration_s)} s measured, {rules.min_idle_s:g} s needed")
    return found


def _short(value: float) -> str:
    """Return a number cut, not rounded, to one decimal: 59.97 must not read as the 60 that it misses."""
    return f"{math.floor(value * 10) / 10:g}"


def _resolution(series: PowerSeries, parts: Sequence[SpanEnergy]) -> float:
    """Return u_res², in J²."""
    counted = sum(part.method == "counter" for part in parts)
    sampled_s = sum(part.duration_s for part in parts if part.method == "power")
    return counted * (series.quantum_j or 0.0) ** 2 / 6 + ((series.quantum_w or 0.0) * sampled_s) ** 2 / 12


def _quantity(joules: Array, rest: float) -> Quantity:
    """Return the sum of repeats, with the variance of what they have in common."""
    from scipy import stats

    total = float(joules.sum())
    if joules.size == 1:
        return Quantity(total, reason="one request has no scatter: its uncertainty is not known")
    u_rep = float(joules.std(ddof=1)) * math.sqrt(joules.size)
    return Quantity(total, math.hypot(u_rep, math.sqrt(rest)), float(stats.t.ppf((1 + _LEVEL) / 2, joules.size - 1)))


def per(energy: Quantity, count: float, of: str = "requests") -> Quantity:
    """Return joules per piece of a count that is known exactly: the relative uncertainty stays the same.

    Args:
        energy: Of all pieces together.
        count: How many there are.
        of: What is counted, in the plural, for the reason where there are none.
    """
    if energy.value is None:
        return energy
    if not count > 0:
        return Quantity(None, reason=f"no {of}")
    return replace(energy, value=energy.value / count, u=None if energy.u is None else energy.u / count)


def per_thousand(energy: Quantity, count: float, of: str = "characters") -> Quantity:
    """Return joules per 1,000 pieces, as `per` does."""
    return per(energy, count / 1000, of)


def per_correct(energy: Quantity, correct: int, items: int) -> Quantity:
    """Return joules per correct answer: energy of all items over the number of those that were right.

    That number is binomial: by the delta method its relative variance is (1 - p)/(n·p) = 1/correct - 1/items, which is
    added to that of the energy. It is 0 where all were right; the interval then shows the energy's uncertainty alone.

    Args:
        energy: Of all items together.
        correct: Number of items that were right.
        items: Number of items.

    Raises:
        ValueError: `correct` is not between 0 and `items`.
    """
    if not 0 <= correct <= items:
        raise ValueError(f"{correct} correct answers of {items} items")
    each = per(energy, correct, "correct answers")
    if each.value is None or each.u is None:
        return each
    return replace(each, u=math.hypot(each.u, each.value * math.sqrt(1 / correct - 1 / items)))
