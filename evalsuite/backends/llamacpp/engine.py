"""Scoring and generation with one GGUF model: tokens in, log-probabilities and text out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evalsuite.backends.llamacpp.cache import LONG, Cache, Clock, Floats, Tokens, refuse_no_numbers
from evalsuite.backends.llamacpp.generation import continuous_batching
from evalsuite.backends.llamacpp.model import GGUFModel
from evalsuite.backends.options import GenerateRequest
from evalsuite.backends.packing import Batch, Blocks, PackLimits, Prediction, Score, ScoreRequest, Trunk, answers, pack
from evalsuite.errors import ContextLimitError
from evalsuite.machine import usable_cores

__all__ = ["Engine"]

_BATCH_TOKENS = 512
"""Tree tokens per batch. Every token looks through all cells of the cache, so that larger ones cost more per token."""
_BLOCK_BYTES = 2**20
"""Logits that are reduced at once, so that they stay in the processor's cache."""
_EASY_CELLS = 1024
_EASY_BYTES = 64 * 2**20
"""A cache is at once made so large where it takes no more than this, so that it is seldom remade."""
_ROOM_BESIDE = 1024
"""Cells that a batch, or the steps of a generation, may take beside the longest request."""
_DOCUMENT_TOKENS = 384
"""Prompts that begin with so many equal tokens are on one document: to read it again for each costs more than to decode
fewer of them at once."""
_TRUNK = 0
"""Sequence of what is kept from batch to batch; those of a batch come after it."""


class Engine(GGUFModel):
    """A loaded model. The cache is made on first use, and remade larger when a request needs it.

    Args:
        path: GGUF file.
        threads: Threads for evaluation; by default the physical cores that this process may use.
        context: Longest request in tokens; by default, and at most, what the model was trained for.
        exact: Whether a result must not depend on what is evaluated together with it, to the bit. Without it, attention
            over texts of some hundred tokens is several times faster. Differences are then of float32 rounding, which float32 weights leave
            small and quantised ones amplify.

    Raises:
        ModelFileError: llama.cpp cannot load the file, or it is no model that continues text.
    """

    def __init__(
        self, path: Path, *, threads: int | None = None, context: int | None = None, exact: bool = True
    ) -> None:
        super().__init__(path)
        self.threads = threads or usable_cores().count
        longest = self.n_context_train
        if self.most_cells is not None:
            longest = min(longest, self.most_cells - _ROOM_BESIDE)
        self.n_context: int = min(context or longest, longest)
        self.exact = exact
        self.clock = Clock()
        self._pool = ThreadPoolExecutor(self.threads)
        self._cache: Cache | None = None
        self._held = Trunk()
        """The trunk that the last requests have left in the cache."""
        # The fast way is tiled anyway, and a state has no cells.
        self._blocks = LONG if exact and not self.recurrent else None

    @property
    def evaluated(self) -> int:
        """Tokens evaluated so far."""
        return self.clock.evaluated

    def close(self) -> None:
        """Free the model and its cache."""
        if self._cache is not None:
            self._cache.free()
            self._cache = None
        self._pool.shutdown()
        self.free()

    def check_length(self, tokens: int) -> None:
        """Raise `ContextLimitError` where `tokens` do not fit the context."""
        if tokens > self.n_context:
            raise ContextLimitError(
                f"a request of {tokens} tokens does not fit the model's context of {self.n_context} tokens",
                fix="use a model with a longer context, or leave this task out for this model",
            )

    def _empty_cache(self, cells: int, blocks: bool = False) -> Cache:
        """Return a cache that holds nothing, with room for at least `cells` tokens, and for blocks where these come."""
        self._held = Trunk()
        if self._cache is None or self._cache.cells < cells or self._cache.takes_blocks < blocks:
            if self._cache is not None:
                self._cache.free()
                self._cache = None
            if self.cache_bytes_per_token * _EASY_CELLS <= _EASY_BYTES:
                cells = max(cells, min(_EASY_CELLS, self.most_cells or _EASY_CELLS))
            self._cache = Cache(self, cells, threads=self.threads, exact=self.exact, clock=self.clock, blocks=blocks)
        self._cache.clear()
        return self._cache

    # --- scoring

    def score(self, requests: Sequence[ScoreRequest]) -> list[Score]:
        """Return the score of each request.

        Raises:
            ContextLimitError: A request is longer than the context.
        """
        found = dict(self.scores(requests))
        return [found[index] for index in range(len(requests))]

    def scores(self, requests: Sequence[ScoreRequest]) -> Iterator[tuple[int, Score]]:
        """Plan all `requests` together; yield (index, score) of each as it is known.

        Raises:
            ContextLimitError: A request is longer than the context.
        """
        for request in requests:
            self.check_length(len(request.tokens) - 1)
        limits = PackLimits(tokens=_BATCH_TOKENS, sequences=Cache.usable_sequences - 1, rows=_BATCH_TOKENS)
        share, found = not self.recurrent, self._cache
        packing = pack(requests, limits, share=share, blocks=self._blocks, held=self._held)
        cells = packing.cells + Cache.filling  # small batches are filled up
        blocks = any(batch.block for batch in packing.batches)
        if packing.begun and found is not None and found.cells >= cells and found.takes_blocks >= blocks:
            cache, self._held = found, Trunk()
            cache.drop(_TRUNK, packing.begun)
        elif packing.batches:
            if packing.begun:
                packing = pack(requests, limits, share=share, blocks=self._blocks)
            cache = self._empty_cache(packing.cells + Cache.filling, any(batch.block for batch in packing.batches))
        else:
            return
        yield from answers(packing, lambda batch: self._evaluate(cache, batch))
        self._held = packing.kept

    def _evaluate(self, cache: Cache, batch: Batch) -> Iterator[Prediction]:
        # A model that cannot share has one sequence, which is trunk and leaf in one.
        leaf = 0 if self.recurrent else _TRUNK + 1
        if batch.trunk == 0:
            cache.clear()
        elif leaf:
            for first, end, length in batch.branches:
                for sequence in range(first, end):
                    cache.share(_TRUNK, leaf + sequence, 0, length)
        first, end = (batch.sequences + leaf).T
        tokens = Tokens(batch.tokens, batch.positions, first, end)
        for start, stop in cache.pieces(len(tokens), batch.block):
            low, high = np.searchsorted(batch.rows, (start, stop))
            logits = cache.evaluate(tokens.part(start, stop), batch.rows[low:high] - start, scoring=True)
            yield from self._predictions(logits, batch.targets[low:high])
        if leaf and batch.keep:
            if batch.keep > batch.trunk:
                cache.share(leaf + batch.keep_sequence, _TRUNK, batch.trunk, batch.keep)
            else:
                cache.drop(_TRUNK, batch.keep)
            cache.keep_only(_TRUNK)

    def _predictions(self, logits: Floats, targets: Sequence[Sequence[tuple[int, int]]]) -> Iterator[Prediction]:
        """Yield the predictions of a piece; NumPy works on the rows in as many threads as llama.cpp has."""
        bounds = [round(len(logits) * part / self.threads) for part in range(self.threads + 1)]
        parts = [(start, end) for start, end in pairwise(bounds) if start < end]
        rows = [logits[start:end] for start, end in parts]
        wanted = [targets[start:end] for start, end in parts]
        for found in self._pool.map(_reduce, rows, wanted):
            yield from found

    # --- generation

    def texts(self, requests: Sequence[GenerateRequest]) -> Iterator[tuple[int, bytes]]:
        """Continue all prompts, many at a time; yield (index, bytes of the text) of each as it ends.

        Prompts on one long document are continued together and apart from the others, so that it is evaluated once.

        Raises:
            ContextLimitError: A prompt with its longest answer is longer than the context.
        """
        for request in requests:
            self.check_length(request.cells)
        return self._texts(requests)

    def _texts(self, requests: Sequence[GenerateRequest]) -> Iterator[tuple[int, bytes]]:
        for places in [list(range(len(requests)))] if self.recurrent else _by_document(requests, self._blocks):
            together = [requests[place] for place in places]
            for index, data in continuous_batching(self, self._empty_cache, together, self._blocks):
                yield places[index], data


def _by_document(requests: Sequence[GenerateRequest], blocks: Blocks | None) -> list[list[int]]:
    """Return the places of prompts that begin with the same long document; all others are one group, the last.

    A common beginning is evaluated once in a group, and the prompts of one group do not fill a batch with those of another.
    A prompt with blocks is in a group of those with the same blocks, if need be alone.
    """
    found: dict[tuple[bool, tuple[int, ...]], list[int]] = {}
    for place, request in enumerate(requests):
        size = blocks.of(len(request.tokens)) if blocks else 0
        found.setdefault((size > 0, request.tokens[: size or _DOCUMENT_TOKENS]), []).append(place)
    alike = [
        places
        for (blocked, start), places in found.items()
        if blocked or (len(start) == _DOCUMENT_TOKENS and len(places) > 1)
    ]
    rest = sorted(set(range(len(requests))) - {place for places in alike for place in places})
    return [*alike, *([rest] if rest else [])]


def _reduce(logits: Floats, targets: Sequence[Sequence[tuple[int, int]]]) -> list[Prediction]:
    """Return what the rows of logits say of their targets: log softmax at those tokens only."""
    found: list[Prediction] = []
    block = max(1, _BLOCK_BYTES // (4 * logits.shape[1]))
    room = np.empty((min(block, len(logits)), logits.shape[1]), dtype=np.float32)
    for start in range(0, len(logits), block):
        rows = logits[start : start + block]
        top, rest = _log_sum_exp(rows, room[: len(rows)])
        for row, (wanted, highest, log_sum) in enumerate(zip(targets[start : start + block], top, rest, strict=True)):
            for token, number in wanted:
                value = rows[row, token]
                found.append((number, float(value - highest) - float(log_sum), bool(value >= highest)))
    return found


def _log_sum_exp(rows: Floats, room: Floats) -> tuple[Floats, npt.NDArray[np.float64]]:
    """Return the largest value of each row, and log Σ exp(value − largest); NumPy's pairwise sum keeps float32 exact enough.

    Raises:
        BackendError: A value is not a number: such a model would seem to choose the first answer every time.
    """
    top: Floats = rows.max(axis=1)
    np.subtract(rows, top[:, None], out=room)
    np.exp(room, out=room)
    total = room.sum(axis=1).astype(np.float64)
    refuse_no_numbers(top)
    refuse_no_numbers(total)
    return top, np.log(total)
