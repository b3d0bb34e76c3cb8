"""Cold and warm loads: a file is really dropped from memory, and a load that was not cold gives no figure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from evalsuite.profiling import loads
from evalsuite.profiling.loads import drop_from_memory, time_load

SIZE = 4 * 2**20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that is wholly in memory and on the disk."""
    path = tmp_path / "model.gguf"
    with path.open("wb") as out:
        out.write(os.urandom(SIZE))
        out.flush()
        os.fsync(out.fileno())
    assert len(path.read_bytes()) == SIZE
    return path


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that gives these values, one after the other."""
    values = [100.0, 102.5]
    left: Iterator[float] = iter(values)
    monkeypatch.setattr(loads, "time", SimpleNamespace(monotonic=lambda: next(left)))
    return values


def kind_of_file_system(path: Path) -> str:
    """Return the type of the mount that a path is on."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    on = [(place, kind) for place, kind in mounts if path.resolve().is_relative_to(place)]
    return max(on, key=lambda pair: len(pair[0]))[1]


def share_in_memory(path: Path) -> float | None:
    with path.open("rb") as opened:
        return loads._resident_share(opened.fileno())


def test_a_file_is_dropped_from_memory(file: Path) -> None:
    if not hasattr(os, "posix_fadvise") or not Path("/proc/mounts").exists():
        pytest.skip("this system does not let a program drop a file from its page cache")
    if kind_of_file_system(file) in ("tmpfs", "ramfs", "zfs"):
        pytest.skip("the pages of a tmpfs are the file itself, and ZFS keeps files in a memory of its own")
    assert share_in_memory(file) == 1.0
    left = drop_from_memory(file)
    assert left is not None
    assert left < 0.02
    # Looking does not read: it is still gone.
    assert share_in_memory(file) == pytest.approx(left, abs=0.02)
    with file.open("rb") as opened:
        opened.read(SIZE // 2)
    half = share_in_memory(file)
    assert half is not None
    assert half >= 0.5
    assert len(file.read_bytes()) == SIZE


def test_an_empty_file_has_no_share(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert drop_from_memory(tmp_path / "empty") is None


def test_a_system_that_drops_nothing_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fadvise", raising=False)
    assert drop_from_memory(file) is None
    load = time_load("cold", file, lambda: None)
    assert load.seconds is None
    assert load.reason == "this system does not let a program drop a file from its page cache"


def test_a_cold_load_begins_when_the_file_is_gone(
    file: Path, monkeypatch: pytest.MonkeyPatch, seconds: list[float]
) -> None:
    done: list[str] = []

    def drop(path: Path) -> float:
        assert path == file
        done.append("dropped")
        return 0.01

    monkeypatch.setattr(loads, "drop_from_memory", drop)
    load = time_load("cold", file, lambda: done.append("loaded"))
    assert done == ["dropped", "loaded"]
    assert (load.kind, load.seconds, load.reason) == ("cold", seconds[1] - seconds[0], None)


@pytest.mark.parametrize(("left", "told"), [(0.03, "3 %"), (1.0, "100 %")])
def test_a_load_of_a_file_that_stayed_in_memory_is_not_called_cold(
    file: Path, monkeypatch: pytest.MonkeyPatch, seconds: list[float], left: float, told: str
) -> None:
    monkeypatch.setattr(loads, "drop_from_memory", lambda _: left)
    done: list[str] = []
    load = time_load("cold", file, lambda: done.append("loaded"))
    # It is loaded all the same: what follows needs it.
    assert done == ["loaded"]
    assert load.seconds is None
    assert load.reason == f"{told} of the file stayed in the page cache, so that the load was not cold"
    assert seconds


def test_a_warm_load_leaves_the_file_in_memory(
    file: Path, monkeypatch: pytest.MonkeyPatch, seconds: list[float]
) -> None:
    def drop(_: Path) -> float:
        raise AssertionError("a warm load must not drop the file")

    monkeypatch.setattr(loads, "drop_from_memory", drop)
    load = time_load("warm", file, lambda: None)
    assert (load.kind, load.seconds, load.reason) == ("warm", seconds[1] - seconds[0], None)


def test_a_load_that_fails_raises(file: Path) -> None:
    def fail() -> None:
        raise RuntimeError("no such architecture")

    with pytest.raises(RuntimeError, match="no such architecture"):
        time_load("warm", file, fail)
