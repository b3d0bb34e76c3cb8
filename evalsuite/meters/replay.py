"""Replays a recorded power curve as if a meter were there: to try out a measurement, or to repeat a meter's log."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import NDArray

from evalsuite.meters.source import MeterError, PowerSample, Probe, Site, SourceInfo
from evalsuite.records import ReadingLabel

__all__ = ["ReplayMeter"]

_USAGE = "give a CSV file with the columns t_s,power_w[,energy_j]: `replay:FILE.csv` or `replay:FILE.csv?hz=10`"
_NUMBERS = ("hz", "quantum_j", "quantum_w", "accuracy")
_SETTINGS = (*_NUMBERS, "label", "scope")
_LABELS: dict[str, Literal[ReadingLabel.MEASURED, ReadingLabel.DERIVED, ReadingLabel.ESTIMATED]] = {
    "measured": ReadingLabel.MEASURED,
    "derived": ReadingLabel.DERIVED,
    "estimated": ReadingLabel.ESTIMATED,
}


@dataclass(frozen=True, eq=False, slots=True)
class _Recording:
    t_s: NDArray[np.float64]
    power_w: NDArray[np.float64]
    energy_j: NDArray[np.float64] | None

    @property
    def duration_s(self) -> float:
        return float(self.t_s[-1] - self.t_s[0])


class ReplayMeter:
    """`replay:FILE`: a CSV file with the columns `t_s,power_w` and, for a counter, `energy_j`.

    Between its rows the curve is linear. At its end it starts again from its first row; the counter goes on from where it
    was. Settings stand behind a question mark, encoded as in a web address:
    `replay:pi.csv?hz=10&label=measured&scope=at%20the%20wall&quantum_j=3.6&quantum_w=0.1&accuracy=0.02`. Without `hz` the
    source is worth reading as often as the file has rows, but 1 to 10 times a second. The label is that of the meter
    that was recorded.
    """

    @classmethod
    def probe(cls, site: Site, argument: str | None = None) -> Probe:
        """Return whether the file can be replayed; see `PowerMeter.probe`."""
        try:
            source = cls.open(site, argument)
        except MeterError as error:
            return Probe(available=False, told=error.problem, fix=error.fix)
        return Probe(available=True, told=source.told)

    @classmethod
    def open(cls, site: Site, argument: str | None = None) -> _Replay:
        """Return a source that starts its curve now; see `PowerMeter.open`.

        Raises:
            MeterError: No file is named, it cannot be read, a row of it makes no sense, or a setting does not.
        """
        file, mark, query = (argument or "").rpartition("?")
        if not mark:
            file, query = query, ""
        if not file:
            raise MeterError("replay was given no file", fix=_USAGE)
        numbers, label, scope = _settings(query)
        recording = _read(file)
        rows = recording.t_s.size
        info = SourceInfo(
            id=f"replay:{file}",
            scope=scope or "as recorded",
            label=label,
            kind="sampler" if recording.energy_j is None else "counter",
            nominal_hz=numbers.get("hz") or min(10.0, max(1.0, (rows - 1) / recording.duration_s)),
            quantum_j=numbers.get("quantum_j"),
            quantum_w=numbers.get("quantum_w"),
            accuracy=numbers.get("accuracy"),
            note=f"replayed from {file}, not measured now",
        )
        return _Replay(info, recording, site.clock_ns)


class _Replay:
    def __init__(self, info: SourceInfo, recording: _Recording, clock_ns: Callable[[], int]) -> None:
        self.info = info
        self.told = f"{info.note}: {recording.t_s.size} rows over {recording.duration_s:g} s"
        self._recording = recording
        self._clock_ns = clock_ns
        self._opened_ns = clock_ns()

    def read(self) -> PowerSample:
        """Return power and energy of the curve at this moment."""
        now_ns = self._clock_ns()
        data = self._recording
        rounds, within = divmod((now_ns - self._opened_ns) / 1e9, data.duration_s)
        at = float(data.t_s[0]) + within
        energy_j: float | None = None
        if data.energy_j is not None:
            first, last = float(data.energy_j[0]), float(data.energy_j[-1])
            energy_j = rounds * (last - first) + float(np.interp(at, data.t_s, data.energy_j)) - first
        return PowerSample(now_ns, power_w=float(np.interp(at, data.t_s, data.power_w)), energy_j=energy_j)

    def close(self) -> None:
        """Let go of nothing: the file was read when it was opened."""


def _settings(
    query: str,
) -> tuple[dict[str, float], Literal[ReadingLabel.MEASURED, ReadingLabel.DERIVED, ReadingLabel.ESTIMATED], str | None]:
    """Return numbers, label and scope."""
    found = dict(parse_qsl(query, keep_blank_values=True))
    numbers: dict[str, float] = {}
    for name, text in found.items():
        if name not in _SETTINGS:
            raise MeterError(f"replay has no setting {name!r}", fix=f"one of {', '.join(_SETTINGS)}")
        if name in _NUMBERS:
            value = _number(text)
            if value is None or value <= 0:
                raise MeterError(f"{name} of replay is {text!r}", fix=f"give a number above 0, such as {name}=1")
            numbers[name] = value
    label = found.get("label", "measured")
    if label not in _LABELS:
        raise MeterError(f"label of replay is {label!r}", fix=f"one of {', '.join(_LABELS)}")
    return numbers, _LABELS[label], found.get("scope")


def _read(file: str) -> _Recording:
    try:
        # Spreadsheets put a mark before the first name of a column; utf-8-sig takes it off.
        with Path(file).expanduser().open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines)
            header = [name.strip() for name in next(reader, [])]
            missing = [name for name in ("t_s", "power_w") if name not in header]
            if missing:
                told = (
                    f"{file}, row 1: no column {' and no column '.join(missing)}, but {','.join(header) or 'nothing'}"
                )
                raise MeterError(told, fix=_USAGE)
            names = [name for name in ("t_s", "power_w", "energy_j") if name in header]
            places = [header.index(name) for name in names]
            rows: list[tuple[float, ...]] = []
            for cells in reader:
                if cells:
                    texts = [cells[place].strip() if place < len(cells) else "" for place in places]
                    before = rows[-1] if rows else None
                    rows.append(_row(f"{file}, row {reader.line_num}", names, texts, before))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MeterError(f"{file} cannot be read: {error}", fix=_USAGE) from error
    if len(rows) < 2:
        raise MeterError(f"{file} has {len(rows)} rows below its header", fix="a curve needs 2 rows or more")
    columns = np.array(rows, dtype=np.float64).T
    return _Recording(columns[0], columns[1], columns[2] if len(names) > 2 else None)


def _row(where: str, names: Sequence[str], texts: Sequence[str], before: tuple[float, ...] | None) -> tuple[float, ...]:
    """Return the numbers of a row, which cannot fall behind those of the row before."""
    values = []
    for name, text in zip(names, texts, strict=True):
        value = _number(text)
        if value is None:
            raise MeterError(f"{where}: {name} is {text!r}, not a number", fix=_USAGE)
        values.append(value)
    if values[1] < 0:
        raise MeterError(f"{where}: power_w is {values[1]:g}", fix="power that is taken up is 0 or more")
    if before is not None and values[0] <= before[0]:
        fix = "put the rows in order of time, each time once"
        raise MeterError(f"{where}: t_s is {values[0]:g}, after {before[0]:g}", fix=fix)
    if before is not None and len(values) > 2 and values[2] < before[2]:
        fix = "correct the counter for wraps and resets first"
        raise MeterError(f"{where}: energy_j falls from {before[2]:g} to {values[2]:g}", fix=fix)
    return tuple(values)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
