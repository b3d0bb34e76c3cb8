"""What it changes to list the categories in the prompt, to describe them, or to name them in English; and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evalsuite.analysis.gap_table import verdict_of
from evalsuite.analysis.load import Run
from evalsuite.analysis.paired_items import forms_difference, numbers_by_item, shared_items
from evalsuite.analysis.rows import ALPHA, Scale, Verdict
from evalsuite.analysis.score_table import scale_of, score_of
from evalsuite.records import PromptForm, Task
from evalsuite.stats.corrections import holm
from evalsuite.stats.intervals import Estimate, ratio_of_means
from evalsuite.stats.paired import PairedDifference

__all__ = ["LabelWordingRow", "category_names"]


@dataclass(frozen=True, slots=True)
class LabelWordingRow:
    """One model on one task with its categories named in one way, against the task's plain form."""

    model: str
    task: str
    group: str
    language: str
    base: PromptForm
    """The task's own words, categories not listed; plain or in the chat template, as `form` is."""
    form: PromptForm
    """Equal to `base` in the row of the plain form itself."""
    scale: Scale
    score: Estimate
    """Over all items of the cell."""
    difference: PairedDifference | None
    """This form minus `base`, on the same items; none in the row of `base`."""
    p_holm: float | None
    """Corrected over all differences of this table."""
    verdict: Verdict | None
    tokens: float | None
    """Mean tokens of an item's prompt, without the answer."""
    tokens_ratio: Estimate | None
    """Tokens of this form for each token of `base`, on the same items; none in the row of `base`."""
    reason: str | None
    """Why there is no difference."""


def category_names(run: Run) -> tuple[LabelWordingRow, ...]:
    """Return a row for each way of naming the categories that a model was asked a task in, the plain form first.

    A model × task × (plain or chat) has rows where it was asked in the task's own words and in one or more of
    `PromptForm.LABEL_WORDINGS`; English words are then compared as well. The p-values are corrected by Holm over all
    differences.
    """
    found = [
        _row(run, model, task, forms[0], form)
        for task in run.ordered_tasks
        for model in run.models
        for forms in _asked(run, model, task.name)
        for form in forms
    ]
    corrected = holm([row.difference.p if row.difference else None for row in found])
    return tuple(
        replace(row, p_holm=p, verdict=verdict_of(row.difference, p) if row.difference else None)
        for row, p in zip(found, corrected, strict=True)
    )


def _asked(run: Run, model: str, task: str) -> Iterable[tuple[PromptForm, ...]]:
    """Yield the plain form and the other ways of naming categories, plain and chat apart."""
    forms = run.forms_of(model, task)
    for chat in (False, True):
        base, english = (PromptForm.make(wording, chat=chat) for wording in (PromptForm.NATIVE, PromptForm.ENGLISH))
        named = [form for w in PromptForm.LABEL_WORDINGS if (form := PromptForm.make(w, chat=chat)) in forms]
        if base in forms and named:
            yield (base, *named, *((english,) if english in forms else ()))


def _row(run: Run, model: str, task: Task, base: PromptForm, form: PromptForm) -> LabelWordingRow:
    own, plain = (
        numbers_by_item(run, model, task.name, form, "context_tokens"),
        numbers_by_item(run, model, task.name, base, "context_tokens"),
    )
    key = ("label_wordings", model, task.name, form.value, base.value)
    difference = None if form == base else forms_difference(run, model, task.name, (form, base), key)
    return LabelWordingRow(
        model=model,
        task=task.name,
        group=run.group_of(task.name),
        language=task.language,
        base=base,
        form=form,
        scale=scale_of(run, run.group_of(task.name)),
        score=score_of(run, model, task.name, form),
        difference=None if isinstance(difference, str) else difference,
        p_holm=None,
        verdict=None,
        tokens=None if own is None else float(own.mean()),
        tokens_ratio=None if form == base else _ratio(own, plain),
        reason=difference if isinstance(difference, str) else None,
    )


def _ratio(own: pd.Series[float] | None, plain: pd.Series[float] | None) -> Estimate:
    if own is None or plain is None:
        return Estimate(None, None, None, 0, "ratio", "no token counts")
    joined = shared_items([own, plain])
    if isinstance(joined, str):
        return Estimate(None, None, None, 0, "ratio", joined)
    counts = joined.to_numpy(dtype=np.float64)
    return ratio_of_means(counts[:, 0], counts[:, 1], level=1 - ALPHA)
