"""One number for several tasks: scores above chance, equal weight for each task, with what each task contributes."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalsuite.stats.clusters import cluster_sums, resampled_sums
from evalsuite.stats.estimate import Estimate
from evalsuite.stats.paired import as_pairs, paired_difference
from evalsuite.stats.scores import score_interval
from evalsuite.stats.signflip import sign_flip_p
from evalsuite.stats.unpaired import unpaired_difference

__all__ = ["Index", "IndexDifference", "TaskScores", "chance_corrected", "index_difference", "language_index"]

_METHOD = "index, square-and-add"


@dataclass(frozen=True, slots=True, eq=False)
class TaskScores:
    """The scores of one model on one task in one language."""

    values: ArrayLike
    """One score per item, 0 to 1."""
    chance: float
    """The score of guessing, 0 or more and below 1."""
    clusters: Sequence[Hashable] | None = None
    """What each item shares with others; none where items are independent."""
    name: str = ""
    """Of the task; the same in all languages that are to be compared."""
    ids: Sequence[Hashable] | None = None
    """Of the items; those that two languages have in common are compared as pairs."""

    def __post_init__(self) -> None:
        if not 0 <= self.chance < 1:
            raise ValueError(f"{self.name or 'a task'}: a chance of {self.chance} is not 0 or more and below 1")
        for what, given in (("clusters", self.clusters), ("ids", self.ids)):
            if given is not None and len(given) != np.size(self.values):
                raise ValueError(f"{self.name or 'a task'}: {len(given)} {what} for {np.size(self.values)} values")
        if self.ids is not None and len(set(self.ids)) < len(self.ids):
            raise ValueError(f"{self.name or 'a task'}: the ids of its items are not unique")


@dataclass(frozen=True, slots=True)
class Index:
    """The mean over tasks of scores corrected for chance: 0 is guessing, 1 is all right; below 0 is worse than guessing."""

    estimate: Estimate
    without: dict[str, float]
    """The index without each task in turn, by the task's name; empty where there is one task."""
    parts: dict[str, Estimate]
    """The corrected score of each task, by name."""
    bootstrap: Estimate | None = None
    """The percentile interval of a bootstrap of items within tasks, as a check; none without a generator."""

    @property
    def largest_change(self) -> tuple[str, float] | None:
        """The task that the index depends on most, and the index without it minus the index."""
        return _largest_change(self.estimate.value, self.without)


@dataclass(frozen=True, slots=True)
class IndexDifference:
    """Index of the first language minus that of the second, over the tasks that both have."""

    estimate: Estimate
    p: float | None
    """Two-sided p-value of no difference, before any correction."""
    test_method: str
    without: dict[str, float]
    """The difference without each task in turn."""
    parts: dict[str, Estimate]
    """The difference of corrected scores on each task."""
    paired: tuple[str, ...]
    """Tasks that were compared item by item."""
    left_out: tuple[str, ...] = field(default=())
    """Tasks that only one language has."""

    @property
    def largest_change(self) -> tuple[str, float] | None:
        """The task that the difference depends on most, and the difference without it minus the difference."""
        return _largest_change(self.estimate.value, self.without)


@overload
def chance_corrected(score: float, chance: float) -> float: ...
@overload
def chance_corrected(score: Estimate, chance: float) -> Estimate: ...
def chance_corrected(score: float | Estimate, chance: float) -> float | Estimate:
    """Return (score - chance) / (1 - chance): 0 is guessing, 1 is all right; of an estimate also the interval's ends.

    Chance is taken as known, so that the interval is only moved and stretched. Source of the form: J. Cohen (1960),
    Educ. Psychol. Meas. 20, 37-46.

    Args:
        score: A share, or its estimate.
        chance: The score of guessing, 0 or more and below 1.

    Raises:
        ValueError: The chance is not 0 or more and below 1.
    """
    if not 0 <= chance < 1:
        raise ValueError(f"a chance of {chance} is not 0 or more and below 1")
    if not isinstance(score, Estimate):
        return (score - chance) / (1 - chance)
    value, low, high = (
        None if end is None else (end - chance) / (1 - chance) for end in (score.value, score.low, score.high)
    )
    return replace(score, value=value, low=low, high=high)


def language_index(
    tasks: Sequence[TaskScores],
    rng: np.random.Generator | None = None,
    *,
    level: float = 0.95,
    resamples: int = 10_000,
) -> Index:
    """Return the mean over tasks of scores corrected for chance; every task has the same weight.

    Tasks are fixed, items (or clusters) are a sample: the index speaks of these tasks. Its interval adds the distances
    of each task's own ends (`score_interval`) in squares: G. Y. Zou, G. Huang and X. Zhang (2009), Comput. Stat. Data
    Anal. 53, 1080-1085 (linear functions of shares); G. Y. Zou and A. Donner (2008), Stat. Med. 27, 1693-1702.

    Args:
        tasks: Their scores; each name once.
        rng: Source of randomness of the bootstrap, which is a check on the interval.
        level: Coverage of the interval.
        resamples: Number of bootstrap samples.

    Raises:
        ValueError: A name stands for two tasks.
    """
    _check_names(tasks)
    parts = {
        task.name: chance_corrected(score_interval(task.values, task.clusters, level=level), task.chance)
        for task in tasks
    }
    estimate = _mean(parts)
    check = None if rng is None or estimate.value is None else _bootstrap(tasks, estimate, rng, level, resamples)
    return Index(estimate, _without(parts), parts, check)


def index_difference(
    first: Sequence[TaskScores], second: Sequence[TaskScores], rng: np.random.Generator, *, level: float = 0.95
) -> IndexDifference:
    """Compare the indices of two languages over the tasks that both have, matched by name.

    A task is compared item by item where both sides have ids and some of them in common (over these items alone), or
    where neither has ids and both have as many items, then taken to be the same in the same order; its interval is that
    of `paired_difference`. Else it is compared as unlike items by `unpaired_difference`. The intervals are added as in
    `language_index`. If all tasks are paired, the test flips signs of items (or clusters) over all tasks at once
    (`sign_flip_p`); else it is Student's t with Welch's degrees of freedom.

    Args:
        first: Scores in the first language.
        second: Scores in the second.
        rng: Source of randomness of the sign flips.
        level: Coverage of the interval.

    Raises:
        ValueError: A name stands for two tasks of one language, or the two have different clusters for an item.
    """
    _check_names(first)
    _check_names(second)
    theirs = {task.name: task for task in second}
    ours = [task.name for task in first]
    compared = [_compare(task, theirs[task.name], rng, level) for task in first if task.name in theirs]
    left_out = tuple(n for n in (*ours, *theirs) if n not in theirs or n not in ours)
    parts = {part.name: part.estimate for part in compared}
    estimate = _mean(parts)
    known = [part for part in compared if part.estimate.value is not None]
    paired = tuple(part.name for part in known if part.flips is not None)
    if estimate.value is None:
        p, method = None, ""
    elif len(paired) == len(known):
        flips = np.concatenate([part.flips for part in known if part.flips is not None])
        p, method = sign_flip_p(flips, rng), "sign-flip"
    else:
        p, method = _welch_p(estimate.value * len(known), known), "welch"
    return IndexDifference(estimate, p, method, _without(parts), parts, paired, left_out)


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """One task in two languages."""

    name: str
    estimate: Estimate
    flips: NDArray[np.float64] | None = None
    """What each item or cluster adds to the difference of the task; none where items are not paired."""
    se: float | None = None
    df: float = math.inf


def _compare(first: TaskScores, second: TaskScores, rng: np.random.Generator, level: float) -> _Compared:
    a, b = (np.asarray(side.values, dtype=np.float64) for side in (first, second))
    places = _pairs(first, second)
    if places is None:
        return _compare_unlike(first, second, level)
    a, b = as_pairs(a[places[0]], b[places[1]])
    clusters = _picked(first.clusters, places[0])
    if clusters != _picked(second.clusters, places[1]):
        raise ValueError(f"{first.name}: its items do not have the same clusters in both languages")
    scale = 1 - first.chance
    if first.chance != second.chance:
        # Two levels of chance: each side is corrected by its own, which makes them real-valued scores.
        a, b, scale = (a - first.chance) / (1 - first.chance), (b - second.chance) / (1 - second.chance), 1.0
    found = paired_difference(a, b, clusters=clusters, rng=rng, level=level)
    if found.difference is None:
        return _Compared(first.name, Estimate(None, None, None, 0, "", "no items in common"))
    value, low, high = (None if x is None else x / scale for x in (found.difference, found.low, found.high))
    estimate = Estimate(value, low, high, found.n, found.interval_method, found.reason)
    d = (a - b) / (scale * found.n)
    flips = d if clusters is None else cluster_sums(d[:, None], clusters)[:, 0]
    df = (found.clusters or found.n) - 1
    return _Compared(first.name, estimate, flips, None if found.se is None else found.se / scale, df)


def _compare_unlike(first: TaskScores, second: TaskScores, level: float) -> _Compared:
    a, b = (np.asarray(side.values, dtype=np.float64) for side in (first, second))
    scale = 1 - first.chance
    if first.chance != second.chance:
        a, b, scale = (a - first.chance) / (1 - first.chance), (b - second.chance) / (1 - second.chance), 1.0
    clusters = None
    if first.clusters is not None or second.clusters is not None:
        clusters = (first.clusters or range(a.size), second.clusters or range(b.size))
    found = unpaired_difference(a, b, clusters=clusters, level=level)
    value, low, high = (None if x is None else x / scale for x in (found.difference, found.low, found.high))
    n = found.n_first + found.n_second
    estimate = Estimate(value, low, high, n, found.interval_method, found.reason)
    se = None if found.se is None else found.se / scale
    return _Compared(first.name, estimate, None, se, found.df or max(1.0, n - 2.0))


def _pairs(first: TaskScores, second: TaskScores) -> tuple[list[int], list[int]] | None:
    """Return the places of the items that both have, in the order of the first; none where they are unlike."""
    if first.ids is None and second.ids is None:
        n = int(np.size(first.values))
        return (list(range(n)), list(range(n))) if n == np.size(second.values) else None
    if first.ids is None or second.ids is None:
        return None
    there = {key: i for i, key in enumerate(second.ids)}
    common = [(i, there[key]) for i, key in enumerate(first.ids) if key in there]
    return ([i for i, _ in common], [j for _, j in common]) if common else None


def _picked(clusters: Sequence[Hashable] | None, places: Sequence[int]) -> list[Hashable] | None:
    return None if clusters is None else [clusters[i] for i in places]


def _mean(parts: Mapping[str, Estimate]) -> Estimate:
    """Return the mean of estimates of independent samples, with the interval of squared distances added."""
    n = sum(part.n for part in parts.values())
    if not parts:
        return Estimate(None, None, None, 0, _METHOD, "no tasks")
    values = [part.value for part in parts.values() if part.value is not None]
    if len(values) < len(parts):
        lacking = ", ".join(name for name, part in parts.items() if part.value is None)
        return Estimate(None, None, None, n, _METHOD, f"no score on {lacking}")
    value = sum(values) / len(parts)
    below, above = 0.0, 0.0
    for name, part in parts.items():
        if part.value is None or part.low is None or part.high is None:
            return Estimate(value, None, None, n, _METHOD, f"{name}: {part.reason}")
        below += (part.value - part.low) ** 2
        above += (part.high - part.value) ** 2
    low, high = value - math.sqrt(below) / len(parts), value + math.sqrt(above) / len(parts)
    return Estimate(value, low, high, n, _METHOD)


def _bootstrap(
    tasks: Sequence[TaskScores], estimate: Estimate, rng: np.random.Generator, level: float, resamples: int
) -> Estimate:
    drawn = np.zeros(resamples)
    for task in tasks:
        values = np.asarray(task.values, dtype=np.float64)
        rows = np.column_stack([values, np.ones(values.size)])
        sums = rows if task.clusters is None else cluster_sums(rows, task.clusters)
        means = np.concatenate([part[:, 0] / part[:, 1] for part in resampled_sums(sums, rng, resamples)])
        drawn += (means - task.chance) / (1 - task.chance) / len(tasks)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    if low == high:
        reason = "all resamples are alike, so that a bootstrap has no width"
        return Estimate(estimate.value, None, None, estimate.n, "bootstrap", reason)
    return Estimate(estimate.value, float(low), float(high), estimate.n, "bootstrap")


def _without(parts: Mapping[str, Estimate]) -> dict[str, float]:
    values = {name: part.value for name, part in parts.items() if part.value is not None}
    if len(values) < max(2, len(parts)):
        return {}
    total = sum(values.values())
    return {name: (total - value) / (len(values) - 1) for name, value in values.items()}


def _largest_change(value: float | None, without: Mapping[str, float]) -> tuple[str, float] | None:
    if value is None or not without:
        return None
    name = max(without, key=lambda task: abs(without[task] - value))
    return name, without[name] - value


def _welch_p(total: float, parts: Sequence[_Compared]) -> float | None:
    """Return the p of a sum of independent differences; none where one has no standard error, or all have 0."""
    from scipy.special import stdtr

    known = [(part.se, part.df) for part in parts if part.se is not None]
    variance = sum(se**2 for se, _ in known)
    if len(known) < len(parts) or variance == 0:
        return None
    df = variance**2 / sum(se**4 / df for se, df in known)
    return 2 * float(stdtr(df, -abs(total) / math.sqrt(variance)))


def _check_names(tasks: Sequence[TaskScores]) -> None:
    names = [task.name for task in tasks]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two tasks have the name {twice[0]!r}: give each its own")
