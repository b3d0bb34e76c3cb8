"""Corrections for testing many hypotheses at once."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["holm"]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values adjusted so that the chance of any false positive in the family stays below the level.

    Source: S. Holm (1979), Scand. J. Stat. 6, 65-70 (step-down Bonferroni, no assumption of independence).
    A missing p-value stays missing and does not count in the family.

    Raises:
        ValueError: A p-value is not between 0 and 1.
    """
    known = [(p, i) for i, p in enumerate(p_values) if p is not None]
    if any(not 0 <= p <= 1 for p, _ in known):
        raise ValueError("a p-value is not between 0 and 1")
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(sorted(known)):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[i] = largest
    return adjusted
