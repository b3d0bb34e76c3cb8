"""A backend with no model: answers are made from hashes of the requests, so that everything around it can be tested."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_eval.api.model import TemplateLM

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

__all__ = ["FakeLM"]


class FakeLM(TemplateLM):  # type: ignore[misc]  # lm-eval ships no types
    """Answers at once and always alike; on request it fails in the ways that real engines do.

    Args:
        path: Not read.
        threads: Not used.
        context: Longest request in tokens (here: bytes).
        fail: "crash" (segmentation fault), "oom" (killed by the kernel), "memory" (MemoryError), "hang" or "error";
            none to work.
        fail_on: Text; only requests whose context holds it fail. By default loading fails.
        delay_s: Seconds to wait before each request.
        output: What `generate_until` returns.
    """

    def __init__(self, path: str | Path, threads: int | None = None, context: int = 1 << 20, **options: Any) -> None:
        super().__init__()
        self._context = context
        self._fail: str | None = options.pop("fail", None)
        self._fail_on: str | None = options.pop("fail_on", None)
        self._delay_s = float(options.pop("delay_s", 0))
        self._output = str(options.pop("output", "fake"))
        if options:
            raise TypeError(f"unknown options: {', '.join(options)}")
        self.evaluated_tokens = 0
        if self._fail and self._fail_on is None:
            _fail(self._fail)

    @property
    def eot_token_id(self) -> int:
        return 0

    @property
    def max_length(self) -> int:
        return self._context

    @property
    def tokenizer_name(self) -> str:
        return "bytes"

    def close(self) -> None:
        """Free nothing."""

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """Return the UTF-8 bytes of a text, each plus one: token 0 is the end."""
        return [byte + 1 for byte in string.encode()]

    def tok_decode(self, tokens: Iterable[int]) -> str:
        """Return the text of `tokens`."""
        return bytes(t - 1 for t in tokens if t).decode("utf-8", "replace")

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        return "fake" if chat_template else None

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return "".join(f"[{m['role']}] {m['content']}\n" for m in chat_history) + "[assistant] "

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], **_: Any
    ) -> list[tuple[float, bool]]:
        return [self._answer(context, continuation) for _key, context, continuation in requests]

    def loglikelihood_rolling(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[float]:
        return [self._answer([], self.tok_encode(request.args[0]))[0] for request in requests]

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
        for request in requests:
            self._answer(self.tok_encode(request.args[0]), [])
        return [self._output] * len(requests)

    def _answer(self, context: list[int], continuation: list[int]) -> tuple[float, bool]:
        if self._fail and self._fail_on is not None and self._fail_on in self.tok_decode(context):
            _fail(self._fail)
        time.sleep(self._delay_s)
        self.evaluated_tokens += len(context) + len(continuation)
        digest = hashlib.sha256(repr((context, continuation)).encode()).digest()
        return -(1 + digest[0] / 16) * max(1, len(continuation)), digest[1] < 16


def _fail(how: str) -> None:
    if how == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif how == "oom":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "memory":
        raise MemoryError
    elif how == "hang":
        while True:
            time.sleep(60)
    else:
        raise RuntimeError(f"the fake backend was asked to fail: {how}")
