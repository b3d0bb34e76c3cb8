"""The parent: has workers score the cells of a plan, stores what they send, and says why where they fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalsuite.continuation import continued
from evalsuite.driver import Launch, RunProgress, Scored, Site, score_cells, why_failed
from evalsuite.plan import Plan
from evalsuite.records import Cell, CellStatus, Manifest, Model
from evalsuite.store import RunWriter

__all__ = ["RunProgress", "Site", "Summary", "run_plan"]


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
    taker = _Storing(writer, progress, summary)
    for name, cells in todo.items():
        model, path = _engine(plan, name)
        launch = Launch(
            backend=model.backend,
            model_path=path,
            options=cells[0].options,
            tasks=plan.tasks,
            site=site,
            limits=plan.sweep.limits,
            log=writer.log_path(name),
        )
        score_cells(cells, launch, taker)
    return summary


def _engine(plan: Plan, name: str) -> tuple[Model, Path]:
    """Return a model with its file; a baseline has none."""
    if name in plan.trained:
        return plan.trained[name], Path()
    planned = plan.models[name]
    assert planned.path is not None
    return planned.model, planned.path


class _Storing:
    """Stores what workers send as soon as it comes."""

    def __init__(self, writer: RunWriter, progress: RunProgress, summary: Summary) -> None:
        self._writer = writer
        self._progress = progress
        self._summary = summary

    def chunks_left(self, cell: Cell) -> Sequence[int]:
        return sorted(set(range(cell.chunks)) - set(self._writer.done_chunks(cell)))

    def begin(self, cell: Cell) -> None:
        self._progress.cell(cell)

    def chunk(self, cell: Cell, scored: Scored) -> None:
        self._writer.write_chunk(cell, scored.index, scored.records, wall_s=scored.wall_s, tokens=scored.tokens)
        self._progress.advance(len(scored.records), scored.tokens)

    def done(self, cell: Cell) -> None:
        self._writer.finish(cell, CellStatus.DONE)
        self._summary.done += 1

    def failed(self, cell: Cell, event: Mapping[str, Any]) -> None:
        reason = why_failed(event)
        self._writer.finish(cell, CellStatus.FAILED, reason)
        self._summary.failed += 1
        self._summary.reasons.append(f"{cell.model} × {cell.task}: {reason}")
        self._summary.kinds.add(event.get("kind") or "")
        self._progress.note(f"failed: {cell.model} × {cell.task}: {reason}")
