"""One request at a time, as a device would serve it: llama.cpp as it comes, one sequence, every step timed.

Nothing here is shared with the scoring engine's batches: that one is built to be fast over many requests and to give
the same bits in any company, this one to cost what a request costs.
"""

from __future__ import annotations

import ctypes
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

from evalsuite.backends.llamacpp.model import GGUFModel, last_log, listen, told_sizes
from evalsuite.errors import BackendError, ContextLimitError

__all__ = ["BufferSizes", "Stream", "StreamedRequest", "start_engine"]

_BUFFER = re.compile(
    r"(?P<device>[A-Za-z0-9_]+)\s+(?P<kind>model|KV|RS|compute|output)\s+buffer size\s*=\s*(?P<mib>[\d.]+) MiB"
)
_BATCH_TOKENS = 2048
"""Tokens that are handed to llama.cpp at once; its own default. It cuts them into micro-batches of 512 itself."""

_MICRO_BATCH = 512
"""Tokens that llama.cpp evaluates at once by default; a longer text is cut there anyway."""
_END = -1
"""Stands behind the last token of a choice."""

Logits = npt.NDArray[np.float32]
_Take = Callable[[Logits, Sequence[int]], tuple[int | None, bool]]
"""Given the logits and the answer so far: the next token, none where it ends here; and whether that is the last."""


@dataclass(frozen=True)
class BufferSizes:
    """Memory that llama.cpp has told it uses, in bytes, by device ("CPU", "CPU_Mapped", "CUDA0")."""

    model: dict[str, int] = field(default_factory=dict)
    kv: dict[str, int] = field(default_factory=dict)
    """Cache of keys and values, or the state of a recurrent model."""
    compute: dict[str, int] = field(default_factory=dict)
    output: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class StreamedRequest:
    """What one request took. Times are in seconds, of the monotonic clock."""

    start_ns: int
    end_ns: int
    tokenise_s: float
    prefill_s: float
    """Evaluation of the prompt, up to the logits after its last token."""
    ttft_s: float
    """Time to first token: from the text of the prompt to the choice of the first token."""
    steps_s: tuple[float, ...]
    """For each further token, the time since the one before it."""
    prompt_tokens: int
    tokens: tuple[int, ...]
    """The answer."""
    text: str

    @property
    def total_s(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9


def start_engine() -> None:
    """Do what llama.cpp does once in a process, such as looking for accelerators."""
    listen()
    llama_cpp.llama_backend_init()
    llama_cpp.llama_supports_gpu_offload()


class Stream(GGUFModel):
    """A loaded model that serves one request at a time, each from an empty cache.

    Args:
        path: GGUF file.
        threads: Threads for evaluation.

    Raises:
        ModelFileError: llama.cpp cannot load the file, or it is no model that continues text.
    """

    def __init__(self, path: Path, *, threads: int) -> None:
        super().__init__(path, as_deployed=True)
        self.threads = threads
        self.cells = 0
        """Tokens that the open context has room for."""
        self._context: Any = None
        self._told_before = len(told_sizes())
        """Sizes that llama.cpp had told when the context was opened."""

    # --- context

    def open_context(self, cells: int) -> None:
        """Make a context for requests of up to `cells` tokens, answer included; replaces the one before.

        Raises:
            ContextLimitError: The model was trained for less.
            BackendError: There is not enough memory.
        """
        if cells > self.n_context_train:
            raise ContextLimitError(
                f"a context of {cells} tokens was asked for; {self.path.name} was trained for {self.n_context_train}",
                fix="ask for a shorter one, or take a model with a longer context",
            )
        self.close_context()
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = cells
        params.n_batch = min(cells, _BATCH_TOKENS)
        params.n_seq_max = 1
        params.n_threads = params.n_threads_batch = self.threads
        params.no_perf = True
        # As llama.cpp's own programs: layers with a window keep no more than the window.
        params.swa_full = False
        self._told_before = len(told_sizes())
        self._context = llama_cpp.llama_init_from_model(self.handle, params)
        if not self._context:
            raise BackendError(
                f"llama.cpp could not make a context of {cells} tokens: {last_log()}",
                fix="free some memory, or measure shorter requests",
            )
        self.cells = int(llama_cpp.llama_n_ctx(self._context))

    def set_threads(self, threads: int) -> None:
        """Use so many threads from now on, in this context and later ones."""
        self.threads = threads
        if self._context is not None:
            llama_cpp.llama_set_n_threads(self._context, threads, threads)

    def close_context(self) -> None:
        """Give the memory of the context back."""
        if self._context is not None:
            llama_cpp.llama_free(self._context)
            self._context = None
            self.cells = 0

    def close(self) -> None:
        """Free the context and the model."""
        self.close_context()
        self.free()

    def buffers(self) -> BufferSizes:
        """Return the sizes that llama.cpp has told for the model and for the context that was opened last."""
        found = BufferSizes()
        for place, line in enumerate(told_sizes()):
            match = _BUFFER.search(line)
            # What was told of earlier contexts is not in use any more.
            if match and (match["kind"] == "model" or place >= self._told_before):
                kind = "kv" if match["kind"] == "RS" else match["kind"].lower()
                sizes: dict[str, int] = getattr(found, kind)
                # Weights and caches come in pieces: of several files, of layers with and without a window, of a hybrid's
                # state. The others are told again when they grow.
                before = sizes.get(match["device"], 0) if kind in ("model", "kv") else 0
                sizes[match["device"]] = before + round(float(match["mib"]) * 2**20)
        return found

    # --- requests

    def prompt_tokens(self, prompt: str) -> list[int]:
        """Return the tokens of a prompt, with BOS where the model wants it."""
        begin = [self.bos] if self.adds_bos and self.bos is not None else []
        return [*begin, *self.tokenize(prompt)]

    def write(self, prompt: str, count: int) -> StreamedRequest:
        """Continue `prompt` greedily by `count` tokens, past any end token, so that every answer has the same length."""
        return self._serve(prompt, lambda logits, done: (int(logits.argmax()), len(done) + 1 == count))

    def spell(self, prompt: str, answer: str) -> StreamedRequest:
        """Continue `prompt` by the tokens of `answer`, one at a time: what it costs to write just this text.

        The likeliest token is looked for at each step, as in generation, and the given one is taken.
        """
        tokens = self._answer_tokens(prompt, answer)

        def take(logits: Logits, done: Sequence[int]) -> tuple[int | None, bool]:
            logits.argmax()
            place = len(done)
            return (tokens[place], place + 1 == len(tokens)) if tokens else (None, True)

        return self._serve(prompt, take)

    def choose(self, prompt: str, choices: Sequence[str]) -> tuple[StreamedRequest, int]:
        """Continue `prompt` by one of `choices`, greedily: at each step the likeliest token with which one goes on.

        Returns:
            What it took, and the index of the choice.
        """
        spelled = [(*self._answer_tokens(prompt, choice), _END) for choice in choices]
        end = self.eos if self.eos is not None else 0

        def take(logits: Logits, done: Sequence[int]) -> tuple[int | None, bool]:
            place = len(done)
            open_ones = [s for s in spelled if s[:place] == tuple(done)]
            # Where one choice ends and a longer one goes on, the model's end token competes for the shorter one.
            scores = {s[place]: float(logits[end if s[place] == _END else s[place]]) for s in open_ones}
            best = max(scores, key=lambda token: scores[token])
            if best == _END:
                return None, True
            return best, {s[place + 1] for s in open_ones if s[place] == best} == {_END}

        served = self._serve(prompt, take)
        return served, spelled.index((*served.tokens, _END))

    def fill(self, tokens: Sequence[int], steps: int) -> tuple[float, list[float]]:
        """Evaluate `tokens` from an empty cache, then take `steps` greedy ones; return the seconds of the first, and of each step."""
        self._check(len(tokens) + steps)
        self.clear()
        return self.extend(tokens, steps)

    def extend(
        self, tokens: Sequence[int], steps: int, *, beat: Callable[[], None] | None = None
    ) -> tuple[float, list[float]]:
        """Evaluate `tokens` behind those in the cache, then take `steps` greedy ones, as `fill` does.

        Args:
            tokens: At least one.
            steps: Tokens of an answer.
            beat: Called now and then, to tell that it is alive.
        """
        marks = [time.monotonic_ns()]
        size = _MICRO_BATCH if beat else len(tokens)
        for start in range(0, len(tokens), size):
            logits = self._evaluate(tokens[start : start + size])
            if beat:
                beat()
        marks.append(time.monotonic_ns())
        for _ in range(steps):
            logits = self._evaluate([int(logits.argmax())])
            marks.append(time.monotonic_ns())
        first, *others = _differences_s(marks)
        return first, others

    def save(self) -> Any:
        """Return the state of the cache, to be given to `restore`."""
        size = llama_cpp.llama_state_seq_get_size(self._context, 0)
        data = (ctypes.c_uint8 * size)()
        llama_cpp.llama_state_seq_get_data(self._context, data, size, 0)
        return data

    def restore(self, data: Any, tokens: int) -> bool:
        """Fill the cache of a context with the first `tokens` tokens of a saved state; return False where that cannot be done."""
        self.clear()
        if llama_cpp.llama_state_seq_set_data(self._context, data, len(data), 0) == 0:
            return False
        # A recurrent state cannot be cut back.
        return bool(llama_cpp.llama_memory_seq_rm(llama_cpp.llama_get_memory(self._context), 0, tokens, -1))

    def _answer_tokens(self, prompt: str, answer: str) -> list[int]:
        """Return the tokens of an answer behind a prompt: those of both together less as many as the prompt has.

        So does lm-eval: a tokenizer may begin a text with a mark that does not belong between the two.
        """
        return self.tokenize(prompt + answer)[len(self.tokenize(prompt)) :]

    def _serve(self, prompt: str, take: _Take) -> StreamedRequest:
        self.clear()
        start = time.monotonic_ns()
        tokens = self.prompt_tokens(prompt)
        tokenised = time.monotonic_ns()
        self._check(len(tokens) + 1)
        logits = self._evaluate(tokens)
        prefilled = time.monotonic_ns()
        answer: list[int] = []
        marks: list[int] = []
        last = False
        while not last:
            token, last = take(logits, answer)
            if token is None:
                break
            answer.append(token)
            marks.append(time.monotonic_ns())
            if not last:
                # The last token of an answer is never evaluated: nothing is read from it.
                self._check(len(tokens) + len(answer))
                logits = self._evaluate([token])
        end = time.monotonic_ns()
        return StreamedRequest(
            start_ns=start,
            end_ns=end,
            tokenise_s=(tokenised - start) / 1e9,
            prefill_s=(prefilled - tokenised) / 1e9,
            ttft_s=((marks[0] if marks else end) - start) / 1e9,
            steps_s=tuple(_differences_s(marks)),
            prompt_tokens=len(tokens),
            tokens=tuple(answer),
            text=b"".join(self.piece(token) for token in answer).decode("utf-8", "replace"),
        )

    def clear(self) -> None:
        """Forget all tokens of the open context."""
        if self._context is None:
            raise BackendError("no context is open", fix="call open_context before a request")
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)

    def _check(self, tokens: int) -> None:
        if tokens > self.cells:
            raise ContextLimitError(
                f"a request of {tokens} tokens does not fit the context of {self.cells} tokens",
                fix="measure with a longer context",
            )

    def _evaluate(self, tokens: Sequence[int]) -> Logits:
        """Evaluate tokens behind those in the cache; return the logits after the last, valid until the next call."""
        most = int(llama_cpp.llama_n_batch(self._context))
        for start in range(0, len(tokens), most):
            part = tokens[start : start + most]
            array = (llama_cpp.llama_token * len(part))(*part)
            # A batch without marks gives the logits of its last token only.
            status = llama_cpp.llama_decode(self._context, llama_cpp.llama_batch_get_one(array, len(part)))
            if status != 0:
                raise BackendError(f"llama.cpp could not evaluate {len(part)} tokens (status {status}): {last_log()}")
        llama_cpp.llama_synchronize(self._context)
        pointer = llama_cpp.llama_get_logits_ith(self._context, -1)
        logits: Logits = np.ctypeslib.as_array(pointer, shape=(self.n_vocab,))
        return logits


def _differences_s(marks_ns: Sequence[int]) -> list[float]:
    return [(later - earlier) / 1e9 for earlier, later in pairwise(marks_ns)]
