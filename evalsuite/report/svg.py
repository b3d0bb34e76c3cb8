"""Turns matplotlib's SVG into an element of a page: themed by CSS, labelled, free of outside references."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence

from evalsuite.report.compact import compact

__all__ = ["inline_svg", "mark_id", "marks_id"]

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_FAMILY = re.compile(r"font-family:[^;]*;?\s*")
_REFERENCE = re.compile(r"^#(.+)$|url\(#([^)]+)\)")
_URL = re.compile(r"url\(#([^)]+)\)")
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")

_MARK, _NEXT = "\N{BROKEN BAR}", "\N{NOT SIGN}"


def mark_id(key: str, value: float) -> str:
    """Return the id to draw a mark with, so that the page can tell which row of a table holds the same number.

    `inline_svg` makes `data-key` and `data-v` of it: six figures of the value, in the units of the axis.
    """
    return f"{_MARK}{key}{_MARK}{value:.6g}"


def marks_id(marks: Sequence[tuple[str, float]]) -> str | None:
    """Return the id to draw the marks of one line with, in their order; none where no mark has a key."""
    return _NEXT.join(mark_id(key, value) for key, value in marks) if any(key for key, _ in marks) else None


def inline_svg(source: str, *, prefix: str, title: str, description: str, colours: Mapping[str, str]) -> str:
    """Return an `<svg>` element for an HTML page.

    Colours that matplotlib wrote become CSS variables, so that one drawing serves light, dark and print; ids get a
    prefix, so that several drawings can stand in one page; fonts become the page's.

    Args:
        source: What matplotlib wrote, with text as text.
        prefix: Unique in the page.
        title: Short label; becomes `aria-label` and `<title>`.
        description: What the figure shows; becomes `<desc>`.
        colours: Hex colour → CSS value, for every colour that was drawn with.
    """
    # The source is our own drawing, never a file from elsewhere: the standard parser is safe for it.
    root = ET.fromstring(source)  # noqa: S314
    _drop(root, {f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"})
    used = {
        name
        for element in root.iter()
        for value in element.attrib.values()
        for found in _REFERENCE.finditer(value)
        for name in found.groups()
        if name
    }
    for element in root.iter():
        _retarget(element, prefix, used)
        if "style" in element.attrib:
            element.set("style", _themed(element.attrib["style"], colours))
        element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
    _short_ids(root, prefix)
    compact(root)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.attrib.update({"class": "fig", "role": "img", "aria-label": title, "focusable": "false"})
    label, text = ET.Element("title"), ET.Element("desc")
    label.text, text.text = title, description
    root.insert(0, label)
    root.insert(1, text)
    return ET.tostring(root, encoding="unicode")


def _short_ids(root: ET.Element, prefix: str) -> None:
    """Number the ids of a drawing: matplotlib's are hashes, and every mark refers to one."""
    names = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    short = {name: f"{prefix}-{i}" for i, name in enumerate(names)}
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "id":
                element.set(name, short[value])
            elif name == "href":
                element.set(name, f"#{short[value.removeprefix('#')]}")
            elif "url(#" in value:
                element.set(name, _URL.sub(lambda found: f"url(#{short[found[1]]})", value))


def _drop(parent: ET.Element, tags: set[str]) -> None:
    for child in list(parent):
        if child.tag in tags:
            parent.remove(child)
        else:
            _drop(child, tags)


def _retarget(element: ET.Element, prefix: str, used: set[str]) -> None:
    own = element.attrib.pop("id", None)
    if own is not None and own.startswith(_MARK):
        marks = [one.split(_MARK)[1:] for one in own.split(_NEXT)]
        # A line of several marks is a group of uses of their shape.
        uses = [e for e in element.iter() if e.tag.endswith("use")] if len(marks) > 1 else [element]
        assert len(uses) == len(marks), f"{len(uses)} marks were drawn, and {len(marks)} have a number"
        for use, (key, value) in zip(uses, marks, strict=True):
            if key:
                use.attrib.update({"data-key": key, "data-v": value})
    elif own in used:
        element.set("id", f"{prefix}-{own}")
    if _XLINK in element.attrib:
        element.set("href", f"#{prefix}-{element.attrib.pop(_XLINK).removeprefix('#')}")
    for name, value in element.attrib.items():
        if "url(#" in value:
            element.set(name, _URL.sub(rf"url(#{prefix}-\1)", value))


def _themed(style: str, colours: Mapping[str, str]) -> str:
    style = _COLOUR.sub(lambda found: colours.get(found[0], found[0]), style)
    return _FAMILY.sub("", style)
