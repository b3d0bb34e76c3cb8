"""Runs a command under a cap on its memory, to prove that it needs no more than a smaller device has."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evalsuite.meters.source import MeterError

__all__ = ["CapResult", "Ended", "Launcher", "try_cap"]

Method = Literal["cgroup2", "cgroup1", "systemd"]

_OUTPUT_BYTES = 64 * 1024
"""How much of the end of the output is kept."""
_NOT_CAPPED = 125
"""Exit code of our own shell lines where the cap cannot be set; the command has not run then."""
_MOVE_IN = 'echo $$ >"$0" || exit 125; exec "$@"'
_IN_SCOPE = r"""
report=$1; limit=$2; mounts=$3; own=$4; shift 4
echo started >"$report"
group="$mounts$(sed -n 's/^0:://p' "$own")"
[ "$(cat "$group/memory.max")" -le "$limit" ] || exit 125
echo capped >"$report"
"$@"
code=$?
cat "$group/memory.peak" "$group/memory.events" >>"$report"
exit $code
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    exit_code: int
    """Negative where a signal ended it."""
    output: str
    seconds: float
    timed_out: bool = False


Launcher = Callable[[Sequence[str], float], Ended]
"""Runs a command, and ends it and its children after that many seconds."""


@dataclass(frozen=True)
class CapResult:
    """What became of a command under a cap, or why no cap can be set here (`method` is none then).

    Files that the command reads count against the cap too, but the system can drop their pages and read them again. A cap
    between the heap and heap plus weights therefore does not kill: it makes slow. That the cap *suffices* is shown only
    where `held` is true and `seconds` is about what it is without a cap.
    """

    limit_bytes: int
    method: Method | None = None
    held: bool | None = None
    """Whether it ended by itself with exit code 0."""
    oom_killed: bool | None = None
    """Whether the system ended it for want of memory: by the group's own count; where there is none, by signal 9."""
    timed_out: bool | None = None
    exit_code: int | None = None
    """Negative where a signal ended it."""
    peak_bytes: int | None = None
    """Highest use of the group, with pages of files; none where the kernel does not keep it (cgroup 2 before Linux 5.19)."""
    seconds: float | None = None
    output: str = ""
    """The end of what it printed."""
    note: str | None = None
    """What a reader of the result must know: swap that could not be forbidden, a group that could not be removed."""
    reason: str | None = None
    """Why no cap can be set here."""
    fix: str | None = None


@dataclass(frozen=True)
class _Layout:
    """Names of the files of a memory group."""

    method: Method
    limit: str
    swap: tuple[tuple[str, int | None], ...]
    """Files that forbid swap, best first, with what to write; none stands for the limit itself."""
    peak: str
    events: str


# In version 1 `memsw` is memory and swap together: the same limit for both leaves no swap.
_V2 = _Layout("cgroup2", "memory.max", (("memory.swap.max", 0),), "memory.peak", "memory.events")
_V1 = _Layout(
    "cgroup1",
    "memory.limit_in_bytes",
    (("memory.memsw.limit_in_bytes", None), ("memory.swappiness", 0)),
    "memory.max_usage_in_bytes",
    "memory.oom_control",
)


def try_cap(
    command: Sequence[str],
    limit_bytes: int,
    *,
    timeout_s: float,
    root: Path = Path("/"),
    launch: Launcher | None = None,
) -> CapResult:
    """Run a command under a cap on its memory, with no swap.

    Tried in turn: a group of cgroup version 2 below or beside our own, one of version 1, a scope of systemd. What was made is
    removed again.

    Args:
        command: Program and arguments.
        limit_bytes: The cap.
        timeout_s: When to end it: a cap far too low can make it slower without end.
        root: Where /proc and /sys are.
        launch: Runs commands; tests replace it.

    Raises:
        MeterError: The command is not installed, or the cap is no positive number.
    """
    if limit_bytes <= 0:
        raise MeterError(f"a cap of {limit_bytes} bytes", fix="give a positive number of bytes")
    if not command or shutil.which(command[0]) is None:
        raise MeterError(f"the command {command[0] if command else '(none)'} is not installed")
    run = launch or _launch
    reasons = []
    for layout, parent in _parents(root):
        try:
            group, note = _make_group(layout, parent, limit_bytes, run)
        except MeterError as error:
            reasons.append(f"{layout.method}: {error.problem}")
            continue
        return _in_group(layout, group, note, command, limit_bytes, timeout_s, run)
    for manager in (["--user"], []) if os.geteuid() else ([], ["--user"]):
        try:
            return _in_scope(manager, command, limit_bytes, timeout_s, root, run)
        except MeterError as error:
            reasons.append(f"systemd: {error.problem}")
            if shutil.which("systemd-run") is None:
                break
    return CapResult(limit_bytes, reason="; ".join(reasons), fix=_fix(root))


def _launch(command: Sequence[str], timeout_s: float) -> Ended:
    # A file, not a pipe: a grandchild that lives on would hold the pipe open.
    with tempfile.TemporaryFile() as out:
        began = time.monotonic()
        process = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        timed_out = False
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        seconds = time.monotonic() - began
        out.seek(max(0, out.seek(0, os.SEEK_END) - _OUTPUT_BYTES))
        return Ended(process.returncode, out.read().decode("utf-8", errors="replace"), seconds, timed_out)


def _parents(root: Path) -> Iterator[tuple[_Layout, Path]]:
    """Return the groups in which a group of ours could be made, best first."""
    mounts = root / "sys/fs/cgroup"
    own: dict[Literal["v1", "v2"], str] = {}
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            own["v2"] = path.strip("/")
        elif "memory" in controllers.split(","):
            own["v1"] = path.strip("/")
    for mount in (mounts, mounts / "unified"):
        group = _visible(mount, own.get("v2"))
        if group is not None:
            # A group that holds processes may not share out controllers, so ours mostly cannot be a parent; its own can.
            places = (group,) if group == mount else (group, group.parent)
            yield from ((_V2, place) for place in places if "memory" in _text(place / "cgroup.subtree_control").split())
    group = _visible(mounts / "memory", own.get("v1"))
    if group is not None:
        yield _V1, group


def _visible(mount: Path, path: str | None) -> Path | None:
    """Return the folder of a group; in a container the path may be the host's, of which only the mount can be seen."""
    if path is None or not mount.is_dir():
        return None
    return mount / path if ".." not in path and (mount / path).is_dir() else mount


def _make_group(layout: _Layout, parent: Path, limit_bytes: int, run: Launcher) -> tuple[Path, str | None]:
    """Return a new group with the cap, into which a process could be moved, and a note."""
    group = parent / f"evalsuite-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        _mkdir(group)
    except OSError as error:
        raise MeterError(f"no group can be made in {parent}: {error.strerror or error}") from error
    try:
        if not (group / layout.limit).exists():
            raise MeterError(f"groups in {parent} have no {layout.limit}")
        (group / layout.limit).write_text(str(limit_bytes), encoding="ascii")
        # The kernel rounds down to whole pages; a file that then holds more, or "max", caps nothing.
        taken = _text(group / layout.limit)
        if not taken.isdigit() or int(taken) > limit_bytes:
            raise MeterError(f"{layout.limit} holds {taken!r} after {limit_bytes} was written to it")
        note = "swap could not be forbidden"
        for name, value in layout.swap:
            if (group / name).exists():
                (group / name).write_text(str(limit_bytes if value is None else value), encoding="ascii")
                note = ""
                break
        moved = run(["sh", "-c", _MOVE_IN, str(group / "cgroup.procs"), "true"], 10.0)
        if moved.exit_code:
            raise MeterError(
                f"no process may be moved into a group of {parent}: {moved.output.strip() or 'no message'}"
            )
    except (OSError, MeterError) as error:
        _remove(group)
        if isinstance(error, MeterError):
            raise
        raise MeterError(f"the cap cannot be set in {parent}: {error}") from error
    return group, note or None


def _in_group(
    layout: _Layout,
    group: Path,
    note: str | None,
    command: Sequence[str],
    limit_bytes: int,
    timeout_s: float,
    run: Launcher,
) -> CapResult:
    try:
        ended = run(["sh", "-c", _MOVE_IN, str(group / "cgroup.procs"), *command], timeout_s)
        peak, events = _text(group / layout.peak), _text(group / layout.events)
    finally:
        left = _remove(group)
    told = [part for part in (note, left) if part]
    return _result(layout.method, limit_bytes, ended, peak, events, "; ".join(told) or None)


def _in_scope(
    manager: list[str], command: Sequence[str], limit_bytes: int, timeout_s: float, root: Path, run: Launcher
) -> CapResult:
    """Run in a scope of systemd; the scope is gone with its last process, so that the shell in it writes a report."""
    if shutil.which("systemd-run") is None:
        raise MeterError("the command systemd-run is not installed")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        places = [str(report), str(limit_bytes), str(root / "sys/fs/cgroup"), str(root / "proc/self/cgroup")]
        limits = ["-p", f"MemoryMax={limit_bytes}", "-p", "MemorySwapMax=0"]
        start = ["systemd-run", *manager, "--scope", "--quiet", "--collect", *limits, "--"]
        ended = run([*start, "sh", "-c", _IN_SCOPE, "sh", *places, *command], timeout_s)
        told = _text(report)
    shown = " ".join(start[: 2 + len(manager)])
    if not told:
        last = ended.output.strip().splitlines()
        raise MeterError(f"`{shown}` failed: {last[-1] if last else f'exit code {ended.exit_code}'}")
    if told == "started":
        raise MeterError(f"`{shown}` sets no cap: its group has no memory.max")
    if 128 < ended.exit_code < 128 + signal.NSIG:
        # How a shell tells of a signal.
        ended = Ended(128 - ended.exit_code, ended.output, ended.seconds, ended.timed_out)
    peak = next((line for line in told.splitlines() if line.isdigit()), "")
    return _result("systemd", limit_bytes, ended, peak, told, None)


def _result(method: Method, limit_bytes: int, ended: Ended, peak: str, events: str, note: str | None) -> CapResult:
    counted = re.search(r"^oom_kill (\d+)$", events, re.MULTILINE)
    # At a time-out the signal is ours.
    killed = bool(int(counted[1])) if counted else ended.exit_code == -signal.SIGKILL and not ended.timed_out
    return CapResult(
        limit_bytes,
        method,
        held=ended.exit_code == 0 and not ended.timed_out,
        oom_killed=killed,
        timed_out=ended.timed_out,
        exit_code=ended.exit_code,
        peak_bytes=int(peak) if peak.isdigit() else None,
        seconds=ended.seconds,
        output=ended.output,
        note=note,
    )


def _remove(group: Path) -> str | None:
    """End what is left in a group of ours and remove it; return what could not be done."""
    for _ in range(20):
        if (group / "cgroup.kill").exists():
            with suppress(OSError):
                (group / "cgroup.kill").write_text("1", encoding="ascii")
        else:
            for pid in _text(group / "cgroup.procs").split():
                with suppress(OSError):
                    os.kill(int(pid), signal.SIGKILL)
        try:
            _rmdir(group)
        except OSError:
            # Busy until the kernel has taken its processes down.
            time.sleep(0.05)
        else:
            return None
    return f"the group {group} could not be removed"


def _mkdir(group: Path) -> None:
    group.mkdir()


def _rmdir(group: Path) -> None:
    group.rmdir()


def _fix(root: Path) -> str:
    rows = [line.split() for line in _text(root / "proc/cgroups").splitlines()]
    disabled = "cgroup_disable=memory" in _text(root / "proc/cmdline").split()
    if disabled or any(row[0] == "memory" and row[-1] == "0" for row in rows if row):
        return (
            "the kernel was started without memory groups: add cgroup_enable=memory to its command line"
            " (Raspberry Pi: /boot/firmware/cmdline.txt) and restart"
        )
    return "run as root on Linux, or in a login session of systemd that may run `systemd-run --user --scope`"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
