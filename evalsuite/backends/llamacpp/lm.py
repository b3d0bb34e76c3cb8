"""The llama.cpp backend as lm-eval sees it: a `TemplateLM` over one GGUF file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lm_eval.api.model import TemplateLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from evalsuite.backends.llamacpp.chat import ChatTemplate, split_marked
from evalsuite.backends.llamacpp.engine import Engine, Floats
from evalsuite.backends.llamacpp.packing import ScoreRequest
from evalsuite.errors import BackendError

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

__all__ = ["LlamaCppLM"]

_DEFAULT_ANSWER_TOKENS = 256


class LlamaCppLM(TemplateLM):  # type: ignore[misc]  # lm-eval ships no types
    """Scores and generates with a GGUF file in this process.

    Args:
        path: GGUF file.
        threads: Threads; by default the physical cores.
        context: Longest request in tokens; by default what the model was trained for.
    """

    def __init__(self, path: str | Path, threads: int | None = None, context: int | None = None) -> None:
        super().__init__()
        self.engine = Engine(Path(path), threads=threads, context=context)
        self._chat: ChatTemplate | None = None

    # --- vocabulary

    @property
    def eot_token_id(self) -> int:
        eos = self.engine.eos
        if eos is None:
            raise BackendError("this model's vocabulary has no end-of-text token")
        return eos

    @property
    def prefix_token_id(self) -> int:
        bos = self.engine.bos
        return self.eot_token_id if bos is None else bos

    @property
    def max_length(self) -> int:
        return self.engine.n_context

    @property
    def tokenizer_name(self) -> str:
        return self.engine.metadata("general.name") or "gguf"

    @property
    def evaluated_tokens(self) -> int:
        """Tokens that the engine has evaluated so far."""
        return self.engine.evaluated

    def close(self) -> None:
        """Free the model."""
        self.engine.close()

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """Return the tokens of a text; BOS comes first where the GGUF says so, and never twice.

        Only markers that came from the model's own chat template become control tokens: a text that merely spells
        `<|im_end|>` stays text.
        """
        tokens: list[int] = []
        for text, is_marker in split_marked(string):
            tokens += self.engine.tokenize(text, special=is_marker)
        bos = self.engine.bos
        wants_bos = self.engine.adds_bos if add_special_tokens is None else add_special_tokens and bos is not None
        if wants_bos and bos is not None and tokens[:1] != [bos]:
            tokens.insert(0, bos)
        return tokens

    def tok_decode(self, tokens: Iterable[int]) -> str:
        """Return the text of `tokens`, without control tokens."""
        return b"".join(self.engine.piece(t) for t in tokens).decode("utf-8", "replace")

    # --- chat

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """Return the GGUF's chat template; none where it is switched off or the model has none."""
        return self.engine.metadata("tokenizer.chat_template") if chat_template else None

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Return the conversation as the model's template writes it."""
        if self._chat is None:
            source = self.engine.metadata("tokenizer.chat_template")
            if source is None:
                raise BackendError(
                    "this model has no chat template, so it cannot be asked in the prompt form 'chat'",
                    fix="use the prompt form 'native' for base models",
                )
            specials = {
                "bos_token": self._control_text(self.engine.bos),
                "eos_token": self._control_text(self.engine.eos),
            }
            self._chat = ChatTemplate(source, specials, self._is_control_text)
        return self._chat.render(chat_history, add_generation_prompt=add_generation_prompt)

    def _control_text(self, token: int | None) -> str:
        return "" if token is None else self.engine.piece(token, special=True).decode("utf-8", "replace")

    def _is_control_text(self, text: str) -> bool:
        tokens = self.engine.tokenize(text, special=True)
        return len(tokens) == 1 and (self.engine.is_control(tokens[0]) or self.engine.is_end(tokens[0]))

    # --- requests

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], **_: Any
    ) -> list[tuple[float, bool]]:
        # Equal requests (the priors of a fixed list of answers, for example) are evaluated once.
        unique: dict[tuple[tuple[int, ...], int], int] = {}
        order: list[int | None] = []
        for (_, answer), context, continuation in requests:
            if not continuation and answer:
                raise BackendError(
                    f"the answer {answer!r} melts into the last token of its context, so it cannot be scored",
                    fix="end the prompt otherwise, or set `target_delimiter` in the task",
                )
            if not continuation:
                order.append(None)
                continue
            key = ((*context, *continuation), len(context))
            order.append(unique.setdefault(key, len(unique)))
        scored = self.engine.score([ScoreRequest(tokens, start) for tokens, start in unique])
        # An empty answer is certain.
        return [(0.0, True) if i is None else (float(sum(scored[i][0])), scored[i][1]) for i in order]

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
        totals = [0.0] * len(requests)
        for owner, (logprobs, _) in zip(owners, self.engine.score(windows), strict=True):
            totals[owner] += sum(logprobs)
        return totals

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
        """Return the text that follows each context, up to a stop string, an end token or the length limit."""
        return [self._generate(*request.args) for request in requests]

    def _generate(self, context: str, options: dict[str, Any]) -> str:
        tokens = self.tok_encode(context) or [self.prefix_token_id]
        limit = int(options.get("max_gen_toks", options.get("max_tokens", _DEFAULT_ANSWER_TOKENS)))
        stops = options.get("until") or []
        pattern = re.compile(
            "|".join(re.escape(s) for s in ([stops] if isinstance(stops, str) else stops) if s) or "(?!)"
        )
        choose = _sampler(options)
        logits = self.engine.prefill(tokens, limit)
        data = bytearray()
        for count in range(limit):
            token = choose(logits)
            if self.engine.is_end(token):
                break
            data += self.engine.piece(token)
            # A stop string may straddle tokens, and a token may end within a character.
            text = data.decode("utf-8", "ignore")
            if found := pattern.search(text):
                return text[: found.start()]
            if count + 1 < limit:
                logits = self.engine.step(token, len(tokens) + count)
        return data.decode("utf-8", "replace")


def _sampler(options: dict[str, Any]) -> Any:
    """Return a function from logits to the next token, as lm-eval's generation options ask."""
    if int(options.get("num_beams", 1)) != 1:
        raise BackendError(f"num_beams={options['num_beams']}: beam search is not supported", fix="leave num_beams out")
    temperature = float(options.get("temperature", 1.0 if options.get("do_sample") else 0.0))
    if not options.get("do_sample", temperature > 0) or temperature == 0:
        return lambda logits: int(np.argmax(logits))
    generator = np.random.default_rng(int(options.get("seed", 0)))
    top_k, top_p = int(options.get("top_k", 0)), float(options.get("top_p", 1.0))

    def sample(logits: Floats) -> int:
        scaled = logits.astype(np.float64) / temperature
        order = np.argsort(-scaled, kind="stable")[: top_k or None]
        weights = np.exp(scaled[order] - scaled[order[0]])
        weights /= weights.sum()
        # The smallest set that reaches top_p, as in Holtzman et al. (2020).
        keep = int(np.searchsorted(np.cumsum(weights), top_p)) + 1
        weights = weights[:keep] / weights[:keep].sum()
        return int(order[int(generator.choice(len(weights), p=weights))])

    return sample
