"""How a comparison is written for people: cells of tables, verdicts with a symbol, and what its numbers mean."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.analysis.compare_rows import Comparison, Effect, PairRow, TimeRow, TimeVerdict
from evalsuite.analysis.markdown_text import MISSING, p_value, shown
from evalsuite.analysis.rows import ALPHA, Scale, Verdict
from evalsuite.stats.intervals import Estimate

__all__ = [
    "HEADS",
    "TIME_HEADS",
    "about_runs",
    "explained",
    "missing_told",
    "not_compared",
    "pair_cells",
    "pair_lines",
    "signed_number",
    "time_cells",
    "time_lines",
    "what_of",
]

HEADS = ("what", "first", "second", "n", "scores", "difference (95 % interval)", "p", "p Holm", "effect", "verdict")
TIME_HEADS = ("what", "first", "second", "n", "median s", "ratio (95 % interval)", "p", "p Holm", "verdict")

_MINUS = "\N{MINUS SIGN}"
_SYMBOLS = {
    Verdict.BEHIND: "▼",
    Verdict.AHEAD: "▲",
    Verdict.WITHIN: "=",
    Verdict.INCONCLUSIVE: "?",
    TimeVerdict.SLOWER: "▼",
    TimeVerdict.FASTER: "▲",
    TimeVerdict.INCONCLUSIVE: "?",
}
_LISTED = 8
"""Names of a list that are written out."""


def pair_cells(row: PairRow) -> tuple[str, ...]:
    """Return the cells of a row of scores, under `HEADS`."""
    d, show = row.difference, shown(row.scale)
    scores = MISSING if d.first is None or d.second is None else _minus(f"{show(d.first)} / {show(d.second)}")
    return (
        what_of(row),
        row.first,
        row.second,
        _count(row),
        scores,
        _difference(row),
        p_value(d.p),
        p_value(row.p_holm),
        _effect(row.effect),
        _verdict(row),
    )


def pair_lines(row: PairRow) -> list[str]:
    """Return a row of scores as some short lines, for a narrow terminal."""
    about, first, second, n, scores, difference, p, holm, effect, verdict = pair_cells(row)
    return [
        f"{about}: {first} against {second}",
        f"  {verdict}",
        f"  {difference}; scores {scores}; n {n}",
        f"  p {p}, Holm {holm}; {effect}",
    ]


def time_cells(row: TimeRow) -> tuple[str, ...]:
    """Return the cells of a row of times, under `TIME_HEADS`."""
    about = " ".join(part for part in (row.model, row.kind.value, row.language) if part)
    medians = f"{_seconds(row.first_median_s)} / {_seconds(row.second_median_s)}"
    return (
        about + (" !" if row.flagged else ""),
        row.first,
        row.second,
        f"{row.first_n}" if row.first_n == row.second_n else f"{row.first_n} / {row.second_n}",
        medians,
        _ratio(row.ratio),
        p_value(row.p),
        p_value(row.p_holm),
        _time_verdict(row),
    )


def time_lines(row: TimeRow) -> list[str]:
    """Return a row of times as some short lines, for a narrow terminal."""
    about, first, second, n, medians, ratio, p, holm, verdict = time_cells(row)
    return [
        f"{about}: {first} against {second}",
        f"  {verdict}",
        f"  ratio {ratio}; medians {medians} s; n {n}",
        f"  p {p}, Holm {holm}",
    ]


def about_runs(comparison: Comparison) -> list[str]:
    """Return a line for each run: where it is, when and on what it was measured."""
    return [
        (f"{run.label}: " if run.label else "run: ")
        + f"{run.path}, {run.created[:10]}, evalsuite {run.evalsuite}, {run.device}"
        for run in comparison.runs
    ]


def missing_told(comparison: Comparison) -> list[str]:
    """Return a sentence for everything that one of two runs lacks."""
    return [f"{one.run} has not: {one.kind} {_listed(one.names)}." for one in comparison.missing]


def explained(comparison: Comparison) -> list[str]:
    """Return what the numbers of a comparison mean, a paragraph each."""
    told = []
    if comparison.pairs:
        margins = {row.margin for row in comparison.pairs if row.margin is not None and row.scale is Scale.SHARE}
        limit = "/".join(f"{100 * margin:g}" for margin in sorted(margins)) + " points" if margins else "the margin"
        way = f"behind by {limit} or more" if comparison.sides == 1 else f"as far apart as {limit}, either way"
        told.append(
            "Difference: first minus second, over the n items that both have, in points where scores are shares; “n in m”: items "
            f"in m clusters. p: of no difference. p Holm: corrected, {comparison.pairs_family.told}."
        )
        told.append(
            f"Verdicts, at a family-wise error of {100 * ALPHA:g} %: ▼ behind and ▲ ahead: the corrected p is below {ALPHA:g} and "
            f"the interval excludes 0. = within margin: it is shown that the first is not {way} (corrected in the same way). "
            "? inconclusive: neither is shown, and “about N items” would show one of them in four of five repeats, if what was "
            "seen is the truth."
        )
        told.append(
            "Effect: odds ratio: items that only the first got right for each that only the second did; d_z, where scores are "
            "no right or wrong: mean difference in standard deviations of the items' differences."
        )
    if comparison.times:
        told.append(
            "Times: ratio of the medians of the same requests, first divided by second; p by the rank-sum test; p Holm: "
            f"{comparison.times_family.told}. ▼ slower, ▲ faster, ? inconclusive. “!” marks figures from disturbed rounds."
        )
    return told


def signed_number(value: float, scale: Scale) -> str:
    """Return a difference with its sign."""
    text = shown(scale)(value)
    if not float(text):
        return text.removeprefix("-")
    return _minus(text) if text.startswith("-") else f"+{text}"


def not_compared(rows: Sequence[PairRow]) -> list[str]:
    """Return a sentence for every reason why something was not compared, with what it is true of."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.verdict is None:
            found.setdefault(row.reason or "no reason is known", []).append(f"{row.task or row.group} ({row.first})")
    return [
        f"{len(about)} not compared: {reason}: {_listed(list(dict.fromkeys(about)))}."
        for reason, about in found.items()
    ]


def _minus(text: str) -> str:
    return text.replace("-", _MINUS)


def what_of(row: PairRow) -> str:
    """Return what both sides of a row have in common."""
    parts = [row.task or row.group]
    # Where the language is what differs, it stands among the sides.
    parts += [row.model] if row.model else []
    parts += [row.form.value] if row.form is not None and row.form.value != "native" else []
    return " · ".join(parts)


def _count(row: PairRow) -> str:
    clusters = row.difference.clusters
    return str(row.difference.n) + (f" in {clusters}" if clusters else "")


def _difference(row: PairRow) -> str:
    d = row.difference
    if d.difference is None:
        return MISSING
    ends = (
        "no interval"
        if d.low is None or d.high is None
        else f"{signed_number(d.low, row.scale)} to {signed_number(d.high, row.scale)}"
    )
    return f"{signed_number(d.difference, row.scale)} ({ends})"


def _effect(effect: Effect | None) -> str:
    if effect is None:
        return MISSING
    name = "OR" if effect.name == "odds ratio" else effect.name
    value = "∞" if effect.value is None and effect.low is not None else _two(effect.value)
    ends = "" if effect.low is None and effect.high is None else f" ({_two(effect.low)} to {_two(effect.high, '∞')})"
    return _minus(f"{name} {value}{ends}")


def _verdict(row: PairRow) -> str:
    if row.verdict is None:
        return f"{MISSING} {row.reason or 'not compared'}"
    told = f"{_SYMBOLS[row.verdict]} {row.verdict.value}"
    if row.verdict is Verdict.INCONCLUSIVE:
        told += f": {_unsettled(row)}"
    if row.agreement is not None and row.agreement.value is not None:
        told += f"; {100 * row.agreement.value:.1f} % same answers"
    return told


def _time_verdict(row: TimeRow) -> str:
    if row.verdict is None:
        return f"{MISSING} {row.reason or 'not compared'}"
    told = f"{_SYMBOLS[row.verdict]} {row.verdict.value}"
    if row.verdict is TimeVerdict.INCONCLUSIVE:
        told += f": {row.reason}" if row.reason else f": {_more(row.needed, row.first_n, 'requests')}"
    return told


def _unsettled(row: PairRow) -> str:
    d = row.difference
    if d.only_first == d.only_second == 0:
        return f"the same on all {d.n} items; {_more(row.needed, d.n, 'items')}"
    return d.reason if row.needed is None and d.reason else _more(row.needed, d.n, "items")


def _more(needed: int | None, n: int, unit: str) -> str:
    """Return how many would settle it. What was seen may be enough four times in five, and this be the fifth."""
    if needed is None:
        return f"no number of {unit} up to a million would settle it"
    return f"about {needed:,} {unit} would settle it" if needed > n else f"a few more {unit} would settle it"


def _ratio(ratio: Estimate) -> str:
    if ratio.value is None:
        return MISSING
    ends = "no interval" if ratio.low is None or ratio.high is None else f"{ratio.low:.2f} to {ratio.high:.2f}"
    return f"{ratio.value:.2f} ({ends})"


def _two(value: float | None, missing: str = MISSING) -> str:
    return missing if value is None else f"{value:.2f}"


def _seconds(value: float | None) -> str:
    return MISSING if value is None else f"{value:.3g}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
