"""The profiles of a run folder: what one model's requests took on the device, as it was measured.

RUN/profiles/<id>/profile.json             status, loads, memory, contexts, state of the device, sources of power
RUN/profiles/<id>/requests-00003.parquet   a round of requests, or a block of them for energy
RUN/profiles/<id>/power-00000.parquet      looks at the sources of power
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from evalsuite.errors import StoreError
from evalsuite.records import CellStatus, PowerRow, ProfileCell, ProfileFacts, RequestRow
from evalsuite.store import RunFolder, RunWriter, read_json

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ProfileFolder", "ProfileWriter"]

_FORGET = "delete that profile's folder and run again"
"""Of one damaged file: what is measured anew would be mixed with what the others hold."""

_Row = TypeVar("_Row", RequestRow, PowerRow)


class ProfileFolder:
    """One profile of a run folder, for reading.

    Raises:
        StoreError: It is damaged.
    """

    def __init__(self, run: RunFolder, cell: ProfileCell) -> None:
        self.cell = cell
        self.path: Path = run.path / "profiles" / cell.id

    @property
    def facts(self) -> ProfileFacts:
        """All that is not in a table; pending where nothing was measured yet."""
        path = self.path / "profile.json"
        if not path.exists():
            return ProfileFacts(cell=self.cell, status=CellStatus.PENDING, sittings=0)
        try:
            return ProfileFacts.model_validate(read_json(path, self.path))
        except ValidationError as error:
            raise StoreError(f"{path} is damaged: {error.errors()[0]['msg']}", fix=_FORGET) from error

    def requests(self) -> list[RequestRow]:
        """Return what each request took, in the order in which they were asked."""
        return self._rows("requests", _request_schema(), RequestRow.model_validate)

    def power(self) -> list[PowerRow]:
        """Return the looks at all sources of power; those at one source in order of time."""

        def make(row: dict[str, Any]) -> PowerRow:
            return PowerRow.model_validate({**row, "rails_w": dict(row["rails_w"] or ())})

        return self._rows("power", _power_schema(), make)

    def _files(self, kind: str) -> list[Path]:
        return sorted(self.path.glob(f"{kind}-*.parquet"))

    def _rows(self, kind: str, schema: pa.Schema, make: Callable[[dict[str, Any]], _Row]) -> list[_Row]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows: list[_Row] = []
        for path in self._files(kind):
            try:
                rows += [make(row) for row in pq.read_table(path, schema=schema).to_pylist()]
            except (OSError, pa.ArrowException, ValidationError) as error:
                told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
                raise StoreError(f"{path} is damaged: {told}", fix=_FORGET) from error
        return rows


class ProfileWriter(ProfileFolder):
    """One profile of a run folder, for writing, under the lock of its run."""

    def __init__(self, run: RunWriter, cell: ProfileCell) -> None:
        super().__init__(run, cell)
        self._run = run
        self._facts = self.facts

    def update(self, **fields: Any) -> ProfileFacts:
        """Store new values of some fields of `ProfileFacts`; return all of them."""
        self._facts = self._facts.model_copy(update=fields)
        self._run.write_file(self.path / "profile.json", self._facts.model_dump_json(indent=1).encode())
        return self._facts

    def append(self, **fields: Sequence[Any]) -> ProfileFacts:
        """Store more entries of some fields of `ProfileFacts` that are tuples; return all of them."""
        return self.update(**{name: (*getattr(self._facts, name), *more) for name, more in fields.items()})

    def add_requests(self, rows: Sequence[RequestRow]) -> None:
        """Store some requests."""
        self._add("requests", rows, _request_schema())

    def add_power(self, rows: Sequence[PowerRow]) -> None:
        """Store some looks at sources of power."""
        if rows:
            self._add("power", rows, _power_schema())

    def _add(self, kind: str, rows: Sequence[BaseModel], schema: pa.Schema) -> None:
        import pyarrow as pa

        number = len(self._files(kind))
        table = pa.Table.from_pylist([row.model_dump(mode="json") for row in rows], schema=schema)
        self._run.write_table(self.path / f"{kind}-{number:05d}.parquet", table)


def _request_schema() -> pa.Schema:
    import pyarrow as pa

    texts = ("block", "language", "kind", "id", "output")
    integers = (
        *("round", "sitting", "start_ns", "end_ns", "prompt_tokens", "prompt_chars", "prompt_bytes"),
        *("output_tokens", "output_chars", "output_bytes"),
    )
    seconds = ("tokenise_s", "prefill_s", "ttft_s", "total_s")
    return pa.schema(
        [
            *((name, pa.string()) for name in texts),
            *((name, pa.int64()) for name in integers),
            *((name, pa.float64()) for name in seconds),
            ("steps_s", pa.list_(pa.float64())),
            ("right", pa.bool_()),
        ]
    )


def _power_schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            ("source", pa.string()),
            ("sitting", pa.int64()),
            ("t_ns", pa.int64()),
            ("power_w", pa.float64()),
            ("energy_j", pa.float64()),
            ("rails_w", pa.map_(pa.string(), pa.float64())),
            ("flags", pa.list_(pa.string())),
        ]
    )
