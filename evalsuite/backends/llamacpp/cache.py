"""llama.cpp's context: the cache of keys and values that sequences share, and the evaluation of tokens into it."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import llama_cpp
import numpy as np
import numpy.typing as npt

from evalsuite.backends.llamacpp.model import GGUFModel, last_log
from evalsuite.backends.packing import Blocks
from evalsuite.errors import BackendError

__all__ = ["LONG", "Cache", "Clock", "Floats", "Tokens", "refuse_no_numbers"]

_SEQUENCES = 64
"""llama.cpp reserves a row of logits for each: a MiB with the vocabulary of Gemma."""
_RECURRENT_SEQUENCES = 1
"""llama.cpp cuts sequences with a state into micro-batches of equal length, so that they round by their neighbours."""
_SPARE = 1
"""Sequences at the end of the range: one that only fills up small batches."""
_LEAST = 8
"""Tokens and rows of logits that are evaluated at once, at least: fewer take other kernels, which round otherwise."""
_EXACT_PIECE = 63
"""Tokens that are evaluated at once, at most. From 64 on, flash attention sums over tiles whose bounds depend on what else
is cached, and a score would depend on its neighbours (docs/scoring.md)."""
_TILED = 64
"""Tokens from which on attention is summed in tiles."""
_FAST_PIECE = 2 * _TILED
"""So that every part of a longer batch is tiled. Larger ones are no faster, and reserve memory for the logits of all their tokens."""
_CELL_STEP = 256

LONG = Blocks(size=_FAST_PIECE, least=1536, left=128)
"""What of a long request is evaluated exactly and yet in tiles: blocks that lie in the cache behind their own past alone, at
the cells of their positions. All tiles then have the same bounds, whoever else asks. Shorter requests would lose more by the
beginnings that they share with others in part than they gain."""

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass
class Clock:
    """What evaluation has cost so far."""

    evaluated: int = 0
    """Tokens, without those that only fill up."""
    decode_s: float = 0.0
    """Time within llama.cpp's evaluation, in seconds."""


@dataclass(frozen=True)
class Tokens:
    """Tokens to be evaluated; arrays of shape (tokens,)."""

    tokens: Ints
    positions: Ints
    first: Ints
    """First sequence that each token belongs to."""
    end: Ints
    """One past the last."""

    def __len__(self) -> int:
        return len(self.tokens)

    def part(self, start: int, end: int) -> Tokens:
        """Return the tokens from `start` up to `end`."""
        piece = slice(start, end)
        return Tokens(self.tokens[piece], self.positions[piece], self.first[piece], self.end[piece])


class Cache:
    """A context of a model with room for `cells` tokens.

    Args:
        model: Its owner frees it, after this.
        cells: Tokens that it must hold.
        threads: For evaluation.
        exact: Whether results must not depend on what is evaluated together, to the bit.
        blocks: Whether it must take the blocks of `LONG` too. They reserve memory for the logits of all their tokens.
        clock: Counts.

    Raises:
        BackendError: There is not enough memory.
    """

    usable_sequences: ClassVar[int] = _SEQUENCES - _SPARE
    """How many a model without a recurrent state may use."""
    filling: ClassVar[int] = _TILED
    """Tokens that the cache must have room for besides those that are asked for."""

    def __init__(
        self, model: GGUFModel, cells: int, *, threads: int, exact: bool, clock: Clock, blocks: bool = False
    ) -> None:
        self._model = model
        self._clock = clock
        self._exact = exact
        self._pads = not model.recurrent
        self.piece_tokens = _EXACT_PIECE if exact else _FAST_PIECE
        """The most that can be evaluated at once, unless it is a block."""
        self.takes_blocks = blocks or not exact
        self.sequences = _RECURRENT_SEQUENCES if model.recurrent else _SEQUENCES - _SPARE
        """How many may be used."""
        self.cells = -(-cells // _CELL_STEP) * _CELL_STEP
        self._handle: Any = self._make(threads)
        self._memory = llama_cpp.llama_get_memory(self._handle)
        self._numbers = np.arange(_SEQUENCES, dtype=np.int32)

    def _make(self, threads: int) -> Any:
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = self.cells
        params.n_ubatch = max(self.piece_tokens, LONG.size if self.takes_blocks else 0)
        params.n_batch = max(params.n_ubatch, _SEQUENCES)  # llama.cpp ends the process where it is below the sequences
        params.n_seq_max = _SEQUENCES if self._pads else _RECURRENT_SEQUENCES
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        params.kv_unified = True
        # A sliding-window cache drops old tokens, which sequences that share a beginning may still need.
        params.swa_full = True
        params.no_perf = True
        handle = llama_cpp.llama_init_from_model(self._model.handle, params)
        if not handle:
            raise BackendError(
                f"llama.cpp could not make a context of {self.cells} tokens: {last_log()}",
                fix="free some memory, or give the model a shorter context (option `context`)",
            )
        return handle

    def free(self) -> None:
        """Give the memory back."""
        if self._handle is not None:
            llama_cpp.llama_free(self._handle)
            self._handle = None

    # --- sequences

    def clear(self) -> None:
        """Forget everything."""
        llama_cpp.llama_memory_clear(self._memory, False)

    def share(self, source: int, target: int, start: int, end: int) -> None:
        """Let the tokens of `source` at positions from `start` up to `end` belong to `target` too."""
        llama_cpp.llama_memory_seq_cp(self._memory, source, target, start, end)

    def drop(self, sequence: int, start: int = 0) -> None:
        """Forget the tokens of a sequence from position `start` on."""
        llama_cpp.llama_memory_seq_rm(self._memory, sequence, start or -1, -1)

    def keep_only(self, sequence: int) -> None:
        """Forget all other sequences."""
        llama_cpp.llama_memory_seq_keep(self._memory, sequence)

    def pack_sequences(self, sequences: Sequence[int]) -> None:
        """Move `sequences` to the beginning of the cache, in the order of their tokens, and forget all others."""
        saved = []
        for sequence in sequences:
            size = llama_cpp.llama_state_seq_get_size(self._handle, sequence)
            data = (ctypes.c_uint8 * size)()
            llama_cpp.llama_state_seq_get_data(self._handle, data, size, sequence)
            saved.append((sequence, data, size))
        self.clear()
        for sequence, data, size in saved:
            if llama_cpp.llama_state_seq_set_data(self._handle, data, size, sequence) == 0:
                raise BackendError(f"llama.cpp could not restore a sequence: {last_log()}")

    # --- evaluation

    def pieces(self, count: int, block: int = 0) -> list[tuple[int, int]]:
        """Return bounds that cut `count` tokens into equal parts that can be evaluated, none of which is small.

        Args:
            count: How many there are.
            block: Size of all parts, where they are blocks.
        """
        if block:
            return [(start, start + block) for start in range(0, count, block)]
        number = -(-count // self.piece_tokens)
        bounds = [round(count * i / number) for i in range(number + 1)]
        return list(pairwise(bounds))

    def evaluate(self, tokens: Tokens, rows: Ints, *, scoring: bool = False) -> Floats:
        """Evaluate at most one piece of tokens, or one block; return the logits after `rows` (rows, vocabulary), valid until the next call.

        Args:
            tokens: New tokens, which take the cells behind the used ones.
            rows: Which of them, ascending.
            scoring: Whether the kernels must be the same for few tokens as for many.
        """
        count = len(tokens)
        least = _TILED if scoring and not self._exact else _LEAST
        lacking = max(0, least - count) if self._pads else 0
        asked = _enough(rows, count + lacking)
        batch, keepalive = self._batch(_filled(tokens, lacking) if lacking else tokens, asked)
        began = time.perf_counter()
        status = llama_cpp.llama_decode(self._handle, batch)
        pointer = llama_cpp.llama_get_logits(self._handle) if len(asked) else None
        self._clock.decode_s += time.perf_counter() - began
        del keepalive
        if status != 0:
            raise BackendError(f"llama.cpp could not evaluate {count} tokens (status {status}): {last_log()}")
        self._clock.evaluated += count
        if lacking:
            self.drop(_SEQUENCES - _SPARE)
        width = self._model.n_vocab
        if pointer is None:
            return np.empty((0, width), dtype=np.float32)
        logits: Floats = np.ctypeslib.as_array(pointer, shape=(len(asked) * width,)).reshape(-1, width)
        return logits if len(asked) == len(rows) else logits[np.searchsorted(asked, rows)]

    def _batch(self, tokens: Tokens, rows: Ints) -> tuple[Any, Any]:
        """Return llama.cpp's form of a batch, and the arrays that it points into."""
        ids = tokens.tokens.astype(np.int32)
        positions = tokens.positions.astype(np.int32)
        wanted = np.zeros(len(ids), dtype=np.int8)
        wanted[rows] = 1
        sizes = (tokens.end - tokens.first).astype(np.int32)
        # A token's sequences are a range, so its list of sequences is a stretch of the list of all numbers.
        pointers = np.uintp(self._numbers.ctypes.data) + tokens.first.astype(np.uintp) * np.uintp(
            self._numbers.itemsize
        )
        batch = llama_cpp.llama_batch(
            n_tokens=len(ids),
            token=ids.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_token)),
            embd=None,
            pos=positions.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_pos)),
            n_seq_id=sizes.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            seq_id=ctypes.cast(pointers.ctypes.data, ctypes.POINTER(ctypes.POINTER(llama_cpp.llama_seq_id))),
            logits=wanted.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )
        return batch, (ids, positions, wanted, sizes, pointers)


def _filled(tokens: Tokens, lacking: int) -> Tokens:
    """Return `tokens` with others behind them, in a sequence that nothing else belongs to."""
    spare = np.full(lacking, _SEQUENCES - _SPARE)
    return Tokens(
        tokens=np.concatenate((tokens.tokens, np.full(lacking, tokens.tokens[0]))),
        positions=np.concatenate((tokens.positions, np.arange(lacking))),
        first=np.concatenate((tokens.first, spare)),
        end=np.concatenate((tokens.end, spare + 1)),
    )


def _enough(rows: Ints, count: int) -> Ints:
    """Return `rows` and as many others as it takes that the output layer takes its usual kernel; none stay none."""
    lacking = min(_LEAST, count) - len(rows)
    if len(rows) == 0 or lacking <= 0:
        return rows
    others = np.setdiff1d(np.arange(count), rows, assume_unique=True)[-lacking:]
    return np.sort(np.concatenate((rows, others)))


def refuse_no_numbers(values: npt.NDArray[Any] | np.floating[Any]) -> None:
    """Raise `BackendError` where a value is not a number.

    Such a model would seem to choose the first answer every time, or write nonsense.
    """
    if not np.isfinite(values).all():
        raise BackendError(
            "the model's output is not a number (NaN or infinite)",
            fix="the file is damaged or badly quantised; fetch or convert the model again",
        )
