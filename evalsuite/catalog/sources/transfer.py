"""Downloads that can be interrupted: resumed by range, checked for disk space, reported to a progress display."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit, urlunsplit

from evalsuite.errors import FetchError
from evalsuite.records import Model

if TYPE_CHECKING:
    import requests

__all__ = [
    "Delivery",
    "Job",
    "Progress",
    "download",
    "http_session",
    "public_url",
    "reason",
    "require_space",
    "sha256_of",
    "storage_errors",
]

_CHUNK_BYTES = 1 << 16
"""Also what a broken connection can lose of what it brought."""
_TIMEOUT_S = (15.0, 60.0)
_TRIES = 4
"""Attempts in a row that may bring nothing before a download is given up."""
_BACKOFF_S = 1.0
_RETRY_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_MIB = 1 << 20


class Progress(Protocol):
    """What a display of a download must be able to do."""

    def start(self, total_bytes: int | None, title: str) -> None:
        """Begin; the total is none where the server does not tell it."""

    def advance(self, n: int) -> None:
        """Count `n` more bytes; negative where a server made the download start over."""

    def stop(self) -> None:
        """End, also after a failure and where nothing had begun."""


@dataclass(frozen=True)
class Job:
    """What a source is asked to do."""

    model: Model
    work: Path
    """Folder for what is being downloaded; kept after a failure, so that the next attempt goes on from there."""
    progress: Progress


@dataclass(frozen=True)
class Delivery:
    """What a source brought: a file in the job's folder, not checked yet."""

    path: Path
    sha256: str
    expected_sha256: str | None
    """From the catalog; else what the source itself promises."""
    revision: str | None = None


class _StatusError(Exception):
    """An answer that another attempt will not change."""


def http_session() -> requests.Session:
    """Return a session that trusts what pip trusts and says who it is."""
    import requests

    from evalsuite import __version__

    session = requests.Session()
    session.headers["User-Agent"] = f"evalsuite/{__version__}"
    # A compressed answer has another length than the file, and cannot be resumed.
    session.headers["Accept-Encoding"] = "identity"
    # requests reads its own variables by itself; pip's is the fallback.
    if not os.environ.get("REQUESTS_CA_BUNDLE") and not os.environ.get("CURL_CA_BUNDLE"):
        session.verify = os.environ.get("PIP_CERT") or True
    return session


def download(
    session: requests.Session,
    url: str,
    part: Path,
    *,
    progress: Progress,
    headers: Mapping[str, str] | None = None,
    size: int | None = None,
) -> None:
    """Fetch a URL into `part`, from where an earlier attempt stopped.

    Args:
        session: From `http_session`.
        url: What to fetch.
        part: The file; what it holds already is taken to be the beginning of the same content.
        progress: Is told of the bytes that are there and of those that come.
        headers: Sent with the request; an `Authorization` is not sent on to another host.
        size: Length of the whole content, where it is known.
    """
    import requests

    best = _length(part)
    if size is not None and best > size:
        part.unlink()
        best = 0
    progress.advance(best)
    fruitless = 0
    while size is None or _length(part) != size:
        try:
            _attempt(session, url, part, progress, dict(headers or {}))
            return
        except _StatusError as problem:
            raise FetchError(f"download of {public_url(url)} refused: {problem}") from problem
        except requests.RequestException as problem:
            have = _length(part)
            fruitless = 0 if have > best else fruitless + 1
            best = max(best, have)
            if fruitless == _TRIES:
                raise FetchError(
                    f"download of {public_url(url)} broke off after {have / _MIB:.1f} MiB: {reason(problem)}",
                    fix="check the connection and run the command again; it goes on from there",
                ) from problem
            time.sleep(_BACKOFF_S * fruitless)


def require_space(folder: Path, needed: int) -> None:
    """Refuse to begin what the disk cannot hold."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise _no_space(f"needs {needed / _MIB:.0f} MiB, {free / _MIB:.0f} MiB free at {folder}")


@contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses into a `FetchError`."""
    try:
        yield
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_space(f"{folder} is full") from problem
        if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise FetchError(
                f"the cache cannot be written: {problem}",
                fix="set EVALSUITE_CACHE to a folder that you may write to",
            ) from problem
        raise


def sha256_of(path: Path) -> str:
    """Hash a file in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def public_url(url: str) -> str:
    """Return a URL without the user, password and query that must not be shown."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def reason(problem: Exception) -> str:
    """Return one line on a failed request, without the password that its URL may hold."""
    text = str(problem)
    return type(problem).__name__ if "@" in text or not text else text.splitlines()[0][:300]


def _no_space(told: str) -> FetchError:
    return FetchError(
        f"no disk space: {told}",
        fix="free some space, or set EVALSUITE_CACHE to a folder on another disk",
    )


def _attempt(session: requests.Session, url: str, part: Path, progress: Progress, headers: dict[str, str]) -> None:
    import requests

    have = _length(part)
    if have:
        headers["Range"] = f"bytes={have}-"
    with session.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer:
        if answer.status_code == 416:
            # Asked for bytes beyond the end: either everything is there, or the beginning is of another file.
            if answer.headers.get("Content-Range", "").endswith(f"/{have}"):
                return
            progress.advance(-have)
            part.unlink()
            raise requests.HTTPError("the server holds a shorter file")
        told = f"the server answers {answer.status_code} {answer.reason}".rstrip()
        if answer.status_code in _RETRY_STATUS:
            raise requests.HTTPError(told)
        if answer.status_code not in (200, 206):
            raise _StatusError(told)
        resumed = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if have and not resumed:
            progress.advance(-have)
        length = answer.headers.get("Content-Length", "")
        if length.isdigit():
            require_space(part.parent, int(length))
        with part.open("ab" if resumed else "wb") as file:
            for block in answer.iter_content(_CHUNK_BYTES):
                file.write(block)
                progress.advance(len(block))


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
