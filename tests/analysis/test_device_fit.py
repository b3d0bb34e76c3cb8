"""Whether a model fits on a device, at and around the limits."""

from __future__ import annotations

import pytest

from evalsuite.analysis.device_fit import FitVerdict, fit, fit_table
from evalsuite.catalog.devices import DeviceBudget, load_budgets
from evalsuite.errors import InputError


def board(free=1000, key="board"):
    return DeviceBudget(id=key, name=key, ram_bytes=2 * free, free_bytes=free, basis="estimate", how="A guess.")


@pytest.mark.parametrize(("needed", "verdict", "margin", "comfortable"), [
    (1, FitVerdict.FITS, 999, 799),
    (800, FitVerdict.FITS, 200, 0),
    (801, FitVerdict.TIGHT, 199, -1),
    (1000, FitVerdict.TIGHT, 0, -200),
    (1001, FitVerdict.DOES_NOT_FIT, -1, -201),
])  # fmt: skip
def test_a_model_fits_up_to_80_percent_and_tightly_up_to_all_of_the_free_memory(needed, verdict, margin, comfortable):
    found = fit(needed, board())
    assert found.verdict is verdict
    assert (found.margin_bytes, found.comfortable_margin_bytes) == (margin, comfortable)
    assert (found.needed_bytes, found.reason) == (needed, None)


@pytest.mark.parametrize("needed", [7, 8])
def test_parts_of_a_byte_are_not_given_away(needed):
    # 80 % of 9 bytes are 7.2.
    assert fit(needed, board(9)).verdict is (FitVerdict.FITS if needed == 7 else FitVerdict.TIGHT)


def test_what_is_not_known_is_unknown_with_a_reason_and_no_margin():
    found = fit(None, board())
    assert (found.verdict, found.needed_bytes, found.margin_bytes) == (FitVerdict.UNKNOWN, None, None)
    assert found.reason == "the memory that it needs is not known"
    assert fit(None, board(), reason="the run has no memory figures").reason == "the run has no memory figures"


@pytest.mark.parametrize("needed", [0, -1])
def test_a_model_that_needs_nothing_is_a_mistake(needed):
    with pytest.raises(InputError, match=f"needs {needed} bytes"):
        fit(needed, board())


def test_the_table_has_a_row_for_each_model_and_a_column_for_each_device():
    budgets = {"small": board(100, "small"), "large": board(1000, "large")}
    rows = fit_table({"b": 90, "a": None, "c": 200}, budgets)
    assert [(row.name, row.needed_bytes) for row in rows] == [("b", 90), ("a", None), ("c", 200)]
    assert [[f.verdict.value for f in row.fits] for row in rows] == [
        ["tight", "fits"],
        ["unknown", "unknown"],
        ["does not fit", "fits"],
    ]
    assert [f.budget.id for f in rows[0].fits] == ["small", "large"]
    assert fit_table({}, budgets) == ()


def test_a_model_of_one_and_a_half_gigabytes_on_the_shipped_devices():
    (row,) = fit_table({"model": 1_500_000_000}, load_budgets())
    verdicts = {f.budget.id: f.verdict.value for f in row.fits}
    assert verdicts["raspberry-pi-4-2gb"] == "tight"
    assert verdicts["phone-4gb"] == "does not fit"
    assert verdicts["raspberry-pi-5-8gb"] == "fits"
