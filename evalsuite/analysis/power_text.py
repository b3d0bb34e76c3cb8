"""What a number of items can show, in words, as tidy rows and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from evalsuite import __version__
from evalsuite.analysis.compare_files import rows_csv
from evalsuite.analysis.compare_rows import Comparison
from evalsuite.analysis.compare_text import about_runs, not_compared, what_of
from evalsuite.analysis.markdown_text import MISSING, shown, table
from evalsuite.analysis.power_table import PowerPlan, PowerRow
from evalsuite.analysis.rows import ALPHA
from evalsuite.analysis.settling import POWER

__all__ = [
    "POWER_HEADS",
    "plan_lines",
    "power_cells",
    "power_csv",
    "power_explained",
    "power_json",
    "power_lines",
    "power_markdown",
]

POWER_HEADS = (
    "what",
    "first",
    "second",
    "n",
    "differing",
    "± now",
    "shows from",
    "margin",
    "to show it",
    "to rule it out",
)


def power_cells(power: PowerRow) -> tuple[str, ...]:
    """Return the cells of a row, under `POWER_HEADS`."""
    row = power.row
    show = shown(row.scale)
    return (
        what_of(row),
        row.first,
        row.second,
        str(row.difference.n),
        MISSING if power.differing is None else f"{100 * power.differing:.0f} %",
        MISSING if power.half_width is None else show(power.half_width),
        MISSING if power.detectable is None else show(power.detectable),
        MISSING if row.margin is None else show(row.margin),
        _items(power.items_to_show),
        _items(power.items_to_rule_out),
    )


def power_lines(power: PowerRow) -> list[str]:
    """Return a row as some short lines, for a narrow terminal."""
    about, first, second, n, differing, half, detectable, margin, to_show, rule_out = power_cells(power)
    return [
        f"{about}: {first} against {second}",
        f"  n {n}, differing {differing}; now ± {half}, shows from {detectable}",
        f"  margin {margin}: {to_show} items to show it, {rule_out} to rule it out",
    ]


def power_explained(comparison: Comparison) -> list[str]:
    """Return what the columns mean, a paragraph each."""
    size = comparison.pairs_family.size
    way = (
        "the first is not behind by the margin"
        if comparison.sides == 1
        else "the two are not as far apart as the margin, either way"
    )
    return [
        (
            "differing: items that only one side got right; they alone tell the sides apart, so a comparison with few of them "
            "is sure with few items. ± now: half the 95 % interval. shows from: the smallest difference that n items show."
        ),
        (
            f"to show it: items that show a difference of the margin. to rule it out: items that show that {way}, if there is no "
            f"difference at all. Both in {100 * POWER:.0f} % of repeats."
        ),
        (
            f"Each test is held to {ALPHA:g}/{size} = {ALPHA / max(1, size):.2g}, the first step of Holm's correction over the {size} "
            "tests of this table: fewer comparisons (--tasks, --langs, --models) need fewer items."
        ),
    ]


def power_csv(rows: Sequence[PowerRow]) -> str:
    """Return a row for every comparison as CSV."""
    return rows_csv([_tidy(power) for power in rows])


def power_json(comparison: Comparison, rows: Sequence[PowerRow]) -> str:
    """Return a row for every comparison as JSON, under a header that says what they are of."""
    header = {
        "by": comparison.by.value,
        "evalsuite": __version__,
        "run": str(comparison.runs[0].path),
        "power": POWER,
        "family_wise_error": ALPHA,
        "tests": comparison.pairs_family.size,
        "family": comparison.pairs_family.told,
    }
    return json.dumps({"header": header, "rows": [_tidy(power) for power in rows]}, ensure_ascii=False, indent=2) + "\n"


def power_markdown(comparison: Comparison, rows: Sequence[PowerRow]) -> str:
    """Return what the items of a run can show as a Markdown document."""
    cells = [power_cells(power) for power in rows if power.row.verdict is not None]
    parts = [f"# What the items can show, by {comparison.by.value}"]
    parts += ["\n".join(f"- {line}" for line in about_runs(comparison)), table(POWER_HEADS, cells, left=3)]
    return "\n\n".join([*parts, *power_explained(comparison), *not_compared(comparison.pairs)]) + "\n"


def plan_lines(plan: PowerPlan) -> list[str]:
    """Return what a planned number of items can show, a sentence each."""
    many = f", one of {plan.comparisons} that are corrected together" if plan.comparisons > 1 else ""
    half = (plan.difference_high - plan.difference_low) / 2
    return [
        (
            f"{plan.items:,} items at a score of {_percent(plan.score)}: the score itself is known to within "
            f"{_percent(plan.score_low)} to {_percent(plan.score_high)} (95 %, Wilson)."
        ),
        f"A comparison on the same items{many}; {_percent(plan.differing)} of them differing, that is, right on one side only:",
        f"  if there is no difference, its 95 % interval is about ± {100 * half:.1f} points (Newcombe);",
        "  "
        + (
            "no difference is shown in 80 % of repeats;"
            if plan.detectable is None
            else f"the smallest difference shown in 80 % of repeats is {100 * plan.detectable:.1f} points "
            f"(exact McNemar test at {plan.alpha:.2g});"
        ),
        (
            f"  that there is none of {100 * plan.margin:g} points is shown in {_percent(plan.power_to_rule_out)} of repeats, "
            "if there is none at all (Tango's test of non-inferiority)."
        ),
        (
            f"For a margin of {100 * plan.margin:g} points in 80 % of repeats: {_items(plan.items_to_show)} items to show a "
            f"difference so large, {_items(plan.items_to_rule_out)} to show that the first is not behind by so much."
        ),
        (
            "Differing: the items that only one side gets right. They alone tell the sides apart: with half as many, about half as "
            "many items are needed. `evalsuite power RUN` shows what it is in a run."
        ),
    ]


def _tidy(power: PowerRow) -> dict[str, Any]:
    row = power.row
    return {
        "group": row.group,
        "task": row.task,
        "language": row.language,
        "model": row.model,
        "prompt_form": None if row.form is None else row.form.value,
        "first": row.first,
        "second": row.second,
        "scale": row.scale.value,
        "n": row.difference.n,
        "differing_share": power.differing,
        "difference": row.difference.difference,
        "half_width": power.half_width,
        "detectable_difference": power.detectable,
        "margin": row.margin,
        "items_to_show_margin": power.items_to_show,
        "items_to_rule_out_margin": power.items_to_rule_out,
        "verdict": None if row.verdict is None else row.verdict.value,
        "reason": power.reason,
    }


def _items(value: int | None) -> str:
    return MISSING if value is None else f"{value:,}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %".replace(".0 %", " %")
