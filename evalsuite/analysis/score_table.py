"""The score of every cell with its interval, its chance level and what other scorings would have given."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalsuite.analysis.load import Run
from evalsuite.analysis.metrics import SCORINGS, right_choices
from evalsuite.analysis.rows import ALPHA, Alternative, AnswerSpread, Scale, ScoreRow, split_fix
from evalsuite.records import CellResult, CellStatus, PromptForm, Task
from evalsuite.stats.intervals import Estimate
from evalsuite.stats.scores import score_interval

__all__ = ["answer_spread", "scale_of", "score_of", "scores", "why_no_items"]


def scores(run: Run) -> tuple[ScoreRow, ...]:
    """Return a row for every model × task × prompt form that was planned or skipped, also where it has no score.

    Texts that are only read have no score of this kind: see `analysis.parity`.
    """
    return tuple(
        _row(run, model, task, form)
        for task in run.ordered_tasks
        if not task.only_read
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
    values = _known(run, result, "score")
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
        alternatives=tuple(_alternative(run, result, name) for name in SCORINGS),
        spread=answer_spread(frame),
        planned=planned,
        not_scored=planned - int(values.size),
        binary=_is_binary(values) and run.group_of(task.name) not in run.raw_groups,
        reproduced=_reproduced(run, result, task.primary_metric),
        status=result.status if result else CellStatus.SKIPPED,
    )


def score_of(run: Run, model: str, task: str, form: PromptForm) -> Estimate:
    """Return the score of a cell with its interval, or why it has none.

    The interval is that of `score_interval`: it respects clusters of items, and fits the kind of score.
    """
    result = run.result(model, task, form)
    values = _known(run, result, "score")
    if result is None or not values.size:
        return Estimate(None, None, None, 0, "", why_no_items(run, model, task, form))
    clusters = _clusters(run.frames[result.cell.id])
    return score_interval(values, clusters, level=1 - ALPHA, share=run.group_of(task) not in run.raw_groups)


def _clusters(frame: pd.DataFrame) -> list[str] | None:
    """Return the cluster of each scored item; none where not all name one: they are then taken one by one."""
    clusters: list[str | None] = frame["cluster"].to_numpy()[frame["score"].notna().to_numpy()].tolist()
    named = [cluster for cluster in clusters if cluster is not None]
    return named if len(named) == len(clusters) else None


def _is_binary(values: NDArray[np.float64]) -> bool:
    return bool(values.size) and bool(((values == 0) | (values == 1)).all())


def _alternative(run: Run, result: CellResult | None, metric: str) -> Alternative:
    values = _known(run, result, metric)
    if values.size:
        return Alternative(metric, float(values.mean()), int(values.size))
    if run.numbers(result, metric) is None:
        return Alternative(metric, None, 0, "no items")
    if metric == "acc_mutual_info" and _known(run, result, "acc").size:
        return Alternative(metric, None, 0, "log-probabilities without context were not measured")
    return Alternative(metric, None, 0, "not a multiple-choice task")


def answer_spread(frame: pd.DataFrame | None) -> AnswerSpread | None:
    """Return how the answers of some items fall on the options; none where no item has such an answer."""
    if frame is None:
        return None
    prediction = frame["prediction"].to_numpy()
    answered = np.flatnonzero(prediction < frame["n_choices"].to_numpy())
    if not answered.size:
        return None
    places, right = prediction[answered].astype(np.intp), frame["right"].to_numpy()[answered]
    choices: list[tuple[str, ...]] = frame["choices"].to_numpy()[answered].tolist()
    answer, alike = Counter(_at(choices, places)).most_common(1)[0]
    counts = np.bincount(places)
    # Of places that are answered equally often the one that comes first, as `Counter` has it.
    place = int(places[(counts[places] == counts.max()).argmax()])
    # Of most items one choice is right; only of the others is the target looked at again.
    one = ~np.isnan(right)
    single = right[one].astype(np.intp)
    told = int(single.size)
    answer_hits = _at(choices if one.all() else [choices[i] for i in np.flatnonzero(one)], single).count(answer)
    place_hits = int((single == place).sum())
    others = np.flatnonzero(~one)
    for i, target in zip(others.tolist(), frame["target"].iloc[answered[others]], strict=True):
        several = right_choices(target, choices[i])
        told += bool(several)
        answer_hits += any(choices[i][r] == answer for r in several)
        place_hits += place in several
    n = len(places)
    return AnswerSpread(
        n=n,
        answer=answer,
        answer_share=alike / n,
        answer_right=answer_hits / told if told else None,
        place=place,
        place_share=int(counts[place]) / n,
        place_right=place_hits / told if told else None,
    )


def _at(choices: list[tuple[str, ...]], places: NDArray[np.intp]) -> list[str]:
    return [offered[place] for offered, place in zip(choices, places.tolist(), strict=True)]


def _reproduced(run: Run, result: CellResult | None, metric: str) -> int | None:
    scores = run.numbers(result, "score")
    if scores is None or metric not in SCORINGS:
        return None
    # NaN equals nothing, so an item without a score or without log-probabilities does not count.
    return int((scores == run.numbers(result, metric)).sum())


def _known(run: Run, result: CellResult | None, column: str) -> NDArray[np.float64]:
    values = run.numbers(result, column)
    return np.empty(0) if values is None else values[~np.isnan(values)]
