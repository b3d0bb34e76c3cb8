"""From a run folder to frozen tables; needs no model, no engine and no meter."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalsuite.analysis.load import Run, load_run
    from evalsuite.analysis.markdown import write_accuracy_table
    from evalsuite.analysis.tables import (
        Tables,
        analyse,
        category_answers,
        category_names,
        comparisons,
        corpus_translations,
        delta_of_deltas,
        failures,
        fewer_categories,
        find_flags,
        gaps,
        information_parity,
        option_orders,
        quantisation_deltas,
        scores,
        tier_deltas,
        token_tax,
        trained_scores,
        wordings,
        written_answers,
    )

__all__ = [
    "Run",
    "Tables",
    "analyse",
    "category_answers",
    "category_names",
    "comparisons",
    "corpus_translations",
    "delta_of_deltas",
    "failures",
    "fewer_categories",
    "find_flags",
    "gaps",
    "information_parity",
    "load_run",
    "option_orders",
    "quantisation_deltas",
    "scores",
    "tier_deltas",
    "token_tax",
    "trained_scores",
    "wordings",
    "write_accuracy_table",
    "written_answers",
]


def __getattr__(name: str) -> Any:
    # Lazy: pandas and pyarrow take a second to import, which a command that shows only its help must not pay.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = {"Run": "load", "load_run": "load", "write_accuracy_table": "markdown"}.get(name, "tables")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
