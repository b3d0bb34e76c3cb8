"""Makes a pack: checks the place, writes it, reads it back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from evalsuite import __version__
from evalsuite.bundle.parts import INCLUDED, Item, gather
from evalsuite.bundle.texts import readme, run_script
from evalsuite.bundle.write import prune, require_space, write_all, write_file
from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.fetch import Progress
from evalsuite.catalog.load import Catalog, load_catalog
from evalsuite.errors import EvalsuiteError, InputError
from evalsuite.pack import LOCK, UNFINISHED, Pack, PackLock
from evalsuite.plan import Plan, make_plan, prepare_models
from evalsuite.provenance import versions
from evalsuite.sweep import load_sweep

__all__ = ["check_target", "make_pack"]


def check_target(folder: Path, sources: Sequence[Path]) -> None:
    """Refuse a folder that a pack must not be written to.

    Args:
        folder: Where the pack is to be.
        sources: Files and folders that it is made from.

    Raises:
        InputError: The folder holds something else than a pack, or a source lies in it.
    """
    other = "give another folder with --out"
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file", fix=other)
    if folder.is_dir() and not any((folder / name).is_file() for name in (LOCK, UNFINISHED)):
        inside = sorted(path.name for path in folder.iterdir())
        if inside:
            told = ", ".join(inside[:3]) + (" …" if len(inside) > 3 else "")
            raise InputError(f"{folder} is no pack, and not empty ({told})", fix=other)
    for source in sources:
        if source.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"{source} lies in the folder that the pack is to be written to, {folder}", fix=other)


def make_pack(
    plan: Plan,
    catalog: Catalog,
    folder: Path,
    *,
    finder: DataFinder,
    progress: Progress,
) -> PackLock:
    """Write a pack, read it back, and return its lock.

    Args:
        plan: What the pack is for, with the models at hand.
        catalog: That the plan was made with.
        folder: Where to; a pack that is there is renewed.
        finder: Reads the data, as for the plan.
        progress: Is told of what is copied and hashed.

    Raises:
        InputError: There is nothing to pack, the folder cannot be used, the disk is too small, or the pack would not
            measure the same as here.
    """
    parts = gather(plan, catalog, finder)
    sources = [item.source for item in parts.items.values() if item.source is not None]
    check_target(folder, [*sources, *plan.sweep.include])
    for include in plan.sweep.include:
        if any(folder.resolve().is_relative_to((include / sub).resolve()) for sub in INCLUDED):
            raise InputError(f"{folder} lies in {include}, which is packed", fix="give another folder with --out")
    require_space(folder, parts)
    lock = PackLock(
        name=plan.sweep.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        evalsuite=__version__,
        versions=versions(),
        models=tuple(parts.models.values()),
        data=tuple(parts.data.values()),
        tasks={name: task.sha256 for name, task in plan.tasks.items()},
        left_out=tuple(parts.left_out),
        files={},
    )
    parts.add(Item("README.txt", data=readme(lock).encode()), Item("run.sh", data=run_script(lock).encode()))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / UNFINISHED).write_text("`evalsuite bundle` is at work here, or was interrupted.\n", encoding="utf-8")
        (folder / LOCK).unlink(missing_ok=True)
        lock = lock.model_copy(update={"files": write_all(folder, parts, progress)})
        prune(folder, lock.files)
        _read_back(Pack(folder, lock), plan)
        write_file(folder / LOCK, (lock.model_dump_json(indent=1) + "\n").encode())
        (folder / UNFINISHED).unlink()
    except OSError as error:
        raise InputError(
            f"{error.filename or folder}: {error.strerror or error}",
            fix="mend that, free some space or give another folder with --out, then give the same command again",
        ) from error
    return lock


def _read_back(pack: Pack, plan: Plan) -> None:
    """Prove that the pack leads to the same cells as here, so that their results can be put together."""
    try:
        sweep = load_sweep(pack.sweep_path)
        catalog = load_catalog(sweep.include)
        models = prepare_models(sweep, catalog, offline=True, download=True)
        again = make_plan(sweep, catalog, pack.finder(), models)
        problem = None
    except EvalsuiteError as error:
        again, problem = None, error.problem
    odd = sorted({cell.id for cell in plan.cells} ^ {cell.id for cell in again.cells}) if again else []
    if odd:
        problem = f"it would not measure the same as here: {', '.join(odd[:3])}{' …' if odd[3:] else ''}"
    if problem:
        raise InputError(
            f"the pack {pack.folder} cannot be used: {problem}",
            fix="a task may use only files below the tasks/ folder that it is in; mend it, then give the command again",
        )
