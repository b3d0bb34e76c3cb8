"""Builds run folders with made-up texts that are read and not answered, for tests of what reads them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evalsuite.records import Cell, CellStatus, PromptForm, Record, Task
from evalsuite.store import RunWriter
from tests.synthetic import MODELS, Plan, cell_of, manifest_of, record, task

__all__ = ["CODES", "ITEMS", "ParityPlan", "bits_of", "build_parity", "tokens_of"]

CODES = ("en", "es", "eu", "ja")
ITEMS = 30
# Bits and tokens for those of English, by model (in the order of MODELS) and language.
_COST = {"en": (1.0, 1.0), "es": (1.6, 1.2), "eu": (3.0, 2.5), "ja": (2.5, 1.0)}
_TAX = {"en": (1.0, 1.0), "es": (1.7, 1.2), "eu": (1.9, 1.5), "ja": (3.0, 1.05)}


@dataclass(frozen=True)
class ParityPlan:
    """What to put into a run folder."""

    codes: tuple[str, ...] = CODES
    titles: tuple[str, ...] = ("One", "Two")
    answered: bool = False
    """Whether there is a group of tasks with answers beside the texts."""
    hook: Callable[[Cell, Record], Record | None] = lambda _cell, made: made
    """Changes records before they are stored, or leaves one out."""
    failed: tuple[str, ...] = ()
    """Tasks that fail with every model."""
    more: tuple[Task, ...] = ()
    """Tasks of texts beside the shipped kind."""


def bits_of(index: int, code: str, model: str) -> float:
    """Return the bits of a text."""
    rng = np.random.default_rng([index, len(code), ord(code[0]), len(model)])
    return (80 + 2 * index) * _COST[code][list(MODELS).index(model)] * float(rng.uniform(0.9, 1.1))


def tokens_of(index: int, code: str, model: str) -> int:
    """Return the tokens of a text."""
    return round((15 + index % 7) * _TAX[code][list(MODELS).index(model)])


def texts(name: str, code: str, group: str | None) -> Task:
    """Return a made-up task of texts that are read."""
    return task(
        name, code, group, family="text", chance=None, primary_metric="loglikelihood", output_type="loglikelihood_rolling",
        items=ITEMS, id_column="id",
    )  # fmt: skip


def build_parity(path: Path, plan: ParityPlan | None = None) -> Path:
    """Write a run folder of two models and one group of texts in each language, and return it."""
    plan = plan or ParityPlan()
    known = Plan(
        items=ITEMS, codes=plan.codes, limit=None, holes=False, models=dict(zip(MODELS, plan.titles, strict=True))
    )
    tasks = {f"toy_texts_{code}": texts(f"toy_texts_{code}", code, "toy_texts") for code in plan.codes}
    tasks |= {one.name: one for one in plan.more}
    if plan.answered:
        # Its choices are places and no categories, whose tables take their time.
        fields = {"family": "reading", "listed_options": 7}
        tasks |= {f"toy_topics_{code}": task(f"toy_topics_{code}", code, "toy_topics", **fields) for code in plan.codes}
    cells = tuple(cell_of(known, model, one, PromptForm.NATIVE) for model in MODELS for one in tasks.values())
    with RunWriter(path) as writer:
        writer.write_manifest(manifest_of(known, tasks, cells, ()))
        for cell in cells:
            if cell.task in plan.failed:
                writer.finish(cell, CellStatus.FAILED, "the engine crashed: SIGSEGV")
                continue
            made = [plan.hook(cell, _record(cell, tasks[cell.task], index)) for index in cell.item_indices]
            for chunk in range(cell.chunks):
                inside = set(cell.chunk(chunk))
                kept = [one for one in made if one is not None and one.item_index in inside]
                writer.write_chunk(cell, chunk, kept, wall_s=1.0, tokens=100)
            writer.finish(cell, CellStatus.DONE)
    return path


def _record(cell: Cell, one: Task, index: int) -> Record:
    if not one.only_read:
        return record(index, score=float((index + len(cell.model) + ord(cell.language[0])) % 3 > 0))
    nats = -bits_of(index, cell.language, cell.model) * math.log(2)
    tokens = tokens_of(index, cell.language, cell.model)
    size = 60 + index
    return record(index, score=nats, choices=("", "")).model_copy(
        update={
            "choices": (), "greedy": (), "prediction": None, "logprobs": (nats,), "answer_tokens": (tokens,),
            "metrics": {"loglikelihood": nats}, "context_tokens": tokens + 1, "context_chars": size,
            "context_bytes": 3 * size if cell.language == "ja" else size,
        }
    )  # fmt: skip
