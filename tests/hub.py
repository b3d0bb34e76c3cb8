"""A local stand-in of the hub: data set repositories at one revision each, served the way the hub's API does."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["DEFAULT_REVISION", "Hub", "environment", "mirrored", "serving"]

DEFAULT_REVISION = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves the files of data set repositories.

    Args:
        repos: Content by path, by repository.
        revisions: The only commit of a repository; `DEFAULT_REVISION` where none is given.
    """

    def __init__(self, repos: Mapping[str, Mapping[str, bytes]], revisions: Mapping[str, str] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos = repos
        self.revisions = dict.fromkeys(repos, DEFAULT_REVISION) | dict(revisions or {})
        self.asked: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        repo, rest = self.where("/api/datasets/")
        if repo and rest.startswith("paths-info/"):
            wanted = json.loads(asked)["paths"] if asked.startswith("{") else []
            self.reply(json.dumps([self.entry(repo, p) for p in wanted if p in self.server.repos[repo]]).encode())
        else:
            self.reply(b"{}", 404)

    def do_GET(self) -> None:
        repo, rest = self.where("/api/datasets/")
        if repo:
            self.tell(repo, rest)
            return
        repo, rest = self.where("/datasets/")
        revision = self.server.revisions.get(repo, "")
        name = rest.removeprefix(f"resolve/{revision}/").removeprefix("resolve/main/")
        if repo and name in self.server.repos[repo]:
            data = self.server.repos[repo][name]
            self.reply(data, headers={"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": revision})
        else:
            self.reply(b"{}", 404, {"X-Error-Code": "EntryNotFound"})

    def where(self, prefix: str) -> tuple[str, str]:
        """Return the repository that is asked about, and the rest of the path; two empty texts where there is none."""
        path = urlsplit(unquote(self.path)).path
        self.server.asked.append(path)
        if path.startswith(prefix):
            owner, name, *rest = [*path.removeprefix(prefix).split("/", 2), "", ""]
            if f"{owner}/{name}" in self.server.repos:
                return f"{owner}/{name}", rest[0]
        return "", ""

    def tell(self, repo: str, rest: str) -> None:
        revision, files = self.server.revisions[repo], self.server.repos[repo]
        if rest in ("", f"revision/{revision}", "revision/main"):
            siblings = [{"rfilename": name} for name in files]
            self.reply(json.dumps({"id": repo, "sha": revision, "siblings": siblings, "tags": []}).encode())
        elif rest.startswith("tree/"):
            under = rest.removeprefix("tree/").removeprefix(revision).removeprefix("main").strip("/")
            self.reply(json.dumps([self.entry(repo, name) for name in files if name.startswith(under)]).encode())
        else:
            self.reply(b"{}", 404, {"X-Error-Code": "EntryNotFound"})

    def entry(self, repo: str, name: str) -> dict[str, object]:
        data = self.server.repos[repo][name]
        return {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}

    def reply(self, data: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve until the block is left."""
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()


def mirrored(folder: Path, split: str | None = None) -> dict[str, bytes]:
    """Return one data set of a mirror as the files of a hub repository, with the card that names its configurations.

    Args:
        folder: The data set's folder.
        split: The only split to serve: on the hub, splits of one configuration have the same columns.
    """
    paths = sorted(folder.rglob(f"{split or '*'}.parquet"))
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    card = ["---", "configs:"]
    for config in sorted({name.rpartition("/")[0] for name in files}):
        card += [f"- config_name: {config or 'default'}", "  data_files:"]
        for name in (n for n in files if n.rpartition("/")[0] == config):
            card += [f"  - split: {Path(name).stem}", f"    path: {name}"]
    return {"README.md": "\n".join([*card, "---", ""]).encode(), **files}


def environment(tmp_path: Path, endpoint: str) -> dict[str, Any]:
    """Return what makes a process ask this hub, with caches of its own and no mirror."""
    return {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hf"), "EVALSUITE_DATA": "", "HF_HUB_DISABLE_XET": "1"}
