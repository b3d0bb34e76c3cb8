"""Single items as they were put to the models, and what each model answered: read from the stored records of few items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.analysis.confidence import probabilities
from evalsuite.analysis.load import Run
from evalsuite.analysis.metrics import SCORINGS, right_choices
from evalsuite.analysis.score_table import why_no_items
from evalsuite.records import CellResult, PromptForm, Task
from evalsuite.store import RunFolder

__all__ = ["Asked", "ItemAnswer", "ItemSide", "read_sides", "stored_rows"]

_KNOWN = ("item_id", "choices", "target", "score", "prediction")


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """What one model answered to one item in one language."""

    model: str
    asked: bool = False
    """Whether the item is stored for this model."""
    picked: int | None = None
    """Place of the option that was chosen."""
    output: str | None = None
    """The answer that was written."""
    score: float | None = None
    """By the task's primary metric."""
    confidence: float | None = None
    """Share of the chosen option, 0 to 1, as `confidence.probabilities` has it for the task's own metric."""
    lost: bool = False
    """Wrong here, and right in the reference language."""
    reason: str | None = None
    """Why the model has no items of the task, where it has none."""

    @property
    def right(self) -> bool | None:
        """Whether it is right; none where there is no score, or one that is neither 0 nor 1."""
        return None if self.score not in {0.0, 1.0} else self.score == 1.0


@dataclass(frozen=True, slots=True)
class ItemSide:
    """One item in one language. Texts are empty where they are withheld."""

    id: str
    task: str
    language: str
    reference: str | None
    """Language that this one is held against, where the group has it."""
    context: str
    """What was put to the models."""
    choices: tuple[str, ...]
    right: tuple[int, ...]
    """Places of the right options."""
    target: str
    """The reference answer, where there are no options."""
    answers: tuple[ItemAnswer, ...]
    """One of each model."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Which k items of a task are wanted."""

    task: Task
    form: PromptForm
    reference: str | None
    rows: NDArray[np.intp]
    """Where each stands among the items of each model, −1 where it does not; m × k."""
    lost: NDArray[np.bool_]
    """Whether each model is wrong here, and right in the reference; m × k."""
    texts: bool
    """Whether texts are wanted too."""

    @property
    def written(self) -> bool:
        """Whether answers are written."""
        return self.task.output_type == "generate_until"


def read_sides(run: Run, asked: Asked) -> list[ItemSide | None]:
    """Return each item as one task has it; none for an item that it lacks.

    Raises:
        StoreError: The stored items are damaged.
    """
    k = asked.rows.shape[1]
    items: list[dict[str, Any]] = [{} for _ in range(k)]
    answers = [[ItemAnswer(model) for model in run.models] for _ in range(k)]
    for m, model in enumerate(run.models):
        result, rows = run.result(model, asked.task.name, asked.form), asked.rows[m]
        here = np.flatnonzero(rows >= 0)
        if result is None or not len(here):
            reason = None if run.ids(result) is not None else why_no_items(run, model, asked.task.name, asked.form)
            for line in answers:
                line[m] = ItemAnswer(model, reason=reason)
            continue
        known = _known(run, result, rows[here])
        stored = stored_rows(run, result, rows[here], _columns(asked))
        new = [i for i in here.tolist() if not items[i]]
        # What was put to one model was put to all: it is read once for each item.
        contexts = stored_rows(run, result, rows[new], ("context",)) if new and asked.texts else [{}] * len(new)
        for i, context in zip(new, contexts, strict=True):
            items[i] = context
        for i, own, item in zip(here.tolist(), stored, known, strict=True):
            items[i] = {**item, **items[i]}
            answers[i][m] = _answer(model, asked, own, item, lost=bool(asked.lost[m, i]))
    return [_side(asked, item, line) if item else None for item, line in zip(items, answers, strict=True)]


def _known(run: Run, result: CellResult, rows: NDArray[np.intp]) -> list[dict[str, Any]]:
    """Return what is in memory of single records of a cell."""
    frame = run.frames[result.cell.id]
    columns = [frame[name].to_numpy()[rows].tolist() for name in _KNOWN]
    return [dict(zip(_KNOWN, values, strict=True)) for values in zip(*columns, strict=True)]


def _columns(asked: Asked) -> tuple[str, ...]:
    if asked.written:
        return ("output",) if asked.texts else ()
    return ("logprobs", *(("prior_logprobs",) if asked.task.primary_metric == "acc_mutual_info" else ()))


def stored_rows(run: Run, result: CellResult, rows: NDArray[np.intp], columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return columns of single records of a cell, of the items that stand at `rows`.

    Raises:
        StoreError: The stored items are damaged.
    """
    if not columns:
        return [{} for _ in rows]
    found: list[dict[str, Any]] = RunFolder(run.path).table(result.cell, columns=columns).take(rows).to_pylist()
    return found


def _answer(model: str, asked: Asked, stored: dict[str, Any], item: dict[str, Any], *, lost: bool) -> ItemAnswer:
    score, picked = (None if np.isnan(item[name]) else float(item[name]) for name in ("score", "prediction"))
    place = None if picked is None or not 0 <= picked < len(item["choices"]) else int(picked)
    return ItemAnswer(
        model=model,
        asked=True,
        picked=place,
        output=stored.get("output"),
        score=score,
        confidence=None if place is None else _confidence(asked.task.primary_metric, item["choices"], stored, place),
        lost=lost,
    )


def _confidence(metric: str, choices: tuple[str, ...], stored: dict[str, Any], picked: int) -> float | None:
    """Return the share of an option, as `category_cells` has it for whole cells; none where it cannot be had."""
    values = np.array(stored["logprobs"] or (), dtype=np.float64)
    if metric not in SCORINGS or len(values) != len(choices) or not len(values):
        return None
    if metric == "acc_mutual_info":
        priors = np.array(stored["prior_logprobs"] or (), dtype=np.float64)
        if len(priors) != len(values):
            return None
        values = values - priors
    elif metric in {"acc_norm", "acc_bytes"}:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = values / [len(choice) if metric == "acc_norm" else len(choice.encode()) for choice in choices]
    if np.isnan(values).any() or not np.isfinite(values.max()):
        return None
    return float(probabilities(values[None, :])[0, picked])


def _side(asked: Asked, item: dict[str, Any], answers: list[ItemAnswer]) -> ItemSide:
    choices, target = tuple(item["choices"]), str(item["target"])
    return ItemSide(
        id=str(item["item_id"]),
        task=asked.task.name,
        language=asked.task.language,
        reference=asked.reference,
        context=str(item.get("context") or ""),
        choices=choices if asked.texts else (),
        right=tuple(sorted(right_choices(target, choices))),
        target=target if asked.texts and not choices else "",
        answers=tuple(answers),
    )
