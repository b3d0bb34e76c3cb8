"""Evaluate compact language models in seven languages, and report where a language falls behind."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
