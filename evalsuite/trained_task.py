"""Has a baseline trained for a task, and turns what it says of the items into records like those of a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evalsuite.backends.trained import Example, Prediction, Trainer, deal
from evalsuite.catalog.data import DataFinder
from evalsuite.errors import BackendError
from evalsuite.harness import BuiltTask, Item, prepared
from evalsuite.records import Record, Task, TrainedOn

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["TrainedTask"]


class TrainedTask:
    """A task whose items a baseline classifies; for a worker it stands in the place of `BuiltTask`.

    Args:
        task: The task, in any form: a baseline reads no prompt.
        finder: Reads the items, and those to train on.

    Raises:
        BackendError: The task does not say what to train on.
    """

    def __init__(self, task: BuiltTask, finder: DataFinder) -> None:
        if task.task.trained_on is None:
            raise BackendError(
                f"{task.task.name} names nothing that a classifier could be trained on",
                fix="give it `trained_on` (docs/baselines.md), or leave the baselines out",
            )
        self._task = task
        self._on: TrainedOn = task.task.trained_on
        self._finder = finder
        self._rows = _rows(task.task, finder)
        self._said: list[Prediction] | None = None

    def announce(self, trainer: Trainer, indices: Sequence[int]) -> None:
        """Do nothing: items share no work beyond the training."""

    def score(self, trainer: Trainer, indices: Sequence[int]) -> list[Record]:
        """Return the records of the items at `indices`, in that order. The classifier is trained at the first call.

        Raises:
            BackendError: The columns are missing, a label does not always mean the same choice, or a class is too small.
            DataMissingError: The training split cannot be had.
        """
        if self._said is None:
            self._items = self._task.items(range(len(self._task)))
            self._labels = self._column(self._rows, self._on.label)
            self._texts = self._column(self._rows, self._on.text)
            self._place = self._places()
            self._said = self._predictions(trainer)
        return [self._record(index, self._said[index]) for index in indices]

    def _predictions(self, trainer: Trainer) -> list[Prediction]:
        if self._on.split is not None:
            rows = _rows(_split(self._task.task, self._on.split), self._finder)
            return trainer.predict(self._examples(rows), self._texts)
        assert self._on.folds is not None
        own = self._examples(self._rows)
        said: dict[int, Prediction] = {}
        for part in deal(self._labels, self._on.folds, trainer.seed):
            held = set(part)
            others = [example for i, example in enumerate(own) if i not in held]
            said |= dict(zip(part, trainer.predict(others, [self._texts[i] for i in part]), strict=True))
        return [said[i] for i in range(len(own))]

    def _examples(self, rows: Dataset) -> list[Example]:
        pairs = zip(self._column(rows, self._on.text), self._column(rows, self._on.label), strict=True)
        return [Example(text, label) for text, label in pairs]

    def _column(self, rows: Dataset, name: str) -> list[str]:
        if name not in rows.column_names:
            raise BackendError(
                f"{self._task.task.name}: trained_on names the column {name!r}; the data has "
                f"{', '.join(rows.column_names)}",
                fix="mend trained_on in the task's metadata",
            )
        return [str(value) for value in rows[name]]

    def _places(self) -> dict[str, int]:
        """Return the right choice that each label stands for, as the items show it."""
        places: dict[str, int] = {}
        for item, label in zip(self._items, self._labels, strict=True):
            if item.gold is None:
                problem = f"{self._task.task.name}: item {item.id} has no right choice that {label!r} could stand for"
            elif places.setdefault(label, item.gold) != item.gold:
                problem = (
                    f"{self._task.task.name}: {self._on.label} {label!r} is choice {places[label]} in some items and "
                    f"choice {item.gold} in {item.id}"
                )
            else:
                continue
            raise BackendError(problem, fix="name a column whose value tells the right choice, or leave trained_on out")
        return places

    def _record(self, index: int, said: Prediction) -> Record:
        from lm_eval.utils import handle_non_serializable, hash_string

        item: Item = self._items[index]
        doc, text = self._rows[index], self._texts[index]
        prediction = self._place.get(said.label)  # a class that no item has is no choice, and wrong
        right = float(prediction is not None and prediction == item.gold)
        by_place = {place: said.scores.get(label) for label, place in self._place.items()}
        dumped = json.dumps(doc, indent=2, default=handle_non_serializable, ensure_ascii=False)
        return Record(
            item_id=item.id,
            item_index=index,
            context=text,
            choices=item.choices,
            target=item.target,
            prediction=prediction,
            metrics={"acc": right, "trained_on": said.trained_on},
            score=right,
            context_chars=len(text),
            context_bytes=len(text.encode()),
            doc=_json(doc),
            arguments=_json([[text]]),
            # One score for each choice; none for a choice that no label stands for.
            responses=_json([[by_place.get(place) for place in range(len(item.choices))]]),
            filtered=_json([said.label]),
            filter="none",
            doc_hash=hash_string(dumped),
            prompt_hash=hash_string(text),
            target_hash=hash_string(item.target),
        )


def _split(task: Task, split: str) -> Task:
    """Return a task with another split of its data in the place of its items."""
    return task.model_copy(update={"data": task.data.model_copy(update={"split": split, "sha256": None})})


def _rows(task: Task, finder: DataFinder) -> Dataset:
    """Return the rows of a task's split, as its `process_docs` makes them."""
    from lm_eval.tasks._yaml_loader import load_yaml

    return prepared(task, finder.load(task), load_yaml(task.path).get("process_docs"))[task.data.split]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
