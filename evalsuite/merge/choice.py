"""Which run each cell and each profile is taken from, where several hold it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evalsuite.continuation import place
from evalsuite.errors import StoreError
from evalsuite.likeness import options
from evalsuite.merge.part import Part
from evalsuite.records import Cell, CellResult, CellStatus, ProfileCell

__all__ = ["choose_cells", "choose_profiles"]

_COMPARED = ("item_index", "item_id", "logprobs", "prior_logprobs", "score", "output")


def choose_cells(
    parts: Sequence[Part], notes: list[str], *, force: bool
) -> dict[tuple[str, str, str], tuple[Cell, Part]]:
    """Return the cell of each model, task and form, in order of first appearance, with the run that it is taken from.

    Args:
        parts: The runs, in order.
        notes: Takes a sentence for each cell that only `force` let pass.
        force: Whether the first run's records are kept where another run has others.

    Raises:
        StoreError: Two runs hold different cells, or different records of the same cell.
    """
    kept: dict[tuple[str, str, str], tuple[Cell, Part]] = {}
    for part in parts:
        for cell in part.manifest.cells:
            old, first = kept.setdefault(place(cell), (cell, part))
            if first is part:
                continue
            if old.id != cell.id:
                raise StoreError(
                    f"{first.path} and {part.path} hold different cells for {_title(cell)}: "
                    f"{_difference(old, first, cell, part)}",
                    fix="measure one of them again as the other was, or leave one out",
                )
            results = first.results[old.id], part.results[cell.id]
            if all(result.status is CellStatus.DONE for result in results):
                if (told := _differing_records(cell, first, part)) is not None:
                    if not force:
                        raise StoreError(
                            f"{first.path} and {part.path} both hold {_title(cell)}, and {told}",
                            fix=f"leave one out, or keep the records of {first.path} with --force",
                        )
                    notes.append(f"{_title(cell)}: between {first.path} and {part.path}, {told}; the former was kept.")
            elif _worth(results[1]) > _worth(results[0]):
                kept[place(cell)] = (cell, part)
    return kept


def _worth(result: CellResult) -> tuple[bool, int, bool]:
    """Rank what became of a cell: done, then by items, then a failure, which has a reason."""
    return result.status is CellStatus.DONE, result.items, result.status is CellStatus.FAILED


def _title(cell: Cell) -> str:
    return f"{cell.model} × {cell.task} ({cell.prompt_form.value})"


def _difference(old: Cell, first: Part, new: Cell, other: Part) -> str:
    ours, theirs = old.item_indices, new.item_indices
    if len(ours) != len(theirs):
        return f"{len(ours)} items in {first.path}, {len(theirs)} in {other.path}"
    if ours != theirs:
        return f"of {len(ours)} items each, {len(set(ours) & set(theirs))} are the same (another seed draws others)"
    if options(old) != options(new):
        return f"the model's options are {options(old)} in {first.path}, {options(new)} in {other.path}"
    return f"another version of the model, the task or its data ({old.id} in {first.path}, {new.id} in {other.path})"


def choose_profiles(parts: Sequence[Part]) -> dict[tuple[str, str], tuple[ProfileCell, Part]]:
    """Return the profile of each model and device, in order of first appearance, with the run that it is taken from.

    Raises:
        StoreError: Two runs hold different profiles of a model on the same device.
    """
    kept: dict[tuple[str, str], tuple[ProfileCell, Part]] = {}
    for part in parts:
        for cell in part.manifest.profiles:
            key = cell.model, cell.device
            old, first = kept.setdefault(key, (cell, part))
            if first is part or not part.profile(cell).facts.sittings:
                continue
            ours, theirs = first.profile(old), part.profile(cell)
            if not ours.facts.sittings:
                kept[key] = (cell, part)  # the other one was planned, and never begun
                continue
            what = f"{first.path} and {part.path} both hold a profile of {cell.model} on the device {cell.device}"
            fix = "leave one out"
            if old.id != cell.id:
                raise StoreError(f"{what}, measured with other settings ({old.id}, {cell.id})", fix=fix)
            if (ours.facts, ours.requests(), ours.power()) != (theirs.facts, theirs.requests(), theirs.power()):
                raise StoreError(f"{what} ({cell.id}), and they are not the same measurement", fix=fix)
    return kept


def _differing_records(cell: Cell, first: Part, other: Part) -> str | None:
    """Return how the records of a cell differ between two runs; none where they are the same."""
    ours, theirs = (
        {row["item_index"]: row for row in part.folder.table(cell, _COMPARED).to_pylist()} for part in (first, other)
    )
    items = ours.keys() | theirs.keys()
    differing = [item for item in items if not _same_row(ours.get(item), theirs.get(item))]
    if not differing:
        return None
    both = [(ours[item], theirs[item]) for item in differing if item in ours and item in theirs]
    largest = {
        "nats in a log-probability": max((_gap(_logprobs(a), _logprobs(b)) for a, b in both), default=0.0),
        "in a score": max((_gap([a["score"]], [b["score"]]) for a, b in both), default=0.0),
    }
    told = " and ".join(f"{gap:.3g} {what}" for what, gap in largest.items() if gap)
    return f"{len(differing)} of {len(items)} items differ" + (f", by up to {told}" if told else " in ids or texts")


def _same_row(ours: Mapping[str, Any] | None, theirs: Mapping[str, Any] | None) -> bool:
    if ours is None or theirs is None:
        return False
    numbers = _gap(_logprobs(ours), _logprobs(theirs)) == 0 and _gap([ours["score"]], [theirs["score"]]) == 0
    return numbers and all(ours[name] == theirs[name] for name in ("item_id", "output"))


def _logprobs(row: Mapping[str, Any]) -> list[float | None]:
    # The mark between the two keeps a number of one from being compared with one of the other.
    return [*(row["logprobs"] or ()), None, *(row["prior_logprobs"] or ())]


def _gap(ours: Sequence[float | None], theirs: Sequence[float | None]) -> float:
    """Return the largest difference; infinite where something is missing in one of them."""
    if len(ours) != len(theirs):
        return math.inf
    largest = 0.0
    for a, b in zip(ours, theirs, strict=True):
        if a == b or (a is not None and b is not None and math.isnan(a) and math.isnan(b)):
            continue
        gap = math.inf if a is None or b is None else abs(a - b)
        largest = max(largest, math.inf if math.isnan(gap) else gap)
    return largest
