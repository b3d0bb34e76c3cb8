"""How many cores of this machine an engine should use, and what sets the limit."""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

__all__ = ["CoreChoice", "choose_cores", "cpu_quota", "physical_cores", "read_text", "usable_cores"]


@dataclass(frozen=True)
class CoreChoice:
    """A number of cores, and why it is that one."""

    count: int
    reason: str
    """What limits it: "2 physical cores", "affinity: 1 of 4 physical cores", "cgroup limit 1.5"."""


def usable_cores() -> CoreChoice:
    """Return how many cores this process can keep busy: the least of its physical cores, its affinity and its quota."""
    import psutil

    installed = os.cpu_count() or 1
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else frozenset(range(installed))
    return choose_cores(
        allowed=len(allowed),
        installed=installed,
        allowed_physical=physical_cores(allowed),
        physical=psutil.cpu_count(logical=False),
        quota=cpu_quota(),
    )


def choose_cores(
    *, allowed: int, installed: int, allowed_physical: int | None, physical: int | None, quota: float | None
) -> CoreChoice:
    """Return the number of cores to use.

    Args:
        allowed: Logical processors that the affinity mask leaves.
        installed: Logical processors of the machine.
        allowed_physical: Physical cores behind the allowed processors, where that is known.
        physical: Physical cores of the machine, where that is known.
        quota: Processor time per second that the cgroups leave, in cores; none where they set no limit.
    """
    # Threads of one core share its arithmetic units: a second one slows such work down.
    whole = min(physical or installed, installed)
    cores = max(1, min(allowed, whole, allowed_physical or allowed))
    if quota is not None and quota < cores:
        # A thread more than the quota is stopped for the rest of each period, and the others wait for it.
        return CoreChoice(max(1, math.floor(quota)), f"cgroup limit {quota:.3g}")
    kind = "physical core" if physical else "processor"
    if cores < whole:
        return CoreChoice(cores, f"affinity: {cores} of {whole} {kind}s")
    return CoreChoice(cores, f"{cores} {kind}{'' if cores == 1 else 's'}")


def physical_cores(processors: Collection[int], root: Path = Path("/")) -> int | None:
    """Return how many physical cores stand behind logical processors; none where the system does not show it.

    Args:
        processors: Numbers of logical processors.
        root: Where /sys is.
    """
    folder = root / "sys/devices/system/cpu"
    siblings = {read_text(folder / f"cpu{number}/topology/thread_siblings_list") for number in processors}
    return None if not siblings or None in siblings else len(siblings)


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Return the processor time that the cgroups of this process leave it, in cores; none where they set no limit.

    A limit of any ancestor holds too, so the least one counts. Version 2 (`cpu.max`), version 1 (`cpu.cfs_quota_us`)
    and both side by side are understood.

    Args:
        root: Where /proc and /sys are.
    """
    limits: list[float] = []
    mounts = root / "sys/fs/cgroup"
    for line in (read_text(root / "proc/self/cgroup") or "").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            for mount in (mounts, mounts / "unified"):
                limits += [limit for folder in _lineage(mount, path) if (limit := _quota_v2(folder)) is not None]
        elif "cpu" in controllers.split(","):
            for mount in (mounts / controllers, mounts / "cpu"):
                limits += [limit for folder in _lineage(mount, path) if (limit := _quota_v1(folder)) is not None]
    return min(limits, default=None)


def _lineage(mount: Path, path: str) -> list[Path]:
    """Return a cgroup's folder and those of its ancestors.

    In a container the path may be that on the host, of which only the mount itself can be seen.
    """
    parts = PurePosixPath(path).parts[1:]
    if ".." in parts:
        parts = ()
    return [mount.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]


def _quota_v2(folder: Path) -> float | None:
    quota, _, period = (read_text(folder / "cpu.max") or "").partition(" ")
    return _ratio(quota, period or "100000")


def _quota_v1(folder: Path) -> float | None:
    return _ratio(read_text(folder / "cpu.cfs_quota_us") or "", read_text(folder / "cpu.cfs_period_us") or "100000")


def _ratio(quota: str, period: str) -> float | None:
    """Return quota by period; none for "max", -1 and what is no number."""
    try:
        limit = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return limit if limit > 0 else None


def read_text(path: Path) -> str | None:
    """Return what a small file of the system holds, without space around it; none where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
