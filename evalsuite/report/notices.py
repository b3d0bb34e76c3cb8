"""From flags to plain words: the warnings above the tables, the marks in them, and the lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from evalsuite.analysis.flags import Flag, FlagKind, Seen
from evalsuite.analysis.rows import ScoreRow
from evalsuite.report.names import Names
from evalsuite.report.text import MISSING, Text

__all__ = ["Notice", "Notices"]

_LONGEST_OPTION = 40
"""Characters of an option that are shown: an option may be a whole sentence."""


@dataclass(frozen=True, slots=True)
class Notice:
    """All flags of one kind, in words."""

    title: str
    seen: tuple[str, ...]
    """One text for each flag."""
    meaning: str
    action: str


class Notices:
    """The notices of one report.

    Args:
        flags: The flags of the run, the gravest first.
        names: What things are called.
        text: Wording and formats.
    """

    def __init__(self, flags: Sequence[Flag], names: Names, text: Text) -> None:
        self._flags, self._names, self._text = flags, names, text

    @cached_property
    def warnings(self) -> tuple[Notice, ...]:
        """What may be a fault, by kind."""
        kinds = dict.fromkeys(f.kind for f in self._flags if f.kind is not FlagKind.TOO_FEW_ITEMS)
        return tuple(self._notice(kind) for kind in kinds)

    @cached_property
    def too_few(self) -> Notice | None:
        """What cannot be told on so few items; none where there is nothing of the kind."""
        kinds = {f.kind for f in self._flags}
        return self._notice(FlagKind.TOO_FEW_ITEMS) if FlagKind.TOO_FEW_ITEMS in kinds else None

    @property
    def lines(self) -> tuple[str, ...]:
        """One line for each flag, for a terminal."""
        few = FlagKind.TOO_FEW_ITEMS
        return tuple(
            self._text(
                "flag.line_few" if flag.kind is few else "flag.line",
                title=self._text(f"flag.{flag.kind}.title"),
                seen=self._seen(flag),
            )
            for flag in self._flags
        )

    def marks(self, row: ScoreRow) -> tuple[str, ...]:
        """Return what to say beside the score of a cell."""
        marks = []
        for flag in self._flags:
            if (flag.model, flag.form) != (row.model, row.form):
                continue
            for seen in (s for s in flag.seen if s.task == row.task):
                if flag.kind is FlagKind.SAME_ANSWER:
                    marks.append(self._text("accuracy.same_answer", share=self._text.percent(seen.share)))
                elif flag.kind is FlagKind.SAME_PLACE:
                    share = self._text.percent(seen.share)
                    marks.append(self._text("accuracy.same_place", place=self.option(seen), share=share))
                elif seen.above_chance:
                    # The cell says yes, judged alone, and the flag no: that must not stand side by side unexplained.
                    few = flag.kind is FlagKind.TOO_FEW_ITEMS
                    marks.append(self._text("accuracy.one_of_many_few" if few else "accuracy.one_of_many"))
        return tuple(marks)

    def option(self, seen: Seen) -> str:
        """Return the option that nearly all items got: its text, or its place counted from 1."""
        if seen.place is not None:
            return self._text.integer(seen.place + 1)
        if seen.answer is None:
            return MISSING
        return seen.answer if len(seen.answer) <= _LONGEST_OPTION else seen.answer[: _LONGEST_OPTION - 1] + "…"

    def _notice(self, kind: FlagKind) -> Notice:
        return Notice(
            title=self._text(f"flag.{kind}.title"),
            seen=tuple(self._seen(flag) for flag in self._flags if flag.kind is kind),
            meaning=self._text(f"flag.{kind}.meaning"),
            action=self._text(f"flag.{kind}.action"),
        )

    def _seen(self, flag: Flag) -> str:
        values = {
            "model": self._names.series_of(flag.model, flag.form).label,
            "groups": self._text.join(flag.groups),
        }
        if flag.kind in (FlagKind.SAME_ANSWER, FlagKind.SAME_PLACE):
            cells = self._text.join([self._cell(flag.kind, seen) for seen in flag.seen])
            return self._text(f"flag.{flag.kind}.seen", cells=cells, **values)
        if flag.kind is FlagKind.TOO_FEW_ITEMS:
            items = self._range(self._text.integer(n) for n in sorted({s.items for s in flag.seen}))
            key = "seen" if flag.items_needed is not None else "seen_many"
            return self._text(f"flag.{flag.kind}.{key}", items=items, needed=flag.items_needed, **values)
        said = self._text(
            f"flag.{flag.kind}.seen",
            n=len(flag.languages),
            languages=self._text.join([self._names.language(code).shown for code in flag.languages]),
            scores=self._range(self._text.percent(v) for v in sorted({s.score or 0.0 for s in flag.seen})),
            chance=self._range(self._text.percent(v) for v in sorted({s.chance or 0.0 for s in flag.seen})),
            **values,
        )
        return f"{said} {self._others(flag.others)}".rstrip()

    def _cell(self, kind: FlagKind, seen: Seen) -> str:
        option = self.option(seen)
        return self._text(
            f"flag.{kind}.cell",
            language=self._names.language(seen.language).shown,
            option=option,
            place=option,
            share=self._text.percent(seen.share),
            n=seen.items,
            right=self._text.percent(seen.right_share),
        )

    def _others(self, others: tuple[str, ...] | None) -> str:
        if others is None:
            return ""
        if not others:
            return self._text("flag.no_others")
        return self._text("flag.others", n=len(others), models=self._text.join([self._names.model(m) for m in others]))

    def _range(self, ordered: Iterable[str]) -> str:
        """Return the ends of ordered values, once where they look alike."""
        shown = list(ordered)
        low, high = shown[0], shown[-1]
        return low if low == high else self._text("word.range", low=low, high=high)
