"""The transformers backend as lm-eval sees it: a `TemplateLM` over one model on torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jinja2
import torch
from lm_eval.models.utils import has_bos_prefix

from evalsuite.backends.hf.engine import Engine
from evalsuite.backends.hf.generate import generate
from evalsuite.backends.hf.loading import load
from evalsuite.backends.options import GenerateRequest
from evalsuite.backends.scoring import ScoringLM
from evalsuite.errors import BackendError
from evalsuite.machine import usable_cores

__all__ = ["TransformersLM"]


class TransformersLM(ScoringLM):
    """Scores and generates with a model of transformers in this process.

    Args:
        path: A folder in the hub's layout, a GGUF file (dequantised), or a name on the hub.
        dtype: `float32`, `bfloat16`, `float16`, or `auto`: what the model was saved in.
        quantisation: `int8` or `int4`, done while loading; none by default.
        threads: Threads; by default the physical cores.
        context: Longest request in tokens; by default what the model was trained for.
    """

    def __init__(
        self,
        path: str | Path,
        dtype: str = "float32",
        quantisation: str | None = None,
        threads: int | None = None,
        context: int | None = None,
    ) -> None:
        super().__init__()
        torch.set_num_threads(threads or usable_cores().count)
        loaded = load(path, dtype=dtype, quantisation=quantisation)
        self.tokenizer = loaded.tokenizer
        self._name = loaded.name
        self.engine: Engine = Engine(loaded.model, exact=loaded.exact, context=context)

    # --- vocabulary

    @property
    def eot_token_id(self) -> int:
        token = self.tokenizer.eos_token_id
        if token is None:
            raise BackendError("this model's tokenizer has no end-of-text token")
        return int(token)

    @property
    def prefix_token_id(self) -> int:
        token = self.tokenizer.bos_token_id
        return self.eot_token_id if token is None else int(token)

    @property
    def tokenizer_name(self) -> str:
        return self._name

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """Return the tokens of a text, the same as in lm-eval's own `hf` backend.

        BOS comes first where the tokenizer adds it, and never twice.
        """
        options = {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}
        if add_special_tokens is None and has_bos_prefix(string, self.tokenizer.decode([self.prefix_token_id])):
            options = {"add_special_tokens": False}
        return [int(token) for token in self.tokenizer.encode(string, **options)]

    def tok_decode(self, tokens: Iterable[int], skip_special_tokens: bool = True) -> str:
        """Return the text of `tokens`."""
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=skip_special_tokens))

    # --- chat

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """Return the tokenizer's chat template; none where it is switched off or the model has none."""
        if not chat_template or not self.tokenizer.chat_template:
            return None
        found = super().chat_template(chat_template)
        return None if found is None else str(found)

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Return the conversation as the model's template writes it."""
        if not self.tokenizer.chat_template:
            raise BackendError(
                "this model has no chat template, so it cannot be asked in the prompt form 'chat'",
                fix="use the prompt form 'native' for base models",
            )
        try:
            text = self.tokenizer.apply_chat_template(
                chat_history,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt,
            )
        except jinja2.TemplateError as error:
            raise BackendError(f"the model's chat template failed: {error}") from error
        return str(text)

    # --- generation

    def _continue(self, requests: Sequence[GenerateRequest]) -> Iterator[tuple[int, str]]:
        for request in requests:
            self.engine.check_length(request.cells)
        return generate(self.engine.model, self.tokenizer, requests, together=self.engine.shares)
