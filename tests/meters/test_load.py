"""The load of others, from copies of what Linux counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evalsuite.meters.load import LoadTrack

S = 1_000_000_000
HZ = 100

# proc_stat(5): user nice system idle iowait irq softirq steal guest guest_nice.
STAT = """\
cpu  {user} 200 {system} 1649383 {iowait} 10 {softirq} {steal} {guest} 0
cpu0 1326850 10522 59926 960937 3456 0 291 18742 0 0
cpu1 1557400 11923 86113 688445 14556 0 2696 19209 0 0
intr 5221190 0 0
ctxt 10689546
btime 1700000000
processes 8912
procs_running {running}
procs_blocked 0
"""
PROCESS = (
    "{pid} (python (x) y) S {parent} 8907 6028 0 -1 4194304 100 0 0 0 {utime} {stime} {cutime} {cstime} "
    "20 0 1 0 {born} 3133440 381 18446744073709551615 1 1 1 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n"
)
STATUS = "Name:\tpython\nThreads:\t2\nvoluntary_ctxt_switches:\t9000\nnonvoluntary_ctxt_switches:\t{count}\n"


class Machine:
    """What a machine with two processors counts, in ticks of 10 ms; time passes by hand."""

    def __init__(self, root, *pids):
        self.root = root
        self.t_ns = 3 * S
        self.system = {"user": 1000, "system": 500, "iowait": 0, "softirq": 20, "steal": 0, "guest": 0, "running": 2}
        self.swap = {"pswpin": 100, "pswpout": 100}
        self.track = LoadTrack(pids, root, lambda: self.t_ns, ticks_hz=HZ)
        for pid in pids:
            self.process(pid)

    def process(self, pid, **fields):
        values = {"pid": pid, "parent": 1, "utime": 0, "stime": 0, "cutime": 0, "cstime": 0, "born": 2380077, **fields}
        self.write(f"{pid}/stat", PROCESS.format(**values))

    def switches(self, pid, **threads):
        for thread, count in threads.items():
            self.write(f"{pid}/task/{thread[1:]}/status", STATUS.format(count=count))

    def end(self, pid):
        (self.root / "proc" / str(pid) / "stat").unlink()

    def write(self, name, text):
        path = self.root / "proc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def use(self, seconds=0.0, *, swap=None, running=2, **ticks):
        self.t_ns += int(seconds * S)
        self.system = {name: value + ticks.get(name, 0) for name, value in self.system.items()} | {"running": running}
        self.swap = {name: value + (swap or {}).get(name, 0) for name, value in self.swap.items()}

    def look(self):
        self.write("stat", STAT.format(**self.system))
        self.write("vmstat", "pgpgin 3\n" + "".join(f"{n} {v}\n" for n, v in self.swap.items()) + "pswpout_zero 5\n")
        return self.track.look()


def test_what_the_measured_process_did_not_use_was_used_by_others(tmp_path):
    machine = Machine(tmp_path, 42)
    machine.process(42, utime=1000, stime=100)
    machine.look()
    machine.use(10, user=1500, system=100, softirq=30)
    machine.process(42, utime=1900, stime=200)
    machine.look()
    summary = machine.track.summary()
    # 1630 ticks busy, 1000 of them ours, in 10 s of 100 ticks.
    assert summary.duration_s == 10.0
    assert summary.own_cpu == pytest.approx(1.0)
    assert summary.other_cpu == pytest.approx(0.63)
    verdict = summary.noisy()
    assert verdict.noisy is True
    assert verdict.reasons == ("0.63 cores were busy with other processes",)
    assert summary.noisy(limit_cores=0.7).noisy is False


def test_waiting_for_disks_and_guest_time_are_not_counted_twice(tmp_path):
    machine = Machine(tmp_path, 42)
    machine.look()
    # Guest time stands in user time already.
    machine.use(10, user=100, guest=100, iowait=900)
    machine.look()
    assert machine.track.summary().other_cpu == pytest.approx(0.1)
    assert machine.track.summary().noisy().noisy is False
    assert machine.track.summary().noisy().reasons == ()


def test_stolen_time_is_told_apart(tmp_path):
    machine = Machine(tmp_path, 42)
    machine.look()
    machine.use(10, user=1000, steal=300)
    machine.process(42, utime=1000)
    machine.look()
    summary = machine.track.summary()
    assert summary.steal == pytest.approx(0.3)
    assert summary.other_cpu == 0.0
    assert summary.noisy().reasons == ("0.30 cores were taken by the hypervisor",)


def test_children_that_were_waited_for_are_ours(tmp_path):
    machine = Machine(tmp_path, 42)
    machine.look()
    machine.use(10, user=800)
    machine.process(42, utime=100, cutime=600, cstime=100)
    machine.look()
    assert machine.track.summary().other_cpu == 0.0
    assert machine.track.summary().own_cpu == pytest.approx(0.8)


def test_a_measured_child_that_ends_is_counted_once(tmp_path):
    machine = Machine(tmp_path, 42, 43)
    machine.process(43, parent=42, utime=500)
    machine.look()
    machine.use(10, user=200)
    machine.end(43)
    # 500 ticks from before, and 100 since, have passed to its parent, which used 50 itself.
    machine.process(42, utime=50, cutime=600)
    machine.look()
    summary = machine.track.summary()
    assert summary.own_cpu == pytest.approx(0.15)
    assert summary.other_cpu == pytest.approx(0.05)


@pytest.mark.parametrize("after", ["gone", "another"])
def test_a_measured_process_that_ends_leaves_the_load_of_others_unknown(tmp_path, after):
    machine = Machine(tmp_path, 42)
    machine.process(42, utime=100)
    machine.look()
    machine.use(10, user=900)
    if after == "gone":
        machine.end(42)
    else:
        machine.process(42, utime=5, born=2999999)
    machine.look()
    summary = machine.track.summary()
    assert (summary.own_cpu, summary.other_cpu) == (None, None)
    assert summary.missing["other_cpu"] == "process 42 ended meanwhile"
    assert summary.noisy().noisy is None
    assert summary.noisy().reasons == ("process 42 ended meanwhile",)


def test_a_process_that_was_never_there(tmp_path):
    machine = Machine(tmp_path, 42)
    machine.end(42)
    machine.look()
    machine.use(10)
    machine.look()
    assert machine.track.summary().missing["own_cpu"] == "process 42 could not be read at the first look"


@pytest.mark.parametrize(("own", "other"), [(1000, 0.0), (1040, 0.0), (1100, None)])
def test_own_time_above_the_systems_is_rounding_only_up_to_a_point(tmp_path, own, other):
    machine = Machine(tmp_path, 42)
    machine.look()
    machine.use(10, user=1000)
    machine.process(42, utime=own)
    machine.look()
    summary = machine.track.summary()
    assert summary.other_cpu == other
    assert ("other_cpu" in summary.missing) is (other is None)


def test_stolen_time_that_stands_in_the_process_is_not_taken_from_others(tmp_path):
    machine = Machine(tmp_path, 42)
    machine.look()
    # Kernels without paravirtual accounting give the process what was stolen from it.
    machine.use(10, user=700, steal=300)
    machine.process(42, utime=1000)
    machine.look()
    assert machine.track.summary().other_cpu == 0.0


@pytest.mark.parametrize(("ticks", "verdict"), [(0, None), (3, None), (5, None), (6, True)])
def test_a_stretch_that_is_too_short_is_not_judged_by_its_rounding(tmp_path, ticks, verdict):
    machine = Machine(tmp_path, 42)
    machine.look()
    machine.use(0.1, user=ticks)
    machine.look()
    summary = machine.track.summary()
    # Two processors and one process, each rounded to a tick, in 10 ticks: known to 0.3 cores; certain above 0.2 + 0.3.
    assert summary.resolution_cores == pytest.approx(0.3)
    assert summary.noisy().noisy is verdict
    if verdict is None:
        assert summary.noisy().reasons == ("0.10 s are too short: processor time is known to 0.30 cores",)


def test_swapping_of_the_system_is_noise(tmp_path):
    page = os.sysconf("SC_PAGE_SIZE")
    machine = Machine(tmp_path, 42)
    machine.look()
    machine.use(10, swap={"pswpin": 3 * 2**20 // page, "pswpout": 5})
    machine.look()
    summary = machine.track.summary()
    assert (summary.swapped_in_bytes, summary.swapped_out_bytes) == (3 * 2**20, 5 * page)
    assert summary.noisy().reasons == ("the system swapped 3.0 MiB in and 0.0 MiB out",)


def test_the_run_queue_at_the_looks(tmp_path):
    machine = Machine(tmp_path, 42)
    for running in (1, 2, 6):
        machine.use(1, running=running)
        machine.look()
    summary = machine.track.summary()
    assert (summary.run_queue_mean, summary.run_queue_max) == (3.0, 6)


def test_involuntary_switches_of_all_threads(tmp_path):
    machine = Machine(tmp_path, 42)
    machine.switches(42, t42=10, t50=5)
    machine.look()
    machine.use(1)
    machine.switches(42, t42=12, t50=9)
    machine.look()
    machine.use(1)
    # A thread ended, another began.
    (tmp_path / "proc/42/task/50/status").unlink()
    machine.switches(42, t42=13, t51=4)
    machine.look()
    assert machine.track.summary().involuntary_switches == (2 + 4) + (1 + 4)


def test_a_stretch_is_enclosed_by_looks(tmp_path):
    machine = Machine(tmp_path, 42)
    begun = machine.t_ns
    for user in (0, 100, 20, 30, 500):
        machine.use(1, user=user)
        machine.look()
    # Looks at 1 to 5 s; the stretch from 2.5 to 3.5 s lies between those at 2 and 4 s.
    summary = machine.track.summary(begun + int(2.5 * S), begun + int(3.5 * S))
    assert summary.duration_s == 2.0
    assert summary.other_cpu == pytest.approx((20 + 30) / HZ / 2)
    outside = machine.track.summary(begun - S, begun + 99 * S)
    assert outside.duration_s == 4.0


@pytest.mark.parametrize("looks", [0, 1])
def test_fewer_than_two_looks_say_nothing(tmp_path, looks):
    machine = Machine(tmp_path, 42)
    for _ in range(looks):
        machine.look()
    summary = machine.track.summary()
    assert (summary.other_cpu, summary.steal, summary.run_queue_max) == (None, None, None)
    assert set(summary.missing.values()) == {"fewer than two looks were taken"}
    assert summary.noisy().noisy is None


def test_a_system_without_proc(tmp_path):
    times = iter([0, S])
    track = LoadTrack([42], tmp_path, lambda: next(times))
    track.look()
    track.look()
    summary = track.summary()
    assert summary.other_cpu is None and summary.steal is None and summary.swapped_in_bytes is None
    assert summary.missing["steal"] == "the system does not count stolen time"
    assert summary.missing.keys() >= {"other_cpu", "own_cpu", "run_queue_mean", "involuntary_switches"}


def test_what_may_not_be_read_is_missing(tmp_path, monkeypatch):
    machine = Machine(tmp_path, 42)
    machine.look()
    machine.use(10, user=500)
    machine.look()
    read_text = Path.read_text

    def refuse(path, *args, **kwargs):
        if path.name == "stat" and path.parent.name == "proc":
            raise PermissionError(13, "Permission denied", str(path))
        return read_text(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", refuse)
    machine.use(10)
    machine.look()
    summary = machine.track.summary()
    assert summary.own_cpu == 0.0
    assert summary.missing["other_cpu"] == "the system does not count processor time"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux has /proc")
def test_this_machine():
    track = LoadTrack([os.getpid()])
    first = track.look()
    sum(range(2_000_000))
    last = track.look()
    assert last.processes[os.getpid()].ticks >= first.processes[os.getpid()].ticks
    assert last.processes[os.getpid()].parent == os.getppid()
    assert last.running is not None and last.running >= 1
    summary = track.summary()
    assert summary.duration_s == pytest.approx((last.t_ns - first.t_ns) / 1e9)
    assert summary.own_cpu is not None and summary.own_cpu >= 0
    assert summary.involuntary_switches is not None
