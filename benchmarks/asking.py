"""What it costs to have a task built and its requests made, without a model: lm-eval's own way against ours, as a ratio.

    python benchmarks/asking.py [--data MIRROR] [--items 100] [TASK ...]

Both sides build the same task from the same data and make the same requests; they are compared, and the process stops
where they differ. Each task is timed by turns, both ways round; the ratio is of medians of processor time.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from evalsuite.catalog.data import DataFinder, mirror_from
from evalsuite.catalog.tasks import load_tasks
from evalsuite.harness import build_task, quiet
from evalsuite.records import PromptForm, Task

DEFAULT = ("labels_eu", "lexicon_ja", "sib200_eu", "xnli_parallel_es", "xquad_ca")


def stock(task: Task, finder: DataFinder, items: int) -> list[Any]:
    """Return the arguments of the requests, as lm-eval makes them when nothing of ours helps it."""
    from lm_eval import utils
    from lm_eval.tasks import TaskManager

    data = finder.load(task)
    cached = utils.env.from_string
    utils.env.from_string = getattr(cached, "__wrapped__", cached)
    try:
        with quiet():
            manager = TaskManager(include_path=str(task.path.parent), include_defaults=False)
            spec = {"task": task.name, "custom_dataset": lambda **_: data, "fewshot_split": task.data.split}
            built = manager.load({"group": "g", "task": [spec]})["tasks"][task.name]
            built.set_config(key="num_fewshot", value=0)
            built.build_all_requests(limit=items)
    finally:
        utils.env.from_string = cached
    return [request.arguments for request in built.instances]


def ours(task: Task, finder: DataFinder, items: int) -> list[Any]:
    """Return the arguments of the requests, as evalsuite has them made."""
    built = build_task(task, finder, PromptForm.NATIVE)
    part = built._part(range(min(items, len(built))))
    with quiet():
        part.build_all_requests()
    return [request.arguments for request in part.instances]


def timed(make: Callable[[], list[Any]]) -> tuple[float, list[Any]]:
    start = time.process_time()
    made = make()
    return time.process_time() - start, made


def main() -> int:
    """Print a line for each task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=DEFAULT)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    finder, tasks = DataFinder(mirror_from(asked.data), offline=True), load_tasks()
    ours(tasks["labels_en"], finder, 1)  # what is imported once
    for name in asked.tasks:
        task = finder.locate(tasks[name])
        seconds: dict[str, list[float]] = {"stock": [], "ours": []}
        for turn in range(asked.repeats):
            made = {}
            sides = [("stock", stock), ("ours", ours)]
            for side, make in sides if turn % 2 else reversed(sides):
                took, made[side] = timed(partial(make, task, finder, asked.items))
                seconds[side].append(took)
            if made["stock"] != made["ours"]:
                print(f"{name}: the requests differ", file=sys.stderr)
                return 1
        medians = {side: statistics.median(values) for side, values in seconds.items()}
        ratio = medians["stock"] / medians["ours"]
        print(
            f"{name:<20}{asked.items} items: lm-eval {medians['stock']:.2f} s, ours {medians['ours']:.2f} s: {ratio:.1f} times"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
