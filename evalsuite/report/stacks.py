"""Draws memory: a bar for each model divided into its parts, and what models need beside what devices have free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from evalsuite.report.drawing import SERIES_COLOURS, FigureText, Palette, draw_figure
from evalsuite.report.figures import marker
from evalsuite.report.svg import mark_id

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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
        axes = figure.add_axes((_SIDE / _WIDTH, _BOTTOM / height, width, 1 - (_BOTTOM + 8) / height))
        axes.set_xlim(0, most * 1.04)
        axes.set_ylim(len(panel.stacks) * _ROW, 0)
        _axis(axes, panel.axis, panel.tick, palette)
        for row, stack in enumerate(panel.stacks):
            _stack(axes, stack, row * _ROW, palette)
        for _, size in panel.budgets:
            axes.axvline(size, color=palette.ink, linewidth=1.2, dashes=(4, 2), zorder=3)

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
        axes = figure.add_axes((_LEFT / _WIDTH, _BOTTOM / height, width, 1 - (_TOP + _BOTTOM) / height))
        axes.set_xscale("log", base=2)
        axes.set_xlim(min(values) / 1.3, max(values) * 1.15)
        axes.set_ylim(len(panel.budgets) - 0.5, -0.5)
        _axis(axes, "", panel.tick, palette, octaves=True)
        figure.text(0.5, 6 / height, panel.axis, ha="center", fontsize=12.5, color=palette.muted)
        for row, budget in enumerate(panel.budgets):
            axes.text(-0.03, row, budget.title, transform=axes.get_yaxis_transform(), ha="right", va="center",
                      fontsize=11.5, color=palette.ink)  # fmt: skip
            ends = [axes.get_xlim()[0], budget.comfortable]
            axes.plot(ends, [row] * 2, color=palette.muted, linewidth=7, alpha=0.3, solid_capstyle="butt", zorder=1)
            ends = [budget.comfortable, budget.free]
            axes.plot(ends, [row] * 2, color=palette.muted, linewidth=7, alpha=0.8, solid_capstyle="butt", zorder=1)
        for need in panel.needs:
            colour = palette.series[need.series % SERIES_COLOURS]
            axes.axvline(need.value, color=colour, linewidth=1.6, zorder=2)
            axes.plot(
                [need.value], [1], marker=marker(need.series), markersize=8, markerfacecolor=colour,
                markeredgecolor=palette.surface, markeredgewidth=1, linestyle="none", clip_on=False, zorder=3,
                transform=axes.get_xaxis_transform(), gid=mark_id(need.key, need.value),
            )  # fmt: skip

    return draw_figure(
        FigureText(panel.id, panel.title, panel.description),
        (_WIDTH, height),
        paint,
        columns=("device", "free_mib", "comfortable_mib"),
        rows=[(budget.title, budget.free, budget.comfortable) for budget in panel.budgets],
    )


def _axis(axes: Axes, label: str, tick: Callable[[float], str], palette: Palette, *, octaves: bool = False) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    axes.set_facecolor("none")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(palette.grid)
    axes.xaxis.set_major_locator(LogLocator(base=4) if octaves else MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.tick_params(axis="x", length=0, pad=6, labelsize=12, labelcolor=palette.muted)
    axes.set_yticks([])
    axes.grid(visible=True, axis="x", color=palette.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    if label:
        axes.set_xlabel(label, fontsize=12.5, color=palette.muted, labelpad=5)


def _stack(axes: Axes, stack: Stack, top: float, palette: Palette) -> None:
    colour = palette.series[stack.series % SERIES_COLOURS]
    begun = 0.0
    for place, size in stack.parts:
        axes.barh(top + 26, size, height=_BAR, left=begun, color=colour, alpha=SHADES[place], linewidth=0, zorder=2)
        begun += size
        if begun < sum(s for _, s in stack.parts):
            axes.plot([begun] * 2, [top + 26 - _BAR / 2, top + 26 + _BAR / 2], color=colour, linewidth=1, zorder=2.5)
    axes.barh(
        top + 26, begun, height=_BAR, left=0, fill=False, edgecolor=colour, linewidth=1.2, zorder=2.6,
    )  # fmt: skip
    # The stroke at the end of the bar carries its value.
    axes.plot([begun], [top + 26], marker="|", markersize=_BAR, color=colour, zorder=2.7, clip_on=False,
              gid=mark_id(stack.key, begun))  # fmt: skip
    axes.text(0, top + 9, stack.title, fontsize=13, color=palette.ink, va="center")
    axes.text(0, top + 44, stack.detail, fontsize=11.5, color=palette.muted, va="center")
