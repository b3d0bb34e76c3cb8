"""Finds out at load time how a model can be evaluated, by scoring a tiny token tree in company and alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from evalsuite.backends.hf.forward import Forward, PathForward, TreeForward, mask_layouts, predictions
from evalsuite.backends.packing import PackLimits, ScoreRequest, answers, pack
from evalsuite.errors import ModelFileError

__all__ = ["choose_forward"]

_LOG = logging.getLogger(__name__)
_WINDOW = 5
"""Attention window during the probe, so that a short text reaches over it."""
_TOLERANCE = 2e-3
"""Nats; rounding in float32 makes less than a tenth of it."""
_ROUGH_TOLERANCE = 0.15
"""Mean over the probe's tokens in nats, where weights or activations have 16 bits or fewer: rounding makes about a tenth
of it, and a wrong mask one nat or more."""


def choose_forward(model: Any, *, exact: bool) -> Forward:
    """Return the fastest way to evaluate `model` that gives the scores of one request at a time.

    Args:
        model: A causal language model of transformers.
        exact: Whether it computes in float32.

    Raises:
        ModelFileError: The model looks ahead, so that it gives no probability of a next token.
    """
    config = model.config.get_text_config(decoder=True)
    requests = _requests(int(config.vocab_size))
    path = PathForward(model)
    with torch.inference_mode(), _small_window(config):
        alone = _score(path, requests)
        _refuse_looking_ahead(path, requests[0], alone[0], exact=exact)
        why = "no mask is known for its kinds of layers"
        for layout in mask_layouts(config):
            tree = TreeForward(model, layout)
            try:
                together = _score(tree, requests)
            except Exception as error:  # noqa: BLE001  # an architecture may refuse a mask in any way
                why = f"{type(error).__name__}: {error}"
                continue
            difference = np.abs(together - alone)
            if difference.max() < _TOLERANCE if exact else difference.mean() < _ROUGH_TOLERANCE:
                tree.clear()
                return tree
            why = f"scores would differ by up to {difference.max():.2g} nats"
    _LOG.warning("%s: requests are evaluated one by one, because they cannot share tokens: %s", config.model_type, why)
    return path


def _requests(vocabulary: int) -> list[ScoreRequest]:
    """Return requests that branch early and late, come back to an earlier trunk, and reach over the window."""
    draw = np.random.default_rng(5)

    def some(count: int) -> tuple[int, ...]:
        return tuple(int(token) for token in draw.integers(0, vocabulary, count))

    trunk = some(9)
    beginnings = [trunk, trunk, (*trunk, *some(3)), (*trunk[:4], *some(4)), (*trunk[:4], *some(7)), trunk[:2]]
    return [ScoreRequest((*tokens, *some(3)), len(tokens)) for tokens in beginnings]


def _score(forward: Forward, requests: Sequence[ScoreRequest]) -> npt.NDArray[np.float64]:
    """Return the log-probabilities (requests, scored tokens) in nats, in batches small enough that a trunk is kept."""
    packing = pack(requests, PackLimits(tokens=12, sequences=8, rows=12), share=forward.shares)
    found: list[list[float]] = [[] for _ in requests]
    for index, (logprobs, _) in answers(packing, lambda batch: predictions(batch, forward.logits(batch))):
        found[index] = logprobs
    return np.array(found)


def _refuse_looking_ahead(
    path: PathForward, request: ScoreRequest, expected: npt.NDArray[np.float64], *, exact: bool
) -> None:
    """The score of a token may not change with the tokens after it."""
    shorter = ScoreRequest(request.tokens[:-1], request.scored_from)
    difference = np.abs(_score(path, [shorter])[0] - expected[:-1])
    if difference.max() > (_TOLERANCE if exact else 3 * _ROUGH_TOLERANCE):
        raise ModelFileError(
            f"the score of a token changes by {difference.max():.2g} nats with what comes after it: "
            "this is no causal language model",
            fix="give a causal language model; embedding and encoder models need another backend",
        )


@contextmanager
def _small_window(config: Any) -> Iterator[None]:
    """Make the attention window small for a while, for the model's own masks and for ours."""
    window = getattr(config, "sliding_window", None)
    if not window:
        yield
        return
    config.sliding_window = min(window, _WINDOW)
    try:
        yield
    finally:
        config.sliding_window = window
