"""The report's wording and number formats: sentences come from `reports/strings/`, formats from CLDR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from babel import Locale
from babel.lists import format_list
from babel.numbers import format_decimal

from evalsuite.errors import CatalogError

__all__ = ["MISSING", "Text", "load_text"]

MISSING = "—"
"""What stands where there is no number. The reason stands beside it."""

_MINUS = "\N{MINUS SIGN}"


class Text:
    """Sentences and number formats in one language.

    Args:
        strings: Text by key; a text with plural forms is a mapping from CLDR plural form to text.
        locale: CLDR locale of the number formats.
    """

    def __init__(self, strings: Mapping[str, str | Mapping[str, str]], locale: str) -> None:
        self._strings = strings
        self._locale = Locale.parse(locale)

    @property
    def language(self) -> str:
        """The value of the page's `lang` attribute."""
        return str(self._locale.language)

    def __call__(self, key: str, **values: Any) -> str:
        """Return the text of `key` with its placeholders filled; `n` chooses a plural form.

        Raises:
            KeyError: There is no such text, or a placeholder got no value.
        """
        text = self._strings[key]
        if isinstance(text, Mapping):
            text = text.get(self._locale.plural_form(values["n"]), text["other"])
        # Values are inserted, never formatted again: braces in a model's name stay what they are.
        shown = {k: self.integer(v) if isinstance(v, int) and not isinstance(v, bool) else v for k, v in values.items()}
        return text.format(**shown) if shown else text

    def join(self, parts: Sequence[str]) -> str:
        """Return "a, b and c"."""
        return str(format_list(list(parts), style="standard", locale=self._locale))

    def integer(self, value: int | None) -> str:
        """Return a count, with a thousands separator."""
        return MISSING if value is None else str(format_decimal(value, format="#,##0", locale=self._locale))

    def number(self, value: float | None, digits: int = 1) -> str:
        """Return a number with a fixed count of decimals and a true minus sign."""
        if value is None:
            return MISSING
        pattern = "#,##0." + "0" * digits if digits else "#,##0"
        # Adding 0.0 turns a rounded -0.0 into 0.0.
        shown = format_decimal(round(value, digits) + 0.0, format=pattern, locale=self._locale)
        return str(shown).replace("-", _MINUS)

    def percent(self, value: float | None) -> str:
        """Return a share as a percentage with one decimal."""
        return MISSING if value is None else self.percent_sign(self.number(100 * value))

    def percent_sign(self, number: str) -> str:
        """Return a formatted number with the language's percent sign: "5%" in English, "5 %" in Spanish."""
        _, _, sign = str(self._locale.percent_formats[None].pattern).rpartition("0")
        return number + sign

    def signed(self, value: float | None, digits: int = 1) -> str:
        """Return a difference with its sign."""
        if value is None:
            return MISSING
        shown = self.number(value, digits)
        return f"+{shown}" if round(value, digits) > 0 else shown

    def span(self, low: float | None, high: float | None, *, digits: int = 1, signed: bool = False) -> str:
        """Return the ends of an interval."""
        if low is None or high is None:
            return MISSING
        one = self.signed if signed else self.number
        return self("word.range", low=one(low, digits), high=one(high, digits))

    def p(self, value: float | None) -> str:
        """Return a p-value; small ones as a bound, since their digits mean little."""
        if value is None:
            return MISSING
        return "<\N{NO-BREAK SPACE}" + self.number(0.001, 3) if value < 0.001 else self.number(value, 3)

    def duration(self, seconds: float | None) -> str:
        """Return a time as h, min and s."""
        if seconds is None:
            return MISSING
        if seconds < 60:
            return f"{self.number(seconds)} s"
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def load_text(folder: Path, language: str = "en") -> Text:
    """Return the report's texts in a language, gathered from the files of `folder/language`.

    Raises:
        CatalogError: There are no such files, one holds something else than texts, or two hold the same text.
    """
    strings: dict[str, Any] = {}
    for path in sorted((folder / language).glob("*.yaml")):
        try:
            found = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise CatalogError(f"the report's texts cannot be read: {error}", fix="install evalsuite again") from error
        if not isinstance(found, dict) or (twice := strings.keys() & found.keys()):
            told = f"repeats {min(twice)}" if isinstance(found, dict) else "holds no texts"
            raise CatalogError(f"{path.name} {told}", fix="install evalsuite again")
        strings |= found
    if not strings:
        raise CatalogError(f"there are no texts of the report in {language!r}", fix="install evalsuite again")
    return Text(strings, str(strings.get("locale", language)))
