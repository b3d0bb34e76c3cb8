"""What is to be generated: a prompt, and lm-eval's generation options, read once for every engine; what is not understood is refused, not ignored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalsuite.errors import BackendError

__all__ = ["GenerateRequest", "GenerationOptions"]

_DEFAULT_TOKENS = 256
_LIMITS = ("max_gen_toks", "max_new_tokens", "max_completion_tokens", "max_tokens")
_KNOWN = frozenset({*_LIMITS, "until", "do_sample", "temperature", "top_k", "top_p", "seed", "num_beams"})


@dataclass(frozen=True)
class GenerationOptions:
    """How a text goes on, and when it ends."""

    limit: int = _DEFAULT_TOKENS
    """Tokens at most."""
    stops: tuple[str, ...] = ()
    temperature: float = 0.0
    """0 is greedy."""
    top_k: int = 0
    """0 is no limit."""
    top_p: float = 1.0
    seed: int = 0

    @classmethod
    def parse(cls, options: Mapping[str, Any]) -> GenerationOptions:
        """Return what lm-eval's generation options ask for; an option that is none counts as not given.

        Raises:
            BackendError: An option is unknown, or its value cannot be used.
        """
        given = {key: value for key, value in options.items() if value is not None}
        unknown = sorted(set(given) - _KNOWN)
        if unknown:
            raise BackendError(
                f"generation option {unknown[0]}={given[unknown[0]]!r} is not supported",
                fix=f"leave it out of the task's generation_kwargs; known are {', '.join(sorted(_KNOWN))}",
            )
        try:
            return cls._read(given)
        except (TypeError, ValueError) as error:
            raise BackendError(
                f"the generation options {dict(options)!r} cannot be used: {error}", fix="mend generation_kwargs"
            ) from error

    @classmethod
    def _read(cls, given: Mapping[str, Any]) -> GenerationOptions:
        if int(given.get("num_beams", 1)) != 1:
            raise ValueError("beam search is not supported")
        temperature = float(given.get("temperature", 1.0 if given.get("do_sample") else 0.0))
        sampled = bool(given.get("do_sample", temperature > 0))
        until = given.get("until", ())
        seed = int(given.get("seed", 0))
        top_p = float(given.get("top_p", 1.0))
        if seed < 0 or temperature < 0 or not 0 < top_p <= 1:
            raise ValueError("seed and temperature must not be negative, and top_p lies above 0 and up to 1")
        return cls(
            limit=int(next((given[key] for key in _LIMITS if key in given), _DEFAULT_TOKENS)),
            stops=tuple(stop for stop in ([until] if isinstance(until, str) else until) if stop),
            temperature=temperature if sampled else 0.0,
            top_k=int(given.get("top_k", 0)),
            top_p=top_p,
            seed=seed,
        )

    @property
    def pattern(self) -> re.Pattern[str]:
        """What ends the text, wherever it stands."""
        return re.compile("|".join(map(re.escape, self.stops)) or "(?!)")


@dataclass(frozen=True)
class GenerateRequest:
    """A prompt that is to be continued."""

    tokens: tuple[int, ...]
    """At least one."""
    options: GenerationOptions
    copy: int = 0
    """Which of several equal prompts this is; each draws by itself."""

    @property
    def cells(self) -> int:
        """The most cells of the cache that it can come to take."""
        return len(self.tokens) + self.options.limit
