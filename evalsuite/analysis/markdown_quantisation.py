"""The part of the Markdown export on quantisation: what was made of what, what it costs, and whom it costs more."""

from __future__ import annotations

from collections.abc import Callable

from evalsuite.analysis.load import Run
from evalsuite.analysis.markdown_text import MISSING, p_value, shown, signed, table
from evalsuite.analysis.quantisation import DeltaRow, DoubleDeltaRow, TierDeltaRow, quantised_models
from evalsuite.analysis.tables import Tables
from evalsuite.catalog.quantisations import types_text
from evalsuite.records import PromptForm

__all__ = ["quantisation_parts"]

Language = Callable[[str], str]
Series = Callable[[str, PromptForm], str]
_MEBI = 2**20


def quantisation_parts(run: Run, tables: Tables, language: Language, series: Series) -> list[str]:
    """Return tables of quantisations: their files, their scores against the base, and by language and resource tier.

    Args:
        run: The run.
        tables: Of it.
        language: What to call a language.
        series: What to call a model in a prompt form.
    """
    if not tables.quantisation:
        return []
    text = (
        "Every quantisation of a model against its base: the file that it was made from, where that was measured too. A "
        "file that was made from a quantised one cannot be better than its source. Differences are in points where scores "
        "are shares, on the same items, with 95 % interval; p is corrected by Holm over each table. “Within margin”: a "
        "test of its own, corrected too, excludes a loss as large as the sweep's `margin` (by default 5 points)."
    )
    return [
        "## Quantisation",
        text,
        _files(run),
        "### What it costs",
        _deltas(tables.quantisation, language, series),
        *_languages(tables, language, series),
        *_tiers(tables, language, series),
    ]


def _files(run: Run) -> str:
    pairs = quantised_models(run)
    names = dict.fromkeys(name for pair in pairs for name in (pair.base, pair.model))
    body = []
    for name in names:
        model = run.manifest.models[name]
        made, bits = model.made_from, model.bits_per_weight
        body.append(
            [
                *(name, model.quantisation or MISSING),
                MISSING
                if made is None
                else f"{made.name} ({made.quantisation or MISSING}), {made.tool} {made.version}",
                MISSING if made is None else "yes" if made.requantised else "no",
                types_text(model) or MISSING,
                MISSING if bits is None else f"{bits:.2f}",
                MISSING if model.bytes is None else f"{model.bytes / _MEBI:.0f}",
            ]
        )
    heads = ["model", "quantisation", "made from", "source was quantised", "tensors by type", "bits per weight", "MiB"]
    return table(heads, body, left=5)


def _difference(row: DeltaRow | DoubleDeltaRow | TierDeltaRow) -> list[str]:
    d = row.difference
    if d.difference is None:
        return [f"{MISSING} {row.reason}", "0", MISSING, MISSING]
    return [signed(d, shown(row.scale)), str(d.n), p_value(row.p_holm), row.verdict or MISSING]


def _deltas(rows: tuple[DeltaRow, ...], language: Language, series: Series) -> str:
    body = []
    for row in rows:
        d = row.difference
        show = shown(row.scale)
        scores = [MISSING if value is None else show(value) for value in (d.first, d.second)]
        labels = [row.task, language(row.language), series(row.model, row.form), row.base]
        body.append([*labels, *scores, *_difference(row)])
    heads = ["task", "language", "model", "minus", "score", "of the base", "difference", "n", "p (Holm)", "verdict"]
    return table(heads, body, left=4)


def _languages(tables: Tables, language: Language, series: Series) -> list[str]:
    rows = tables.quantisation_languages
    body = [
        [
            *(row.group, language(row.language), language(row.reference), series(row.model, row.form)),
            *(_cost(row.difference.first, row), _cost(row.difference.second, row), *_difference(row)),
        ]
        for row in rows
    ]
    text = (
        "What a quantisation costs a language minus what it costs the reference language, item by item: negative where "
        "the language loses more."
    )
    heads = ["group", "language", "reference", "model", "change here", "change there"]
    heads += ["difference", "n", "p (Holm)", "verdict"]
    return ["### Does a language lose more than the reference?", text, table(heads, body, left=4)] if body else []


def _tiers(tables: Tables, language: Language, series: Series) -> list[str]:
    body = [
        [
            *(row.group or "all groups", series(row.model, row.form)),
            *(", ".join(map(language, row.low)), ", ".join(map(language, row.high))),
            *(_cost(row.difference.first, row), _cost(row.difference.second, row), *_difference(row)),
        ]
        for row in tables.quantisation_tiers
    ]
    text = (
        "The change as a mean over the low-resource languages minus that over the high-resource ones, without the "
        "reference: negative where low-resource languages lose more. An item in all of its languages is one value."
    )
    heads = ["group", "model", "low-resource", "high-resource", "change, low", "change, high"]
    heads += ["difference", "n", "p (Holm)", "verdict"]
    return ["### Do low-resource languages lose more?", text, table(heads, body, left=4)] if body else []


def _cost(value: float | None, row: DoubleDeltaRow | TierDeltaRow) -> str:
    return MISSING if value is None else shown(row.scale)(value)
