"""One GGUF model loaded by llama.cpp: tokens in, log-probabilities and text out."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

from evalsuite.backends.llamacpp.packing import Batch, PackLimits, ScoreRequest, pack
from evalsuite.errors import BackendError, ContextLimitError, ModelFileError

__all__ = ["Engine"]

_LOGIT_BYTES = 256 * 2**20
"""Memory for the logits of one batch."""
_BATCH_TOKENS = 512
"""Tree tokens per batch. Every token attends over the whole batch's cells, so that larger ones cost more per token."""
_UBATCH = 63
"""Tokens per micro-batch. From 64 on, flash attention sums over tiles whose bounds depend on what else is cached, and a
score would depend on its neighbours in the batch (docs/scoring.md)."""
_LEAST_TOKENS = 8
"""Fewer tokens than this take other kernels, which round otherwise."""
_MAX_SEQUENCES = 256
_BLOCK_BYTES = 16 * 2**20
"""Logits that are reduced at once; stays near the size of a processor's cache."""

Floats = npt.NDArray[np.float32]


class _Log:
    """Keeps what llama.cpp says, so that a failure can be told in its words."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._text = ""
        self._callback = llama_cpp.llama_log_callback(self._take)

    def install(self) -> None:
        llama_cpp.llama_log_set(self._callback, ctypes.c_void_p(0))

    def _take(self, level: int, text: bytes, _: Any) -> None:
        self._text += text.decode("utf-8", "replace")
        *done, self._text = self._text.split("\n")
        for line in done:
            # Levels: 2 info, 3 warning, 4 error, 5 continuation of the line before.
            if level in (3, 4) and line.strip():
                self.lines = [*self.lines[-19:], line.strip()]


_LOG = _Log()


class Engine:
    """A loaded model. The context (cache) is made on first use and remade larger when a request needs it.

    Args:
        path: GGUF file.
        threads: Threads for evaluation; by default the physical cores that this process may use.
        context: Longest request in tokens; by default, and at most, what the model was trained for.

    Raises:
        ModelFileError: llama.cpp cannot load the file.
    """

    def __init__(self, path: Path, *, threads: int | None = None, context: int | None = None) -> None:
        self.threads = threads or usable_cores()
        _LOG.install()
        _LOG.lines.clear()
        llama_cpp.llama_backend_init()
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = 0
        # Repacked weights are multiplied four rows at a time and round a remainder otherwise, so that a score would
        # depend on its neighbours in the batch (docs/scoring.md).
        params.use_extra_bufts = False
        self._model: Any = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        if not self._model:
            raise _load_error(path)
        self._vocab: Any = llama_cpp.llama_model_get_vocab(self._model)
        self._context: Any = None
        self._cells = 0
        self.n_vocab: int = llama_cpp.llama_vocab_n_tokens(self._vocab)
        self.n_context_train: int = llama_cpp.llama_model_n_ctx_train(self._model)
        self.n_context: int = min(context or self.n_context_train, self.n_context_train)
        self.recurrent: bool = bool(
            llama_cpp.llama_model_is_recurrent(self._model) or llama_cpp.llama_model_is_hybrid(self._model)
        )
        self.evaluated = 0
        """Tokens evaluated so far."""
        if self.n_vocab == 0 or not llama_cpp.llama_model_has_decoder(self._model):
            raise ModelFileError(
                f"{path}: this model has no decoder, so it cannot score or write text",
                fix="give a causal language model; embedding and encoder models need another backend",
            )

    def close(self) -> None:
        """Free the model and its cache."""
        if self._context is not None:
            llama_cpp.llama_free(self._context)
            self._context = None
        if self._model is not None:
            llama_cpp.llama_model_free(self._model)
            self._model = None

    # --- vocabulary

    @property
    def bos(self) -> int | None:
        return _token(llama_cpp.llama_vocab_bos(self._vocab))

    @property
    def eos(self) -> int | None:
        return _token(llama_cpp.llama_vocab_eos(self._vocab))

    @property
    def adds_bos(self) -> bool:
        """Whether the GGUF says that a text begins with the BOS token."""
        return bool(llama_cpp.llama_vocab_get_add_bos(self._vocab)) and self.bos is not None

    def is_end(self, token: int) -> bool:
        """Return whether `token` ends a generation."""
        return bool(llama_cpp.llama_vocab_is_eog(self._vocab, token))

    def is_control(self, token: int) -> bool:
        """Return whether `token` is a control token, such as the markers of a chat template."""
        return bool(llama_cpp.llama_vocab_is_control(self._vocab, token))

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """Return the tokens of `text`, with no BOS added.

        Args:
            text: Any text.
            special: Whether the names of control tokens in `text` become those tokens.
        """
        data = text.encode()
        size = len(data) + 8
        buffer = (llama_cpp.llama_token * size)()
        count = llama_cpp.llama_tokenize(self._vocab, data, len(data), buffer, size, False, special)
        if count < 0:
            size = -count
            buffer = (llama_cpp.llama_token * size)()
            count = llama_cpp.llama_tokenize(self._vocab, data, len(data), buffer, size, False, special)
        return list(buffer[:count])

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """Return the bytes of one token; they need not be whole UTF-8 characters."""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, size, 0, special)
            if count >= 0:
                return buffer.raw[:count]
            size = -count

    def metadata(self, key: str) -> str | None:
        """Return a metadata value of the GGUF as text."""
        size = 1 << 16
        buffer = ctypes.create_string_buffer(size)
        count = llama_cpp.llama_model_meta_val_str(self._model, key.encode(), buffer, size)
        return None if count < 0 else buffer.value.decode("utf-8", "replace")

    # --- scoring

    def score(self, requests: Sequence[ScoreRequest]) -> list[tuple[list[float], bool]]:
        """Return for each request the log-probability of every scored token (nats), and whether all are the likeliest.

        Raises:
            ContextLimitError: A request is longer than the context.
        """
        for request in requests:
            self.check_length(len(request.tokens) - 1)
        limits = PackLimits(
            tokens=_BATCH_TOKENS,
            sequences=_MAX_SEQUENCES - _LEAST_TOKENS,
            rows=max(1, _LOGIT_BYTES // (4 * self.n_vocab)),
        )
        results: list[tuple[list[float], bool] | None] = [None] * len(requests)
        for batch in pack(requests, limits, share=not self.recurrent):
            wanted: dict[int, set[int]] = {}
            for _, pairs in batch.requests:
                for node, target in pairs:
                    wanted.setdefault(node, set()).add(target)
            scored = self._score_batch(batch, wanted)
            for index, pairs in batch.requests:
                outcomes = [scored[pair] for pair in pairs]
                results[index] = ([logprob for logprob, _ in outcomes], all(best for _, best in outcomes))
        return [r for r in results if r is not None]

    def check_length(self, tokens: int) -> None:
        """Raise `ContextLimitError` where `tokens` do not fit the context."""
        if tokens > self.n_context:
            raise ContextLimitError(
                f"a request of {tokens} tokens does not fit the model's context of {self.n_context} tokens",
                fix="use a model with a longer context, or leave this task out for this model",
            )

    def _score_batch(self, batch: Batch, wanted: dict[int, set[int]]) -> dict[tuple[int, int], tuple[float, bool]]:
        batch = batch if self.recurrent else _filled(batch)
        self._start(len(batch.tokens))
        scored: dict[tuple[int, int], tuple[float, bool]] = {}
        block = max(1, _BLOCK_BYTES // (4 * self.n_vocab))
        for start, end in _pieces(len(batch.tokens)):
            nodes = [node for node in range(start, end) if batch.predicts[node]]
            if len(nodes) == 1:
                # A single row takes another kernel, which rounds otherwise; a second one keeps it company.
                nodes = sorted({nodes[0], start if nodes[0] != start else end - 1})
            logits = self._decode(batch, start, end, nodes)
            for first in range(0, len(nodes), block):
                part = nodes[first : first + block]
                rows = logits[first : first + len(part)]
                total, best = _log_sum_exp(rows), rows.argmax(axis=1)
                _refuse_no_numbers(total)
                for row, node in enumerate(part):
                    for target in wanted.get(node, ()):
                        logprob = float(rows[row, target]) - float(total[row])
                        scored[node, target] = (logprob, int(best[row]) == target)
        return scored

    # --- generation

    def prefill(self, tokens: Sequence[int], room: int) -> Floats:
        """Clear the cache, evaluate `tokens`, and return the logits after the last (n_vocab,).

        Args:
            tokens: The prompt.
            room: How many tokens may follow it.
        """
        self.check_length(len(tokens) + room)
        self._start(len(tokens) + room)
        return self._extend(tokens, 0)

    def step(self, token: int, position: int) -> Floats:
        """Evaluate one token more, and return the logits after it (n_vocab,)."""
        return self._extend([token], position)

    def _extend(self, tokens: Sequence[int], position: int) -> Floats:
        count = len(tokens)
        batch = Batch(
            tokens=list(tokens),
            positions=list(range(position, position + count)),
            sequences=[[0]] * count,
        )
        logits: Floats | None = None
        for start in range(0, count, _BATCH_TOKENS):
            end = min(start + _BATCH_TOKENS, count)
            logits = self._decode(batch, start, end, [count - 1] if end == count else [])
        assert logits is not None
        _refuse_no_numbers(logits.sum(axis=1))
        first: Floats = logits[0]
        return first

    # --- the context

    def _start(self, cells: int) -> None:
        """Empty the cache, and make it hold at least `cells` tokens."""
        if self._context is None or self._cells < cells:
            if self._context is not None:
                llama_cpp.llama_free(self._context)
            self._cells = min(max(cells, _BATCH_TOKENS), max(self.n_context, _BATCH_TOKENS))
            self._context = self._new_context(self._cells)
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)

    def _new_context(self, cells: int) -> Any:
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = cells
        params.n_batch = _BATCH_TOKENS
        params.n_ubatch = _UBATCH
        params.n_seq_max = 1 if self.recurrent else _MAX_SEQUENCES
        params.n_threads = params.n_threads_batch = self.threads
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        params.kv_unified = True
        # A sliding-window cache drops old tokens, which sequences that share a beginning may still need.
        params.swa_full = True
        params.no_perf = True
        context = llama_cpp.llama_init_from_model(self._model, params)
        if not context:
            raise BackendError(
                f"llama.cpp could not make a context of {cells} tokens: {_last_log()}",
                fix="free some memory, or give the model a shorter context (option `context`)",
            )
        return context

    def _decode(self, batch: Batch, start: int, end: int, nodes: Sequence[int]) -> Floats:
        """Evaluate tokens `start` to `end` of a batch; return the logits after `nodes` (rows, n_vocab)."""
        count = end - start
        tokens = np.asarray(batch.tokens[start:end], dtype=np.int32)
        positions = np.asarray(batch.positions[start:end], dtype=np.int32)
        predicts = np.zeros(count, dtype=np.int8)
        predicts[[node - start for node in nodes]] = 1
        sizes = np.asarray([len(s) for s in batch.sequences[start:end]], dtype=np.int32)
        flat = np.asarray([s for sequences in batch.sequences[start:end] for s in sequences], dtype=np.int32)
        offsets = np.concatenate(([0], np.cumsum(sizes[:-1]))).astype(np.uintp)
        pointers = np.uintp(flat.ctypes.data) + offsets * np.uintp(flat.itemsize)
        seq_pointer = ctypes.POINTER(llama_cpp.llama_seq_id)
        raw = llama_cpp.llama_batch(
            n_tokens=count,
            token=tokens.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_token)),
            embd=None,
            pos=positions.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_pos)),
            n_seq_id=sizes.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            seq_id=ctypes.cast(pointers.ctypes.data, ctypes.POINTER(seq_pointer)),
            logits=predicts.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )
        status = llama_cpp.llama_decode(self._context, raw)
        if status != 0:
            raise BackendError(f"llama.cpp could not evaluate {count} tokens (status {status}): {_last_log()}")
        self.evaluated += count
        rows = len(nodes)
        if rows == 0:
            return np.empty((0, self.n_vocab), dtype=np.float32)
        pointer = llama_cpp.llama_get_logits(self._context)
        return np.ctypeslib.as_array(pointer, shape=(rows * self.n_vocab,)).reshape(rows, self.n_vocab)


def usable_cores() -> int:
    """Return how many physical cores this process may use."""
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))


def _pieces(count: int) -> list[tuple[int, int]]:
    """Return bounds that cut `count` tokens into equal micro-batches, none of which is small."""
    number = -(-count // _UBATCH)
    bounds = [round(count * i / number) for i in range(number + 1)]
    return list(pairwise(bounds))


def _filled(batch: Batch) -> Batch:
    """Return a batch of at least `_LEAST_TOKENS`: copies of its first token, each a sequence of its own, fill it up."""
    lacking = _LEAST_TOKENS - len(batch.tokens)
    if lacking <= 0:
        return batch
    return Batch(
        tokens=batch.tokens + batch.tokens[:1] * lacking,
        positions=batch.positions + [0] * lacking,
        sequences=batch.sequences + [[batch.n_sequences + i] for i in range(lacking)],
        predicts=batch.predicts + [False] * lacking,
        requests=batch.requests,
        n_sequences=batch.n_sequences + lacking,
    )


def _log_sum_exp(rows: Floats) -> npt.NDArray[np.float64]:
    """Return log Σ exp of each row; the sum is taken in float64 after the largest value is subtracted."""
    top = rows.max(axis=1, keepdims=True)
    total = np.exp(rows - top).sum(axis=1, dtype=np.float64)
    return np.asarray(top[:, 0].astype(np.float64) + np.log(total))


def _refuse_no_numbers(values: npt.NDArray[Any]) -> None:
    """A model that computes NaN would otherwise seem to choose the first answer every time."""
    if not np.isfinite(values).all():
        raise BackendError(
            "the model's output is not a number (NaN or infinite)",
            fix="the file is damaged or badly quantised; fetch or convert the model again",
        )


def _token(token: int) -> int | None:
    return None if token < 0 else int(token)


def _last_log() -> str:
    return "; ".join(_LOG.lines[-3:]) or "it gave no reason"


def _load_error(path: Path) -> ModelFileError:
    said = _last_log()
    if "unknown model architecture" in said:
        name = said.split("unknown model architecture:")[-1].split(";")[0].strip().strip("'")
        return ModelFileError(
            f"{path}: the architecture '{name}' is unknown to llama.cpp (llama-cpp-python {llama_cpp.__version__})",
            fix="upgrade llama-cpp-python, or take a model of a supported architecture",
        )
    return ModelFileError(f"{path}: llama.cpp cannot load this file: {said}", fix="fetch or convert the model again")
