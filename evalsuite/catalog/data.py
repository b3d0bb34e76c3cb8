"""Where a task's items are: shipped beside the task, in a mirror folder, or on the hub at a pinned revision."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import DataMissingError, InputError
from evalsuite.records import Task

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

__all__ = ["DataFinder", "id_columns", "item_id", "mirror_from"]

_ENVIRONMENT = "EVALSUITE_DATA"
_ID_SEPARATOR = "/"


def mirror_from(given: Path | None) -> Path | None:
    """Return the mirror folder: the one given, else that of EVALSUITE_DATA, else none.

    Raises:
        InputError: The folder does not exist.
    """
    path = given or (Path(os.environ[_ENVIRONMENT]) if os.environ.get(_ENVIRONMENT) else None)
    if path is not None and not path.is_dir():
        source = "--data" if given else _ENVIRONMENT
        raise InputError(
            f"{source}: {path} is no folder", fix="give a folder laid out as <hub id>/<config>/<split>.parquet"
        )
    return path


class DataFinder:
    """Finds and reads the items of tasks.

    Args:
        mirror: Folder laid out as `<hub id>/<config>/<split>.parquet`; looked into before the hub.
        offline: Whether the hub may not be asked.
    """

    def __init__(self, mirror: Path | None = None, *, offline: bool = False) -> None:
        self.mirror = mirror
        self.offline = offline

    def locate(self, task: Task) -> Task:
        """Return `task` with where its data was found; nothing is downloaded.

        Raises:
            DataMissingError: It is in no place that may be asked.
        """
        if task.data.kind == "shipped":
            return _found(task, "shipped", None)
        paths = self._mirror_files(task)
        if paths is not None:
            digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
            whole = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
            return _found(task, "mirror", whole)
        what, mirror = _named(task), f"not in {self.mirror}" if self.mirror else "not on this machine"
        if task.data.kind == "mirror":
            raise DataMissingError(
                f"{what} is {mirror}, and it is not published on the hub",
                fix=f"make a mirror of github.com/{task.data.path} (docs/tasks.md) and give it with --data or {_ENVIRONMENT}",
            )
        if not self.offline:
            return _found(task, "hub", None)
        raise DataMissingError(
            f"{what} is {mirror}, and --offline forbids the hub",
            fix=f"leave --offline out, or give a mirror with --data or {_ENVIRONMENT}",
        )

    def load(self, task: Task, count_tokens: Callable[[str], int] | None = None) -> DatasetDict:
        """Return the task's data; from the hub it is downloaded, and cached by `datasets`.

        Several configurations are joined in their order, with a column `subset` that names them.

        Args:
            task: The task.
            count_tokens: Returns how many tokens a text has for the model that will be asked. A `custom_dataset` function
                is given it, to make texts as long as they should be; number, order and ids of items must not depend on it.

        Raises:
            DataMissingError: It cannot be had.
        """
        import datasets

        located = self.locate(task)
        if located.data.found == "shipped":
            return _shipped(task, count_tokens)
        paths = self._mirror_files(task)
        if paths is None:
            return datasets.DatasetDict({task.data.split: _joined(task, [_from_hub(task, c) for c in _configs(task)])})
        datasets.disable_progress_bars()  # a file on this machine is read before a bar is seen
        parts = []
        for path in paths:
            try:
                parts.append(datasets.Dataset.from_parquet(str(path)))
            except Exception as error:
                # pyarrow and datasets each raise classes of their own for a file that is no Parquet.
                raise DataMissingError(f"{path} cannot be read: {error}", fix="make the mirror again") from error
        return datasets.DatasetDict({task.data.split: _joined(task, parts)})

    def item_ids(self, task: Task) -> list[str]:
        """Return the id of every item, in the data's order."""
        split = self.load(task)[task.data.split]
        columns = id_columns(task)
        missing = [column for column in columns if column not in split.column_names]
        if missing:
            raise DataMissingError(
                f"{task.name}: the data has no id column {missing[0]!r}; it has {', '.join(split.column_names)}",
                fix="the data set has changed, or the mirror is of another version",
            )
        if not columns:
            return [str(i) for i in range(len(split))]
        values = [split[column] for column in columns]
        return [_ID_SEPARATOR.join(map(str, row)) for row in zip(*values, strict=True)]

    def _mirror_files(self, task: Task) -> list[Path] | None:
        """Return the files of all configurations, or none where one of them is missing."""
        if self.mirror is None or task.data.path is None:
            return None
        folder = self.mirror / task.data.path
        paths = [folder / (config or "") / f"{task.data.split}.parquet" for config in _configs(task)]
        return paths if all(path.is_file() for path in paths) else None


def id_columns(task: Task) -> tuple[str, ...]:
    """Return the columns whose values together name an item; none where its position does."""
    column = task.id_column
    return () if column is None else (column,) if isinstance(column, str) else column


def item_id(task: Task, row: Mapping[str, Any], index: int) -> str:
    """Return the id of one item: the value of the id column, several joined, or the position."""
    columns = id_columns(task)
    return _ID_SEPARATOR.join(str(row[column]) for column in columns) if columns else str(index)


def _configs(task: Task) -> tuple[str | None, ...]:
    return task.data.configs or (task.data.config,)


def _named(task: Task) -> str:
    several = f"{len(task.data.configs)} configurations" if task.data.configs else task.data.config or "default"
    return f"{task.data.path} ({several}, {task.data.split})"


def _from_hub(task: Task, config: str | None) -> Dataset:
    import datasets

    try:
        split: Dataset = datasets.load_dataset(
            task.data.path, config, revision=task.data.revision, split=task.data.split
        )
    except Exception as error:
        # datasets and huggingface_hub raise a dozen unrelated classes for "cannot be had".
        told = str(error).strip().splitlines()[:1]
        raise DataMissingError(
            f"{_named(task)} could not be had from the hub: "
            f"{type(error).__name__}: {told[0] if told else 'no reason given'}",
            fix=f"check the network and HF_TOKEN, or give a mirror with --data or {_ENVIRONMENT}",
        ) from error
    return split


def _joined(task: Task, parts: list[Dataset]) -> Dataset:
    import datasets

    if not task.data.configs:
        return parts[0]
    named = [
        part.add_column("subset", [config] * len(part)) for config, part in zip(task.data.configs, parts, strict=True)
    ]
    return datasets.concatenate_datasets(named)


def _shipped(task: Task, count_tokens: Callable[[str], int] | None) -> DatasetDict:
    """Return what the task's own `custom_dataset` function makes of its files."""
    from lm_eval.tasks._yaml_loader import load_yaml

    try:
        config = load_yaml(task.path)
        counter = {} if count_tokens is None else {"count_tokens": count_tokens}
        data: DatasetDict = config["custom_dataset"](**config["metadata"], **counter)
        _ = data[task.data.split]
    except Exception as error:
        # A task's code may raise anything; it must not end the sweep.
        raise DataMissingError(
            f"{task.name}: custom_dataset failed: {type(error).__name__}: {error}",
            fix=f"mend {task.path.name} or its files",
        ) from error
    return data


def _found(task: Task, where: str, sha256: str | None) -> Task:
    return task.model_copy(update={"data": task.data.model_copy(update={"found": where, "sha256": sha256})})
