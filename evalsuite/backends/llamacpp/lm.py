"""The llama.cpp backend as lm-eval sees it: a `TemplateLM` over one GGUF file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from evalsuite.backends.llamacpp.chat import ChatTemplate, split_marked
from evalsuite.backends.llamacpp.dequantise import dequantised
from evalsuite.backends.llamacpp.engine import Engine
from evalsuite.backends.options import GenerateRequest
from evalsuite.backends.scoring import ScoringLM
from evalsuite.errors import BackendError
from evalsuite.machine import usable_cores

__all__ = ["LlamaCppLM"]

_REMEMBERED_TEXTS = 64


class LlamaCppLM(ScoringLM):
    """Scores and generates with a GGUF file in this process.

    Args:
        path: GGUF file.
        threads: Threads; by default the physical cores.
        context: Longest request in tokens; by default what the model was trained for.
        compute: `stored` uses llama.cpp's kernels for the file's own quantisation. `dequantised` takes the same weight
            values as float32: often faster, and without the rounding of activations that quantised kernels add.
    """

    engine: Engine

    def __init__(
        self,
        path: str | Path,
        threads: int | None = None,
        context: int | None = None,
        compute: str = "stored",
    ) -> None:
        super().__init__()
        if compute not in ("stored", "dequantised"):
            raise BackendError(
                f"compute={compute!r} is unknown", fix="give `stored` (the file's own kernels) or `dequantised`"
            )
        threads = threads or usable_cores().count
        file = Path(path)
        if compute == "dequantised":
            file = dequantised(file, threads=threads)
        # Float32 weights do not amplify rounding, so they may be evaluated the fast way.
        self.engine = Engine(file, threads=threads, context=context, exact=compute == "stored")
        # The answers of an item come one after the other, and each asks for the tokens of its context.
        self._tokens_of = lru_cache(maxsize=_REMEMBERED_TEXTS)(self._encode)
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
    def tokenizer_name(self) -> str:
        return self.engine.metadata("general.name") or "gguf"

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """Return the tokens of a text; BOS comes first where the GGUF says so, and never twice.

        Only markers that came from the model's own chat template become control tokens: a text that merely spells
        `<|im_end|>` stays text.
        """
        return list(self._tokens_of(string, add_special_tokens))

    def _encode(self, string: str, add_special_tokens: bool | None) -> tuple[int, ...]:
        tokens: list[int] = []
        for text, is_marker in split_marked(string):
            tokens += self.engine.tokenize(text, special=is_marker)
        bos = self.engine.bos
        wants_bos = self.engine.adds_bos if add_special_tokens is None else add_special_tokens and bos is not None
        if wants_bos and bos is not None and tokens[:1] != [bos]:
            tokens.insert(0, bos)
        return tuple(tokens)

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

    # --- generation

    def _continue(self, requests: Sequence[GenerateRequest]) -> Iterator[tuple[int, str]]:
        for index, data in self.engine.texts(requests):
            yield index, data.decode("utf-8", "replace")
