"""What memory a process holds: the kernel's own peak per phase, and how it splits into heap, files and shared pages."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from evalsuite.meters.source import MeterError

__all__ = [
    "MemoryNow",
    "PeakTracker",
    "PhaseMemory",
    "SmapsTotals",
    "available_bytes",
    "mapped_file_bytes",
    "read_memory",
    "read_smaps_rollup",
    "reset_peak",
]

_ROOT = Path("/")
_STATUS_FIELDS = {
    "rss_bytes": "VmRSS",
    "rss_anon_bytes": "RssAnon",
    "rss_file_bytes": "RssFile",
    "rss_shmem_bytes": "RssShmem",
    "peak_rss_bytes": "VmHWM",
    "swap_bytes": "VmSwap",
    "virtual_bytes": "VmSize",
}
_RESET_PEAK = "5"
"""proc(5), clear_refs: sets the peak of the resident set to what is resident now (Linux 4.0)."""


@dataclass(frozen=True)
class MemoryNow:
    """Memory of a process at one moment, in bytes; what the system does not tell is none, for the `reason` given."""

    rss_bytes: int | None = None
    """Resident: the sum of the next three."""
    rss_anon_bytes: int | None = None
    """Heap and stacks: cannot be given back without swap."""
    rss_file_bytes: int | None = None
    """Pages of mapped files, such as a model's weights; the system can drop them and read them again."""
    rss_shmem_bytes: int | None = None
    peak_rss_bytes: int | None = None
    """Highest resident set since the process started, or since `reset_peak`; kept by the kernel, never missed."""
    swap_bytes: int | None = None
    virtual_bytes: int | None = None
    major_faults: int | None = None
    """Page faults that had to read from storage, since the process started."""
    minor_faults: int | None = None
    reason: str | None = None
    """Why something is missing."""


def read_memory(pid: str | int = "self", root: Path = _ROOT) -> MemoryNow:
    """Return what memory a process holds now.

    Sources: VmRSS, RssAnon, RssFile, RssShmem, VmHWM, VmSwap and VmSize of /proc/PID/status, minflt and majflt of
    /proc/PID/stat (proc(5)). Where there is no /proc, what psutil gives.

    Args:
        pid: Number of the process.
        root: Where /proc is.

    Raises:
        MeterError: The process is gone, or belongs to someone else.
    """
    if not (root / "proc").is_dir():
        return _from_psutil(pid)
    fields = _kib_fields(_read(root / f"proc/{pid}/status", pid))
    values = {ours: fields.get(theirs) for ours, theirs in _STATUS_FIELDS.items()}
    minor, major = _faults(_read(root / f"proc/{pid}/stat", pid))
    missing = [theirs for ours, theirs in _STATUS_FIELDS.items() if values[ours] is None]
    # RssAnon and its like came with Linux 4.5; a process that has ended and waits for its parent has none of them.
    reason = f"/proc/{pid}/status does not tell {', '.join(missing)}" if missing else None
    return MemoryNow(**values, minor_faults=minor, major_faults=major, reason=reason)


def reset_peak(root: Path = _ROOT, pid: str | int = "self") -> bool:
    """Set the peak of the resident set to what is resident now; return False where that is not allowed."""
    try:
        (root / f"proc/{pid}/clear_refs").write_text(_RESET_PEAK, encoding="ascii")
    except OSError:
        return False
    return True


def available_bytes(root: Path = _ROOT) -> int | None:
    """Return what the whole system could still give without swapping (MemAvailable), in bytes; none if not told.

    On boards whose graphics share the memory this is the only figure that sees what the graphics hold.
    """
    if not (root / "proc").is_dir():
        import psutil

        return int(psutil.virtual_memory().available)
    try:
        text = (root / "proc/meminfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    return _kib_fields(text).get("MemAvailable")


@dataclass(frozen=True)
class SmapsTotals:
    """Totals over all mappings of a process, in bytes; slow to read: at most once a second."""

    rss_bytes: int
    pss_bytes: int
    """Resident, with every shared page divided by the number of processes that share it."""
    private_bytes: int
    """Resident in this process and in no other: what would be given back if it ended."""


def read_smaps_rollup(pid: str | int = "self", root: Path = _ROOT) -> SmapsTotals:
    """Return the totals of /proc/PID/smaps_rollup (Linux 4.14).

    Raises:
        MeterError: The kernel does not have it, or the process belongs to someone else.
    """
    fields = _kib_fields(_read(root / f"proc/{pid}/smaps_rollup", pid))
    try:
        private = fields["Private_Clean"] + fields["Private_Dirty"]
        return SmapsTotals(rss_bytes=fields["Rss"], pss_bytes=fields["Pss"], private_bytes=private)
    except KeyError as error:
        raise MeterError(f"/proc/{pid}/smaps_rollup holds no {error.args[0]}") from error


def mapped_file_bytes(path: Path, pid: str | int = "self", root: Path = _ROOT) -> int | None:
    """Return how much of a mapped file is resident, in bytes; none where the process does not map it.

    Pages that the process changed are its own copies; they count as RssAnon and are left out here, so that the two can be
    added.

    Args:
        path: The file, such as a model's.
        pid: Number of the process.
        root: Where /proc is.

    Raises:
        MeterError: The mappings cannot be read.
    """
    wanted = os.path.realpath(path)
    resident: int | None = None
    inside = False
    for line in _read(root / f"proc/{pid}/smaps", pid).splitlines():
        key, colon, value = line.partition(":")
        if not colon or " " in key:
            # address permissions offset device inode path; only this line has no "Name:" in front.
            header = line.split(maxsplit=5)
            inside = len(header) == 6 and header[5].replace("\\012", "\n") == wanted
            if inside:
                resident = resident or 0
        elif inside and resident is not None and key in {"Rss", "Anonymous"}:
            resident += (1 if key == "Rss" else -1) * int(value.split()[0]) * 1024
    return resident


@dataclass(frozen=True)
class PhaseMemory:
    """What a process held during one phase, in bytes; what is missing is none, for the `reason` given."""

    phase: str
    peak_rss_bytes: int | None
    """The kernel's own peak: exact, whatever the number of looks."""
    peak_since: Literal["phase", "process start"] | None
    """What the peak is the peak of: with "process start" an earlier phase may have made it."""
    rss_anon_bytes: int | None
    """Highest that was seen by looking; what lies between two looks is missed. The same for the next four."""
    rss_file_bytes: int | None
    rss_shmem_bytes: int | None
    swap_bytes: int | None
    available_min_bytes: int | None
    """Lowest MemAvailable of the whole system that was seen: other processes change it too."""
    available_start_bytes: int | None
    """MemAvailable when the phase began."""
    major_faults: int | None
    """Page faults during the phase that had to read from storage: weights that do not stay in memory show here."""
    minor_faults: int | None
    looks: int
    """How often it was looked, the ends of the phase included."""
    reason: str | None = None


class PeakTracker:
    """Finds the highest memory of each phase of a process.

    `begin` and `end` frame a phase; a sampler calls `look` 10 to 20 times a second, from its own thread if it likes.

    Args:
        pid: Number of the process.
        root: Where /proc is.
    """

    def __init__(self, pid: str | int = "self", root: Path = _ROOT) -> None:
        self._pid, self._root = pid, root
        self._lock = threading.Lock()
        self._first: MemoryNow | None = None
        self._last: MemoryNow | None = None
        self._now: PhaseMemory | None = None
        self.phases: list[PhaseMemory] = []
        """The phases that ended, in order."""

    def begin(self, phase: str) -> None:
        """Begin a phase.

        Raises:
            MeterError: The last one has not ended, or the process cannot be read.
        """
        with self._lock:
            if self._now is not None:
                raise MeterError(
                    f"the phase {phase!r} begins inside of {self._now.phase!r}",
                    fix="call end() before the next begin()",
                )
            was_reset = reset_peak(self._root, self._pid)
            self._first = read_memory(self._pid, self._root)
            available = available_bytes(self._root)
            self._now = PhaseMemory(
                phase, None, "phase" if was_reset else "process start", None, None, None, None,
                available, available, None, None, 0,
            )  # fmt: skip
            self._take(self._first)

    def look(self) -> None:
        """Look at the process; outside of a phase this does nothing.

        Raises:
            MeterError: The process cannot be read (any more); a later look may succeed.
        """
        with self._lock:
            if self._now is not None:
                self._take(read_memory(self._pid, self._root))

    def end(self) -> PhaseMemory:
        """End the phase and return what was found; a process that is gone by now loses only its kernel's peak.

        Raises:
            MeterError: No phase has begun.
        """
        with self._lock:
            if self._now is None or self._first is None:
                raise MeterError("no phase has begun that could end", fix="call begin() first")
            reason = None
            try:
                self._take(read_memory(self._pid, self._root))
            except MeterError as error:
                reason = f"the process could not be read at the end of the phase: {error.problem}"
            first, last, now = self._first, self._last or self._first, self._now
            peak = None if reason else last.peak_rss_bytes
            found = replace(
                now,
                peak_rss_bytes=peak,
                peak_since=None if peak is None else now.peak_since,
                major_faults=_difference(first.major_faults, last.major_faults),
                minor_faults=_difference(first.minor_faults, last.minor_faults),
                reason=reason or last.reason,
            )
            self._now = None
            self.phases.append(found)
            return found

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Frame a phase; what was found is the last of `phases`, also where the phase failed."""
        self.begin(name)
        try:
            yield
        finally:
            self.end()

    def _take(self, seen: MemoryNow) -> None:
        now = self._now
        if now is None:
            return
        self._last = seen
        self._now = replace(
            now,
            rss_anon_bytes=_extreme(max, now.rss_anon_bytes, seen.rss_anon_bytes),
            rss_file_bytes=_extreme(max, now.rss_file_bytes, seen.rss_file_bytes),
            rss_shmem_bytes=_extreme(max, now.rss_shmem_bytes, seen.rss_shmem_bytes),
            swap_bytes=_extreme(max, now.swap_bytes, seen.swap_bytes),
            available_min_bytes=_extreme(min, now.available_min_bytes, available_bytes(self._root)),
            looks=now.looks + 1,
        )


def _from_psutil(pid: str | int) -> MemoryNow:
    import psutil

    try:
        process = psutil.Process() if pid == "self" else psutil.Process(int(pid))
        told = process.memory_info()
    except psutil.Error as error:
        raise MeterError(f"the memory of process {pid} cannot be read: {error}") from error
    # Only Windows keeps a peak (peak_wset).
    return MemoryNow(
        rss_bytes=told.rss,
        virtual_bytes=told.vms,
        peak_rss_bytes=getattr(told, "peak_wset", None),
        reason="there is no /proc here: resident memory is told as one total, without its parts",
    )


def _read(path: Path, pid: str | int) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError) as error:
        raise MeterError(f"{path} is not there: process {pid} has ended, or the kernel is too old for it") from error
    except PermissionError as error:
        raise MeterError(
            f"{path} may not be read", fix=f"measure from inside of process {pid}, or as the user that started it"
        ) from error
    except OSError as error:
        raise MeterError(f"{path} cannot be read: {error.strerror or error}") from error


def _kib_fields(text: str) -> dict[str, int]:
    """Return the lines `Name:   123 kB`, in bytes."""
    fields = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        parts = value.split()
        if len(parts) == 2 and parts[1] == "kB" and parts[0].isdigit():
            fields[name] = int(parts[0]) * 1024
    return fields


def _faults(stat: str) -> tuple[int | None, int | None]:
    """Return minor and major page faults: the 10th and the 12th field; the 2nd, a name, may hold spaces and brackets."""
    after_name = stat.rpartition(")")[2].split()
    try:
        return int(after_name[7]), int(after_name[9])
    except (IndexError, ValueError):
        return None, None


def _extreme(choose: Callable[[int, int], int], known: int | None, seen: int | None) -> int | None:
    if known is None or seen is None:
        return seen if known is None else known
    return choose(known, seen)


def _difference(first: int | None, last: int | None) -> int | None:
    return None if first is None or last is None else last - first
