"""Fetching models from the hub, with a local server in its place and the real huggingface_hub in between."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
from collections import namedtuple
from typing import TYPE_CHECKING

import pytest

from evalsuite.catalog.fetch import cache_dir, fetch_model, is_cached
from evalsuite.errors import FetchError
from evalsuite.records import Model, Source

if TYPE_CHECKING:
    from tests.catalog.conftest import Meter, Site

BLOB = random.Random(7).randbytes(700_000)
COMMIT = "c" * 40


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def hub_model(
    site: Site,
    *,
    promise: bytes | None = None,
    revision: str | None = None,
    sha256: str | None = None,
) -> Model:
    """Put a file on the hub, and return the catalog's entry for it."""
    site.hub_file(BLOB, promise=promise, revision=revision)
    source = Source(kind="hf", repo="me/repo", filename="sub/model.gguf", revision=revision)
    return Model(name="hubby", backend="llamacpp", title="Hubby", licence="MIT", source=source, sha256=sha256)


def test_hub_file_at_its_commit_checked_by_the_hubs_own_hash(site: Site, meter: Meter) -> None:
    model = hub_model(site)
    got = fetch_model(model, progress=meter)
    assert got.path.read_bytes() == BLOB and got.path.name == "model.gguf"
    assert (got.sha256, got.revision) == (sha(BLOB), COMMIT)
    assert site.asked("HEAD", "/resolve/main/") and site.asked("GET", f"/resolve/{COMMIT}/")
    assert site.asked("GET", "/resolve/main/") == []
    assert meter.done == meter.total == len(BLOB)
    site.log.clear()
    assert fetch_model(model, offline=True) == got and site.log == []


def test_hub_revision_of_the_catalog_is_asked_for(site: Site) -> None:
    other = "d" * 40
    fetch_model(hub_model(site, revision=other, sha256=sha(BLOB)))
    assert site.asked("HEAD", f"/resolve/{other}/") and site.asked("HEAD", "/resolve/main/") == []


def test_hub_download_goes_on_from_where_it_stopped(site: Site) -> None:
    model = hub_model(site)
    site.cuts, site.broken = 1, True
    with pytest.raises(FetchError, match="broke off"):
        fetch_model(model)
    have = next(cache_dir().rglob("*.part")).stat().st_size
    assert have > 0
    site.broken = False
    site.log.clear()
    assert fetch_model(model).path.read_bytes() == BLOB
    assert [entry[2] for entry in site.asked("GET", "/cdn/")] == [f"bytes={have}-"]


def test_hub_file_that_differs_from_the_catalog_is_not_downloaded(site: Site) -> None:
    with pytest.raises(FetchError, match="not the file of the catalog") as caught:
        fetch_model(hub_model(site, sha256="1" * 64))
    assert "1" * 64 in caught.value.problem and sha(BLOB) in caught.value.problem
    assert site.asked("GET", "/") == []


def test_hub_content_that_breaks_its_promise_is_removed(site: Site) -> None:
    model = hub_model(site, promise=b"\1" + BLOB[1:])
    with pytest.raises(FetchError, match="is a wrong file"):
        fetch_model(model)
    assert not list(cache_dir().rglob("*.part")) and not is_cached(model)


def test_hub_token_goes_to_the_hub_and_nowhere_else(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetch_model(hub_model(site))
    assert {entry[3] for entry in site.log if "/resolve/" in entry[1]} == {"Bearer hf_secret"}
    assert [entry[3] for entry in site.asked("GET", "/cdn/")] == [None]


@pytest.mark.parametrize(
    ("status", "code", "told", "fix"),
    [
        (403, "GatedRepo", "me/repo is gated", "accept it at .*/me/repo, and set HF_TOKEN"),
        (401, "RepoNotFound", "the hub has no model 'me/repo'", "accept its licence there and set HF_TOKEN"),
        (404, "EntryNotFound", "has no file 'sub/model.gguf'", "/tree/main"),
        (404, "RevisionNotFound", "has no revision", "/commits/main"),
        (403, "", "the hub refuses .* .403.: the token", "set HF_TOKEN"),
        (500, "", "the hub refuses hf:me/repo/sub/model.gguf: ", "try again later"),
    ],
)
def test_hub_refusals_say_what_to_do(site: Site, status: int, code: str, told: str, fix: str) -> None:
    model = hub_model(site)
    headers = {"X-Error-Code": code, "X-Error-Message": "refused"} if code else {}
    site.pages["/me/repo/resolve/main/sub/model.gguf"] = (status, headers, b"")
    with pytest.raises(FetchError, match=told) as caught:
        fetch_model(model)
    assert re.search(fix, str(caught.value.fix))


def test_hub_that_is_down_or_is_none(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    model = hub_model(site)
    site.pages["/me/repo/resolve/main/sub/model.gguf"] = (200, {"ETag": '"x"'}, b"hello")
    with pytest.raises(FetchError, match="does not answer like a Hugging Face hub"):
        fetch_model(model)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(FetchError, match=r"http://127.0.0.1:9 cannot be reached for hf:me/repo/sub/model.gguf"):
        fetch_model(model)


def test_hub_offline_and_without_disk_space(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    model = hub_model(site)
    with pytest.raises(FetchError, match="hubby is not in the cache"):
        fetch_model(model, offline=True)
    assert site.log == []
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 0, len(BLOB) - 1))
    with pytest.raises(FetchError, match=r"no disk space: needs 1 MiB, 1 MiB free at "):
        fetch_model(model)
    assert site.asked("GET", "/") == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 0, len(BLOB)))
    assert fetch_model(model).path.read_bytes() == BLOB
