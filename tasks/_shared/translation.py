"""Cleans parallel texts and scores translations; runs in stock lm-eval with evalsuite installed."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset

_PUD_DOCUMENT = 6
"""Characters of a PUD sentence id that name the document: `n01001011` is sentence 11 of document `n01001`."""


@lru_cache(maxsize=4)  # lm-eval asks three times for the same rows
def clean_docs(docs: Dataset) -> Dataset:
    """Return the rows with no-break spaces made spaces and invisible characters removed; ids stay as they are.

    Rows of PUD get the column `document`, which is a part of `sent_id`.
    """
    return docs.map(_cleaned, batched=True, load_from_cache_file=False)


def score(doc: dict[str, Any], results: list[str], metadata: dict[str, Any]) -> dict[str, float]:
    """Return the scores of one translation.

    Args:
        doc: An item; `metadata["reference_column"]` names the column of the right translation.
        results: The model's text, alone in a list.
        metadata: The task's; `target_language` and `bleu_tokenizer` (sacrebleu's name) are those of the translation.

    Returns:
        `chrf_pp`, chrF++ of the sentence, 0 to 100 (see `evalsuite.texts.translation.sentence_chrf`), which is 0 for a
        reply of nothing but punctuation; and 0 or 1 for
        `empty`, `looping`, and `wrong_language`, which is 1 only if the text is surely in another language.
    """
    from evalsuite.texts.identify import Verdict, fidelity
    from evalsuite.texts.normalise import clean
    from evalsuite.texts.replies import ReplyKind, classify
    from evalsuite.texts.translation import sentence_chrf

    reply = clean(results[0]).strip()
    kind = classify(reply)
    wanted, right = metadata["target_language"], doc[metadata["reference_column"]]
    return {
        "chrf_pp": 0.0 if kind is ReplyKind.EMPTY else sentence_chrf(reply, right, metadata["bleu_tokenizer"]),
        "empty": float(kind is ReplyKind.EMPTY),
        "looping": float(kind is ReplyKind.LOOPING),
        "wrong_language": float(fidelity(reply, wanted, (wanted,)).verdict is Verdict.WRONG),
    }


def _cleaned(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    from evalsuite.texts.normalise import clean

    cleaned = {key: [clean(v).strip() if isinstance(v, str) else v for v in values] for key, values in batch.items()}
    if "sent_id" in batch:
        cleaned["document"] = [sentence[:_PUD_DOCUMENT] for sentence in batch["sent_id"]]
    return cleaned
