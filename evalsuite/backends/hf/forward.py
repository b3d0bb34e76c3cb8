"""How a batch of tree tokens goes through a transformers model: all at once under a tree mask, or one path at a time."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
import transformers

from evalsuite.backends.packing import Batch, Prediction
from evalsuite.errors import BackendError

__all__ = ["Forward", "MaskLayout", "PathForward", "TreeForward", "mask_layouts", "predictions", "visible"]

_BLOCK_BYTES = 16 * 2**20
"""Logits that are reduced at once; stays near the size of a processor's cache."""

Bools = npt.NDArray[np.bool_]


class Forward(Protocol):
    """A way to evaluate the batches of a packing, in their order."""

    shares: bool
    """Whether a batch may hold tokens of several requests."""

    def logits(self, batch: Batch) -> torch.Tensor:
        """Return the logits after `batch.rows` (rows, vocabulary)."""

    def clear(self) -> None:
        """Forget the trunk."""


@dataclass(frozen=True)
class MaskLayout:
    """The masks that an architecture wants."""

    windowed: Mapping[str, bool]
    """Whether the attention window holds for each kind of layer. A model that takes one mask for all has the kind ""."""


def mask_layouts(config: Any) -> list[MaskLayout]:
    """Return what a model of this configuration may want, the likeliest first; none where we know no mask for it."""
    kinds = set(getattr(config, "layer_types", None) or ())
    window = bool(getattr(config, "sliding_window", None))
    if kinds == {"full_attention"}:
        # Some of these look their mask up by the kind of layer, others take the only one there is.
        return [MaskLayout({"": False}), MaskLayout({"full_attention": False})]
    if kinds and kinds <= {"full_attention", "sliding_attention"}:
        return [MaskLayout({"full_attention": False, "sliding_attention": True}), MaskLayout({"": True})]
    return [] if kinds else [MaskLayout({"": window})]


def visible(batch: Batch, window: int | None = None) -> Bools:
    """Return which tokens each token of a batch attends to: (tokens, trunk + tokens).

    Args:
        batch: From the planner.
        window: How many tokens back a token sees, itself included, counted by position in the text.
    """
    first, end = batch.sequences[:, 0], batch.sequences[:, 1]
    # What a token belongs to is a range of leaves. Two tokens above the same leaf are on one path, so that the one of
    # the lower position comes before the other.
    same_path = (first[None, :] <= first[:, None]) & (first[:, None] < end[None, :])
    inside = same_path & (batch.positions[None, :] <= batch.positions[:, None])
    lengths = np.zeros(batch.n_sequences, dtype=np.int64)
    for start, stop, length in batch.branches:
        lengths[start:stop] = length
    trunk = np.arange(batch.trunk)
    seen = np.concatenate((trunk[None, :] < lengths[first][:, None], inside), axis=1)
    if window is not None:
        places = np.concatenate((trunk, batch.positions))
        seen &= batch.positions[:, None] - places[None, :] < window
    return seen


class TreeForward:
    """Evaluates a whole batch in one pass, under a mask by which each token sees only its own path.

    The cache keeps every token of the trunk, also in layers with a window: other branches may still need it.
    """

    shares = True

    def __init__(self, model: Any, layout: MaskLayout) -> None:
        self._model = model
        self._layout = layout
        self._config = model.config.get_text_config(decoder=True)
        self._cache: Any = None
        self._cached = 0
        self._takes_rows = _takes_rows(model)

    def logits(self, batch: Batch) -> torch.Tensor:
        if batch.trunk == 0 or self._cache is None:
            # Without a configuration it is a plain one: nothing is dropped behind a window.
            self._cache, self._cached = transformers.DynamicCache(), 0
        if self._cached < batch.trunk:
            raise AssertionError(f"a trunk of {batch.trunk} tokens is needed, {self._cached} are kept")
        if self._cached > batch.trunk:
            self._crop(batch.trunk)  # earlier requests began alike for longer
        rows = torch.from_numpy(batch.rows)
        found = self._model(
            input_ids=torch.from_numpy(batch.tokens)[None],
            position_ids=torch.from_numpy(batch.positions)[None],
            attention_mask=self._masks(batch),
            past_key_values=self._cache,
            use_cache=True,
            **({"logits_to_keep": rows} if self._takes_rows else {}),
        ).logits[0]
        # The next trunk is a piece of this one, or continues it with the first tokens of the batch: both are a prefix.
        self._crop(batch.keep)
        return torch.as_tensor(found if self._takes_rows else found[rows])

    def clear(self) -> None:
        self._cache, self._cached = None, 0

    def _masks(self, batch: Batch) -> torch.Tensor | dict[str, torch.Tensor]:
        window = self._config.sliding_window if any(self._layout.windowed.values()) else None
        masks = {
            kind: self._mask(visible(batch, window if windowed else None))
            for kind, windowed in self._layout.windowed.items()
        }
        return masks.get("", masks)

    def _mask(self, seen: Bools) -> torch.Tensor:
        # What is added to the scores of attention: both kinds of attention take it, and none has to convert it.
        mask = torch.zeros(seen.shape, dtype=self._model.dtype)
        return mask.masked_fill_(torch.from_numpy(~seen), torch.finfo(mask.dtype).min)[None, None]

    def _crop(self, length: int) -> None:
        if length == 0:
            self.clear()
            return
        for layer in self._cache.layers:
            if layer.keys is not None:
                layer.keys = layer.keys[:, :, :length]
                layer.values = layer.values[:, :, :length]
        self._cached = length


class PathForward:
    """Evaluates one path at a time with the model's own causal mask and no cache; needs a packing without sharing."""

    shares = False

    def __init__(self, model: Any) -> None:
        self._model = model
        self._trunk: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._takes_rows = _takes_rows(model)

    def logits(self, batch: Batch) -> torch.Tensor:
        path = np.concatenate((self._trunk[: batch.trunk], batch.tokens))
        rows = torch.from_numpy(batch.rows + batch.trunk)
        found = self._model(
            input_ids=torch.from_numpy(path)[None],
            use_cache=False,
            **({"logits_to_keep": rows} if self._takes_rows else {}),
        ).logits[0]
        # A request with more rows than a batch may hold comes in pieces; each begins again at its first token.
        self._trunk = path[: batch.keep]
        return torch.as_tensor(found if self._takes_rows else found[rows])

    def clear(self) -> None:
        self._trunk = self._trunk[:0]


def predictions(batch: Batch, logits: torch.Tensor) -> list[Prediction]:
    """Return what a batch predicts from its logits (rows, vocabulary).

    Each sum of exponentials is taken in float64 after the largest logit is subtracted.
    """
    if not batch.targets:
        return []
    rows = torch.tensor([row for row, targets in enumerate(batch.targets) for _ in targets])
    tokens = torch.tensor([token for targets in batch.targets for token, _ in targets])
    numbers = [number for targets in batch.targets for _, number in targets]
    chosen = logits[rows, tokens].float()
    tops, totals = [], []
    for block in torch.split(logits, max(1, _BLOCK_BYTES // (4 * logits.shape[1]))):
        top = block.amax(dim=1).float()
        total = (block.float() - top[:, None]).exp_().sum(dim=1, dtype=torch.float64)
        tops.append(top)
        totals.append(top.double() + total.log())
    top, total = torch.cat(tops)[rows], torch.cat(totals)[rows]
    _refuse_no_numbers(total)
    logprobs = chosen.double() - total
    return list(zip(numbers, logprobs.tolist(), (chosen >= top).tolist(), strict=True))


def _refuse_no_numbers(values: torch.Tensor) -> None:
    """A model that computes NaN would otherwise seem to choose the first answer every time."""
    if not bool(torch.isfinite(values).all()):
        raise BackendError(
            "the model's output is not a number (NaN or infinite)",
            fix="use dtype float32; if it stays, the file is damaged: fetch or convert the model again",
        )


def _takes_rows(model: Any) -> bool:
    parameters: Iterable[str] = inspect.signature(model.forward).parameters
    return "logits_to_keep" in parameters
