"""Imports what a power meter wrote into a file of its own, and finds out how far its clock is from ours."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np
import numpy.typing as npt

from evalsuite.errors import InputError
from evalsuite.meters.source import MeterError

__all__ = ["ClockOffset", "FloatArray", "MeterLog", "clock_offset_s", "read_log"]

FloatArray = npt.NDArray[np.float64]

_QUANTITIES: dict[str, tuple[tuple[str, ...], dict[str, float]]] = {
    "time": (
        ("timestamp", "datetime", "unix", "epoch", "time", "elapsed", "t"),
        {"": 1.0, "s": 1.0, "ms": 1e-3, "utc": 1.0},
    ),
    "power": (("power", "p"), {"w": 1.0, "watt": 1.0, "watts": 1.0, "mw": 1e-3}),
    "voltage": (("voltage", "u"), {"v": 1.0, "mv": 1e-3}),
    "current": (("current", "i"), {"a": 1.0, "ma": 1e-3, "ua": 1e-6, "µa": 1e-6}),
    "energy": (("energy", "e"), {"j": 1.0, "ws": 1.0, "mwh": 3.6, "wh": 3600.0, "kwh": 3.6e6}),
}
"""Names that a column may have, the preferred one first, and what its unit is in SI."""

_COLUMNS_FIX = (
    "name the columns with their units: a time (`timestamp`, or `elapsed_s` from the start), and `power_w` or `power_mw`, "
    "or `voltage_v` and `current_a`"
)
_FIRST_UNIX_S = 1e8
"""Seconds since 1970 have been more since 1973; no log runs as long (3 years)."""
_LAST_UNIX_S = 1e11
_MAX_SKIPPED = 0.1
_MAX_BACK_S = 1.0
"""Packets over USB come early or late by some ms; more is a clock that was set."""
_REASONS = 5
_LEAST_T = 8.0
"""The best of thousands of offsets is at 3 to 6.5 in white and in autocorrelated noise, by simulation."""


@dataclass(frozen=True, eq=False)
class MeterLog:
    """What a meter wrote."""

    times_s: FloatArray
    """UNIX seconds by the meter's clock, or its host's; strictly rising."""
    power_w: FloatArray
    energy_j: FloatArray | None
    """The meter's own total, where it wrote one; it starts where the meter did. FNIRSI's logger adds up samples of a nominal
    10 ms, so that lost packets are missing in it."""
    format: Literal["fnb58", "csv"]
    skipped: int
    """Rows that could not be used."""
    reasons: tuple[str, ...]
    """Why, for the first of them."""


@dataclass(frozen=True)
class _Columns:
    """Where the figures stand: position and factor to SI."""

    header: list[str]
    time: tuple[int, float]
    power: tuple[tuple[int, float], ...]
    """Power, or voltage and current, to be multiplied."""
    energy: tuple[int, float] | None
    zone: tzinfo | None
    """Of times that name none."""
    start_unix_s: float | None
    decimal_comma: bool


class _BadRowError(Exception):
    """A row that cannot be used, though the others may."""


def read_log(path: Path, *, zone: str | None = None, start_unix_s: float | None = None) -> MeterLog:
    """Return the log of a meter: FNIRSI's text format, or CSV (`,`, `;` or tab) with a header.

    Rows of one time are averaged. Rows that hold no numbers are skipped and counted.

    Args:
        path: The file.
        zone: Time zone of times that name none, such as `Europe/Madrid`; not used otherwise.
        start_unix_s: When the log began, if it counts seconds from its start; not used otherwise.

    Raises:
        InputError: No such file, no usable columns, times that cannot be placed, or more than a tenth of the rows damaged.
    """
    lines = _lines(path)
    first, top = lines[0]
    bare = re.sub(r'"[^"]*"', "", top)
    delimiter = max(",;\t", key=bare.count)
    is_fnirsi = delimiter not in bare and "sample_in_packet" in bare.split()
    if is_fnirsi:
        # An early version of the logger heads its watt-seconds with Wh.
        header = ["energy_Ws" if name == "energy_Wh" else name for name in top.split()]
        rows = [(number, line.split()) for number, line in lines[1:]]
    elif delimiter in bare:
        header = _cells(top, delimiter)
        rows = [(number, _cells(line, delimiter)) for number, line in lines[1:]]
    else:
        _refuse(path, first, f"no comma, semicolon or tab in the header {top[:80]!r}", fix=_COLUMNS_FIX)
    columns = _columns(path, header, zone, start_unix_s, decimal_comma=not is_fnirsi and delimiter != ",")
    return _log(path, columns, rows, "fnb58" if is_fnirsi else "csv")


def _lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines that hold something, with their numbers."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and line[0] != "#"]
    if len(lines) < 3:
        problem = f"{path} has {len(lines)} lines"
        raise InputError(problem, fix="a log needs a header and two rows of data")
    return lines


def _cells(line: str, delimiter: str) -> list[str]:
    cells = next(csv.reader([line], delimiter=delimiter)) if '"' in line else line.split(delimiter)
    return [cell.strip() for cell in cells]


def _columns(
    path: Path, header: list[str], zone: str | None, start_unix_s: float | None, *, decimal_comma: bool
) -> _Columns:
    time, power = _find(header, "time"), _find(header, "power")
    voltage, current = _find(header, "voltage"), _find(header, "current")
    factors = (power,) if power else (voltage, current)
    if time is None or None in factors:
        missing = "time" if time is None else "power in W or mW, and none of voltage with current"
        raise InputError(f"{path} has no column for the {missing}; it has {', '.join(header)}", fix=_COLUMNS_FIX)
    return _Columns(
        header=header,
        time=time,
        power=tuple(factor for factor in factors if factor),
        energy=_find(header, "energy"),
        zone=UTC if _words(header[time[0]])[-1] == "utc" else _zone(zone),
        start_unix_s=start_unix_s,
        decimal_comma=decimal_comma,
    )


def _find(header: Sequence[str], quantity: str) -> tuple[int, float] | None:
    """Return position and factor of the column that is named `NAME UNIT`, or by its unit alone, in any case and punctuation."""
    names, units = _QUANTITIES[quantity]
    words = [_words(title) for title in header]
    wanted = [[name, unit] if unit else [name] for name in names for unit in units] + [[unit] for unit in units if unit]
    return next(
        ((words.index(want), units[want[-1] if want[-1] in units else ""]) for want in wanted if want in words), None
    )


def _words(title: str) -> list[str]:
    return re.findall(r"[^\W_]+", title.replace("μ", "µ").lower())


def _zone(name: str | None) -> tzinfo | None:
    if name is None or name.upper() == "UTC":
        return None if name is None else UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InputError(f"there is no time zone {name!r}", fix="use a name such as Europe/Madrid, or UTC") from error


def _log(
    path: Path, columns: _Columns, rows: Sequence[tuple[int, list[str]]], name: Literal["fnb58", "csv"]
) -> MeterLog:
    values: list[tuple[float, float, float]] = []
    numbers: list[int] = []
    reasons: list[str] = []
    for number, cells in rows:
        try:
            if cells == columns.header:  # FNIRSI's logger writes it again when it appends
                raise _BadRowError("the header once more")
            values.append(_row(path, number, cells, columns))
        except _BadRowError as error:
            reasons.append(f"row {number}: {error}")
        else:
            numbers.append(number)
    if len(reasons) > _MAX_SKIPPED * len(rows) or len(values) < 2:
        problem = f"{path}: {len(reasons)} of {len(rows)} rows cannot be used; the first: {reasons[0]}"
        raise InputError(problem, fix="export the log again, or mend these rows")
    times_s, power_w, energy_j = np.array(values, dtype=np.float64).T
    back_s = -np.diff(times_s)
    if back_s.max() > _MAX_BACK_S:
        at = int(np.argmax(back_s > _MAX_BACK_S))
        problem = (
            f"the time goes back by {back_s[at]:g} s: the clock was set, summer time ended, or two logs are in the file"
        )
        _refuse(path, numbers[at + 1], problem, fix="log in UTC, and import each log by itself")
    if power_w.mean() < 0:
        problem = f"{path}: the mean power is {power_w.mean():g} W, which nothing can use"
        raise InputError(problem, fix="turn the meter round, or the sign of its column")
    # Of rows that come early, the time of the one before holds; what then has the same time is averaged.
    times_s, groups, counts = np.unique(np.maximum.accumulate(times_s), return_inverse=True, return_counts=True)
    return MeterLog(
        times_s=times_s,
        power_w=np.bincount(groups, weights=power_w) / counts,
        energy_j=None if columns.energy is None else energy_j[np.cumsum(counts) - 1],
        format=name,
        skipped=len(reasons),
        reasons=tuple(reasons[:_REASONS]),
    )


def _row(path: Path, number: int, cells: Sequence[str], columns: _Columns) -> tuple[float, float, float]:
    """Return time, power and energy (nan where there is none) of a row."""
    if len(cells) != len(columns.header):
        raise _BadRowError(f"{len(cells)} columns, not {len(columns.header)}")
    power_w = math.prod(_number(cells, column, columns) for column in columns.power)
    energy_j = math.nan if columns.energy is None else _number(cells, columns.energy, columns)
    return _time_s(path, number, cells, columns), power_w, energy_j


def _number(cells: Sequence[str], column: tuple[int, float], columns: _Columns) -> float:
    index, factor = column
    cell = cells[index]
    try:
        value = float(cell.replace(",", ".") if columns.decimal_comma else cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _BadRowError(f"column {columns.header[index]!r} holds {cell!r}, which is no number")
    return value * factor


def _time_s(path: Path, number: int, cells: Sequence[str], columns: _Columns) -> float:
    index = columns.time[0]
    place = f"column {columns.header[index]!r}: {cells[index]!r}"
    try:
        seconds = _number(cells, columns.time, columns)
    except _BadRowError as error:
        try:
            moment = datetime.fromisoformat(cells[index])
        except ValueError:
            raise _BadRowError(f"{place} is neither an ISO 8601 time nor a number of seconds") from error
        if moment.tzinfo is None and columns.zone is None:
            _refuse(
                path,
                number,
                f"{place} names no time zone",
                fix="give the zone of the meter's clock, such as Europe/Madrid",
            )
        return (moment if moment.tzinfo else moment.replace(tzinfo=columns.zone)).timestamp()
    if seconds >= _LAST_UNIX_S:
        _refuse(
            path,
            number,
            f"{place} is no time in seconds",
            fix="name the column `timestamp_ms` if it is in milliseconds",
        )
    if seconds >= _FIRST_UNIX_S:
        return seconds
    if columns.start_unix_s is None:
        _refuse(path, number, f"{place} counts from an unknown start", fix="give the start of the log in UNIX seconds")
    return columns.start_unix_s + seconds


def _refuse(path: Path, row: int, problem: str, *, fix: str) -> NoReturn:
    raise InputError(f"{path}: row {row}: {problem}", fix=fix)


@dataclass(frozen=True)
class ClockOffset:
    """How far a meter's clock is from ours."""

    offset_s: float
    """The meter's clock less ours: subtract it from `times_s`."""
    contrast_w: float
    """Mean power under load less that in the pauses, at this offset."""
    uncertainty_s: float
    """Half the width within which the contrast stays above a stated part of its peak, and never less than half the time between
    two of the meter's samples."""


def clock_offset_s(
    times_s: FloatArray,
    power_w: FloatArray,
    marks: Sequence[tuple[float, float]],
    *,
    search_s: tuple[float, float] = (-120.0, 120.0),
    step_s: float = 0.05,
    drop: float = 0.05,
) -> ClockOffset:
    """Return the offset at which the marks of a load fit best: where power differs most between load and pauses.

    Several loads of unlike length tell more than one. Power is taken to be linear between samples, so that the offset may be
    finer than the time between them.

    Args:
        times_s: The meter's samples by its own clock, strictly rising.
        power_w: Power at these times.
        marks: When the load began and ended, each time, by our clock.
        search_s: The least and greatest offset that is tried.
        step_s: Distance of the offsets tried first; the best of them is then refined to a fiftieth.
        drop: By which part the contrast may fall within the uncertainty.

    Raises:
        MeterError: The marks are in no order, the log does not cover them, or no step can be told from noise.
    """
    loads = np.array(marks, dtype=np.float64).reshape(-1, 2)
    if loads.size == 0 or np.any(np.diff(loads.ravel()) <= 0):
        raise MeterError(f"the marks of the load do not follow each other: {list(marks)}")
    # Before the first and after the last load, a pause as long as those between them.
    pause_s = np.median(loads[1:, 0] - loads[:-1, 1] if len(loads) > 1 else loads[:, 1] - loads[:, 0])
    ends = np.concatenate(([loads[0, 0] - pause_s], loads.ravel(), [loads[-1, 1] + pause_s]))
    pauses = ends.reshape(-1, 2)
    trace = _Trace(times_s, power_w)
    offsets = np.arange(search_s[0], search_s[1] + step_s / 2, step_s)
    contrast_w = trace.contrast_w(loads, pauses, offsets)
    best = int(np.argmax(contrast_w))
    searched = f"between offsets of {search_s[0]:g} and {search_s[1]:g} s"
    if not np.isfinite(contrast_w[best]):
        raise MeterError(
            f"the log does not cover the marked load {searched}", fix="let the meter log before and after it"
        )
    outside = np.flatnonzero(contrast_w < (1 - drop) * contrast_w[best])
    left, right = outside[outside < best], outside[outside > best]
    if not (_is_step(trace, loads, pauses, float(offsets[best])) and left.size and right.size):
        fix = "mark a longer and stronger load, with pauses, or widen the search"
        raise MeterError(f"no step of the marked load can be told from noise {searched}", fix=fix)
    fine = offsets[best] + np.linspace(-step_s, step_s, 101)
    fine_w = trace.contrast_w(loads, pauses, fine)
    return ClockOffset(
        offset_s=float(fine[np.argmax(fine_w)]),
        contrast_w=float(fine_w.max()),
        uncertainty_s=max(float(offsets[right[0]] - offsets[left[-1]]), float(np.median(np.diff(times_s)))) / 2,
    )


class _Trace:
    """Power over time, and its means over shifted intervals."""

    def __init__(self, times_s: FloatArray, power_w: FloatArray) -> None:
        self.times_s, self.power_w = times_s, power_w
        self._energy_j = np.concatenate(([0.0], np.cumsum(np.diff(times_s) * (power_w[1:] + power_w[:-1]) / 2)))

    def integrals(self, intervals: FloatArray, offsets: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return energy and duration of each interval as far as the log covers it, one row for each offset."""
        ends = np.clip(intervals + offsets[:, None, None], self.times_s[0], self.times_s[-1])
        before = np.clip(np.searchsorted(self.times_s, ends, side="right") - 1, 0, None)
        mean_w = (self.power_w[before] + np.interp(ends, self.times_s, self.power_w)) / 2
        energy_j = self._energy_j[before] + (ends - self.times_s[before]) * mean_w
        return energy_j[..., 1] - energy_j[..., 0], ends[..., 1] - ends[..., 0]

    def contrast_w(self, loads: FloatArray, pauses: FloatArray, offsets: FloatArray) -> FloatArray:
        """Return mean power under load less that in the pauses; -inf where the log lacks a tenth of the loads or half the pauses."""
        load_j, load_s = (part.sum(axis=1) for part in self.integrals(loads, offsets))
        pause_j, pause_s = (part.sum(axis=1) for part in self.integrals(pauses, offsets))
        covered = (load_s >= 0.9 * np.ptp(loads, axis=1).sum()) & (pause_s >= 0.5 * np.ptp(pauses, axis=1).sum())
        contrast_w: FloatArray = np.full(len(offsets), -np.inf)
        contrast_w[covered] = load_j[covered] / load_s[covered] - pause_j[covered] / pause_s[covered]
        return contrast_w


def _is_step(trace: _Trace, loads: FloatArray, pauses: FloatArray, offset_s: float) -> bool:
    """Return whether power under load is higher by `_LEAST_T` standard errors, among samples as alike as neighbours are here."""
    times_s = trace.times_s - offset_s
    inside = (times_s >= pauses[0, 0]) & (times_s <= pauses[-1, 1])
    power_w = trace.power_w[inside]
    # A time lies in a load where an odd number of marks has passed.
    loaded = np.searchsorted(loads.ravel(), times_s[inside], side="right") % 2 == 1
    if min(loaded.sum(), (~loaded).sum()) < 2:
        return False
    high_w, low_w = power_w[loaded].mean(), power_w[~loaded].mean()
    if high_w - low_w <= 1e-9 * np.abs(power_w).max():  # a constant, but for rounding
        return False
    rest = power_w - np.where(loaded, high_w, low_w)
    variance = float(np.mean(rest**2))
    if variance == 0:
        return True
    alike = min(max(float(np.mean(rest[1:] * rest[:-1])) / variance, 0.0), 0.999)
    worth = (1 - alike) / (1 + alike)  # how many independent samples one of an AR(1) process is worth
    error_w = math.sqrt(variance / worth * (1 / loaded.sum() + 1 / (~loaded).sum()))
    return bool(high_w - low_w >= _LEAST_T * error_w)
