"""From a run folder to frozen tables; needs no model, no engine and no meter."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalsuite.analysis.load import Run, load_run
    from evalsuite.analysis.tables import Tables, analyse, comparisons, failures, find_flags, gaps, scores, token_tax

__all__ = [
    "Run",
    "Tables",
    "analyse",
    "comparisons",
    "failures",
    "find_flags",
    "gaps",
    "load_run",
    "scores",
    "token_tax",
]


def __getattr__(name: str) -> Any:
    # Lazy: pandas and pyarrow take a second to import, which a command that shows only its help must not pay.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "load" if name in ("Run", "load_run") else "tables"
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
