"""A made-up run folder of a million item records in realistic shape, for the benchmark of the analysis.

Five models on 29 groups of tasks in seven languages. The columns that the analysis reads are as long as in real runs,
the items of a group are the same in all languages, and scores, predictions and log-probabilities agree. Only `responses`
and `filtered`, which repeat the log-probabilities as JSON and which no table reads, are left empty.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evalsuite.catalog.load import load_catalog
from evalsuite.records import (
    Cell,
    CellResult,
    CellStatus,
    DataRef,
    Device,
    Language,
    Manifest,
    Model,
    ModelRef,
    PromptForm,
    Source,
    Sweep,
    Task,
    digest,
)
from evalsuite.store import RunWriter, _schema

CODES = ("en", "es", "pt", "ca", "gl", "eu", "ja")
MODELS = ("small-135m", "small-360m", "middle-600m", "middle-1b", "large-3b")
WORDS = {
    "en": "the library opens at nine in morning and bus to airport leaves every hour she wrote a long letter her old friend",
    "es": "la biblioteca abre a las nueve de mañana y el autobús al aeropuerto sale cada hora ella escribió una carta larga",
    "pt": "a biblioteca abre às nove da manhã e o autocarro para aeroporto sai de hora em ela escreveu uma carta longa ao seu",
    "ca": "la biblioteca obre a les nou del matí i l'autobús cap aeroport surt cada hora ella va escriure una carta molt llarga",
    "gl": "a biblioteca abre ás nove da mañá e o autobús ao aeroporto sae cada hora ela escribiu unha carta longa súa vella amiga",
    "eu": "liburutegia goizeko bederatzietan irekitzen da eta aireporturako autobusa orduro ateratzen gutun luze bat idatzi zion",
    "ja": "図書館 は 朝 九時 に 開きます 空港 行き の バス は 一時間 ごとに 出ます 彼女 古い 友人 長い 手紙 を 書きました 冬",
}
SKILL = {"en": 0.25, "es": 0.15, "pt": 0.14, "ca": 0.1, "gl": 0.09, "eu": 0.0, "ja": 0.08}
TAX = {"en": 1.0, "es": 1.3, "pt": 1.3, "ca": 1.5, "gl": 1.45, "eu": 1.7, "ja": 1.9}


@dataclass(frozen=True)
class Group:
    """Tasks of one kind, one in each language."""

    name: str
    family: str
    items: int
    choices: int
    """0: the answers are written."""
    words: int
    """Length of an item's text."""
    fixed: bool = False
    """Whether all items offer the same choices."""
    letters: bool = False
    """Whether choices are letters of options that the prompt lists."""
    cluster: int = 0
    """Items to a passage; 0: items stand alone."""
    prior: bool = False
    metric: str = "acc"
    forms: tuple[str, ...] = ("native",)


def groups() -> list[Group]:
    """Return the groups; with seven languages and five models they hold 1,000,020 items."""
    turned = ("native", "native-2", "native-3", "english", "native~1", "native~2", "native~3")
    return [
        Group("topics", "classification", 1000, 7, 25, fixed=True),
        Group("intents", "classification", 1000, 20, 12, fixed=True),
        Group("sentiment", "classification", 1000, 3, 30, fixed=True),
        Group("messages", "labels", 1000, 12, 25, fixed=True),
        Group("many_messages", "labels", 1000, 48, 25, fixed=True, prior=True),
        *(Group(f"nli_{i}", "nli", 1000, 3, 40, fixed=True) for i in range(3)),
        *(Group(f"grammar_{i}", "grammar", 1000, 2, 10) for i in range(2)),
        *(Group(f"choice_{i}", "choice", 1100, 4, 30, metric="acc_norm") for i in range(4)),
        Group("choice_4", "choice", 922, 4, 30, prior=True, metric="acc_mutual_info"),
        *(Group(f"facts_{i}", "facts", 1000, 4, 12, prior=True) for i in range(4)),
        *(Group(f"knowledge_{i}", "choice", 1100, 4, 60, letters=True) for i in range(3)),
        *(Group(f"passages_{i}", "reading", 900, 4, 120, letters=True, cluster=2) for i in range(2)),
        *(Group(f"questions_{i}", "reading", 1000, 4, 120, cluster=5, metric="acc_norm") for i in range(2)),
        Group("turned", "choice", 250, 4, 40, letters=True, forms=turned),
        Group("extracts", "extraction", 300, 0, 120, cluster=5, metric="f1"),
        Group("translations", "translation", 100, 0, 25, cluster=4, metric="chrf_pp"),
    ]


def build(path: Path, share: float = 1.0, most: int | None = None) -> int:
    """Write the folder and return its number of records.

    Args:
        path: A folder that is not there yet.
        share: Of each task's items, 0 to 1.
        most: Groups to make, of families in turn; by default all.
    """
    made = groups() if most is None else _mixed(groups())[:most]
    catalog = load_catalog()
    languages = {code: catalog.languages[code] for code in CODES}
    tasks = {f"{g.name}_{code}": _task(g, code, share) for g in made for code in CODES}
    cells = tuple(
        _cell(model, tasks[f"{g.name}_{code}"], PromptForm(form), _size(g, share))
        for model in MODELS
        for g in made
        for code in CODES
        for form in g.forms
    )
    by_task: dict[str, list[Cell]] = {}
    for cell in cells:
        by_task.setdefault(cell.task, []).append(cell)
    with RunWriter(path) as writer:
        writer.write_manifest(_manifest(languages, tasks, cells))
        for i, (group, code) in enumerate((g, code) for g in made for code in CODES):
            rng = np.random.default_rng(i)
            items = _items(group, code, _size(group, share), rng)
            for cell in by_task[f"{group.name}_{code}"]:
                _write(writer, group, cell, items, np.random.default_rng([i, *cell.id.encode()]))
    return sum(len(cell.item_indices) for cell in cells)


def _mixed(every: Sequence[Group]) -> list[Group]:
    """Return the groups such that the first few are of as many families as there are."""
    seen: dict[str, int] = {}
    turns = []
    for group in every:
        seen[group.family] = seen.get(group.family, 0) + 1
        turns.append(seen[group.family])
    return [group for _, group in sorted(zip(turns, every, strict=True), key=lambda one: one[0])]


def _size(group: Group, share: float) -> int:
    return max(20, round(group.items * share))


def _task(group: Group, code: str, share: float) -> Task:
    name = f"{group.name}_{code}"
    return Task(
        name=name, language=code, family=group.family, suite=("core",), parallel_group=group.name, id_column="id",
        output_type="multiple_choice" if group.choices else "generate_until", primary_metric=group.metric,
        chance=1 / group.choices if group.choices else None, licence="CC0-1.0", source="made up for a benchmark",
        data=DataRef(kind="shipped", path="data", split="test"), items=_size(group, share), wordings=("native", "native-2"),
        listed_options=group.choices if group.letters else None, cluster_column="passage" if group.cluster else None,
        path=Path(f"tasks/{name}.yaml"), sha256=digest(["task", name]),
    )  # fmt: skip


def _cell(model: str, task: Task, form: PromptForm, size: int) -> Cell:
    return Cell(
        id=f"{model}.{task.name}.{form.value.replace('~', '-turn-')}", model=model, model_sha256=digest(model), task=task.name,
        task_sha256=task.sha256, language=task.language, prompt_form=form, item_indices=tuple(range(size)), chunk_size=16,
    )  # fmt: skip


def _manifest(languages: dict[str, Language], tasks: dict[str, Task], cells: tuple[Cell, ...]) -> Manifest:
    models = {
        name: Model(
            name=name, backend="llamacpp", title=name, licence="Apache-2.0", quantisation="Q4_K_M", context=8192,
            sha256=digest(name), source=Source(kind="file", path=Path(f"{name}.gguf")),
        )
        for name in MODELS
    }  # fmt: skip
    return Manifest(
        created="2026-04-01T09:30:00Z", evalsuite="0.0.0", versions={"lm-eval": "0.4.13"},
        device=Device(cpu="Example", architecture="x86_64", cores_physical=2, cores_logical=4, ram_bytes=16 * 2**30,
                      os="Linux", kernel="6.1", governor=None),
        sweep=Sweep(name="big", models=tuple(ModelRef(name=name) for name in MODELS), tasks=("core",), languages=CODES,
                    all_wordings=("turned",), option_orders=("turned",)),
        command="evalsuite run big.yaml", models=models, tasks=tasks, languages=languages, cells=cells,
    )  # fmt: skip


def _texts(code: str, lengths: Sequence[int], rng: np.random.Generator) -> list[str]:
    words = WORDS[code].split()
    space = "" if code == "ja" else " "
    drawn = rng.integers(0, len(words), sum(lengths)).tolist()
    ends = np.cumsum(lengths).tolist()
    return [space.join(words[w] for w in drawn[end - n : end]) for n, end in zip(lengths, ends, strict=True)]


def _items(group: Group, code: str, n: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return what the items of a task are, whatever the model; most of it as columns of the store."""
    shared = np.random.default_rng([len(group.name), *group.name.encode()])  # the same for all languages
    lengths = shared.integers(max(3, group.words // 2), group.words * 3 // 2 + 2, n)
    right = shared.integers(0, max(1, group.choices), n)
    ease = shared.normal(0, 1, n)
    bodies = _texts(code, (lengths if not group.cluster else lengths[np.arange(n) // group.cluster]).tolist(), rng)
    if group.cluster:
        bodies = [bodies[i // group.cluster * group.cluster] for i in range(n)]
    asked = _texts(code, shared.integers(4, 14, n).tolist(), rng)
    contexts = [f"{body}\n{question}:" for body, question in zip(bodies, asked, strict=True)]
    choices = _choices(group, code, n, shared, rng)
    targets = _texts(code, (shared.integers(2, 8, n) if group.family == "extraction" else lengths).tolist(), rng)
    docs = [
        {"id": f"item-{i:05d}", "text": bodies[i], "question": asked[i], "choices": choices[i], "gold": int(right[i])}
        | ({"passage": f"passage-{i // group.cluster:04d}"} if group.cluster else {})
        for i in range(n)
    ]
    arguments = [
        json.dumps([[c, f" {a}"] for a in options] if options else [[c, {"until": ["\n"], "max_gen_toks": 24}]])
        for c, options in zip(contexts, choices, strict=True)
    ]
    chars = np.array([len(c) for c in contexts])
    columns = {
        "item_id": [f"item-{i:05d}" for i in range(n)],
        "item_index": list(range(n)),
        "context": contexts,
        "choices": choices,
        "target": [str(r) for r in right.tolist()] if group.choices else targets,
        "context_chars": chars,
        "context_bytes": [len(c.encode()) for c in contexts],
        "doc": [json.dumps(doc, ensure_ascii=False) for doc in docs],
        "arguments": arguments,
        "doc_hash": [digest(doc) for doc in docs],
        "prompt_hash": [digest(c) for c in contexts],
        "target_hash": [digest(int(r)) for r in right],
    }
    return {
        "columns": {name: pa.array(values, _schema().field(name).type) for name, values in columns.items()},
        "right": right, "ease": ease, "chars": chars, "targets": targets,
        "lengths": np.array([[len(t) for t in row] for row in choices]) if group.choices else None,
    }  # fmt: skip


def _choices(group: Group, code: str, n: int, shared: np.random.Generator, rng: np.random.Generator) -> list[list[str]]:
    k = group.choices
    if not k:
        return [[]] * n
    if group.letters:
        return [list("ABCDEFGH"[:k])] * n
    if group.fixed:
        return [[f"{text} {i}" for i, text in enumerate(_texts(code, [1 + i % 2 for i in range(k)], rng))]] * n
    texts = _texts(code, shared.integers(2, 9, n * k).tolist(), rng)
    return [[f"{text} {i}" for i, text in enumerate(texts[j * k : j * k + k])] for j in range(n)]


def _write(writer: RunWriter, group: Group, cell: Cell, items: dict[str, Any], rng: np.random.Generator) -> None:
    n = len(cell.item_indices)
    columns = dict(items["columns"])
    skill = 0.25 * MODELS.index(cell.model) + 3 * SKILL[cell.language]
    columns |= _chosen(group, items, skill, rng) if group.choices else _written(cell, items, skill, rng)
    columns["context_tokens"] = pa.array(np.ceil(items["chars"] / 4 * TAX[cell.language]).astype(np.int32))
    columns |= {name: pa.array(["[]"] * n) for name in ("responses", "filtered")} | {"filter": pa.array(["none"] * n)}
    schema = _schema()
    table = pa.table(
        [columns[f.name].cast(f.type) if f.name in columns else pa.nulls(n, f.type) for f in schema], schema=schema
    )
    folder = writer.path / "cells" / cell.id
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "records.parquet", compression="zstd")
    result = CellResult(cell=cell, status=CellStatus.DONE, items=n, wall_s=10.0, tokens=int(items["chars"].sum()))
    (folder / "cell.json").write_text(result.model_dump_json(), encoding="utf-8")


def _lists(values: np.ndarray) -> pa.Array:
    n, k = values.shape
    return pa.ListArray.from_arrays(pa.array(np.arange(n + 1, dtype=np.int32) * k), pa.array(values.ravel()))


def _chosen(group: Group, items: dict[str, Any], skill: float, rng: np.random.Generator) -> dict[str, pa.Array]:
    n, k = len(items["right"]), group.choices
    logprobs = -0.8 * items["lengths"] + rng.normal(0, 2, (n, k))
    prior = -0.9 * items["lengths"] + rng.normal(0, 2, (n, k))
    logprobs[np.arange(n), items["right"]] += 1.5 * (skill + 0.5 * items["ease"])
    compared = {"acc_norm": logprobs / items["lengths"], "acc_mutual_info": logprobs - prior}.get(
        group.metric, logprobs
    )
    picked = compared.argmax(axis=1)
    score = (picked == items["right"]).astype(np.float64)
    return {
        "logprobs": _lists(logprobs),
        "greedy": _lists(np.zeros((n, k), dtype=bool)),
        "prior_logprobs": _lists(prior) if group.prior else pa.array([[]] * n, pa.list_(pa.float64())),
        "prediction": pa.array(picked.astype(np.int32)),
        "metrics": pa.array([json.dumps({group.metric: s}) for s in score.tolist()]),
        "score": pa.array(score),
        "answer_tokens": _lists(np.ceil(items["lengths"] / 4).astype(np.int32)),
    }


def _written(cell: Cell, items: dict[str, Any], skill: float, rng: np.random.Generator) -> dict[str, pa.Array]:
    n = len(items["right"])
    # Some answers are right, some are near, some are in another language.
    kinds = rng.random(n)
    other = _texts("en" if cell.language != "en" else "es", rng.integers(3, 20, n).tolist(), rng)
    near = _texts(cell.language, rng.integers(2, 20, n).tolist(), rng)
    texts = [
        right if kind < 0.1 + skill / 4 else strange if kind > 0.9 else f"{right[: len(right) // 2]} {mine}"
        for right, strange, mine, kind in zip(items["targets"], other, near, kinds, strict=True)
    ]
    # The F1 of a few words has few values, chrF has many.
    some = rng.beta(1, 3, n)
    score = np.where(
        kinds < 0.1 + skill / 4, 1.0, np.round(some * 12) / 12 if cell.task.startswith("extracts") else some
    )
    return {
        "logprobs": pa.array([[]] * n, pa.list_(pa.float64())),
        "greedy": pa.array([[]] * n, pa.list_(pa.bool_())),
        "prior_logprobs": pa.array([[]] * n, pa.list_(pa.float64())),
        "output": pa.array(texts),
        "metrics": pa.array([json.dumps({"f1": s}) for s in score.tolist()]),
        "score": pa.array(score),
        "answer_tokens": pa.array([[min(24, len(t) // 4 + 1)] for t in texts], pa.list_(pa.int32())),
    }
