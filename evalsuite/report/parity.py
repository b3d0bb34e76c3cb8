"""The part of the report on texts that are read and not answered: bits, information parity and token tax."""

from __future__ import annotations

from dataclasses import dataclass

from evalsuite.analysis.load import Run
from evalsuite.analysis.parity import ParityRow
from evalsuite.analysis.tables import Tables
from evalsuite.report.blocks import Block, Blocks, Part
from evalsuite.report.names import Names
from evalsuite.report.text import Text

__all__ = ["ParitySection", "build_parity"]


@dataclass(frozen=True, slots=True)
class ParitySection:
    """Everything of the part on information parity."""

    parts: tuple[Part[ParityRow], ...]
    texts: int
    """Texts that were read, summed over models and languages."""
    sentences: tuple[str, ...]
    """For the summary."""


def build_parity(run: Run, tables: Tables, names: Names, text: Text) -> ParitySection | None:
    """Return the part on information parity; none where the run has no texts that are only read."""
    if not tables.parity:
        return None
    blocks = Blocks(run, text, ())
    made = [
        Block(
            found.id,
            found.title,
            found.family,
            text("parity.caption", group=found.title),
            None,
            blocks.lines(found.rows),
        )
        for found in blocks.gather("parity", tables.parity)
    ]
    return ParitySection(
        parts=blocks.parts("parity", made),
        texts=sum(row.items for row in tables.parity),
        sentences=_summary(tables, names, text),
    )


def _summary(tables: Tables, names: Names, text: Text) -> tuple[str, ...]:
    """Name the lowest parity, where one is clearly below 1."""
    low = [(r.parity.value, r) for r in tables.parity if r.parity.value and r.parity.high and r.parity.high < 1]
    if not low:
        return ()
    value, row = min(low, key=lambda pair: pair[0])
    said = text(
        "parity.summary",
        model=names.series_of(row.model, row.form).label,
        language=names.language(row.language).shown,
        reference=names.language(row.reference or "").shown,
        times=text.number(1 / value, 2),
        tokens=text.number(row.token_tax.value, 2),
    )
    return (said,)
