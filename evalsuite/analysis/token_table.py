"""The token tax: how many tokens each language needs for the same content, relative to its reference."""

from __future__ import annotations

import pandas as pd

from evalsuite.analysis.gap_table import group_tasks
from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import ALPHA, TokenRow
from evalsuite.analysis.score_table import why_no_items
from evalsuite.records import PromptForm, Task
from evalsuite.stats.intervals import Estimate, ratio_of_means

__all__ = ["ratio_of_same_items", "token_tax"]


def token_tax(run: Run) -> tuple[TokenRow, ...]:
    """Return tokens per item of every model × parallel group × language, and the ratio on the same items."""
    groups = (group_tasks(run, group) for group in run.groups)
    return tuple(
        _row(run, model, form, task, tasks)
        for tasks in groups
        for language in run.languages
        for task in tasks.get(language, ())
        for model in run.models
        for form in run.forms
        if run.result(model, task.name, form) or run.skip(model, task.name)
    )


def _row(run: Run, model: str, form: PromptForm, task: Task, tasks: dict[str, list[Task]]) -> TokenRow:
    frame = _counted(run, model, task.name, form)
    reference = run.reference_of(task.language)
    tokens = chars = None
    reason = None
    if frame is None:
        result = run.result(model, task.name, form)
        # A cell may hold items and yet no counts: an engine behind HTTP need not tell its tokens.
        bare = result is not None and result.cell.id in run.frames
        reason = "the engine gave no token counts" if bare else why_no_items(run, model, task.name, form)
    else:
        total = float(frame["context_tokens"].sum())
        tokens = total / len(frame)
        chars = float(frame["context_chars"].sum()) / total if total else None
    return TokenRow(
        model=model,
        task=task.name,
        group=run.group_of(task.name),
        form=form,
        language=task.language,
        reference=reference,
        items=0 if frame is None else len(frame),
        tokens_per_item=tokens,
        chars_per_token=chars,
        ratio=_ratio(run, model, form, frame, tasks.get(reference or "")),
        reason=reason,
    )


def _ratio(run: Run, model: str, form: PromptForm, frame: pd.DataFrame | None, there: list[Task] | None) -> Estimate:
    if frame is None:
        return _missing("no token counts")
    if not there:
        return _missing("no reference")
    if len(there) > 1:
        return _missing("more than one task in the reference language")
    reference = _counted(run, model, there[0].name, form)
    if reference is None:
        return _missing("no token counts in the reference language")
    return ratio_of_same_items(frame["context_tokens"], reference["context_tokens"])


def ratio_of_same_items(top: pd.Series, bottom: pd.Series) -> Estimate:
    """Return mean(top) ÷ mean(bottom) over the items that both have.

    Args:
        top: Numbers by item id.
        bottom: Those of the other language or model, in the same unit.
    """
    if top.index.has_duplicates or bottom.index.has_duplicates:
        return _missing("item ids are not unique, so items cannot be paired")
    joined = top.to_frame("top").merge(bottom.to_frame("bottom"), left_index=True, right_index=True)
    sides = (joined[side].to_numpy(dtype="float64") for side in ("top", "bottom"))
    return ratio_of_means(*sides, level=1 - ALPHA)


def _counted(run: Run, model: str, task: str, form: PromptForm) -> pd.DataFrame | None:
    result = run.result(model, task, form)
    frame = run.frames.get(result.cell.id) if result else None
    if frame is None:
        return None
    kept = frame.loc[frame["context_tokens"].notna(), ["item_id", "context_tokens", "context_chars"]]
    return kept.set_index("item_id") if len(kept) else None


def _missing(reason: str) -> Estimate:
    return Estimate(None, None, None, 0, "ratio", reason)
