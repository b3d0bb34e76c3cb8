"""Estimates and carbon: the arithmetic, the labels, and a country table beside a package that is not imported."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import sys

import pytest

from evalsuite.errors import InputError
from evalsuite.estimates import GridIntensity, PowerEstimate, carbon, carbon_g, grid_intensity
from evalsuite.records import Reading, ReadingLabel

GRID = GridIntensity(180.0, place="Spain (ESP)", source="codecarbon 3.3.2's country table", year=2022)
# As codecarbon's table has them (fields that matter).
TABLE = {
    "ABW": {"carbon_intensity": 591.398, "country_name": "Aruba", "iso_code": "ABW", "year": 2021},
    "AUT": {"carbon_intensity": 147.573, "country_name": "Austria", "iso_code": "AUT", "year": 2021},
    "BRA": {"carbon_intensity": 158.592, "country_name": "Brazil", "iso_code": "BRA", "year": 2021},
    "DEU": {"carbon_intensity": 370, "country_name": "Germany", "iso_code": "DEU"},
    "XAA": {"carbon_intensity": None, "country_name": "No Figure", "year": 2021},
    "XAB": {"country_name": "No Field", "year": 2021},
    "XAC": {"carbon_intensity": 0.0, "country_name": "No Data", "year": 2021},
    "XAD": {"carbon_intensity": "12", "country_name": "Text", "year": 2021},
    "XAE": {"carbon_intensity": 30.0, "year": "2021"},
    "XAF": "nothing",
}


def energy(value: float | None, label: ReadingLabel, unit: str = "J") -> Reading:
    reason = "no power meter" if value is None else None
    return Reading(name="energy", value=value, unit=unit, scope="at the wall", label=label, reason=reason)


@pytest.fixture
def codecarbon(tmp_path, monkeypatch):
    """Install a package of that name that fails when it is imported, with this table in it."""

    def make(table: object = TABLE) -> None:
        package = tmp_path / "codecarbon"
        folder = package / "data" / "private_infra"
        folder.mkdir(parents=True)
        (package / "__init__.py").write_text("raise AssertionError('imported')\n", encoding="utf-8")
        if table is not None:
            text = table if isinstance(table, str) else json.dumps(table)
            (folder / "global_energy_mix.json").write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "codecarbon", raising=False)
        importlib.invalidate_caches()

    return make


def test_energy_of_assumed_watts():
    estimate = PowerEstimate(watts=15.0, idle_watts=4.0, source_note="TDP of the processor")
    assert estimate.energy_j(120.0) == pytest.approx(15 * 120)
    assert estimate.net_energy_j(120.0) == pytest.approx(11 * 120)
    assert estimate.energy_j(0.0) == 0


def test_an_unknown_idle_power_is_not_zero():
    assert PowerEstimate(watts=15.0, source_note="TDP").net_energy_j(120.0) is None


def test_an_estimate_is_always_labelled_so():
    estimate = PowerEstimate(watts=15.0, source_note="TDP of the processor")
    assert estimate.label is ReadingLabel.ESTIMATED
    reading = estimate.energy(120.0)
    assert (reading.name, reading.value, reading.unit) == ("energy", 1800.0, "J")
    assert reading.label is ReadingLabel.ESTIMATED
    assert reading.scope == "assumed power: TDP of the processor"
    with pytest.raises(TypeError):
        PowerEstimate(watts=15.0, source_note="TDP", label=ReadingLabel.MEASURED)  # type: ignore[call-arg]  # that is the test


def test_an_estimate_cannot_be_changed():
    estimate = PowerEstimate(watts=15.0, source_note="TDP")
    with pytest.raises(dataclasses.FrozenInstanceError):
        estimate.watts = 1.0  # type: ignore[misc]  # that is the test


@pytest.mark.parametrize("watts", [0.0, -3.0, math.nan, math.inf])
def test_watts_that_cannot_be(watts):
    with pytest.raises(InputError) as error:
        PowerEstimate(watts=watts, source_note="TDP")
    assert repr(watts) in error.value.problem


@pytest.mark.parametrize("idle_watts", [-1.0, 15.1, math.nan])
def test_idle_watts_that_cannot_be(idle_watts):
    with pytest.raises(InputError) as error:
        PowerEstimate(watts=15.0, idle_watts=idle_watts, source_note="TDP")
    assert repr(idle_watts) in error.value.problem


def test_an_estimate_needs_a_source():
    with pytest.raises(InputError, match="without a source"):
        PowerEstimate(watts=15.0, source_note="  ")


@pytest.mark.parametrize("duration_s", [-1.0, math.nan, math.inf])
def test_durations_that_cannot_be(duration_s):
    estimate = PowerEstimate(watts=15.0, idle_watts=4.0, source_note="TDP")
    for ask in (estimate.energy_j, estimate.net_energy_j, estimate.energy):
        with pytest.raises(InputError, match="a duration of"):
            ask(duration_s)


def test_a_kilowatt_hour_causes_what_the_grid_says():
    assert carbon_g(3.6e6, 180.0) == pytest.approx(180.0)
    # 5 W for an hour are 18 kJ, and 0.005 kWh.
    assert carbon_g(5 * 3600, 400.0) == pytest.approx(0.005 * 400)
    assert carbon_g(1000.0, 0.0) == 0


@pytest.mark.parametrize(("joules", "grams"), [(-1.0, 180.0), (math.nan, 180.0), (1.0, -180.0), (1.0, math.inf)])
def test_amounts_that_cannot_be(joules, grams):
    with pytest.raises(InputError):
        carbon_g(joules, grams)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (ReadingLabel.MEASURED, ReadingLabel.DERIVED),
        (ReadingLabel.DERIVED, ReadingLabel.DERIVED),
        (ReadingLabel.ESTIMATED, ReadingLabel.ESTIMATED),
    ],
)
def test_carbon_is_labelled_no_better_than_its_energy(given, made):
    reading = carbon(energy(7.2e6, given), GRID)
    assert reading.label is made
    assert reading.value == pytest.approx(360.0)
    assert (reading.name, reading.unit, reading.scope) == ("carbon", "gCO2e", "at the wall")
    assert reading.reason == "180 g/kWh, Spain (ESP) (codecarbon 3.3.2's country table, 2022)"


def test_without_energy_there_is_no_carbon():
    reading = carbon(energy(None, ReadingLabel.UNAVAILABLE), GRID)
    assert (reading.value, reading.label, reading.reason) == (None, ReadingLabel.UNAVAILABLE, "no power meter")


def test_carbon_is_made_of_joules_only():
    with pytest.raises(InputError, match="in W"):
        carbon(energy(5.0, ReadingLabel.MEASURED, unit="W"), GRID)


@pytest.mark.parametrize(("text", "grams"), [("174", 174.0), (" 45.5 ", 45.5), ("0", 0.0), ("2000", 2000.0)])
def test_an_intensity_given_by_the_user(text, grams):
    grid = grid_intensity(text)
    assert (grid.g_per_kwh, grid.year, grid.source) == (grams, None, "given by the user")
    assert grid.label is ReadingLabel.DERIVED


@pytest.mark.parametrize("text", ["-5", "2001", "nan", "inf"])
def test_intensities_that_cannot_be(text):
    with pytest.raises(InputError) as error:
        grid_intensity(text)
    assert text in error.value.problem
    assert error.value.fix


def test_kilograms_are_noticed():
    with pytest.raises(InputError, match=r"0\.475") as error:
        grid_intensity("0.475")
    assert error.value.fix == "give grams: 475 if 0.475 is in kg/kWh"


@pytest.mark.parametrize("text", ["", "ES", "Spain", "E5P", "ñññ"])
def test_what_is_neither_number_nor_code(text):
    with pytest.raises(InputError) as error:
        grid_intensity(text)
    assert repr(text) in error.value.problem
    assert error.value.fix is not None
    assert "g/kWh" in error.value.fix and "ISO 3166" in error.value.fix


@pytest.mark.parametrize("text", ["AUT", "aut"])
def test_a_country_is_looked_up_without_importing_the_package(codecarbon, text):
    codecarbon()
    grid = grid_intensity(text)
    assert grid == GridIntensity(147.573, place="Austria (AUT)", source="codecarbon's country table", year=2021)
    assert "codecarbon" not in sys.modules


def test_the_version_of_the_table_is_told(codecarbon, tmp_path):
    codecarbon()
    metadata = tmp_path / "codecarbon-3.3.2.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: codecarbon\nVersion: 3.3.2\n", encoding="utf-8")
    assert grid_intensity("BRA").source == "codecarbon 3.3.2's country table"


def test_a_table_may_lack_year_and_name(codecarbon):
    codecarbon()
    assert (grid_intensity("DEU").year, grid_intensity("DEU").g_per_kwh) == (None, 370.0)
    assert (grid_intensity("XAE").year, grid_intensity("XAE").place) == (None, "XAE")


def test_a_country_needs_the_package(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError) as error:
        grid_intensity("ESP")
    assert error.value.problem == "ESP cannot be looked up: the package codecarbon is not installed"
    assert error.value.fix is not None
    assert "pip install codecarbon" in error.value.fix and "g/kWh" in error.value.fix


def test_something_half_made_of_that_name_is_no_package(monkeypatch):
    module = type(sys)("codecarbon")
    monkeypatch.setitem(sys.modules, "codecarbon", module)
    with pytest.raises(InputError, match="is not installed"):
        grid_intensity("ESP")


@pytest.mark.parametrize("code", ["XAA", "XAB", "XAC", "XAD"])
def test_a_country_without_usable_figure_is_not_zero(codecarbon, code):
    codecarbon()
    with pytest.raises(InputError, match=f"for {code}: no usable figure") as error:
        grid_intensity(code)
    assert error.value.fix is not None
    assert "g/kWh" in error.value.fix


@pytest.mark.parametrize(
    ("code", "hint"), [("GER", "did you mean DEU (Germany)?"), ("XAF", "give the grid's intensity")]
)
def test_a_country_that_is_not_in_the_table(codecarbon, code, hint):
    codecarbon()
    with pytest.raises(InputError, match=f"no country {code}") as error:
        grid_intensity(code)
    assert error.value.fix is not None
    assert hint in error.value.fix


@pytest.mark.parametrize(
    ("table", "problem"),
    [(None, "has no data/private_infra"), ("{broken", "cannot be read"), ("[]", "is no table of countries")],
)
def test_a_package_without_usable_table(codecarbon, table, problem):
    codecarbon(table)
    with pytest.raises(InputError, match=problem) as error:
        grid_intensity("AUT")
    assert error.value.fix is not None
    assert "g/kWh" in error.value.fix
