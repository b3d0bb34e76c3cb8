"""The child process that quantises one model file: llama.cpp may crash on a file, and must not take the sweep with it.

It reads one job (JSON) from standard input and writes one event (JSON) a line to what was its standard output; anything
that llama.cpp says goes to the log.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from evalsuite.child import Channel, die_with_parent, take_stdout, told
from evalsuite.records import Frozen

__all__ = ["QuantiseJob", "main"]

_TENSOR = re.compile(r"^\[ *(\d+)/ *(\d+)\]")


class QuantiseJob(Frozen):
    """What to make of what."""

    source: Path
    target: Path
    ftype: int
    """llama.cpp's number of the quantisation."""
    requantise: bool
    threads: int


def main() -> int:
    """Do the job that stands on standard input; return the exit code."""
    die_with_parent()
    channel = Channel(take_stdout())
    job = QuantiseJob.model_validate_json(sys.stdin.buffer.read())

    def heard(line: str) -> None:
        print(line, file=sys.stderr)
        found = _TENSOR.match(line)
        if found:
            channel.send("tensor", done=int(found[1]), total=int(found[2]))

    try:
        from evalsuite.backends.llamacpp.requantise import write_quantised

        write_quantised(
            job.source, job.target, ftype=job.ftype, requantise=job.requantise, threads=job.threads, heard=heard
        )
    except Exception as error:  # noqa: BLE001  # whatever it raises, the parent must be told
        channel.send("failed", **told(error))
        return 1
    channel.send("finished")
    return 0


if __name__ == "__main__":
    sys.exit(main())
