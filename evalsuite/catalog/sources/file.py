"""Models that the user has on disk: hashed once, and again only when the file has changed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from evalsuite.catalog.sources.transfer import sha256_of
from evalsuite.errors import FetchError

__all__ = ["file_sha256", "folder_files", "folder_sha256"]

_REMEMBERED = 500
"""Files whose hash is kept; the oldest go first."""


def file_sha256(path: Path, cache: Path, *, verify: bool = False) -> str:
    """Return the sha256 of a file, from memory where its size and time of change are those of the last look.

    Args:
        path: The file.
        cache: Folder of the cache, where the hashes are remembered.
        verify: Hash it anyway.
    """
    if not path.is_file():
        what = "is a folder, not a model file" if path.is_dir() else "does not exist"
        raise FetchError(f"{path} {what}", fix="check the path")
    store = cache / "file-hashes.json"
    known = _load(store)
    state = path.stat()
    key = str(path.resolve())
    entry = known.get(key)
    if not verify and isinstance(entry, dict) and entry.get("bytes") == state.st_size:
        found = entry.get("sha256")
        if entry.get("mtime_ns") == state.st_mtime_ns and isinstance(found, str):
            return found
    fresh = sha256_of(path)
    known.pop(key, None)
    known[key] = {"bytes": state.st_size, "mtime_ns": state.st_mtime_ns, "sha256": fresh}
    _save(store, dict(list(known.items())[-_REMEMBERED:]))
    return fresh


def folder_files(path: Path) -> list[Path]:
    """Return the files of a model in a folder, in order: all but hidden ones."""
    inside = ((file, file.relative_to(path)) for file in path.rglob("*") if file.is_file())
    return sorted(file for file, name in inside if not any(part.startswith(".") for part in name.parts))


def folder_sha256(path: Path, cache: Path, *, verify: bool = False) -> str:
    """Return a hash over the names and contents of a model's files in a folder.

    Args:
        path: The folder.
        cache: Folder of the cache, where the hashes of the files are remembered.
        verify: Hash every file anyway.
    """
    whole = hashlib.sha256()
    for file in folder_files(path):
        name = file.relative_to(path).as_posix()
        whole.update(f"{file_sha256(file, cache, verify=verify)}  {name}\n".encode())
    return whole.hexdigest()


def _load(store: Path) -> dict[str, object]:
    try:
        known = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _save(store: Path, known: dict[str, object]) -> None:
    # Only a memory: where it cannot be written (or another process wins), the next start hashes again.
    temporary = store.with_name(f"{store.name}.{os.getpid()}.tmp")
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(known, indent=1), encoding="utf-8")
        temporary.replace(store)
    except OSError:
        temporary.unlink(missing_ok=True)
