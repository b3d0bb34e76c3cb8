"""What becomes of each category, and how far a model's confidence can be trusted: a row for every cell of categories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from evalsuite.analysis.category_cells import CategoryCell, category_cells
from evalsuite.analysis.confidence import Confidence, confidence_of
from evalsuite.analysis.confusion import Confusion, confusion_of
from evalsuite.analysis.load import Run
from evalsuite.records import PromptForm
from evalsuite.stats.calibration import CalibrationDraws

__all__ = ["CategoryRow", "category_answers"]


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """One model on one task whose items all offer the same categories, in one prompt form."""

    model: str
    task: str
    group: str
    language: str
    family: str
    form: PromptForm
    metric: str
    """The task's primary metric, which says what an answer's confidence is made from."""
    confusion: Confusion | None
    confidence: Confidence | None
    reason: str | None
    """Why there is neither."""


def category_answers(run: Run) -> tuple[CategoryRow, ...]:
    """Return a row for every model × task × main prompt form whose items all offer the same categories."""
    # Drawn once for all cells of as many items, by that number alone, so that no order of work matters.
    draws = lru_cache(maxsize=4)(lambda n: CalibrationDraws(n, run.rng("calibration", str(n))))
    return tuple(_row(run, cell, draws) for cell in category_cells(run))


def _row(run: Run, cell: CategoryCell, draws: Callable[[int], CalibrationDraws]) -> CategoryRow:
    keys = (cell.model, cell.task.name, cell.form.value)
    found = cell.reason is None
    return CategoryRow(
        model=cell.model,
        task=cell.task.name,
        group=cell.group,
        language=cell.task.language,
        family=cell.task.family,
        form=cell.form,
        metric=cell.task.primary_metric,
        confusion=confusion_of(cell.names, cell.right, cell.picked, run.rng("confusion", *keys)) if found else None,
        confidence=confidence_of(cell.right, cell.values, run.rng("confidence", *keys), draws(len(cell.right)))
        if found
        else None,
        reason=cell.reason,
    )
