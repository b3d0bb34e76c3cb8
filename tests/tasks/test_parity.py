"""Texts that are only read: the sentences of `translate`, scored as lm-eval itself scores them, one number an item."""

from __future__ import annotations

import math
from typing import Any

import pytest
from lm_eval.api.metrics import bits_per_byte, mean

from evalsuite.backends.fake import FakeLM
from evalsuite.catalog.data import DataFinder
from evalsuite.harness import BuiltTask, build_task
from evalsuite.records import PromptForm
from tests.tasks.building import catalog, group, module

CODES = ("en", "es", "pt", "ca", "gl", "eu", "ja")
bits = module("parity/bits")
starter = module("_shared/starter")


def built(code: str) -> BuiltTask:
    return build_task(catalog()[f"parity_{code}"], DataFinder(offline=True), PromptForm.NATIVE)


def test_every_language_has_the_sentences_of_translate() -> None:
    tasks = group("parity")
    assert set(tasks) == set(CODES)
    for code in CODES:
        task, rows = built(code), starter.read("translate", code)
        assert [(item.id, item.context, item.target) for item in task.items(range(len(task)))] == [
            (row["id"], row["text"], row["text"]) for row in rows
        ]
        assert len(rows) == tasks[code].items == 100
        assert [row["id"] for row in rows] == [row["id"] for row in starter.read("translate", "en")]


def test_they_are_read_and_belong_to_no_suite_of_tasks_with_answers() -> None:
    for task in group("parity").values():
        assert task.only_read
        assert (task.family, task.suite, task.chance) == ("text", ("parity",), None)
    assert not [task.name for task in catalog().values() if task.only_read and task.parallel_group != "parity"]


@pytest.mark.parametrize("code", ["eu", "ja"])
def test_bits_are_those_of_lm_evals_own_scoring(code: str) -> None:
    """The independent implementation is what lm-eval does where a task has no function of its own."""
    task = built(code)._lm_task
    docs = task.dataset["test"].select(range(5))
    results = [[-20.0 - n] for n in range(5)]
    ours = [task.process_results(doc, result) for doc, result in zip(docs, results, strict=True)]
    task.config.process_results = None
    theirs: list[dict[str, Any]] = [
        task.process_results(doc, result) for doc, result in zip(docs, results, strict=True)
    ]
    assert [one["bits_per_byte"] for one in ours] == [one["bits_per_byte"] for one in theirs]
    whole = bits_per_byte([one["bits_per_byte"] for one in ours])
    assert whole == pytest.approx(110 / math.log(2) / sum(len(doc["target"].encode()) for doc in docs))
    assert bits_per_byte([one["bits_per_char"] for one in ours]) == pytest.approx(
        110 / math.log(2) / sum(len(doc["target"]) for doc in docs)
    )
    assert mean([one["loglikelihood"] for one in ours]) == -22.0
    assert task.higher_is_better()["loglikelihood"] is True


def test_a_record_holds_what_bits_are_made_of() -> None:
    task, lm = built("ja"), FakeLM("none")
    first, second = task.score(lm, [0, 3])
    text = starter.read("translate", "ja")[3]["text"]
    assert (first.item_id, second.item_id) == ("translate-001", "translate-004")
    assert second.context == second.target == text
    assert second.logprobs == (second.score,) == (second.metrics["loglikelihood"],)
    assert second.score is not None
    assert second.score < 0
    # A token of the fake backend is a byte.
    assert second.answer_tokens == (len(text.encode()),) == (second.context_bytes,)
    assert second.context_chars == len(text)
    assert (second.choices, second.prediction, second.output) == ((), None, None)


def test_tokens_are_counted_without_the_begin_of_text_token() -> None:
    class Beginning(FakeLM):
        """Puts a token before texts, as many tokenizers do."""

        def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
            tokens = super().tok_encode(string)
            return tokens if add_special_tokens is False else [0, *tokens]

    (record,) = built("eu").score(Beginning("none"), [0])
    assert record.answer_tokens == (record.context_bytes,)
    assert record.context_tokens == record.context_bytes + 1
