"""The words that a task puts round its items, found in the prompts that were stored: what all of them have in common."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalsuite.analysis.item_answers import stored_rows
from evalsuite.analysis.load import Run
from evalsuite.records import PromptForm, Task

__all__ = ["FIELD", "PromptFrame", "frame_of", "prompt_frames"]

FIELD = "…"
"""What stands for text that differs from item to item."""
_LOOKED_AT = 8
"""Prompts of a cell that are compared, spread over all of them."""

_STOPS = set(".,;?!。、？！")


@dataclass(frozen=True, slots=True)
class PromptFrame:
    """What every item of a task in one prompt form has around it."""

    task: Task
    group: str
    form: PromptForm
    prompt: str | None
    """The prompt, with `FIELD` for what differs; none where a single prompt is all that is known."""
    answers: tuple[str, ...]
    """What is offered; empty where each item offers something else, and where answers are written."""


def prompt_frames(run: Run) -> tuple[PromptFrame, ...]:
    """Return the frame of each task of a run in its first prompt form, in the order of groups and languages.

    Raises:
        StoreError: The stored items are damaged.
    """
    order = {code: i for i, code in enumerate(run.languages)}
    place = {group: i for i, group in enumerate(run.groups)}
    tasks = sorted(
        (task for task in run.manifest.tasks.values() if not task.only_read),
        key=lambda task: (place.get(run.group_of(task.name), len(place)), order.get(task.language, len(order))),
    )
    found = (_frame(run, task, run.forms[0]) for task in tasks)
    return tuple(frame for frame in found if frame is not None)


def frame_of(prompts: Sequence[str]) -> str | None:
    """Return what prompts have in common, with `FIELD` for what differs; none where they are all the same one.

    Prompts of equally many lines are compared line by line, so that the words between two fields are found too.
    """
    if len(set(prompts)) < 2:
        return None
    lines = [prompt.split("\n") for prompt in prompts]
    if len({len(one) for one in lines}) == 1:
        return "\n".join(_common(same) for same in zip(*lines, strict=True))
    return _common(prompts)


def _common(texts: Sequence[str]) -> str:
    """Return what texts begin and end with, in whole words, and `FIELD` between."""
    if len(set(texts)) == 1:
        return texts[0]
    head = _beginning(texts)
    rest = [text[len(head) :] for text in texts]
    tail = _beginning([text[::-1] for text in rest])[::-1]
    # Two items that begin with the same letters have no word in common.
    head = head[: _word_end(head)]
    tail = tail[_word_start(tail) :]
    # That all items end with a full stop is no part of the prompt.
    return f"{head}{FIELD}{'' if set(tail) <= _STOPS else tail}"


def _beginning(texts: Sequence[str]) -> str:
    """Return what all texts begin with."""
    first, last = min(texts), max(texts)
    same = next((i for i, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    return first[:same]


def _word_end(text: str) -> int:
    end = len(text)
    while end and _of_word(text[end - 1]):
        end -= 1
    return end


def _word_start(text: str) -> int:
    start = 0
    while start < len(text) and _of_word(text[start]):
        start += 1
    return start


def _of_word(letter: str) -> bool:
    # Japanese has no spaces: a word ends where it ends.
    return letter.isalnum() and unicodedata.east_asian_width(letter) not in "WF"


def _frame(run: Run, task: Task, form: PromptForm) -> PromptFrame | None:
    for model in run.models:
        result = run.result(model, task.name, form)
        frame = run.frames.get(result.cell.id) if result else None
        if result is None or frame is None or not len(frame):
            continue
        rows = np.unique(np.linspace(0, len(frame) - 1, _LOOKED_AT).astype(np.intp))
        prompts = [str(found["context"] or "") for found in stored_rows(run, result, rows, ("context",))]
        offered = set(frame["choices"].to_numpy()[rows].tolist())
        return PromptFrame(
            task=task,
            group=run.group_of(task.name),
            form=form,
            prompt=frame_of(prompts),
            answers=next(iter(offered)) if len(offered) == 1 else (),
        )
    return None
