"""What lies behind the gaps that are shown: the signs that were counted, and in words what they point to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evalsuite.analysis.gap_reasons import reasons_of
from evalsuite.analysis.gap_rows import Explains, GapReasons
from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import GapRow, Scale, Verdict
from evalsuite.analysis.tables import Tables
from evalsuite.report.text import Text

__all__ = ["GapWhy", "WhyRow", "build_gap_why"]

_MOST = 30
"""Gaps that are listed: past them nobody reads on, and each takes a look at its items."""
_NEARLY_ALL = 0.9
"""Share of items with one answer from which on a model does not react to them, as in `analysis.flags`."""
_TAXED = 1.5
"""Token tax whose lower end says that the tokenizer hardly knows a language."""
_MOST_OF_THEM = 0.5
_MANY = 3
"""Items by which a confusion must have grown to be named."""


@dataclass(frozen=True, slots=True)
class WhyRow:
    """One gap, what was counted, and what that points to."""

    gap: GapRow
    reasons: GapReasons
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GapWhy:
    """The gaps that are listed."""

    rows: tuple[WhyRow, ...]
    shown: int
    """Gaps that are shown to be behind, listed or not."""


def build_gap_why(run: Run, tables: Tables, text: Text) -> GapWhy | None:
    """Return what lies behind the largest gaps; none where no gap is shown."""
    behind = [row for row in tables.gaps if row.verdict is Verdict.BEHIND and row.scale is Scale.SHARE]
    if not behind:
        return None
    largest = sorted(behind, key=lambda row: row.difference.difference or 0.0)[:_MOST]
    found = [(row, reasons_of(run, row, kinds=False)) for row in largest]
    return GapWhy(tuple(WhyRow(row, why, tuple(_signs(why, text))) for row, why in found), len(behind))


def _signs(why: GapReasons, text: Text) -> Iterator[str]:
    """Yield what the counts point to, the strongest sign first; never more than they show."""
    said = [*_answers(why, text), *_mistakes(why, text), *_tokens(why, text), *_confusions(why, text)]
    yield from said or (text("why.sign.none"),)


def _answers(why: GapReasons, text: Text) -> Iterator[str]:
    written, options = why.wrong_language.found, why.options.found
    if written is not None and written.explains is Explains.YES:
        yield text("why.sign.wrong_language")
    elif written is not None and written.explains is Explains.NO and (written.wrong.low or 0.0) > 0.1:
        yield text("why.sign.partly_wrong_language")
    if options is not None and options.here.answer_share >= _NEARLY_ALL > options.reference.answer_share:
        yield text("why.sign.one_answer")


def _mistakes(why: GapReasons, text: Text) -> Iterator[str]:
    found = why.mistakes.found
    if found is None or found.same.low is None or found.same.high is None:
        return
    if found.same.low > found.expected:
        yield text("why.sign.knowledge")
    elif found.same.high < _MOST_OF_THEM:
        yield text("why.sign.understanding")


def _tokens(why: GapReasons, text: Text) -> Iterator[str]:
    if why.tokens.value is not None and (why.tokens.low or 0.0) >= _TAXED:
        yield text("why.sign.tokens", ratio=text.number(why.tokens.value))


def _confusions(why: GapReasons, text: Text) -> Iterator[str]:
    grown = why.confusions.found or ()
    if grown and grown[0].n - grown[0].n_reference >= _MANY:
        most = grown[0]
        yield text("why.sign.confusion", right=most.right, taken=most.taken_for, n=most.n, there=most.n_reference)
