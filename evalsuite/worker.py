"""The child process: loads one model, scores the chunks it is told to, and sends what it measured to its parent.

It reads one job (JSON) from standard input and writes one event (JSON) a line to what was its standard output; anything
that an engine prints goes to the log.
"""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from evalsuite.child import Channel, die_with_parent, take_stdout, told
from evalsuite.records import TRAINED, Cell, Task

__all__ = ["PLANNED_CHUNKS", "Job", "WorkItem", "main"]


PLANNED_CHUNKS = 8
"""Chunks whose items are planned together. Items that share a beginning are evaluated one after the other, so a chunk may
have to wait for others of its plan: this bounds what a kill loses, and the memory for the plan."""


class WorkItem(BaseModel):
    """A cell, and which of its chunks are still to be scored."""

    model_config = ConfigDict(frozen=True)

    cell: Cell
    task: Task
    chunks: tuple[int, ...]


class Job(BaseModel):
    """What a worker is started for: one model, and its cells."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    backend: str
    model_path: Path
    options: dict[str, Any]
    mirror: Path | None
    offline: bool
    work: tuple[WorkItem, ...]


def main() -> int:
    """Do the job that stands on standard input; return the exit code."""
    die_with_parent()
    channel = Channel(take_stdout())
    job = Job.model_validate_json(sys.stdin.buffer.read())
    if job.offline:
        os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    # Engines thread by themselves; a tokenizer's pool would only warn about the fork.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        start = time.monotonic()
        lm = _engine(job)
        channel.send("loaded", load_s=time.monotonic() - start)
    except Exception as error:  # noqa: BLE001  # whatever an engine raises, the parent must be told
        channel.send("load_failed", **told(error))
        return 1
    for item in job.work:
        _run_cell(lm, job, item, channel)
    lm.close()
    channel.send("finished")
    return 0


def _engine(job: Job) -> Any:
    """Return what answers: a backend with its model, or a baseline, which is trained task by task."""
    if job.backend == TRAINED:
        from evalsuite.backends.trained import Trainer

        return Trainer(**job.options)
    from evalsuite.backends import load_backend

    return load_backend(job.backend)(path=job.model_path, **job.options)


def _run_cell(lm: Any, job: Job, item: WorkItem, channel: Channel) -> None:
    from evalsuite.backends.trained import Trainer
    from evalsuite.catalog.data import DataFinder
    from evalsuite.harness import build_task
    from evalsuite.trained_task import TrainedTask

    channel.send("cell", cell=item.cell.id)
    try:
        finder = DataFinder(job.mirror, offline=job.offline)
        built = build_task(item.task, finder, item.cell.prompt_form, partial(_tokens_of, lm))
        task: Any = TrainedTask(built, finder) if isinstance(lm, Trainer) else built
        for number, index in enumerate(item.chunks):
            if number % PLANNED_CHUNKS == 0:
                ahead = item.chunks[number : number + PLANNED_CHUNKS]
                task.announce(lm, [place for chunk in ahead for place in item.cell.chunk(chunk)])
            start, before = time.monotonic(), lm.evaluated_tokens
            records = task.score(lm, item.cell.chunk(index))
            channel.send(
                "chunk",
                cell=item.cell.id,
                index=index,
                records=[record.model_dump(mode="json") for record in records],
                wall_s=time.monotonic() - start,
                tokens=lm.evaluated_tokens - before,
            )
    except Exception as error:  # noqa: BLE001  # one bad cell must not cost the others
        channel.send("cell_failed", cell=item.cell.id, **told(error))
    else:
        channel.send("cell_done", cell=item.cell.id)


def _tokens_of(lm: Any, text: str) -> int:
    """Return how many tokens a text has for a model, without those that mark its beginning."""
    return len(lm.tok_encode(text, add_special_tokens=False))


if __name__ == "__main__":
    sys.exit(main())
