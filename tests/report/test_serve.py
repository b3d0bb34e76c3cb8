"""The page of `evalsuite view`: made anew when the run changes, served to this machine alone."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalsuite.errors import InputError, StoreError
from evalsuite.report.build import live_page
from evalsuite.report.options import ReportOptions
from evalsuite.report.serve import Page, ReportServer, changed_at
from tests.synthetic import Plan, build_run


class Source:
    """A run that a test changes."""

    def __init__(self) -> None:
        self.text, self.stamp, self.finished = "<p>one</p>", 1.0, False
        self.problem: StoreError | None = None

    def make(self) -> tuple[str, bool]:
        if self.problem:
            raise self.problem
        return self.text, self.finished

    def changed(self) -> float:
        return self.stamp


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def page(source: Source) -> Page:
    made = Page(source.make, source.changed, 0.01)
    assert made.refresh()
    return made


@pytest.fixture
def server(page: Page) -> Iterator[ReportServer]:
    made = ReportServer(page, 0)
    thread = threading.Thread(target=made.run)
    thread.start()
    yield made
    made.close()
    thread.join(10)


def get(server: ReportServer, path: str, host: str | None = None) -> tuple[int, str, dict[str, str]]:
    port = int(server.url.rsplit(":", 1)[1].rstrip("/"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body, dict(answer.getheaders())


def test_the_page_is_made_anew_only_when_the_run_changes(page: Page, source: Source) -> None:
    assert (page.html, page.version, page.finished) == (b"<p>one</p>", 1, False)
    assert not page.refresh()
    source.text, source.stamp, source.finished = "<p>two</p>", 2.0, True
    assert page.refresh()
    assert (page.html, page.version, page.finished) == (b"<p>two</p>", 2, True)


def test_a_run_that_is_being_written_leaves_the_page_as_it_is(page: Page, source: Source) -> None:
    source.stamp, source.problem = 2.0, StoreError("half of it is there")
    assert not page.refresh()
    assert page.html == b"<p>one</p>"
    assert page.problem == "half of it is there"
    source.problem = None
    assert page.refresh()
    assert page.problem is None


def test_the_first_page_must_be_made(source: Source) -> None:
    source.problem = StoreError("no such run")
    with pytest.raises(StoreError, match="no such run"):
        Page(source.make, source.changed, 1.0).refresh()


def test_following_stops_when_it_is_told_to(page: Page, source: Source) -> None:
    told: list[str] = []
    stop, seen = threading.Event(), threading.Event()

    def tell(line: str) -> None:
        told.append(line)
        seen.set()

    thread = threading.Thread(target=page.follow, args=(stop, tell))
    thread.start()
    source.stamp, source.finished = 2.0, True
    assert seen.wait(10)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert told == ["report made anew: the run is over"]


def test_one_page_is_served_and_nothing_else(server: ReportServer) -> None:
    status, body, headers = get(server, "/")
    assert (status, body) == (200, "<p>one</p>")
    assert headers["Cache-Control"] == "no-store"
    assert json.loads(get(server, "/state")[1]) == {"version": 1, "finished": False}
    for path in ("/etc/passwd", "/../../etc/passwd", "/index.html"):
        assert get(server, path)[0] == 404


def test_another_name_for_this_machine_is_refused(server: ReportServer) -> None:
    assert get(server, "/", host="evil.example:80")[0] == 403
    assert get(server, "/state", host="evil.example")[0] == 403
    assert get(server, "/", host=server.url.removeprefix("http://").rstrip("/"))[0] == 200


def test_a_port_that_is_taken_is_told(page: Page) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match=f"port {taken.getsockname()[1]} cannot be used"):
            ReportServer(page, taken.getsockname()[1])


def test_changes_of_any_file_are_seen(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    before = changed_at(tmp_path)
    file = tmp_path / "a" / "x"
    file.write_text("1")
    import os

    os.utime(file, (before + 10, before + 10))
    assert changed_at(tmp_path) == before + 10
    assert changed_at(tmp_path, tmp_path) == 2 * (before + 10)


def test_a_run_with_open_cells_is_not_over(tmp_path: Path) -> None:
    going = build_run(tmp_path / "going", Plan(codes=("en", "gl")))
    html, finished = live_page([going], ReportOptions(live=True, sections=("method",)))
    assert not finished
    assert "connect-src 'self'" in html
    assert "/state" in html
    over = build_run(tmp_path / "over", Plan(items=4, codes=("en", "eu"), holes=False))
    html, finished = live_page([over], ReportOptions(sections=("method",)))
    assert finished
    assert "connect-src" not in html
    assert "/state" not in html
