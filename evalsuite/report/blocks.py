"""Rows by block: the tables of one task group, gathered by family where a run has many groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from markupsafe import Markup

from evalsuite.analysis.categories import CategoryRow
from evalsuite.analysis.label_sets import LabelSetRow
from evalsuite.analysis.label_wordings import LabelWordingRow
from evalsuite.analysis.load import Run
from evalsuite.analysis.orders import OrderRow
from evalsuite.analysis.parity import ParityRow
from evalsuite.analysis.quantisation import DeltaRow, DoubleDeltaRow
from evalsuite.analysis.replies import ReplyRow
from evalsuite.analysis.rows import FAMILIES, ComparisonRow, GapRow, ScoreRow, TokenRow
from evalsuite.analysis.sensitivity import WordingRow
from evalsuite.analysis.translations import TranslationRow
from evalsuite.report.text import Text

__all__ = ["Block", "Blocks", "Gathered", "Line", "Part", "Row"]

_FEW_GROUPS = 6
"""Up to this many groups, a section is one list of them; of more, families are its headings."""

Row = TypeVar(
    "Row",
    ScoreRow,
    GapRow,
    TokenRow,
    ComparisonRow,
    WordingRow,
    OrderRow,
    ReplyRow,
    TranslationRow,
    CategoryRow,
    LabelSetRow,
    LabelWordingRow,
    ParityRow,
    DeltaRow,
    DoubleDeltaRow,
)


@dataclass(frozen=True, slots=True)
class Line(Generic[Row]):
    """The rows of one language, or of one task where a block mixes tasks."""

    language: str
    task: str | None
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Block(Generic[Row]):
    """One panel of a figure and its table."""

    id: str
    title: str
    family: str
    caption: str
    figure: Markup | None
    lines: tuple[Line[Row], ...]
    note: str = ""
    """What the table shows, in a sentence."""
    columns: tuple[Any, ...] = ()
    """What the columns stand for, where that differs from block to block."""

    @property
    def stacked(self) -> bool:
        """Whether languages head groups of rows; with one row each they are a column instead."""
        return any(len(line.rows) > 1 for line in self.lines)


@dataclass(frozen=True, slots=True)
class Gathered(Generic[Row]):
    """The rows that make one block."""

    id: str
    title: str
    family: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Part(Generic[Row]):
    """The blocks of one family, or all blocks of a section."""

    id: str
    title: str | None
    """None where the section is not divided."""
    blocks: tuple[Block[Row], ...]


class Blocks:
    """Gathers rows into blocks.

    Args:
        run: The run.
        text: Wording and formats.
        raw: Groups whose scores are no shares.
    """

    def __init__(self, run: Run, text: Text, raw: Iterable[str]) -> None:
        self._run, self._text, self._raw = run, text, frozenset(raw)
        tasks = run.manifest.tasks.values()
        self._parallel = {t.parallel_group for t in tasks if t.parallel_group}
        self._families = {run.group_of(t.name): t.family for t in reversed(tasks)}
        self.divided = len(run.groups) > _FEW_GROUPS
        """Whether sections are divided by family."""

    def gather(self, kind: str, rows: Iterable[Row]) -> list[Gathered[Row]]:
        """Gather rows by parallel group; tasks in no group share one block, for a panel of one row each says little."""
        found: dict[tuple[str, str], list[Row]] = {}
        for row in rows:
            alone = row.group not in self._parallel
            # Percentages and other scores cannot share an axis.
            title = self._text("accuracy.single") if alone and row.group not in self._raw else row.group
            family = self._families.get(row.group, "") if self.divided else ""
            found.setdefault((family, title), []).append(row)
        order = self.families
        ranked = sorted(found.items(), key=lambda item: order.index(item[0][0])) if self.divided else found.items()
        return [Gathered(self._id(kind, *key), key[1], key[0], same) for key, same in ranked]

    def parts(self, kind: str, blocks: Sequence[Block[Row]]) -> tuple[Part[Row], ...]:
        """Return blocks by family, in the order of families, or all in one part where groups are few."""
        if not self.divided:
            return (Part(kind, None, tuple(blocks)),) if blocks else ()
        return tuple(
            Part(f"{kind}-{family}", self.family(family), tuple(b for b in blocks if b.family == family))
            for family in dict.fromkeys(b.family for b in blocks)
        )

    def family(self, family: str) -> str:
        """Return what to call a family."""
        return self._text(f"family.{family}") if family in FAMILIES else family

    @property
    def families(self) -> tuple[str, ...]:
        """Families of the run, in the order in which they are shown."""
        used = dict.fromkeys(self._families.values())
        return (*(f for f in FAMILIES if f in used), *(f for f in used if f not in FAMILIES))

    @staticmethod
    def lines(rows: Sequence[Row]) -> tuple[Line[Row], ...]:
        """Return rows by language; by task where they are of several groups."""
        grouped: dict[tuple[str, str], list[Row]] = {}
        for row in rows:
            grouped.setdefault((row.language, row.group), []).append(row)
        alone = len({row.group for row in rows}) > 1
        return tuple(
            Line(language, group if alone else None, tuple(same)) for (language, group), same in grouped.items()
        )

    def _id(self, kind: str, family: str, title: str) -> str:
        # A group's name may hold dots and pluses: ids are numbered instead.
        order = [*self._run.groups, self._text("accuracy.single")]
        number = order.index(title)
        return f"{kind}-{number}" + (f"-{family}" if self.divided and number == len(self._run.groups) else "")
