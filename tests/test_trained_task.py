"""Records of baselines: which choice a label stands for, what is stored, and what is refused."""

from __future__ import annotations

import json

import pytest
from datasets import Dataset, DatasetDict

from evalsuite.backends.trained import Trainer
from evalsuite.catalog.data import DataFinder
from evalsuite.errors import BackendError
from evalsuite.harness import build_task
from evalsuite.records import PromptForm, TrainedOn
from evalsuite.store import records_table, table_records
from evalsuite.trained_task import TrainedTask
from tests.tasks.building import catalog

CATEGORIES = ("science/technology", "travel", "politics")
WORDS = ("atom", "train", "vote")


def rows(n, categories=CATEGORIES):
    return [
        {"index_id": i, "category": categories[i % len(categories)], "text": f"{WORDS[i % len(categories)]} number {i}"}
        for i in range(n)
    ]


class Rows(DataFinder):
    """Data of any split from lists."""

    def __init__(self, **splits):
        super().__init__(offline=True)
        self._splits = splits

    def load(self, task, count_tokens=None):
        return DatasetDict({task.data.split: Dataset.from_list(self._splits[task.data.split])})


def trained(finder, **on):
    task = catalog()["sib200_en"]
    task = task.model_copy(update={"trained_on": TrainedOn(**on)}) if on else task
    return TrainedTask(build_task(task, finder, PromptForm.NATIVE), finder)


def test_records_say_what_was_read_what_was_answered_and_on_how_many_items_that_rests():
    finder = Rows(train=rows(30), test=[{**row, "text": row["text"] + " again"} for row in rows(6)])
    records = trained(finder).score(Trainer("tfidf-svm", 1), [4, 0])
    assert [r.item_index for r in records] == [4, 0]
    assert [r.item_id for r in records] == ["4", "0"]
    one = records[0]
    assert (one.context, one.context_chars) == ("train number 4 again", 20)
    assert one.choices[:2] == ("science/technology", "travel")
    assert (one.target, one.prediction, one.score) == ("1", 1, 1.0)
    assert one.metrics == {"acc": 1.0, "trained_on": 30}
    assert (one.logprobs, one.greedy, one.answer_tokens, one.output, one.context_tokens) == ((), (), (), None, None)
    (scores,) = json.loads(one.responses)
    assert len(scores) == len(one.choices) == 7
    assert max(range(3), key=scores.__getitem__) == 1
    assert scores[3:] == [None] * 4
    assert json.loads(one.doc)["category"] == "travel"
    assert table_records(records_table(records)) == records


def test_a_class_that_no_item_has_can_be_answered_and_is_wrong():
    training = [{"index_id": i, "category": "sports", "text": f"vote number {i} x"} for i in range(9)]
    finder = Rows(train=[*training, *rows(3)], test=rows(6)[3:])
    records = trained(finder).score(Trainer("majority", 1), range(3))
    assert [(r.prediction, r.score, json.loads(r.filtered)) for r in records] == [(None, 0.0, ["sports"])] * 3
    assert table_records(records_table(records)) == records


def test_an_item_is_classified_alike_whatever_else_is_asked():
    finder = Rows(test=rows(30))
    whole = trained(finder, text="text", label="category", folds=5).score(Trainer("tfidf-svm", 1), range(30))
    part = trained(finder, text="text", label="category", folds=5).score(Trainer("tfidf-svm", 1), [7, 21])
    assert part == [whole[7], whole[21]]
    assert {r.metrics["trained_on"] for r in whole} == {24}


def test_a_label_that_stands_for_two_choices_is_refused():
    finder = Rows(train=rows(9), test=[{**row, "kind": "one"} for row in rows(6)])
    with pytest.raises(BackendError, match="kind 'one' is choice 0 in some items and choice 1 in 1"):
        trained(finder, text="text", label="kind", split="train").score(Trainer("majority", 1), [0])


def test_a_column_that_is_not_there_is_named():
    finder = Rows(train=[{"index_id": 1, "text": "x"}], test=rows(6))
    with pytest.raises(BackendError, match="sib200_en: trained_on names the column 'category'; the data has index_id"):
        trained(finder).score(Trainer("majority", 1), [0])


def test_a_task_that_names_nothing_to_train_on_is_refused():
    finder = DataFinder(offline=True)
    with pytest.raises(BackendError, match="lexicon_en names nothing"):
        TrainedTask(build_task(catalog()["lexicon_en"], finder, PromptForm.NATIVE), finder)
