"""Joins the log of a meter that wrote a file of its own to the profile that was measured meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import numpy as np

from evalsuite.errors import InputError, suggest
from evalsuite.meters.logfile import ClockOffset, FloatArray, MeterLog, clock_offset_s, read_log
from evalsuite.meters.source import MeterError
from evalsuite.profile_store import ProfileWriter
from evalsuite.profiling.power import LATER
from evalsuite.records import CellStatus, MeterFound, PowerRow, PowerSourceRow, ProfileCell, ReadingLabel
from evalsuite.store import RunFolder, RunWriter

__all__ = ["Imported", "LogSource", "import_log"]

Span = tuple[float, float]

_SEARCH_S = 120.0
"""How far the meter's clock may be from this device's."""
_COARSE_S = 0.5
"""Distance of the offsets that are tried first."""
_AROUND_S = 5.0
"""What is kept of the log before and after the profile."""
_LEAST_LOAD, _LEAST_IDLE = 0.9, 0.5
"""Parts of the load and of the idle time that the log must cover for an offset to be tried."""


@dataclass(frozen=True)
class LogSource:
    """What the user says of the meter that wrote a log."""

    name: str | None = None
    """Of the source in the run; by default `log:` and the file's name."""
    scope: str = "whole device, by an external meter"
    accuracy: float | None = None
    """Relative error that its maker states."""
    zone: str | None = None
    """Time zone of times that name none."""
    start_unix_s: float | None = None
    """When the log began, if it counts from its start."""
    primary: bool = False
    """Whether figures of energy are taken from it even where another source was read."""


@dataclass(frozen=True)
class Imported:
    """What came of an import."""

    model: str
    source: PowerSourceRow
    samples: int
    """Of the time in which it was measured; these are stored."""
    skipped: int
    """Rows of the file that could not be used."""
    clock: ClockOffset


@dataclass(frozen=True)
class _Work:
    """When the device was idle and when it worked, in seconds after `zero_ns` on the monotonic clock."""

    zero_ns: int
    before: Span
    load: Span
    after: Span
    unix_s: float
    """UNIX time at `zero_ns`."""
    sitting: int
    """Which sitting measured it."""


def import_log(run: Path, path: Path, source: LogSource, model: str | None = None) -> Imported:
    """Store a meter's log as a source of power of a profile.

    The meter's clock is set by the pattern of the load: idle, requests, idle. It becomes the source that figures of energy are
    taken from where there is none yet, or where that is asked for.

    Args:
        run: Run folder.
        path: The log; see `read_log` for its formats.
        source: What is known of the meter.
        model: Whose profile; may be left out where the run has one.

    Raises:
        InputError: No such profile, nothing in it that a log could be joined to, or a log that does not show its load.
        StoreError: The run folder cannot be read or written.
    """
    cell = _cell(RunFolder(run), model)
    log = read_log(path, zone=source.zone, start_unix_s=source.start_unix_s)
    with RunWriter(run) as writer:
        profile = ProfileWriter(writer, cell)
        work = _work(profile)
        name = source.name or f"{LATER}:{path.name}"
        _must_be_new(profile, name)
        clock = _align(path, log, work)
        rows = _rows(name, log, work, clock.offset_s)
        facts = profile.facts
        stored = PowerSourceRow(
            id=name,
            scope=source.scope,
            label=ReadingLabel.MEASURED,
            kind="sampler",
            nominal_hz=1e9 / float(np.median(np.diff([row.t_ns for row in rows]))),
            accuracy=source.accuracy,
            note=_note(path, clock),
            primary=source.primary or not any(one.primary for one in facts.sources),
            failures=log.reasons,
            failed_looks=log.skipped,
        )
        # The rows first: a source that is named must have some.
        profile.add_power(rows)
        others = [one.model_copy(update={"primary": one.primary and not stored.primary}) for one in facts.sources]
        told = MeterFound(name=LATER, available=True, told=f"imported from {path.name}")
        profile.update(
            sources=(*others, stored), meters=tuple(told if one.name == LATER else one for one in facts.meters)
        )
    return Imported(model=cell.model, source=stored, samples=len(rows), skipped=log.skipped, clock=clock)


def _cell(folder: RunFolder, model: str | None) -> ProfileCell:
    profiles = folder.manifest.profiles
    if not profiles:
        fix = "measure with `evalsuite profile MODEL --meter log --out RUN`"
        raise InputError(f"{folder.path} holds no profile of a device", fix=fix)
    models = [cell.model for cell in profiles]
    if model is not None and model not in models:
        fix = suggest(model, models, kind="model of the run", show=f"evalsuite report {folder.path}")
        raise InputError(f"{folder.path} holds no profile of {model!r}, but of {', '.join(models)}", fix=fix)
    if model is None and len(profiles) > 1:
        problem = f"{folder.path} holds {len(profiles)} profiles: {', '.join(models)}"
        raise InputError(problem, fix="name one with --model; import the log for each of them")
    return next(cell for cell in profiles if model in (None, cell.model))


def _work(profile: ProfileWriter) -> _Work:
    """Return when the device was idle and when it worked.

    Raises:
        InputError: It was not measured so that a log could be joined.
    """
    facts, model = profile.facts, profile.cell.model
    if facts.status is not CellStatus.DONE:
        told = f": {facts.reason}" if facts.reason else ""
        fix = "finish it with the same `evalsuite profile` as before: it goes on where it was"
        raise InputError(f"the profile of {model} is {facts.status.value}{told}", fix=fix)
    before, after = facts.idle[-2:] if len(facts.idle) > 1 else ((0, 0), (0, 0))
    inside = [row for row in profile.requests() if before[1] <= row.start_ns and row.end_ns <= after[0]]
    if not any(row.block == "energy" for row in inside) or facts.clock_offset_s is None:
        problem = (
            f"the profile of {model} has no blocks of requests with idle time around them, which energy is told from"
        )
        raise InputError(problem, fix=f"measure again: `evalsuite profile {model} --meter log`, with a new --out")
    zero_ns = before[0]

    def seconds(start_ns: int, end_ns: int) -> Span:
        return (start_ns - zero_ns) / 1e9, (end_ns - zero_ns) / 1e9

    return _Work(
        zero_ns=zero_ns,
        before=seconds(*before),
        load=seconds(min(row.start_ns for row in inside), max(row.end_ns for row in inside)),
        after=seconds(*after),
        unix_s=zero_ns / 1e9 + facts.clock_offset_s,
        sitting=max(row.sitting for row in inside if row.block == "energy"),
    )


def _must_be_new(profile: ProfileWriter, name: str) -> None:
    known = {one.id for one in profile.facts.sources} | {row.source for row in profile.power()}
    if name in known:
        problem = f"the profile of {profile.cell.model} already has a source {name!r}"
        raise InputError(problem, fix="if this is another log, give it a name of its own with --source-name")


# --- the meter's clock


def _align(path: Path, log: MeterLog, work: _Work) -> ClockOffset:
    """Return how far the meter's clock is ahead of this device's."""
    times_s = log.times_s - work.unix_s
    if times_s[-1] < -_SEARCH_S or times_s[0] > work.after[1] + _SEARCH_S:
        _does_not_overlap(path, log, work)
    coarse_s = _coarse_s(times_s, log.power_w, work)
    if coarse_s is None:
        problem = f"{path} covers only a part of the profile's requests and of the idle time before and after them"
        raise InputError(problem, fix="start the meter's log before `evalsuite profile`, and end it after")
    shown_s, shown_w, mark = _shortened(times_s - coarse_s, log.power_w, work)
    search_s = (mark[1] - mark[0]) / 4
    try:
        fine = clock_offset_s(shown_s, shown_w, [mark], search_s=(-search_s, search_s))
    except MeterError as error:
        problem = (
            f"{path} shows no step of power where the requests began and ended, for any clock within {_SEARCH_S:g} s"
        )
        fix = "check that it is the log of this device's meter; if its clock is further off, correct its times (--zone, --start)"
        raise InputError(problem, fix=fix) from error
    return ClockOffset(coarse_s + fine.offset_s, fine.contrast_w, fine.uncertainty_s)


def _does_not_overlap(path: Path, log: MeterLog, work: _Work) -> NoReturn:
    def told(start_s: float, end_s: float) -> str:
        return " to ".join(
            datetime.fromtimestamp(time_s, UTC).isoformat(" ", "seconds")[:19] for time_s in (start_s, end_s)
        )

    problem = (
        f"{path} runs from {told(log.times_s[0], log.times_s[-1])} UTC, and the profile was measured from"
        f" {told(work.unix_s, work.unix_s + work.after[1])} UTC"
    )
    raise InputError(
        problem, fix="give the log of that time; if its clock is in another time zone, name it with --zone"
    )


def _coarse_s(times_s: FloatArray, power_w: FloatArray, work: _Work) -> float | None:
    """Return the offset at which power differs most between requests and idle time; none where the log covers too little."""
    offsets = np.arange(-_SEARCH_S, _SEARCH_S + _COARSE_S / 2, _COARSE_S)
    energy_j = np.concatenate(([0.0], np.cumsum(np.diff(times_s) * (power_w[1:] + power_w[:-1]) / 2)))

    def mean_w(spans: Sequence[Span], least: float) -> FloatArray:
        ends = np.clip(np.array(spans)[:, :, None] + offsets, times_s[0], times_s[-1])
        joules, seconds = (
            np.diff(values, axis=1).sum(axis=(0, 1)) for values in (np.interp(ends, times_s, energy_j), ends)
        )
        covered = seconds >= least * sum(end - start for start, end in spans)
        found: FloatArray = np.where(covered, joules / np.where(covered, seconds, 1.0), np.nan)
        return found

    contrast_w = mean_w([work.load], _LEAST_LOAD) - mean_w([work.before, work.after], _LEAST_IDLE)
    return None if np.isnan(contrast_w).all() else float(offsets[np.nanargmax(contrast_w)])


def _shortened(times_s: FloatArray, power_w: FloatArray, work: _Work) -> tuple[FloatArray, FloatArray, Span]:
    """Return the log without the middle of the load, and the mark of the load that is left.

    What finds the offset takes pauses to be as long as the load. Here they are shorter, and beyond them lies other work: so the
    load is made as long as the shorter of them, by cutting out of its middle, where no step is.
    """
    start, end = work.load
    half = min(end - start, *(stop - begin for begin, stop in (work.before, work.after))) / 2
    head, tail = times_s < start + half, times_s >= end - half
    cut = (end - half) - (start + half)
    kept_s = np.concatenate((times_s[head], times_s[tail] - cut))
    return kept_s, np.concatenate((power_w[head], power_w[tail])), (start, start + 2 * half)


def _rows(name: str, log: MeterLog, work: _Work, offset_s: float) -> list[PowerRow]:
    """Return the samples of the time in which it was measured, on the monotonic clock of the profile."""
    times_s = log.times_s - work.unix_s - offset_s
    kept = (times_s >= -_AROUND_S) & (times_s <= work.after[1] + _AROUND_S)
    return [
        PowerRow(
            source=name, sitting=work.sitting, t_ns=work.zero_ns + round(time_s * 1e9), power_w=power_w, energy_j=None
        )
        for time_s, power_w in zip(times_s[kept].tolist(), log.power_w[kept].tolist(), strict=True)
    ]


def _note(path: Path, clock: ClockOffset) -> str:
    side = "ahead of" if clock.offset_s >= 0 else "behind"
    return (
        f"imported from {path.name} (sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}…); the meter's clock was"
        f" {abs(clock.offset_s):.2f} s {side} this device's, ± {clock.uncertainty_s:.2f} s, as told by the load's pattern"
    )
