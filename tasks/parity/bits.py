"""Scores texts that are read and not answered: log-likelihoods, and what lm-eval needs to make bits of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def score(doc: dict[str, Any], results: Sequence[float]) -> dict[str, float | tuple[float, int]]:
    """Return the scores of one text.

    Args:
        doc: An item; `target` is the text.
        results: Its log-likelihood in nats, alone in a list.

    Returns:
        `loglikelihood` in nats, one number for the item; and `bits_per_byte` and `bits_per_char` as pairs of the
        log-likelihood and the text's length, which lm-eval's aggregation `bits_per_byte` turns into the bits of all
        texts divided by the length of all texts.
    """
    (loglikelihood,) = results
    text = doc["target"]
    return {
        "loglikelihood": loglikelihood,
        "bits_per_byte": (loglikelihood, len(text.encode())),
        "bits_per_char": (loglikelihood, len(text)),
    }
