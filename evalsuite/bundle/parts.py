"""What a pack is made of: files of models, data, the user's folders, and the sweep that names them from within."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.fetch import cache_dir
from evalsuite.catalog.load import Catalog
from evalsuite.catalog.models import resolve_model
from evalsuite.catalog.sources.file import file_sha256, folder_files
from evalsuite.errors import InputError
from evalsuite.pack import DATA, SWEEP, WEIGHTS, LeftOut, PackedData, PackedModel, mirror_name
from evalsuite.plan import Plan, PlannedModel
from evalsuite.records import Model, ModelRef, Sweep, Task

__all__ = ["INCLUDED", "Item", "Parts", "gather"]

INCLUDED = ("tasks", "langs", "models", "devices")
"""What is read of a user's folder."""
_DESCRIPTIONS_ONLY = ("langs", "models", "devices")
"""Of these, YAML files alone are read; weights may lie beside them."""


@dataclass(frozen=True)
class Item:
    """One file that a pack is to hold: a text of ours, or a copy of a file."""

    name: str
    data: bytes = b""
    source: Path | None = None
    sha256: str | None = None
    """Of weights and data sets: what an earlier pack has of them is kept, and a copy is held against it."""
    shared: bool = False
    """Nobody writes into the source, so that both may be one file on the disk."""

    @property
    def bytes(self) -> int:
        return self.source.stat().st_size if self.source is not None else len(self.data)


@dataclass
class Parts:
    """What a pack is made of, gathered before anything is written."""

    items: dict[str, Item] = field(default_factory=dict)
    models: dict[str, PackedModel] = field(default_factory=dict)
    data: dict[str, PackedData] = field(default_factory=dict)
    refs: list[dict[str, Any]] = field(default_factory=list)
    """Models as the pack's sweep names them."""
    include: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def add(self, *items: Item) -> None:
        self.items.update({item.name: item for item in items})


def gather(plan: Plan, catalog: Catalog, finder: DataFinder) -> Parts:
    """Return all files of a pack but its lock and what it says about itself.

    Args:
        plan: What the pack is for.
        catalog: That the plan was made with.
        finder: Reads the data, as for the plan.

    Raises:
        InputError: There is nothing to pack, or two things of the plan cannot lie in one pack.
    """
    if not plan.cells and (plan.sweep.profile is None or all(model.path is None for model in plan.models.values())):
        reasons = [skip.reason for skip in plan.skips] or [str(m.problem) for m in plan.models.values() if m.problem]
        raise InputError(
            f"nothing of {plan.sweep.name} can be packed: {reasons[0] if reasons else 'it asks for nothing'}",
            fix="`evalsuite plan` shows what would be skipped, why, and what to do about it",
        )
    parts = Parts()
    # The plan has its models in the order of the sweep, under the names of their results; what is made of one stands
    # behind it, and is a model of its own in the pack.
    refs = iter(plan.sweep.models)
    for planned in plan.models.values():
        if planned.made:
            _add_file(parts, planned, planned.model)
            # One that could not be made is unknown there.
            parts.refs += [{"name": planned.model.name}] if planned.path is not None else []
        else:
            _add_model(parts, next(refs), planned, catalog)
    for task in plan.tasks.values():
        if task.data.kind == "hub":
            _add_data(parts, task, finder)
    for number, include in enumerate(plan.sweep.include, start=1):
        _add_include(parts, include, f"include/{number}")
    parts.left_out += [
        LeftOut(what=f"{skip.task} ({skip.language})", reason=skip.reason, fix=skip.fix)
        for skip in plan.skips
        if skip.model is None
    ]
    parts.add(Item(SWEEP, data=_sweep_text(plan.sweep, parts).encode()))
    return parts


def _add_model(parts: Parts, ref: ModelRef, planned: PlannedModel, catalog: Catalog) -> None:
    """Add a model's files and its catalog entry; what the sweep itself says of it stays in the sweep."""
    model = resolve_model(ref, catalog.models)
    options = {"options": ref.options} if ref.options else {}
    backend = {"backend": ref.backend} if ref.backend else {}
    parts.refs.append({"name": model.name, **backend, **options})
    # Without what the sweep adds: NAME and NAME+dequantised share the entry, and the sweep of the pack adds it again.
    entry = catalog.models[model.name] if ref.path is None else model.model_copy(update={"options": {}})
    _add_file(parts, planned, entry)


def _add_file(parts: Parts, planned: PlannedModel, entry: Model) -> None:
    """Add a model's files, and what the pack's catalog is to say of them."""
    path, sha256 = planned.path, planned.model.sha256
    if path is None or sha256 is None:
        parts.left_out.append(LeftOut(what=planned.model.name, reason=planned.problem or "its file is not at hand"))
        return
    known = parts.models.get(entry.name)
    if known is not None:
        if known.sha256 != sha256:
            raise InputError(
                f"two models are named {entry.name!r}, with different files",
                fix="give one a `name` of its own in the sweep file",
            )
        return
    place = f"{WEIGHTS}/{entry.name}/{path.name}" if path.is_file() else f"{WEIGHTS}/{entry.name}"
    shared = planned.made or entry.source.kind != "file"
    for file in [path] if path.is_file() else folder_files(path):
        name = place if path.is_file() else f"{place}/{file.relative_to(path).as_posix()}"
        own = sha256 if path.is_file() else file_sha256(file, cache_dir())
        parts.add(Item(name, source=file.resolve(), sha256=own, shared=shared))
    origin = _origin(planned, path)
    parts.models[entry.name] = PackedModel(
        name=entry.name,
        file=place,
        sha256=sha256,
        licence=entry.licence,
        licence_url=entry.licence_url,
        origin=origin,
    )
    text = _entry_text(entry, place, sha256, origin)
    parts.add(Item(f"models/{entry.name}.yaml", data=text.encode()))


def _origin(planned: PlannedModel, path: Path) -> str:
    made_from = planned.model.made_from
    if planned.made and made_from is not None:
        return f"made from {made_from.name} ({made_from.tool} {made_from.version})"
    source = planned.model.source
    return f"file:{path.name}" if source.kind == "file" else str(source)


def _entry_text(model: Model, place: str, sha256: str, origin: str) -> str:
    fields = model.model_dump(include={"title", "backend", "licence", "licence_url", "parameters", "quantisation"})
    more = {"context": model.context, "bytes": model.bytes, "options": model.options or None}
    known = {key: value for key, value in {**fields, **more}.items() if value is not None}
    known |= {"source": {"file": f"../{place}"}, "sha256": sha256}
    if model.made_from is not None:
        known["made_from"] = model.made_from.model_dump(exclude_none=True)
    return f"# Came from {' '.join(origin.split())}\n" + yaml.safe_dump(known, sort_keys=False, allow_unicode=True)


def _sweep_text(sweep: Sweep, parts: Parts) -> str:
    # Defaults are written too: those of another version of evalsuite may differ.
    fields = sweep.model_dump(mode="json", exclude_none=True, exclude={"models", "include", "quantise"})
    head = {"name": fields.pop("name")}
    told = {**head, "models": parts.refs, **fields, "include": [*parts.include, "."]}
    return "# Made by `evalsuite bundle`; run it with `evalsuite run` and the folder that this file is in.\n" + (
        yaml.safe_dump(told, sort_keys=False, allow_unicode=True)
    )


def _add_data(parts: Parts, task: Task, finder: DataFinder) -> None:
    name = f"{DATA}/{mirror_name(task.data)}"
    data = task.data
    hub = data.found == "hub"
    entry = PackedData(
        file=name,
        path=str(data.path),
        config=data.config,
        split=data.split,
        origin="hub" if hub else "mirror",
        revision=data.revision if hub else None,
    )
    if parts.data.setdefault(name, entry) != entry:
        raise InputError(
            f"{task.name} asks for {data.path} at revision {data.revision}, another task for {parts.data[name].revision}",
            fix="make a pack for each: one holds a data set once",
        )
    if name in parts.items:
        return
    if hub:
        sink = io.BytesIO()
        finder.load(task)[data.split].to_parquet(sink)
        parts.add(Item(name, data=sink.getvalue()))
    else:
        assert finder.mirror is not None
        parts.add(Item(name, source=finder.mirror / mirror_name(data), sha256=data.sha256))


def _add_include(parts: Parts, include: Path, place: str) -> None:
    found = [
        Item(f"{place}/{name.as_posix()}", source=include / name)
        for sub in INCLUDED
        for name in _files_below(include, Path(sub), frozenset())
        if sub not in _DESCRIPTIONS_ONLY or name.suffix in (".yaml", ".yml")
    ]
    if found:
        parts.include.append(place)
        parts.add(*found)


def _files_below(root: Path, folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """Give the files below a folder, relative to `root`; through links too, for data often lies on another disk."""
    real = (root / folder).resolve()
    if not real.is_dir() or real in above:
        return
    for path in sorted((root / folder).iterdir()):
        if path.name.startswith(".") or path.name == "__pycache__":
            continue
        if path.is_dir():
            yield from _files_below(root, folder / path.name, above | {real})
        elif path.is_file():
            yield folder / path.name
