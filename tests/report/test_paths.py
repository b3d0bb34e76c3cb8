"""Paths in few letters: the same points, read back by another reader of paths."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.report.paths import short_path, unclip

POINT = st.tuples(*[st.floats(-999, 999).map(lambda value: round(value, 3))] * 2)
STEP: st.SearchStrategy[tuple[str, list[tuple[float, ...]]]] = st.one_of(
    st.tuples(st.just("L"), st.lists(POINT, min_size=1, max_size=1)),
    st.tuples(st.just("M"), st.lists(POINT, min_size=1, max_size=1)),
    st.tuples(st.just("C"), st.lists(POINT, min_size=3, max_size=3)),
    st.tuples(st.just("Q"), st.lists(POINT, min_size=2, max_size=2)),
    st.tuples(st.just("z"), st.just([])),
)


def vertices(path: str) -> np.ndarray:
    """Return the points of a path and how each is reached, by fontTools' reader of SVG."""
    from fontTools.pens.recordingPen import RecordingPen
    from fontTools.svgLib.path import parse_path

    pen = RecordingPen()
    parse_path(path, pen)
    return np.array([[len(name), *np.round(point, 2)] for name, points in pen.value for point in points])


@given(st.lists(STEP, min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_it_is_the_same_path(steps: list[tuple[str, list[tuple[float, ...]]]]) -> None:
    told: list[tuple[str, list[tuple[float, ...]]]] = [("M", [(1.0, 2.0)]), *steps]
    long = " ".join(f"{letter} " + " ".join(f"{x} {y}" for x, y in points) for letter, points in told)
    short = short_path(long)
    assert len(short) <= len(long)
    np.testing.assert_allclose(vertices(short), vertices(long), atol=0.011)


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("M 192.21 51.68 L 298.45 51.68 L 298.45 90.32 L 192.21 90.32 z", "M192.21 51.68H298.45V90.32H192.21z"),
        ("M -0 111 L 422 111 M -0 200 L 422 200", "M0 111H422M0 200H422"),
        ("M 1 1 L 2 2 L 3 -3.333", "M1 1L2 2 3-3.33"),
        ("", ""),
        ("M 1 1 A 5 5 0 0 1 2 2", "M 1 1 A 5 5 0 0 1 2 2"),
    ],
)
def test_examples(long: str, short: str) -> None:
    assert short_path(long) == short


def test_a_clip_goes_only_where_it_cuts_nothing() -> None:
    root = ET.fromstring(
        '<svg><path id="in" d="M 1 1 L 9 9" clip-path="url(#c)"/><path id="out" d="M 1 1 L 19 9" clip-path="url(#c)"/>'
        '<path id="alone" d="M 1 1 L 2 2" clip-path="url(#d)"/>'
        '<g id="marks" clip-path="url(#c)"><use x="5" y="5"/></g><g id="words" clip-path="url(#c)"><text/></g>'
        '<defs><clipPath id="c"><rect x="0" y="0" width="10" height="10"/></clipPath>'
        '<clipPath id="d"><rect x="0" y="0" width="10" height="10"/></clipPath></defs></svg>'
    )
    unclip(root)
    still = {element.attrib["id"] for element in root.iter() if "clip-path" in element.attrib}
    assert still == {"out", "words"}
    assert [clip.attrib["id"] for clip in root.iter("clipPath")] == ["c"]
