"""The hub code for data, run for real against a local stand-in of the hub."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.catalog.tasks import load_tasks
from tests.helpers import evalsuite

REVISION = load_tasks()["sib200_eu"].data.revision
REPO = "Davlan/sib200"
README = "---\nconfigs:\n- config_name: eus_Latn\n  data_files:\n  - split: test\n    path: data/eus_Latn/test.parquet\n---\n"


class Hub(ThreadingHTTPServer):
    """Serves one data set repository at one revision, the way the hub's API does."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        path = urlsplit(unquote(self.path)).path
        self.server.asked.append(path)
        if path == f"/api/datasets/{REPO}/paths-info/{REVISION}":
            wanted = json.loads(asked)["paths"] if asked.startswith("{") else []
            self.reply(json.dumps([self.entry(p) for p in wanted if p in self.server.files]).encode())
        else:
            self.reply(b"{}", 404)

    def do_GET(self) -> None:
        path = urlsplit(unquote(self.path)).path
        self.server.asked.append(path)
        api, resolve = f"/api/datasets/{REPO}", f"/datasets/{REPO}/resolve/{REVISION}/"
        if path in (api, f"{api}/revision/{REVISION}"):
            siblings = [{"rfilename": name} for name in self.server.files]
            self.reply(json.dumps({"id": REPO, "sha": REVISION, "siblings": siblings, "tags": []}).encode())
        elif path.startswith(f"{api}/tree/{REVISION}"):
            under = path.removeprefix(f"{api}/tree/{REVISION}").strip("/")
            found = [self.entry(name) for name in self.server.files if name.startswith(under)]
            self.reply(json.dumps(found).encode())
        elif path.startswith(resolve) and path.removeprefix(resolve) in self.server.files:
            data = self.server.files[path.removeprefix(resolve)]
            self.reply(data, headers={"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": str(REVISION)})
        else:
            self.reply(b"{}", 404, {"X-Error-Code": "EntryNotFound"})

    def entry(self, name: str) -> dict[str, object]:
        data = self.server.files[name]
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


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    rows = [{"index_id": 7, "category": "sports", "text": "Partida galdu dute."}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "test.parquet")
    files = {"README.md": README.encode(), "data/eus_Latn/test.parquet": (tmp_path / "test.parquet").read_bytes()}
    server = Hub(files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def environment(tmp_path: Path, endpoint: str) -> dict[str, Any]:
    return {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hf"), "EVALSUITE_DATA": "", "HF_HUB_DISABLE_XET": "1"}


def test_items_come_from_the_hub_at_the_pinned_revision(tmp_path, hub):
    endpoint = f"http://127.0.0.1:{hub.server_address[1]}"
    done = evalsuite("tasks", "show", "sib200_eu", "--json", **environment(tmp_path, endpoint))
    assert done.returncode == 0, (done.stderr[-2000:], hub.asked)
    told = json.loads(done.stdout)
    assert told["data"]["found"] == "hub"
    assert [prompt["id"] for prompt in told["prompts"]] == ["7"]
    assert told["prompts"][0]["target"] == "kirola"
    assert any(f"/resolve/{REVISION}/data/eus_Latn/test.parquet" in path for path in hub.asked)


def test_a_hub_that_does_not_answer_is_told(tmp_path):
    done = evalsuite("tasks", "show", "sib200_eu", **environment(tmp_path, "http://127.0.0.1:9"))
    assert done.returncode == 2
    assert "could not be had from the hub" in done.stderr
    assert "--data" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plan_downloads_nothing(tmp_path, hub):
    endpoint = f"http://127.0.0.1:{hub.server_address[1]}"
    ask = ["plan", "--model", "gemma3-270m", "--tasks", "sib200", "--langs", "eu", "--json"]
    done = evalsuite(*ask, EVALSUITE_CACHE=str(tmp_path / "cache"), **environment(tmp_path, endpoint))
    assert done.returncode == 0, done.stderr
    (cell,) = json.loads(done.stdout)["cells"]
    assert (cell["data"], cell["items"]) == ("hub", 204)
    assert hub.asked == []
