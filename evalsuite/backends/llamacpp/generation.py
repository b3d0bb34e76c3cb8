"""Continuous batching: many prompts are continued at once, and one that ends makes room for the next."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from evalsuite.backends.llamacpp.cache import Cache, Floats, Tokens, refuse_no_numbers
from evalsuite.backends.llamacpp.model import GGUFModel
from evalsuite.backends.options import GenerateRequest
from evalsuite.backends.packing import Blocks

__all__ = ["continuous_batching"]

_RUNNING = 32
"""Sequences at once. More are hardly faster, and every token looks through the cells of all."""
_STEP_TOKENS = 256
"""Tokens of prompts that are evaluated between two steps of the others, at most."""
_CACHE_BYTES = 512 * 2**20
_PREFIX_WORTH = 8
"""A common beginning of fewer tokens is not worth a sequence of its own."""
_PREFIX = 0
"""Sequence that holds the common beginning of all prompts."""


@dataclass
class _Answer:
    """A sequence at work."""

    index: int
    request: GenerateRequest
    sequence: int
    pending: list[int]
    """Tokens to be evaluated next."""
    position: int
    """Of the first of them."""
    choose: Callable[[Floats], int]
    stop: re.Pattern[str]
    data: bytearray = field(default_factory=bytearray)
    made: int = 0

    @classmethod
    def begin(cls, index: int, request: GenerateRequest, sequence: int, shared: int) -> _Answer:
        """Return an answer of which nothing is evaluated but the first `shared` tokens of the prompt."""
        pending = list(request.tokens[shared:])
        return cls(index, request, sequence, pending, shared, _sampler(request), request.options.pattern)

    def take(self, token: int, model: GGUFModel) -> bytes | None:
        """Add a token to the answer; return the whole answer where it ends here."""
        self.made += 1
        if model.is_end(token):
            return bytes(self.data)
        self.data += model.piece(token)
        # A stop string may straddle tokens, and a token may end within a character.
        text = self.data.decode("utf-8", "ignore")
        if found := self.stop.search(text):
            return text[: found.start()].encode()
        self.pending.append(token)
        return bytes(self.data) if self.made == self.request.options.limit else None


def continuous_batching(
    model: GGUFModel,
    empty_cache: Callable[[int, bool], Cache],
    requests: Sequence[GenerateRequest],
    blocks: Blocks | None = None,
) -> Iterator[tuple[int, bytes]]:
    """Continue all prompts; yield (index, bytes of the answer) of each as soon as it ends.

    An answer does not depend on the others: a sequence's tokens stay in the order of their positions in the cache, and
    evaluation is exact (docs/scoring.md).

    Args:
        model: Its vocabulary.
        empty_cache: Returns an empty cache with room for a number of tokens, and for blocks or not.
        requests: What to continue. Where one has blocks, all have the same.
        blocks: Which beginnings go in blocks.
    """
    asked = [(index, request) for index, request in enumerate(requests) if request.options.limit > 0]
    yield from ((index, b"") for index, request in enumerate(requests) if request.options.limit <= 0)
    if asked:
        yield from _Batcher(model, empty_cache, asked, blocks).run()


class _Batcher:
    """The prompts that wait, the answers that run, and what of the cache is used.

    New tokens must go behind all others, or a sequence's tokens would lie out of order in the cache and its attention
    would be summed otherwise. So nothing is freed when an answer ends; once the cache is full, what still runs is moved
    to its beginning.
    """

    def __init__(
        self,
        model: GGUFModel,
        empty_cache: Callable[[int, bool], Cache],
        asked: Sequence[tuple[int, GenerateRequest]],
        blocks: Blocks | None,
    ) -> None:
        self._model = model
        self._waiting = deque(asked)
        self._running: list[_Answer] = []
        prompts = [request.tokens for _, request in asked]
        self._block = blocks.size if blocks else 0
        self._blocked = blocks.of(len(prompts[0])) if blocks else 0
        self._prefix = [] if model.recurrent else _common_beginning(prompts, self._blocked)
        needs = sorted((request.cells for _, request in asked), reverse=True)
        affordable = _CACHE_BYTES // max(1, model.cache_bytes_per_token)
        self._step_cells = _STEP_TOKENS + _RUNNING + Cache.filling
        if model.most_cells is not None:
            affordable = min(affordable, model.most_cells - 2 * self._step_cells - len(self._prefix))
        at_once = 1 if model.recurrent else _RUNNING
        self._room = len(self._prefix) + max(needs[0], min(sum(needs[:at_once]), affordable))
        self._cache = empty_cache(self._room + 2 * self._step_cells, self._blocked > 0)
        self._free = self._unused()
        self._used = 0
        """Cells behind which new tokens go."""

    def run(self) -> Iterator[tuple[int, bytes]]:
        blocked = self._blocked
        if blocked:
            list(self._evaluate([(_PREFIX, 0, self._prefix[:blocked])], [], self._block))
        if self._prefix[blocked:]:
            list(self._evaluate([(_PREFIX, blocked, self._prefix[blocked:])], []))
        while self._waiting or self._running:
            if not self._model.recurrent and (self._used + self._step_cells > self._cache.cells or not self._free):
                self._put_in_order()
            self._admit()
            for answer, token in self._step():
                text = answer.take(token, self._model)
                if text is not None:
                    self._end(answer)
                    yield answer.index, text

    def _unused(self) -> list[int]:
        busy = {answer.sequence for answer in self._running} | ({_PREFIX} if self._prefix else set())
        return [sequence for sequence in range(self._cache.sequences) if sequence not in busy]

    def _admit(self) -> None:
        while self._waiting and self._free and len(self._running) < _RUNNING:
            index, request = self._waiting[0]
            taken = len(self._prefix) + sum(answer.request.cells for answer in self._running)
            if self._running and taken + request.cells > self._room:
                return
            self._waiting.popleft()
            sequence = self._free.pop()
            if self._prefix:
                self._cache.share(_PREFIX, sequence, 0, len(self._prefix))
            self._running.append(_Answer.begin(index, request, sequence, len(self._prefix)))

    def _end(self, answer: _Answer) -> None:
        self._running.remove(answer)
        if self._model.recurrent:
            self._cache.drop(answer.sequence)
            self._free.append(answer.sequence)

    def _put_in_order(self) -> None:
        self._cache.pack_sequences(
            [*([_PREFIX] if self._prefix else []), *(answer.sequence for answer in self._running)]
        )
        # Each sequence now has its own copy of the common beginning.
        self._used = len(self._prefix) + sum(answer.position for answer in self._running)
        self._free = self._unused()

    def _step(self) -> list[tuple[_Answer, int]]:
        """Evaluate the next token of every running answer, and some of the prompts; return the tokens that follow."""
        parts: list[tuple[int, int, list[int]]] = []
        ready: list[_Answer] = []
        rows: list[int] = []
        count = 0
        for answer in sorted(self._running, key=lambda answer: len(answer.pending)):
            now = answer.pending[: max(1, _STEP_TOKENS - count)]
            parts.append((answer.sequence, answer.position, now))
            count += len(now)
            answer.position += len(now)
            del answer.pending[: len(now)]
            if not answer.pending:
                ready.append(answer)
                rows.append(count - 1)
        chosen: list[int] = []
        for logits in self._evaluate(parts, rows):
            chosen += [answer.choose(row) for answer, row in zip(ready[len(chosen) :], logits, strict=False)]
        return list(zip(ready, chosen, strict=True))

    def _evaluate(
        self, parts: Sequence[tuple[int, int, list[int]]], rows: Sequence[int], block: int = 0
    ) -> Iterator[Floats]:
        """Evaluate (sequence, first position, tokens); yield the logits after `rows`, piece by piece or block by block."""
        sequences = np.concatenate([np.full(len(tokens), sequence) for sequence, _, tokens in parts])
        tokens = Tokens(
            tokens=np.concatenate([np.asarray(tokens) for _, _, tokens in parts]),
            positions=np.concatenate([np.arange(start, start + len(tokens)) for _, start, tokens in parts]),
            first=sequences,
            end=sequences + 1,
        )
        wanted = np.asarray(rows, dtype=np.int64)
        self._used += len(tokens)
        for start, end in self._cache.pieces(len(tokens), block):
            low, high = np.searchsorted(wanted, (start, end))
            yield self._cache.evaluate(tokens.part(start, end), wanted[low:high] - start)


def _common_beginning(prompts: Sequence[tuple[int, ...]], blocked: int) -> list[int]:
    """Return the tokens that all prompts begin with, where these are worth it; each prompt keeps a token of its own.

    Args:
        prompts: All prompts.
        blocked: Tokens that lie in blocks, which are the same for all. They are always evaluated first and by themselves.
    """
    shortest, longest = min(prompts), max(prompts)
    size = blocked
    while size < min(len(shortest), len(longest)) and shortest[size] == longest[size]:
        size += 1
    size = min(size, *(len(prompt) - 1 for prompt in prompts))
    if len(prompts) == 1 or size < _PREFIX_WORTH:
        size = blocked
    return list(shortest[:size])


def _sampler(request: GenerateRequest) -> Callable[[Floats], int]:
    """Return a function from logits (vocabulary,) to the next token."""
    how = request.options
    # A stream of its own for each prompt, which does not depend on when the prompt's turn comes.
    generator = np.random.default_rng([how.seed, request.copy, *request.tokens])

    def choose(logits: Floats) -> int:
        refuse_no_numbers(logits.max())
        if how.temperature == 0:
            return int(np.argmax(logits))
        scaled = logits.astype(np.float64) / how.temperature
        order = np.argsort(-scaled, kind="stable")[: how.top_k or None]
        weights = np.exp(scaled[order] - scaled[order[0]])
        weights /= weights.sum()
        # The smallest set that reaches top_p, as in Holtzman et al. (2020).
        keep = int(np.searchsorted(np.cumsum(weights), how.top_p)) + 1
        weights = weights[:keep] / weights[:keep].sum()
        return int(order[int(generator.choice(len(weights), p=weights))])

    return choose
