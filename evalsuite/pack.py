"""A pack: a folder with all that a sweep needs on a device without a hub, and a lock that names every file and its hash."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationError

from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.fetch import Progress, cache_dir
from evalsuite.catalog.sources.file import file_sha256
from evalsuite.catalog.sources.transfer import sha256_of
from evalsuite.errors import DataMissingError, InputError
from evalsuite.records import DataRef, Frozen, Sha256, Task

if TYPE_CHECKING:
    from datasets import DatasetDict

__all__ = [
    "DATA",
    "FOLDERS",
    "LOCK",
    "LOCK_VERSION",
    "SWEEP",
    "UNFINISHED",
    "WEIGHTS",
    "LeftOut",
    "LockedFile",
    "Pack",
    "PackLock",
    "PackedData",
    "PackedModel",
    "mirror_name",
    "open_pack",
    "unlisted_files",
]

LOCK = "pack.lock.json"
LOCK_VERSION = 1
UNFINISHED = "pack.unfinished"
"""Stands in the folder while a pack is made, so that one that was interrupted is known as such."""
SWEEP = "sweep.yaml"
WEIGHTS = "weights"
DATA = "data"
FOLDERS = ("models", WEIGHTS, DATA, "include")
"""Folders that hold nothing but what the lock names."""
_SHOWN = 10
_CATALOG_SUFFIXES = (".yaml", ".yml")
_COMPARED = ("evalsuite", "lm-eval", "llama-cpp-python", "transformers", "torch")
"""Packages whose version may change what is measured."""


class LockedFile(Frozen):
    """One file of a pack."""

    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


class PackedModel(Frozen):
    """One model of a pack, and the terms that it is passed on under."""

    name: str
    file: str
    """File or folder in the pack."""
    sha256: Sha256
    licence: str
    licence_url: str | None = None
    origin: str
    """Where it came from before it was packed."""


class PackedData(Frozen):
    """The data of one split."""

    file: str
    path: str
    """Hub id."""
    config: str | None = None
    split: str
    origin: Literal["hub", "mirror"]
    """A copy of a mirror's file is told by its hash, what came from the hub by its revision: so are their results."""
    revision: str | None = None


class LeftOut(Frozen):
    """Something that the sweep asks for and the pack has not."""

    what: str
    reason: str
    fix: str | None = None


class PackLock(Frozen):
    """`pack.lock.json`."""

    schema_version: int = LOCK_VERSION
    name: str
    created: str
    """ISO 8601, UTC."""
    evalsuite: str
    versions: dict[str, str]
    """Of Python, lm-eval and the engines, where the pack was made."""
    models: tuple[PackedModel, ...]
    data: tuple[PackedData, ...] = ()
    tasks: dict[str, Sha256] = Field(default_factory=dict)
    """Tasks of the sweep, with the hash of each where the pack was made."""
    left_out: tuple[LeftOut, ...] = ()
    files: dict[str, LockedFile]
    """By their path in the pack; all but the lock itself."""


@dataclass(frozen=True)
class Pack:
    """A pack on this machine. Made by `open_pack`."""

    folder: Path
    lock: PackLock

    @property
    def sweep_path(self) -> Path:
        return self.folder / SWEEP

    @property
    def mirror(self) -> Path:
        """Folder of the data. Without any, a folder that has no data set in it: no other mirror may be looked into."""
        data = self.folder / DATA
        return data if data.is_dir() else self.folder

    def finder(self) -> DataFinder:
        """Return a finder that reads the data of the pack only."""
        return _PackFinder(self)

    def differences(self, tasks: Mapping[str, Task], versions: Mapping[str, str]) -> list[str]:
        """Return what makes results from here other results than those from where the pack was made.

        Args:
            tasks: Tasks of the plan, as they are here.
            versions: Of the packages that are installed here.
        """
        told = [
            f"{package} {versions[package]} here, {self.lock.versions[package]} where the pack was made"
            for package in _COMPARED
            if package in versions and self.lock.versions.get(package, versions[package]) != versions[package]
        ]
        changed = sorted(name for name, task in tasks.items() if self.lock.tasks.get(name, task.sha256) != task.sha256)
        if changed:
            told.append(f"other versions of the tasks {', '.join(changed)} than where the pack was made")
        return told


class _PackFinder(DataFinder):
    """Finds data in a pack, and says of each what was said of it where the pack was made."""

    def __init__(self, pack: Pack) -> None:
        super().__init__(pack.mirror, offline=True)
        self._files = DataFinder(pack.mirror, offline=True)
        self._from_hub = {entry.file: entry for entry in pack.lock.data if entry.origin == "hub"}

    def locate(self, task: Task) -> Task:
        located = self._files.locate(task)
        entry = self._from_hub.get(f"{DATA}/{mirror_name(task.data)}") if task.data.kind == "hub" else None
        if entry is None:
            return located
        if entry.revision != task.data.revision:
            raise DataMissingError(
                f"the pack holds {task.data.path} at revision {entry.revision}, and {task.name} asks for "
                f"{task.data.revision}",
                fix="make the pack with the version of evalsuite that runs it",
            )
        found = {"found": "hub", "sha256": None}
        return located.model_copy(update={"data": located.data.model_copy(update=found)})

    def load(self, task: Task, count_tokens: Callable[[str], int] | None = None) -> DatasetDict:
        return self._files.load(task, count_tokens)


def mirror_name(data: DataRef) -> str:
    """Return where a split lies in a mirror: `<hub id>/<config>/<split>.parquet`."""
    return PurePosixPath(str(data.path), data.config or "", f"{data.split}.parquet").as_posix()


def open_pack(folder: Path, progress: Progress | None = None) -> Pack:
    """Return a pack of which every file is as it was when the pack was made.

    Weights are hashed when they are first seen on this machine, and again when their size or time has changed.

    Raises:
        InputError: The folder is no pack, or a file is missing, changed or not of the pack; the message names it.
    """
    lock = _read_lock(folder)
    missing = [f"{folder / name} is missing" for name in lock.files if not (folder / name).is_file()]
    _refuse(folder, missing)
    extra = [f"{folder / name} is not of the pack" for name in unlisted_files(folder, lock.files)]
    _refuse(folder, extra)
    sizes = {name: (folder / name).stat().st_size for name in lock.files}
    _refuse(
        folder,
        [
            f"{folder / name} has changed: {sizes[name]} bytes, {entry.bytes} in the lock"
            for name, entry in lock.files.items()
            if sizes[name] != entry.bytes
        ],
    )
    _refuse(folder, list(_changed(folder, lock, progress)))
    return Pack(folder, lock)


def unlisted_files(folder: Path, listed: Mapping[str, object]) -> list[str]:
    """Return files in the folders of a pack that a catalog or a task could read though no lock names them."""
    found = []
    for top in FOLDERS:
        for path in sorted((folder / top).rglob("*")):
            name = path.relative_to(folder)
            # Python writes __pycache__ beside a task's helpers; file managers leave hidden files, which nothing reads.
            unread = "__pycache__" in name.parts or (name.name.startswith(".") and path.suffix not in _CATALOG_SUFFIXES)
            if name.as_posix() not in listed and not unread and path.is_file():
                found.append(name.as_posix())
    return found


def _read_lock(folder: Path) -> PackLock:
    path = folder / LOCK
    if not path.is_file():
        if (folder / UNFINISHED).is_file():
            raise InputError(f"{folder} is a pack that was not finished", fix="make it again with `evalsuite bundle`")
        raise InputError(
            f"{folder} is a folder, and no pack: it has no {LOCK}",
            fix="give a sweep file, or a folder that `evalsuite bundle` has made",
        )
    again = "copy the pack again from where it was made, or make it again with `evalsuite bundle`"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found = data.get("schema_version")
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path} cannot be read: {error}", fix=again) from error
    if isinstance(found, int) and found > LOCK_VERSION:
        raise InputError(
            f"{path}: version {found} of packs is newer than this evalsuite understands ({LOCK_VERSION})",
            fix=f"it was made by evalsuite {data.get('evalsuite', '(unknown)')}; install that version or a later one",
        )
    try:
        lock = PackLock.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}", fix=again) from error
    for name in lock.files:
        inside = PurePosixPath(name)
        if inside.is_absolute() or ".." in inside.parts:
            raise InputError(f"{path}: {name!r} lies outside the pack", fix=again)
    return lock


def _changed(folder: Path, lock: PackLock, progress: Progress | None) -> Iterator[str]:
    if progress is not None:
        progress.start(sum(entry.bytes for entry in lock.files.values()), f"the files of {folder}")
    try:
        for name, entry in lock.files.items():
            path = folder / name
            weights = PurePosixPath(name).parts[0] == WEIGHTS
            try:
                found = file_sha256(path, cache_dir()) if weights else sha256_of(path)
            except OSError as error:
                yield f"{path} cannot be read: {error.strerror or error}"
                continue
            if found != entry.sha256:
                yield f"{path} has changed: sha256 {found}, {entry.sha256} in the lock"
            if progress is not None:
                progress.advance(entry.bytes)
    finally:
        if progress is not None:
            progress.stop()


def _refuse(folder: Path, problems: list[str]) -> None:
    if not problems:
        return
    more = f"\n… and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    raise InputError(
        f"the pack {folder} is not as it was made:\n" + "\n".join(problems[:_SHOWN]) + more,
        fix="copy the pack again from where it was made, or make it again with `evalsuite bundle`",
    )
