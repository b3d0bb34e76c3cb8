"""Divides the memory that a model needs into parts that add up to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from evalsuite.analysis.profile_rows import MemoryRow

__all__ = ["MemoryPart", "MemoryParts", "memory_parts"]


class MemoryPart(StrEnum):
    """What memory is taken by."""

    WEIGHTS = "weights"
    """Mapped weights that were in memory, without those that the engine has rearranged elsewhere."""
    CACHE = "cache"
    """Keys and values, as the engine told."""
    PROGRAM = "program"
    """Anonymous memory of the program before the model was loaded."""
    OTHER = "other"
    """The rest of anonymous and shared memory: buffers as far as they were used, rearranged weights, libraries' own."""
    ACCELERATOR = "accelerator"


@dataclass(frozen=True, slots=True)
class MemoryParts:
    """The need of one model, in bytes."""

    model: str
    needed: int
    parts: tuple[tuple[MemoryPart, int], ...]
    """Only parts that are not empty; they add up to `needed`."""


def memory_parts(row: MemoryRow) -> MemoryParts | None:
    """Return the parts of what a model needs; none where its need is not known.

    The engine tells how large its buffers are, not how much of them was touched, so that they cannot be told from the
    rest of anonymous memory. Where an accelerator holds memory, the cache may lie there, and is not told apart either.
    """
    if row.needed is None or row.anonymous is None:
        return None
    vram = row.vram or 0
    left = row.anonymous
    program = min(row.program or 0, left)
    left -= program
    cache = 0 if vram else min(row.cache or 0, left)
    left -= cache
    sizes = {
        MemoryPart.WEIGHTS: row.needed - row.anonymous - vram,
        MemoryPart.CACHE: cache,
        MemoryPart.PROGRAM: program,
        MemoryPart.OTHER: left,
        MemoryPart.ACCELERATOR: vram,
    }
    return MemoryParts(row.model, row.needed, tuple((part, size) for part, size in sizes.items() if size > 0))
