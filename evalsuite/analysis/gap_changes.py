"""Whether a gap is another one in a second run: the same items in both languages and in both runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from evalsuite.analysis.alike import Doubts, check_sides
from evalsuite.analysis.compare_axis import Axis
from evalsuite.analysis.compare_sides import LABELS
from evalsuite.analysis.gap_table import margin_of
from evalsuite.analysis.load import Run
from evalsuite.analysis.paired_items import SCORES, Paired, group_tasks, pair, scored_items
from evalsuite.analysis.pairs import Pairing, Side
from evalsuite.analysis.rows import Scale
from evalsuite.analysis.score_table import scale_of
from evalsuite.records import PromptForm

__all__ = ["gap_changes"]


@dataclass(frozen=True, slots=True)
class _Place:
    """Which gap it is, in both runs."""

    group: str
    models: tuple[str, str]
    form: PromptForm
    language: str
    reference: str


def gap_changes(
    first: Run,
    second: Run,
    reference: str | None,
    margin: float | None,
    doubts: Doubts,
    languages: Collection[str] | None = None,
) -> list[Pairing]:
    """Return the gaps that both runs have: an item's gap in the first run is paired with its gap in the second.

    A gap of one item is its score in the language minus that of the same item in the reference; the difference of two such
    gaps is tested as any other paired difference is.

    Args:
        first: One run.
        second: The other.
        reference: Language that all others are held against; by default each language's own, as the first run has it.
        margin: Change that matters, as a share of items.
        doubts: Takes what is unlike about the runs.
        languages: Codes; none: all.
    """
    return [
        _change((first, second), place, margin, doubts)
        for group in first.groups
        for language in first.languages
        if languages is None or language in languages
        if (against := first.reference_of(language, reference)) is not None
        if all({language, against} <= group_tasks(run, group).keys() for run in (first, second))
        for models in _models(first, second)
        for form in first.forms
        if form in second.forms
        for place in [_Place(group, models, form, language, against)]
    ]


def _models(first: Run, second: Run) -> list[tuple[str, str]]:
    """Return the models of both runs; where they share none and have one each, these two."""
    shared = [(name, name) for name in first.models if name in second.models]
    alone = len(first.models) == len(second.models) == 1
    return shared or ([(first.models[0], second.models[0])] if alone else [])


def _change(runs: tuple[Run, Run], place: _Place, margin: float | None, doubts: Doubts) -> Pairing:
    sides = [_sides(run, label, name, place) for run, label, name in zip(runs, LABELS, place.models, strict=True)]
    reason = next((side for side in sides if isinstance(side, str)), None)
    paired = None
    cells = [side for side in sides if not isinstance(side, str)]
    if len(cells) == 2:
        for one, other in zip(*cells, strict=True):
            check_sides(one, other, Axis.LANGUAGE, doubts)
        items = [_gaps(side) for side in cells]
        paired = _joined(items)
        if paired is None:
            reason = "not every side has scores whose item ids are unique"
    raw = any(scale_of(run, place.group) is Scale.RAW for run in runs)
    same = place.models[0] == place.models[1]
    gap = f"{place.language} − {place.reference}"
    return Pairing(
        group=place.group,
        task=None,
        language=place.language,
        model=place.models[0] if same else None,
        form=place.form,
        metric=runs[0].manifest.tasks[group_tasks(runs[0], place.group)[place.language][0].name].primary_metric,
        first=f"{gap} ({LABELS[0]})" if same else f"{gap}, {place.models[0]} ({LABELS[0]})",
        second=f"{gap} ({LABELS[1]})" if same else f"{gap}, {place.models[1]} ({LABELS[1]})",
        runs=(LABELS[0], LABELS[1]),
        scale=Scale.RAW if raw else Scale.SHARE,
        margin=None if raw else margin_of(runs[0], place.group, margin),
        run=runs[0],
        paired=paired,
        reason=reason,
    )


def _sides(run: Run, label: str, model: str, place: _Place) -> tuple[Side, Side] | str:
    """Return the cells of the language and of the reference, or why there is not one of each."""
    tasks = group_tasks(run, place.group)
    found = []
    for code in (place.language, place.reference):
        if len(tasks[code]) > 1:
            return f"this group has {len(tasks[code])} tasks in {code}, so which one to compare is not clear"
        found.append(Side(run, label, model, tasks[code][0].name, place.form))
    return found[0], found[1]


def _gaps(sides: tuple[Side, Side]) -> Paired | None:
    frames = [scored_items(side.run, side.model, side.task, side.form, SCORES) for side in sides]
    return None if frames[0] is None or frames[1] is None else pair(frames[0], frames[1])


def _joined(runs: Sequence[Paired | None]) -> Paired | None:
    """Return the gaps of the items that both runs have."""
    first, second = runs
    if first is None or second is None:
        return None
    there = {item: place for place, item in enumerate(second.ids)}
    here = np.array([place for place, item in enumerate(first.ids) if item in there], dtype=np.intp)
    rows = np.array([there[first.ids[place]] for place in here], dtype=np.intp)
    clusters = None if first.clusters is None else tuple(first.clusters[place] for place in here)
    return Paired(
        index=first.index[here],
        first=(first.first - first.second)[here],
        second=(second.first - second.second)[rows],
        clusters=clusters,
    )
