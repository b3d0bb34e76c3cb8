"""Contexts of growing length: each in a context of its own, going on from what the one before has evaluated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from evalsuite.backends.llamacpp.stream import Stream
from evalsuite.errors import EvalsuiteError
from evalsuite.records import CurvePoint

__all__ = ["ContextCurve"]


class ContextCurve:
    """Measures lengths in ascending order.

    The tokens of a shorter context are not evaluated again: the state of its cache goes over to the next one, and the time to
    read a text is the sum over its parts. A state that cannot be cut back or copied (recurrent models) is evaluated anew.

    Args:
        stream: The loaded model.
        text: Returns the first tokens of a running text.
        steps: Tokens of an answer behind each length.
        beat: Called now and then.
    """

    def __init__(
        self, stream: Stream, text: Callable[[int], Sequence[int]], steps: int, beat: Callable[[], None]
    ) -> None:
        self._stream, self._text, self._steps, self._beat = stream, text, steps, beat
        self._saved: Any = None
        self._tokens = 0
        self._spent_s = 0.0

    def open(self, length: int) -> str | None:
        """Make a context for `length` tokens with what is known of them; return why that cannot be done, or none."""
        try:
            self._stream.open_context(length + self._steps)
        except EvalsuiteError as error:
            return error.problem
        if self._saved is None or not self._stream.restore(self._saved, self._tokens):
            self._stream.clear()
            self._tokens, self._spent_s = 0, 0.0
        self._saved = None
        return None

    def point(self, length: int) -> CurvePoint:
        """Measure the context that was opened."""
        try:
            new_s, steps_s = self._stream.extend(self._text(length)[self._tokens :], self._steps, beat=self._beat)
        except EvalsuiteError as error:
            return CurvePoint(tokens=length, prefill_s=None, reason=error.problem)
        self._tokens, self._spent_s = length, self._spent_s + new_s
        buffers = self._stream.buffers()
        return CurvePoint(
            tokens=length,
            prefill_s=self._spent_s,
            steps_s=tuple(steps_s),
            kv_bytes=sum(buffers.kv.values()),
            compute_bytes=sum(buffers.compute.values()),
        )

    def keep(self) -> None:
        """Keep the state for the next length."""
        self._saved = self._stream.save()
