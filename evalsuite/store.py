"""A run folder: written by one process, atomically, and read by anyone.

    RUN/manifest.json                 what was asked for, with which versions, on which device
    RUN/cells/<id>/chunk-00003.parquet  records of one chunk, while the cell runs
    RUN/cells/<id>/records.parquet      all records of the cell, once it is done
    RUN/cells/<id>/cell.json            status, reason, time
    RUN/profiles/<id>/…               what requests took on the device (`profile_store.py`)
    RUN/spotchecks/…                  items that were scored again on a device (`spot_store.py`)
    RUN/logs/<model>.log                what the worker and its engine printed
    RUN/lock                            held by the process that writes

Every file is written beside its place and moved there, so that a kill at any moment leaves a readable folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationError

from evalsuite.errors import StoreError
from evalsuite.records import SCHEMA_VERSION, Cell, CellResult, CellStatus, Manifest, Record

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MIGRATIONS", "RunFolder", "RunWriter", "read_json", "records_table", "table_records"]

MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    1: lambda data: {**data, "schema_version": 2},  # profiles came; such a folder has none
    2: lambda data: {**data, "schema_version": 3},  # wordings and turned options came; such a folder has none
}
"""Old schema version → function from a manifest of that version to one of the next."""

_JSON_COLUMNS = ("metrics",)


class RunFolder:
    """A run folder, for reading.

    Raises:
        StoreError: The folder is missing, unreadable, or written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def exists(self) -> bool:
        return (self.path / "manifest.json").exists()

    @property
    def manifest(self) -> Manifest:
        data = read_json(self.path / "manifest.json", self.path)
        found = data.get("schema_version")
        if not isinstance(found, int):
            raise StoreError(
                f"{self.path}: manifest.json has no schema_version", fix="this folder was not written by evalsuite"
            )
        if found > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path}: schema version {found} is newer than this evalsuite understands ({SCHEMA_VERSION})",
                fix=f"it was written by evalsuite {data.get('evalsuite', '(unknown)')}; upgrade to that version or later",
            )
        while found < SCHEMA_VERSION:
            if found not in MIGRATIONS:
                raise StoreError(f"{self.path}: unknown schema version {found}", fix="measure again in a new folder")
            data = MIGRATIONS[found](data)
            found += 1
        try:
            return Manifest.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(p) for p in first["loc"])
            raise StoreError(
                f"{self.path}: manifest.json is damaged: {where}: {first['msg']}",
                fix="restore the file, or measure again in a new folder",
            ) from error

    def result(self, cell: Cell) -> CellResult:
        """Return what became of `cell`; pending where it was not finished."""
        path = self.path / "cells" / cell.id / "cell.json"
        if not path.exists():
            done = self.done_chunks(cell)
            items = sum(len(cell.chunk(i)) for i in done)
            return CellResult(cell=cell, status=CellStatus.PENDING, items=items)
        try:
            return CellResult.model_validate(read_json(path, self.path))
        except ValidationError as error:
            raise StoreError(f"{path} is damaged: {error.errors()[0]['msg']}", fix="delete it and run again") from error

    def results(self) -> list[CellResult]:
        """Return the result of every cell of the plan, in the plan's order."""
        return [self.result(cell) for cell in self.manifest.cells]

    def done_chunks(self, cell: Cell) -> list[int]:
        """Return the indices of the chunks that are stored."""
        folder = self.path / "cells" / cell.id
        if (folder / "records.parquet").exists():
            return list(range(cell.chunks))
        return sorted(int(p.stem.removeprefix("chunk-")) for p in folder.glob("chunk-*.parquet"))

    def records(self, cell: Cell) -> list[Record]:
        """Return the records of a cell, in item order; those of finished chunks where the cell is not done."""
        return table_records(self.table(cell))

    def table(self, cell: Cell, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the records of a cell as a table with the fields of `Record` as columns (JSON fields as text)."""
        import pyarrow as pa

        folder = self.path / "cells" / cell.id
        whole = folder / "records.parquet"
        paths = [whole] if whole.exists() else [_chunk_path(folder, i) for i in self.done_chunks(cell)]
        if not paths:
            return _schema().empty_table() if columns is None else _schema().empty_table().select(list(columns))
        try:
            return pa.concat_tables([_read_table(path, columns) for path in paths])
        except (OSError, KeyError, pa.ArrowException) as error:
            raise StoreError(
                f"{folder}: records are damaged: {error}", fix="delete that cell's folder and run again"
            ) from error


class RunWriter(RunFolder):
    """A run folder, for writing; holds its lock. Use as a context manager.

    Raises:
        StoreError: Another process holds the lock, or the folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        from filelock import FileLock, Timeout

        with _disk_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise StoreError(
                f"{self.path} is in use by another evalsuite run",
                fix="wait until that run has ended, or give another folder with --out",
            ) from error
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be written: {error.strerror}", fix="give another folder with --out"
            ) from error
        self._stack.callback(lock.release)
        return self

    def __exit__(self, *exc: object) -> None:
        if not self.exists:
            # Nothing was begun, so nothing is left behind; the lock is still held while its file goes.
            with contextlib.suppress(OSError):
                (self.path / "lock").unlink(missing_ok=True)
                self.path.rmdir()
        self._stack.close()

    def write_manifest(self, manifest: Manifest) -> None:
        """Store the manifest."""
        self.write_file(self.path / "manifest.json", manifest.model_dump_json(indent=1).encode())

    def write_chunk(self, cell: Cell, index: int, records: Sequence[Record], *, wall_s: float, tokens: int) -> None:
        """Store the records of one chunk, with what they took."""
        table = records_table(records).replace_schema_metadata({"wall_s": repr(wall_s), "tokens": str(tokens)})
        self.write_table(_chunk_path(self.path / "cells" / cell.id, index), table)

    def finish(self, cell: Cell, status: CellStatus, reason: str | None = None) -> CellResult:
        """Store what became of a cell; gather its chunks into one file where it is done."""
        folder = self.path / "cells" / cell.id
        wall_s, tokens = self._cost(cell)
        items = sum(len(cell.chunk(i)) for i in self.done_chunks(cell))
        result = CellResult(cell=cell, status=status, reason=reason, items=items, wall_s=wall_s, tokens=tokens)
        if status is CellStatus.DONE and not (folder / "records.parquet").exists():
            table = self.table(cell).replace_schema_metadata({"wall_s": repr(wall_s), "tokens": str(tokens)})
            self.write_table(folder / "records.parquet", table)
        self.write_file(folder / "cell.json", result.model_dump_json(indent=1).encode())
        if status is CellStatus.DONE:
            for path in folder.glob("chunk-*.parquet"):
                path.unlink()

        return result

    def _cost(self, cell: Cell) -> tuple[float, int]:
        """Return seconds and tokens of the chunks that are stored."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        folder = self.path / "cells" / cell.id
        whole = folder / "records.parquet"
        paths = [whole] if whole.exists() else [_chunk_path(folder, i) for i in self.done_chunks(cell)]
        try:
            notes = [pq.read_schema(path).metadata or {} for path in paths]
        except (OSError, pa.ArrowException) as error:
            raise StoreError(
                f"{folder}: records are damaged: {error}", fix="delete that cell's folder and run again"
            ) from error
        return sum(float(n.get(b"wall_s", 0)) for n in notes), sum(int(n.get(b"tokens", 0)) for n in notes)

    def reopen(self, cell: Cell) -> None:
        """Forget that a cell failed, so that it is tried again; its stored chunks are kept."""
        (self.path / "cells" / cell.id / "cell.json").unlink(missing_ok=True)

    def log_path(self, model: str) -> Path:
        """Return the file that takes what the worker of `model` prints."""
        path = self.path / "logs" / f"{model}.log"
        with _disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return path

    def write_file(self, path: Path, data: bytes) -> None:
        """Write a file of the folder whole: beside its place, flushed to the disk, and moved there."""
        with _disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(path.name + ".part")
            with part.open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            part.replace(path)

    def write_table(self, path: Path, table: pa.Table) -> None:
        """Write a table as Parquet, as `write_file` does."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        self.write_file(path, sink.getvalue().to_pybytes())


def _read_table(path: Path, columns: Sequence[str] | None) -> pa.Table:
    """Return the columns of a file, in the order asked for; a KeyError says which it lacks."""
    import pyarrow.parquet as pq

    # `pq.read_table` takes more than twice the time on files as small as these: it goes through a data set and threads.
    with pq.ParquetFile(path) as file:
        table = file.read(columns=None if columns is None else list(columns), use_threads=False)
    return table if columns is None else table.select(list(columns))


def _chunk_path(folder: Path, index: int) -> Path:
    return folder / f"chunk-{index:05d}.parquet"


def _schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            ("item_id", pa.string()),
            ("item_index", pa.int64()),
            ("context", pa.string()),
            ("choices", pa.list_(pa.string())),
            ("target", pa.string()),
            ("logprobs", pa.list_(pa.float64())),
            ("greedy", pa.list_(pa.bool_())),
            ("prior_logprobs", pa.list_(pa.float64())),
            ("output", pa.string()),
            ("prediction", pa.int32()),
            ("metrics", pa.string()),
            ("score", pa.float64()),
            ("context_tokens", pa.int32()),
            ("context_chars", pa.int32()),
            ("context_bytes", pa.int32()),
            ("answer_tokens", pa.list_(pa.int32())),
            ("doc", pa.string()),
            ("arguments", pa.string()),
            ("responses", pa.string()),
            ("filtered", pa.string()),
            ("filter", pa.string()),
            ("doc_hash", pa.string()),
            ("prompt_hash", pa.string()),
            ("target_hash", pa.string()),
        ]
    )


def records_table(records: Sequence[Record]) -> pa.Table:
    """Return records as a table with the fields of `Record` as columns (JSON fields as text)."""
    import pyarrow as pa

    return pa.Table.from_pylist([_row(record) for record in records], schema=_schema())


def table_records(table: pa.Table) -> list[Record]:
    """Return the records of a table that `records_table` has made."""
    return [_record(row) for row in table.to_pylist()]


def _row(record: Record) -> dict[str, Any]:
    row = record.model_dump()
    for column in _JSON_COLUMNS:
        row[column] = json.dumps(row[column], ensure_ascii=False, default=str)
    return row


def _record(row: dict[str, Any]) -> Record:
    return Record.model_validate({**row, **{column: json.loads(row[column]) for column in _JSON_COLUMNS}})


def read_json(path: Path, folder: Path) -> dict[str, Any]:
    """Return the JSON object of a file in a run folder.

    Raises:
        StoreError: There is no such file, or it holds something else.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(
            f"{folder} is no run folder: it has no {path.name}", fix="give a folder that `evalsuite run` has made"
        ) from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StoreError(
            f"{path} cannot be read: {error}", fix="restore the file, or measure again in a new folder"
        ) from error
    if not isinstance(data, dict):
        raise StoreError(f"{path} holds no JSON object", fix="restore the file, or measure again in a new folder")
    return data


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        free = ""
        # The folder itself may be forbidden, so that even a look at it fails.
        with contextlib.suppress(OSError):
            free = f"; {shutil.disk_usage(path.parent).free // 2**20} MiB are free there"
        raise StoreError(
            f"{path} cannot be written: {error.strerror or error}{free}",
            fix="free some space or give another folder with --out, then run again: what is stored is kept",
        ) from error
