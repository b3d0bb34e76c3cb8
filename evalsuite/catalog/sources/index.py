"""Finds a wheel on the package index that pip is set up for, by the simple repository API (PEP 503 and PEP 691)."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urljoin, urlsplit, urlunsplit

from evalsuite.catalog.sources.transfer import public_url, reason
from evalsuite.errors import FetchError

if TYPE_CHECKING:
    import requests

__all__ = ["IndexSettings", "Wheel", "find_wheel", "pip_settings"]

_DEFAULT_INDEX = "https://pypi.org/simple"
_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_TIMEOUT_S = (15.0, 30.0)
_PIP_TIMEOUT_S = 20
_SETTING = re.compile(r"^(?P<section>global|install|download)\.(?P<key>[a-z-]+)=(?P<value>['\"].*)$")
# pip gives its commands' sections precedence over the global one.
_SECTIONS = ("global", "install", "download")


@dataclass(frozen=True)
class IndexSettings:
    """What pip is set up with."""

    urls: tuple[str, ...]
    cert: str | None = None


@dataclass(frozen=True)
class Wheel:
    """One wheel as the index lists it."""

    filename: str
    url: str
    sha256: str | None
    size: int | None


def pip_settings(environ: Mapping[str, str] = os.environ) -> IndexSettings:
    """Return the indexes that pip would ask, in its order, from its variables and its configuration files."""
    # Only pip knows where all of its configuration files lie; this value of the variable makes it read none.
    stored = {} if environ.get("PIP_CONFIG_FILE") == os.devnull else _pip_config()
    index, extra, cert = (
        environ.get(f"PIP_{key.upper().replace('-', '_')}", stored.get(key))
        for key in ("index-url", "extra-index-url", "cert")
    )
    urls = [index or _DEFAULT_INDEX, *(extra or "").split()]
    # Folders (file://) are left to pip: no model is worth a mirror of wheels on disk that a path would not do for.
    web = tuple(dict.fromkeys(url.rstrip("/") for url in urls if url.startswith(("http://", "https://"))))
    return IndexSettings(web, cert or None)


def find_wheel(session: requests.Session, settings: IndexSettings, package: str, version: str) -> Wheel:
    """Return the wheel of exactly this version from the first index that lists one."""
    from packaging.utils import canonicalize_name

    troubles = []
    for base in settings.urls:
        page = f"{base}/{canonicalize_name(package)}/"
        try:
            listed = _listing(session, page)
        except _NoListingError as problem:
            troubles.append(f"{public_url(page)}: {problem}")
            continue
        wheels = [wheel for wheel in listed if _is_version(wheel.filename, package, version)]
        if wheels:
            # The members are data: where a release has several wheels, the one for all platforms is enough.
            best = min(wheels, key=lambda wheel: not wheel.filename.endswith("-none-any.whl"))
            return Wheel(best.filename, _with_login(best.url, base), best.sha256, best.size)
        troubles.append(f"{public_url(page)}: lists no wheel of version {version}")
    raise FetchError(
        f"no index has {package}=={version}: " + ("; ".join(troubles) or "pip is set up with no index on the web"),
        fix="check the connection, or set PIP_INDEX_URL to an index that has it",
    )


class _NoListingError(Exception):
    """An index that has no page for a package, or gives none."""


class _Links(HTMLParser):
    """The links of a PEP 503 page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.base: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if href and tag == "a":
            self.found.append(href)
        elif href and tag == "base":
            self.base = href


def _listing(session: requests.Session, page: str) -> list[Wheel]:
    import requests

    try:
        answer = session.get(page, headers={"Accept": _ACCEPT}, timeout=_TIMEOUT_S)
    except requests.RequestException as problem:
        raise _NoListingError(reason(problem)) from problem
    if answer.status_code != 200:
        raise _NoListingError(f"answers {answer.status_code} {answer.reason}".rstrip())
    text = answer.content.decode("utf-8", errors="replace")
    # By the content, not by the Content-Type: mirrors exist that call their HTML JSON.
    if text.lstrip().startswith("{"):
        return _from_json(text, answer.url)
    links = _Links()
    links.feed(text)
    base = urljoin(answer.url, links.base or "")
    return [_from_link(urljoin(base, href)) for href in links.found]


def _from_json(text: str, page: str) -> list[Wheel]:
    try:
        files: list[dict[str, Any]] = json.loads(text)["files"]
        return [
            Wheel(str(file["filename"]), urljoin(page, file["url"]), _hash(file.get("hashes")), _size(file.get("size")))
            for file in files
        ]
    except (ValueError, KeyError, TypeError) as problem:
        raise _NoListingError(f"gives JSON that is no simple API page ({problem!r})") from problem


def _hash(hashes: Any) -> str | None:
    found = hashes.get("sha256") if isinstance(hashes, dict) else None
    return found.lower() if isinstance(found, str) else None


def _size(size: Any) -> int | None:
    return size if isinstance(size, int) and size > 0 else None


def _from_link(url: str) -> Wheel:
    bare, fragment = urldefrag(url)
    found = re.fullmatch(r"sha256=([0-9a-fA-F]{64})", fragment)
    return Wheel(urlsplit(bare).path.rpartition("/")[2], bare, found.group(1).lower() if found else None, None)


def _is_version(filename: str, package: str, version: str) -> bool:
    from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
    from packaging.version import InvalidVersion, Version

    if not filename.endswith(".whl"):
        return False
    try:
        name, found, _, _ = parse_wheel_filename(filename)
        return name == canonicalize_name(package) and found == Version(version)
    except (InvalidWheelFilename, InvalidVersion):
        return False


def _with_login(url: str, base: str) -> str:
    """A private index wants its user and password for its files as well."""
    login, at, host = urlsplit(base).netloc.rpartition("@")
    parts = urlsplit(url)
    if not at or parts.netloc != host:
        return url
    return urlunsplit(parts._replace(netloc=f"{login}@{host}"))


def _pip_config() -> dict[str, str]:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        # An environment without pip (uv makes such ones) has no pip configuration to honour.
        return {}
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in run.stdout.splitlines():
        match = _SETTING.match(line)
        if match:
            found[match["section"]][match["key"]] = str(ast.literal_eval(match["value"]))
    return {key: value for section in _SECTIONS for key, value in found[section].items()}
