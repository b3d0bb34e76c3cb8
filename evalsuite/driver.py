"""Drives workers over the cells of one model: starts one, passes on what it sends, and starts another after a crash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from evalsuite.child import ChildProcess
from evalsuite.records import Cell, Limits, Record, Task
from evalsuite.worker import Job, WorkItem

__all__ = ["Launch", "RunProgress", "Scored", "Site", "Taker", "score_cells", "why_failed"]


class RunProgress(Protocol):
    """Is told how a run gets on."""

    def begin(self, cells: int, items: int) -> None:
        """Told once, with what is still to do."""

    def cell(self, cell: Cell) -> None:
        """A cell begins."""

    def advance(self, items: int, tokens: int) -> None:
        """Items were scored and stored."""

    def note(self, text: str) -> None:
        """Something worth a line happened."""


@dataclass(frozen=True)
class Site:
    """Where a worker finds data."""

    mirror: Path | None
    offline: bool


@dataclass(frozen=True)
class Launch:
    """What the workers of one model are started with."""

    backend: str
    model_path: Path
    options: Mapping[str, Any]
    tasks: Mapping[str, Task]
    site: Site
    limits: Limits
    log: Path


@dataclass(frozen=True)
class Scored:
    """What came of one chunk."""

    index: int
    records: tuple[Record, ...]
    wall_s: float
    tokens: int


class Taker(Protocol):
    """Takes what workers make of cells."""

    def chunks_left(self, cell: Cell) -> Sequence[int]:
        """Return the chunks of a cell that are still to be scored."""

    def begin(self, cell: Cell) -> None:
        """A cell begins."""

    def chunk(self, cell: Cell, scored: Scored) -> None:
        """A chunk of a cell was scored."""

    def done(self, cell: Cell) -> None:
        """All chunks of a cell were scored."""

    def failed(self, cell: Cell, event: Mapping[str, Any]) -> None:
        """A cell is given up; the event has `kind`, `reason` and `fix`."""


def score_cells(cells: Sequence[Cell], launch: Launch, taker: Taker) -> None:
    """Have workers score cells of one model; a crash costs the cell that it happened in, a failure to load costs all."""
    left = list(cells)
    while left:
        ended = _work(left, launch, taker)
        left = [cell for cell in left if cell.id not in ended]


def why_failed(event: Mapping[str, Any]) -> str:
    """Return the reason of a failure with its fix, as it is stored."""
    return str(event["reason"]) + (f" (fix: {event['fix']})" if event.get("fix") else "")


def _work(cells: Sequence[Cell], launch: Launch, taker: Taker) -> set[str]:
    """Run one worker; return the ids of the cells that are over, at least one."""
    by_id = {cell.id: cell for cell in cells}
    worker = ChildProcess("evalsuite.worker", _job(cells, launch, taker).model_dump_json().encode(), launch.log)
    over: set[str] = set()
    current: str | None = None
    loaded = False
    try:
        while True:
            event = worker.next_event(launch.limits.chunk_timeout_s if loaded else launch.limits.load_timeout_s)
            kind = event["event"]
            if kind == "loaded":
                loaded = True
            elif kind == "cell":
                current = event["cell"]
                taker.begin(by_id[current])
            elif kind == "chunk":
                taker.chunk(by_id[event["cell"]], _scored(event))
            elif kind == "cell_done":
                taker.done(by_id[event["cell"]])
                over.add(event["cell"])
            elif kind == "cell_failed":
                taker.failed(by_id[event["cell"]], event)
                over.add(event["cell"])
            elif kind == "finished":
                return set(by_id)
            else:  # load_failed, died, silent
                if loaded and current in over:
                    return over  # it died between two cells: the next worker goes on
                lost = [by_id[current]] if loaded and current else None
                for cell in lost or cells:
                    taker.failed(cell, event)
                    over.add(cell.id)
                return over
    finally:
        worker.stop()


def _job(cells: Sequence[Cell], launch: Launch, taker: Taker) -> Job:
    return Job(
        backend=launch.backend,
        model_path=launch.model_path,
        options=dict(launch.options),
        mirror=launch.site.mirror,
        offline=launch.site.offline,
        work=tuple(
            WorkItem(cell=cell, task=launch.tasks[cell.task], chunks=tuple(taker.chunks_left(cell))) for cell in cells
        ),
    )


def _scored(event: Mapping[str, Any]) -> Scored:
    records = tuple(Record.model_validate(record) for record in event["records"])
    return Scored(index=event["index"], records=records, wall_s=event["wall_s"], tokens=event["tokens"])
