"""Says on which devices a model fits, from the memory that it was measured to need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from evalsuite.catalog.devices import DeviceBudget
from evalsuite.errors import InputError

__all__ = ["COMFORTABLE_PERCENT", "Fit", "FitRow", "FitVerdict", "fit", "fit_table"]

COMFORTABLE_PERCENT = 80
"""Share of the free memory that a model may need and still fit well: the free memory of a device changes from hour to hour."""

_NOT_MEASURED = "the memory that it needs is not known"


class FitVerdict(StrEnum):
    """Whether a model fits on a device."""

    FITS = "fits"
    """It needs at most 80 % of the free memory."""
    TIGHT = "tight"
    """It needs more than that, and at most all of it."""
    DOES_NOT_FIT = "does not fit"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Fit:
    """Whether a model fits on one device, and by how much."""

    budget: DeviceBudget
    """The device; its `basis` says how sure the free memory is, and with it the verdict."""
    needed_bytes: int | None
    verdict: FitVerdict
    margin_bytes: int | None
    """Free memory less what is needed: negative where it does not fit."""
    comfortable_margin_bytes: int | None
    """80 % of the free memory less what is needed: negative where it is tight or does not fit."""
    reason: str | None = None
    """Why there is no verdict."""


@dataclass(frozen=True)
class FitRow:
    """One model on all devices."""

    name: str
    needed_bytes: int | None
    fits: tuple[Fit, ...]
    """In the order of the devices."""


def fit(needed_bytes: int | None, budget: DeviceBudget, *, reason: str = _NOT_MEASURED) -> Fit:
    """Return whether a model fits on a device.

    Args:
        needed_bytes: What it needs; none where that is not known.
        budget: The device.
        reason: Why it is not known; used only then.

    Raises:
        InputError: What is needed is no positive number.
    """
    if needed_bytes is None:
        return Fit(budget, None, FitVerdict.UNKNOWN, None, None, reason)
    if needed_bytes <= 0:
        raise InputError(
            f"a model that needs {needed_bytes} bytes of memory",
            fix="give a positive number, or none if it is not known",
        )
    # Whole numbers, so that exactly 80 % is still at most 80 %.
    comfortable = budget.free_bytes * COMFORTABLE_PERCENT // 100 - needed_bytes
    margin = budget.free_bytes - needed_bytes
    verdict = FitVerdict.DOES_NOT_FIT if margin < 0 else FitVerdict.TIGHT if comfortable < 0 else FitVerdict.FITS
    return Fit(budget, needed_bytes, verdict, margin, comfortable)


def fit_table(needs: Mapping[str, int | None], budgets: Mapping[str, DeviceBudget]) -> tuple[FitRow, ...]:
    """Return a row for each model, with its fit on each device.

    Args:
        needs: Memory that each model needs, in bytes, by name.
        budgets: The devices, from `evalsuite.catalog.devices.load_budgets`.

    Raises:
        InputError: What a model needs is no positive number.
    """
    return tuple(
        FitRow(name, needed, tuple(fit(needed, budget) for budget in budgets.values()))
        for name, needed in needs.items()
    )
