"""Builds run folders with made-up items of growing length, for tests of what reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalsuite.records import BEYOND_CONTEXT, CellStatus, CurvePoint, PromptForm, Record
from evalsuite.store import RunWriter
from tests.synthetic import MODELS, Plan, cell_of, manifest_of, record, task
from tests.synthetic_profile import MIB, DevicePlan, build_profiles

__all__ = ["CODES", "CURVE", "DEPTHS", "SIZES", "TAX", "Lengths", "build_lengths", "is_right"]

CODES = ("en", "es", "ja")
SIZES = (512, 2048, 8000)
DEPTHS = (0.125, 0.375, 0.625, 0.875)
TAX = {"en": 1.0, "es": 1.5, "ja": 2.0}
CONTEXT = 8192
CURVE = (
    CurvePoint(tokens=256, prefill_s=1.0, kv_bytes=2 * MIB, compute_bytes=3 * MIB, peak_rss=200 * MIB),
    CurvePoint(tokens=1024, prefill_s=5.0, kv_bytes=8 * MIB, compute_bytes=3 * MIB, peak_rss=210 * MIB),
    CurvePoint(tokens=8192, prefill_s=80.0, kv_bytes=64 * MIB, compute_bytes=3 * MIB, peak_rss=280 * MIB),
)


@dataclass(frozen=True)
class Lengths:
    """What to put into a run folder."""

    codes: tuple[str, ...] = CODES
    context: int = CONTEXT
    """Items of more tokens are not asked."""
    profile: bool = True
    title: str = "One"


def build_lengths(path: Path, plan: Lengths | None = None) -> Path:
    """Write a run folder of two models and one group of 24 items in each language, and return it."""
    plan = plan or Lengths()
    known = Plan(items=24, codes=plan.codes, limit=None, holes=False, models=_titles(plan))
    tasks = {
        f"toy_long_{code}": task(
            f"toy_long_{code}", code, "toy_long", family="long", chance=None, primary_metric="exact_match",
            output_type="generate_until", items=24, cluster_column="document", id_column="id",
        )
        for code in plan.codes
    }  # fmt: skip
    cells = tuple(cell_of(known, model, one, PromptForm.NATIVE) for model in MODELS for one in tasks.values())
    with RunWriter(path) as writer:
        writer.write_manifest(manifest_of(known, tasks, cells, ()))
        for cell in cells:
            made = [_record(plan, index, cell.language, cell.model) for index in cell.item_indices]
            writer.write_chunk(cell, 0, made[:20], wall_s=1.0, tokens=100)
            writer.write_chunk(cell, 1, made[20:], wall_s=1.0, tokens=100)
            writer.finish(cell, CellStatus.DONE)
    if plan.profile:
        # Of one model only: the other has no times.
        first = dict(list(_titles(plan).items())[:1])
        device = DevicePlan(codes=("en",), models=first, meter=None, rounds=1, facts={"curve": CURVE})
        build_profiles(path, replace(device))
    return path


def _titles(plan: Lengths) -> dict[str, str]:
    return {model: f"{plan.title} {place}" for place, model in enumerate(MODELS, start=1)}


def is_right(index: int, code: str, model: str) -> bool:
    """Tell whether a model is right: the further down and the longer, the seldomer."""
    size, depth = SIZES.index(SIZES[index // 8]), DEPTHS.index(DEPTHS[index % 4])
    return (index * 7 + 3 * len(code + model) + TAX[code] * 5) % 12 > 2 * size + depth


def _record(plan: Lengths, index: int, code: str, model: str) -> Record:
    size, number, place = SIZES[index // 8], index // 4 % 2 + 1, index % 4
    tokens = round(size * TAX[code])
    name = f"{size:04d}-d{number}"
    doc: dict[str, Any] = {"id": f"{name}-n{place + 1}", "size": size, "depth": DEPTHS[place], "document": name}
    beyond = tokens > plan.context
    score = None if beyond else float(is_right(index, code, model))
    metrics = {BEYOND_CONTEXT: {"needs_tokens": tokens + 24, "context_tokens": plan.context}}
    return record(
        index, score=score, item_id=doc["id"], choices=(" ", "x"), context_tokens=tokens, doc=json.dumps(doc),
    ).model_copy(
        update={
            "choices": (), "logprobs": (), "greedy": (), "prediction": None, "target": "4821", "answer_tokens": (2,),
            "output": None if beyond else "4821" if score else "1234",
            "metrics": metrics if beyond else {"exact_match": score},
        }
    )  # fmt: skip
