"""The worker: what is planned together, and when."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

from evalsuite import harness, worker
from evalsuite.child import Channel


class Recorder:
    """A task that notes what it is asked for."""

    def __init__(self) -> None:
        self.log: list[tuple[str, list[int]]] = []

    def announce(self, lm, indices):
        self.log.append(("announce", list(indices)))

    def score(self, lm, indices):
        self.log.append(("score", list(indices)))
        return []


def test_items_are_planned_a_few_chunks_at_a_time_and_before_they_are_asked_for(monkeypatch):
    task = Recorder()
    monkeypatch.setattr(harness, "build_task", lambda *_: task)
    chunks = tuple(n for n in range(20) if n != 3)  # one was done before
    cell = SimpleNamespace(id="c", prompt_form=None, chunk=lambda n: [10 * n, 10 * n + 1])
    item = SimpleNamespace(cell=cell, task=None, chunks=chunks)
    job = SimpleNamespace(mirror=None, offline=True)
    stream = io.StringIO()
    worker._run_cell(SimpleNamespace(evaluated_tokens=0), job, item, Channel(stream))  # type: ignore[arg-type]
    events = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert events == ["cell", *["chunk"] * len(chunks), "cell_done"]
    assert [items for kind, items in task.log if kind == "score"] == [cell.chunk(n) for n in chunks]
    plans = [items for kind, items in task.log if kind == "announce"]
    assert [len(items) for items in plans] == [16, 16, 6]
    assert [place for items in plans for place in items] == [place for n in chunks for place in cell.chunk(n)]
    known: set[int] = set()
    for kind, items in task.log:
        if kind == "announce":
            known |= set(items)
        else:
            assert set(items) <= known
