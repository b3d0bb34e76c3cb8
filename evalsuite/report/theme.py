"""A theme: the logo, name and colours of those who present a report as their own, from a YAML file."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from evalsuite.catalog.yamlfile import load_mapping, validate
from evalsuite.errors import InputError
from evalsuite.records import Frozen

__all__ = ["Colours", "Theme", "contrast", "load_theme"]

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_KINDS = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
_LARGEST_LOGO = 200_000
"""Bytes: the logo stands in every report."""

_SURFACES = {"light": "#ffffff", "dark": "#1a1d21"}
"""What text stands on where a theme names no surface of its own; the style sheet's values, which a test compares."""

_TEXT_CONTRAST, _GRAPHIC_CONTRAST = 4.5, 3.0
"""WCAG 2.2, success criteria 1.4.3 and 1.4.11."""


def _colour(text: str) -> str:
    if not _COLOUR.fullmatch(text):
        raise ValueError("is no colour; write # and six hexadecimal digits, such as '#0b5394', in quotes")
    return text.lower()


_Colour = Annotated[str, Field(strict=True), AfterValidator(_colour)]


class Colours(Frozen):
    """Colours in one scheme; what is not named stays as it is."""

    accent: _Colour | None = None
    """Links, the line above the answer, what has the keyboard's focus."""
    page: _Colour | None = None
    surface: _Colour | None = None
    ink: _Colour | None = None
    """Text."""
    muted: _Colour | None = None
    """Text of less weight."""
    series: tuple[_Colour, ...] | None = None
    """Of models, in their order; up to seven."""

    @property
    def variables(self) -> dict[str, str]:
        """The style sheet's variables that change, by name."""
        plain = {
            name: value for name in ("accent", "page", "surface", "ink", "muted") if (value := getattr(self, name))
        }
        return plain | {f"series-{i + 1}": colour for i, colour in enumerate(self.series or ())}


class Theme(Frozen):
    """What a report wears."""

    organisation: Annotated[str, Field(strict=True, max_length=120)] | None = None
    """Shown above the title."""
    logo: Path | None = None
    """PNG, JPEG, WebP or SVG; beside the theme file if it is relative."""
    logo_text: Annotated[str, Field(strict=True, max_length=120)] | None = None
    """What a screen reader says for the logo; left out, the organisation."""
    light: Colours = Colours()
    dark: Colours = Colours()
    logo_data: str | None = None
    """The logo as a data URI; made when the file is read."""

    @model_validator(mode="after")
    def _readable(self) -> Theme:
        for scheme, colours in (("light", self.light), ("dark", self.dark)):
            surface = colours.surface or _SURFACES[scheme]
            if colours.series is not None and not 1 <= len(colours.series) <= 7:
                raise ValueError(f"{scheme}.series: {len(colours.series)} colours; name one to seven")
            for name, value in colours.variables.items():
                if name in {"page", "surface"}:
                    continue
                least = _GRAPHIC_CONTRAST if name.startswith("series") else _TEXT_CONTRAST
                found = contrast(value, surface)
                if found < least:
                    raise ValueError(
                        f"{scheme}.{name}: {value} on {surface} has a contrast of {found:.1f} to 1, and {least} is needed "
                        "to be read; take a darker or a lighter one"
                    )
        return self

    @property
    def style(self) -> str:
        """The rules of style that come after the style sheet's own."""
        light, dark = (
            "".join(f"--{name}: {value};" for name, value in colours.variables.items())
            for colours in (self.light, self.dark)
        )
        rules = [f":root {{ {light} }}"] if light else []
        if dark:
            # Paper stays light; a reader's own choice goes before that of the system.
            rules.append(
                f"@media screen {{ @media (prefers-color-scheme: dark) {{ :root:not([data-theme='light']) {{ {dark} }} }}\n"
                f":root[data-theme='dark'] {{ {dark} }} }}"
            )
        return "\n".join(rules)


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio").

    Args:
        first: `#rrggbb`.
        second: The other.
    """
    low, high = sorted(_luminance(colour) for colour in (first, second))
    return (high + 0.05) / (low + 0.05)


def load_theme(path: Path) -> Theme:
    """Return the theme of a file.

    Raises:
        InputError: The file is missing or wrong, its logo cannot be used, or its colours cannot be read.
    """
    data, line_of = load_mapping(path, error=InputError)
    if "logo_data" in data:
        raise InputError(f"{path}:{line_of(('logo_data',))}: logo_data: unknown field", fix="name a file under `logo`")
    theme = validate(Theme, _with_logo(data, path), path, line_of, error=InputError)
    assert isinstance(theme, Theme)
    return theme


def _with_logo(data: Mapping[str, Any], path: Path) -> dict[str, Any]:
    name = data.get("logo")
    if not isinstance(name, str):
        return dict(data)
    logo = path.parent / name
    kind = _KINDS.get(logo.suffix.lower())
    if kind is None:
        raise InputError(
            f"{path}: logo: {name!r} is no picture that a page shows", fix=f"give one of {', '.join(_KINDS)}"
        )
    try:
        size = logo.stat().st_size
        if size > _LARGEST_LOGO:
            raise InputError(
                f"{logo}: the logo has {size:,} bytes, and at most {_LARGEST_LOGO:,} fit", fix="scale it down"
            )
        content = logo.read_bytes()
    except OSError as error:
        raise InputError(
            f"{logo}: the logo cannot be read: {error.strerror or error}", fix=f"see `logo` in {path}"
        ) from error
    return {**data, "logo_data": f"data:{kind};base64,{base64.b64encode(content).decode()}"}


def _luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
