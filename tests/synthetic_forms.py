"""Builds run folders whose tasks are asked in several wordings and option orders, or answered in writing, for tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from evalsuite.records import Cell, CellStatus, PromptForm, Record, Task
from evalsuite.store import RunWriter
from tests.synthetic import MODELS, Plan, cell_of, manifest_of, record, task

__all__ = ["LETTERS", "SENTENCES", "Forms", "build_forms", "picked_record", "written_record"]

LETTERS = ("A", "B", "C", "D")
SENTENCES = {
    "en": ("The library opens at nine in the morning.", "The bus to the airport leaves every hour.",
           "She wrote a long letter to her old friend.", "The river is very cold in the winter months."),
    "es": ("La biblioteca abre a las nueve de la mañana.", "El autobús al aeropuerto sale cada hora.",
           "Ella escribió una carta larga a su vieja amiga.", "El río está muy frío en los meses de invierno."),
    "ja": ("図書館は朝九時に開きます。", "空港行きのバスは一時間ごとに出ます。",
           "彼女は古い友人に長い手紙を書きました。", "冬の間、川の水はとても冷たいです。"),
}  # fmt: skip
"""The same four sentences in each language."""


@dataclass(frozen=True)
class Forms:
    """What to put into such a run folder."""

    items: int = 40
    codes: tuple[str, ...] = ("en", "es", "ja")
    models: dict[str, str] = field(default_factory=lambda: dict(MODELS))
    wordings: tuple[str, ...] = ("native", "native-2", "native-3", "english")
    orders: int = 4
    """Orders of the four options."""
    cluster: int | None = 4
    """Items to a passage or document; none where tasks name no such thing."""
    main: tuple[PromptForm, ...] = (PromptForm.NATIVE,)
    pick: Callable[[Cell, int], int] | None = None
    """The original option that is picked for an item, in place of a random one; the right one is index % 4."""
    write: Callable[[Cell, int], str] | None = None
    """What is written for an item, in place of something near the right text."""


def build_forms(path: Path, plan: Forms | None = None) -> Path:
    """Write a run folder with the groups `toy_reading`, `toy_answers` and `toy_translation`, and return it."""
    plan = plan or Forms()
    tasks = {one.name: one for code in plan.codes for one in _tasks(plan, code)}
    cells = tuple(
        cell_of(Plan(items=plan.items), model, one, form)
        for model in plan.models
        for one in tasks.values()
        for form in _forms(plan, one)
    )
    known = Plan(items=plan.items, codes=plan.codes, models=plan.models, forms=plan.main, holes=False, limit=None)
    manifest = manifest_of(known, tasks, cells, ())
    sweep = manifest.sweep.model_copy(
        update={"all_wordings": ("toy_reading",), "option_orders": ("toy_reading",), "tasks": ("core",)}
    )
    with RunWriter(path) as writer:
        writer.write_manifest(manifest.model_copy(update={"sweep": sweep}))
        for i, cell in enumerate(cells):
            made = _records(plan, cell, tasks[cell.task], np.random.default_rng(900 + i))
            for chunk in range(cell.chunks):
                inside = set(cell.chunk(chunk))
                kept = [r for r in made if r.item_index in inside]
                writer.write_chunk(cell, chunk, kept, wall_s=1.0, tokens=100)
            writer.finish(cell, CellStatus.DONE)
    return path


def _tasks(plan: Forms, code: str) -> tuple[Task, ...]:
    shared = {"items": plan.items, "cluster_column": "document" if plan.cluster else None}
    reading = task(
        f"toy_reading_{code}", code, "toy_reading", family="reading", chance=0.25, wordings=plan.wordings,
        listed_options=4, primary_why="Letters are all one character, so that length plays no part.", **shared,
    )  # fmt: skip
    written = {"chance": None, "output_type": "generate_until", **shared}
    answers = task(f"toy_answers_{code}", code, "toy_answers", family="extraction", primary_metric="f1", **written)
    translation = task(
        f"toy_translation_{code}", code, "toy_translation", family="translation", primary_metric="chrf_pp", **written
    )
    return reading, answers, translation


def _forms(plan: Forms, one: Task) -> list[PromptForm]:
    forms = list(plan.main)
    if one.listed_options:
        forms += [PromptForm.make(w, chat=form.chat) for form in plan.main for w in plan.wordings]
        forms += [
            PromptForm.make(form.wording, chat=form.chat, rotation=k)
            for form in plan.main
            for k in range(1, plan.orders)
        ]
    return list(dict.fromkeys(forms))


def _records(plan: Forms, cell: Cell, one: Task, rng: np.random.Generator) -> list[Record]:
    out = []
    for index in cell.item_indices:
        if one.listed_options:
            right = index % 4
            option = plan.pick(cell, index) if plan.pick else right if rng.random() < 0.5 else int(rng.integers(4))
            made = picked_record(index, option, cell.prompt_form.rotation)
        else:
            target = SENTENCES[one.language][index % 4]
            near = target[: int(rng.integers(len(target) // 2, len(target) + 1))]
            made = written_record(index, plan.write(cell, index) if plan.write else near, target)
        doc = json.dumps({"document": f"d{index // plan.cluster}"} if plan.cluster else {"text": "…"})
        out.append(made.model_copy(update={"doc": doc}))
    return out


def picked_record(index: int, option: int, rotation: int, options: int = 4) -> Record:
    """Return the record of an item of listed options, listed from option `rotation` on; option index % options is right."""
    place, gold = (option - rotation) % options, (index % options - rotation) % options
    logprobs = tuple(-0.5 if i == place else -2.0 - 0.1 * i for i in range(options))
    changes = {"target": str(gold), "prediction": place, "logprobs": logprobs}
    return record(index, score=float(place == gold), choices=LETTERS[:options], **changes)


def written_record(index: int, output: str, target: str, limit: int = 12) -> Record:
    """Return the record of a written answer; each word is a token."""
    arguments = json.dumps([["…", {"until": ["\n"], "max_gen_toks": limit}]])
    right = float(output.strip() == target)
    return record(index, score=right, choices=("x",)).model_copy(
        update={
            "choices": (), "logprobs": (), "greedy": (), "prediction": None, "target": target, "output": output,
            "answer_tokens": (len(output.split()),), "arguments": arguments, "metrics": {"score": right},
        }
    )  # fmt: skip
