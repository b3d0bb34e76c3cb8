"""How figures of a device are written: times, sizes, energies."""

from __future__ import annotations

import math

from evalsuite.report.text import MISSING, Text
from evalsuite.stats.energy import Quantity
from evalsuite.stats.intervals import Estimate

__all__ = ["MIB", "Shown"]

MIB = 2**20


class Shown:
    """Figures of a device as they are shown."""

    def __init__(self, text: Text) -> None:
        self._text = text

    def seconds(self, value: float | None) -> str:
        """Return a time: milliseconds below a tenth of a second."""
        if value is None:
            return MISSING
        if value < 0.1:
            return f"{self._text.number(1000 * value, 1 if value < 0.01 else 0)} ms"
        return f"{self._text.number(value, 2 if value < 10 else 1)} s"

    def span(self, estimate: Estimate) -> str:
        """Return the interval of a time."""
        if estimate.low is None or estimate.high is None:
            return MISSING
        return self._text("word.range", low=self.seconds(estimate.low), high=self.seconds(estimate.high))

    def memory(self, value: int | None) -> str:
        """Return a size in MiB."""
        return self.mib(None if value is None else value / MIB)

    def mib(self, value: float | None) -> str:
        """Return a size that is given in MiB."""
        return MISSING if value is None else f"{self._text.number(value, 0)} MiB"

    def bare_joules(self, value: float | None) -> str:
        """Return joules with three figures that count."""
        return MISSING if value is None else f"{self._figures(value)} J"

    def joules(self, quantity: Quantity) -> str:
        """Return joules with three figures that count, and the interval."""
        if quantity.value is None:
            return MISSING
        if quantity.low is None or quantity.high is None:
            return self.bare_joules(quantity.value)
        return f"{self._figures(quantity.value)} J ({self._figures(quantity.low)} – {self._figures(quantity.high)})"

    def _figures(self, value: float) -> str:
        return self._text.number(value, max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0)
