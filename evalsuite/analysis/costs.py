"""What a correct answer costs on a device: seconds, tokens and joules of a request over the share of right answers."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evalsuite.analysis.energy_table import energies
from evalsuite.analysis.load import Run
from evalsuite.analysis.paired_items import Pair, group_tasks, pair_languages, scored_items, usable_clusters
from evalsuite.analysis.profile_rows import EnergyRow
from evalsuite.analysis.profiles import Profile
from evalsuite.analysis.rows import ALPHA
from evalsuite.analysis.score_table import score_of, why_no_items
from evalsuite.records import Kind, PromptForm, ReadingLabel, RequestRow, Task
from evalsuite.stats.estimate import Estimate
from evalsuite.stats.quotients import RelativeMean, mean_of, over, ratio_of

__all__ = ["STANDS_FOR", "Cost", "CostRow", "costs_per_correct"]

STANDS_FOR: Mapping[str, Kind] = {
    "labels": Kind.CLASSIFICATION,
    "classification": Kind.CLASSIFICATION,
    "reading": Kind.READING,
    "translation": Kind.TRANSLATION,
    "generation": Kind.ANSWER,
}
"""Which kind of request of a profile stands for which family of tasks; families that are not in it have no cost."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One cost of a request, and of a correct answer."""

    label: ReadingLabel
    """How the cost of a request came about; costs of unlike labels are in no ratio."""
    scope: str
    """What the cost is of: one request, or what the meter saw."""
    per_request: float | None
    """Mean over contents."""
    per_correct: Estimate
    """The same over the share of right answers."""
    ratio: Estimate
    """`per_correct` here over that in the reference language, on the same requests and the same items."""


@dataclass(frozen=True, slots=True)
class CostRow:
    """What one model's correct answers to a task cost on one device."""

    model: str
    """With the device's fingerprint behind it where the run has profiles of several."""
    group: str
    task: str
    family: str
    language: str
    reference: str | None
    form: PromptForm
    kind: Kind | None
    """The kind of request that stands for the task's family; none where there is none."""
    score: Estimate
    """Share of right answers."""
    chance: float | None
    above_chance: bool | None
    seconds: Cost
    tokens: Cost
    """Tokens of prompt and answer."""
    joules: Cost
    """Gross."""
    notes: tuple[str, ...] = ()
    """What a reader must know of the figures."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which correct answers are priced."""

    run: Run
    profile: Profile
    task: Task
    form: PromptForm
    energy: Mapping[tuple[str, str, Kind], EnergyRow]

    @property
    def model(self) -> str:
        """The model's name in the quality cells."""
        return self.profile.facts.cell.model


def costs_per_correct(run: Run) -> tuple[CostRow, ...]:
    """Return the costs of a correct answer for every profiled model × task × main prompt form.

    Cost of a correct answer = mean cost of a request / share of right answers. The cost is of the profile's requests of
    the kind that stands for the task's family (`STANDS_FOR`), and the share of the task's items: other texts, which the
    device was not timed with. Both vary independently, and the interval has the uncertainty of both (`stats.quotients`).
    """
    energy = {(row.model, row.language, row.kind): row for row in energies(run.profiles)}
    return tuple(
        _row(_Asked(run, profile, task, form, energy))
        for profile in run.profiles
        for group in run.groups
        for language in run.languages
        for task in run.manifest.tasks.values()
        if run.group_of(task.name) == group and task.language == language
        for form in run.forms
        if run.result(profile.facts.cell.model, task.name, form)
    )


def _row(asked: _Asked) -> CostRow:
    run, task = asked.run, asked.task
    score = score_of(run, asked.model, task.name, asked.form)
    above = None if score.low is None or task.chance is None else score.low > task.chance
    kind = STANDS_FOR.get(task.family)
    share = _share(asked, score)
    pair = _pair(asked)
    seconds, tokens, joules = _costs(asked, kind, share, pair)
    return CostRow(
        model=asked.profile.model,
        group=run.group_of(task.name),
        task=task.name,
        family=task.family,
        language=task.language,
        reference=run.reference_of(task.language),
        form=asked.form,
        kind=kind,
        score=score,
        chance=task.chance,
        above_chance=above,
        seconds=seconds,
        tokens=tokens,
        joules=joules,
        notes=tuple(_notes(asked, kind, above=above)),
    )


def _notes(asked: _Asked, kind: Kind | None, *, above: bool | None) -> Iterator[str]:
    if above is False:
        yield "the score is not shown to be above chance: what counts as right may be guessed"
    if kind is not None and (flagged := asked.profile.timed(asked.task.language, kind)[2]):
        yield f"times are of disturbed rounds: {', '.join(flagged)}"


def _share(asked: _Asked, score: Estimate) -> RelativeMean | str:
    """Return the share of right answers, or why nothing can be divided by it."""
    run, task = asked.run, asked.task
    frame = scored_items(run, asked.model, task.name, asked.form)
    if frame is None or score.value is None:
        return f"no scores ({why_no_items(run, asked.model, task.name, asked.form)})"
    values = frame["score"].to_numpy(dtype=np.float64)
    if run.group_of(task.name) in run.raw_groups or not np.isin(values, (0.0, 1.0)).all():
        return f"{task.primary_metric} gives part scores, so that no answer is simply right"
    if not values.any():
        return "no correct answer"
    return mean_of(values, usable_clusters(frame["cluster"]))


def _pair(asked: _Asked) -> Pair | str:
    """Return the task's items beside those of the reference language, or why there is nothing to compare with."""
    run, task = asked.run, asked.task
    reference = run.reference_of(task.language)
    if reference is None:
        return "no reference"
    group = run.group_of(task.name)
    if not group_tasks(run, group):
        return "the task is in no parallel group"
    return pair_languages(run, asked.model, group, asked.form, (task.language, reference))


def _costs(asked: _Asked, kind: Kind | None, share: RelativeMean | str, pair: Pair | str) -> tuple[Cost, Cost, Cost]:
    language, family = asked.task.language, asked.task.family
    if kind is None:
        return (_unavailable(f"no kind of request in a profile stands for {family} tasks"),) * 3
    if language not in asked.profile.languages:
        return (_unavailable("the device was not measured in this language"),) * 3
    if not asked.profile.timed(language, kind)[0]:
        return (_unavailable(f"the profile has no {kind.value} requests in this language"),) * 3
    scores = _score_ratio(pair)
    reference = asked.run.reference_of(language)
    timed = {code: asked.profile.timed(code, kind)[0] for code in (language, reference) if code is not None}
    here, there = timed[language], timed.get(reference or "", [])
    return (
        _counted(here, there, lambda r: r.total_s, share, scores),
        _counted(here, there, lambda r: float(r.prompt_tokens + r.output_tokens), share, scores),
        _energy(asked, kind, share, scores),
    )


def _score_ratio(pair: Pair | str) -> RelativeMean | str:
    """Return the share here over that in the reference, on the same items, or why there is none."""
    if isinstance(pair, str):
        return pair
    here, there = pair.values("score")
    if not np.isin(np.concatenate([here, there]), (0.0, 1.0)).all():
        return f"{pair.here.primary_metric} gives part scores, so that no answer is simply right"
    for values, name in ((here, "here"), (there, "in the reference")):
        if not values.any():
            return f"no correct answer {name} among the items of both"
    return mean_of(here, usable_clusters(pair.items["cluster_here"]), reference=there)


def _counted(
    here: Sequence[RequestRow],
    there: Sequence[RequestRow],
    measure: Callable[[RequestRow], float],
    share: RelativeMean | str,
    scores: RelativeMean | str,
) -> Cost:
    """Return a cost that every request has of its own, such as its time."""
    own, other = _by_content(here, measure), _by_content(there, measure)
    cost = mean_of(list(own.values()))
    common = sorted(own.keys() & other.keys())
    if isinstance(scores, str):
        ratio = _nothing(scores)
    elif not common:
        ratio = _nothing("the reference was not measured with the same requests")
    else:
        costs = mean_of([own[i] for i in common], reference=[other[i] for i in common])
        ratio = ratio_of((costs,), (scores,), n=scores.n, level=1 - ALPHA)
    return Cost(ReadingLabel.MEASURED, "one request", cost.value, _per_correct(cost, share), ratio)


def _by_content(rows: Sequence[RequestRow], measure: Callable[[RequestRow], float]) -> dict[str, float]:
    """Return the mean of each content: the same content in other rounds is no new content."""
    found: dict[str, list[float]] = {}
    for row in rows:
        found.setdefault(row.id, []).append(measure(row))
    return {key: statistics.fmean(values) for key, values in found.items()}


def _energy(asked: _Asked, kind: Kind, share: RelativeMean | str, scores: RelativeMean | str) -> Cost:
    model, language = asked.profile.model, asked.task.language
    row = asked.energy.get((model, language, kind))
    if row is None:
        return _unavailable(f"the energy of {kind.value} requests was not measured")
    cost = _joules(row)
    if isinstance(cost, str):
        return _unavailable(cost)
    there = asked.energy.get((model, asked.run.reference_of(language) or "", kind))
    other = None if there is None else _joules(there)
    if isinstance(scores, str):
        ratio = _nothing(scores)
    elif there is None or other is None or isinstance(other, str):
        ratio = _nothing(other if isinstance(other, str) else "the energy of the reference was not measured")
    elif there.label is not row.label:
        ratio = _nothing(f"energy is {row.label.value} here and {there.label.value} in the reference")
    else:
        ratio = ratio_of((cost,), (other, scores), n=scores.n, level=1 - ALPHA)
    return Cost(row.label, row.scope, cost.value, _per_correct(cost, share), ratio)


def _joules(row: EnergyRow) -> RelativeMean | str:
    """Return gross joules per request, or why there are none."""
    gross = row.gross
    if gross.value is None:
        return gross.reason or "no energy"
    if gross.value <= 0:
        return "the requests took no energy"
    if gross.u is None:
        return RelativeMean(gross.value, None, 0, row.requests, gross.reason)
    return RelativeMean(gross.value, gross.u / gross.value, row.requests - 1, row.requests)


def _per_correct(cost: RelativeMean, share: RelativeMean | str) -> Estimate:
    return _nothing(share) if isinstance(share, str) else over(cost, share, level=1 - ALPHA)


def _unavailable(reason: str) -> Cost:
    return Cost(ReadingLabel.UNAVAILABLE, "", None, _nothing(reason), _nothing(reason))


def _nothing(reason: str) -> Estimate:
    return Estimate(None, None, None, 0, "delta, log scale", reason)
