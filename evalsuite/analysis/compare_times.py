"""Times of the same requests on two sides: ratio of medians with its interval, and a test of ranks."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from evalsuite.analysis.compare_axis import Axis
from evalsuite.analysis.compare_rows import TimeRow, TimeVerdict
from evalsuite.analysis.load import Run
from evalsuite.analysis.profiles import Profile
from evalsuite.analysis.rows import ALPHA
from evalsuite.likeness import Unlike, unlike_devices, unlike_models, unlike_profiles, unlike_threads
from evalsuite.records import Kind, RequestRow
from evalsuite.stats.corrections import holm
from evalsuite.stats.intervals import Estimate
from evalsuite.stats.quantiles import ratio_of_medians
from evalsuite.stats.ranks import rank_sum_p

__all__ = ["Timed", "compare_times", "unlike_times"]


@dataclass(frozen=True, eq=False)
class Timed:
    """One profile of a run."""

    run: Run
    label: str
    """Of the run; empty where there is but one."""
    profile: Profile
    name: str
    """What tells it from the other side."""

    @property
    def model(self) -> str:
        """Name of the model, without its device."""
        return self.profile.facts.cell.model

    @property
    def device(self) -> str:
        """Fingerprint of the device."""
        return self.profile.facts.cell.device


def unlike_times(first: Timed, second: Timed, by: Axis) -> list[Unlike]:
    """Return in what two profiles differ besides what is compared: requests, engine, threads, device and its power mode."""
    found = []
    if first.model == second.model:
        models = (side.run.manifest.models[side.model] for side in (first, second))
        found += unlike_models(*models)
    for kind in _kinds(first, second):
        found += unlike_profiles(first.profile.facts, second.profile.facts, kind)
        for language in _languages(first, second):
            found += _unlike_requests(first, second, language, kind)
    if by is not Axis.DEVICE:
        found += unlike_threads(first.profile.facts, second.profile.facts)
        found += unlike_devices(first.profile.device, second.profile.device)
    return list(dict.fromkeys(found))


def compare_times(
    found: Sequence[tuple[Timed, Timed]], languages: Collection[str] | None = None
) -> tuple[TimeRow, ...]:
    """Return a row for every pair of profiles × language × kind of request, corrected by Holm over all of them.

    Only requests that both sides were asked are compared. Requests of disturbed rounds are kept apart where there are others.

    Args:
        found: Pairs of profiles, found to be alike.
        languages: Codes; none: all.
    """
    rows = [
        _row(first, second, language, kind)
        for first, second in found
        for kind in _kinds(first, second)
        for language in _languages(first, second)
        if languages is None or language in languages
    ]
    corrected = holm([row.p for row in rows])
    alpha = ALPHA / max(1, sum(p is not None for p in corrected))
    return tuple(_settled(row, p, alpha) for row, p in zip(rows, corrected, strict=True))


def _kinds(first: Timed, second: Timed) -> list[Kind]:
    asked = [set(side.profile.facts.cell.settings.kinds) for side in (first, second)]
    return [kind for kind in Kind if kind in asked[0] & asked[1]]


def _languages(first: Timed, second: Timed) -> list[str]:
    return [code for code in first.profile.languages if code in second.profile.languages]


def _unlike_requests(first: Timed, second: Timed, language: str, kind: Kind) -> list[Unlike]:
    """Return whether requests of one id have other texts, as far as their sizes tell."""
    ours, theirs = (
        {row.id: row.prompt_bytes for row in side.profile.timed(language, kind)[0]} for side in (first, second)
    )
    differing = [name for name in ours if name in theirs and ours[name] != theirs[name]]
    if not differing:
        return []
    name = differing[0]
    sizes = (f"{ours[name]} bytes", f"{theirs[name]} bytes")
    fix = "profile one of them again with the requests of the other"
    return [Unlike(f"the request {name} in {language}", "text of", *sizes, fix)]


def _row(first: Timed, second: Timed, language: str, kind: Kind) -> TimeRow:
    sides = [side.profile.timed(language, kind) for side in (first, second)]
    both = {row.id for row in sides[0][0]} & {row.id for row in sides[1][0]}
    ours, theirs = ([row.total_s for row in rows if row.id in both] for rows, _, _ in sides)
    rng = first.run.rng("times", first.label, first.name, second.name, language, kind.value)
    ratio = ratio_of_medians(ours, theirs, rng, level=1 - ALPHA)
    medians = [_median([row for row in rows if row.id in both]) for rows, _, _ in sides]
    return TimeRow(
        model=first.model if first.model == second.model else None,
        language=language,
        kind=kind,
        first=first.name,
        second=second.name,
        first_run=first.label,
        second_run=second.label,
        first_n=len(ours),
        second_n=len(theirs),
        first_median_s=medians[0],
        second_median_s=medians[1],
        ratio=ratio,
        p=rank_sum_p(ours, theirs) if both else None,
        p_holm=None,
        verdict=None,
        reason=ratio.reason,
        needed=None,
        flagged=tuple(dict.fromkeys((*sides[0][2], *sides[1][2]))),
    )


def _median(rows: Sequence[RequestRow]) -> float | None:
    import statistics

    return statistics.median(row.total_s for row in rows) if rows else None


def _settled(row: TimeRow, p: float | None, alpha: float) -> TimeRow:
    verdict = _verdict(row.ratio, p)
    needed = _needed(row, alpha) if verdict is TimeVerdict.INCONCLUSIVE else None
    return replace(row, p_holm=p, verdict=verdict, needed=needed)


def _verdict(ratio: Estimate, p: float | None) -> TimeVerdict | None:
    """A difference needs both the corrected test and the interval to exclude equality, as with scores."""
    if p is None or ratio.value is None:
        return None
    if p < ALPHA and ratio.low is not None and ratio.low > 1:
        return TimeVerdict.SLOWER
    if p < ALPHA and ratio.high is not None and ratio.high < 1:
        return TimeVerdict.FASTER
    return TimeVerdict.INCONCLUSIVE


def _needed(row: TimeRow, alpha: float, power: float = 0.8) -> int | None:
    """Return the requests on each side that would show the ratio that was seen.

    The interval of log(ratio) narrows with the root of their number; normal distribution, as in every sample size of a mean
    (J. M. Lachin (1981), Controlled Clinical Trials 2, 93-113).
    """
    from scipy import stats

    ratio = row.ratio
    if ratio.value is None or ratio.low is None or ratio.high is None or ratio.low <= 0 or ratio.value == 1:
        return None
    error = math.log(ratio.high / ratio.low) / (2 * float(stats.norm.ppf(1 - ALPHA / 2)))
    z = float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power))
    needed = math.ceil(min(row.first_n, row.second_n) * (z * error / math.log(ratio.value)) ** 2)
    return None if needed > 1_000_000 else max(needed, row.first_n, row.second_n)
