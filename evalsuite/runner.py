"""The parent: starts a worker for each model, stores what it sends, and says why where it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from evalsuite.child import ChildProcess
from evalsuite.continuation import continued
from evalsuite.plan import Plan, PlannedModel
from evalsuite.records import Cell, CellStatus, Manifest, Record
from evalsuite.store import RunWriter
from evalsuite.worker import Job, WorkItem

__all__ = ["RunProgress", "Site", "Summary", "run_plan"]


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
    """Where a worker finds tasks and data."""

    task_folders: tuple[Path, ...]
    mirror: Path | None
    offline: bool


@dataclass
class Summary:
    """What a run came to, in cells."""

    done: int = 0
    failed: int = 0
    already_done: int = 0
    reasons: list[str] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    """Classes of the errors that failed cells."""

    def add_profiles(self, done: int, already_done: int, reasons: Sequence[str]) -> None:
        """Count profiles among the cells."""
        self.done += done
        self.already_done += already_done
        self.failed += len(reasons)
        self.reasons += [f"profile of {reason}" for reason in reasons]


def run_plan(writer: RunWriter, plan: Plan, manifest: Manifest, site: Site, progress: RunProgress) -> Summary:
    """Run what is not done yet; every result is stored as soon as it is there.

    Raises:
        StoreError: The folder holds another run, or cannot be written.
    """
    manifest = continued(writer, manifest)
    writer.write_manifest(manifest)
    summary = Summary()
    todo: dict[str, list[Cell]] = {}
    for cell in plan.cells:
        if writer.result(cell).status is CellStatus.DONE:
            summary.already_done += 1
        else:
            writer.reopen(cell)
            todo.setdefault(cell.model, []).append(cell)
    left = [cell for cells in todo.values() for cell in cells]
    stored = {cell.id: sum(len(cell.chunk(i)) for i in writer.done_chunks(cell)) for cell in left}
    progress.begin(len(left), sum(len(cell.item_indices) - stored[cell.id] for cell in left))
    for name, cells in todo.items():
        _Session(writer, plan, site, progress, summary, plan.models[name]).run(cells)
    return summary


class _Session:
    """All cells of one model: one worker, and another one after each crash."""

    def __init__(
        self,
        writer: RunWriter,
        plan: Plan,
        site: Site,
        progress: RunProgress,
        summary: Summary,
        planned: PlannedModel,
    ) -> None:
        self._writer = writer
        self._plan = plan
        self._site = site
        self._progress = progress
        self._summary = summary
        self._planned = planned

    def run(self, cells: list[Cell]) -> None:
        """Run `cells`; a crash costs the cell that it happened in, a failure to load costs them all."""
        left = list(cells)
        while left:
            ended = self._work(left)
            left = [cell for cell in left if cell.id not in ended]

    def _work(self, cells: list[Cell]) -> set[str]:
        """Run one worker; return the ids of the cells that are over, at least one."""
        by_id = {cell.id: cell for cell in cells}
        limits = self._plan.sweep.limits
        worker = ChildProcess(
            "evalsuite.worker",
            self._job(cells).model_dump_json().encode(),
            self._writer.log_path(self._planned.model.name),
        )
        over: set[str] = set()
        current: str | None = None
        loaded = False
        try:
            while True:
                wait_s = limits.chunk_timeout_s if loaded else limits.load_timeout_s
                event = worker.next_event(wait_s)
                kind = event["event"]
                if kind == "loaded":
                    loaded = True
                elif kind == "cell":
                    current = event["cell"]
                    self._progress.cell(by_id[current])
                elif kind == "chunk":
                    self._store(by_id[event["cell"]], event)
                elif kind == "cell_done":
                    self._writer.finish(by_id[event["cell"]], CellStatus.DONE)
                    self._summary.done += 1
                    over.add(event["cell"])
                elif kind == "cell_failed":
                    self._fail(by_id[event["cell"]], event)
                    over.add(event["cell"])
                elif kind == "finished":
                    return set(by_id)
                else:  # load_failed, died, silent
                    if loaded and current in over:
                        return over  # it died between two cells: the next worker goes on
                    lost = [by_id[current]] if loaded and current else None
                    for cell in lost or cells:
                        self._fail(cell, event)
                        over.add(cell.id)
                    return over
        finally:
            worker.stop()

    def _job(self, cells: list[Cell]) -> Job:
        planned = self._planned
        assert planned.path is not None
        work = tuple(
            WorkItem(
                cell=cell,
                task=self._plan.tasks[cell.task],
                chunks=tuple(sorted(set(range(cell.chunks)) - set(self._writer.done_chunks(cell)))),
            )
            for cell in cells
        )
        return Job(
            backend=planned.model.backend,
            model_path=planned.path,
            options=cells[0].options,
            task_folders=self._site.task_folders,
            mirror=self._site.mirror,
            offline=self._site.offline,
            work=work,
        )

    def _store(self, cell: Cell, event: dict[str, Any]) -> None:
        records = [Record.model_validate(record) for record in event["records"]]
        self._writer.write_chunk(cell, event["index"], records, wall_s=event["wall_s"], tokens=event["tokens"])
        self._progress.advance(len(records), event["tokens"])

    def _fail(self, cell: Cell, event: dict[str, Any]) -> None:
        reason = event["reason"] + (f" (fix: {event['fix']})" if event.get("fix") else "")
        self._writer.finish(cell, CellStatus.FAILED, reason)
        self._summary.failed += 1
        self._summary.reasons.append(f"{cell.model} × {cell.task}: {reason}")
        self._summary.kinds.add(event.get("kind") or "")
        self._progress.note(f"failed: {cell.model} × {cell.task}: {reason}")
