"""The score of every cell with its interval, its chance level and what other scorings would have given."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalsuite.analysis.load import Run
from evalsuite.analysis.metrics import SCORINGS, right_choices
from evalsuite.analysis.rows import ALPHA, Alternative, AnswerSpread, Scale, ScoreRow, split_fix
from evalsuite.records import CellStatus, PromptForm, Task
from evalsuite.stats.intervals import Estimate
from evalsuite.stats.scores import score_interval

__all__ = ["answer_spread", "scale_of", "score_of", "scores", "why_no_items"]


def scores(run: Run) -> tuple[ScoreRow, ...]:
    """Return a row for every model × task × prompt form that was planned or skipped, also where it has no score.

    Texts that are only read have no score of this kind: see `analysis.parity`.
    """
    return tuple(
        _row(run, model, task, form)
        for group in run.groups
        for language in run.languages
        for task in run.manifest.tasks.values()
        if run.group_of(task.name) == group and task.language == language and not task.only_read
        for model in run.models
        for form in run.forms
        if run.result(model, task.name, form) or run.skip(model, task.name)
    )


def scale_of(run: Run, group: str) -> Scale:
    """Return how the scores of a group are to be read; one answer for the group, so that its rows can be compared."""
    return Scale.RAW if group in run.raw_groups else Scale.SHARE


def why_no_items(run: Run, model: str, task: str, form: PromptForm) -> str:
    """Return why a model has no scores on a task."""
    result, skip = run.result(model, task, form), run.skip(model, task)
    if result is None or result.status is CellStatus.SKIPPED:
        reason = skip.reason if skip else split_fix(result.reason if result else None)[0]
        return f"skipped: {reason}" if reason else "not part of this run"
    if result.status is CellStatus.FAILED:
        problem, _ = split_fix(result.reason)
        return f"failed: {problem}" if problem else "failed"
    if result.status is CellStatus.PENDING:
        return "not finished yet"
    metric = run.manifest.tasks[task].primary_metric
    return f"{metric} is not one number per item" if result.items else "no items"


def _row(run: Run, model: str, task: Task, form: PromptForm) -> ScoreRow:
    result = run.result(model, task.name, form)
    frame = run.frames.get(result.cell.id) if result else None
    planned = len(result.cell.item_indices) if result else 0
    values = _known(frame, "score")
    estimate = score_of(run, model, task.name, form)
    above = None if estimate.low is None or task.chance is None else estimate.low > task.chance
    return ScoreRow(
        model=model,
        task=task.name,
        group=run.group_of(task.name),
        language=task.language,
        form=form,
        metric=task.primary_metric,
        estimate=estimate,
        scale=scale_of(run, run.group_of(task.name)),
        chance=task.chance,
        above_chance=above,
        alternatives=tuple(_alternative(frame, name) for name in SCORINGS),
        spread=answer_spread(frame),
        planned=planned,
        not_scored=planned - int(values.size),
        binary=_is_binary(values) and run.group_of(task.name) not in run.raw_groups,
        reproduced=_reproduced(frame, task.primary_metric),
        status=result.status if result else CellStatus.SKIPPED,
    )


def score_of(run: Run, model: str, task: str, form: PromptForm) -> Estimate:
    """Return the score of a cell with its interval, or why it has none.

    The interval is that of `score_interval`: it respects clusters of items, and fits the kind of score.
    """
    result = run.result(model, task, form)
    frame = run.frames.get(result.cell.id) if result else None
    values = _known(frame, "score")
    if frame is None or not values.size:
        return Estimate(None, None, None, 0, "", why_no_items(run, model, task, form))
    clusters = list(frame.loc[frame["score"].notna(), "cluster"])
    # Items that do not all name their cluster are taken one by one.
    known = clusters if all(c is not None for c in clusters) else None
    return score_interval(values, known, level=1 - ALPHA, share=run.group_of(task) not in run.raw_groups)


def _is_binary(values: NDArray[np.float64]) -> bool:
    return bool(values.size) and bool(np.isin(values, (0.0, 1.0)).all())


def _alternative(frame: pd.DataFrame | None, metric: str) -> Alternative:
    values = _known(frame, metric)
    if values.size:
        return Alternative(metric, float(values.mean()), int(values.size))
    if frame is None:
        return Alternative(metric, None, 0, "no items")
    if metric == "acc_mutual_info" and _known(frame, "acc").size:
        return Alternative(metric, None, 0, "log-probabilities without context were not measured")
    return Alternative(metric, None, 0, "not a multiple-choice task")


def answer_spread(frame: pd.DataFrame | None) -> AnswerSpread | None:
    """Return how the answers of some items fall on the options; none where no item has such an answer."""
    if frame is None:
        return None
    answered = frame.loc[frame["prediction"].notna() & (frame["prediction"] < frame["n_choices"])]
    if answered.empty:
        return None
    choices, places = list(answered["choices"]), [int(p) for p in answered["prediction"]]
    answer, alike = Counter(c[p] for c, p in zip(choices, places, strict=True)).most_common(1)[0]
    place, there = Counter(places).most_common(1)[0]
    pairs = [(c, right_choices(t, c)) for c, t in zip(choices, answered["target"], strict=True)]
    known = [(c, right) for c, right in pairs if right]
    n = len(places)
    return AnswerSpread(
        n=n,
        answer=answer,
        answer_share=alike / n,
        answer_right=sum(answer in {c[i] for i in right} for c, right in known) / len(known) if known else None,
        place=place,
        place_share=there / n,
        place_right=sum(place in right for _, right in known) / len(known) if known else None,
    )


def _reproduced(frame: pd.DataFrame | None, metric: str) -> int | None:
    if frame is None or metric not in SCORINGS:
        return None
    # NaN equals nothing, so an item without a score or without log-probabilities does not count.
    return int((frame["score"] == frame[metric]).sum())


def _known(frame: pd.DataFrame | None, column: str) -> NDArray[np.float64]:
    if frame is None:
        return np.empty(0)
    values: NDArray[np.float64] = frame[column].to_numpy(dtype=np.float64)
    return values[~np.isnan(values)]
