"""The parts of the Markdown export on categories and on long texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evalsuite.analysis.label_sets import ORDERS, LabelSetRow
from evalsuite.analysis.lengths import AtLength
from evalsuite.analysis.markdown_text import MISSING, interval, p_value, percent, plain, shown, signed, table, two
from evalsuite.analysis.tables import Tables
from evalsuite.records import PromptForm

__all__ = ["label_parts", "length_parts"]

Language = Callable[[str], str]
Series = Callable[[str, PromptForm], str]
_MEBI = 2**20


def label_parts(tables: Tables, language: Language, series: Series) -> list[str]:
    """Return tables of categories: how sure and how even, with fewer of them, one more of them, and named otherwise.

    Args:
        tables: Of a run.
        language: What to call a language.
        series: What to call a model in a prompt form.
    """
    sets = [row for row in tables.label_sets if row.sizes]
    return [
        *_categories(tables, language, series),
        *(part for rows in _by_sizes(sets) for part in _sizes(rows, language, series)),
        *_added(sets, language, series),
        *_names(tables, language),
    ]


def _categories(tables: Tables, language: Language, series: Series) -> list[str]:
    body = [
        [
            *(row.group, language(row.language), series(row.model, row.form), str(row.confusion.n)),
            *(interval(row.confusion.macro_f1, percent), interval(row.confusion.balanced_accuracy, percent)),
            *(percent(row.confidence.mean.value), interval(row.confidence.calibration.estimate, percent)),
            interval(row.confidence.auroc, two),
        ]
        for row in tables.categories
        if row.family == "labels" and row.confusion and row.confidence
    ]
    text = (
        "Macro-F1 and balanced accuracy weigh each category alike. Confidence is the probability of the chosen category; "
        "the calibration error is how far it is from the share of right answers. AUROC: how often a right answer has a "
        "higher confidence than a wrong one (0.5: it says nothing)."
    )
    heads = ["group", "language", "model", "n", "macro-F1", "balanced accuracy"]
    heads += ["mean confidence", "calibration error", "AUROC"]
    return ["## Categories and confidence", text, table(heads, body, left=3)] if body else []


def _by_sizes(rows: Sequence[LabelSetRow]) -> list[list[LabelSetRow]]:
    """Return rows by group; rows of a group have the same sizes."""
    found: dict[str, list[LabelSetRow]] = {}
    for row in rows:
        found.setdefault(row.group, []).append(row)
    return list(found.values())


def _sizes(rows: Sequence[LabelSetRow], language: Language, series: Series) -> list[str]:
    sizes = [one.size for one in rows[0].sizes]
    body = [["chance", "", *(percent(1 / size) for size in sizes)]]
    body += [
        [language(row.language), series(row.model, row.form), *(interval(one.accuracy, percent) for one in row.sizes)]
        for row in rows
    ]
    text = (
        f"Accuracy with fewer categories, in percent: means over {ORDERS} random orders of the categories, of which the "
        "first so many are taken; the same orders in every language and model. Intervals take in items and orders."
    )
    heads = ["language", "model", *(f"{size} categories" for size in sizes)]
    return [f"## Number of categories: {rows[0].group}", text, table(heads, body, left=2)]


def _added(rows: Sequence[LabelSetRow], language: Language, series: Series) -> list[str]:
    body = [
        [
            *(row.group, language(row.language), series(row.model, row.form), str(one.size)),
            *(interval(value, percent) for value in (one.before, one.after, one.change, one.recall)),
        ]
        for row in rows
        for one in row.added
    ]
    text = (
        "A category is added to so many others while the model is in use, in percent: accuracy on the items of the old "
        "categories before and after, the change, and the share of the new category's own items that are found."
    )
    heads = ["group", "language", "model", "added to", "before", "after", "change", "new items found"]
    return ["## One more category", text, table(heads, body, left=3)] if body else []


def _names(tables: Tables, language: Language) -> list[str]:
    body = [
        [
            *(row.group, language(row.language), row.model, str(row.form), interval(row.score, shown(row.scale))),
            MISSING if row.difference is None else signed(row.difference, shown(row.scale)),
            *(p_value(row.p_holm), MISSING if row.tokens is None else plain(row.tokens)),
            MISSING if row.tokens_ratio is None else interval(row.tokens_ratio, two),
        ]
        for row in tables.label_wordings
    ]
    text = (
        "The same items with their categories named otherwise, each against the task's own words without a list. p is "
        "corrected by Holm over this table. Tokens are those of a whole prompt; of a list that stays the same, a device "
        "may keep the most part in its cache."
    )
    heads = ["group", "language", "model", "form", "score", "difference", "p (Holm)", "tokens", "ratio"]
    return ["## Names of categories", text, table(heads, body, left=4)] if body else []


def length_parts(tables: Tables, language: Language, series: Series) -> list[str]:
    """Return a table of long texts: score, tokens, and what the device takes at that length."""
    body = [
        [
            *(row.group, language(row.language), series(row.model, row.form), f"{row.size:,}", str(row.estimate.n)),
            *(interval(row.estimate, percent), MISSING if row.tokens is None else f"{row.tokens:,.0f}"),
            *(
                interval(row.ratio, two),
                _at(row.prefill_s, 1.0),
                _at(row.cache_bytes, _MEBI),
                _at(row.peak_rss_bytes, _MEBI),
            ),
            str(row.beyond),
        ]
        for row in tables.lengths
    ]
    text = (
        "Scores in percent with Wilson's interval; the items of one document share its text, which the interval does not "
        "take in. Tokens are those of a prompt. Seconds and memory are derived: they lie on the line between two lengths "
        "that were measured on this device."
    )
    heads = ["group", "language", "model", "size", "n", "score", "tokens", "tokens to the reference", "seconds to read"]
    heads += ["cache MiB", "peak MiB", "too long"]
    return ["## Long texts", text, table(heads, body, left=3)] if body else []


def _at(found: AtLength, unit: float) -> str:
    return MISSING if found.value is None else f"{found.value / unit:,.1f}"
