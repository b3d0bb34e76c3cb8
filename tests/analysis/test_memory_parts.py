"""Parts of memory add up to what is needed, whatever the engine tells."""

from __future__ import annotations

from typing import Any

import pytest

from evalsuite.analysis.memory_parts import MemoryPart, memory_parts
from evalsuite.analysis.profile_rows import MemoryRow

W, C, P, R, A = MemoryPart


def row(**changes: Any) -> MemoryRow:
    fields: dict[str, Any] = {
        "model": "one", "context": 512, "file": 100, "weights": 90, "cache": 20, "compute": 500, "program": 25,
        "anonymous": 114, "vram": None, "peak_rss": 260, "needed": 204, "basis": "", "proven": False,
        "load_cold": (None, "x"), "load_warm": (None, "x"),
    }  # fmt: skip
    return MemoryRow(**fields | changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # Buffers are larger than all of anonymous memory: they were not used in full.
        ({}, {W: 90, C: 20, P: 25, R: 69}),
        # Some weights were rearranged, and are counted once, in anonymous memory.
        ({"needed": 191}, {W: 77, C: 20, P: 25, R: 69}),
        # With an accelerator the cache may lie there.
        ({"vram": 300, "needed": 504}, {W: 90, P: 25, R: 89, A: 300}),
        ({"cache": None, "program": None}, {W: 90, R: 114}),
        # More is told than was taken: parts never exceed the whole.
        ({"cache": 400}, {W: 90, C: 89, P: 25}),
        ({"program": 400, "anonymous": 30, "needed": 120}, {W: 90, P: 30}),
    ],
)
def test_parts_add_up_to_the_need(changes: dict[str, Any], expected: dict[MemoryPart, int]) -> None:
    found = memory_parts(row(**changes))
    assert found is not None
    assert dict(found.parts) == expected
    assert sum(size for _, size in found.parts) == found.needed == changes.get("needed", 204)


@pytest.mark.parametrize("changes", [{"needed": None}, {"anonymous": None}])
def test_an_unknown_need_has_no_parts(changes: dict[str, Any]) -> None:
    assert memory_parts(row(**changes)) is None
