"""The prompts of a run: the words that each task puts round its items, and what it offers as answers."""

from __future__ import annotations

from dataclasses import dataclass

from evalsuite.analysis.load import Run
from evalsuite.analysis.prompt_frames import PromptFrame, prompt_frames
from evalsuite.report.blocks import Blocks
from evalsuite.report.excerpts import Excerpt, excerpt
from evalsuite.report.text import Text

__all__ = ["PromptGroup", "PromptPart", "PromptRow", "build_prompts"]

_SHOWN = 300
"""Characters of a prompt: what is longer holds examples, which need not be ours to pass on."""
_ANSWERS = 12
"""Answers that are named."""


@dataclass(frozen=True, slots=True)
class PromptRow:
    """One task."""

    language: str
    task: str
    prompt: Excerpt | None
    written: bool
    """Whether the model writes its answer."""
    answers: tuple[str, ...]
    """Those that every item offers; empty where each has its own."""
    more: int
    """Answers that are not named."""


@dataclass(frozen=True, slots=True)
class PromptGroup:
    """The tasks of one parallel group."""

    title: str
    rows: tuple[PromptRow, ...]


@dataclass(frozen=True, slots=True)
class PromptPart:
    """The groups of one family, or all where there are few."""

    id: str
    title: str | None
    blocks: tuple[PromptGroup, ...]


def build_prompts(run: Run, text: Text) -> tuple[PromptPart, ...]:
    """Return the prompts by family; none where no item was stored."""
    blocks = Blocks(run, text, ())
    found: dict[str, dict[str, list[PromptFrame]]] = {}
    for frame in prompt_frames(run):
        family = frame.task.family if blocks.divided else ""
        found.setdefault(family, {}).setdefault(frame.group, []).append(frame)
    order = [family for family in ("", *blocks.families) if family in found]
    return tuple(
        PromptPart(
            f"prompts-{family}",
            blocks.family(family) if family else None,
            tuple(PromptGroup(group, tuple(map(_row, frames))) for group, frames in found[family].items()),
        )
        for family in order
    )


def _row(frame: PromptFrame) -> PromptRow:
    named = [excerpt(answer, shown=60, whole=60).head for answer in frame.answers[:_ANSWERS]]
    return PromptRow(
        language=frame.task.language,
        task=frame.task.name,
        prompt=None if frame.prompt is None else excerpt(frame.prompt, shown=_SHOWN, whole=_SHOWN),
        written=frame.task.output_type == "generate_until",
        answers=tuple(named),
        more=len(frame.answers) - len(named),
    )
