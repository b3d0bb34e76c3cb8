"""The chapters of the report, in the order in which a reader meets them, and the parts that each holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["CHAPTERS", "Chapter", "chapters_of"]

CHAPTERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "decision": ("decision",),
        "gaps": ("summary", "gap_map", "gap", "why", "tokens", "replies", "parity"),
        "models": (
            *("accuracy", "categories", "label_sets", "label_wordings", "wordings", "orders"),
            *("translations", "lengths", "prompts", "method"),
        ),
        "device": ("device", "spot"),
        "tradeoffs": ("tradeoffs", "quantisation"),
        "items": ("items",),
        "method": ("ran", "failures", "provenance"),
    }
)
"""Parts by chapter. A part is a template in `reports/partials/`, and the id of the section that it makes."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """One chapter of one report."""

    name: str
    parts: tuple[str, ...]


def chapters_of(parts: Collection[str], wanted: Collection[str] = ()) -> tuple[Chapter, ...]:
    """Return the chapters that have something to show.

    Args:
        parts: The parts that this run has something for.
        wanted: Names of chapters; empty stands for all.
    """
    unknown = set(parts) - {part for found in CHAPTERS.values() for part in found}
    assert not unknown, f"parts of no chapter: {unknown}"
    found = (
        Chapter(name, tuple(part for part in every if part in parts))
        for name, every in CHAPTERS.items()
        if not wanted or name in wanted
    )
    return tuple(chapter for chapter in found if chapter.parts)
