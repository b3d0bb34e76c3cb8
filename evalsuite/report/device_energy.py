"""Energy of a request as a figure: one panel for each kind of request and label, which are never mixed."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.analysis.load import Run
from evalsuite.analysis.profile_rows import EnergyRow
from evalsuite.report.device_shown import Shown
from evalsuite.report.device_times import Drawing, tick_digits
from evalsuite.report.figures import Mark, Panel, RowLabel, draw
from evalsuite.report.names import Names
from evalsuite.report.text import Text

__all__ = ["build_energy"]


def build_energy(run: Run, rows: Sequence[EnergyRow], names: Names, text: Text) -> tuple[Drawing, ...]:
    """Return a panel for each kind of request and label that has a figure."""
    known = [row for row in rows if row.gross.value is not None]
    return tuple(
        _drawing(run, [row for row in known if (row.kind, row.label) == key], names, text)
        for key in dict.fromkeys((row.kind, row.label) for row in known)
    )


def _drawing(run: Run, rows: Sequence[EnergyRow], names: Names, text: Text) -> Drawing:
    kind, label = text(f"device.kind.{rows[0].kind}"), text(f"label.{rows[0].label}")
    codes = [code for code in run.languages if any(row.language == code for row in rows)]
    shown = Shown(text)
    marks = tuple(
        Mark(
            codes.index(row.language),
            names.series_of(row.model, run.forms[0]).index,
            value,
            row.gross.low,
            row.gross.high,
            filled=not row.flags,
            text=shown.bare_joules(value),
            key=names.key(row),
        )
        for row in rows
        if (value := row.gross.value) is not None
    )
    top = max(mark.high or mark.value for mark in marks) or 1.0
    digits = tick_digits(top)
    said = "; ".join(
        f"{names.language(row.language).shown}, {names.model(row.model)}: {shown.joules(row.gross)}" for row in rows
    )
    title = text("device.energy_panel", kind=kind, label=label)
    return Drawing(
        title,
        draw(
            Panel(
                id=f"device-energy-{rows[0].kind}-{rows[0].label}",
                title=text("device.energy_aria", panel=title),
                description=f"{said}.",
                rows=tuple(
                    RowLabel(names.language(code).shown, text("word.low") if names.language(code).low else "")
                    for code in codes
                ),
                marks=marks,
                series=len(names.series),
                axis=text("device.energy_axis"),
                # Room for the number beside the longest bar.
                limits=(0.0, top * 1.3),
                tick=lambda value: text.number(value, digits),
                bars=True,
                empty=text("word.no_data"),
            )
        ),
    )
