"""From a sweep to an ordered list of cells, or a reason why a cell cannot be run; with a rough estimate of the cost."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.fetch import Progress, fetch_model, is_cached
from evalsuite.catalog.gguf import check_gguf
from evalsuite.catalog.languages import resolve_languages
from evalsuite.catalog.load import Catalog
from evalsuite.catalog.models import resolve_model
from evalsuite.catalog.tasks import asked_columns, named, names_of, resolve_tasks
from evalsuite.errors import DataMissingError, FetchError, InputError, suggest
from evalsuite.records import DEQUANTISED, Cell, Language, Model, PromptForm, Skip, Sweep, Task, digest

__all__ = ["CHUNK_ITEMS", "Estimate", "Plan", "PlannedModel", "limit_of", "make_plan", "prepare_models", "sample"]

CHUNK_ITEMS = 16
"""Items that are asked for and stored together."""
_BYTES_PER_TOKEN = 3.0
_UNKNOWN_ITEM_BYTES = 300.0
_FLOPS_PER_CORE = 2.0e10
"""Roughly what quantised kernels reach on one desktop core; only for estimates."""


@dataclass(frozen=True)
class PlannedModel:
    """A model of the sweep, and its file where it is at hand."""

    model: Model
    path: Path | None
    has_chat_template: bool | None = None
    problem: str | None = None
    """Why its cells cannot be run."""
    fix: str = "fetch the model, then run again"
    """What to do about the problem."""
    made: bool = False
    """Whether it is made of another model of the sweep, and so not named there itself."""


@dataclass(frozen=True)
class Estimate:
    """What a cell may cost; a guess from sizes, to be shown as one."""

    tokens: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """What will be run, in order, and what will not."""

    sweep: Sweep
    cells: tuple[Cell, ...]
    skips: tuple[Skip, ...]
    models: Mapping[str, PlannedModel]
    tasks: Mapping[str, Task]
    languages: Mapping[str, Language]
    estimates: Mapping[str, Estimate]
    """By cell id."""
    trained: Mapping[str, Model] = field(default_factory=dict)
    """Baselines, whose cells stand behind those of the models."""


@dataclass(frozen=True)
class _TaskItems:
    task: Task
    indices: tuple[int, ...]
    total: int
    bytes_per_item: float


def prepare_models(
    sweep: Sweep, catalog: Catalog, *, offline: bool, download: bool, progress: Progress | None = None
) -> dict[str, PlannedModel]:
    """Return the models of a sweep with their files, checked.

    Args:
        sweep: Names the models.
        catalog: Explains the names.
        offline: Whether the network may not be used.
        download: Whether a file that is not at hand is fetched; otherwise its path stays unknown.
        progress: Is told about downloads.

    Raises:
        InputError: A model is unknown.
        ModelFileError: A file is no usable GGUF.
        FetchError: The only model of the sweep cannot be had, or a file is not the one that the catalog names.
    """
    resolved = [resolve_model(ref, catalog.models) for ref in sweep.models]
    for model in resolved:
        _check_compute(model)
    planned: dict[str, PlannedModel] = {}
    for model in resolved:
        name = _shown(model).name
        if name in planned:
            raise InputError(f"two models are named {name!r}", fix="give one a `name` of its own in the sweep file")
        if not download and not is_cached(model):
            planned[name] = PlannedModel(_shown(model), None)
            continue
        try:
            fetched = fetch_model(model, offline=offline, progress=progress)
        except FetchError as error:
            if len(resolved) == 1:
                raise
            planned[name] = PlannedModel(_shown(model), None, problem=str(error.problem))
            continue
        source = model.source
        if fetched.revision and source.kind == "hf":
            source = source.model_copy(update={"revision": fetched.revision})
        update: dict[str, Any] = {"sha256": fetched.sha256, "bytes": fetched.bytes, "source": source}
        template: bool | None = None
        if model.backend == "llamacpp":
            info = check_gguf(fetched.path)
            template = info.chat_template is not None
            update["parameters"] = model.parameters or info.parameters
            update["quantisation"] = model.quantisation or info.quantisation
            update["context"] = model.context or info.context
            update["stored_as"] = info.stored_as
        planned[name] = PlannedModel(_shown(model.model_copy(update=update)), fetched.path, template)
    return planned


def _check_compute(model: Model) -> None:
    compute = model.options.get("compute", "stored")
    if compute not in ("stored", "dequantised"):
        raise InputError(f"{model.name}: compute is {compute!r}", fix="give `stored` or `dequantised`")
    if compute == "dequantised" and model.backend != "llamacpp":
        raise InputError(
            f"{model.name}{DEQUANTISED}: the backend {model.backend!r} has no quantised kernels to leave out",
            fix=f"write {model.name}; only models of llama.cpp can be dequantised",
        )


def _shown(model: Model) -> Model:
    """Return a model under the name and title of its results; a dequantised one must not pass for the stored one."""
    if model.options.get("compute") != "dequantised":
        return model
    stored = model.quantisation or "the stored weights"
    return model.model_copy(
        update={
            "name": f"{model.name}{DEQUANTISED}",
            "title": f"{model.title}, dequantised",
            "quantisation": f"{stored}, computed in float32",
        }
    )


def make_plan(
    sweep: Sweep,
    catalog: Catalog,
    finder: DataFinder,
    models: Mapping[str, PlannedModel],
    *,
    download: bool = True,
    cores: int = 1,
) -> Plan:
    """Return the cells of a sweep: model by model, and within a model task group by task group.

    Args:
        sweep: What is asked for.
        catalog: Languages and tasks.
        finder: Finds the data.
        models: From `prepare_models`.
        download: Whether data may be downloaded from the hub; without it a plan can be shown, not run.
        cores: Cores of this machine, for the estimate.

    Raises:
        InputError: A language, task or reference is unknown.
    """
    languages = resolve_languages(sweep.languages, catalog.languages)
    if sweep.reference is not None:
        reference = resolve_languages([sweep.reference], catalog.languages)[0].code
        sweep = sweep.model_copy(update={"reference": reference})
    tasks, missing = resolve_tasks(sweep.tasks, languages, catalog.tasks)
    _check_names(sweep, catalog)
    skips = [
        Skip(model=None, task=name, language=code, reason="no such task in this language") for name, code in missing
    ]
    items: list[_TaskItems] = []
    for task in tasks:
        try:
            items.append(_items(task, finder, sweep, limit_of(task, sweep, catalog.tasks), download=download))
        except DataMissingError as error:
            skips.append(Skip(model=None, task=task.name, language=task.language, reason=error.problem, fix=error.fix))
    forms = {found.task.name: _forms(found.task, sweep, catalog.tasks) for found in items}
    cells: list[Cell] = []
    estimates: dict[str, Estimate] = {}
    for planned in models.values():
        for found in items:
            for form in forms[found.task.name]:
                reason = _refusal(planned, found.task, form)
                if reason is not None:
                    skips.append(_skip(planned.model, found.task, *reason))
                    continue
                cell = _cell(planned.model, found, form, sweep)
                cells.append(cell)
                estimates[cell.id] = _estimate(planned.model, found, cores)
    return Plan(
        sweep=sweep,
        cells=tuple(cells),
        skips=tuple(skips),
        models=models,
        tasks={found.task.name: found.task.model_copy(update={"items": found.total}) for found in items},
        languages={language.code: language for language in _with_references(languages, sweep, catalog)},
        estimates=estimates,
    )


def sample(ids: Sequence[str], limit: int | None, seed: int) -> tuple[int, ...]:
    """Return the positions of a sample, in order; equal ids are drawn alike in every language of a parallel group."""
    if limit is None or limit >= len(ids):
        return tuple(range(len(ids)))
    ranked = sorted(range(len(ids)), key=lambda i: (hashlib.sha256(f"{seed}:{ids[i]}".encode()).digest(), i))
    return tuple(sorted(ranked[:limit]))


def limit_of(task: Task, sweep: Sweep, tasks: Mapping[str, Task]) -> int | None:
    """Return how many items of a task a sweep takes; none: all. The narrowest name counts: task, group, family, suite."""
    for name in names_of(task):
        if name in sweep.limits_of and _meant([name], task, tasks):
            return sweep.limits_of[name]
    return sweep.limit


def _items(task: Task, finder: DataFinder, sweep: Sweep, limit: int | None, *, download: bool) -> _TaskItems:
    located = finder.locate(task)
    if located.data.found == "hub" and not download:
        total = task.items or 0
        return _TaskItems(located, tuple(range(min(total, limit or total))), total, _UNKNOWN_ITEM_BYTES)
    split = finder.load(located)[task.data.split]
    indices = sample(finder.item_ids(located), limit, sweep.seed)
    probe = range(0, len(split), max(1, len(split) // 20))
    asked = asked_columns(located)
    # A name that is no column is made from others by the task's own function.
    rows = split.select_columns(sorted(asked)) if asked and asked <= set(split.column_names) else split
    size = sum(len(str(value).encode()) for i in probe for value in rows[i].values()) / max(1, len(probe))
    return _TaskItems(located, indices, len(split), size)


def _check_names(sweep: Sweep, catalog: Catalog) -> None:
    """Refuse what would quietly do nothing: names that mean no task, options that no prompt lists."""
    for option in ("limits_of", "all_wordings", "option_orders"):
        for name in getattr(sweep, option):
            meant = named(name, catalog.tasks.values())
            if not meant:
                known = {known for task in catalog.tasks.values() for known in names_of(task)}
                fix = suggest(name, known, kind="task", show="evalsuite tasks list")
                raise InputError(f"{option}: unknown task {name!r}", fix=fix)
            if option == "option_orders" and not any(task.listed_options for task in meant):
                listed = sorted(
                    {task.parallel_group or task.name for task in catalog.tasks.values() if task.listed_options}
                )
                raise InputError(
                    f"option_orders: {name!r} lists no options in its prompts, so their order cannot matter",
                    fix=f"leave it out; prompts that list options: {', '.join(listed)}",
                )


def _forms(task: Task, sweep: Sweep, tasks: Mapping[str, Task]) -> list[PromptForm]:
    """Return the forms that a task is asked in: those of the sweep, and what the sweep asks of this task beyond them."""
    forms = list(sweep.prompt_forms)
    if _meant(sweep.all_wordings, task, tasks):
        forms += [PromptForm.make(wording, chat=form.chat) for form in sweep.prompt_forms for wording in task.wordings]
    if task.listed_options and _meant(sweep.option_orders, task, tasks):
        turns = range(1, task.listed_options)
        forms += [PromptForm.make(f.wording, chat=f.chat, rotation=turn) for f in sweep.prompt_forms for turn in turns]
    return list(dict.fromkeys(forms))


def _meant(names: Sequence[str], task: Task, tasks: Mapping[str, Task]) -> bool:
    """Return whether one of the names means the task; a name that is a group's means no other task of that family."""
    return any(task.name == other.name for name in names for other in named(name, tasks.values()))


def _refusal(planned: PlannedModel, task: Task, form: PromptForm) -> tuple[str, str | None] | None:
    if planned.problem is not None:
        return planned.problem, planned.fix
    if form.wording not in task.wordings:
        return f"the task has no wording {form.wording!r}, only {', '.join(task.wordings)}", None
    if form.chat and task.only_read:
        return "whole texts are read as they are, in no chat template", None
    if form.chat and planned.has_chat_template is False:
        return "the model has no chat template", "use an instruction-tuned model, or the prompt form `native`"
    return None


def _skip(model: Model, task: Task, reason: str, fix: str | None) -> Skip:
    return Skip(model=model.name, task=task.name, language=task.language, reason=reason, fix=fix)


def _cell(model: Model, found: _TaskItems, form: PromptForm, sweep: Sweep) -> Cell:
    task = found.task
    sha256 = model.sha256 or digest(str(model.source))
    options = {**model.options, **({"threads": sweep.threads} if sweep.threads else {})}
    # What the score depends on; threads do not change which cell this is.
    identity = digest(
        {
            "model": [sha256, model.backend, model.options],
            "task": [task.name, task.sha256, task.data.sha256, task.data.revision],
            "prompt_form": form.value,
            "items": [found.indices, CHUNK_ITEMS],
        }
    )
    return Cell(
        id=f"{model.name[:40]}.{task.name[:60]}.{form.value}.{identity[:10]}",
        model=model.name,
        model_sha256=sha256,
        task=task.name,
        task_sha256=task.sha256,
        language=task.language,
        prompt_form=form,
        item_indices=found.indices,
        chunk_size=CHUNK_ITEMS,
        options=options,
    )


def _estimate(model: Model, found: _TaskItems, cores: int) -> Estimate:
    tokens = round(len(found.indices) * found.bytes_per_item / _BYTES_PER_TOKEN)
    flops = 2.0 * (model.parameters or 10**9)
    return Estimate(tokens=tokens, seconds=tokens * flops / (_FLOPS_PER_CORE * cores))


def _with_references(languages: Sequence[Language], sweep: Sweep, catalog: Catalog) -> list[Language]:
    """Add the languages that gaps are taken against, so that the report can name them."""
    codes = [language.code for language in languages]
    wanted = {sweep.reference} if sweep.reference else {language.reference for language in languages}
    return [*languages, *(catalog.languages[code] for code in sorted(c for c in wanted if c) if code not in codes)]
