"""Chat templates of GGUF files: rendered in a sandbox, with the template's own markers kept apart from data."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from evalsuite.errors import BackendError

__all__ = ["ChatTemplate", "split_marked", "strip_marks"]

# Fences around what the template itself wrote. They are drawn anew in each process, so that no text can hold them.
_NONCE = secrets.token_hex(8)
_OPEN, _CLOSE, _SLOT = f"\uf8e0{_NONCE}\uf8e0", f"\uf8e1{_NONCE}\uf8e1", f"\uf8e2{_NONCE}\uf8e2"
_MARKED = re.compile(f"{_OPEN}(.*?){_CLOSE}", re.DOTALL)
_FOREIGN = re.compile(f"\uf8e0(?!{_NONCE})[0-9a-f]{{16}}\uf8e0")
_CANDIDATE = re.compile(r"<[^<>\s]{1,40}>|\[/?[A-Z_]{2,20}\]")


class ChatTemplate:
    """The Jinja template of one model.

    Args:
        source: Template text, from the GGUF.
        specials: `bos_token` and `eos_token` as text.
        is_control: Tells whether a text is the name of one control token.
    """

    def __init__(self, source: str, specials: Mapping[str, str], is_control: Callable[[str], bool]) -> None:
        from jinja2.exceptions import TemplateError
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        environment.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now(UTC).strftime(form)
        self._specials = dict(specials)
        self._is_control = is_control
        self._errors = TemplateError
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise BackendError(f"the model's chat template cannot be read: {error}") from error

    def render(self, messages: Sequence[Mapping[str, str]], *, add_generation_prompt: bool = True) -> str:
        """Return the conversation as text, with the template's control tokens fenced (see `split_marked`).

        Raises:
            BackendError: The template refuses the conversation, or breaks out of the sandbox.
        """
        slots = [f"{_SLOT}{number}{_SLOT}" for number in range(len(messages))]
        fake = [{**message, "content": slot} for message, slot in zip(messages, slots, strict=True)]
        try:
            text = self._template.render(messages=fake, add_generation_prompt=add_generation_prompt, **self._specials)
        except self._errors as error:
            raise BackendError(f"the model's chat template failed: {error}") from error
        marked = _CANDIDATE.sub(self._mark, text)
        contents = {slot: message["content"] for slot, message in zip(slots, messages, strict=True)}
        return re.sub(f"{_SLOT}\\d+{_SLOT}", lambda found: contents.get(found[0], ""), marked)

    def _mark(self, found: re.Match[str]) -> str:
        return f"{_OPEN}{found[0]}{_CLOSE}" if self._is_control(found[0]) else found[0]


def split_marked(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a text, each with whether it is a control token that a chat template wrote.

    Raises:
        BackendError: The text carries the fences of another process.
    """
    if _FOREIGN.search(text):
        raise BackendError(
            "this prompt was rendered by another process, so its control tokens cannot be told from text",
            fix="leave lm-eval's --cache_requests out",
        )
    end = 0
    for found in _MARKED.finditer(text):
        if found.start() > end:
            yield text[end : found.start()], False
        yield found[1], True
        end = found.end()
    if end < len(text):
        yield text[end:], False


def strip_marks(text: str) -> str:
    """Return a rendered conversation as a person would read it, without the fences."""
    return text.replace(_OPEN, "").replace(_CLOSE, "")


def _refuse(message: Any) -> NoReturn:
    from jinja2.exceptions import TemplateError

    raise TemplateError(str(message))
