"""Energy between two times from the samples of a power source: exact integration, and nothing beyond the samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROUNDING", "Array", "PowerSeries", "Span", "SpanEnergy", "energy_between"]

Array = NDArray[np.float64]
Span = tuple[float, float]
"""Start and end, in seconds on the clock of the samples."""

ROUNDING = 1e-9
"""Relative slack of a limit: sixty differences of one second each may add up to 59.9999999."""


@dataclass(frozen=True, eq=False, slots=True)
class PowerSeries:
    """What one source said, in order of time."""

    t_s: Array
    """Monotonic seconds; never falling."""
    power_w: Array | None
    """Watts at each time; nan where a sample has none."""
    energy_j: Array | None
    """Joules counted up to each time, corrected for wraps; nan where the counter was reset, so that the count is lost."""
    nominal_hz: float
    quantum_j: float | None = None
    """Smallest step of the counter."""
    quantum_w: float | None = None
    """Smallest step of the power."""
    accuracy: float | None = None
    """Relative error of the source (0.01 is 1 %)."""

    def __post_init__(self) -> None:
        for name, column in (("power_w", self.power_w), ("energy_j", self.energy_j)):
            if column is not None and column.shape != self.t_s.shape:
                raise ValueError(f"{column.size} values of {name} at {self.t_s.size} times")
        if not np.isfinite(self.t_s).all() or (np.diff(self.t_s) < 0).any():
            raise ValueError("times that are missing, or run backwards")
        if not self.nominal_hz > 0:
            raise ValueError(f"nominal_hz {self.nominal_hz} is not above 0")


@dataclass(frozen=True, slots=True)
class SpanEnergy:
    """Energy between two times, or the reason why it is not known."""

    energy_j: float | None
    duration_s: float
    samples: int = 0
    """Samples from the start on and before the end, so that the samples of two adjoining spans add up."""
    max_gap_s: float | None = None
    """Longest time between two samples that were used, those around both ends included."""
    flags: tuple[str, ...] = ()
    """`gap`: more than three nominal intervals without a sample. `counter_reset`: power was integrated instead."""
    method: Literal["counter", "power"] | None = None
    reason: str | None = None


def energy_between(series: PowerSeries, start_s: float, end_s: float) -> SpanEnergy:
    """Return the energy between two times.

    With a counter: the difference of its values, interpolated linearly at both ends. Without, or where it was reset
    inside the span: the trapezoidal rule on power, interpolated linearly at both ends. Nothing is extrapolated.

    Args:
        series: Samples, some of them at or before the start and at or after the end.
        start_s: On the clock of the samples.
        end_s: On the clock of the samples.

    Raises:
        ValueError: The span ends before it starts.
    """
    if not end_s >= start_s:
        raise ValueError(f"a span from {start_s} s to {end_s} s")
    flags: tuple[str, ...] = ()
    reason = "no sample has power or energy"
    counted, power_w = series.energy_j, series.power_w
    if counted is not None and np.isfinite(counted).any():
        found = _cut(series.t_s, counted, start_s, end_s)
        if isinstance(found, str):
            reason = found
        elif np.isfinite(found[1]).all() and (np.diff(found[1]) >= 0).all():
            first, last = np.interp([start_s, end_s], *found)
            return _span(series, (start_s, end_s), found[0], float(last - first), "counter")
        else:
            flags, reason = ("counter_reset",), "the counter was reset within the span, and there is no power"
    if power_w is not None and np.isfinite(power_w).any():
        # A missing power makes a longer gap; a missing count, above, is a reset and must not be passed over.
        there = np.isfinite(power_w)
        found = _cut(series.t_s[there], power_w[there], start_s, end_s)
        if not isinstance(found, str):
            energy_j = _trapezoid(*found, start_s, end_s)
            return _span(series, (start_s, end_s), found[0], energy_j, "power", flags)
        reason = found
    return SpanEnergy(None, end_s - start_s, flags=flags, reason=reason)


def _cut(t: Array, values: Array, start_s: float, end_s: float) -> tuple[Array, Array] | str:
    """Return the samples from the last at or before the start to the first at or after the end, or what is missing."""
    first = int(np.searchsorted(t, start_s, side="right")) - 1
    last = int(np.searchsorted(t, end_s, side="left"))
    if first < 0:
        return f"no sample at or before the start: the first came {t[0] - start_s:.3g} s after it"
    if last == t.size:
        return f"no sample at or after the end: the last came {end_s - t[-1]:.3g} s before it"
    window = slice(first, max(first, last) + 1)
    return t[window], values[window]


def _trapezoid(t: Array, power_w: Array, start_s: float, end_s: float) -> float:
    inside = (t > start_s) & (t < end_s)
    first, last = np.interp([start_s, end_s], t, power_w)
    times = np.concatenate(([start_s], t[inside], [end_s]))
    return float(np.trapezoid(np.concatenate(([first], power_w[inside], [last])), times))


def _span(
    series: PowerSeries,
    span: Span,
    t: Array,
    energy_j: float,
    method: Literal["counter", "power"],
    flags: tuple[str, ...] = (),
) -> SpanEnergy:
    gap = float(np.diff(t).max()) if t.size > 1 else 0.0
    if gap > 3 / series.nominal_hz * (1 + ROUNDING):
        flags = (*flags, "gap")
    inside = int(np.count_nonzero((t >= span[0]) & (t < span[1])))
    return SpanEnergy(energy_j, span[1] - span[0], inside, gap, flags, method)
