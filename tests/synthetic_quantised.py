"""Builds run folders of one model and its quantisations, with scores that a test sets item by item."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from evalsuite.records import CellStatus, MadeFrom, Manifest, Model, PromptForm, Source, StoredAs, digest
from evalsuite.store import RunWriter
from tests.synthetic import Plan, cell_of, manifest_of, record, task

__all__ = ["BASE", "Q2", "Q4", "Score", "build_quantised", "file_of"]

BASE, Q4, Q2 = "tiny", "tiny+Q4_0", "tiny+Q2_K"
_BITS = {BASE: ("F16", 2.0), Q4: ("Q4_0", 0.5625), Q2: ("Q3_K", 0.4296875)}
_WEIGHTS = 1_024_000

Score = Callable[[str, str, str, int], float | None]
"""Model, group, language and item → score; none for an item that the cell does not have."""


def file_of(name: str, *, requantised: bool = False) -> Model:
    """Return the source (`BASE`), or a quantisation of it."""
    kind, size = _BITS[name]
    made = MadeFrom(
        name=BASE, sha256=digest(BASE), quantisation="Q8_0" if requantised else "F16", type=name.rpartition("+")[2],
        tool="llama-cpp-python", version="0.3.36", requantised=requantised,
    )  # fmt: skip
    stored = (
        StoredAs(type=kind, tensors=14, weights=_WEIGHTS, bytes=int(_WEIGHTS * size)),
        StoredAs(type="F32", tensors=5, weights=320, bytes=1280),
    )
    return Model(
        name=name, backend="llamacpp", title=name.replace("+", ", ").capitalize(), licence="Apache-2.0",
        parameters=_WEIGHTS + 320, quantisation="F16" if name == BASE else name.rpartition("+")[2],
        bytes=int(_WEIGHTS * size) + 40_000, sha256=digest(name), made_from=None if name == BASE else made,
        stored_as=stored, source=Source(kind="file", path=Path(f"/somewhere/{name}.gguf")),
    )  # fmt: skip


def build_quantised(
    path: Path,
    score: Score,
    *,
    items: int = 40,
    codes: tuple[str, ...] = ("en", "es", "pt", "eu", "gl"),
    groups: tuple[str, ...] = ("toy",),
    models: tuple[Model, ...] = (file_of(BASE), file_of(Q4), file_of(Q2)),
    shared: int | None = None,
) -> Path:
    """Write a run folder and return it; a cell of which `score` gives nothing fails.

    Args:
        path: The folder.
        score: Scores.
        items: Items of each cell.
        codes: Languages.
        groups: Parallel groups.
        models: Models.
        shared: Items in a row that share a passage; none where they stand alone.
    """
    plan = Plan(items=items, codes=codes, models={m.name: m.title for m in models}, holes=False)
    column = "passage" if shared else None
    tasks = {
        f"{group}_{code}": task(f"{group}_{code}", code, group, cluster_column=column)
        for group in groups
        for code in codes
    }
    cells = tuple(cell_of(plan, m.name, one, PromptForm.NATIVE) for m in models for one in tasks.values())
    manifest: Manifest = manifest_of(plan, tasks, cells, ()).model_copy(update={"models": {m.name: m for m in models}})
    with RunWriter(path) as writer:
        writer.write_manifest(manifest)
        for cell in cells:
            group = cell.task.rpartition("_")[0]
            scores = {i: score(cell.model, group, cell.language, i) for i in cell.item_indices}
            kept = {i: value for i, value in scores.items() if value is not None}
            if not kept:
                writer.finish(cell, CellStatus.FAILED, "the engine crashed")
                continue
            for chunk in range(cell.chunks):
                inside = [i for i in cell.chunk(chunk) if i in kept]
                docs = {i: json.dumps({"passage": i // (shared or 1)}) for i in inside}
                records = [record(i, score=kept[i], choices=_choices(i), doc=docs[i]) for i in inside]
                writer.write_chunk(cell, chunk, records, wall_s=1.0, tokens=100)
            writer.finish(cell, CellStatus.DONE)
    return path


def _choices(item: int) -> tuple[str, ...]:
    """Return choices of an item's own: the tables of categories, which are about tasks with the same ones, stay empty."""
    return tuple(f"{letter}{item}" for letter in "abcd")
