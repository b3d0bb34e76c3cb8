"""What longer contexts take: curves of time and memory against the length of the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evalsuite.analysis.load import Run
from evalsuite.analysis.profile_rows import CurveRow
from evalsuite.report.curves import Curve, CurvePanel, Point, draw_curves
from evalsuite.report.device_shown import MIB, Shown
from evalsuite.report.device_times import Drawing, tick_digits
from evalsuite.report.names import Names
from evalsuite.report.text import Text

__all__ = ["build_context", "context_key"]


def build_context(run: Run, rows: Sequence[CurveRow], names: Names, text: Text) -> tuple[Drawing, ...]:
    """Return the curves of time and memory; none where fewer than two lengths were measured."""
    shown = Shown(text)
    made = []
    for ident, value, show in (
        ("time", lambda row: row.prefill_s, shown.seconds),
        ("memory", lambda row: None if row.peak_rss is None else row.peak_rss / MIB, shown.mib),
    ):
        panel = _panel(run, rows, names, text, ident, value, show)
        if panel is not None:
            made.append(Drawing(text(f"device.context.{ident}"), draw_curves(panel)))
    return tuple(made)


def context_key(run: Run, row: CurveRow, names: Names) -> str:
    """Return what names a row of the table of contexts."""
    return f"{names.series_of(row.model, run.forms[0]).index} context {row.tokens}"


def _panel(
    run: Run, rows: Sequence[CurveRow], names: Names, text: Text, ident: str,
    value_of: Callable[[CurveRow], float | None], show: Callable[[float | None], str],
) -> CurvePanel | None:  # fmt: skip
    known = [(row, value) for row in rows if (value := value_of(row)) is not None]
    lengths = sorted({row.tokens for row, _ in known})
    if len(lengths) < 2:
        return None
    top = max(value for _, value in known) * 1.08
    digits = tick_digits(top)
    return CurvePanel(
        id=f"device-context-{ident}",
        title=text(f"device.context_aria.{ident}"),
        description=" ".join(
            text("device.context_said", model=names.model(row.model), n=row.tokens, value=show(value))
            for row, value in known
        ),
        curves=tuple(
            Curve(
                names.series_of(model, run.forms[0]).index,
                tuple(
                    Point(row.tokens, value, key=context_key(run, row, names))
                    for row, value in known
                    if row.model == model
                ),
            )
            for model in dict.fromkeys(row.model for row, _ in known)
        ),
        chance=(),
        chance_label="",
        ticks=tuple(lengths),
        x_axis=text("device.context_axis"),
        top=top,
        tick=lambda value: text.number(value, digits),
    )
