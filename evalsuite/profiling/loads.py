"""How long a model takes to be ready: from its file alone, and when the system still has the file in memory."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path

from evalsuite.records import Load

__all__ = ["drop_from_memory", "resident_share", "time_load"]

_STILL_THERE = 0.02
"""Share of a file in memory from which on a load is not called cold; and that may be missing for a warm one."""


def time_load(kind: str, path: Path, load: Callable[[], object]) -> Load:
    """Return how long `load` takes.

    Args:
        kind: `cold` drops the file from the system's page cache first; `warm` loads it as it is.
        path: The model file.
        load: Makes the model ready to serve: loaded, with a context, and one token evaluated.
    """
    reason = None
    if kind == "cold":
        left = drop_from_memory(path)
        if left is None:
            reason = "this system does not let a program drop a file from its page cache"
        elif left > _STILL_THERE:
            reason = f"{100 * left:.0f} % of the file stayed in the page cache, so that the load was not cold"
    elif (there := resident_share(path)) is not None and there < 1 - _STILL_THERE:
        reason = f"only {100 * there:.0f} % of the file were in the page cache, so that the load was not warm"
    start = time.monotonic()
    load()
    seconds = time.monotonic() - start
    return Load(kind=kind, seconds=None if reason else seconds, reason=reason)


def drop_from_memory(path: Path) -> float | None:
    """Ask the system to drop a file from its page cache; return the share that is still there, none where it cannot be told."""
    if not hasattr(os, "posix_fadvise"):
        return None
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return _resident_share(file.fileno())


def resident_share(path: Path) -> float | None:
    """Return the share of a file that the system has in memory; none where it cannot be told."""
    with path.open("rb") as file:
        return _resident_share(file.fileno())


def _resident_share(descriptor: int) -> float | None:
    size = os.fstat(descriptor).st_size
    if size == 0:
        return None
    pages = -(-size // mmap.PAGESIZE)
    marks = (ctypes.c_ubyte * pages)()
    libc = ctypes.CDLL(None, use_errno=True)
    # Private and writable, because only then does ctypes give the address of a mapping; nothing is written to it.
    with mmap.mmap(descriptor, size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE) as mapped:
        view = ctypes.c_char.from_buffer(mapped)
        failed = libc.mincore(ctypes.c_void_p(ctypes.addressof(view)), ctypes.c_size_t(size), marks)
        del view
    return None if failed else sum(mark & 1 for mark in marks) / pages
