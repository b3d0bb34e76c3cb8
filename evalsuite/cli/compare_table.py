"""Prints a comparison for people: a table where the terminal is wide, some short lines for each row where it is narrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from evalsuite.analysis.compare_rows import Comparison, PairRow, TimeRow
from evalsuite.analysis.compare_text import (
    HEADS,
    TIME_HEADS,
    about_runs,
    explained,
    missing_told,
    not_compared,
    pair_cells,
    pair_lines,
    time_cells,
    time_lines,
)
from evalsuite.analysis.power_table import PowerRow
from evalsuite.analysis.power_text import POWER_HEADS, power_cells, power_explained, power_lines
from evalsuite.cli.output import WIDE

__all__ = ["show_comparison", "show_power"]

_LEFT = ("what", "first", "second", "verdict")
_Row = TypeVar("_Row", PairRow, TimeRow, PowerRow)


def show_comparison(comparison: Comparison) -> None:
    """Print a comparison to standard output."""
    # What stands in cells and notes is shown as it is, never read as markup.
    console = Console(highlight=False, markup=False, emoji=False)
    for warning in comparison.warnings:
        console.print(f"WARNING, compared by --force: {warning}")
    for line in about_runs(comparison):
        console.print(line)
    compared = [row for row in comparison.pairs if row.verdict is not None]
    if compared:
        title = f"scores by {comparison.by.value}"
        _show(console, title, compared, HEADS, (pair_cells, pair_lines), lambda row: row.group)
    if comparison.times:
        title = f"times by {comparison.by.value}"
        _show(console, title, comparison.times, TIME_HEADS, (time_cells, time_lines), lambda row: row.kind.value)
    notes = (f"note: {note}" for note in comparison.notes)
    for line in (*explained(comparison), *not_compared(comparison.pairs), *notes, *missing_told(comparison)):
        console.print(line)


def show_power(comparison: Comparison, rows: Sequence[PowerRow]) -> None:
    """Print what the items of each comparison of a run can show to standard output."""
    console = Console(highlight=False, markup=False, emoji=False)
    for line in about_runs(comparison):
        console.print(line)
    compared = [power for power in rows if power.row.verdict is not None]
    title = f"what the items can show, by {comparison.by.value}"
    if compared:
        _show(console, title, compared, POWER_HEADS, (power_cells, power_lines), lambda power: power.row.group)
    for line in (*power_explained(comparison), *not_compared(comparison.pairs)):
        console.print(line)


def _show(
    console: Console,
    title: str,
    rows: Sequence[_Row],
    heads: Sequence[str],
    write: tuple[Callable[[_Row], tuple[str, ...]], Callable[[_Row], list[str]]],
    section: Callable[[_Row], str],
) -> None:
    cells, lines = write
    if console.width < WIDE:
        console.print(f"\n{title}")
        for row in rows:
            for line in lines(row):
                console.print(line)
        console.print()
        return
    shown = Table(title=title)
    for head in heads:
        shown.add_column(head, justify="left" if head in _LEFT else "right", overflow="fold")
    last = section(rows[0])
    for row in rows:
        if section(row) != last:
            shown.add_section()
            last = section(row)
        shown.add_row(*cells(row))
    console.print(shown)
