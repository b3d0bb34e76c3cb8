"""Long items that do not fit a model's context are not asked, and say so; nothing is cut."""

from __future__ import annotations

from typing import Any

import pytest

from evalsuite.backends.fake import FakeLM
from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.tasks import load_tasks
from evalsuite.harness import BuiltTask, build_task
from evalsuite.records import BEYOND_CONTEXT, PromptForm

CONTEXT = 3000


class Planner(FakeLM):
    """A fake model that keeps what it was told in advance, and what it was asked."""

    def __init__(self, **options: Any) -> None:
        super().__init__("x", **options)
        self.announced: list[str] = []
        self.longest = 0

    def announce(self, requests):
        self.announced = [request.args[0] for request in requests]

    def _answer(self, context, continuation):
        self.longest = max(self.longest, len(context) + len(continuation))
        return super()._answer(context, continuation)


def build(name: str, lm: FakeLM) -> BuiltTask:
    return build_task(load_tasks()[name], DataFinder(), PromptForm.NATIVE, lambda text: len(lm.tok_encode(text)))


# One item of each size.
PLACES = [0, 20, 40, 60, 80]


@pytest.mark.parametrize("name", ["long_find_tokens_en", "long_topic_tokens_ja"])
def test_items_beyond_the_context_have_a_record_without_a_score(name):
    lm = Planner(context=CONTEXT)
    task = build(name, lm)
    task.announce(lm, PLACES)
    assert {len(text.encode()) < CONTEXT for text in lm.announced} == {True}
    records = task.score(lm, PLACES)
    assert [record.item_index for record in records] == PLACES
    assert [record.score is None for record in records] == [False, False, False, True, True]
    assert lm.longest <= CONTEXT
    for record in records[3:]:
        told = record.metrics[BEYOND_CONTEXT]
        assert told["context_tokens"] == CONTEXT < told["needs_tokens"]
        # The text is whole, and counted.
        assert record.context_tokens == record.context_bytes
        assert 0 <= (5000 if record is records[3] else 8000) - (record.context_tokens or 0) < 400
        assert record.output is None
        assert record.prediction is None


def test_the_room_for_an_answer_counts():
    lm = Planner(context=10_000)
    task = build("long_find_tokens_en", lm)
    (record,) = task.score(lm, [0])
    needs = len(lm.tok_encode(record.context)) + 24
    for context, fits in ((needs, True), (needs - 1, False)):
        (found,) = build("long_find_tokens_en", lm).score(Planner(context=context), [0])
        assert (found.score is not None) is fits


def test_an_item_without_a_score_has_the_hashes_of_one_that_was_asked():
    lm = Planner(context=10_000)
    (asked,) = build("long_topic_en", lm).score(lm, [45])
    (beyond,) = build("long_topic_en", lm).score(Planner(context=100), [45])
    for field in ("item_id", "context", "target", "doc", "doc_hash", "prompt_hash", "target_hash", "context_tokens"):
        assert getattr(beyond, field) == getattr(asked, field), field


def test_other_families_leave_it_to_the_engine():
    lm = Planner(context=10)
    (record,) = build("labels_en", lm).score(lm, [0])
    assert record.score is not None
