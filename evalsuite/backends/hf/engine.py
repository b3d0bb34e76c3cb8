"""One transformers model on torch: tokens in, log-probabilities out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from evalsuite.backends.hf.forward import predictions
from evalsuite.backends.hf.probe import choose_forward
from evalsuite.backends.packing import Batch, PackLimits, Prediction, Score, ScoreRequest, Trunk, answers, pack
from evalsuite.errors import ContextLimitError

__all__ = ["Engine", "trained_context"]

_LOGIT_BYTES = 256 * 2**20
"""Memory for the logits of one batch."""
_BATCH_TOKENS = 512
"""Tree tokens per batch. Every token attends over the whole batch, so that larger ones cost more per token."""
_MAX_SEQUENCES = 4096
"""Sequences cost nothing here: they are rows and columns of a mask."""
_UNKNOWN_CONTEXT = 2048
"""Tokens, where the configuration names no limit; the same as in lm-eval."""


class Engine:
    """A loaded model that scores tokens.

    Args:
        model: A causal language model of transformers, ready for evaluation.
        exact: Whether it computes in float32.
        context: Longest request in tokens; by default, and at most, what the model was trained for.

    Raises:
        ModelFileError: It is no causal language model.
    """

    def __init__(self, model: Any, *, exact: bool, context: int | None = None) -> None:
        self._model: Any = model
        config = model.config.get_text_config(decoder=True)
        trained = trained_context(config)
        self.n_vocab = int(config.vocab_size)
        self.n_context = min(context or trained, trained)
        self.evaluated = 0
        """Tokens evaluated so far."""
        self._forward = choose_forward(model, exact=exact)
        self._held = Trunk()
        """Tokens of the trunk that the last requests have left in the cache."""

    @property
    def shares(self) -> bool:
        """Whether requests share tokens and batches; otherwise each is evaluated by itself."""
        return self._forward.shares

    @property
    def model(self) -> Any:
        """The model, for generation."""
        return self._model

    def scores(self, requests: Sequence[ScoreRequest]) -> Iterator[tuple[int, Score]]:
        """Plan all `requests` together; yield (index, score) of each as it is known, in the plan's order.

        Raises:
            ContextLimitError: A request is longer than the context.
        """
        for request in requests:
            # A request's last token is never evaluated.
            self.check_length(len(request.tokens) - 1)
        limits = PackLimits(
            # One path at a time keeps nothing between batches, so that a cut would cost a second evaluation.
            tokens=_BATCH_TOKENS if self.shares else self.n_context,
            sequences=_MAX_SEQUENCES,
            rows=max(1, _LOGIT_BYTES // (4 * self.n_vocab)),
        )
        packing = pack(requests, limits, share=self.shares, held=self._held)
        self._held = Trunk()
        try:
            yield from answers(packing, self._evaluate)
            self._held = packing.kept
        finally:
            if not self._held.tokens:
                self._forward.clear()

    def check_length(self, tokens: int) -> None:
        """Raise `ContextLimitError` where `tokens` do not fit the context."""
        if tokens > self.n_context:
            raise ContextLimitError(
                f"a request of {tokens} tokens does not fit the model's context of {self.n_context} tokens",
                fix="use a model with a longer context, or leave this task out for this model",
            )

    def close(self) -> None:
        """Free the model."""
        self._forward.clear()
        self._model = self._forward = None  # type: ignore[assignment]  # nothing may be asked of it afterwards

    def _evaluate(self, batch: Batch) -> list[Prediction]:
        with torch.inference_mode():
            found = predictions(batch, self._forward.logits(batch))
        self.evaluated += len(batch.tokens)
        return found


def trained_context(config: Any) -> int:
    """Return for how many tokens a model was trained, from its text configuration."""
    for name in ("n_positions", "max_position_embeddings", "n_ctx"):
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return _UNKNOWN_CONTEXT
