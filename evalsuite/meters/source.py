"""What every power source has in common: how it is found, what it reads, and how it says that it cannot."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from evalsuite.errors import EvalsuiteError
from evalsuite.records import ReadingLabel

__all__ = [
    "CommandRunner",
    "Counter",
    "MeterError",
    "PowerMeter",
    "PowerSample",
    "PowerSource",
    "Probe",
    "Site",
    "SourceInfo",
    "probe_by_opening",
    "run_command",
]


class MeterError(EvalsuiteError):
    """A power source that is not there, may not be read, or gave something that cannot be power."""


_Source = TypeVar("_Source", bound="PowerSource")

CommandRunner = Callable[[Sequence[str]], str]
"""Runs a command and returns what it printed; raises `MeterError` where it fails, hangs or is not there."""


def run_command(command: Sequence[str], *, timeout_s: float = 5.0) -> str:
    """Run a command; the default `CommandRunner`.

    Raises:
        MeterError: It is not installed, fails, or does not end in time.
    """
    if shutil.which(command[0]) is None:
        raise MeterError(f"the command {command[0]} is not installed")
    shown = " ".join(command)
    try:
        done = subprocess.run(
            list(command), capture_output=True, text=True, errors="replace", check=False, timeout=timeout_s
        )
    except subprocess.TimeoutExpired as error:
        raise MeterError(f"`{shown}` did not end within {timeout_s:g} s") from error
    except OSError as error:
        raise MeterError(f"`{shown}` cannot be run: {error}") from error
    if done.returncode:
        told = (done.stderr or done.stdout).strip().splitlines()
        raise MeterError(f"`{shown}` failed with exit code {done.returncode}: {told[-1] if told else 'no message'}")
    return done.stdout


@dataclass(frozen=True)
class Site:
    """What a source reads from; tests replace all of it."""

    root: Path = Path("/")
    """Where /sys, /proc and /dev are."""
    run: CommandRunner = run_command
    clock_ns: Callable[[], int] = time.monotonic_ns
    """Monotonic clock, in nanoseconds; on Linux the same for all processes."""


@dataclass(frozen=True)
class Probe:
    """Whether a source can be read here; if not, why, and what would mend it."""

    available: bool
    told: str
    """What was found, or the reason why not."""
    fix: str | None = None


@dataclass(frozen=True)
class SourceInfo:
    """What a source measures."""

    id: str
    """Unique in a run, such as `rapl` or `shelly-gen2:192.168.1.20`."""
    scope: str
    """What the figure covers, for people: "processor package", "whole board", "at the wall"."""
    label: Literal[ReadingLabel.MEASURED, ReadingLabel.DERIVED, ReadingLabel.ESTIMATED]
    kind: Literal["counter", "sampler"]
    """Whether energy is counted by the source, or must be integrated from power."""
    nominal_hz: float
    """How often it is worth reading."""
    quantum_j: float | None = None
    """Smallest step of the counter."""
    quantum_w: float | None = None
    """Smallest step of the power."""
    accuracy: float | None = None
    """Relative error that the maker or a test states (0.01 is 1 %); none where nobody does."""
    note: str | None = None
    """What a reader of the figure must know."""


@dataclass(frozen=True)
class PowerSample:
    """One look at a source."""

    t_ns: int
    """When, on the monotonic clock."""
    power_w: float | None = None
    energy_j: float | None = None
    """Counted since the source was opened: corrected for wraps, never falling."""
    rails_w: Mapping[str, float] = field(default_factory=dict)
    """Parts, in watts. Stored beside the figure; never added to it."""
    flags: tuple[str, ...] = ()
    """What was odd about it: `counter_reset`, `stale`."""


class PowerSource(Protocol):
    """An open source."""

    info: SourceInfo

    def read(self) -> PowerSample:
        """Return a sample.

        Raises:
            MeterError: This look failed (time-out, nonsense); a later one may succeed.
        """

    def close(self) -> None:
        """Let go of it."""


class PowerMeter(Protocol):
    """A kind of source, as `evalsuite.meters.METERS` names it: `NAME` or `NAME:ARGUMENT` on the command line."""

    @classmethod
    def probe(cls, site: Site, argument: str | None = None) -> Probe:
        """Return whether it can be read here. Never raises, and costs at most a few seconds."""

    @classmethod
    def open(cls, site: Site, argument: str | None = None) -> PowerSource:
        """Return an open source.

        Args:
            site: What it reads from.
            argument: What stands behind the colon, such as a plug's address; none for the default.

        Raises:
            MeterError: It cannot be read here; the message says why and what to do.
        """


def probe_by_opening(opened: Callable[[], _Source], told: Callable[[_Source], str]) -> Probe:
    """Return whether a source can be opened: what it tells of itself, or why not.

    Args:
        opened: Opens it.
        told: What was found, from the open source.
    """
    try:
        source = opened()
    except MeterError as error:
        return Probe(available=False, told=error.problem, fix=error.fix)
    try:
        return Probe(available=True, told=told(source))
    finally:
        source.close()


class Counter:
    """Makes a growing total of a counter that wraps or is reset.

    Args:
        wraps_at: The value after which it starts again from 0, in its own unit; none where it never wraps.
    """

    def __init__(self, wraps_at: float | None = None) -> None:
        self._wraps_at = wraps_at
        self._last: float | None = None
        self.total: float = 0.0
        """Counted since the first value."""

    def add(self, value: float) -> bool:
        """Take the next value; return False where the counter was reset, so that what passed since then is unknown.

        A value below the last one is a wrap where the counter wraps, and a reset otherwise. More than one wrap between two values
        cannot be seen: read more often than it wraps.
        """
        last, self._last = self._last, value
        if last is None:
            return True
        step = value - last
        if step < 0 and self._wraps_at is not None and last <= self._wraps_at:
            step += self._wraps_at
        if step < 0:
            return False
        self.total += step
        return True
