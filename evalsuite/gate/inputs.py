"""The runs that a policy is held against, joined where they are several, with their ages and spot checks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.analysis.load import Run, load_run
from evalsuite.errors import StoreError
from evalsuite.records import Manifest

if TYPE_CHECKING:
    from evalsuite.analysis.spotcheck import SpotTable

__all__ = ["Inputs", "Source", "inputs_of", "open_runs"]


@dataclass(frozen=True, slots=True)
class Source:
    """One run folder, as it was given."""

    path: Path
    manifest: Manifest
    created: datetime


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a policy is held against."""

    run: Run
    """All runs in one."""
    sources: tuple[Source, ...]
    of_cell: Mapping[str, Source]
    """Where each cell and each profile comes from, by its id."""
    spot_checks: tuple[SpotTable, ...] = ()


@contextmanager
def open_runs(paths: Sequence[Path], *, spot_checks: bool = False) -> Iterator[Inputs]:
    """Yield run folders as one; several are joined as `evalsuite merge` joins them, in a folder that is taken away.

    Args:
        paths: The run folders; none of them is changed.
        spot_checks: Whether to read the spot checks too.

    Raises:
        InputError: A folder is named twice.
        StoreError: A folder cannot be read, or the runs do not belong together; the message says what differs.
    """
    sources = tuple(_source(path) for path in paths)
    tables = tuple(table for path in paths for table in _tables(path)) if spot_checks else ()
    if len(sources) == 1:
        yield _alone(load_run(sources[0].path), sources[0], tables)
        return
    from evalsuite.merge import merge_runs

    by_path = {source.path: source for source in sources}
    with tempfile.TemporaryDirectory(prefix="evalsuite-gate-") as folder:
        out = Path(folder) / "joined"
        merge = merge_runs(paths, out, command="evalsuite gate")
        parts = {**merge.cells, **merge.profiles}
        yield Inputs(load_run(out), sources, {name: by_path[part.path] for name, part in parts.items()}, tables)


def inputs_of(run: Run) -> Inputs:
    """Return a run that is loaded already as inputs, with its spot checks.

    Raises:
        StoreError: A spot check cannot be read, or the manifest does not say when the run was made.
    """
    return _alone(run, _made(run.path, run.manifest), tuple(_tables(run.path)))


def _alone(run: Run, source: Source, tables: tuple[SpotTable, ...]) -> Inputs:
    manifest = source.manifest
    ids = [*(cell.id for cell in manifest.cells), *(profile.id for profile in manifest.profiles)]
    return Inputs(run, (source,), dict.fromkeys(ids, source), tables)


def _source(path: Path) -> Source:
    from evalsuite.store import RunFolder

    return _made(path, RunFolder(path).manifest)


def _made(path: Path, manifest: Manifest) -> Source:
    try:
        created = datetime.fromisoformat(manifest.created)
    except ValueError as error:
        raise StoreError(
            f"{path}: manifest.json is damaged: created: {manifest.created!r} is no time", fix="restore the file"
        ) from error
    return Source(path, manifest, created if created.tzinfo else created.replace(tzinfo=UTC))


def _tables(path: Path) -> tuple[SpotTable, ...]:
    from evalsuite.analysis.spotcheck import spot_tables
    from evalsuite.store import RunFolder

    return spot_tables(RunFolder(path))
