"""Text after prompts: greedy for many prompts at once, seeded sampling one by one, with stop strings per prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import transformers

from evalsuite.backends.options import GenerateRequest, GenerationOptions
from evalsuite.errors import BackendError

__all__ = ["generate"]

_BATCH_TOKENS = 4096
"""Tokens of the prompts of one batch, padding and room for the answers included."""


def generate(
    model: Any, tokenizer: Any, prompts: Sequence[GenerateRequest], *, together: bool
) -> Iterator[tuple[int, str]]:
    """Yield (index, text after a prompt, up to a stop string, an end token or the limit), a batch at a time.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer.
        prompts: What to go on from.
        together: Whether the model can evaluate prompts of unequal length side by side.
    """
    ends = _end_tokens(model, tokenizer)
    for members in _batches(prompts, together=together):
        rows = _batch(model, tokenizer, [prompts[i] for i in members], ends)
        for index, tokens in zip(members, rows, strict=True):
            text = _text(tokenizer, _until_end(tokens, ends))
            found = prompts[index].options.pattern.search(text)
            yield index, text[: found.start()] if found else text


class _Numbers(transformers.LogitsProcessor):  # type: ignore[misc]
    """Refuses a model that computes no numbers: it would write nonsense, and nobody would be told."""

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if not bool(torch.isfinite(scores.amax(dim=-1)).all()):
            raise BackendError(
                "the model's output is not a number (NaN or infinite)",
                fix="take another dtype, or fetch or convert the model again",
            )
        return scores


def _batches(prompts: Sequence[GenerateRequest], *, together: bool) -> Iterator[list[int]]:
    """Yield the numbers of prompts that go together: greedy, of one limit, and of like length."""
    members: list[int] = []
    for index in sorted(range(len(prompts)), key=lambda i: (prompts[i].options.limit, len(prompts[i].tokens))):
        options, length = prompts[index].options, len(prompts[index].tokens)
        if options.temperature or not together:
            # Draws of one prompt may not depend on what else is asked.
            yield [index]
            continue
        full = (len(members) + 1) * (length + options.limit) > _BATCH_TOKENS
        if members and (full or prompts[members[0]].options.limit != options.limit):
            yield members
            members = []
        members.append(index)
    if members:
        yield members


def _batch(model: Any, tokenizer: Any, prompts: Sequence[GenerateRequest], ends: Sequence[int]) -> list[list[int]]:
    """Return the new tokens after each prompt; what stands behind an end token or a stop string is of no meaning."""
    longest = max(len(prompt.tokens) for prompt in prompts)
    pad = ends[0] if ends else 0
    tokens = torch.full((len(prompts), longest), pad)
    attended = torch.zeros_like(tokens)
    for row, prompt in enumerate(prompts):
        tokens[row, longest - len(prompt.tokens) :] = torch.tensor(prompt.tokens)
        attended[row, longest - len(prompt.tokens) :] = 1
    options = prompts[0].options
    drawing: dict[str, Any] = {"do_sample": False}
    if options.temperature:
        drawing = {
            "do_sample": True, "temperature": options.temperature, "top_k": options.top_k, "top_p": options.top_p,
        }  # fmt: skip
    config = transformers.GenerationConfig(
        max_new_tokens=options.limit, eos_token_id=list(ends) or None, pad_token_id=pad, **drawing
    )
    stopping = (
        [_StopStrings(tokenizer, [p.options for p in prompts], longest)]
        if any(p.options.stops for p in prompts)
        else []
    )
    with torch.inference_mode(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed + (prompts[0].copy << 32))
        out = model.generate(
            input_ids=tokens,
            attention_mask=attended,
            generation_config=config,
            stopping_criteria=transformers.StoppingCriteriaList(stopping),
            logits_processor=transformers.LogitsProcessorList([_Numbers()]),
        )
    return [list(row) for row in out[:, longest:].tolist()]


class _StopStrings(transformers.StoppingCriteria):  # type: ignore[misc]  # transformers ships no types for it
    """Tells which rows have said a stop string of theirs."""

    def __init__(self, tokenizer: Any, options: Sequence[GenerationOptions], start: int) -> None:
        self._tokenizer = tokenizer
        self._patterns = [o.pattern for o in options]
        # A token may be a single byte, so that a character may take four.
        self._tails = [4 * max(map(len, o.stops), default=0) + 8 for o in options]
        self._start = start

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        new = input_ids[:, self._start :]
        done = [
            pattern.search(_text(self._tokenizer, row[-tail:].tolist())) is not None
            for row, pattern, tail in zip(new, self._patterns, self._tails, strict=True)
        ]
        return torch.tensor(done)


def _end_tokens(model: Any, tokenizer: Any) -> list[int]:
    named = getattr(model.generation_config, "eos_token_id", None)
    ends = [*(named if isinstance(named, list) else [named]), tokenizer.eos_token_id]
    return list(dict.fromkeys(int(token) for token in ends if token is not None))


def _until_end(tokens: Sequence[int], ends: Sequence[int]) -> Sequence[int]:
    return next((tokens[:place] for place, token in enumerate(tokens) if token in ends), tokens)


def _text(tokenizer: Any, tokens: Sequence[int]) -> str:
    return str(tokenizer.decode(tokens, skip_special_tokens=True))
