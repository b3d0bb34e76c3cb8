"""How much a score depends on the words of the prompt: the same items, asked in other words."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evalsuite.analysis.gap_table import verdict_of
from evalsuite.analysis.load import Run
from evalsuite.analysis.paired_items import forms_difference, numbers_by_item, shared_items
from evalsuite.analysis.rows import ALPHA, Scale, Verdict
from evalsuite.analysis.score_table import scale_of, score_of
from evalsuite.records import PromptForm, Task
from evalsuite.stats.corrections import holm
from evalsuite.stats.intervals import Estimate
from evalsuite.stats.paired import PairedDifference, paired_difference
from evalsuite.stats.repeated import Repeated, repeated

__all__ = ["WordingRow", "wordings"]


@dataclass(frozen=True, slots=True)
class WordingRow:
    """One model on one task, asked in several wordings, in a chat template or not."""

    model: str
    task: str
    group: str
    language: str
    form: PromptForm
    """The primary form: that of the sweep where it is one of these, else the task's own words."""
    scale: Scale
    scores: tuple[tuple[PromptForm, Estimate], ...]
    """By form, in the order of `PromptForm.rank`; each over all of its items."""
    own: Repeated | None
    """The wordings in the task's own language, compared on the items that all of them have."""
    own_forms: tuple[PromptForm, ...]
    """What the means of `own` are of."""
    reason: str | None
    """Why there is no `own`."""
    p_holm: float | None
    """Of `own`, corrected over all rows of this table."""
    english: PairedDifference | None
    """English words minus the primary wording in the task's own language; none where no such two were asked."""
    english_p_holm: float | None
    """Corrected over all such differences of this table."""
    english_verdict: Verdict | None

    @property
    def low(self) -> float | None:
        """The lowest score among the wordings in the task's own language."""
        return min(self.own.means) if self.own else None

    @property
    def high(self) -> float | None:
        """The highest score among them."""
        return max(self.own.means) if self.own else None

    @property
    def more_than_chance(self) -> bool | None:
        """Whether the wordings are shown to differ; none where that was not tested."""
        return None if self.p_holm is None else self.p_holm < ALPHA


def wordings(run: Run) -> tuple[WordingRow, ...]:
    """Return a row for every model × task × (plain or chat) that was asked in more than one wording.

    The wordings in the task's own language are compared with each other; English words, which change the language of
    the instruction as well, are compared with the primary wording alone. The p-values are corrected by Holm over all
    rows, each of the two tests a family of its own.
    """
    found = [
        _row(run, model, task, tuple(forms))
        for task in run.ordered_tasks
        for model in run.models
        for forms in _asked(run, model, task.name)
        if len(forms) > 1
    ]
    own = holm([row.own.p if row.own else None for row in found])
    english = holm([row.english.p if row.english else None for row in found])
    return tuple(
        replace(row, p_holm=p, english_p_holm=q, english_verdict=verdict_of(row.english, q) if row.english else None)
        for row, p, q in zip(found, own, english, strict=True)
    )


def _asked(run: Run, model: str, task: str) -> list[list[PromptForm]]:
    """Return the forms in which a task has cells, options in their own order; plain and chat apart.

    Forms that differ in how categories are named are no paraphrases; `category_names` is about them.
    """
    ranked = [
        form
        for form in run.forms_of(model, task)
        if not form.rotation and form.wording not in PromptForm.LABEL_WORDINGS
    ]
    return [same for chat in (False, True) if (same := [form for form in ranked if form.chat is chat])]


def _row(run: Run, model: str, task: Task, forms: tuple[PromptForm, ...]) -> WordingRow:
    own_forms = tuple(form for form in forms if not _is_english(form))
    main = next((form for form in forms if form in run.forms), forms[0])
    own, reason = _own(run, model, task, own_forms)
    return WordingRow(
        model=model,
        task=task.name,
        group=run.group_of(task.name),
        language=task.language,
        form=main,
        scale=scale_of(run, run.group_of(task.name)),
        scores=tuple((form, score_of(run, model, task.name, form)) for form in forms),
        own=own,
        own_forms=own_forms if own else (),
        reason=reason,
        p_holm=None,
        english=_english(run, model, task, forms, main),
        english_p_holm=None,
        english_verdict=None,
    )


def _own(run: Run, model: str, task: Task, forms: tuple[PromptForm, ...]) -> tuple[Repeated | None, str | None]:
    if len(forms) < 2:
        return None, "asked in one wording of its own language only"
    columns = [numbers_by_item(run, model, task.name, form) for form in forms]
    known = [column for column in columns if column is not None]
    if len(known) < len(columns):
        return None, "not every wording has scores"
    joined = shared_items(known)
    if isinstance(joined, str):
        return None, joined
    rng = run.rng("wordings", model, task.name, *(form.value for form in forms))
    return repeated(joined.to_numpy(dtype="float64"), rng), None


def _english(
    run: Run, model: str, task: Task, forms: tuple[PromptForm, ...], main: PromptForm
) -> PairedDifference | None:
    english = next((form for form in forms if _is_english(form)), None)
    own = main if not _is_english(main) else next((form for form in forms if not _is_english(form)), None)
    if english is None or own is None:
        return None
    key = ("english", model, task.name, english.value, own.value)
    found = forms_difference(run, model, task.name, (english, own), key)
    return replace(paired_difference([], []), reason=found) if isinstance(found, str) else found


def _is_english(form: PromptForm) -> bool:
    return form.wording == PromptForm.ENGLISH
