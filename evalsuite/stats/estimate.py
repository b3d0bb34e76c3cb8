"""What every interval function returns: a number with its interval, or the reason why a part of it is missing."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Estimate"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval, or the reason why one of them is missing.

    `value` may be known while the interval is not (one item); `reason` then says why.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None or self.low is None or self.high is None) != (self.reason is not None):
            raise ValueError("an estimate is whole, or has a reason for what it lacks; not both, not neither")
