"""The spot checks of a run folder: one for each device on which items of the run were scored again.

RUN/spotchecks/<device>.json            what was checked, when, with what, on which device (its fingerprint is the name)
RUN/spotchecks/<device>-<hash>.parquet  records of its items; the check names the file that belongs to it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from evalsuite.errors import StoreError
from evalsuite.records import Record, SpotCheck, digest
from evalsuite.store import RunFolder, RunWriter, read_json, records_table, table_records

__all__ = ["StoredCheck", "read_checks", "write_check"]

_FIX = "delete it and check again"


@dataclass(frozen=True)
class StoredCheck:
    """A spot check with its records."""

    check: SpotCheck
    records: Mapping[str, tuple[Record, ...]]
    """By id of the cell; only cells that were scored."""


def read_checks(run: RunFolder) -> tuple[StoredCheck, ...]:
    """Return the spot checks of a run, in the order of the devices' fingerprints.

    Raises:
        StoreError: One is damaged.
    """
    return tuple(_read(path) for path in sorted(_folder(run).glob("*.json")))


def write_check(run: RunWriter, new: StoredCheck) -> int:
    """Store a spot check in place of the earlier one of the same device.

    Cells of the earlier one that were not checked again are kept where they were drawn alike and scored with the same
    software.

    Returns:
        How many cells of the earlier check were not kept, though they were not checked again.
    """
    check = new.check
    place = _folder(run) / f"{check.device.fingerprint}.json"
    old = _earlier(place)
    again = {cell.cell for cell in check.cells}
    others = tuple(cell for cell in old.check.cells if cell.cell not in again) if old else ()
    records = dict(new.records)
    kept = old is not None and _alike(old.check, check)
    if old and kept:
        check = check.model_copy(update={"cells": (*others, *check.cells)})
        records |= {cell.cell: old.records[cell.cell] for cell in others if cell.cell in old.records}
    # The table comes first, under a name of its own: a kill between the two leaves the earlier check whole.
    table = place.with_name(f"{place.stem}-{digest([check.created, sorted(records), check.cells])[:12]}.parquet")
    _write_records(run, table, records)
    check = check.model_copy(update={"records": table.name})
    run.write_file(place, check.model_dump_json(indent=1).encode())
    for path in place.parent.glob(f"{place.stem}-*.parquet"):
        if path != table:
            path.unlink()
    return 0 if kept else len(others)


def _folder(run: RunFolder) -> Path:
    return run.path / "spotchecks"


def _alike(old: SpotCheck, new: SpotCheck) -> bool:
    """Tell whether two checks drew the same items and scored them with the same software."""
    first, second = ((c.evalsuite, c.versions, c.items, c.seed) for c in (old, new))
    return first == second


def _earlier(path: Path) -> StoredCheck | None:
    try:
        return _read(path) if path.exists() else None
    except StoreError:
        return None  # it is replaced


def _read(path: Path) -> StoredCheck:
    try:
        check = SpotCheck.model_validate(read_json(path, path.parent))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise StoreError(f"{path} is damaged: {where}: {first['msg']}", fix=_FIX) from error
    return StoredCheck(check, _read_records(path.with_name(check.records)) if check.records else {})


def _read_records(path: Path) -> dict[str, tuple[Record, ...]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        cells = table.column("cell").to_pylist()
        records = table_records(table.drop_columns(["cell"]))
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise StoreError(f"{path} is damaged: {error}", fix=f"{_FIX} (with the .json of the same device)") from error
    found: dict[str, list[Record]] = {}
    for cell, record in zip(cells, records, strict=True):
        found.setdefault(cell, []).append(record)
    return {cell: tuple(of_cell) for cell, of_cell in found.items()}


def _write_records(run: RunWriter, path: Path, records: Mapping[str, Sequence[Record]]) -> None:
    import pyarrow as pa

    rows = [(cell, record) for cell, of_cell in records.items() for record in of_cell]
    table = records_table([record for _, record in rows])
    run.write_table(path, table.append_column("cell", pa.array([cell for cell, _ in rows], pa.string())))
