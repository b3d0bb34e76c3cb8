"""A second process beside this one: the same result, its errors, and what becomes of work whose process dies."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from evalsuite.analysis.beside import can_copy, made_beside

pytestmark = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot copy a process"
)


@pytest.mark.parametrize("copy", [False, True])
def test_the_result_is_what_was_made(copy):
    with made_beside(lambda: (os.getpid(), ["x"] * 300_000), copy=copy) as result:
        maker, made = result()
    assert (maker != os.getpid()) is copy
    assert made == ["x"] * 300_000


@pytest.mark.parametrize("copy", [False, True])
def test_what_it_raised_is_raised_here(copy):
    def fail() -> None:
        raise ValueError("no such table")

    with made_beside(fail, copy=copy) as result, pytest.raises(ValueError, match="no such table"):
        result()


def test_work_whose_process_dies_is_done_here():
    here = os.getpid()

    def make() -> int:
        if os.getpid() != here:
            os.kill(os.getpid(), 9)
        return os.getpid()

    with made_beside(make, copy=True) as result:
        assert result() == here


def test_nothing_is_left_where_nobody_waits_for_the_result():
    before = set(multiprocessing.active_children())
    with pytest.raises(KeyError), made_beside(threading.Event().wait, copy=True):
        raise KeyError
    assert set(multiprocessing.active_children()) == before


def test_a_process_with_threads_is_not_copied():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    assert not can_copy()
    stop.set()
    thread.join()


def test_all_tables_are_the_same_from_two_processes(tmp_path):
    """In a process of its own: pytest's workers have threads."""
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from big_run import build
        from evalsuite.analysis import beside, load_run, tables
        path = Path(sys.argv[1])
        build(path, 0.01)
        run = load_run(path)
        one = tables.analyse(run)
        copies = []
        begin = tables.made_beside
        tables.made_beside = lambda make, *, copy: copies.append(copy) or begin(make, copy=copy)
        beside.LARGE = 0
        beside.usable_cores = lambda: type("Cores", (), {"count": 2})
        two = tables.analyse(load_run(path))
        assert copies == [True], copies
        assert one.categories and one.label_sets and one.translations
        assert repr(one) == repr(two)
        print("same")
    """)
    benchmarks = Path(__file__).parents[2] / "benchmarks"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run"), str(benchmarks)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "same", done.stderr[-2000:]
