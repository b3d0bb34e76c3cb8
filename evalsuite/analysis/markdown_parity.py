"""The part of the Markdown export on texts that are read and not answered: bits, information parity and token tax."""

from __future__ import annotations

from collections.abc import Callable

from evalsuite.analysis.markdown_text import MISSING, interval, plain, table, two
from evalsuite.analysis.tables import Tables
from evalsuite.records import PromptForm

__all__ = ["parity_parts"]

_TEXT = (
    "The model read the texts and answered nothing. A bit is a measure of surprise: a text of 100 bits is one that the "
    "model gives a probability of 2^−100. Parity is the bits of the reference language divided by those here, for the same "
    "texts: below 1 the model predicts the same content worse here. The token tax is the tokens here divided by those of "
    "the reference, for the same texts: above 1 the tokenizer cuts the language finer. Bits per byte and per character "
    "are not to be compared between scripts. With each figure its 95 % interval (bits per text and tokens: bootstrap of "
    "texts; the others: ratio of means) and, where it is not that of its row, n, the number of texts. How to read it, and "
    "what not to claim: docs/parity.md."
)


def parity_parts(tables: Tables, language: Callable[[str], str], series: Callable[[str, PromptForm], str]) -> list[str]:
    """Return a table for each group of texts; nothing where the run has none.

    Args:
        tables: Of a run.
        language: What to call a language.
        series: What to call a model in a prompt form.
    """
    parts: list[str] = []
    for group in dict.fromkeys(row.group for row in tables.parity):
        body = [
            [
                *(language(row.language), series(row.model, row.form), str(row.items)),
                *(interval(e, show) + (f" n {e.n}" if e.n != row.items and e.value is not None else "")
                  for e, show in (
                      (row.bits_per_item, plain), (row.parity, two), (row.tokens_per_item, plain),
                      (row.token_tax, two), (row.bits_per_byte, two), (row.bits_per_char, two),
                  )),
                language(row.reference) if row.reference else MISSING,
            ]
            for row in tables.parity
            if row.group == group
        ]  # fmt: skip
        heads = ["language", "model", "n", "bits per text", "parity", "tokens per text", "token tax", "bits per byte"]
        heads += ["bits per character", "against"]
        parts += [f"## Information parity: {group}", _TEXT, table(heads, body, left=2)]
    return parts
