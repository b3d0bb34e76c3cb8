"""Scores against what they cost on a device: which models are on the Pareto front of each language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from evalsuite.analysis.costs import STANDS_FOR
from evalsuite.analysis.device_tables import DeviceTables
from evalsuite.analysis.language_index import LanguageIndexRow
from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import Scale, ScoreRow
from evalsuite.records import Kind, PromptForm
from evalsuite.stats.estimate import Estimate

__all__ = ["Measure", "TradeoffRow", "front", "tradeoffs"]

_MIB = 2**20


class Measure(StrEnum):
    """What a score is held against; less is better."""

    SECONDS = "seconds"
    """Median time of a request of the kind that stands for the family, in seconds."""
    MEMORY = "memory"
    """Memory that the model needs while it serves requests, in MiB."""
    ENERGY = "energy"
    """Gross joules of a request of that kind."""


@dataclass(frozen=True, slots=True)
class TradeoffRow:
    """One model's score on one task, and one of its costs."""

    model: str
    """With the device's fingerprint behind it where the run has profiles of several."""
    form: PromptForm
    language: str
    group: str
    """Empty for the language index."""
    task: str
    """Empty for the language index."""
    family: str
    requests: Kind | None
    """The kind of request that stands for the family; none for the language index."""
    measure: Measure
    score: Estimate
    scale: Scale
    chance: float | None
    above_chance: bool | None
    """Whether the score is shown to be above chance; none where that is not known."""
    cost: Estimate
    label: str
    """How a figure of energy came about; empty for other costs."""
    on_front: bool | None = None
    """Whether no other model scores as much for as little; none where score or cost is missing."""
    dominated_by: tuple[str, ...] = ()
    """Models on the front that score no less and cost no more; the cheapest first."""

    @property
    def missing(self) -> str | None:
        """Why it is not compared."""
        return self.score.reason if self.score.value is None else self.cost.reason if self.cost.value is None else None


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Return which points no other point dominates.

    One point dominates another if it scores no less and costs no more, and differs in one of them; equal points do not
    dominate each other. Sorting by cost finds the front in O(n log n): H. T. Kung, F. Luccio and F. P. Preparata (1975),
    J. ACM 22, 469-476.

    Args:
        points: (score, cost) of each; more score is better, less cost is better.
    """
    order = sorted(range(len(points)), key=lambda i: (points[i][1], -points[i][0]))
    found = [False] * len(points)
    best: tuple[float, float] | None = None
    for i in order:
        score, cost = points[i]
        if best is None or score > best[0] or (score, cost) == best:
            found[i] = True
            best = (score, cost)
    return found


def tradeoffs(
    run: Run, scores: Sequence[ScoreRow], indices: Sequence[LanguageIndexRow], device: DeviceTables
) -> tuple[TradeoffRow, ...]:
    """Return every score that a profile has a cost for, in the run's main prompt form, and its place towards the others.

    Tasks of families that no kind of request stands for (`STANDS_FOR`) have no row of their own; they count in the
    language index, which is held against memory alone. A model that was not profiled has rows without cost. Dominance is
    of point values, within one task: whether one score is shown to be higher is what comparisons of models say.

    Args:
        run: The run.
        scores: Its table of scores.
        indices: Its table of language indices.
        device: Tables of its profiles.
    """
    found = [*_of_tasks(run, scores, device), *_of_indices(run, indices, device)]
    sets: dict[tuple[str, str, Measure], list[int]] = {}
    for i, row in enumerate(found):
        sets.setdefault((row.language, row.task, row.measure), []).append(i)
    placed = list(found)
    for places in sets.values():
        for i, row in zip(places, _placed([found[i] for i in places]), strict=True):
            placed[i] = row
    return tuple(placed)


def _of_tasks(run: Run, scores: Sequence[ScoreRow], device: DeviceTables) -> Iterator[TradeoffRow]:
    costs = _Costs(device)
    for row in scores:
        family = run.manifest.tasks[row.task].family
        kind = STANDS_FOR.get(family)
        if kind is None or row.form != run.forms[0]:
            continue
        for model in _profiled(run, row.model):
            for measure in Measure:
                if measure is Measure.ENERGY and not costs.any_energy:
                    continue
                cost, label = costs.of(measure, model, row.language, kind)
                yield TradeoffRow(
                    model=model or row.model,
                    form=row.form,
                    language=row.language,
                    group=row.group,
                    task=row.task,
                    family=family,
                    requests=kind,
                    measure=measure,
                    score=row.estimate,
                    scale=row.scale,
                    chance=row.chance,
                    above_chance=row.above_chance,
                    cost=cost,
                    label=label,
                )


def _of_indices(run: Run, indices: Sequence[LanguageIndexRow], device: DeviceTables) -> Iterator[TradeoffRow]:
    costs = _Costs(device)
    compared: dict[str, tuple[str, ...]] = {}
    for row in indices:
        if row.form != run.forms[0]:
            continue
        score = Estimate(None, None, None, 0, "", row.reason) if row.index is None else row.index.estimate
        if score.value is not None and compared.setdefault(row.language, row.groups) != row.groups:
            # Means over other tasks are other numbers.
            score = Estimate(None, None, None, 0, "", "its index rests on other groups of tasks")
        for model in _profiled(run, row.model):
            cost, label = costs.of(Measure.MEMORY, model, row.language, None)
            yield TradeoffRow(
                model=model or row.model,
                form=row.form,
                language=row.language,
                group="",
                task="",
                family="",
                requests=None,
                measure=Measure.MEMORY,
                score=score,
                scale=Scale.SHARE,
                chance=None,
                above_chance=None if score.low is None else score.low > 0,
                cost=cost,
                label=label,
            )


def _profiled(run: Run, model: str) -> list[str | None]:
    """Return the names of a model's profiles: one for each device; none stands for no profile."""
    return [profile.model for profile in run.profiles if profile.facts.cell.model == model] or [None]


class _Costs:
    """Costs by model, language and kind of request."""

    def __init__(self, device: DeviceTables) -> None:
        self._seconds = {(r.model, r.language, r.kind): r.total.median for r in device.latencies}
        self._memory = {r.model: (r.needed, r.basis) for r in device.memory}
        self._energy = {(r.model, r.language, r.kind): r for r in device.energies}
        self.any_energy = any(r.gross.value is not None for r in device.energies)

    def of(self, measure: Measure, model: str | None, language: str, kind: Kind | None) -> tuple[Estimate, str]:
        """Return a cost, and the label of a figure of energy."""
        if model is None:
            return _nothing("the model was not measured on the device"), ""
        if measure is Measure.MEMORY:
            needed, basis = self._memory.get(model, (None, "its memory was not measured"))
            return (_nothing(basis) if needed is None else Estimate(needed / _MIB, None, None, 1, "", basis)), ""
        if kind is None:
            return _nothing("no kind of request stands for it"), ""
        if measure is Measure.SECONDS:
            return self._seconds.get((model, language, kind), _nothing(f"no {kind.value} requests were timed")), ""
        row = self._energy.get((model, language, kind))
        if row is None or row.gross.value is None:
            reason = None if row is None else row.gross.reason
            return _nothing(reason or f"the energy of {kind.value} requests was not measured"), ""
        gross = row.gross
        return Estimate(gross.value, gross.low, gross.high, row.requests, "", gross.reason), row.label.value


def _nothing(reason: str) -> Estimate:
    return Estimate(None, None, None, 0, "", reason)


def _placed(rows: Sequence[TradeoffRow]) -> list[TradeoffRow]:
    """Return the rows of one task and measure with their place towards each other."""
    labels = {row.label for row in rows if row.cost.value is not None}
    if len(labels) > 1:
        # Measured joules and those of an estimate are in no order.
        told = _nothing(f"energy is {' and '.join(sorted(labels))}: such figures are not compared")
        return [replace(row, cost=told) if row.cost.value is not None else row for row in rows]
    points = {
        i: (row.score.value, row.cost.value)
        for i, row in enumerate(rows)
        if row.score.value is not None and row.cost.value is not None
    }
    flags = dict(zip(points, front(list(points.values())), strict=True))
    ahead = sorted((i for i, on in flags.items() if on), key=lambda i: points[i][1])
    return [
        row
        if i not in points
        else replace(
            row,
            on_front=flags[i],
            dominated_by=()
            if flags[i]
            else tuple(rows[j].model for j in ahead if points[j][0] >= points[i][0] and points[j][1] <= points[i][1]),
        )
        for i, row in enumerate(rows)
    ]
