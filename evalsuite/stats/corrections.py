"""Corrections for testing many hypotheses at once."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["benjamini_hochberg", "holm"]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values adjusted so that the chance of any false positive in the family stays below the level.

    Source: S. Holm (1979), Scand. J. Stat. 6, 65-70 (step-down Bonferroni, no assumption of independence).
    A missing p-value stays missing and does not count in the family.

    Raises:
        ValueError: A p-value is not between 0 and 1.
    """
    known = _known(p_values)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[i] = largest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values adjusted so that, of the findings below the level, that share is expected to be false at most.

    Source: Y. Benjamini and Y. Hochberg (1995), J. R. Stat. Soc. B 57, 289-300; it holds for tests that are independent
    or positively dependent (Y. Benjamini and D. Yekutieli 2001, Ann. Stat. 29, 1165-1188). For looking through many
    comparisons; a claim about one of them needs `holm`. A missing p-value stays missing and does not count.

    Raises:
        ValueError: A p-value is not between 0 and 1.
    """
    known = _known(p_values)
    adjusted: list[float | None] = [None] * len(p_values)
    least = 1.0
    for rank, (p, i) in reversed(list(enumerate(known, start=1))):
        least = min(least, len(known) / rank * p)
        adjusted[i] = least
    return adjusted


def _known(p_values: Sequence[float | None]) -> list[tuple[float, int]]:
    """Return the p-values that there are, in rising order, each with its place."""
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    if any(not 0 <= p <= 1 for p, _ in known):
        raise ValueError("a p-value is not between 0 and 1")
    return known
