"""Brings the files of a pack into their places, and proves that they arrived."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from evalsuite.bundle.parts import Item, Parts
from evalsuite.catalog.fetch import Progress, cache_dir
from evalsuite.catalog.sources.file import file_sha256
from evalsuite.catalog.sources.transfer import sha256_of
from evalsuite.errors import InputError
from evalsuite.pack import FOLDERS, LockedFile

__all__ = ["prune", "require_space", "write_all", "write_file"]

_MIB = 1 << 20
_BLOCK_BYTES = 4 << 20


def require_space(folder: Path, parts: Parts) -> None:
    """Refuse to begin what the disk cannot hold. What a pack has already in its place counts as needed no more."""
    near = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    device = near.stat().st_dev
    needed = 0
    for item in parts.items.values():
        there = folder / item.name
        kept = there.is_file() and there.stat().st_size == item.bytes
        linked = item.shared and item.source is not None and item.source.stat().st_dev == device
        needed += 0 if kept or linked else item.bytes
    free = shutil.disk_usage(near).free
    if needed > free:
        raise InputError(
            f"the pack needs {needed / _MIB:.0f} MiB, and {free / _MIB:.0f} MiB are free at {near}",
            fix="free some space, give another folder with --out, or take fewer models",
        )


def write_all(folder: Path, parts: Parts, progress: Progress) -> dict[str, LockedFile]:
    """Bring every file into its place, and return what then lies there.

    Raises:
        InputError: A copy is not what it was copied from.
        OSError: The disk refuses.
    """
    files: dict[str, LockedFile] = {}
    _remove_links(folder)
    progress.start(sum(item.bytes for item in parts.items.values()), f"{len(parts.items)} files into {folder}")
    try:
        for name in sorted(parts.items):
            item, path = parts.items[name], folder / name
            found = _kept(item, path)
            if found is None:
                _bring(item, path, progress)
                # What lies there is hashed, not what was read: that proves the copy.
                found = file_sha256(path, cache_dir(), verify=True) if item.sha256 else sha256_of(path)
            else:
                progress.advance(item.bytes)
            if item.sha256 is not None and found != item.sha256:
                raise InputError(
                    f"{path} is not what {item.source} was: sha256 {found}, expected {item.sha256}",
                    fix="check the disk, then give the same command again",
                )
            files[name] = LockedFile(sha256=found, bytes=path.stat().st_size)
    finally:
        progress.stop()
    (folder / "run.sh").chmod(0o755)
    return files


def _remove_links(folder: Path) -> None:
    """Remove links that someone put into the folders of a pack; what they lead to is not the pack's to write or prune."""
    for top in FOLDERS:
        for path in (folder / top, *(folder / top).rglob("*")):
            if path.is_symlink():
                path.unlink()


def _kept(item: Item, path: Path) -> str | None:
    """Return the hash of what an earlier pack has in its place, if it is the same: weights are not copied for nothing."""
    if item.sha256 is None or not path.is_file() or path.stat().st_size != item.bytes:
        return None
    return item.sha256 if file_sha256(path, cache_dir(), verify=True) == item.sha256 else None


def _bring(item: Item, path: Path, progress: Progress) -> None:
    # An older pack may have a file where a folder is to be, or the other way round.
    for above in path.parents:
        if above.is_file():
            above.unlink()
    if path.is_dir():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if item.source is None:
        write_file(path, item.data)
        progress.advance(item.bytes)
        return
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    if item.shared and _link(item.source, part):
        progress.advance(item.bytes)
    else:
        with item.source.open("rb") as source, part.open("wb") as out:
            while block := source.read(_BLOCK_BYTES):
                out.write(block)
                progress.advance(len(block))
            out.flush()
            os.fsync(out.fileno())
    # A new file in place of the old one: what the old one was linked with is not written into.
    part.replace(path)


def _link(source: Path, path: Path) -> bool:
    """Make both one file on the disk, where the disk can do that."""
    try:
        path.hardlink_to(source)
    except OSError:
        return False
    return True


def write_file(path: Path, data: bytes) -> None:
    """Write a small file whole: beside its place, and moved there."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)


def prune(folder: Path, listed: Mapping[str, LockedFile]) -> None:
    """Remove what an earlier pack left in the folders of the pack."""
    for top in FOLDERS:
        # Deepest first, so that a folder is looked at when all in it is gone.
        for path in sorted((folder / top).rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.relative_to(folder).as_posix() not in listed:
                path.unlink()
