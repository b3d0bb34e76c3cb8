"""The scores of baselines: classifiers that were trained for a task, to be shown beside models and never compared with them."""

from __future__ import annotations

from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import ScoreRow, TrainedBy
from evalsuite.analysis.score_table import scale_of, score_of
from evalsuite.records import CellStatus, PromptForm, Task
from evalsuite.store import RunFolder

__all__ = ["told", "trained_scores"]


def trained_scores(run: Run) -> tuple[ScoreRow, ...]:
    """Return a row for every baseline × task that was planned or skipped, also where it has no score."""
    return tuple(
        _row(run, name, task)
        for task in run.ordered_tasks
        if not task.only_read
        for name in run.trained
        if run.result(name, task.name, PromptForm.NATIVE)
        or any((skip.model, skip.task) == (name, task.name) for skip in run.skips)
    )


def told(by: TrainedBy) -> str:
    """Return what a baseline was trained on, in English, for tables that are no report."""
    if by.items is None:
        return "trained"
    low, high = by.items
    n = f"{low}" if low == high else f"{low} to {high}"
    return f"trained on {'the other folds, ' if by.folds else ''}{n} item{'' if high == 1 else 's'}"


def _row(run: Run, name: str, task: Task) -> ScoreRow:
    result = run.result(name, task.name, PromptForm.NATIVE)
    planned = len(result.cell.item_indices) if result else 0
    estimate = score_of(run, name, task.name, PromptForm.NATIVE)
    return ScoreRow(
        model=name,
        task=task.name,
        group=run.group_of(task.name),
        language=task.language,
        form=PromptForm.NATIVE,
        metric="acc",
        estimate=estimate,
        scale=scale_of(run, run.group_of(task.name)),
        chance=task.chance,
        above_chance=None if estimate.low is None or task.chance is None else estimate.low > task.chance,
        alternatives=(),
        spread=None,
        planned=planned,
        not_scored=planned - estimate.n,
        binary=bool(estimate.n),
        reproduced=None,
        status=result.status if result else CellStatus.SKIPPED,
        trained=TrainedBy(_items(run, name, task), None if task.trained_on is None else task.trained_on.folds),
    )


def _items(run: Run, name: str, task: Task) -> tuple[int, int] | None:
    """Return the smallest and the largest number of items that a prediction rests on; they differ between folds."""
    result = run.result(name, task.name, PromptForm.NATIVE)
    if result is None or result.cell.id not in run.frames:
        return None
    found = [record.metrics.get("trained_on") for record in RunFolder(run.path).records(result.cell)]
    counts = [n for n in found if isinstance(n, int)]
    return (min(counts), max(counts)) if counts else None
