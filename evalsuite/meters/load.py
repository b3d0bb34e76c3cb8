"""How much the machine did besides what is measured: other processes, stolen time, queue, swapping."""

from __future__ import annotations

import itertools
import os
import re
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from evalsuite.machine import read_text

__all__ = ["LoadState", "LoadSummary", "LoadTrack", "Noise", "ProcessTime"]

_SWAP_LIMIT_BYTES = 2**20
"""Less is housekeeping, and costs no request a noticeable time."""
_SAMPLING = 0.05
"""How much of a process's own time the system may have missed by looking only at its ticks."""


@dataclass(frozen=True)
class ProcessTime:
    """Processor time of one process, in ticks."""

    ticks: int
    """Its own, and that of the children it has waited for."""
    parent: int
    born: int
    """Start, in ticks since boot; tells it from a later process with the same number."""


@dataclass(frozen=True)
class LoadState:
    """One look at what Linux has counted since boot."""

    t_ns: int
    """When, on the monotonic clock."""
    busy_ticks: int | None
    """Of all processors; without waiting for disks, and without stolen time."""
    steal_ticks: int | None
    """Of all processors: time in which the hypervisor ran something else."""
    processors: int
    running: int | None
    """Threads that run or wait for a processor; ours and the one that looks are among them."""
    swapped_in_pages: int | None
    swapped_out_pages: int | None
    processes: Mapping[int, ProcessTime]
    """The processes that are measured; without those that are not there."""
    switches: Mapping[tuple[int, int], int]
    """Process and thread → how often it was made to give up its processor."""


@dataclass(frozen=True)
class Noise:
    """Whether something else disturbed a measurement."""

    noisy: bool | None
    """None where it cannot be told."""
    reasons: tuple[str, ...]
    """What disturbed it; or why it cannot be told."""


@dataclass(frozen=True)
class LoadSummary:
    """What happened between two looks; cores are processor seconds per second."""

    duration_s: float
    other_cpu: float | None = None
    """Cores that were busy with what is not measured: other processes, the kernel's own threads, interrupts."""
    own_cpu: float | None = None
    """Cores that were busy with the measured processes."""
    steal: float | None = None
    """Cores that the hypervisor took."""
    resolution_cores: float | None = None
    """What rounding to ticks can make of nothing, in a stretch of this length."""
    run_queue_mean: float | None = None
    """Threads that ran or waited for a processor, at the looks."""
    run_queue_max: int | None = None
    swapped_in_bytes: int | None = None
    """Of the whole system."""
    swapped_out_bytes: int | None = None
    involuntary_switches: int | None = None
    """How often a thread of the measured processes had to give up its processor."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Field → why it is none."""

    def noisy(self, limit_cores: float = 0.2) -> Noise:
        """Return whether more than `limit_cores` were busy with others or stolen, or the system swapped."""
        resolution = self.resolution_cores or 0.0
        # Where rounding alone could pass the limit, only what is above both is certain.
        limit = limit_cores + resolution if resolution > limit_cores else limit_cores
        reasons: list[str] = []
        if self.other_cpu is not None and self.other_cpu > limit:
            reasons.append(f"{self.other_cpu:.2f} cores were busy with other processes")
        if self.steal is not None and self.steal > limit:
            reasons.append(f"{self.steal:.2f} cores were taken by the hypervisor")
        swapped = (self.swapped_in_bytes or 0, self.swapped_out_bytes or 0)
        if max(swapped) > _SWAP_LIMIT_BYTES:
            reasons.append(f"the system swapped {swapped[0] / 2**20:.1f} MiB in and {swapped[1] / 2**20:.1f} MiB out")
        if reasons:
            return Noise(noisy=True, reasons=tuple(reasons))
        if self.other_cpu is None:
            return Noise(noisy=None, reasons=(self.missing["other_cpu"],))
        if resolution > limit_cores:
            told = f"{self.duration_s:.2f} s are too short: processor time is known to {resolution:.2f} cores"
            return Noise(noisy=None, reasons=(told,))
        return Noise(noisy=False, reasons=())


class LoadTrack:
    """Looks at the load, and tells that of others from that of the measured processes.

    Args:
        pids: All processes that belong to the measurement, this one too. Their children count once they were waited for; a
            child that still runs is one of the others unless it is named.
        root: Where /proc is.
        clock_ns: Monotonic clock, in nanoseconds.
        ticks_hz: Ticks per second; by default as the system tells.
    """

    def __init__(
        self,
        pids: Iterable[int],
        root: Path = Path("/"),
        clock_ns: Callable[[], int] = time.monotonic_ns,
        *,
        ticks_hz: int | None = None,
    ) -> None:
        self._pids = tuple(dict.fromkeys(pids))
        self._proc = root / "proc"
        self._clock_ns = clock_ns
        self._ticks_hz = ticks_hz or _sysconf("SC_CLK_TCK", 100)
        self._page_bytes = _sysconf("SC_PAGE_SIZE", 4096)
        self._looks: list[LoadState] = []

    def look(self) -> LoadState:
        """Read the load now, keep it, and return it; nothing is raised where something is missing."""
        stat = read_text(self._proc / "stat") or ""
        pages = read_text(self._proc / "vmstat") or ""
        total = re.search(r"^cpu +([\d ]+)$", stat, re.MULTILINE)
        # user nice system idle iowait irq softirq steal; guest time, which follows, is part of user time.
        ticks = [int(n) for n in total[1].split()[:8]] if total else []
        state = LoadState(
            t_ns=self._clock_ns(),
            busy_ticks=sum(ticks[:3]) + sum(ticks[5:7]) if len(ticks) >= 4 else None,
            steal_ticks=ticks[7] if len(ticks) == 8 else None,
            processors=len(re.findall(r"^cpu\d+ ", stat, re.MULTILINE)),
            running=_field(stat, "procs_running"),
            swapped_in_pages=_field(pages, "pswpin"),
            swapped_out_pages=_field(pages, "pswpout"),
            processes={pid: time for pid in self._pids if (time := _process(self._proc / str(pid))) is not None},
            switches={key: n for pid in self._pids for key, n in _switches(self._proc, pid).items()},
        )
        self._looks.append(state)
        return state

    def summary(self, start_ns: int | None = None, end_ns: int | None = None) -> LoadSummary:
        """Return what happened between two times on the monotonic clock; by default in all of it.

        The looks that enclose the times are compared: the last one before the start and the first one after the end.
        """
        looks = self._looks
        before = [s for s in looks if start_ns is not None and s.t_ns <= start_ns] or looks[:1]
        after = [s for s in looks if end_ns is not None and s.t_ns >= end_ns] or looks[-1:]
        if not looks or after[0].t_ns <= before[-1].t_ns:
            return _told(LoadSummary(duration_s=0.0), no_own="fewer than two looks were taken")
        first, last = before[-1], after[0]
        duration_s = (last.t_ns - first.t_ns) / 1e9
        per_core = self._ticks_hz * duration_s
        rounding = last.processors + len(self._pids)
        own, no_own = self._own_ticks(first, last)
        busy, steal = _step(first.busy_ticks, last.busy_ticks), _step(first.steal_ticks, last.steal_ticks)
        other, no_other = _others(busy, own, rounding + (steal or 0))
        inside = [s for s in looks if first.t_ns <= s.t_ns <= last.t_ns]
        queue = [s.running for s in inside if s.running is not None]
        found = LoadSummary(
            duration_s=duration_s,
            other_cpu=None if other is None else other / per_core,
            own_cpu=None if own is None else own / per_core,
            steal=None if steal is None else steal / per_core,
            resolution_cores=rounding / per_core,
            run_queue_mean=statistics.fmean(queue) if queue else None,
            run_queue_max=max(queue, default=None),
            swapped_in_bytes=_step(first.swapped_in_pages, last.swapped_in_pages, self._page_bytes),
            swapped_out_bytes=_step(first.swapped_out_pages, last.swapped_out_pages, self._page_bytes),
            involuntary_switches=_switched(inside),
        )
        return _told(found, no_own=no_own, no_other=no_other)

    def _own_ticks(self, first: LoadState, last: LoadState) -> tuple[int | None, str]:
        """Return what the measured processes used between two looks, or why that is not known."""
        total = 0
        for pid in self._pids:
            before, after = first.processes.get(pid), last.processes.get(pid)
            if before is None:
                return None, f"process {pid} could not be read at the first look"
            if after is not None and after.born == before.born:
                total += after.ticks - before.ticks
            elif before.parent in self._pids and before.parent in last.processes:
                # It was waited for: all that it ever used is now counted with its parent.
                total -= before.ticks
            else:
                return None, f"process {pid} ended meanwhile"
        return total, ""


def _told(summary: LoadSummary, *, no_own: str = "", no_other: str = "") -> LoadSummary:
    """Return the summary with the reasons for what it lacks."""
    reasons = {
        "other_cpu": no_own or no_other,
        "own_cpu": no_own,
        "steal": "the system does not count stolen time",
        "resolution_cores": no_own,
        "run_queue_mean": "the system shows no run queue",
        "run_queue_max": "the system shows no run queue",
        "swapped_in_bytes": "the system does not count swapped pages",
        "swapped_out_bytes": "the system does not count swapped pages",
        "involuntary_switches": "the system does not count the context switches of these processes",
    }
    if not summary.duration_s:
        reasons = dict.fromkeys(reasons, no_own)
    return replace(summary, missing={name: why for name, why in reasons.items() if getattr(summary, name) is None})


def _others(busy: int | None, own: int | None, tolerance: float) -> tuple[int | None, str]:
    """Return the ticks that were others', or why they are not known.

    Linux counts a process's time exactly, and that of the system by what runs at each tick; and it counts stolen time as the
    process's where it does not as the system's. So the difference may fall a little below 0, and no further.
    """
    if busy is None or own is None:
        return None, "the system does not count processor time"
    if busy - own < -(tolerance + _SAMPLING * own):
        return None, "the measured processes used more processor time than the system counted"
    return max(0, busy - own), ""


def _step(first: int | None, last: int | None, factor: int = 1) -> int | None:
    return None if first is None or last is None else (last - first) * factor


def _switched(looks: Sequence[LoadState]) -> int | None:
    """Return the involuntary switches between looks; those of a thread that ended after its last look are lost."""
    if not any(look.switches for look in looks):
        return None
    return sum(
        max(0, count - before.switches.get(thread, 0))
        for before, after in itertools.pairwise(looks)
        for thread, count in after.switches.items()
    )


def _process(folder: Path) -> ProcessTime | None:
    """Return the times of a process: fields 4, 14 to 17 and 22 of its `stat` (proc_pid_stat(5))."""
    # The name, in brackets, may hold spaces and brackets.
    fields = (read_text(folder / "stat") or "").rpartition(")")[2].split()
    try:
        return ProcessTime(ticks=sum(map(int, fields[11:15])), parent=int(fields[1]), born=int(fields[19]))
    except (ValueError, IndexError):
        return None


def _switches(proc: Path, pid: int) -> dict[tuple[int, int], int]:
    """Return the involuntary switches of each thread; a process's own `status` has only those of its first one."""
    found: dict[tuple[int, int], int] = {}
    for path in (proc / str(pid)).glob("task/[0-9]*/status"):
        count = _field(read_text(path) or "", "nonvoluntary_ctxt_switches:")
        if count is not None:
            found[pid, int(path.parent.name)] = count
    return found


def _field(text: str, name: str) -> int | None:
    found = re.search(rf"^{name}\s+(\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else None


def _sysconf(name: str, default: int) -> int:
    """Return a constant of the system; the usual one where it has no such call, and no /proc to go with it."""
    return os.sysconf(name) if hasattr(os, "sysconf") else default
