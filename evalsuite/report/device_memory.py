"""The memory that models need: its parts, and beside it what devices have free."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evalsuite.analysis.device_fit import COMFORTABLE_PERCENT, FitRow
from evalsuite.analysis.device_tables import DeviceTables
from evalsuite.analysis.load import Run
from evalsuite.analysis.memory_parts import MemoryPart, MemoryParts, memory_parts
from evalsuite.catalog.devices import DeviceBudget
from evalsuite.report.device_shown import MIB, Shown
from evalsuite.report.names import Names
from evalsuite.report.stacks import Budget, BudgetPanel, Need, Stack, StackPanel, draw_budgets, draw_stacks
from evalsuite.report.text import Text

__all__ = ["MemorySection", "build_memory"]

_LONGEST = 30
"""Characters of a device's name that fit beside its row."""


@dataclass(frozen=True, slots=True)
class MemorySection:
    """Figures and a table of the parts."""

    parts: Markup
    budgets: Markup | None
    nearest: str
    """Which device has the least memory free, in a sentence."""
    columns: tuple[MemoryPart, ...]
    """Parts that any model has."""
    rows: tuple[tuple[MemoryParts, tuple[int, ...]], ...]
    """Sizes in the order of the columns, in bytes."""
    key: Callable[[str], str]
    """Names a model's row of a table."""


def build_memory(run: Run, tables: DeviceTables, names: Names, text: Text) -> MemorySection | None:
    """Return the figures of memory; none where no need is known."""
    known = [found for row in tables.memory if (found := memory_parts(row)) is not None]
    return _Builder(run, tables.fits, known, names, text).build() if known else None


class _Builder:
    def __init__(
        self, run: Run, fits: Sequence[FitRow], known: Sequence[MemoryParts], names: Names, text: Text
    ) -> None:
        self._run, self._known, self._names, self._text = run, known, names, text
        self._budgets: list[DeviceBudget] = [fit.budget for fit in fits[0].fits] if fits else []
        self._shown = Shown(text)

    def build(self) -> MemorySection:
        columns = tuple(part for part in MemoryPart if any(part in dict(one.parts) for one in self._known))
        least = min(self._budgets, key=lambda budget: budget.free_bytes, default=None)
        nearest = ""
        if least is not None:
            size = self._shown.memory(least.free_bytes)
            nearest = self._text("device.least_free", device=least.name, size=size)
        return MemorySection(
            parts=draw_stacks(self._stacks()),
            budgets=draw_budgets(self._needs()) if self._budgets else None,
            nearest=nearest,
            columns=columns,
            rows=tuple((one, tuple(dict(one.parts).get(part, 0) for part in columns)) for one in self._known),
            key=self._key,
        )

    def _key(self, model: str) -> str:
        return f"{self._series(model)} memory"

    def _series(self, model: str) -> int:
        return self._names.series_of(model, self._run.forms[0]).index

    def _stacks(self) -> StackPanel:
        order = list(MemoryPart)
        most = max(one.needed for one in self._known) / MIB
        return StackPanel(
            id="device-memory-parts",
            title=self._text("device.parts_aria"),
            description=" ".join(self._said()),
            stacks=tuple(
                Stack(
                    self._series(one.model),
                    f"{self._names.model(one.model)}: {self._shown.memory(one.needed)}",
                    tuple((order.index(part), size / MIB) for part, size in one.parts),
                    " · ".join(self._part(part, size) for part, size in one.parts),
                    self._key(one.model),
                )
                for one in self._known
            ),
            budgets=tuple((b.name, b.free_bytes / MIB) for b in self._budgets if b.free_bytes / MIB <= most * 1.04),
            axis=self._text("device.parts_axis"),
            tick=lambda value: self._text.number(value, 0),
        )

    def _part(self, part: MemoryPart, size: int) -> str:
        return self._text(
            "device.part_size", part=self._text(f"device.part.{part}"), size=self._text.number(size / MIB, 0)
        )

    def _said(self) -> Iterator[str]:
        for one in self._known:
            yield self._text(
                "device.parts_said",
                model=self._names.model(one.model),
                size=self._shown.memory(one.needed),
                parts=self._text.join([self._part(part, size) for part, size in one.parts]),
            )

    def _needs(self) -> BudgetPanel:
        return BudgetPanel(
            id="device-memory-budgets",
            title=self._text("device.budgets_aria"),
            description=" ".join(
                self._text("device.budgets_said", device=budget.name, size=self._shown.memory(budget.free_bytes))
                for budget in self._budgets
            ),
            needs=tuple(Need(self._series(one.model), one.needed / MIB, self._key(one.model)) for one in self._known),
            budgets=tuple(Budget(_short(budget.name), *_free(budget)) for budget in self._budgets),
            axis=self._text("device.budgets_axis"),
            tick=lambda value: self._text.number(value, 0),
        )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _free(budget: DeviceBudget) -> tuple[float, float]:
    """Return what a model may need and still fit well, and all that is free, in MiB."""
    return COMFORTABLE_PERCENT / 100 * budget.free_bytes / MIB, budget.free_bytes / MIB
