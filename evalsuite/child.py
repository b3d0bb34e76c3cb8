"""Both ends of the pipe between the parent and a worker process: events as JSON lines, and what became of a process that died."""

from __future__ import annotations

import ctypes
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, TextIO

from evalsuite.errors import EvalsuiteError

__all__ = ["Channel", "ChildProcess", "die_with_parent", "take_stdout", "told"]


class Channel:
    """Sends events to the parent, one JSON object a line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, event: str, **fields: Any) -> None:
        self._stream.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")
        self._stream.flush()


def told(error: BaseException) -> dict[str, str | None]:
    """Return an error as the fields of an event, and print its traceback to the log."""
    traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, EvalsuiteError):
        return {"kind": type(error).__name__, "reason": error.problem, "fix": error.fix}
    if isinstance(error, MemoryError):
        return {"kind": "MemoryError", "reason": "out of memory", "fix": "use a smaller model or quantisation"}
    told = str(error).strip() or "no message"
    return {"kind": type(error).__name__, "reason": f"{type(error).__name__}: {told}", "fix": None}


def take_stdout() -> TextIO:
    """Return the pipe to the parent, and send everything else that is printed to standard error."""
    pipe = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(pipe, "w", encoding="utf-8")


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent is killed, so that no orphan goes on."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


class ChildProcess:
    """A worker process, and the events that it sends.

    Args:
        module: Module that it runs.
        job: What it reads from its standard input.
        log: File that what it prints is added to.
    """

    def __init__(self, module: str, job: bytes, log: Path) -> None:
        self._oom_kills = _oom_kills()
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                # An interrupt at the terminal is for the parent, which then ends the worker.
                start_new_session=True,
            )
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(job)
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # it died at once; the next event says so
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                self._events.put(json.loads(line))
        except ValueError:
            pass  # cut off in the middle of a line, or of a character: it was killed
        finally:
            self._events.put(None)

    def next_event(self, timeout_s: float) -> dict[str, Any]:
        """Return the next event; "died" or "silent" where none comes."""
        try:
            event = self._events.get(timeout=timeout_s)
        except queue.Empty:
            return {
                "event": "silent",
                "kind": "Timeout",
                "reason": f"time-out: nothing came for {timeout_s:g} s",
                "fix": "raise `limits` in the sweep file, or use a smaller model",
            }
        return event if event is not None else self._death()

    def _death(self) -> dict[str, Any]:
        code = self._process.wait()
        reason, fix = f"the worker ended with exit code {code}", "see logs/ in the run folder"
        if code < 0:
            name = signal.Signals(-code).name
            reason = f"the engine crashed ({name})"
            if code == -signal.SIGKILL:
                kernel = (_oom_kills() or 0) > (self._oom_kills or 0)
                reason = (
                    "out of memory: killed by the kernel" if kernel else "killed (SIGKILL), most likely out of memory"
                )
                fix = "use a smaller model or quantisation, or free some memory"
        return {"event": "died", "kind": "Crash", "reason": reason, "fix": fix}

    def stop(self) -> None:
        """End the process if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join(timeout=10)
        if self._process.stdout is not None:
            self._process.stdout.close()


def _oom_kills() -> int | None:
    """Return how many processes the kernel has killed for lack of memory; none where it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
