"""Paths of a drawing in few letters, and without a clip that cuts nothing off."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

__all__ = ["short_number", "short_path", "unclip"]

_PART = re.compile(r"[A-Za-z]|-?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?")
_POINTS = {"M": 1, "L": 1, "Q": 2, "C": 3}
"""Commands that matplotlib writes, with the points that each takes; `z` has none."""
_CLIP = re.compile(r"url\(#([^)]+)\)")
_SLACK = 0.01

Box = tuple[float, float, float, float]
"""Least and greatest x, then y."""


def short_number(text: str) -> str:
    """Return a number in hundredths."""
    shown = f"{float(text):.2f}".rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown


def short_path(path: str) -> str:
    """Return the same path, with coordinates in hundredths: level and upright lines by one number, no command twice.

    A path with other commands than those of matplotlib stays as it is.
    """
    out: list[str] = []
    before, at = "", ("", "")
    for command, points in _commands(path):
        if command not in _POINTS and command not in {"z", "Z"}:
            return path
        letter, numbers = command, [number for point in points for number in point]
        if command == "L" and points[0][0] == at[0]:
            letter, numbers = "V", [points[0][1]]
        elif command == "L" and points[0][1] == at[1]:
            letter, numbers = "H", [points[0][0]]
        # After a move, further points would be lines.
        out.append("" if letter == before and letter != "M" else letter)
        for i, number in enumerate(numbers):
            out.append(number if number.startswith("-") or (i == 0 and out[-1] != "") else f" {number}")
        before, at = letter, points[-1] if points else ("", "")
    return "".join(out)


def unclip(root: ET.Element) -> None:
    """Take away clips from what lies within them, and clips that nothing is left of."""
    boxes = {
        clip.attrib["id"]: _rectangle(clip[0])
        for clip in root.iter("clipPath")
        if "id" in clip.attrib and len(clip) == 1 and clip[0].tag == "rect"
    }
    still = set()
    for element in root.iter():
        found = _CLIP.fullmatch(element.attrib.get("clip-path", ""))
        if found is None:
            continue
        box = boxes.get(found[1])
        if box is not None and all(_within(own, box) for own in _extents(element)):
            del element.attrib["clip-path"]
        else:
            still.add(found[1])
    for parent in root.iter():
        for clip in list(parent):
            if clip.tag == "clipPath" and clip.attrib.get("id") not in still:
                parent.remove(clip)


def _commands(path: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each command with its points, which a command that stands once may have many of."""
    parts = _PART.findall(path)
    i, command = 0, ""
    while i < len(parts):
        if parts[i].isalpha():
            command = parts[i]
            i += 1
            if command not in _POINTS:
                yield command, []
                continue
        size = 2 * _POINTS.get(command, 1)
        numbers = [short_number(part) for part in parts[i : i + size]]
        yield command, list(zip(numbers[::2], numbers[1::2], strict=True))
        i += size


def _rectangle(rect: ET.Element) -> Box:
    x, y, width, height = (float(rect.attrib.get(name, "0")) for name in ("x", "y", "width", "height"))
    return x, x + width, y, y + height


def _extents(element: ET.Element) -> Iterator[Box]:
    """Yield the box of each path and mark; a box without an end for what is not looked into."""
    for part in element.iter():
        if part.tag == "path":
            points = [(float(x), float(y)) for _, points in _commands(part.attrib.get("d", "")) for x, y in points]
            if points and "transform" not in part.attrib:
                xs, ys = zip(*points, strict=True)
                yield min(xs), max(xs), min(ys), max(ys)
        elif part.tag == "use":
            x, y = float(part.attrib.get("x", "0")), float(part.attrib.get("y", "0"))
            yield x, x, y, y
        elif part.tag not in {"g", "defs"}:
            yield float("-inf"), float("inf"), float("-inf"), float("inf")


def _within(own: Box, box: Box) -> bool:
    return (
        own[0] >= box[0] - _SLACK
        and own[1] <= box[1] + _SLACK
        and own[2] >= box[2] - _SLACK
        and own[3] <= box[3] + _SLACK
    )
