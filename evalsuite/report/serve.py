"""Shows a report in a browser of this machine, and makes it anew while its run goes on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from evalsuite.errors import EvalsuiteError, InputError

__all__ = ["Page", "ReportServer", "changed_at"]

_REST = 4.0
"""A page is made anew at most for a fifth of the time: a large run's report takes seconds, and the run needs the processor."""


@dataclass(slots=True)
class Page:
    """The newest report of a run, made anew when the run's files have changed.

    Args:
        make: Returns the page, and whether the run is over.
        changed: Returns a number that changes with the run's files.
        every_s: Shortest time between two pages, in seconds.
    """

    make: Callable[[], tuple[str, bool]]
    changed: Callable[[], float]
    every_s: float
    html: bytes = b""
    version: int = 0
    finished: bool = False
    problem: str | None = None
    """Why the last try made no page; the one before it stays."""
    _seen: float | None = field(default=None, init=False)

    def refresh(self) -> bool:
        """Make the page anew if the run has changed, and return whether it did.

        Raises:
            EvalsuiteError: The first page cannot be made.
        """
        now = self.changed()
        if now == self._seen:
            return False
        try:
            html, self.finished = self.make()
        except EvalsuiteError as error:
            # A run that is being written may be read between two files of it: the next look will do.
            if not self.version:
                raise
            self.problem = error.problem
            return False
        self._seen, self.problem = now, None
        self.html, self.version = html.encode(), self.version + 1
        return True

    def follow(self, stop: threading.Event, tell: Callable[[str], None]) -> None:
        """Refresh until `stop` is set."""
        rest = self.every_s
        while not stop.wait(rest):
            start, problem = time.monotonic(), self.problem
            if self.refresh():
                tell(f"report made anew{': the run is over' if self.finished else ''}")
            elif self.problem not in (None, problem):
                tell(f"report not made anew: {self.problem}")
            rest = max(self.every_s, _REST * (time.monotonic() - start))


class ReportServer:
    """Serves one page on this machine alone.

    Args:
        page: What to serve.
        port: Port, or 0 for any that is free.

    Raises:
        InputError: The port is taken.
    """

    def __init__(self, page: Page, port: int) -> None:
        class Handler(_Handler):
            served = page

        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except (OSError, OverflowError) as error:
            told = getattr(error, "strerror", None) or error
            raise InputError(
                f"port {port} cannot be used: {told}", fix="give another with --port, or 0 for a free one"
            ) from error

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def run(self) -> None:
        """Serve until `close` is called from another thread."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    served: ClassVar[Page]
    server_version = "evalsuite"
    sys_version = ""

    def do_GET(self) -> None:
        # Another page could send a reader's browser here under a name of its own, and read what it gets.
        if self.headers.get("Host", "").rpartition(":")[0] not in {"127.0.0.1", "localhost"}:
            self._send(HTTPStatus.FORBIDDEN, b"this server answers to 127.0.0.1 only\n", "text/plain")
        elif self.path == "/":
            self._send(HTTPStatus.OK, self.served.html, "text/html; charset=utf-8")
        elif self.path == "/state":
            state = {"version": self.served.version, "finished": self.served.finished}
            self._send(HTTPStatus.OK, json.dumps(state).encode(), "application/json")
        else:
            self._send(HTTPStatus.NOT_FOUND, b"there is only one page here\n", "text/plain")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: requests are not news."""

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)


def changed_at(*folders: Path) -> float:
    """Return when anything in run folders was last written, as a time stamp; their times add up."""
    newest = 0.0
    for folder in folders:
        stamps = [0.0]
        for path in (folder, *folder.rglob("*")):
            try:
                stamps.append(path.stat().st_mtime)
            except OSError:
                continue  # gone between the listing and the look
        newest += max(stamps)
    return newest
