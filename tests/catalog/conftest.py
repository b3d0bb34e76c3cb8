"""A real local server that stands in for a package index and for the hub, with the faults that they can have."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
COMMIT = "c" * 40


@dataclass
class Site:
    """What the server serves, how it misbehaves, and what it was asked."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    pages: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    cuts: int = 0
    """Answers with a body that break off after `cut_at` bytes."""
    cut_at: int = 300_000
    broken: bool = False
    """Every file answers 503 (after the cuts are used up)."""
    ranges: bool = True
    log: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)
    """Method, path, Range and Authorization of every request."""

    def asked(self, method: str, part: str) -> list[tuple[str, str, str | None, str | None]]:
        return [entry for entry in self.log if entry[0] == method and part in entry[1]]

    def publish(self, package: str, members: dict[str, bytes], *, kind: str = "json", listed: str | None = None) -> str:
        """Put a wheel of version 1.0 on the index; return its path on the server."""
        filename = f"{package.replace('-', '_')}-1.0-py3-none-any.whl"
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        path, wheel = f"/files/{filename}", out.getvalue()
        self.files[path] = wheel
        digest = listed or hashlib.sha256(wheel).hexdigest()
        others = [f"{package}-1.0.tar.gz", f"{package.replace('-', '_')}-0.9-py3-none-any.whl"]
        if kind == "json":
            entries: list[dict[str, object]] = [
                {"filename": name, "url": f"../../files/{name}", "hashes": {}} for name in others
            ]
            known = {"hashes": {"sha256": digest}, "size": len(wheel)}
            entries.append({"filename": filename, "url": f"../..{path}", **known})
            page, mime = json.dumps({"meta": {"api-version": "1.1"}, "name": package, "files": entries}), JSON_TYPE
        else:
            links = [f'<a href="../../files/{name}">{name}</a>' for name in others]
            links.append(f'<a href="../..{path}#sha256={digest}" data-requires-python="&gt;=3.9">{filename}</a>')
            page, mime = f"<!DOCTYPE html><html><body>{'<br/>'.join(links)}</body></html>", "text/html"
            if kind == "html called json":
                mime = JSON_TYPE
        self.pages[f"/simple/{package}/"] = (200, {"Content-Type": mime}, page.encode())
        return path

    def hub_file(self, data: bytes, *, promise: bytes | None = None, revision: str | None = None) -> None:
        """Put me/repo/sub/model.gguf on the hub: in its large-file storage, on another host name than the hub."""
        promised = hashlib.sha256(data if promise is None else promise).hexdigest()
        cdn = f"/cdn/{promised}"
        self.files[cdn] = data
        headers = {
            "Location": self.url.replace("127.0.0.1", "localhost") + cdn,
            "X-Linked-Etag": f'"{promised}"',
            "X-Linked-Size": str(len(data)),
            "X-Repo-Commit": COMMIT,
            "ETag": '"' + "e" * 40 + '"',
        }
        for name in ("main", COMMIT, revision or "main"):
            self.pages[f"/me/repo/resolve/{name}/sub/model.gguf"] = (302, headers, b"")


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_HEAD(self) -> None:
        self.reply(body=False)

    def do_GET(self) -> None:
        self.reply(body=True)

    def reply(self, *, body: bool) -> None:
        site = self.site
        site.log.append((self.command, self.path, self.headers["Range"], self.headers["Authorization"]))
        if self.path in site.pages:
            status, headers, content = site.pages[self.path]
            self.send(status, headers, content if body else b"", len(content))
        elif self.path not in site.files:
            self.send(404, {}, b"", 0)
        elif body and site.broken and not site.cuts:
            self.send(503, {}, b"", 0)
        else:
            self.send_file(site, site.files[self.path], body)

    def send_file(self, site: Site, data: bytes, body: bool) -> None:
        status, headers, start = 200, {}, 0
        match = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if match and site.ranges:
            start = int(match[1])
            if start >= len(data):
                self.send(416, {"Content-Range": f"bytes */{len(data)}"}, b"", 0)
                return
            status, headers = 206, {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        rest = data[start:]
        cut = site.cut_at if body and site.cuts else len(rest)
        site.cuts -= 1 if body and site.cuts else 0
        self.send(status, headers, rest[:cut] if body else b"", len(rest))

    def send(self, status: int, headers: dict[str, str], content: bytes, length: int) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), "Connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


class Meter:
    """A progress display that keeps the numbers."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.total: int | None = -1
        self.done = 0
        self.stopped = 0

    def start(self, total_bytes: int | None, title: str) -> None:
        self.total = total_bytes

    def advance(self, n: int) -> None:
        self.done += n

    def stop(self) -> None:
        self.stopped += 1


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    constants = pytest.importorskip("huggingface_hub.constants")
    transfer = pytest.importorskip("evalsuite.catalog.sources.transfer")
    site = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("SiteHandler", (Handler,), {"site": site}))
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_CERT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{site.url}/simple/")
    monkeypatch.setenv("HF_ENDPOINT", site.url)
    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(transfer, "_BACKOFF_S", 0.0)
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def meter() -> Meter:
    return Meter()
