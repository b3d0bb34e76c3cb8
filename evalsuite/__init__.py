"""Evaluate compact language models in seven languages, and report where a language falls behind."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalsuite.api import Results, load_run

__all__ = ["Results", "__version__", "load_run"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Lazy: pandas takes a second to import, which a command that shows only its help must not pay.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("evalsuite.api"), name)
