"""The token tax: how many tokens each language needs for the same content, relative to its reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.analysis.items import matching_ids
from evalsuite.analysis.load import Run
from evalsuite.analysis.paired_items import group_tasks
from evalsuite.analysis.rows import ALPHA, TokenRow
from evalsuite.analysis.score_table import why_no_items
from evalsuite.records import PromptForm, Task
from evalsuite.stats.intervals import Estimate, ratio_of_means

__all__ = ["family_token_tax", "token_tax"]


@dataclass(frozen=True, slots=True, eq=False)
class _Counted:
    """The items of a cell whose tokens were counted."""

    ids: NDArray[np.intp]
    tokens: NDArray[np.float64]
    chars: NDArray[np.float64]


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


def family_token_tax(run: Run) -> tuple[TokenRow, ...]:
    """Return the same of the groups of a family together: one row for each model, family and language.

    Only the groups that have most languages count, so that all languages of a family have the same content; `task` and
    `group` are the family's name.
    """
    families: dict[str, list[dict[str, Task]]] = {}
    for group in run.groups:
        tasks = {code: found[0] for code, found in group_tasks(run, group).items() if len(found) == 1}
        for family in dict.fromkeys(task.family for task in tasks.values()):
            families.setdefault(family, []).append(tasks)
    whole = {
        family: [tasks for tasks in groups if len(tasks) == max(map(len, groups))]
        for family, groups in families.items()
    }
    return tuple(
        row
        for family, groups in whole.items()
        for language in run.languages
        for model in run.models
        for form in run.forms
        if (row := _pooled(run, (model, form, family, language), groups)) is not None
    )


def _pooled(run: Run, key: tuple[str, PromptForm, str, str], groups: Sequence[Mapping[str, Task]]) -> TokenRow | None:
    model, form, family, language = key
    reference = run.reference_of(language)
    every: list[_Counted] = []
    pairs: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for tasks in groups:
        here = _counted(run, model, tasks[language].name, form) if language in tasks else None
        if here is None:
            continue
        every.append(here)
        other = tasks.get(reference or "")
        there = None if other is None else _counted(run, model, other.name, form)
        matched = None if there is None else matching_ids(here.ids, there.ids)
        if there is not None and matched is not None:
            pairs.append((here.tokens[matched[0]], there.tokens[matched[1]]))
    if not every:
        return None
    tokens, chars = (np.concatenate([getattr(one, name) for one in every]) for name in ("tokens", "chars"))
    total = float(tokens.sum())
    return TokenRow(
        model=model,
        task=family,
        group=family,
        form=form,
        language=language,
        reference=reference,
        items=len(tokens),
        tokens_per_item=total / len(tokens),
        chars_per_token=float(chars.sum()) / total if total else None,
        ratio=ratio_of_means(*(np.concatenate(side) for side in zip(*pairs, strict=True)), level=1 - ALPHA)
        if pairs
        else _missing("no token counts in the reference language" if reference else "no reference"),
        reason=None,
    )


def _row(run: Run, model: str, form: PromptForm, task: Task, tasks: dict[str, list[Task]]) -> TokenRow:
    counted = _counted(run, model, task.name, form)
    reference = run.reference_of(task.language)
    tokens = chars = None
    reason = None
    if counted is None:
        result = run.result(model, task.name, form)
        # A cell may hold items and yet no counts: an engine behind HTTP need not tell its tokens.
        bare = run.ids(result) is not None
        reason = "the engine gave no token counts" if bare else why_no_items(run, model, task.name, form)
    else:
        total = float(counted.tokens.sum())
        tokens = total / len(counted.ids)
        chars = float(counted.chars.sum()) / total if total else None
    return TokenRow(
        model=model,
        task=task.name,
        group=run.group_of(task.name),
        form=form,
        language=task.language,
        reference=reference,
        items=0 if counted is None else len(counted.ids),
        tokens_per_item=tokens,
        chars_per_token=chars,
        ratio=_ratio(run, model, form, counted, tasks.get(reference or "")),
        reason=reason,
    )


def _ratio(run: Run, model: str, form: PromptForm, here: _Counted | None, there: list[Task] | None) -> Estimate:
    if here is None:
        return _missing("no token counts")
    if not there:
        return _missing("no reference")
    if len(there) > 1:
        return _missing("more than one task in the reference language")
    reference = _counted(run, model, there[0].name, form)
    if reference is None:
        return _missing("no token counts in the reference language")
    matched = matching_ids(here.ids, reference.ids)
    if matched is None:
        return _missing("item ids are not unique, so items cannot be paired")
    first, second = matched
    return ratio_of_means(here.tokens[first], reference.tokens[second], level=1 - ALPHA)


def _counted(run: Run, model: str, task: str, form: PromptForm) -> _Counted | None:
    result = run.result(model, task, form)
    ids, tokens, chars = run.ids(result), run.numbers(result, "context_tokens"), run.numbers(result, "context_chars")
    if tokens is None or chars is None or ids is None:
        return None
    kept = ~np.isnan(tokens)
    return _Counted(ids[kept], tokens[kept], chars[kept]) if kept.any() else None


def _missing(reason: str) -> Estimate:
    return Estimate(None, None, None, 0, "ratio", reason)
