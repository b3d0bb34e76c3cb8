"""What came of a spot check: items of a run that were scored again on a device."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from evalsuite.records.base import Frozen
from evalsuite.records.device import Device
from evalsuite.records.results import CellStatus

__all__ = ["SpotCell", "SpotCheck"]


class SpotCell(Frozen):
    """What became of one cell's sample."""

    cell: str
    """Id of the cell in the run."""
    item_indices: tuple[int, ...]
    """Positions of the sample in the task's data."""
    status: CellStatus
    """Done or failed; there is nothing between."""
    reason: str | None = None
    wall_s: float = 0.0
    """Time spent on scoring, without loading the model."""
    tokens: int = 0
    """Tokens that the engine evaluated."""


class SpotCheck(Frozen):
    """A spot check of a run on one device."""

    schema_version: Literal[1] = 1
    created: str
    """UTC, ISO 8601."""
    evalsuite: str
    versions: dict[str, str]
    device: Device
    """Where the items were scored again; not needed to be what the run was measured on."""
    command: str
    items: Annotated[int, Field(gt=0)]
    """Items of each cell that were asked for."""
    seed: int
    records: Annotated[str, Field(pattern=r"^[0-9a-f]+-[0-9a-f]+\.parquet$")] | None = None
    """File beside the check with the records of its cells; none before it is stored."""
    cells: tuple[SpotCell, ...] = ()
