"""Files of the cache that are made and not fetched: made once, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from evalsuite.catalog.sources.transfer import require_space, storage_errors

__all__ = ["make_once"]


def make_once(
    target: Path, make: Callable[[Path], None], *, needed_bytes: int, there: Callable[[], bool] | None = None
) -> None:
    """Have a file made, unless another process has made it in the meantime.

    Args:
        target: File to make.
        make: Writes it to the path that it is given, which is then moved to `target`. What it writes is removed if it
            raises.
        needed_bytes: Room that it takes at most.
        there: Whether the file is there and good; by default whether it is there.

    Raises:
        FetchError: There is no room for the file, or the cache cannot be written.
    """
    from filelock import FileLock

    is_there = there or target.is_file
    with storage_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_suffix(".lock")):
            if is_there():
                return
            # What a killed process left: while the lock is held, nobody else is at work on it.
            for stale in target.parent.glob(f"{target.name}.*.part"):
                stale.unlink(missing_ok=True)
            require_space(target.parent, needed_bytes)
            part = target.with_name(f"{target.name}.{os.getpid()}.part")
            try:
                make(part)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
