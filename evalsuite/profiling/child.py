"""The child process of a profile: one model, fresh, that serves one request at a time and tells what each took.

It reads one job (JSON) from standard input, or from the file that it is given, and writes one event (JSON) a line, as `worker.py` does. It stays lean: what it
holds in memory besides the model counts as memory that the model needs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from evalsuite.child import Channel, die_with_parent, take_stdout, told
from evalsuite.records import Frozen, ProfileCell, ProfileText

__all__ = ["ProfileJob", "main"]


class ProfileJob(Frozen):
    """What a profile's process is started for."""

    cell: ProfileCell
    model_path: Path
    texts: tuple[ProfileText, ...]
    long: str
    """A running text, for contexts of a wanted length."""
    rounds_done: int = 0
    """Rounds that are stored already."""
    lengths_done: tuple[int, ...] = ()
    """Lengths of context that are stored already."""
    sitting: int = 0
    """How often this profile was begun before."""
    stored: tuple[str, ...] = ()
    """Other parts that are stored already: `loads`, `curve`, `threads`, `energy`."""
    only_serve: bool = False
    """Whether to do no more than one pass over the longest requests, for a run under a memory limit."""


def main() -> int:
    """Do the job that stands on standard input; return the exit code."""
    die_with_parent()
    channel = Channel(take_stdout())
    given = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else sys.stdin.buffer.read()
    job = ProfileJob.model_validate_json(given)
    try:
        from evalsuite.profiling.session import Session, serve_longest

        if job.only_serve:
            channel.send("served", seconds=serve_longest(job))
        else:
            with Session(job, channel.send) as session:
                session.run()
    except Exception as error:  # noqa: BLE001  # whatever an engine raises, the parent must be told
        channel.send("failed", **_plain(told(error)))
        return 1
    channel.send("finished")
    return 0


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key in ("kind", "reason", "fix")}


if __name__ == "__main__":
    sys.exit(main())
