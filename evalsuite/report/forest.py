"""From what quantisation changes to a forest plot: languages down the side, a point with its interval for each model."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.analysis.quantisation import DeltaRow
from evalsuite.analysis.rows import Scale, Verdict
from evalsuite.report.blocks import Gathered
from evalsuite.report.figures import Mark, Panel, RowLabel
from evalsuite.report.names import Names
from evalsuite.report.text import Text

__all__ = ["forest"]


def forest(found: Gathered[DeltaRow], everything: Sequence[DeltaRow], names: Names, text: Text) -> Panel | None:
    """Return the panel of one block of differences; none where no difference is known.

    Args:
        found: The rows of the block, which are on one scale.
        everything: All rows of the report: those of the same scale share the axis.
        names: What things are called.
        text: Wording and formats.
    """
    known = [row for row in found.rows if row.difference.difference is not None]
    if not known:
        return None
    share = known[0].scale is Scale.SHARE
    factor = 100.0 if share else 1.0
    lines = list(dict.fromkeys((row.language, row.task) for row in found.rows))
    marks = tuple(_mark(lines.index((row.language, row.task)), row, factor, names) for row in known)
    margin = max((row.margin for row in known if row.margin is not None), default=None)
    band = None if margin is None else (-factor * margin, factor * margin)
    scope = [row for row in everything if row.scale is known[0].scale] if share else known
    ends = [v for row in scope for d in (row.difference,) for v in (d.low, d.high, d.difference) if v is not None]
    low, high = (pick([0.0, *(factor * v for v in ends), *(band or ())]) for pick in (min, max))
    pad = 0.05 * ((high - low) or 1.0)
    alone = len({row.group for row in found.rows}) > 1
    return Panel(
        id=f"{found.id}-forest",
        title=text("quantisation.forest_aria", group=found.title),
        description=" ".join(_said(row, factor, names, text) for row in known),
        rows=tuple(_label(code, task if alone else "", names, text) for code, task in lines),
        marks=marks,
        series=len(names.series),
        axis=text("quantisation.forest_axis" if share else "quantisation.forest_axis_raw"),
        limits=(low - pad, high + pad),
        tick=lambda value: text.signed(value, 0 if share else 2),
        zero_line=True,
        band=band,
        empty=text("word.no_data"),
    )


def _mark(line: int, row: DeltaRow, factor: float, names: Names) -> Mark:
    d = row.difference
    # Every caller leaves out rows without a difference.
    assert d.difference is not None
    return Mark(
        line,
        names.series_of(row.model, row.form).index,
        factor * d.difference,
        None if d.low is None else factor * d.low,
        None if d.high is None else factor * d.high,
        filled=row.verdict in {Verdict.BEHIND, Verdict.AHEAD},
        key=names.key(row),
    )


def _label(code: str, task: str, names: Names, text: Text) -> RowLabel:
    name = names.language(code)
    return RowLabel(text.title(name.shown), task or (text("word.low") if name.low else ""))


def _said(row: DeltaRow, factor: float, names: Names, text: Text) -> str:
    change = None if row.difference.difference is None else factor * row.difference.difference
    return text(
        "quantisation.forest_said",
        language=names.language(row.language).shown,
        model=names.model(row.model),
        change=text.signed(change, 1 if factor > 1 else 2),
    )
