"""Adds the baselines that a sweep asks for to its plan: classifiers, trained for each task that says what on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from evalsuite.backends.trained import BASELINES, baseline_model, baseline_of
from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.load import Catalog
from evalsuite.errors import DataMissingError, InputError
from evalsuite.plan import CHUNK_ITEMS, Estimate, Plan, limit_of, sample
from evalsuite.records import Cell, Model, PromptForm, Skip, Sweep, Task, TrainedOn, digest

__all__ = ["BASELINE_NAMES", "check_baselines", "with_baselines"]

BASELINE_NAMES = tuple(BASELINES)
"""Every baseline, in the order in which they are run and shown."""
_SECONDS = 5.0
"""Roughly what training takes; only for estimates."""


def check_baselines(sweep: Sweep) -> None:
    """Refuse names of baselines that mean nothing, or that a model of the sweep has too.

    Raises:
        InputError: There is such a name.
    """
    for name in sweep.baselines:
        baseline_of(name)
        if any(f"{ref.name}{ref.compute}" == name for ref in sweep.models):
            raise InputError(
                f"a model of the sweep has the name of the baseline {name!r}", fix="give the model another `name`"
            )


def with_baselines(plan: Plan, catalog: Catalog, finder: DataFinder, *, download: bool = True) -> Plan:
    """Return a plan with the cells of the sweep's baselines behind those of its models.

    A baseline reads no prompt, so that it has one cell for each task, whatever the sweep's prompt forms. Tasks that do
    not say what a classifier could be trained on have none.

    Args:
        plan: Of the models.
        catalog: Explains what a task is called.
        finder: Finds the data.
        download: Whether data may be downloaded from the hub.

    Raises:
        InputError: A name is unknown, or no task of the sweep says what a classifier could be trained on.
    """
    sweep = plan.sweep
    if not sweep.baselines:
        return plan
    check_baselines(sweep)
    lost = [catalog.tasks[skip.task] for skip in plan.skips if skip.task in catalog.tasks]
    if sweep.tasks and not any(task.trained_on for task in (*plan.tasks.values(), *lost)):
        known = sorted({task.parallel_group or task.name for task in catalog.tasks.values() if task.trained_on})
        raise InputError(
            f"baselines: none of the tasks says what a classifier could be trained on ({', '.join(sweep.tasks)})",
            fix=f"leave `baselines` out, or add one of these tasks: {', '.join(known)}",
        )
    models = {name: baseline_model(name, sweep.seed) for name in sweep.baselines}
    tasks, skips, cells = dict(plan.tasks), list(plan.skips), []
    for task in plan.tasks.values():
        if task.trained_on is None:
            continue
        try:
            tasks[task.name] = located = _located(task, task.trained_on, finder)
            indices = _indices(located, limit_of(task, sweep, catalog.tasks), finder, sweep.seed, download=download)
            problem = None if located.data.found == "hub" and not download else _too_few(located, finder)
        except DataMissingError as error:
            skips += [_skip(name, task, f"no data to train on: {error.problem}", error.fix) for name in models]
            continue
        if problem:
            skips += [_skip(name, task, problem, "add items of that class") for name in models]
            continue
        cells += [_cell(model, located, indices) for model in models.values()]
    if not cells and len(skips) == len(plan.skips):
        return plan
    ordered = sorted(cells, key=lambda cell: sweep.baselines.index(cell.model))
    return replace(
        plan,
        cells=(*plan.cells, *ordered),
        skips=tuple(skips),
        tasks=tasks,
        estimates={**plan.estimates, **{cell.id: Estimate(0, _SECONDS) for cell in ordered}},
        trained=models,
    )


def _located(task: Task, on: TrainedOn, finder: DataFinder) -> Task:
    """Return the task with the hash of what is trained on.

    Raises:
        DataMissingError: The training split is in no place that may be asked.
    """
    if on.split is None:
        return task
    split = task.data.model_copy(update={"split": on.split, "sha256": None})
    found = finder.locate(task.model_copy(update={"data": split}))
    return task.model_copy(update={"trained_on": on.model_copy(update={"sha256": found.data.sha256})})


def _indices(task: Task, limit: int | None, finder: DataFinder, seed: int, *, download: bool) -> tuple[int, ...]:
    if task.data.found == "hub" and not download:
        return tuple(range(min(task.items or 0, limit or task.items or 0)))
    return sample(finder.item_ids(task), limit, seed)


def _too_few(task: Task, finder: DataFinder) -> str | None:
    """Return why the items cannot be dealt into folds; a label that the data lacks is the worker's to report."""
    on = task.trained_on
    rows = finder.load(task)[task.data.split]
    if on is None or on.folds is None or on.label not in rows.column_names:
        return None
    counts = Counter(map(str, rows[on.label]))
    if len(counts) < 2:
        return f"a classifier needs items of two classes; all are of: {', '.join(counts)}"
    alone = sorted(label for label, n in counts.items() if n < 2)
    if not alone:
        return None
    return f"cross-validation needs two items of every class; there is only one of: {', '.join(alone[:3])}"


def _cell(model: Model, task: Task, indices: Sequence[int]) -> Cell:
    assert model.sha256 is not None
    trained_on = task.trained_on.sha256 if task.trained_on else None
    identity = digest(
        {
            "model": [model.sha256, model.backend, model.options],
            "task": [task.name, task.sha256, task.data.sha256, task.data.revision, trained_on],
            "items": [indices, CHUNK_ITEMS],
        }
    )
    return Cell(
        id=f"{model.name}.{task.name[:60]}.{PromptForm.NATIVE}.{identity[:10]}",
        model=model.name,
        model_sha256=model.sha256,
        task=task.name,
        task_sha256=task.sha256,
        language=task.language,
        prompt_form=PromptForm.NATIVE,
        item_indices=tuple(indices),
        chunk_size=CHUNK_ITEMS,
        options=model.options,
    )


def _skip(name: str, task: Task, reason: str, fix: str | None) -> Skip:
    return Skip(model=name, task=task.name, language=task.language, reason=reason, fix=fix)
