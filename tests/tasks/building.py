"""What tests of tasks that the model writes need: a task built on the mirror or on stand-ins, and the helper modules."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from datasets import Dataset, DatasetDict

from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.tasks import load_tasks
from evalsuite.harness import BuiltTask, build_task
from evalsuite.records import PromptForm, Task
from tests.helpers import ROOT

TASKS = ROOT / "tasks"
MIRROR = Path(os.environ.get("EVALSUITE_DATA") or "/nowhere")


def needs(data: str) -> pytest.MarkDecorator:
    """Skip a test where the mirror, or this data set in it, is absent."""
    return pytest.mark.skipif(
        not (MIRROR / data).is_dir(), reason=f"no mirror with {data}: set EVALSUITE_DATA (docs/tasks.md)"
    )


@lru_cache(maxsize=1)
def catalog() -> dict[str, Task]:
    return load_tasks()


def group(tag: str) -> dict[str, Task]:
    """Return the tasks of a parallel group, by language."""
    found = {task.language: task for task in catalog().values() if task.parallel_group == tag}
    assert found, f"no task is in the parallel group {tag}"
    return found


@lru_cache(maxsize=64)
def on_mirror(name: str, form: str = "native") -> BuiltTask:
    task = catalog()[name]
    return build_task(task, DataFinder(MIRROR, offline=True), PromptForm(form))


def on_rows(name: str, rows: list[dict[str, Any]], form: str = "native") -> BuiltTask:
    """Build a task on rows instead of its own data."""
    task = catalog()[name]

    class Rows(DataFinder):
        def load(self, task: Task, count_tokens: Callable[[str], int] | None = None) -> DatasetDict:
            return DatasetDict({task.data.split: Dataset.from_list(rows)})

    return build_task(task, Rows(offline=True), PromptForm(form))


def stand_in(place: str) -> list[dict[str, Any]]:
    path = ROOT / "tests" / "standins" / f"{place}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def scored(built: BuiltTask, index: int, reply: str) -> dict[str, float]:
    """Return what lm-eval is told about a reply to an item."""
    found: dict[str, float] = built._lm_task.process_results(built._docs[index], [reply])
    return found


def module(place: str) -> ModuleType:
    """Return a task's helper module, as lm-eval loads it: from its file."""
    spec = importlib.util.spec_from_file_location(place.replace("/", "_"), TASKS / f"{place}.py")
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made
