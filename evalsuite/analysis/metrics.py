"""What each item would have scored under each way of turning log-probabilities into an answer."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["SCORINGS", "predictions", "rescore", "right_choices"]

SCORINGS = ("acc", "acc_norm", "acc_bytes", "acc_mutual_info")
"""lm-eval's names: raw log-probability; per character; per UTF-8 byte; minus the log-probability without context."""


def predictions(
    choices: Sequence[Sequence[str]],
    logprobs: Sequence[Sequence[float]],
    prior_logprobs: Sequence[Sequence[float]],
) -> dict[str, NDArray[np.float64]]:
    """Return the index of the choice that each scoring picks, per item; NaN where a scoring cannot be had.

    The definitions are lm-eval's (`ConfigurableTask.process_results`): lengths are of the choice text without the
    delimiter that precedes it, and the first choice wins a tie.

    Args:
        choices: Choice texts per item.
        logprobs: Log-likelihood of each choice given the context.
        prior_logprobs: Log-likelihood of each choice with no context; empty where it was not measured.
    """
    n = len(choices)
    width = max((len(c) for c in choices), default=0)
    out = {name: np.full(n, np.nan) for name in SCORINGS}
    if width == 0:
        return out
    ll = _padded(logprobs, width)
    # Items of one task may have unlike numbers of choices: what is not there gets -inf and is never picked.
    usable = np.array([len(c) > 0 and len(c) == len(p) for c, p in zip(choices, logprobs, strict=True)])
    with_prior = usable & np.array([len(c) == len(p) for c, p in zip(choices, prior_logprobs, strict=True)])
    chars = _padded([[len(text) for text in texts] for texts in choices], width, fill=1.0)
    sizes = _padded([[len(text.encode()) for text in texts] for texts in choices], width, fill=1.0)
    prior = _padded(prior_logprobs, width, fill=0.0)
    # lm-eval divides by the length of an empty choice too, and so gets -inf for it.
    with np.errstate(divide="ignore", invalid="ignore"):
        picks = {"acc": ll, "acc_norm": ll / chars, "acc_bytes": ll / sizes, "acc_mutual_info": ll - prior}
    for name, values in picks.items():
        known = with_prior if name == "acc_mutual_info" else usable
        out[name][known] = values[known].argmax(axis=1)
    return out


def right_choices(target: str, choices: Sequence[str]) -> frozenset[int]:
    """Return the indices of the right choices: an index, a JSON list of indices, or a choice's own text."""
    text = target.strip()
    if text in choices and not text.isdecimal():
        return frozenset({list(choices).index(text)})
    try:
        value = json.loads(text)
    except ValueError:
        return frozenset()
    found = value if isinstance(value, list) else [value]
    return frozenset(i for i in found if type(i) is int and 0 <= i < len(choices))


def rescore(
    choices: Sequence[Sequence[str]],
    targets: Sequence[str],
    logprobs: Sequence[Sequence[float]],
    prior_logprobs: Sequence[Sequence[float]],
) -> dict[str, NDArray[np.float64]]:
    """Return 1 or 0 per item and scoring; NaN where choices, log-probabilities or the right choice are missing."""
    right = [right_choices(t, c) for t, c in zip(targets, choices, strict=True)]
    out: dict[str, NDArray[np.float64]] = {}
    for name, picked in predictions(choices, logprobs, prior_logprobs).items():
        scored = [float(int(p) in r) if r and not np.isnan(p) else np.nan for p, r in zip(picked, right, strict=True)]
        out[name] = np.array(scored, dtype=np.float64)
    return out


def _padded(rows: Sequence[Sequence[float]], width: int, *, fill: float = -np.inf) -> NDArray[np.float64]:
    out = np.full((len(rows), width), fill)
    for i, row in enumerate(rows):
        out[i, : min(len(row), width)] = row[:width]
    return out
