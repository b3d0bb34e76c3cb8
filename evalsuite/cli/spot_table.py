"""Shows a spot check: as tables for people, as plain values for scripts."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from evalsuite.analysis.spotcheck import ItemRow, SpotCounts, SpotTable
from evalsuite.cli.common import show_table
from evalsuite.report.spot import SpotShown
from evalsuite.report.text import Text
from evalsuite.stats.intervals import Estimate

__all__ = ["check_facts", "show_check"]


def show_check(table: SpotTable, text: Text) -> None:
    """Print a spot check to standard output."""
    shown = SpotShown(text)
    heads = ("n", "same answer", "95% interval", "clear items", "largest difference, nat")
    models = Table(title="Items scored again, by model")
    cells = Table(title="Items scored again, by model and task")
    for one, first in ((models, ("model",)), (cells, ("model", "task", "form"))):
        for head in (*first, *heads):
            one.add_column(head, justify="right" if head in heads else "left")
    rows = [
        *((models, (total.model,), total.counts) for total in table.totals),
        *((cells, (row.model, row.task, row.form.value), row.counts) for row in table.rows),
    ]
    for one, names_, counts in rows:
        agreement = counts.agreement
        one.add_row(
            *names_,
            str(counts.n),
            text.percent(agreement.value),
            shown.span(agreement),
            shown.of(counts.clear),
            shown.nats(counts.largest),
        )
    show_table(cells)
    show_table(models)


def check_facts(table: SpotTable) -> dict[str, Any]:
    """Return what was found, for scripts."""
    check = table.check
    return {
        "device": {"fingerprint": check.device.fingerprint, "cpu": check.device.cpu},
        "same_device": table.same_device,
        "created": check.created,
        "items": check.items,
        "seed": check.seed,
        "well": table.well,
        "models": [
            {
                "model": total.model,
                **_numbers(total.counts),
                "warned": total.warned,
                "low": total.low,
                "flipped": [_item(item) for item in total.flipped],
            }
            for total in table.totals
        ],
        "cells": [
            {
                "model": row.model,
                "task": row.task,
                "language": row.language,
                "prompt_form": row.form.value,
                "drawn": row.drawn,
                **_numbers(row.counts),
                "other_answer": [_item(item) for item in row.items if item.same is False],
                "asked_otherwise": list(row.unlike),
                "reason": row.reason,
            }
            for row in table.rows
        ],
    }


def _numbers(counts: SpotCounts) -> dict[str, Any]:
    return {
        "n": counts.n,
        "agreement": _estimate(counts.agreement),
        "agreement_clear": _estimate(counts.clear),
        "largest_difference_nats": counts.largest,
        "score_change": counts.score_change,
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}


def _item(item: ItemRow) -> dict[str, Any]:
    return {"task": item.task, "id": item.item_id, "margin_nats": item.margin, "difference_nats": item.difference}
