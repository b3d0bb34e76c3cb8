"""Spot checks of made-up runs, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evalsuite.records import Cell, CellStatus, Device, Record, SpotCell, SpotCheck
from evalsuite.spot_store import StoredCheck, write_check
from evalsuite.store import RunFolder, RunWriter

__all__ = ["BOARD", "add_check", "make_check", "turned"]

BOARD = Device(
    cpu="Example Board 5", architecture="aarch64", cores_physical=4, cores_logical=4, ram_bytes=8 * 2**30,
    os="Debian GNU/Linux 12", kernel="6.6.0", governor="ondemand",
)  # fmt: skip


def make_check(
    run: Path, change: Callable[[Cell, Record], Record] | None = None, *, items: int = 20, **fields: object
) -> StoredCheck:
    """Return a check of the first items of every finished cell; `change` says what the board made of a stored record."""
    folder = RunFolder(run)
    records: dict[str, tuple[Record, ...]] = {}
    cells = []
    for result in folder.results():
        if result.status is CellStatus.DONE:
            kept = folder.records(result.cell)[:items]
            records[result.cell.id] = tuple(change(result.cell, r) if change else r for r in kept)
            cells.append(
                SpotCell(
                    cell=result.cell.id,
                    item_indices=tuple(r.item_index for r in kept),
                    status=CellStatus.DONE,
                    wall_s=1.0,
                )
            )
    given: dict[str, object] = {
        "created": "2026-05-02T08:00:00+00:00", "evalsuite": "0.1.0", "versions": folder.manifest.versions,
        "device": BOARD, "command": "evalsuite spot-check run", "items": items, "seed": 20260401, "cells": tuple(cells),
    }  # fmt: skip
    return StoredCheck(SpotCheck.model_validate(given | fields), records)


def add_check(
    run: Path, change: Callable[[Cell, Record], Record] | None = None, *, items: int = 20, **fields: object
) -> Path:
    """Write such a check into the run folder, and return the folder."""
    check = make_check(run, change, items=items, **fields)
    with RunWriter(run) as writer:
        write_check(writer, check)
    return run


def turned(record: Record) -> Record:
    """Return a record with another answer."""
    assert record.prediction is not None
    return record.model_copy(update={"prediction": (record.prediction + 1) % len(record.choices)})
