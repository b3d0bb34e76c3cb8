"""How fast models write, beside how fast people read: one figure, one table, and a sentence for each model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evalsuite.analysis.load import Run
from evalsuite.analysis.reading_pace import PaceRow
from evalsuite.report.device_times import tick_digits
from evalsuite.report.figures import Mark, Panel, RowLabel, draw
from evalsuite.report.names import Names
from evalsuite.report.text import Text

__all__ = ["ReadingSection", "build_reading"]


@dataclass(frozen=True, slots=True)
class ReadingSection:
    """Speed of writing and of reading."""

    intro: str
    sentences: tuple[str, ...]
    figure: Markup
    languages: tuple[tuple[str, tuple[PaceRow, ...]], ...]
    sources: tuple[tuple[str, str, str], ...]
    """Where the speeds of reading come from: (language, how, source)."""
    times: Callable[[float | None], str]
    """Shows how many times as fast."""


def build_reading(run: Run, rows: Sequence[PaceRow], names: Names, text: Text) -> ReadingSection | None:
    """Return what models write beside what people read; none where no speed of writing is known."""
    known = [row for row in rows if row.chars_per_s.value is not None]
    if not known:
        return None
    codes = [code for code in run.languages if any(row.language == code for row in rows)]
    speeds = {row.language: row.reading for row in rows}
    return ReadingSection(
        intro=text("device.pace_intro", kind=text(f"device.kind.{rows[0].kind}")),
        sentences=tuple(_sentences(known, names, text)),
        figure=draw(_panel(run, codes, known, names, text)),
        languages=tuple((code, tuple(row for row in rows if row.language == code)) for code in codes),
        sources=tuple(
            (names.language(code).shown, speed.how, speed.source or "")
            for code in codes
            if (speed := speeds[code]) is not None
        ),
        times=lambda value: _times(value, text),
    )


def _panel(run: Run, codes: Sequence[str], rows: Sequence[PaceRow], names: Names, text: Text) -> Panel:
    form = run.forms[0]
    marks = [
        Mark(
            codes.index(row.language),
            names.series_of(row.model, form).index,
            value,
            row.chars_per_s.low,
            row.chars_per_s.high,
            text="" if row.times is None else _times(row.times, text),
            key=names.key(row),
        )
        for row in rows
        if (value := row.chars_per_s.value) is not None
    ]
    reading = {row.language: row.reading.chars_per_s for row in rows if row.reading is not None}
    top = max([mark.high or mark.value for mark in marks] + [speed for speed in reading.values() if speed is not None])
    digits = tick_digits(top)
    return Panel(
        id="device-pace",
        title=text("device.pace_aria"),
        description=" ".join(_said(rows, names, text)),
        rows=tuple(_label(code, reading.get(code), rows, names, text) for code in codes),
        marks=tuple(marks),
        series=len(names.series),
        axis=text("device.pace_axis"),
        limits=(0.0, top * 1.2),
        tick=lambda value: text.number(value, digits),
        # Where the first language has no mark of its own, there is nothing to write the label above.
        chance_label=text("device.pace_people"),
        bars=True,
        empty=text("word.no_data"),
    )


def _label(code: str, speed: float | None, rows: Sequence[PaceRow], names: Names, text: Text) -> RowLabel:
    name = names.language(code)
    reading = next((row.reading for row in rows if row.language == code), None)
    detail = text("word.low") if name.low else ""
    if speed is None:
        detail = text("device.pace_unknown")
    elif reading is not None and reading.basis == "estimate":
        detail = text("device.pace_estimate")
    return RowLabel(text.title(name.shown), detail, speed)


def _said(rows: Sequence[PaceRow], names: Names, text: Text) -> Iterator[str]:
    for row in rows:
        language, model = names.language(row.language).shown, names.model(row.model)
        rate = text.number(row.chars_per_s.value, 0)
        if row.times is None:
            yield text("device.pace_said", language=language, model=model, rate=rate)
        else:
            times = _times(row.times, text)
            yield text("device.pace_said_times", language=language, model=model, rate=rate, times=times)


def _sentences(rows: Sequence[PaceRow], names: Names, text: Text) -> Iterator[str]:
    for model in dict.fromkeys(row.model for row in rows):
        # A claim rests on published speeds alone; estimates are shown, and said to be estimates.
        own = [
            row for row in rows if row.model == model and row.reading is not None and row.reading.basis == "reported"
        ]
        if not own:
            continue
        slow, fast = (pick(own, key=lambda row: row.times or 0.0) for pick in (min, max))
        yield text(
            "device.pace" if len(own) > 1 else "device.pace_one",
            model=names.model(model),
            least=_number(slow.times, text),
            slow=names.language(slow.language).shown,
            most=_number(fast.times, text),
            fast=names.language(fast.language).shown,
        )


def _number(value: float | None, text: Text) -> str:
    return text.number(value, 1 if value is not None and value < 10 else 0)


def _times(value: float | None, text: Text) -> str:
    return _number(value, text) + ("" if value is None else "\N{MULTIPLICATION SIGN}")
