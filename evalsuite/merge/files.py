"""Copies what is kept of each run into the merged folder."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from evalsuite.errors import InputError, StoreError
from evalsuite.merge.part import read_part
from evalsuite.merge.plan import Merge, plan_merge
from evalsuite.store import RunFolder, RunWriter

__all__ = ["merge_runs"]


def merge_runs(paths: Sequence[Path], out: Path, *, command: str, force: bool = False) -> Merge:
    """Join run folders into a new one; the given ones are not changed.

    Args:
        paths: Run folders, at least two; where it matters, the first ones come first.
        out: The new run folder; does not exist yet, or is empty.
        command: What was typed, for the manifest.
        force: Whether scores that differ, and engines that may score otherwise, are merged with a note.

    Raises:
        InputError: The folders that were given cannot be inputs and output.
        StoreError: The runs do not belong together, one cannot be read, or `out` cannot be written.
    """
    _check_paths(paths, out)
    _check_empty(out)
    name = re.sub(r"[^A-Za-z0-9._+-]+", "-", out.resolve().name)[:80].lstrip("._+-") or "merged"
    merge = plan_merge([read_part(path) for path in paths], name=name, command=command, force=force)
    with RunWriter(out) as writer:
        _check_empty(out)
        try:
            _copy(merge, writer)
            # Last: a folder is a run folder only once all of it is there.
            writer.write_manifest(merge.manifest)
        except BaseException:
            _clear(out)
            raise
    return merge


def _check_paths(paths: Sequence[Path], out: Path) -> None:
    if len(paths) < 2:
        raise InputError(
            f"one run alone cannot be merged: {', '.join(map(str, paths))}", fix="name at least two run folders"
        )
    seen: dict[Path, Path] = {}
    for path in paths:
        if path.resolve() in seen:
            raise InputError(f"{path} was given twice", fix="name each run folder once")
        seen[path.resolve()] = path
        if RunFolder(path).exists and out.resolve().is_relative_to(path.resolve()):
            raise InputError(
                f"{out} is, or lies in, the run {path}, which is not to be changed",
                fix="give another folder with --out",
            )


def _check_empty(out: Path) -> None:
    fix = "give a new folder with --out, or delete that one"
    try:
        if out.exists() and not out.is_dir():
            raise StoreError(f"{out} is no folder", fix=fix)
        # A lock may be left from a process that was killed.
        if out.exists() and any(entry.name != "lock" for entry in out.iterdir()):
            raise StoreError(f"{out} is not empty", fix=fix)
    except OSError as error:
        raise StoreError(f"{out} cannot be read: {error.strerror or error}", fix=fix) from error


def _copy(merge: Merge, writer: RunWriter) -> None:
    for cell in merge.manifest.cells:
        source = merge.cells[cell.id].folder.path / "cells" / cell.id
        whole = source / "records.parquet"
        # What says that a cell is done is copied after its records.
        files = [whole] if whole.exists() else sorted(source.glob("chunk-*.parquet"))
        _copy_files([*files, source / "cell.json"], writer, Path("cells") / cell.id)
    for profile in merge.manifest.profiles:
        folder = merge.profiles[profile.id].profile(profile).path
        tables = sorted(path for kind in ("requests", "power") for path in folder.glob(f"{kind}-*.parquet"))
        _copy_files([*tables, folder / "profile.json"], writer, Path("profiles") / profile.id)


def _copy_files(paths: Sequence[Path], writer: RunWriter, target: Path) -> None:
    for path in paths:
        if path.suffix == ".json" and not path.exists():
            continue  # pending: it has no result yet
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StoreError(
                f"{path} cannot be read: {error.strerror or error}",
                fix="if a run still writes to that folder, wait until it has ended; then merge again",
            ) from error
        writer.write_file(writer.path / target / path.name, data)


def _clear(out: Path) -> None:
    """Take away what was written to a folder that was empty, so that the same command can be given again."""
    for entry in out.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name != "lock":
            entry.unlink(missing_ok=True)
