"""Shares as people write them: 0.05, 5 and 5% all mean five points."""

from __future__ import annotations

import math

from evalsuite.errors import InputError

__all__ = ["read_share"]


def read_share(text: str, option: str, *, least: float = 0.0, most: float = 1.0, whole: bool = False) -> float:
    """Return a share from 0 to 1.

    A number with a percent sign, or above 1, is in percent; below 1 it is a share. 1 alone could be either, and is refused.

    Args:
        text: What was typed.
        option: Name of the option, for the message.
        least: The share must be above it.
        most: The share must be below it.
        whole: Whether it may be that itself.

    Raises:
        InputError: It is no number, or no such share.
    """
    bare = text.strip().removesuffix("%").strip().replace(",", ".")
    try:
        value = float(bare)
    except ValueError:
        value = math.nan
    fix = "write it as 0.05, 5 or 5%: all are five points"
    if not math.isfinite(value):
        raise InputError(f"{option} {text!r} is no number", fix=fix)
    percent = text.strip().endswith("%")
    if value == 1 and not percent:
        raise InputError(f"{option} 1 may mean 1% or 100%", fix="write 1% or 100%")
    share = value / 100 if percent or value > 1 else value
    if not (least < share < most or (whole and share == most)):
        raise InputError(
            f"{option} {text!r} is {100 * share:g}%, not above {100 * least:g}% and "
            f"{'at most' if whole else 'below'} {100 * most:g}%",
            fix=fix,
        )
    return share
