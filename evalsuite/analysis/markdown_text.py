"""How numbers, intervals and tables are written in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from evalsuite.analysis.rows import ALPHA, Scale
from evalsuite.stats.intervals import Estimate
from evalsuite.stats.paired import PairedDifference

__all__ = [
    "MISSING",
    "flat",
    "interval",
    "methods",
    "p_value",
    "percent",
    "plain",
    "shown",
    "signed",
    "table",
    "two",
    "unique",
]

MISSING = "—"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return a table whose first `left` columns are text and stand left."""
    lines = [heads, [":--" if i < left else "--:" for i in range(len(heads))], *rows]
    return "\n".join(f"| {' | '.join(flat(cell) for cell in line)} |" for line in lines)


def flat(text: str) -> str:
    """Return text that breaks no table and is no markup of its own."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def interval(e: Estimate, show: Callable[[float], str]) -> str:
    """Return a number with its ends, or why one of them is missing."""
    if e.value is None:
        return f"{MISSING} {e.reason}"
    ends = e.reason if e.low is None or e.high is None else f"{show(e.low)} to {show(e.high)}"
    return f"{show(e.value)} ({ends})"


def signed(d: PairedDifference, show: Callable[[float], str]) -> str:
    """Return a difference with its sign and its ends."""
    ends = d.reason if d.low is None or d.high is None else f"{_sign(show(d.low))} to {_sign(show(d.high))}"
    return f"{MISSING if d.difference is None else _sign(show(d.difference))} ({ends})"


def _sign(number: str) -> str:
    if not float(number):
        return number.removeprefix("-")
    return number.replace("-", "\N{MINUS SIGN}") if number.startswith("-") else f"+{number}"


def shown(scale: Scale) -> Callable[[float], str]:
    """Return how scores of a scale are written."""
    return percent if scale is Scale.SHARE else two


def percent(value: float | None) -> str:
    """Return a share as a percentage without its sign."""
    return MISSING if value is None else f"{100 * value:.1f}"


def plain(value: float) -> str:
    """Return a number with one decimal."""
    return f"{value:.1f}"


def two(value: float) -> str:
    """Return a number with two decimals."""
    return f"{value:.2f}"


def p_value(value: float | None) -> str:
    """Return a p-value; none is a dash."""
    return MISSING if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def methods(estimates: Iterable[Estimate]) -> str:
    """Return the names of the methods of intervals."""
    return ", ".join(unique(e.method for e in estimates)) + f", {100 * (1 - ALPHA):.0f} %"


def unique(texts: Iterable[str | None]) -> list[str]:
    """Return texts without repeats and without what is missing."""
    return list(dict.fromkeys(text for text in texts if text))
