"""What a comparison can be by; apart from its rows, so that a command's help need not load them."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Axis"]


class Axis(StrEnum):
    """What differs between the two sides of a comparison; all else is the same."""

    LANGUAGE = "language"
    MODEL = "model"
    QUANTISATION = "quantisation"
    DEVICE = "device"
    PROMPT = "prompt"
