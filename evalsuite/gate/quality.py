"""Rules on scores held against the stored items: least score, better than guessing, written answers in the right language."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evalsuite.analysis.load import Run
from evalsuite.analysis.metrics import RAW_METRICS
from evalsuite.analysis.paired_items import SCORES, scored_items, usable_clusters
from evalsuite.analysis.rows import Scale
from evalsuite.analysis.score_table import scale_of, why_no_items
from evalsuite.errors import InputError
from evalsuite.gate.amounts import Amount
from evalsuite.gate.fixes import Fix, advice, run_fix
from evalsuite.gate.rows import RuleTest, Unit, missing, tested
from evalsuite.gate.scope import Scope
from evalsuite.records import CellStatus, Task
from evalsuite.stats.one_sample import Against, items_to_settle, mean_against, share_against

if TYPE_CHECKING:
    from evalsuite.analysis.replies import ReplyRow

__all__ = ["CellItems", "Replies", "cell_items", "limit_of", "more_items", "run_name", "score_tests"]

Replies = Mapping[tuple[str, str, str], "ReplyRow"]
"""Written answers by model, task and prompt form."""


@dataclass(frozen=True, eq=False)
class CellItems:
    """The items of one finished cell that a use case is about."""

    frame: pd.DataFrame
    """`score` and `cluster` of the items that have a score, by item id."""
    not_scored: int

    @property
    def scores(self) -> NDArray[np.float64]:
        """One per item."""
        return self.frame["score"].to_numpy(dtype=np.float64)

    @cached_property
    def clusters(self) -> Sequence[Hashable] | None:
        """What each item shares with others; none where items are taken one by one."""
        found = usable_clusters(self.frame["cluster"])
        # Items that do not all name their cluster, or that all stand alone, are taken one by one.
        return found if found and len(set(found)) < len(found) else None


def cell_items(run: Run, scope: Scope, model: str, task: Task) -> CellItems | str:
    """Return the items of a finished cell that a use case is about, or why there are none."""
    key = (model, task.name)
    if key not in scope.cells:
        scope.cells[key] = _cell_items(run, scope, model, task)
    found: CellItems | str = scope.cells[key]
    return found


def _cell_items(run: Run, scope: Scope, model: str, task: Task) -> CellItems | str:
    result = run.result(model, task.name, scope.form)
    frame = run.frames.get(result.cell.id) if result else None
    if result is None or frame is None or result.status is not CellStatus.DONE:
        return why_no_items(run, model, task.name, scope.form)
    known, items = scored_items(run, model, task.name, scope.form, SCORES), len(frame)
    # The reference of a gap may be no language of the use case: its items are then paired by their ids.
    if scope.items is not None and task.name in scope.items:
        asked = scope.items[task.name]
        items = int(frame["item_id"].isin(asked).sum())
        known = known if known is None else known.loc[known.index.isin(asked)]
    if known is None or known.empty:
        return why_no_items(run, model, task.name, scope.form) if items else "no item of these categories"
    return CellItems(known, items - len(known))


def score_tests(run: Run, scope: Scope, model: str, language: str, replies: Replies) -> Iterator[RuleTest]:
    """Yield the tests of all rules on scores of one model in one language, but for gaps.

    Raises:
        InputError: A limit is not on the scale of the scores.
    """
    rules = scope.use_case.rules_of(language)
    for task in scope.tasks[language]:
        items = cell_items(run, scope, model, task)
        for rule in ("minimum_score", "above_chance"):
            if rule in rules.asked:
                yield from _score_test(rule, run, scope, model, task, items)
        if rules.wrong_language_share is not None:
            yield from _language_test(scope, model, task, replies, rules.wrong_language_share.value)


def _score_test(
    rule: str, run: Run, scope: Scope, model: str, task: Task, items: CellItems | str
) -> Iterator[RuleTest]:
    scale = scale_of(run, run.group_of(task.name))
    unit = Unit.SHARE if scale is Scale.SHARE else Unit.RAW
    if rule == "above_chance":
        # Where a guesser gets nothing right, there is nothing to be better than.
        if task.chance is None or not 0 < task.chance < 1:
            return
        limit = task.chance
    else:
        asked = scope.use_case.rules_of(task.language).minimum_score
        assert asked is not None
        where = f"{scope.where}: {rule}: {task.name}"
        limit = limit_of(asked, scale, where)
        if task.primary_metric in RAW_METRICS and limit < 1:
            told = f"{where}: {task.primary_metric} goes to 100, and the limit is {limit:g} of 100"
            raise InputError(told, fix=f"write {100 * limit:g} if that is what is meant")
    if isinstance(items, str):
        fix = run_fix(model, run_name(task), task.language)
        yield replace(missing(rule, f"no scores: {items}", task=task.name, unit=unit, fix=fix), limit=limit)
        return
    confidence = scope.policy.confidence
    found = mean_against(items.scores, limit, clusters=items.clusters, confidence=confidence)
    needed = _needed(found, found.p_above, limit, confidence) if scope.settle else None
    made = tested(rule, limit, found, at_least=True)
    yield replace(made, task=task.name, unit=unit, needed=needed, fix=more_items(model, task, needed))


def limit_of(amount: Amount, scale: Scale, where: str) -> float:
    """Return an amount on the scale of scores.

    Args:
        amount: As the policy gives it.
        scale: Whether the scores are shares.
        where: What the error begins with.

    Raises:
        InputError: It is no amount of that scale.
    """
    if scale is Scale.SHARE and amount.value >= 1:
        shown = f"{amount.value:g}"
        raise InputError(
            f"{where}: the scores are shares from 0 to 1, and the limit is {shown}",
            fix=f"write {shown} % or {shown} points if that is what is meant",
        )
    if scale is Scale.RAW and amount.is_share:
        raise InputError(
            f"{where}: the scores are no shares, and the limit is given in {amount.unit}",
            fix="write a plain number on the scale of the scores; `evalsuite report` shows them",
        )
    return amount.value


def _needed(found: Against, p_go: float | None, limit: float, confidence: float) -> int | None:
    """Return how many items would settle what is not shown to be kept."""
    if p_go is None or p_go <= 1 - confidence:
        return None
    return items_to_settle(found, limit, confidence=confidence)


def run_name(task: Task) -> str:
    """Return what a task is called for in all languages."""
    return task.parallel_group or task.name


def more_items(model: str, task: Task, needed: int | None) -> Fix | None:
    """Return what would settle a score: more items, if the task has them."""
    if needed is None:
        return None
    if task.items is not None and needed > task.items:
        return advice(
            f"{run_name(task)} has only {task.items} items in a language, fewer than would settle what is open: score more "
            "items of the kind, such as your own messages (`evalsuite classify-eval`)"
        )
    return run_fix(model, run_name(task), task.language, text="with a larger --limit, or none")


def _language_test(scope: Scope, model: str, task: Task, replies: Replies, limit: float) -> Iterator[RuleTest]:
    if task.output_type != "generate_until":
        return
    rule = "wrong_language_share"
    row = replies.get((model, task.name, scope.form))
    share = row.wrong_language if row else None
    if share is None or share.value is None:
        told = share.reason if share and share.reason else "no written answers"
        fix = run_fix(model, run_name(task), task.language)
        yield replace(missing(rule, told, task=task.name, fix=fix), limit=limit)
        return
    confidence = scope.policy.confidence
    found = share_against(round(share.value * share.n), share.n, limit, confidence=confidence)
    needed = _needed(found, found.p_below, limit, confidence) if scope.settle else None
    made = tested(rule, limit, found, at_least=False)
    yield replace(made, task=task.name, of="answers", needed=needed, fix=more_items(model, task, needed))
