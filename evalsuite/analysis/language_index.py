"""One number for a model in a language: the mean over parallel groups of scores above chance, on the same items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evalsuite.analysis.gap_table import verdict_of
from evalsuite.analysis.load import Run
from evalsuite.analysis.paired_items import as_difference, group_tasks, scored_items, usable_clusters
from evalsuite.analysis.rows import ALPHA, Verdict
from evalsuite.records import PromptForm, Task
from evalsuite.stats.corrections import holm
from evalsuite.stats.index import Index, IndexDifference, TaskScores, index_difference, language_index

__all__ = ["LanguageIndexRow", "language_indices"]


@dataclass(frozen=True, slots=True)
class LanguageIndexRow:
    """One model in one language, over the groups that all compared languages have."""

    model: str
    form: PromptForm
    language: str
    groups: tuple[str, ...]
    """What the index is the mean of, each with the same weight."""
    left_out: tuple[tuple[str, str], ...]
    """Groups that are not in it, each with the reason."""
    index: Index | None
    """0 is guessing, 1 is all right."""
    reference: str | None
    difference: IndexDifference | None
    """Index here less that of the reference, on the same items; none for the reference itself."""
    p_holm: float | None
    """Corrected over all rows of this table."""
    verdict: Verdict | None
    reason: str | None
    """Why there is no index."""


@dataclass(frozen=True, slots=True)
class _Groups:
    """What one model's languages are compared on."""

    scores: Mapping[str, Mapping[str, TaskScores]]
    """By language, then group."""
    groups: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def language_indices(run: Run, *, differences: bool = True) -> tuple[LanguageIndexRow, ...]:
    """Return the index of every model × main prompt form × language.

    A group is in it if every language in which the model has scores of parallel groups has scores of this one; only the
    items that all of them have are counted. So indices of one model can be compared between languages, and those of two
    models where they rest on the same groups. A score that is no share (chrF, say) is in no index. Generated answers
    have no level of chance: nothing that a model writes without the item is right by chance often enough to matter,
    and 0 is taken for it. A task of choices whose level of chance is not known is left out.

    Args:
        run: The run.
        differences: Whether to make differences to the reference too; their tests take most of the time.
    """
    rows = [
        row
        for model in run.models
        for form in run.forms
        for row in _of_model(run, model, form, differences=differences)
    ]
    corrected = holm([None if row.difference is None else row.difference.p for row in rows])
    return tuple(
        replace(row, p_holm=p, verdict=_verdict(row.difference, p)) for row, p in zip(rows, corrected, strict=True)
    )


def _of_model(run: Run, model: str, form: PromptForm, *, differences: bool) -> Iterator[LanguageIndexRow]:
    found = _groups(run, model, form)
    for language in found.scores:
        reference = run.reference_of(language)
        own, other = found.scores[language], found.scores.get(reference or "", {})
        index = language_index(list(own.values()), level=1 - ALPHA) if own else None
        difference = None
        if differences and own and other:
            rng = run.rng("index", model, form.value, language)
            difference = index_difference(list(own.values()), list(other.values()), rng, level=1 - ALPHA)
        yield LanguageIndexRow(
            model=model,
            form=form,
            language=language,
            groups=found.groups,
            left_out=found.left_out,
            index=index,
            reference=reference,
            difference=difference,
            p_holm=None,
            verdict=None,
            reason=None if own else "no group that all its languages have",
        )


def _groups(run: Run, model: str, form: PromptForm) -> _Groups:
    """Return the scores that all languages of a model have."""
    every = {g: _frames(run, model, g, form) for g in run.groups if group_tasks(run, g)}
    frames = {g: found for g, found in every.items() if found is not None}
    compared = [c for c in run.languages if any(not isinstance(f, str) and c in f for f in frames.values())]
    scores: dict[str, dict[str, TaskScores]] = {code: {} for code in compared}
    left_out: list[tuple[str, str]] = []
    for group, found in frames.items():
        made = found if isinstance(found, str) else _scores(run, group, found, compared)
        if isinstance(made, str):
            left_out.append((group, made))
            continue
        for code, one in made.items():
            scores[code][group] = one
    groups = tuple(group for group in frames if group not in dict(left_out))
    return _Groups(scores, groups, tuple(left_out))


def _frames(run: Run, model: str, group: str, form: PromptForm) -> dict[str, tuple[Task, pd.DataFrame]] | str | None:
    """Return the scored items of a group by language, why they cannot be used, or nothing where it was not asked."""
    tasks = group_tasks(run, group)
    every = [task for same in tasks.values() for task in same]
    if not any(run.result(model, task.name, form) for task in every):
        return None
    if group in run.raw_groups:
        return f"{every[0].primary_metric} is no share of 1"
    metrics = sorted({task.primary_metric for task in every})
    if len(metrics) > 1:
        return f"its tasks are scored by unlike metrics: {', '.join(metrics)}"
    found = {}
    for code, same in tasks.items():
        frame = scored_items(run, model, same[0].name, form) if len(same) == 1 else None
        if frame is not None and not frame.index.has_duplicates:
            found[code] = (same[0], frame)
    return found


def _scores(
    run: Run, group: str, found: Mapping[str, tuple[Task, pd.DataFrame]], compared: Sequence[str]
) -> dict[str, TaskScores] | str:
    """Return the scores of a group on the items that all compared languages have, or why it is left out."""
    lacking = [known.english_name for c in compared if c not in found and (known := run.language(c)) is not None]
    if lacking:
        return f"no scores in {', '.join(lacking)}"
    chances = {code: _chance(found[code][0]) for code in compared}
    if None in chances.values():
        return "its level of chance is not known"
    frames = {code: found[code][1] for code in compared}
    wide = pd.concat({code: frame["score"] for code, frame in frames.items()}, axis=1, join="inner").sort_index()
    if wide.empty:
        return "no item that all the languages have"
    # The same item shares the same passage in every language, whatever it is called there.
    clusters = usable_clusters(frames[compared[0]]["cluster"].reindex(wide.index))
    return {
        code: TaskScores(
            values=wide[code].to_numpy(dtype=np.float64),
            chance=chance,
            clusters=clusters,
            name=group,
            ids=[str(i) for i in wide.index],
        )
        for code, chance in chances.items()
        if chance is not None
    }


def _chance(task: Task) -> float | None:
    if task.chance is not None:
        return task.chance
    return 0.0 if task.output_type == "generate_until" else None


def _verdict(difference: IndexDifference | None, p: float | None) -> Verdict | None:
    if difference is None:
        return None
    return verdict_of(as_difference(difference.estimate, difference.p, test=difference.test_method), p)
