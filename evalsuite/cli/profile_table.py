"""Prints what a device was measured to take, for people."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.table import Table

from evalsuite.analysis.device_tables import DeviceTables, device_tables
from evalsuite.analysis.load import load_run
from evalsuite.cli.common import show_table
from evalsuite.stats.energy import Quantity
from evalsuite.stats.intervals import Estimate

__all__ = ["show_profiles"]


def show_profiles(folder: Path) -> None:
    """Print the tables of a run folder's profiles to standard output."""
    tables = device_tables(load_run(folder))
    _latency(tables)
    _memory(tables)
    _energy(tables)


def _latency(tables: DeviceTables) -> None:
    tax = {(row.model, row.language, row.kind): row.time for row in tables.taxes}
    for model in dict.fromkeys(row.model for row in tables.latencies):
        shown = Table(title=f"{model}: requests, one at a time: medians, tokens per s")
        for column in ("kind", "lang"):
            shown.add_column(column)
        for column in ("n", "total s", "1st s", "in/s", "out/s", "tokens", "time ×"):
            shown.add_column(column, justify="right")
        for row in (row for row in tables.latencies if row.model == model):
            ratio = tax.get((model, row.language, row.kind))
            shown.add_row(
                row.kind.value,
                row.language + ("!" if row.flagged else ""),
                str(row.n),
                _number(row.total.median, 3),
                _number(row.ttft.median, 3),
                _number(row.prefill_rate, 0),
                _number(row.decode_rate, 1),
                f"{row.prompt_tokens + row.output_tokens:.0f}",
                "" if ratio is None else _number(ratio, 2),
            )
        show_table(shown)
    for reason in dict.fromkeys(reason for row in tables.latencies for reason in row.flagged):
        typer.echo(f"! disturbed: {reason}")


def _memory(tables: DeviceTables) -> None:
    fits = {row.name: row.fits for row in tables.fits}
    for row in tables.memory:
        needed = "not known" if row.needed is None else f"{row.needed / 2**20:.0f} MiB"
        typer.echo(f"{row.model}: memory needed {needed} ({row.basis})")
        verdicts: dict[str, list[str]] = {}
        for fit in fits.get(row.model, ()):
            verdicts.setdefault(fit.verdict.value, []).append(fit.budget.name)
        for verdict, names in verdicts.items():
            typer.echo(f"  {verdict}: {', '.join(names)}")


def _energy(tables: DeviceTables) -> None:
    missing = dict.fromkeys((row.gross.reason, row.fix) for row in tables.energies if row.gross.value is None)
    for reason, fix in missing:
        typer.echo(f"energy: unavailable: {reason}" + (f" (fix: {fix})" if fix else ""))
    found = [row for row in tables.energies if row.gross.value is not None]
    if not found:
        return
    for about in dict.fromkeys((row.model, row.label, row.scope) for row in found):
        model, label, scope = about
        shown = Table(title=f"{model}: energy, {label.value.upper()}, {scope}")
        for column in ("kind", "lang"):
            shown.add_column(column)
        for column in ("J/request", "95 % interval", "net J", "J/token", "J/right"):
            shown.add_column(column, justify="right")
        for row in (row for row in found if (row.model, row.label, row.scope) == about):
            span = "" if row.gross.low is None else f"{row.gross.low:.3g} to {row.gross.high:.3g}"
            cells = (_joules(row.gross), span, _joules(row.net), _joules(row.per_token), _joules(row.per_correct))
            shown.add_row(row.kind.value, row.language + ("!" if row.flags else ""), *cells)
        show_table(shown)
    for note in dict.fromkeys(row.note for row in found if row.note):
        typer.echo(f"  {note}")
    for flag in dict.fromkeys(flag for row in found for flag in row.flags):
        typer.echo(f"! energy: {flag}")


def _number(estimate: Estimate, digits: int) -> str:
    return "" if estimate.value is None else f"{estimate.value:.{digits}f}"


def _joules(quantity: Quantity) -> str:
    return "" if quantity.value is None else f"{quantity.value:.3g}"
