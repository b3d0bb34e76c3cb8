"""Where a task's items are: shipped beside the task, in a mirror folder, or on the hub at a pinned revision."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.errors import DataMissingError, InputError
from evalsuite.records import Task

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

__all__ = ["DataFinder", "mirror_from"]

_ENVIRONMENT = "EVALSUITE_DATA"


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
        path = self._mirror_file(task)
        if path is not None:
            return _found(task, "mirror", hashlib.sha256(path.read_bytes()).hexdigest())
        if not self.offline:
            return _found(task, "hub", None)
        raise DataMissingError(
            f"{task.data.path} ({task.data.config or 'default'}, {task.data.split}) is "
            + (f"not in {self.mirror}" if self.mirror else "not on this machine")
            + ", and --offline forbids the hub",
            fix=f"leave --offline out, or give a mirror with --data or {_ENVIRONMENT}",
        )

    def load(self, task: Task) -> DatasetDict:
        """Return the task's data; from the hub it is downloaded, and cached by `datasets`.

        Raises:
            DataMissingError: It cannot be had.
        """
        import datasets

        located = self.locate(task)
        if located.data.found == "shipped":
            return _shipped(task)
        if located.data.found == "mirror":
            path = self._mirror_file(task)
            try:
                return datasets.DatasetDict({task.data.split: datasets.Dataset.from_parquet(str(path))})
            except Exception as error:
                # pyarrow and datasets each raise classes of their own for a file that is no Parquet.
                raise DataMissingError(f"{path} cannot be read: {error}", fix="make the mirror again") from error
        try:
            split: Dataset = datasets.load_dataset(
                task.data.path, task.data.config, revision=task.data.revision, split=task.data.split
            )
        except Exception as error:
            # datasets and huggingface_hub raise a dozen unrelated classes for "cannot be had".
            told = str(error).strip().splitlines()[:1]
            raise DataMissingError(
                f"{task.data.path} ({task.data.config or 'default'}, {task.data.split}) could not be had from the hub: "
                f"{type(error).__name__}: {told[0] if told else 'no reason given'}",
                fix=f"check the network and HF_TOKEN, or give a mirror with --data or {_ENVIRONMENT}",
            ) from error
        return datasets.DatasetDict({task.data.split: split})

    def item_ids(self, task: Task) -> list[str]:
        """Return the id of every item, in the data's order: the id column, else the position."""
        split = self.load(task)[task.data.split]
        if task.id_column is None:
            return [str(i) for i in range(len(split))]
        if task.id_column not in split.column_names:
            raise DataMissingError(
                f"{task.name}: the data has no id column {task.id_column!r}; it has {', '.join(split.column_names)}",
                fix="the data set has changed, or the mirror is of another version",
            )
        return [str(value) for value in split[task.id_column]]

    def _mirror_file(self, task: Task) -> Path | None:
        if self.mirror is None or task.data.path is None:
            return None
        path = self.mirror / task.data.path / (task.data.config or "") / f"{task.data.split}.parquet"
        return path if path.is_file() else None


def _shipped(task: Task) -> DatasetDict:
    """Return what the task's own `custom_dataset` function makes of its files."""
    from lm_eval.tasks._yaml_loader import load_yaml

    try:
        config = load_yaml(task.path)
        data: DatasetDict = config["custom_dataset"](**config["metadata"])
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
