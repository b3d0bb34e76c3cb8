"""What becomes of each category, and how far a model's confidence can be trusted: a row for every cell of categories."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from evalsuite.analysis.beside import one_thread
from evalsuite.analysis.category_cells import CategoryCell, category_cells
from evalsuite.analysis.confidence import Confidence, confidence_of
from evalsuite.analysis.confusion import RESAMPLES, Confusion, confusion_of
from evalsuite.analysis.load import Run
from evalsuite.records import PromptForm, digest
from evalsuite.stats.calibration import CalibrationDraws
from evalsuite.stats.strata import stratified_weights

__all__ = ["CategoryRow", "category_answers"]

_MOST_KEPT = 4000
"""Items up to which samples are kept as one number for each: 32 megabytes."""


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
    shared = _Shared(run)
    # Products of matrices are many and small: threads gain little by them, and lose much where a machine has other work.
    with one_thread():
        return tuple(_row(run, cell, shared) for cell in category_cells(run))


class _Shared:
    """Random draws that serve many cells. What they depend on is the key of their generator, so that no order of work matters."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.calibration = lru_cache(maxsize=4)(self._calibration)
        self._samples = lru_cache(maxsize=2)(self._drawn)

    def samples(self, right: NDArray[np.intp]) -> NDArray[np.float32] | None:
        """Return how much each item counts in bootstrap samples within categories; none for too many items to keep that."""
        return self._samples(right.tobytes()) if right.size <= _MOST_KEPT else None

    def _calibration(self, n: int) -> CalibrationDraws:
        return CalibrationDraws(n, self._run.rng("calibration", str(n)))

    def _drawn(self, right: bytes) -> NDArray[np.float32]:
        places = np.frombuffer(right, dtype=np.intp)
        rng = self._run.rng("confusion", digest(places.tolist()))
        return stratified_weights(places, rng, RESAMPLES, collapse=False).astype(np.float32)


def _row(run: Run, cell: CategoryCell, shared: _Shared) -> CategoryRow:
    keys = (cell.model, cell.task.name, cell.form.value)
    confusion = confidence = None
    if cell.reason is None:
        samples = shared.samples(cell.right)
        confusion = confusion_of(cell.names, cell.right, cell.picked, run.rng("confusion", *keys), samples)
        draws = shared.calibration(len(cell.right))
        confidence = confidence_of(cell.right, cell.values, run.rng("confidence", *keys), draws)
    return CategoryRow(
        model=cell.model,
        task=cell.task.name,
        group=cell.group,
        language=cell.task.language,
        family=cell.task.family,
        form=cell.form,
        metric=cell.task.primary_metric,
        confusion=confusion,
        confidence=confidence,
        reason=cell.reason,
    )
