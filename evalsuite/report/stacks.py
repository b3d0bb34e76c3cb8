"""Draws memory: a bar for each model divided into its parts, and what models need beside what devices have free."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from evalsuite.report.drawing import SERIES_COLOURS, FigureText, Palette, draw_figure
from evalsuite.report.figures import marker
from evalsuite.report.plot import Plot
from evalsuite.report.svg import mark_id

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SHADES", "Budget", "BudgetPanel", "Need", "Stack", "StackPanel", "draw_budgets", "draw_stacks"]

SHADES = (0.9, 0.65, 0.42, 0.22, 0.08)
"""How dense the colour of each part is, in the order of the parts: told apart in grey too."""

_WIDTH, _SIDE, _BOTTOM = 440.0, 12.0, 46.0
_ROW, _BAR = 58.0, 16.0
_LEFT, _TOP, _LINE = 200.0, 24.0, 25.0


@dataclass(frozen=True, slots=True)
class Stack:
    """What one model needs, in MiB."""

    series: int
    title: str
    parts: tuple[tuple[int, float], ...]
    """(place of the part among `SHADES`, size)"""
    detail: str
    """The parts in words."""
    key: str


@dataclass(frozen=True, slots=True)
class StackPanel:
    """What one panel shows; its axis begins at 0."""

    id: str
    title: str
    description: str
    stacks: tuple[Stack, ...]
    budgets: tuple[tuple[str, float], ...]
    """Budgets that lie within the axis: (device, MiB)."""
    axis: str
    tick: Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Need:
    """What one model needs, in MiB."""

    series: int
    value: float
    key: str


@dataclass(frozen=True, slots=True)
class Budget:
    """What a device has free, in MiB."""

    title: str
    comfortable: float
    free: float


@dataclass(frozen=True, slots=True)
class BudgetPanel:
    """What one panel shows; its axis is logarithmic."""

    id: str
    title: str
    description: str
    needs: tuple[Need, ...]
    budgets: tuple[Budget, ...]
    axis: str
    tick: Callable[[float], str]


def draw_stacks(panel: StackPanel) -> Markup:
    """Return bars divided into parts as an inline SVG element; the same panel always gives the same text."""
    height = _BOTTOM + 8 + _ROW * len(panel.stacks)
    most = max(sum(size for _, size in stack.parts) for stack in panel.stacks)

    def paint(figure: Figure, palette: Palette) -> None:
        width = (_WIDTH - 2 * _SIDE) / _WIDTH
        box = (_SIDE / _WIDTH, _BOTTOM / height, width, 1 - (_BOTTOM + 8) / height)
        plot = Plot(figure, box, (0.0, most * 1.04), (len(panel.stacks) * _ROW, 0.0))
        plot.scale(panel.tick, panel.axis, palette)
        for row, stack in enumerate(panel.stacks):
            _stack(plot, stack, row * _ROW, palette)
        for _, size in panel.budgets:
            plot.line([size] * 2, [0, 1], across="y", color=palette.ink, linewidth=1.2, dashes=(4, 2), zorder=3)

    return draw_figure(
        FigureText(panel.id, panel.title, panel.description),
        (_WIDTH, height),
        paint,
        columns=("series", "part", "mib"),
        rows=[(stack.series + 1, place + 1, size) for stack in panel.stacks for place, size in stack.parts],
    )


def draw_budgets(panel: BudgetPanel) -> Markup:
    """Return needs beside budgets as an inline SVG element; the same panel always gives the same text."""
    height = _TOP + _BOTTOM + _LINE * len(panel.budgets)
    values = [need.value for need in panel.needs] + [budget.free for budget in panel.budgets]

    def paint(figure: Figure, palette: Palette) -> None:
        width = (_WIDTH - _LEFT - _SIDE) / _WIDTH
        box = (_LEFT / _WIDTH, _BOTTOM / height, width, 1 - (_TOP + _BOTTOM) / height)
        low, high = math.log2(min(values) / 1.3), math.log2(max(values) * 1.15)
        plot = Plot(figure, box, (low, high), (len(panel.budgets) - 0.5, -0.5))
        # Each is four times the one before.
        fours = [float(power) for power in range(math.ceil(low), math.floor(high) + 1) if power % 2 == 0]
        plot.grid(fours, [], palette)
        plot.scale(lambda place: panel.tick(2**place), panel.axis, palette, fours)
        for row, budget in enumerate(panel.budgets):
            look: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 11.5, "color": palette.ink}
            plot.text(-0.03, row, budget.title, across="x", **look)
            look = {"color": palette.muted, "linewidth": 7, "solid_capstyle": "butt", "zorder": 1}
            # A device may have less free, comfortably, than the axis shows.
            tight = max(low, math.log2(budget.comfortable)) if budget.comfortable > 0 else low
            plot.line([low, tight], [row] * 2, alpha=0.3, **look)
            plot.line([tight, math.log2(budget.free)], [row] * 2, alpha=0.8, **look)
        for need in panel.needs:
            colour, at = palette.series[need.series % SERIES_COLOURS], math.log2(need.value)
            plot.line([at, at], [0, 1], across="y", color=colour, linewidth=1.6, zorder=2)
            plot.line(
                [at],
                [1],
                across="y",
                marker=marker(need.series),
                markersize=8,
                markerfacecolor=colour,
                markeredgecolor=palette.surface,
                markeredgewidth=1,
                linestyle="none",
                zorder=3,
                gid=mark_id(need.key, need.value),
            )

    return draw_figure(
        FigureText(panel.id, panel.title, panel.description),
        (_WIDTH, height),
        paint,
        columns=("device", "free_mib", "comfortable_mib"),
        rows=[(budget.title, budget.free, budget.comfortable) for budget in panel.budgets],
    )


def _stack(plot: Plot, stack: Stack, top: float, palette: Palette) -> None:
    colour = palette.series[stack.series % SERIES_COLOURS]
    begun, low, whole = 0.0, top + 26 - _BAR / 2, sum(size for _, size in stack.parts)
    for place, size in stack.parts:
        plot.field((begun, low), size, _BAR, facecolor=colour, alpha=SHADES[place], linewidth=0, zorder=2)
        begun += size
        if begun < whole:
            plot.line([begun] * 2, [low, low + _BAR], color=colour, linewidth=1, zorder=2.5)
    plot.field((0.0, low), begun, _BAR, fill=False, edgecolor=colour, linewidth=1.2, zorder=2.6)
    # The stroke at the end of the bar carries its value.
    look: dict[str, Any] = {"marker": "|", "markersize": _BAR, "color": colour, "zorder": 2.7}
    plot.line([begun], [top + 26], gid=mark_id(stack.key, begun), **look)
    plot.text(0, top + 9, stack.title, fontsize=13, color=palette.ink, va="center")
    plot.text(0, top + 44, stack.detail, fontsize=11.5, color=palette.muted, va="center")
