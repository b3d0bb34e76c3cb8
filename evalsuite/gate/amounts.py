"""Amounts as people write them in a policy: `0.6`, `60 %`, `10 points`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

__all__ = ["Amount", "GapAmount", "Level", "ScoreAmount", "ShareAmount"]

_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*(%|points?|percent)?")


@dataclass(frozen=True, slots=True)
class Amount:
    """A share or a difference of shares, or a number of a score that is no share."""

    value: float
    """As a fraction: 60 % and 60 points are 0.6."""
    unit: Literal["plain", "percent", "points"]
    """How it was written."""

    @property
    def is_share(self) -> bool:
        """Whether it can only be a share, or a difference of shares."""
        return self.unit != "plain"


def _read(value: Any, *, units: tuple[str, ...], fix: str) -> Amount:
    """Return an amount.

    Raises:
        ValueError: It is none, or not in one of the units.
    """
    if isinstance(value, Amount):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"must be a number; write {fix}")  # noqa: TRY004  # pydantic reports value errors only
    if not isinstance(value, str) and not math.isfinite(value):
        raise ValueError(f"is no number; write {fix}")
    if not isinstance(value, str):
        return Amount(float(value), "plain")
    found = _WRITTEN.fullmatch(value.strip())
    unit = found[2] if found else None
    if found is None or unit is None:
        # A number in quotes is refused too: one way to write a thing.
        raise ValueError(f"is no amount; write {fix}")
    named: Literal["percent", "points"] = "points" if unit.startswith("point") else "percent"
    if named not in units:
        raise ValueError(f"is not given in {named}; write {fix}")
    return Amount(float(found[1]) / 100, named)


def _score(value: Any) -> Amount:
    fix = "a share such as 0.6 or 60 %"
    amount = _read(value, units=("percent",), fix=fix)
    if amount.value <= 0 or (amount.is_share and amount.value > 1):
        raise ValueError(f"must be above 0 and not above 100 %; write {fix}")
    if amount.value == 1:
        raise ValueError("no number of items can show that everything is right; write 99 % or less")
    return amount


def _gap(value: Any) -> Amount:
    fix = "a difference such as 5 points or 0.05"
    amount = _read(value, units=("percent", "points"), fix=fix)
    if amount.value <= 0 or (amount.is_share and amount.value >= 1):
        raise ValueError(f"must be above 0 and below 100 points; write {fix}")
    return amount


def _share(value: Any) -> Amount:
    fix = "a share such as 0.02 or 2 %"
    amount = _read(value, units=("percent",), fix=fix)
    if not 0 < amount.value < 1:
        raise ValueError(f"must be above 0 and below 100 % (no number of answers can show that none is); write {fix}")
    return amount


def _level(value: Any) -> float:
    fix = "a confidence such as 0.95 or 95 %"
    amount = _read(value, units=("percent",), fix=fix)
    if not 0.5 < amount.value < 1:
        raise ValueError(f"must be above 50 % and below 100 %; write {fix}")
    return amount.value


ScoreAmount = Annotated[Amount, BeforeValidator(_score)]
GapAmount = Annotated[Amount, BeforeValidator(_gap)]
ShareAmount = Annotated[Amount, BeforeValidator(_share)]
Level = Annotated[float, BeforeValidator(_level)]
