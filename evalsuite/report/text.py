"""The report's wording and number formats: sentences come from `reports/strings/`, formats from CLDR."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babel import Locale
from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_decimal

from evalsuite.report.catalogues import SOURCE, Strings, read_strings, translations_of
from evalsuite.report.reasons import REASON, Reasons

if TYPE_CHECKING:
    from babel.support import Translations

__all__ = ["MISSING", "Text", "load_text"]

MISSING = "—"
"""What stands where there is no number. The reason stands beside it."""

_MINUS = "\N{MINUS SIGN}"


class Text:
    """Sentences and formats in one language.

    Args:
        strings: English text by key; a text with plural forms is a mapping from plural form to text.
        locale: CLDR locale of the formats.
        translations: Of the texts; none for English.
    """

    def __init__(self, strings: Strings, locale: str, translations: Translations | None = None) -> None:
        self._strings = strings
        self._locale = Locale.parse(locale)
        self._translations = translations

    @property
    def language(self) -> str:
        """The value of the page's `lang` attribute."""
        return str(self._locale.language)

    def __call__(self, key: str, **values: Any) -> str:
        """Return the text of `key` with its placeholders filled; `n` chooses a plural form.

        Raises:
            KeyError: There is no such text, or a placeholder got no value.
        """
        text = self._translated(key, values.get("n"))
        # Values are inserted, never formatted again: braces in a model's name stay what they are.
        shown = {k: self.integer(v) if isinstance(v, int) and not isinstance(v, bool) else v for k, v in values.items()}
        return text.format(**shown) if shown else text

    def _translated(self, key: str, n: Any) -> str:
        text = self._strings[key]
        if isinstance(text, str):
            return text if self._translations is None else str(self._translations.pgettext(key, text))
        if n is None:
            raise KeyError("n")
        if self._translations is None:
            return text.get(self._locale.plural_form(n), text["other"])
        return str(self._translations.npgettext(key, text["one"], text["other"], n))

    def language_name(self, code: str) -> str | None:
        """Return what a language is called here, as it stands in a sentence; none where CLDR has no name for it."""
        found = self._locale.languages.get(code)
        return None if found is None else str(found)

    def script_name(self, code: str) -> str:
        """Return what a script is called here, or its code."""
        return str(self._locale.scripts.get(code, code))

    def date(self, moment: str) -> str:
        """Return the day of a moment in ISO 8601 as people write it; what is no moment stays as it is."""
        try:
            day = datetime.fromisoformat(moment)
        except ValueError:
            return moment
        return str(format_date(day, format="long", locale=self._locale))

    def title(self, text: str) -> str:
        """Return a name as it begins a row or a heading."""
        return text[:1].upper() + text[1:]

    def reason(self, english: str | None) -> str:
        """Return a reason, which analysis gives in English; one that is not known stays so."""
        if not english:
            return ""
        return english if self._translations is None else self._reasons.say(english)

    @cached_property
    def _reasons(self) -> Reasons:
        known = {key: text for key, text in self._strings.items() if key.startswith(REASON) and isinstance(text, str)}
        return Reasons(known, self)

    def join(self, parts: Sequence[str]) -> str:
        """Return "a, b and c"."""
        return str(format_list(list(parts), style="standard", locale=self._locale))

    def series(self, parts: Sequence[str]) -> str:
        """Return parts that may hold commas, parted by semicolons as the language writes them."""
        return ("；" if self.language == "ja" else "; ").join(parts)

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
        """Return a formatted number with the language's percent sign: "5%" in English, "5 %" in Spanish, "% 5" in Basque."""
        pattern = str(self._locale.percent_formats[None].pattern)
        before, _, _ = pattern.partition("#")
        _, _, after = pattern.rpartition("0")
        return before + number + after

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


def load_text(folder: Path, language: str = SOURCE) -> Text:
    """Return the report's texts in a language.

    Args:
        folder: Folder of the source texts and of the catalogues.
        language: Code.

    Raises:
        InputError: There are no texts in that language.
        CatalogError: A file cannot be read, or holds something else than texts.
    """
    strings = read_strings(folder)
    translations = translations_of(folder, language)
    locale = str(strings.get("locale", SOURCE))
    return Text(strings, locale if translations is None else str(translations.pgettext("locale", locale)), translations)
