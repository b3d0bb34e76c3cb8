"""What every engine that scores in this process has in common: lm-eval's requests in, log-likelihoods out."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from lm_eval.api.model import TemplateLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from evalsuite.backends.ahead import Ahead
from evalsuite.backends.options import GenerateRequest, GenerationOptions
from evalsuite.backends.packing import Score, ScoreRequest
from evalsuite.errors import BackendError

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

__all__ = ["ScoringEngine", "ScoringLM"]


class ScoringEngine(Protocol):
    """A loaded model that scores tokens."""

    n_context: int
    """Longest request, in tokens."""

    @property
    def evaluated(self) -> int:
        """Tokens evaluated so far."""

    def scores(self, requests: Sequence[ScoreRequest]) -> Iterator[tuple[int, Score]]:
        """Plan all `requests` together; yield (index, score) of each as it is known, in the plan's order.

        Nothing else may be asked of the engine until the iterator has ended or was closed.
        """

    def close(self) -> None:
        """Free the model."""


class ScoringLM(TemplateLM):  # type: ignore[misc]  # lm-eval ships no types
    """A `TemplateLM` over a `ScoringEngine`; a subclass adds the tokenizer and generation.

    lm-eval asks for a few items at a time here, so that results can be stored early. To share tokens among all items of
    a cell, `announce` tells the requests in advance: they are planned together, and evaluated when they are asked for.
    """

    engine: ScoringEngine

    def __init__(self) -> None:
        super().__init__()
        self._scores: Ahead[ScoreRequest, Score] = Ahead(self._plan)
        self._texts: Ahead[_TextRequest, str] = Ahead(self._plan_texts)
        self._announcing = False
        self._encoded: dict[tuple[str, str], tuple[list[int], list[int]]] = {}

    @property
    def max_length(self) -> int:
        return self.engine.n_context

    @property
    def evaluated_tokens(self) -> int:
        """Tokens that the engine has evaluated so far."""
        return self.engine.evaluated

    def close(self) -> None:
        """Free the model."""
        self.forget()
        self.engine.close()

    # --- requests

    def announce(self, requests: Sequence[Instance]) -> None:
        """Plan requests that will be asked for later, a few at a time; replaces an earlier plan."""
        self.forget()
        scored = [request for request in requests if request.request_type == "loglikelihood"]
        self._announcing = True
        try:
            # lm-eval's own way from texts to tokens; `_loglikelihood_tokens` sees that nothing is to be evaluated yet.
            self.loglikelihood(scored, disable_tqdm=True)
        finally:
            self._announcing = False
        self._texts.announce(_text_requests(r for r in requests if r.request_type == "generate_until"))

    def forget(self) -> None:
        """Drop what was announced, and leave the engine free for something else."""
        self._scores.forget()
        self._texts.forget()
        self._encoded = {}

    def loglikelihood(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Return (log-likelihood in nats, whether every token is the likeliest) of each (context, answer)."""
        # An empty answer is certain; after an empty context lm-eval would look for its first token.
        asked = [request for request in requests if tuple(request.args) != ("", "")]
        found = iter(super().loglikelihood(asked, disable_tqdm=disable_tqdm))
        return [(0.0, True) if tuple(request.args) == ("", "") else next(found) for request in requests]

    def _encode_pair(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        pair = (context, continuation)
        known: tuple[list[int], list[int]] = self._encoded.get(pair) or super()._encode_pair(context, continuation)
        if self._announcing:
            # It will come a second time.
            self._encoded[pair] = known
        return known

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], **_: Any
    ) -> list[tuple[float, bool]]:
        asked = [_score_request(*request) for request in requests]
        wanted = [request for request in asked if request is not None]
        if self._announcing:
            self._scores.announce(wanted)
            return [(0.0, True)] * len(requests)
        found = self._score(wanted)
        # An empty answer is certain.
        return [(0.0, True) if r is None else (float(sum(found[r][0])), found[r][1]) for r in asked]

    def _score(self, wanted: Sequence[ScoreRequest]) -> dict[ScoreRequest, Score]:
        if not self._scores.knows(wanted):
            self._texts.pause()
        return self._scores.get(wanted)

    def _plan(self, requests: Sequence[ScoreRequest]) -> Iterator[tuple[int, Score]]:
        return self.engine.scores(requests)

    def loglikelihood_rolling(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[float]:
        """Return the log-likelihood of whole texts (nats), in windows as lm-eval makes them."""
        windows: list[ScoreRequest] = []
        owners: list[int] = []
        for owner, request in enumerate(requests):
            for window in get_rolling_token_windows(
                token_list=self.tok_encode(request.args[0], add_special_tokens=False),
                prefix_token=self.prefix_token_id,
                max_seq_len=self.max_length,
                context_len=1,
            ):
                context, continuation = make_disjoint_window(window)
                windows.append(ScoreRequest((*context, *continuation), len(context)))
                owners.append(owner)
        found = self._score(windows)
        totals = [0.0] * len(requests)
        for owner, window in zip(owners, windows, strict=True):
            totals[owner] += sum(found[window][0])
        return totals

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
        """Return the text that follows each context, up to a stop string, an end token or the length limit."""
        prompts = _text_requests(requests)
        if not self._texts.knows(prompts):
            self._scores.pause()
        found = self._texts.get(prompts)
        return [found[prompt] for prompt in prompts]

    def _plan_texts(self, prompts: Sequence[_TextRequest]) -> Iterator[tuple[int, str]]:
        return self._continue(
            [
                GenerateRequest(tuple(self.tok_encode(p.context) or [self.prefix_token_id]), p.options, p.copy)
                for p in prompts
            ]
        )

    @abc.abstractmethod
    def _continue(self, requests: Sequence[GenerateRequest]) -> Iterator[tuple[int, str]]:
        """Continue all prompts; yield (index, text) of each as it ends."""


@dataclass(frozen=True)
class _TextRequest:
    """A prompt to be continued."""

    context: str
    options: GenerationOptions
    copy: int = 0
    """Which of several equal prompts this is. lm-eval repeats a prompt to get several samples; greedy ones are one."""


def _text_requests(requests: Iterable[Instance]) -> list[_TextRequest]:
    found: list[_TextRequest] = []
    seen: dict[_TextRequest, int] = {}
    for request in requests:
        context, options = request.args
        prompt = _TextRequest(context, GenerationOptions.parse(options))
        number = seen.get(prompt, 0)
        seen[prompt] = number + 1
        found.append(replace(prompt, copy=number) if prompt.options.temperature else prompt)
    return found


def _score_request(texts: Any, context: Iterable[int], answer: Sequence[int]) -> ScoreRequest | None:
    """Return what is to be scored; nothing where the answer is empty."""
    if answer:
        before = tuple(context)
        return ScoreRequest((*before, *answer), len(before))
    if texts[1]:
        raise BackendError(
            f"the answer {texts[1]!r} melts into the last token of its context, so it cannot be scored",
            fix="end the prompt otherwise, or set `target_delimiter` in the task",
        )
    return None
