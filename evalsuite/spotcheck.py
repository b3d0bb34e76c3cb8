"""The spot check: a seeded sample of a run's items, scored again on this device with the same model, tasks and options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.catalog.fetch import Progress, fetch_model, is_cached
from evalsuite.driver import Launch, RunProgress, Scored, Site, score_cells, why_failed
from evalsuite.errors import FetchError, InputError
from evalsuite.machine import usable_cores
from evalsuite.plan import sample
from evalsuite.records import (
    DEQUANTISED,
    TRAINED,
    Cell,
    CellStatus,
    Limits,
    Model,
    Record,
    Source,
    SpotCell,
    Task,
    digest,
)
from evalsuite.store import RunFolder, RunWriter

__all__ = ["SpotInputs", "done_cells", "draw", "model_at_hand", "model_file", "same_tasks", "score_again"]


@dataclass(frozen=True)
class SpotInputs:
    """What a sample is scored with."""

    models: Mapping[str, Model]
    """As the run describes them."""
    paths: Mapping[str, Path]
    """Model file by name."""
    tasks: Mapping[str, Task]
    """As they are on this device."""
    site: Site
    limits: Limits


def done_cells(
    folder: RunFolder, models: Iterable[str] | None = None, tasks: Iterable[str] | None = None
) -> list[Cell]:
    """Return the finished cells of a run's models, in its order; a trained baseline is the same on every device.

    Args:
        folder: The run.
        models: Names of the models that are asked for; none for all.
        tasks: Names of the tasks that are asked for; none for all.

    Raises:
        InputError: There are none.
    """
    wanted = [None if names is None else frozenset(names) for names in (models, tasks)]
    trained = {name for name, model in folder.manifest.models.items() if model.backend == TRAINED}
    cells = [
        result.cell
        for result in folder.results()
        if result.status is CellStatus.DONE
        and result.cell.model not in trained
        and (wanted[0] is None or result.cell.model in wanted[0])
        and (wanted[1] is None or result.cell.task in wanted[1])
    ]
    if not cells:
        asked = "" if models is None and tasks is None else " of the models and tasks that were asked for"
        raise InputError(
            f"{folder.path} has no finished cells{asked}",
            fix="finish the run first (`evalsuite run`), or leave --model and --tasks out",
        )
    return cells


def draw(folder: RunFolder, cells: Sequence[Cell], items: int, seed: int) -> tuple[Cell, ...]:
    """Return the cells with a sample of their items each, and with options for this device.

    Items are drawn by their ids among those that the run has scored, so a parallel group gets the same ids in every
    language that was asked for the same items.
    """
    drawn = []
    for cell in cells:
        stored = folder.table(cell, ["item_id", "item_index"]).to_pydict()
        places = sample(stored["item_id"], items, seed)
        options = dict(cell.options)
        if isinstance(options.get("threads"), int):
            # More threads than cores wait for each other; their number changes no score.
            options["threads"] = min(options["threads"], usable_cores().count)
        indices = tuple(stored["item_index"][place] for place in places)
        drawn.append(cell.model_copy(update={"item_indices": indices, "options": options}))
    return tuple(drawn)


def same_tasks(cells: Iterable[Cell], measured: Mapping[str, Task], here: Mapping[str, Task]) -> dict[str, Task]:
    """Return the tasks of some cells as they are on this device.

    Raises:
        InputError: A task is not here, or its files are not those that the run was measured with.
    """
    names = list(dict.fromkeys(cell.task for cell in cells))
    missing = [name for name in names if name not in here]
    if missing:
        raise InputError(
            f"tasks that are not on this device: {', '.join(missing)}",
            fix="give the folder that holds them with --include, as for the run",
        )
    changed = [name for name in names if here[name].sha256 != measured[name].sha256]
    if changed:
        told = "; ".join(
            f"{name} has sha256 {here[name].sha256} here, and {measured[name].sha256} in the run" for name in changed
        )
        raise InputError(
            f"the task files are not those of the run: {told}",
            fix="install the version of evalsuite (and of --include folders) that the run was measured with, "
            "or measure the run again with this one",
        )
    return {name: here[name] for name in names}


def model_at_hand(model: Model, given: Path | None, catalog: Mapping[str, Model]) -> Model | None:
    """Return the model whose file would be used, where that is on this device already.

    Args:
        model: As the run describes it.
        given: File that the user names; none to look where the run found it, and in the cache.
        catalog: Models by name; the cache may hold a file under what the catalog says of it.

    Raises:
        InputError: The model is a file of the user's, and is not on this device.
    """
    name = model.name.removesuffix(DEQUANTISED)  # the same file, which the cache knows by this name
    if given is not None or model.source.kind == "file":
        path = given or model.source.path
        if path is None or not path.exists():
            raise InputError(
                f"{model.name}: its file {path} is not on this device",
                fix=f"copy it here, and name it with --model {model.name}=PATH",
            )
        # Without its hash: what is found is compared by `model_file`, which can say more.
        source = Source(kind="file", path=path.resolve())
        return model.model_copy(update={"name": name, "source": source, "sha256": None})
    wanted = model.model_copy(update={"name": name})
    if is_cached(wanted):
        return wanted
    known = catalog.get(name)
    return known if known is not None and _is_cached_file(known, model.sha256) else None


def _is_cached_file(known: Model, sha256: str | None) -> bool:
    """Tell whether the cache holds the file of a hash under what the catalog says of it, which may be no hash."""
    try:
        return is_cached(known) and fetch_model(known, offline=True).sha256 == sha256
    except FetchError:
        return False  # it has changed in the cache


def model_file(
    model: Model, given: Path | None, catalog: Mapping[str, Model], *, offline: bool, progress: Progress | None = None
) -> Path:
    """Return the very file that a model of the run was measured with; it is fetched where it is not at hand.

    Args:
        model: As the run describes it.
        given: File that the user names; none to look where the run found it, in the cache, and at its source.
        catalog: Models by name.
        offline: Whether the network may not be used.
        progress: Is told about downloads.

    Raises:
        InputError: The file is another one, or is not here.
        FetchError: It cannot be had.
    """
    wanted = model.model_copy(update={"name": model.name.removesuffix(DEQUANTISED)})
    found = model_at_hand(model, given, catalog) or wanted
    # Read to the last byte: a file that rots on a card keeps its size and date.
    fetched = fetch_model(found, offline=offline, progress=progress, verify=True)
    if fetched.sha256 != model.sha256:
        raise InputError(
            f"{model.name}: {fetched.path} has sha256 {fetched.sha256}, and the run was measured with {model.sha256}",
            fix=f"name the file of the run with --model {model.name}=PATH, or measure this one in a run of its own",
        )
    return fetched.path


def score_again(
    writer: RunWriter, cells: Sequence[Cell], inputs: SpotInputs, progress: RunProgress
) -> tuple[tuple[SpotCell, ...], dict[str, tuple[Record, ...]]]:
    """Score the items of cells, in the same way as a run; nothing is stored but the workers' logs.

    Returns:
        What became of each cell, in their order, and the records of those that were scored, by the cell's id.
    """
    progress.begin(len(cells), sum(len(cell.item_indices) for cell in cells))
    taker = _Gathering(progress)
    by_model: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        # One process has one set of options.
        by_model.setdefault((cell.model, digest(cell.options)), []).append(cell)
    for (name, _), same in by_model.items():
        launch = Launch(
            backend=inputs.models[name].backend,
            model_path=inputs.paths[name],
            options=same[0].options,
            tasks=inputs.tasks,
            site=inputs.site,
            limits=inputs.limits,
            log=writer.log_path(f"spotcheck-{name}"),
        )
        score_cells(same, launch, taker)
    return tuple(taker.cells[cell.id] for cell in cells), taker.records


class _Gathering:
    """Keeps what workers send: a sample is small, and is stored whole."""

    def __init__(self, progress: RunProgress) -> None:
        self.cells: dict[str, SpotCell] = {}
        self.records: dict[str, tuple[Record, ...]] = {}
        self._progress = progress
        self._chunks: list[Scored] = []

    def chunks_left(self, cell: Cell) -> Sequence[int]:
        return range(cell.chunks)

    def begin(self, cell: Cell) -> None:
        self._chunks = []
        self._progress.cell(cell)

    def chunk(self, cell: Cell, scored: Scored) -> None:  # noqa: ARG002  # a worker does one cell after the other
        self._chunks.append(scored)
        self._progress.advance(len(scored.records), scored.tokens)

    def done(self, cell: Cell) -> None:
        self.records[cell.id] = tuple(record for scored in self._chunks for record in scored.records)
        self.cells[cell.id] = SpotCell(
            cell=cell.id,
            item_indices=cell.item_indices,
            status=CellStatus.DONE,
            wall_s=sum(scored.wall_s for scored in self._chunks),
            tokens=sum(scored.tokens for scored in self._chunks),
        )

    def failed(self, cell: Cell, event: Mapping[str, Any]) -> None:
        reason = why_failed(event)
        self.cells[cell.id] = SpotCell(
            cell=cell.id, item_indices=cell.item_indices, status=CellStatus.FAILED, reason=reason
        )
        self._progress.note(f"failed: {cell.model} × {cell.task}: {reason}")
