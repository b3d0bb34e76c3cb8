"""Whether two models, or two runs of one model, give the same answers to the same items."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from evalsuite.analysis.load import Run
from evalsuite.analysis.metrics import right_choices
from evalsuite.analysis.rows import ALPHA
from evalsuite.analysis.score_table import why_no_items
from evalsuite.records import PromptForm, Task
from evalsuite.stats.agreement import Agreement, agreement
from evalsuite.stats.estimate import Estimate
from evalsuite.stats.intervals import wilson
from evalsuite.store import RunFolder

__all__ = ["AgreementRow", "agreements", "run_agreements"]

_WRITTEN = "answers are written: there is no list of answers from which agreement by chance could be told"


@dataclass(frozen=True, slots=True)
class AgreementRow:
    """The answers of two models, or of two runs, to the same items of a task."""

    task: str
    group: str
    language: str
    form: PromptForm
    model: str
    other: str
    """The other model; of two runs the same one."""
    n: int
    """Items that both answered."""
    alike: Estimate
    """Share of items with the same choice; of written answers, with the same text to the letter."""
    kappa: Estimate
    """Cohen's kappa of the choices: 0 is what chance alone gives, 1 is the same answers."""
    both_wrong: int | None
    """Items that both got wrong; none where answers are written, or an item has not one right choice."""
    same_wrong: Estimate
    """Share of these with the same wrong choice."""
    reason: str | None = None
    """Why there is no agreement at all."""


@dataclass(frozen=True, slots=True)
class _Answers:
    """What one model answered, by item id; items without an answer are not in it."""

    choices: Mapping[str, int]
    right: Mapping[str, int]
    """The right choice of items that have one alone."""
    offered: Mapping[str, tuple[str, ...]]
    texts: Mapping[str, str] | None
    """What was written; none for a task of choices."""


def agreements(run: Run) -> tuple[AgreementRow, ...]:
    """Return the agreement of every pair of models on every task and main prompt form that both answered.

    Two models may have the same score and be right on unlike items; two that share their mistakes will not mend each
    other's. Kappa takes off what two models agree on because both like the same option.
    """
    rows = []
    for task in run.manifest.tasks.values():
        for form in run.forms:
            found = {m: a for m in run.models if not isinstance(a := _answers(run, m, task, form), str)}
            for model, other in combinations(found, 2):
                row = _row(run, task, form, (model, other), (found[model], found[other]))
                if row.n:
                    rows.append(row)
    return tuple(rows)


def run_agreements(first: Run, second: Run) -> tuple[AgreementRow, ...]:
    """Return how far two runs gave the same answers, for every model × task × prompt form of the first.

    The same model, engine and device should give the same answers; another device, thread count or version of an engine
    may not. Every cell that the first run was to do has a row; what the second lacks has a reason.

    Args:
        first: A run, whose seed is used.
        second: Another run with the same models and tasks.
    """
    rows = []
    for result in first.results:
        cell, task = result.cell, first.manifest.tasks[result.cell.task]
        if cell.model not in first.models:
            continue
        sides = [_answers(run, cell.model, task, cell.prompt_form) for run in (first, second)]
        why = next(
            (
                f"{which}: {s}"
                for which, s in zip(("first run", "second run"), sides, strict=True)
                if isinstance(s, str)
            ),
            None,
        )
        answers = [s for s in sides if not isinstance(s, str)]
        if why is None and second.manifest.tasks[task.name].sha256 != task.sha256:
            why = "the task is not the same in both runs"
        pair = (answers[0], answers[1]) if why is None else None
        rows.append(_row(first, task, cell.prompt_form, (cell.model, cell.model), pair, why))
    return tuple(rows)


def _answers(run: Run, model: str, task: Task, form: PromptForm) -> _Answers | str:
    """Return what a model answered, or why there is nothing."""
    if task.name not in run.manifest.tasks or model not in run.models:
        return f"it has no {'task' if task.name not in run.manifest.tasks else 'model'} of this name"
    result = run.result(model, task.name, form)
    frame = run.frames.get(result.cell.id) if result else None
    if result is None or frame is None:
        return why_no_items(run, model, task.name, form)
    if frame["item_id"].duplicated().any():
        return f"item ids of {task.name} are not unique, so items cannot be paired"
    if task.output_type == "generate_until":
        stored = RunFolder(run.path).table(result.cell, columns=("item_id", "output")).to_pydict()
        pairs = zip(stored["item_id"], stored["output"], strict=True)
        return _Answers({}, {}, {}, {str(i): str(text) for i, text in pairs if text is not None})
    kept = frame.loc[frame["prediction"].notna()]
    if kept.empty:
        return "its items have no choice that was taken"
    ids = [str(i) for i in kept["item_id"]]
    right = [right_choices(t, c) for t, c in zip(kept["target"], kept["choices"], strict=True)]
    return _Answers(
        choices=dict(zip(ids, (int(p) for p in kept["prediction"]), strict=True)),
        right={i: next(iter(r)) for i, r in zip(ids, right, strict=True) if len(r) == 1},
        offered=dict(zip(ids, kept["choices"], strict=True)),
        texts=None,
    )


def _row(
    run: Run,
    task: Task,
    form: PromptForm,
    names: tuple[str, str],
    answers: tuple[_Answers, _Answers] | None,
    reason: str | None = None,
) -> AgreementRow:
    found = Agreement(0, _nothing(reason), _nothing(reason), None, None)
    if answers is not None:
        found = _compared(run, answers, ("agreement", task.name, form.value, *names))
        reason = None if found.n else "no items in common with the same choices"
    return AgreementRow(
        task=task.name,
        group=run.group_of(task.name),
        language=task.language,
        form=form,
        model=names[0],
        other=names[1],
        n=found.n,
        alike=found.alike,
        kappa=found.kappa,
        both_wrong=found.both_wrong,
        same_wrong=found.same_wrong or _nothing("the right choices are not known"),
        reason=reason,
    )


def _compared(run: Run, answers: tuple[_Answers, _Answers], key: tuple[str, ...]) -> Agreement:
    one, other = answers
    if one.texts is not None and other.texts is not None:
        ids = sorted(one.texts.keys() & other.texts.keys())
        same = sum(one.texts[i] == other.texts[i] for i in ids)
        return Agreement(
            len(ids), wilson(same, len(ids), level=1 - ALPHA), _nothing(_WRITTEN), None, _nothing(_WRITTEN)
        )
    # Choices are compared by place, so that items must offer the same ones in the same order.
    ids = sorted(i for i in one.choices.keys() & other.choices.keys() if one.offered[i] == other.offered[i])
    first, second = ([side.choices[i] for i in ids] for side in answers)
    known = all(i in one.right for i in ids)
    right: list[Hashable] | None = [one.right[i] for i in ids] if known and ids else None
    found = agreement(first, second, run.rng(*key), right=right, level=1 - ALPHA)
    # Of one wrong option the same is always taken, which says nothing.
    if right is not None and all(len(one.offered[i]) <= 2 for i in ids):
        return replace(
            found, same_wrong=_nothing("there is one wrong option to an item, which two wrong answers share")
        )
    return found


def _nothing(reason: str | None) -> Estimate:
    return Estimate(None, None, None, 0, "", reason or "no items in common")
