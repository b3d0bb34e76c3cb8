"""One of the runs that are merged, as it is when the merge begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evalsuite.continuation import begun_backends
from evalsuite.errors import StoreError
from evalsuite.profile_store import ProfileFolder
from evalsuite.records import CellResult, Manifest, ProfileCell
from evalsuite.store import RunFolder

__all__ = ["Part", "read_part"]


@dataclass(frozen=True, eq=False)
class Part:
    """A run folder and what it says about itself."""

    path: Path
    """As it was given."""
    folder: RunFolder
    manifest: Manifest
    results: Mapping[str, CellResult]
    """By cell id."""
    backends: frozenset[str]
    """Those that it holds items of."""

    def profile(self, cell: ProfileCell) -> ProfileFolder:
        """Return a profile of this run, for reading."""
        return ProfileFolder(self.folder, cell)


def read_part(path: Path) -> Part:
    """Read what a run says about itself, and what became of its cells.

    Raises:
        StoreError: It is no run folder, it is damaged, or it was written by a newer version.
    """
    folder = RunFolder(path)
    manifest = folder.manifest
    for name in (*(cell.id for cell in manifest.cells), *(profile.id for profile in manifest.profiles)):
        # Ids become names of folders, and a run may come from anyone.
        if name in {"", ".", ".."} or "/" in name or "\\" in name:
            raise StoreError(f"{path}: manifest.json is damaged: {name!r} is no id of a cell", fix="restore the file")
    return Part(
        path=path,
        folder=folder,
        manifest=manifest,
        results={cell.id: folder.result(cell) for cell in manifest.cells},
        backends=begun_backends(folder, manifest),
    )
