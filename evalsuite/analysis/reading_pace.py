"""Holds the speed at which a model writes against the speed at which people read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evalsuite.analysis.device_tables import DeviceTables
from evalsuite.catalog.reading_speed import ReadingSpeed
from evalsuite.records import Kind
from evalsuite.stats.estimate import Estimate

__all__ = ["PACE_KINDS", "PaceRow", "reading_pace"]

PACE_KINDS = (Kind.TRANSLATION, Kind.READING, Kind.ANSWER)
"""Requests whose answers are text, the best first: of the first two the right answer is written, which is in the language."""


@dataclass(frozen=True, slots=True)
class PaceRow:
    """One model in one language."""

    model: str
    language: str
    kind: Kind
    chars_per_s: Estimate
    """Median characters per second after the first token."""
    reading: ReadingSpeed | None
    times: float | None
    """How many times as fast as people read aloud it writes; none where either speed is not known."""


def reading_pace(device: DeviceTables, speeds: Mapping[str, ReadingSpeed]) -> tuple[PaceRow, ...]:
    """Return the speed of writing of every model × language, of the best kind of request that there is.

    Args:
        device: Tables of the profiles.
        speeds: How fast people read, by code of the language.
    """
    timed = {row.kind for row in device.latencies if row.decode_chars.value is not None}
    kind = next((one for one in PACE_KINDS if one in timed), None)
    return tuple(
        PaceRow(
            model=row.model,
            language=row.language,
            kind=row.kind,
            chars_per_s=row.decode_chars,
            reading=speeds.get(row.language),
            times=_times(row.decode_chars.value, speeds.get(row.language)),
        )
        for row in device.latencies
        if row.kind is kind
    )


def _times(written: float | None, reading: ReadingSpeed | None) -> float | None:
    if written is None or reading is None or reading.chars_per_s is None:
        return None
    return written / reading.chars_per_s
