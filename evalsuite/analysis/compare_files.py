"""A comparison for other tools: tidy rows with all digits as CSV or JSON, and a Markdown document."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from evalsuite import __version__
from evalsuite.analysis.compare_rows import Comparison, PairRow, TimeRow
from evalsuite.analysis.compare_text import (
    HEADS,
    TIME_HEADS,
    about_runs,
    explained,
    missing_told,
    not_compared,
    pair_cells,
    time_cells,
)
from evalsuite.analysis.markdown_text import table
from evalsuite.analysis.rows import ALPHA

__all__ = ["comparison_csv", "comparison_json", "comparison_markdown", "rows_csv", "tidy_rows"]


def tidy_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Return a row for every comparison of scores, then of times: the same columns in each, none where one does not apply.

    Scores are in their own units (a share is 0 to 1), times in seconds. `difference` is first minus second, `ratio` first
    divided by second.
    """
    paths = {run.label: str(run.path) for run in comparison.runs}
    warning = "; ".join(comparison.warnings) or None
    rows = [_pair(row, comparison, paths) for row in comparison.pairs]
    rows += [_time(row, comparison, paths) for row in comparison.times]
    columns = dict.fromkeys(name for row in rows for name in row)
    return [{**{name: row.get(name) for name in columns}, "warning": warning} for row in rows]


def comparison_csv(comparison: Comparison) -> str:
    """Return the tidy rows as CSV (RFC 4180); what was compared though it is unlike stands in the column `warning`."""
    return rows_csv(tidy_rows(comparison))


def rows_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows of the same columns as CSV; a missing value is an empty field."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def comparison_json(comparison: Comparison) -> str:
    """Return the tidy rows as JSON, under a header that says what they are of and how they were corrected."""
    header = {
        "by": comparison.by.value,
        "evalsuite": __version__,
        "runs": [
            {
                "label": run.label or None,
                "run": str(run.path),
                "created": run.created,
                "evalsuite": run.evalsuite,
                "device": run.device,
                "fingerprint": run.fingerprint,
                "versions": dict(run.versions),
            }
            for run in comparison.runs
        ],
        "correction": {
            "method": "Holm",
            "family_wise_error": ALPHA,
            "interval_level": comparison.level,
            "scores": {"tests": comparison.pairs_family.size, "family": comparison.pairs_family.told},
            "times": {"tests": comparison.times_family.size, "family": comparison.times_family.told},
        },
        "warnings": list(comparison.warnings),
        "notes": list(comparison.notes),
        "missing": [{"run": one.run, "kind": one.kind, "names": list(one.names)} for one in comparison.missing],
    }
    return json.dumps({"header": header, "rows": tidy_rows(comparison)}, ensure_ascii=False, indent=2) + "\n"


def comparison_markdown(comparison: Comparison) -> str:
    """Return the comparison as a Markdown document."""
    parts = [f"# Comparison by {comparison.by.value}"]
    parts += [f"> **Warning.** {warning}." for warning in comparison.warnings]
    parts.append("\n".join(f"- {line}" for line in about_runs(comparison)))
    shown = [pair_cells(row) for row in comparison.pairs if row.verdict is not None]
    parts += ["## Scores", table(HEADS, shown, left=3)] if shown else []
    if comparison.times:
        parts += ["## Times", table(TIME_HEADS, [time_cells(row) for row in comparison.times], left=3)]
    parts += ["## How to read it", *explained(comparison)]
    extra = [*not_compared(comparison.pairs), *comparison.notes, *missing_told(comparison)]
    parts += ["## Notes", "\n".join(f"- {line}" for line in extra)] if extra else []
    return "\n\n".join(parts) + "\n"


def _pair(row: PairRow, comparison: Comparison, paths: Mapping[str, str]) -> dict[str, Any]:
    d, effect, same = row.difference, row.effect, row.agreement
    return {
        "measure": "score",
        "by": comparison.by.value,
        "group": row.group,
        "task": row.task,
        "language": row.language,
        "model": row.model,
        "prompt_form": None if row.form is None else row.form.value,
        "kind": None,
        "metric": row.metric,
        "scale": row.scale.value,
        "first": row.first,
        "second": row.second,
        "first_run": paths.get(row.first_run),
        "second_run": paths.get(row.second_run),
        "n": d.n,
        "clusters": d.clusters,
        "first_score": d.first,
        "second_score": d.second,
        "difference": d.difference,
        "difference_low": d.low,
        "difference_high": d.high,
        "interval_method": d.interval_method or None,
        "only_first_items": d.only_first,
        "only_second_items": d.only_second,
        "p": d.p,
        "test_method": d.test_method or None,
        "p_holm": row.p_holm,
        "family_tests": comparison.pairs_family.size,
        "effect": None if effect is None else effect.name,
        "effect_value": None if effect is None else effect.value,
        "effect_low": None if effect is None else effect.low,
        "effect_high": None if effect is None else effect.high,
        "margin": row.margin,
        "p_margin_holm": row.p_margin,
        "verdict": None if row.verdict is None else row.verdict.value,
        "items_needed": row.needed,
        "detectable_difference": row.detectable,
        "same_answers_share": None if same is None else same.value,
        "same_answers_low": None if same is None else same.low,
        "same_answers_high": None if same is None else same.high,
        "same_answers_n": None if same is None else same.n,
        "reason": row.reason,
    }


def _time(row: TimeRow, comparison: Comparison, paths: Mapping[str, str]) -> dict[str, Any]:
    return {
        "measure": "time",
        "by": comparison.by.value,
        "language": row.language,
        "model": row.model,
        "kind": row.kind.value,
        "metric": "seconds per request",
        "first": row.first,
        "second": row.second,
        "first_run": paths.get(row.first_run),
        "second_run": paths.get(row.second_run),
        "first_requests": row.first_n,
        "second_requests": row.second_n,
        "first_median_s": row.first_median_s,
        "second_median_s": row.second_median_s,
        "ratio": row.ratio.value,
        "ratio_low": row.ratio.low,
        "ratio_high": row.ratio.high,
        "interval_method": row.ratio.method,
        "p": row.p,
        "test_method": None if row.p is None else "rank sum",
        "p_holm": row.p_holm,
        "family_tests": comparison.times_family.size,
        "verdict": None if row.verdict is None else row.verdict.value,
        "requests_needed": row.needed,
        "disturbed": "; ".join(row.flagged) or None,
        "reason": row.reason,
    }
