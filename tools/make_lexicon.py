"""Makes tasks/lexicon/data/*.jsonl from CLDR (through Babel): `python tools/make_lexicon.py [--check]`.

An item is an international code (ISO 3166, 639, 4217, or a unit's symbol) and four names in the language, one of which
is its own. Codes, distractors and the place of the right answer are the same in every language. Distractors begin with
the same letter of the code where there are enough of them: else "FR" would give away "France", but not "フランス".
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import babel
import yaml
from babel import Locale
from babel.core import get_global
from babel.units import get_unit_name

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tasks" / "lexicon" / "data"
SEED = 20260401
COUNTS = {"territories": 96, "languages": 72, "currencies": 52, "units": 20}
OPTIONS = 4

Names = dict[str, dict[str, str]]
"""Code → language → name."""

UNITS = {
    "length-kilometer": "km", "length-meter": "m", "length-centimeter": "cm", "length-millimeter": "mm",
    "length-micrometer": "μm", "mass-kilogram": "kg", "mass-gram": "g", "mass-milligram": "mg", "mass-tonne": "t",
    "area-square-meter": "m²", "area-square-kilometer": "km²", "area-hectare": "ha", "volume-cubic-meter": "m³",
    "volume-liter": "L", "volume-milliliter": "mL", "volume-centiliter": "cL", "pressure-hectopascal": "hPa",
    "pressure-kilopascal": "kPa", "pressure-bar": "bar", "power-watt": "W", "power-kilowatt": "kW",
    "power-megawatt": "MW", "energy-kilowatt-hour": "kWh", "energy-joule": "J", "energy-kilojoule": "kJ",
    "electric-volt": "V", "electric-ampere": "A", "electric-ohm": "Ω", "frequency-hertz": "Hz",
    "frequency-kilohertz": "kHz", "frequency-megahertz": "MHz", "frequency-gigahertz": "GHz",
    "temperature-celsius": "°C", "temperature-kelvin": "K", "speed-kilometer-per-hour": "km/h",
    "speed-meter-per-second": "m/s", "digital-gigabyte": "GB", "digital-megabyte": "MB", "digital-kilobyte": "kB",
    "duration-second": "s", "duration-minute": "min", "duration-hour": "h", "light-lux": "lx",
}  # fmt: skip


def collect(locales: Mapping[str, Locale]) -> dict[str, Names]:
    """Return the names that every language has, by kind."""

    def common(kind: str) -> Names:
        codes = set.intersection(*({str(code) for code in getattr(loc, kind)} for loc in locales.values()))
        return {code: {lang: getattr(loc, kind)[code] for lang, loc in locales.items()} for code in sorted(codes)}

    tender = {
        code
        for spans in get_global("territory_currencies").values()
        for code, _, end, legal in spans
        if legal and not end
    }
    countries = get_global("territory_languages")
    units: Names = {}
    for unit, symbol in UNITS.items():
        names = {lang: get_unit_name(unit, "long", loc) for lang, loc in locales.items()}
        if all(names.values()):
            units[symbol] = {lang: str(name) for lang, name in names.items()}
    return {
        "territories": {
            c: n for c, n in common("territories").items() if re.fullmatch("[A-Z]{2}", c) and c in countries
        },
        "languages": {c: n for c, n in common("languages").items() if re.fullmatch("[a-z]{2}", c)},
        "currencies": {c: n for c, n in common("currencies").items() if c in tender},
        "units": units,
    }


def usable(names: Names) -> Names:
    """Leave out codes whose name is missing, qualified, shared with another code, or the code itself, in any language."""
    languages = next(iter(names.values())).keys()
    bad: set[str] = set()
    for lang in languages:
        seen: dict[str, str] = {}
        for code, by_lang in names.items():
            name = unicodedata.normalize("NFC", by_lang[lang])
            folded = name.casefold()
            if re.search(r"[()（）\[\]\d]", name) or folded == code.casefold():
                bad.add(code)
            if folded in seen:
                bad.update({code, seen[folded]})
            seen[folded] = code
    return {code: by_lang for code, by_lang in names.items() if code not in bad}


def build(locales: Mapping[str, Locale]) -> dict[str, list[dict[str, object]]]:
    """Return the items of every language."""
    rng = random.Random(SEED)
    items: dict[str, list[dict[str, object]]] = {lang: [] for lang in locales}
    for kind, everything in collect(locales).items():
        names = usable(everything)
        codes = sorted(names)
        if len(codes) < COUNTS[kind]:
            raise SystemExit(f"{kind}: {len(codes)} usable codes, {COUNTS[kind]} wanted")
        chosen = sorted(rng.sample(codes, COUNTS[kind]))
        # The right answer stands in each place equally often.
        places = [number % OPTIONS for number in range(len(chosen))]
        rng.shuffle(places)
        for code, place in zip(chosen, places, strict=True):
            near = [other for other in codes if other != code and other[0].casefold() == code[0].casefold()]
            far = [other for other in codes if other != code and other not in near]
            wanted = OPTIONS - 1
            distractors = rng.sample(near, min(wanted, len(near)))
            distractors += rng.sample(far, wanted - len(distractors))
            options = [*distractors[:place], code, *distractors[place:]]
            for lang in locales:
                choices = [unicodedata.normalize("NFC", names[option][lang]) for option in options]
                items[lang].append(
                    {"id": f"{kind}:{code}", "kind": kind, "code": code, "choices": choices, "gold": place}
                )
    return items


def main() -> int:
    """Write the files, or with --check say whether they are as they would be written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file differs")
    check = parser.parse_args().check
    languages = [yaml.safe_load(p.read_text(encoding="utf-8")) for p in sorted((ROOT / "langs").glob("*.yaml"))]
    locales = {lang["code"]: Locale.parse(lang["locale"]) for lang in languages}
    stale = []
    for lang, rows in build(locales).items():
        path = DATA / f"{lang}.jsonl"
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(str(path.relative_to(ROOT)))
        elif not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"not as Babel {babel.__version__} would make them: {', '.join(stale)}", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
