"""How an item is put to the model: whose words, in a chat template or not, and in which order its options stand."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = ["PromptForm"]

_LABEL_WORDINGS = ("listed", "described", "english-names", "english-described")
_WORDINGS = "|".join(("native", "english", "native-[2-9]", *_LABEL_WORDINGS))
_FORM = re.compile(rf"(?P<wording>{_WORDINGS})?(?P<chat>\+?chat)?(~(?P<rotation>[1-9]\d?))?")


class PromptForm(str):
    """A prompt form by its name.

    The name is a wording, `+chat` where the text is a user's turn in the model's own chat template, and `~K` where the
    options are listed from the K-th on, in a circle. Wordings are `native` (the task's own words, in its language),
    `native-2` and so on (the same said otherwise), and `english` (English words around items in the task's language).
    Categories may also be named before the message, alone (`listed`) or with a description (`described`), and they may
    have English names (`english-names`; `english-described`). `chat` stands for `native+chat`.

    Raises:
        ValueError: The name is none.
    """

    __slots__ = ()

    NATIVE: ClassVar[PromptForm]
    CHAT: ClassVar[PromptForm]
    LABEL_WORDINGS: ClassVar[tuple[str, ...]] = _LABEL_WORDINGS
    """Wordings that differ in how categories are named, and not in how the question is put."""
    ENGLISH: ClassVar[PromptForm]

    def __new__(cls, name: str) -> Self:
        found = _FORM.fullmatch(name)
        parts = found.groupdict() if found else {}
        joined = bool(parts.get("wording")) == str(parts.get("chat") or "+chat").startswith("+")
        if not found or not (parts["wording"] or parts["chat"]) or not joined:
            raise ValueError(
                f"no prompt form {name!r}: write native, native-2, english, described, chat, english+chat or the like"
            )
        text = (
            "chat"
            if parts["wording"] == "native" and parts["chat"]
            else f"{parts['wording'] or ''}{parts['chat'] or ''}"
        )
        return super().__new__(cls, text + (f"~{parts['rotation']}" if parts["rotation"] else ""))

    @classmethod
    def make(cls, wording: str, *, chat: bool = False, rotation: int = 0) -> Self:
        """Return the form of a wording."""
        return cls(wording + ("+chat" if chat else "") + (f"~{rotation}" if rotation else ""))

    @property
    def value(self) -> str:
        """The name, as it is stored."""
        return str(self)

    @property
    def wording(self) -> str:
        found = _FORM.fullmatch(self)
        assert found
        return found["wording"] or "native"

    @property
    def chat(self) -> bool:
        return "chat" in self

    @property
    def rotation(self) -> int:
        """By how many places the options are moved towards the front."""
        return int(self.partition("~")[2] or 0)

    @property
    def unturned(self) -> PromptForm:
        """The same form with the options in their own order."""
        return PromptForm(self.partition("~")[0])

    @property
    def rank(self) -> tuple[bool, bool, str, int]:
        """What forms are sorted by: plain before chat, native before English before paraphrases, then by rotation."""
        return self.chat, self.wording != "native", self.wording, self.rotation

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


PromptForm.NATIVE = PromptForm("native")
PromptForm.CHAT = PromptForm("chat")
PromptForm.ENGLISH = PromptForm("english")
