"""Joules per request, per token and per right answer, each with its label; where there are none, why and what would help."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from evalsuite.analysis.profile_rows import EnergyRow
from evalsuite.analysis.profiles import Profile
from evalsuite.estimates import carbon_g
from evalsuite.records import Kind, ReadingLabel, RequestRow
from evalsuite.stats.energy import EnergyFigure, Quantity, Rules, per, per_correct, per_thousand, request_energy
from evalsuite.stats.power_series import Span

__all__ = ["energies"]

_NO_METER = "no power sensor was found, and no meter was named"
_NO_METER_FIX = (
    "measure with --meter (`evalsuite doctor` lists the kinds; a plug with a meter costs little), import a meter's log, or give "
    "--watts for an estimate"
)


def energies(profiles: Iterable[Profile]) -> tuple[EnergyRow, ...]:
    """Return the energy of every model × language × kind that was measured, estimated, or should have been."""
    return tuple(
        _row(profile, language, kind)
        for profile in profiles
        for kind in profile.facts.cell.settings.energy_kinds
        for language in profile.languages
        if profile.requests
    )


def _row(profile: Profile, language: str, kind: Kind) -> EnergyRow:
    source, series = profile.primary, profile.series
    rows = profile.block(language, kind)
    if source is None or series is None:
        watts = profile.facts.cell.settings.watts
        if watts is not None:
            return _estimated(profile, language, kind, watts)
        return _unavailable(profile, language, kind)
    spans = [(r.start_ns / 1e9, r.end_ns / 1e9) for r in rows]
    figure = request_energy(series, spans, *_idle_around(profile, rows), Rules())
    return _made(profile, language, kind, rows, figure)


def _idle_around(profile: Profile, rows: Sequence[RequestRow]) -> tuple[Span | None, Span | None]:
    """Return the stretches without work before and after, in seconds; one of another sitting may lie elsewhere."""
    begun = min((r.start_ns for r in rows), default=0)
    ended = max((r.end_ns for r in rows), default=0)
    idle = [(start, end, (start / 1e9, end / 1e9)) for start, end in profile.facts.idle]
    return (
        next((span for _, end, span in reversed(idle) if end <= begun), None),
        next((span for start, _, span in idle if start >= ended), None),
    )


def _made(profile: Profile, language: str, kind: Kind, rows: Sequence[RequestRow], figure: EnergyFigure) -> EnergyRow:
    source = profile.primary
    assert source is not None
    told = figure.gross.value is not None
    failed = source.failures[0] if source.failures and not told else None
    gross = figure.gross if failed is None else replace(figure.gross, reason=f"{figure.gross.reason}; {failed}")
    each = per(gross, len(rows))
    grams, note = _carbon(profile, each.value)
    per_token, per_thousand_chars, correct = _pieces(gross, rows)
    return EnergyRow(
        model=profile.model,
        language=language,
        kind=kind,
        label=ReadingLabel(source.label) if told else ReadingLabel.UNAVAILABLE,
        scope=source.scope,
        requests=len(rows),
        gross=each,
        net=per(figure.net, len(rows)),
        per_token=per_token,
        per_thousand_chars=per_thousand_chars,
        per_correct=correct,
        carbon_g=grams,
        carbon_note=note,
        mean_w=figure.mean_w,
        idle_w=(figure.idle_before_w, figure.idle_after_w),
        flags=(*figure.flags, *_disturbed(profile, language, kind)),
        note=source.note,
        fix=None if told else "measure for longer (--energy-s), or with a meter that updates more often",
    )


def _pieces(gross: Quantity, rows: Sequence[RequestRow]) -> tuple[Quantity, Quantity, Quantity]:
    """Return joules per token, per 1,000 characters and per right answer."""
    judged = [r.right for r in rows if r.right is not None]
    return (
        per(gross, sum(r.prompt_tokens + r.output_tokens for r in rows), "tokens"),
        per_thousand(gross, sum(r.prompt_chars + r.output_chars for r in rows)),
        _per_right_answer(gross, rows)
        if judged
        else Quantity(None, reason="these requests have no right or wrong answer"),
    )


def _per_right_answer(gross: Quantity, rows: Sequence[RequestRow]) -> Quantity:
    """Return joules per right answer; a message that was asked several times is one item, as its answer is always the same."""
    right = {r.id: bool(r.right) for r in rows}
    return per_correct(per(gross, len(rows) / len(right)), sum(right.values()), len(right))


def _disturbed(profile: Profile, language: str, kind: Kind) -> tuple[str, ...]:
    """Return what disturbed the block of a language."""
    found = [s for s in profile.facts.stretches if (s.block, s.language, s.kind) == ("energy", language, kind)]
    return found[-1].disturbed if found else ()


def _estimated(profile: Profile, language: str, kind: Kind, watts: float) -> EnergyRow:
    """Return watts that the user gave × measured time."""
    rows = profile.timed(language, kind)[0]
    gross = Quantity(watts * sum(r.total_s for r in rows), reason="an estimate has no interval")
    each = per(gross, len(rows))
    grams, note = _carbon(profile, each.value)
    per_token, per_thousand_chars, correct = _pieces(gross, rows)
    return EnergyRow(
        model=profile.model,
        language=language,
        kind=kind,
        label=ReadingLabel.ESTIMATED,
        scope=f"{watts:g} W given by the user × measured time",
        requests=len(rows),
        gross=each,
        net=Quantity(None, reason="an estimate from one power has no idle part"),
        per_token=per_token,
        per_thousand_chars=per_thousand_chars,
        per_correct=correct,
        carbon_g=grams,
        carbon_note=note,
        mean_w=watts,
        idle_w=(None, None),
        flags=(),
    )


def _unavailable(profile: Profile, language: str, kind: Kind) -> EnergyRow:
    reason, fix = _why_none(profile)
    nothing = Quantity(None, reason=reason)
    return EnergyRow(
        model=profile.model,
        language=language,
        kind=kind,
        label=ReadingLabel.UNAVAILABLE,
        scope="",
        requests=0,
        gross=nothing,
        net=nothing,
        per_token=nothing,
        per_thousand_chars=nothing,
        per_correct=nothing,
        carbon_g=None,
        carbon_note=reason,
        mean_w=None,
        idle_w=(None, None),
        flags=(),
        fix=fix,
    )


def _why_none(profile: Profile) -> tuple[str, str]:
    """Return why there is not one value of power, and what would help."""
    asked, source = profile.facts.cell.settings.meters, profile.primary
    if source is not None:
        return "; ".join((f"the power meter {source.id} gave no value", *source.failures[:1])), _NO_METER_FIX
    if asked == ("none",):
        return "power was not asked for (--meter none)", _NO_METER_FIX
    if "log" in asked:
        return "the log of the meter was not imported yet", "`evalsuite meter import RUN LOG`"
    lacking = next((m for m in profile.facts.meters if m.name in asked and not m.available), None)
    if lacking is not None:
        return f"the power meter {lacking.name}: {lacking.told}", lacking.fix or _NO_METER_FIX
    return _NO_METER, _NO_METER_FIX


def _carbon(profile: Profile, joules: float | None) -> tuple[float | None, str]:
    """Return grams per 1,000 requests, and where the figure of the grid comes from."""
    grid = profile.facts.grid
    if joules is None:
        return None, "no energy, so no carbon"
    if grid is None:
        return None, "no grid was named (--grid)"
    year = f", {grid['year']}" if grid.get("year") else ""
    note = f"{grid['g_per_kwh']:g} g/kWh, {grid['place']} ({grid['source']}{year})"
    return carbon_g(1000 * joules, grid["g_per_kwh"]), note
