"""What requests took: times, rates and the token tax, by model, language and kind of request."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

from evalsuite.analysis.profile_rows import CurveRow, LatencyRow, Spread, TaxRow, ThreadsRow
from evalsuite.analysis.profiles import Profile
from evalsuite.records import Kind, RequestRow
from evalsuite.stats.energy import Quantity
from evalsuite.stats.intervals import Estimate, geometric_ratio
from evalsuite.stats.quantiles import quantile

__all__ = ["curve", "latencies", "taxes", "threads"]


def latencies(profiles: Iterable[Profile]) -> tuple[LatencyRow, ...]:
    """Return times and rates of every model × language × kind of request."""
    return tuple(
        row
        for profile in profiles
        for kind in Kind
        for language in profile.languages
        if (row := _latency(profile, language, kind)) is not None
    )


def _latency(profile: Profile, language: str, kind: Kind) -> LatencyRow | None:
    rows, apart, flagged = profile.timed(language, kind)
    if not rows:
        return None
    count = len(rows)
    answered = [r for r in rows if r.steps_s]
    judged = [r.right for r in rows if r.right is not None]
    return LatencyRow(
        model=profile.model,
        language=language,
        kind=kind,
        n=count,
        apart=apart,
        flagged=flagged,
        total=_spread([r.total_s for r in rows]),
        ttft=_spread([r.ttft_s for r in rows]),
        step=_steps([step for r in rows for step in r.steps_s]),
        prefill_rate=_median([r.prompt_tokens / r.prefill_s for r in rows]),
        decode_rate=_median([len(r.steps_s) / sum(r.steps_s) for r in answered]),
        decode_chars=_median([r.output_chars * len(r.steps_s) / r.output_tokens / sum(r.steps_s) for r in answered]),
        prompt_tokens=sum(r.prompt_tokens for r in rows) / count,
        output_tokens=sum(r.output_tokens for r in rows) / count,
        prompt_chars=sum(r.prompt_chars for r in rows) / count,
        prompt_bytes=sum(r.prompt_bytes for r in rows) / count,
        output_chars=sum(r.output_chars for r in rows) / count,
        right=(sum(judged), len(judged)) if judged else None,
    )


def _spread(values: Sequence[float]) -> Spread:
    return Spread(_median(values), _quantile(values, 0.95), _quantile(values, 0.99))


def _steps(values: Sequence[float]) -> Spread:
    """Return the distribution of times between tokens, without intervals: those of one request are not independent."""
    spread = _spread(values)

    def bare(estimate: Estimate) -> Estimate:
        if estimate.low is None:
            return estimate
        return Estimate(
            estimate.value, None, None, estimate.n, estimate.method, "steps of a request are not independent"
        )

    return Spread(bare(spread.median), bare(spread.p95), bare(spread.p99))


def _median(values: Sequence[float]) -> Estimate:
    return _quantile(values, 0.5)


def _quantile(values: Sequence[float], q: float) -> Estimate:
    if not values:
        return Estimate(None, None, None, 0, "order statistics", "no values")
    return quantile(values, q)


# --- token tax


def taxes(
    profiles: Iterable[Profile],
    reference_of: Callable[[str], str | None],
    energy: Mapping[tuple[str, str, Kind], Quantity],
) -> tuple[TaxRow, ...]:
    """Return what the same content costs in each language relative to its reference.

    Args:
        profiles: From `load_profiles`.
        reference_of: The reference of a language; none for the reference itself.
        energy: Joules per request by model, language and kind.
    """
    return tuple(
        TaxRow(
            model=profile.model,
            language=language,
            reference=reference,
            kind=kind,
            tokens=_ratio(profile, language, reference, kind, lambda r: r.prompt_tokens + r.output_tokens),
            time=_ratio(profile, language, reference, kind, lambda r: r.total_s),
            energy=_energy_ratio(
                energy.get((profile.model, language, kind)), energy.get((profile.model, reference, kind))
            )
            if reference in profile.languages
            else Quantity(None, reason=_without(reference)),
        )
        for profile in profiles
        for kind in Kind
        for language in profile.languages
        if (reference := reference_of(language)) is not None
        if profile.timed(language, kind)[0]
    )


def _ratio(
    profile: Profile, language: str, reference: str, kind: Kind, measure: Callable[[RequestRow], float]
) -> Estimate:
    """Return the ratio over the same content in the same round, so that a drift of the device meets both alike."""
    if reference not in profile.languages:
        return Estimate(None, None, None, 0, "geometric", _without(reference))
    here, there = (
        {(r.round, r.sitting, r.id): measure(r) for r in profile.timed(code, kind)[0]} for code in (language, reference)
    )
    # The same content in other rounds is no new content: its rounds are averaged first.
    logs: dict[str, list[float]] = {}
    for key in sorted(here.keys() & there.keys()):
        logs.setdefault(key[2], []).append(math.log(here[key] / there[key]))
    return geometric_ratio([math.exp(statistics.fmean(found)) for found in logs.values()], [1.0] * len(logs))


def _without(reference: str) -> str:
    return f"the reference {reference} was not measured"


def _energy_ratio(here: Quantity | None, there: Quantity | None) -> Quantity:
    """Return the ratio of two quantities with independent errors (GUM, JCGM 100:2008, section 5.1.6)."""
    if here is None or there is None or here.value is None or there.value is None:
        missing = next((q for q in (here, there) if q is not None and q.value is None), None)
        return Quantity(None, reason=(missing.reason if missing else None) or "no power was measured")
    if there.value <= 0:
        return Quantity(None, reason="the reference took no energy")
    ratio = here.value / there.value
    if here.u is None or there.u is None or here.coverage is None or there.coverage is None:
        return Quantity(ratio, reason=here.reason or there.reason or "its uncertainty is not known")
    relative = ((here.u / here.value) ** 2 + (there.u / there.value) ** 2) ** 0.5 if here.value else 0.0
    return Quantity(ratio, ratio * relative, max(here.coverage, there.coverage))


# --- contexts and threads


def curve(profiles: Iterable[Profile]) -> tuple[CurveRow, ...]:
    """Return what contexts of growing length take."""
    return tuple(
        CurveRow(
            model=profile.model,
            tokens=point.tokens,
            prefill_s=point.prefill_s,
            prefill_rate=point.tokens / point.prefill_s if point.prefill_s else None,
            decode_rate=_median([1 / step for step in point.steps_s])
            if point.reason is None
            else Estimate(None, None, None, 0, "order statistics", point.reason),
            cache=point.kv_bytes,
            peak_rss=point.peak_rss if point.reason is None else None,
            reason=point.reason,
        )
        for profile in profiles
        for point in profile.facts.curve
    )


def threads(profiles: Iterable[Profile]) -> tuple[ThreadsRow, ...]:
    """Return the rates with each number of threads that was compared."""
    return tuple(
        ThreadsRow(
            model=profile.model,
            threads=point.threads,
            prefill_rate=_median([point.prefill_tokens / seconds for seconds in point.prefill_s]),
            decode_rate=_median([1 / step for step in point.steps_s]),
        )
        for profile in profiles
        for point in profile.facts.thread_points
    )
