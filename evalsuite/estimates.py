"""Estimates that a user may ask for where nothing measures: energy from assumed watts, and carbon from energy."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from evalsuite.errors import InputError
from evalsuite.records import Reading, ReadingLabel

__all__ = ["GridIntensity", "PowerEstimate", "carbon", "carbon_g", "grid_intensity"]

_J_PER_KWH = 3.6e6
_PACKAGE = "codecarbon"
_TABLE = "data/private_infra/global_energy_mix.json"
_PLACE = "give the grid's intensity in g/kWh (such as 174) or an ISO 3166 code of three letters (such as ESP)"
_NUMBER = "give the grid's intensity in g/kWh yourself, such as 174"
_MAX_G_PER_KWH = 2000.0
"""Twice what a grid of nothing but coal causes."""


@dataclass(frozen=True, kw_only=True)
class PowerEstimate:
    """Power that nobody measured: a maker's figure, or one measured elsewhere.

    Raises:
        InputError: The watts cannot be power, or nothing says where they come from.
    """

    watts: float
    """Assumed while it works."""
    source_note: str
    """Where the figure comes from and what it covers, such as "TDP of the processor, maker's data sheet"."""
    idle_watts: float | None = None
    """Assumed while it waits; none where nobody says."""
    label: ClassVar[ReadingLabel] = ReadingLabel.ESTIMATED

    def __post_init__(self) -> None:
        if not (math.isfinite(self.watts) and self.watts > 0):
            raise InputError(f"an estimate of {self.watts!r} W cannot be power", fix="give watts above 0")
        if self.idle_watts is not None and not 0 <= self.idle_watts <= self.watts:
            problem = f"idle power of {self.idle_watts!r} W beside {self.watts:g} W at work"
            raise InputError(problem, fix="give idle watts between 0 and the watts at work, or none")
        if not self.source_note.strip():
            raise InputError(f"an estimate of {self.watts:g} W without a source", fix="say where the figure comes from")

    def energy_j(self, duration_s: float) -> float:
        """Return watts × seconds, in joules: estimated, like all that this class gives.

        Raises:
            InputError: The duration is negative or no number.
        """
        return self.watts * _amount(duration_s, "a duration", "s")

    def net_energy_j(self, duration_s: float) -> float | None:
        """Return the joules above idle; none where the idle power is not known.

        Raises:
            InputError: The duration is negative or no number.
        """
        if self.idle_watts is None:
            return None
        return (self.watts - self.idle_watts) * _amount(duration_s, "a duration", "s")

    def energy(self, duration_s: float) -> Reading:
        """Return `energy_j` with its label, so that it cannot pass for a measurement.

        Raises:
            InputError: The duration is negative or no number.
        """
        return Reading(
            name="energy",
            value=self.energy_j(duration_s),
            unit="J",
            scope=f"assumed power: {self.source_note}",
            label=self.label,
            reason=f"{self.watts:g} W × {duration_s:g} s",
        )


@dataclass(frozen=True)
class GridIntensity:
    """How much carbon dioxide a kilowatt-hour from the grid causes."""

    g_per_kwh: float
    """Grams of CO2 and of other gases by their equivalent in CO2, per kWh."""
    place: str
    """Whose grid it is."""
    source: str
    """Where the figure comes from."""
    year: int | None = None
    """What year it is the mean of; none where that is not known."""
    label: ClassVar[ReadingLabel] = ReadingLabel.DERIVED
    """Of measured energy that it is multiplied with: a published factor makes it derived."""


def carbon_g(energy_j: float, intensity_g_per_kwh: float) -> float:
    """Return the grams of CO2 equivalent that some energy causes: J ÷ 3.6e6 J/kWh × g/kWh.

    Raises:
        InputError: Energy or intensity is negative or no number.
    """
    kwh = _amount(energy_j, "energy", "J") / _J_PER_KWH
    return kwh * _amount(intensity_g_per_kwh, "a grid's intensity", "g/kWh")


def carbon(energy: Reading, grid: GridIntensity) -> Reading:
    """Return the carbon that a reading of energy stands for, labelled no better than the energy was.

    Args:
        energy: In joules.
        grid: Where the energy came from.

    Returns:
        Grams of CO2 equivalent: derived where the energy was measured or derived, estimated where it was
        estimated, unavailable with the same reason where there is no energy.

    Raises:
        InputError: The reading is not in joules, or negative.
    """
    if energy.unit != "J":
        problem = f"carbon is made of energy in J, and {energy.name} is in {energy.unit}"
        raise InputError(problem, fix="give a reading of energy in joules")
    year = "year unknown" if grid.year is None else str(grid.year)
    estimated = energy.label is ReadingLabel.ESTIMATED
    told = f"{grid.g_per_kwh:g} g/kWh, {grid.place} ({grid.source}, {year})"
    missing = energy.value is None
    return Reading(
        name="carbon",
        value=None if energy.value is None else carbon_g(energy.value, grid.g_per_kwh),
        unit="gCO2e",
        scope=energy.scope,
        label=energy.label if missing or estimated else grid.label,
        reason=energy.reason if missing else told,
    )


def grid_intensity(place: str) -> GridIntensity:
    """Return the carbon intensity of a grid.

    Args:
        place: Grams of CO2 equivalent per kWh, or a country's ISO 3166 alpha-3 code, which is looked up in the
            table of the package codecarbon (yearly means, from Our World in Data) if that is installed.

    Raises:
        InputError: It is neither, cannot be an intensity, or cannot be looked up.
    """
    text = place.strip()
    try:
        number = float(text)
    except ValueError:
        return _country(text)
    return _given(number, text)


def _given(number: float, text: str) -> GridIntensity:
    if 0 < number < 1:
        fix = f"give grams: {number * 1000:g} if {text} is in kg/kWh"
        raise InputError(f"a grid's intensity of {text} g/kWh is below that of any grid", fix=fix)
    if not 0 <= number <= _MAX_G_PER_KWH:
        raise InputError(f"a grid's intensity cannot be {text} g/kWh (0 to {_MAX_G_PER_KWH:g})", fix=_PLACE)
    return GridIntensity(number, place="place not named", source="given by the user")


def _country(text: str) -> GridIntensity:
    code = text.upper()
    if not (len(code) == 3 and code.isascii() and code.isalpha()):
        raise InputError(f"{text!r} is neither a carbon intensity nor a country's code", fix=_PLACE)
    path = _table_path(code)
    table = _table(path)
    entry = table.get(code)
    if not isinstance(entry, dict):
        raise InputError(f"codecarbon's table has no country {code}", fix=_near(code, table))
    grams = entry.get("carbon_intensity")
    # 0 is no data: over their lives, all power plants cause some.
    if isinstance(grams, bool) or not isinstance(grams, int | float) or not 0 < grams <= _MAX_G_PER_KWH:
        raise InputError(f"codecarbon's table gives {grams!r} g/kWh for {code}: no usable figure", fix=_NUMBER)
    year = entry.get("year")
    return GridIntensity(
        float(grams),
        place=f"{entry['country_name']} ({code})" if entry.get("country_name") else code,
        source=_source(),
        year=year if isinstance(year, int) else None,
    )


def _table_path(code: str) -> Path:
    """Return where codecarbon keeps its table, without importing it, which takes long."""
    try:
        spec = importlib.util.find_spec(_PACKAGE)
    except ValueError:  # something half-made of that name is in sys.modules
        spec = None
    if spec is None:
        fix = f"pip install {_PACKAGE}, or {_NUMBER}"
        raise InputError(f"{code} cannot be looked up: the package {_PACKAGE} is not installed", fix=fix)
    folders = spec.submodule_search_locations or ()
    path = next((p for p in (Path(folder) / _TABLE for folder in folders) if p.is_file()), None)
    if path is None:
        raise InputError(f"{code} cannot be looked up: the installed {_PACKAGE} has no {_TABLE}", fix=_NUMBER)
    return path


def _table(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"codecarbon's table {path} cannot be read: {error}", fix=_NUMBER) from error
    if not isinstance(table, dict):
        raise InputError(f"codecarbon's table {path} is no table of countries", fix=_NUMBER)
    return table


def _near(code: str, table: dict[str, Any]) -> str:
    """Return a fix that names the countries which begin with the letters given: "SPA" means Spain, which is ESP."""
    names = {c: str(entry.get("country_name", "")) for c, entry in table.items() if isinstance(entry, dict)}
    meant = [f"{c} ({name})" for c, name in sorted(names.items()) if name.upper().startswith(code)]
    return f"did you mean {' or '.join(meant)}? Else {_NUMBER}" if meant else _NUMBER


def _source() -> str:
    try:
        version = importlib.metadata.version(_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return "codecarbon's country table"
    return f"codecarbon {version}'s country table"


def _amount(value: float, what: str, unit: str) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"{what} of {value!r} {unit} cannot be", fix=f"give {unit} of 0 or more")
    return value
