"""Makes drawings small: what matplotlib writes for every viewer alike is left out, and what repeats is written once."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from evalsuite.report.paths import short_number, short_path, unclip

__all__ = ["Styles", "compact", "shared_styles"]

_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_SPACES = re.compile(r"\s+")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_TEXTS = {"text", "title", "desc", "tspan"}
_UNTURNED = re.compile(r"rotate\(-?0(?:\.0+)? [^)]*\)\s*")
_NOTHING = "fill: none"
_MEASURES = ("x", "y", "transform", "points", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height")


class Styles:
    """Names for the styles that the drawings of one page share."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def name(self, style: str) -> str:
        """Return the class that stands for a style."""
        return self._names.setdefault(style, f"f{_word(len(self._names))}")

    @property
    def css(self) -> str:
        """The rules of all classes."""
        return "\n".join(f".{name}{{{style}}}" for style, name in self._names.items())


_shared: ContextVar[Styles | None] = ContextVar("styles that drawings share", default=None)


@contextmanager
def shared_styles() -> Iterator[Styles]:
    """Yield the names of the styles of all drawings that are made meanwhile; without it, each keeps its own."""
    styles = Styles()
    token = _shared.set(styles)
    try:
        yield styles
    finally:
        _shared.reset(token)


def compact(root: ET.Element) -> None:
    """Shorten a drawing in place: coordinates to hundredths, no empty groups, no space between elements."""
    styles = _shared.get()
    for element in root.iter():
        _shorten(element, styles)
    unclip(root)
    for element in root.iter("path"):
        element.set("d", short_path(element.attrib.get("d", "")))
    _prune(root)
    _one_shape_each(root)


def _shorten(element: ET.Element, styles: Styles | None) -> None:
    if element.tag not in _TEXTS and element.text is not None and not element.text.strip():
        element.text = None
    element.tail = None
    for name in _MEASURES:
        if name in element.attrib:
            value = _NUMBER.sub(_rounded, _UNTURNED.sub("", element.attrib[name]))
            element.set(name, _SPACES.sub(" ", value).strip())
    if not element.attrib.get("transform", "x"):
        del element.attrib["transform"]
    style = element.attrib.get("style")
    if style is not None and styles is not None and style != _NOTHING:
        del element.attrib["style"]
        element.set("class", styles.name(_SPACES.sub(" ", style).strip()))


def _rounded(found: re.Match[str]) -> str:
    return short_number(found[0])


def _prune(parent: ET.Element) -> None:
    """Take away groups that hold nothing, shapes that show nothing, and groups that only hold others."""
    kept: list[ET.Element] = []
    for child in list(parent):
        _prune(child)
        unseen = child.tag == "path" and child.attrib.get("style") == _NOTHING and "id" not in child.attrib
        if unseen or (child.tag in {"g", "defs"} and len(child) == 0):
            continue
        kept += _ungrouped(child)
    for child in list(parent):
        parent.remove(child)
    parent.extend(kept)


def _ungrouped(element: ET.Element) -> list[ET.Element]:
    """Return what stands for an element: of a group without a property its parts, of a group of one mark the mark."""
    if element.tag != "g":
        return [element]
    if not element.attrib:
        return list(element)
    parts = [part for part in element if part.tag != "defs"]
    if len(parts) == 1 and all(name.startswith("data-") and name not in parts[0].attrib for name in element.attrib):
        parts[0].attrib.update(element.attrib)
        return list(element)
    return [element]


def _one_shape_each(root: ET.Element) -> None:
    """Let marks of one shape and style share one definition."""
    first: dict[tuple[str, str, str], str] = {}
    other: dict[str, str] = {}
    for defs in root.iter("defs"):
        for shape in list(defs):
            if shape.tag != "path" or "id" not in shape.attrib:
                continue
            key = (shape.attrib.get("d", ""), shape.attrib.get("class", ""), shape.attrib.get("style", ""))
            known = first.setdefault(key, shape.attrib["id"])
            if known != shape.attrib["id"]:
                other[shape.attrib["id"]] = known
                defs.remove(shape)
    for use in root.iter("use"):
        name = use.attrib.get("href", "").removeprefix("#")
        if name in other:
            use.set("href", f"#{other[name]}")
    _drop_empty(root)


def _drop_empty(parent: ET.Element) -> None:
    for child in list(parent):
        if child.tag == "defs" and len(child) == 0:
            parent.remove(child)
        else:
            _drop_empty(child)


def _word(number: int) -> str:
    word = _LETTERS[number % 26]
    while number >= 26:
        number = number // 26 - 1
        word = _LETTERS[number % 26] + word
    return word
