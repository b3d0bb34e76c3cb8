"""Memory of a process: from copies of what the kernel shows, and of this process with a file that is really mapped."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from evalsuite.meters import memory
from evalsuite.meters.memory import (
    PeakTracker,
    available_bytes,
    mapped_file_bytes,
    read_memory,
    read_smaps_rollup,
    reset_peak,
)
from evalsuite.meters.source import MeterError

KIB, MIB = 1024, 1024**2
STATUS = """\
Name:\tllama-cli
Umask:\t0022
State:\tR (running)
VmPeak:\t  900000 kB
VmSize:\t  800000 kB
VmHWM:\t  276480 kB
VmRSS:\t   14336 kB
RssAnon:\t    6144 kB
RssFile:\t    8000 kB
RssShmem:\t     192 kB
VmSwap:\t      12 kB
Threads:\t4
"""
STAT = "77 (llama (cli) 2) R 1 77 77 0 -1 4194560 4711 99 23 88 10 5 0 0 20 0 4 0 100 819200000 3584 18446744073709551615\n"
MEMINFO = (
    "MemTotal:        3845824 kB\nMemFree:         3099736 kB\nMemAvailable:    3537772 kB\nHugePages_Total:       0\n"
)
ROLLUP = """\
55965b577000-7ffdb2342000 ---p 00000000 00:00 0                          [rollup]
Rss:              273408 kB
Pss:              136192 kB
Pss_Dirty:           112 kB
Shared_Clean:     263000 kB
Shared_Dirty:          0 kB
Private_Clean:      4000 kB
Private_Dirty:      6408 kB
Swap:                  0 kB
"""


def known(value: int | None) -> int:
    assert value is not None
    return value


def place(root, pid="self", **files):
    """Write files of /proc/PID, and `meminfo` beside it."""
    folder = root / "proc" / str(pid)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"status": STATUS, "stat": STAT, "clear_refs": "", **files}.items():
        (root / "proc" / name if name == "meminfo" else folder / name).write_text(text, encoding="utf-8")
    return root


def smaps(*mappings):
    """Return smaps of (path, resident KiB, of these changed KiB)."""
    text = ""
    for path, rss, anonymous in mappings:
        text += f"7f0a1c000000-7f0a20000000 r--s 00000000 fd:00 262{' ' * 15}{path}\n"
        text += f"Size:{65536:>15} kB\nRss:{rss:>16} kB\nPss:{rss:>16} kB\nAnonymous:{anonymous:>10} kB\n"
        text += "THPeligible:           0\nVmFlags: rd sh mr mw me ms\n"
    return text


def test_memory_is_read_in_bytes_with_its_parts(tmp_path):
    now = read_memory(root=place(tmp_path))
    assert now.rss_bytes == 14336 * KIB
    assert (now.rss_anon_bytes, now.rss_file_bytes, now.rss_shmem_bytes) == (6144 * KIB, 8000 * KIB, 192 * KIB)
    assert now.peak_rss_bytes == 270 * MIB
    assert (now.swap_bytes, now.virtual_bytes) == (12 * KIB, 800000 * KIB)
    assert (now.minor_faults, now.major_faults) == (4711, 23)
    assert now.reason is None


def test_a_process_is_named_by_its_number(tmp_path):
    place(tmp_path, pid=77, status=STATUS.replace("276480", "1"))
    assert read_memory(77, tmp_path).peak_rss_bytes == KIB


def test_an_old_kernel_lacks_the_parts_and_it_is_said(tmp_path):
    old = "\n".join(line for line in STATUS.splitlines() if not line.startswith("Rss"))
    now = read_memory(root=place(tmp_path, status=old, stat="77 (x) R 1"))
    assert now.rss_anon_bytes is None
    assert now.rss_bytes == 14336 * KIB
    assert (now.minor_faults, now.major_faults) == (None, None)
    assert now.reason == "/proc/self/status does not tell RssAnon, RssFile, RssShmem"


def test_a_process_that_has_ended_is_an_error(tmp_path):
    place(tmp_path)
    with pytest.raises(MeterError, match="process 4242 has ended"):
        read_memory(4242, tmp_path)


def test_a_process_of_someone_else_is_an_error_with_a_fix(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    place(tmp_path)
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(MeterError, match="may not be read") as caught:
        read_memory(root=tmp_path)
    assert "inside of process self" in str(caught.value.fix)


def test_without_proc_psutil_tells_the_total_and_nothing_is_made_up(tmp_path):
    now = read_memory(root=tmp_path)
    assert now.rss_bytes == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    assert now.rss_anon_bytes is None
    assert "no /proc" in str(now.reason)
    assert available_bytes(tmp_path) == pytest.approx(psutil.virtual_memory().available, rel=0.2)
    with pytest.raises(MeterError, match="process 999999999 "):
        read_memory(999999999, tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(MEMINFO, 3537772 * KIB), ("MemTotal: 1 kB\n", None), ("", None), ("MemAvailable: x\n", None)],
)
def test_what_the_system_could_still_give(tmp_path, text, expected):
    assert available_bytes(place(tmp_path, meminfo=text)) == expected


def test_no_meminfo_is_missing_and_not_zero(tmp_path):
    assert available_bytes(place(tmp_path)) is None


def test_the_peak_is_reset_with_a_five(tmp_path):
    assert reset_peak(place(tmp_path)) is True
    assert (tmp_path / "proc/self/clear_refs").read_text(encoding="utf-8") == "5"


def test_a_reset_that_is_not_allowed_is_told(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    assert reset_peak(tmp_path, 4242) is False
    place(tmp_path)
    monkeypatch.setattr(Path, "write_text", refuse)
    assert reset_peak(tmp_path) is False


def test_shared_pages_are_divided_and_private_ones_added(tmp_path):
    totals = read_smaps_rollup(root=place(tmp_path, smaps_rollup=ROLLUP))
    assert totals.rss_bytes == 267 * MIB
    assert totals.pss_bytes == 133 * MIB
    assert totals.private_bytes == (4000 + 6408) * KIB


def test_a_kernel_without_the_rollup_is_an_error(tmp_path):
    with pytest.raises(MeterError, match="too old"):
        read_smaps_rollup(root=place(tmp_path))
    with pytest.raises(MeterError, match="holds no Private_Dirty"):
        read_smaps_rollup(root=place(tmp_path, smaps_rollup=ROLLUP.replace("Private_Dirty", "Other")))


def test_resident_bytes_of_a_file_are_summed_over_its_mappings(tmp_path):
    model = tmp_path / "my model.gguf"
    other = f"{model}.old"
    text = smaps((model, 65400, 0), ("", 500, 500), (other, 700, 0), (model, 100, 40), ("[heap]", 300, 300))
    place(tmp_path, smaps=text)
    # 40 KiB of the second mapping were changed: they are counted as RssAnon.
    assert mapped_file_bytes(model, root=tmp_path) == (65400 + 100 - 40) * KIB
    assert mapped_file_bytes(tmp_path / "absent.gguf", root=tmp_path) is None


def test_a_mapped_file_with_nothing_resident_is_zero_and_not_missing(tmp_path):
    model = tmp_path / "model.gguf"
    assert mapped_file_bytes(model, root=place(tmp_path, smaps=smaps((model, 0, 0)))) == 0


def test_a_phase_keeps_the_highest_of_its_looks_and_the_kernel_s_peak(tmp_path):
    def now(anon, file, available, faults, peak):
        text = STATUS.replace(" 6144 kB", f" {anon} kB").replace(" 8000 kB", f" {file} kB").replace("276480", str(peak))
        stat = STAT.replace(" 23 ", f" {faults} ")
        place(tmp_path, status=text, stat=stat, meminfo=MEMINFO.replace("3537772", str(available)))

    tracker = PeakTracker(root=tmp_path)
    now(100, 10, 9000, 5, 500)
    tracker.look()
    tracker.begin("load")
    assert (tmp_path / "proc/self/clear_refs").read_text(encoding="utf-8") == "5"
    now(300, 20, 7000, 6, 600)
    tracker.look()
    now(200, 40, 8000, 9, 777)
    found = tracker.end()
    assert (found.phase, found.looks) == ("load", 3)
    assert (found.rss_anon_bytes, found.rss_file_bytes) == (300 * KIB, 40 * KIB)
    assert (found.peak_rss_bytes, found.peak_since) == (777 * KIB, "phase")
    assert (found.available_start_bytes, found.available_min_bytes) == (9000 * KIB, 7000 * KIB)
    assert (found.major_faults, found.minor_faults) == (4, 0)
    assert found.reason is None
    with tracker.phase("decode"):
        pass
    # Nothing of the first phase is left in the second one.
    assert tracker.phases[1].rss_anon_bytes == 200 * KIB
    assert [p.phase for p in tracker.phases] == ["load", "decode"]


def test_without_a_reset_the_peak_is_labelled_since_the_process_started(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "reset_peak", lambda *_: False)
    tracker = PeakTracker(root=place(tmp_path))
    tracker.begin("load")
    assert tracker.end().peak_since == "process start"


def test_without_proc_a_phase_says_why_there_is_no_peak(tmp_path):
    tracker = PeakTracker(root=tmp_path)
    tracker.begin("load")
    found = tracker.end()
    assert (found.peak_rss_bytes, found.peak_since, found.rss_anon_bytes) == (None, None, None)
    assert "no /proc" in str(found.reason)


def test_a_process_that_ends_within_a_phase_keeps_what_was_seen(tmp_path):
    place(tmp_path, pid=77)
    tracker = PeakTracker(77, tmp_path)
    tracker.begin("load")
    (tmp_path / "proc/77/status").unlink()
    with pytest.raises(MeterError, match="has ended"):
        tracker.look()
    found = tracker.end()
    assert found.rss_anon_bytes == 6144 * KIB
    assert (found.peak_rss_bytes, found.peak_since, found.looks) == (None, None, 1)
    assert "could not be read at the end" in str(found.reason)


def test_phases_neither_nest_nor_end_twice(tmp_path):
    tracker = PeakTracker(root=place(tmp_path))
    with pytest.raises(MeterError, match="no phase has begun"):
        tracker.end()
    tracker.begin("load")
    with pytest.raises(MeterError, match="'decode' begins inside of 'load'"):
        tracker.begin("decode")
    tracker.end()
    with pytest.raises(MeterError, match="no phase has begun"):
        tracker.end()


def test_a_phase_that_fails_is_ended_too(tmp_path):
    tracker = PeakTracker(root=place(tmp_path))
    with pytest.raises(ZeroDivisionError), tracker.phase("load"):
        raise ZeroDivisionError
    assert [p.phase for p in tracker.phases] == ["load"]


def test_looks_of_many_threads_are_all_counted(tmp_path):
    def look_often():
        for _ in range(20):
            tracker.look()

    tracker = PeakTracker(root=place(tmp_path))
    tracker.begin("load")
    threads = [threading.Thread(target=look_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tracker.end().looks == 4 * 20 + 2


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="no /proc/self/clear_refs on this system")
def test_a_mapped_file_is_in_the_peak_until_it_is_given_back(tmp_path):
    if not reset_peak():
        pytest.skip("this process may not reset its peak")
    size, slack = 64 * MIB, 6 * MIB
    path = tmp_path / "model.gguf"
    with path.open("wb") as file:
        file.truncate(size)
    tracker = PeakTracker()
    before = read_memory()
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as mapping:
        tracker.begin("load")
        assert sum(mapping[:: mmap.PAGESIZE]) == 0
        touched = tracker.end()
        # Files of a memory file system (tmpfs) are RssShmem.
        grown = known(touched.rss_file_bytes) - known(before.rss_file_bytes)
        grown += known(touched.rss_shmem_bytes) - known(before.rss_shmem_bytes)
        assert grown == pytest.approx(size, abs=slack)
        assert known(touched.rss_anon_bytes) - known(before.rss_anon_bytes) < slack
        assert mapped_file_bytes(path) == size
        mapping.madvise(mmap.MADV_DONTNEED)
        assert mapped_file_bytes(path) == 0
        # Given back, but the kernel's peak remembers it until it is reset.
        now = read_memory()
        assert known(now.peak_rss_bytes) > known(now.rss_bytes) + size - slack
        tracker.begin("after")
        after = tracker.end()
    assert touched.peak_since == after.peak_since == "phase"
    assert known(touched.peak_rss_bytes) - known(after.peak_rss_bytes) == pytest.approx(size, abs=slack)


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="no smaps_rollup on this system")
def test_the_rollup_of_a_real_process_agrees_with_its_status():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        totals = read_smaps_rollup(os.getpid())
        assert known(read_memory(child.pid).virtual_bytes) > 0
        child.communicate(b"\n")
    assert totals.rss_bytes == pytest.approx(read_memory().rss_bytes, rel=0.1)
    assert 0 < totals.private_bytes <= totals.pss_bytes <= totals.rss_bytes
