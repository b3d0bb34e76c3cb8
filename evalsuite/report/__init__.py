"""From tables to one HTML file that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalsuite.report.build import build_report

__all__ = ["build_report"]


def __getattr__(name: str) -> Any:
    # Lazy, as in `evalsuite.analysis`: the command line must not import pandas to show its help.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from evalsuite.report.build import build_report

    return build_report
