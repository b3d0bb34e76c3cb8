"""The frame of item records, and the pairing of items by number, against pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evalsuite.analysis import Run, load_run
from evalsuite.analysis.items import matching_ids, spans_of
from evalsuite.records import Cell, Record
from evalsuite.store import RunFolder
from tests.synthetic import Plan, build_run
from tests.synthetic_forms import Forms, build_forms


def test_columns_are_what_the_records_say(run: Run) -> None:
    cell = run.manifest.cells[3]
    frame, records = run.frames[cell.id], RunFolder(run.path).records(cell)
    assert list(frame["item_id"]) == [r.item_id for r in records]
    assert list(frame["choices"]) == [r.choices for r in records]
    assert list(frame["target"]) == [r.target for r in records]
    assert frame["right"].tolist() == [float(r.target) for r in records]
    assert frame["answer_tokens"].tolist() == [float(sum(r.answer_tokens)) for r in records]
    assert frame["prediction"].tolist() == [r.prediction for r in records]
    assert set(frame["cell"]) == {cell.id}
    assert (set(frame["model"]), set(frame["task"])) == ({cell.model}, {cell.task})


def test_cells_stand_in_the_order_of_the_plan(run: Run) -> None:
    held = [cell.id for cell in run.manifest.cells if cell.id in run.frames]
    assert list(run.frames) == held == list(dict.fromkeys(run.items["cell"]))
    assert sum(map(len, run.frames.values())) == len(run.items)


def test_rows_of_a_cell_that_do_not_stand_together_are_refused() -> None:
    with pytest.raises(ValueError, match="sort them by cell"):
        spans_of(pd.DataFrame({"cell": ["a", "b", "a"]}))
    assert spans_of(pd.DataFrame({"cell": ["b", "a", "a"]})) == {"b": slice(0, 1), "a": slice(1, 3)}


def test_what_a_task_offers_may_differ_between_its_cells(tmp_path: Path) -> None:
    def turned(cell: Cell, record: Record) -> Record:
        if cell.model.startswith("gemma"):
            return record.model_copy(update={"choices": record.choices[::-1], "target": "0"})
        return record

    run = load_run(build_run(tmp_path / "run", Plan(items=6, codes=("en",), holes=False, record_hook=turned)))
    for cell in run.manifest.cells:
        records = RunFolder(run.path).records(cell)
        assert list(run.frames[cell.id]["choices"]) == [r.choices for r in records]
        assert run.frames[cell.id]["right"].tolist() == [float(r.target) for r in records]


def test_documents_are_read_once_for_all_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = build_forms(tmp_path / "run", Forms(items=8, codes=("en",), orders=1, wordings=("native",)))
    asked: list[Any] = []
    table = RunFolder.table

    def spy(self: RunFolder, cell: Cell, columns: Any = None) -> Any:
        asked.append((cell.task, columns))
        return table(self, cell, columns)

    monkeypatch.setattr(RunFolder, "table", spy)
    items = load_run(path).items
    assert sorted(task for task, columns in asked if columns == ("doc",)) == sorted(set(items["task"]))
    assert list(items["cluster"]) == ["d0"] * 4 + ["d1"] * 4 + list(items["cluster"])[8:]


def test_an_item_without_a_cluster_has_none(tmp_path: Path) -> None:
    path = build_forms(tmp_path / "run", Forms(items=4, codes=("en",), cluster=None))
    assert load_run(path).items["cluster"].tolist() == [None] * len(load_run(path).items)


def test_numbers_of_ids_are_in_the_order_of_their_texts(run: Run) -> None:
    first, second = (run.results[i] for i in (0, 4))
    ids, texts = run.ids(first), run.frames[first.cell.id]["item_id"]
    assert ids is not None
    assert list(texts.iloc[np.argsort(ids)]) == sorted(texts)
    others = run.ids(second)
    assert others is not None
    assert np.array_equal(ids, others)
    assert run.ids(None) is None


@pytest.mark.parametrize("seed", range(6))
def test_items_are_matched_as_pandas_joins_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = (rng.permutation(40)[: rng.integers(0, 30)] for _ in range(2))
    found = matching_ids(first, second)
    assert found is not None
    joined = pd.DataFrame({"a": range(len(first))}, index=first).merge(
        pd.DataFrame({"b": range(len(second))}, index=second), left_index=True, right_index=True
    )
    assert (found[0].tolist(), found[1].tolist()) == (joined["a"].tolist(), joined["b"].tolist())


def test_items_in_the_same_order_match_place_by_place() -> None:
    ids = np.array([5, 2, 9])
    found = matching_ids(ids, ids.copy())
    assert found is not None
    assert [side.tolist() for side in found] == [[0, 1, 2], [0, 1, 2]]


@pytest.mark.parametrize(("first", "second"), [([1, 1], [1, 2]), ([1, 2], [2, 2]), ([3, 3], [3, 3])])
def test_ids_that_repeat_cannot_be_matched(first: list[int], second: list[int]) -> None:
    assert matching_ids(np.array(first), np.array(second)) is None


def test_tasks_and_forms_are_listed_in_the_order_of_tables(varied: Run) -> None:
    listed = [(varied.group_of(t.name), t.language) for t in varied.ordered_tasks]
    assert listed == [(group, code) for group in varied.groups for code in varied.languages]
    forms = varied.forms_of(varied.models[0], "toy_reading_en")
    assert [str(f) for f in forms] == ["native", "native~1", "native~2", "native~3", "english", "native-2", "native-3"]
    assert varied.forms_of("nobody", "toy_reading_en") == ()


def test_the_same_letters_may_be_right_elsewhere_in_another_order(varied: Run) -> None:
    model = varied.models[0]
    for form in varied.forms_of(model, "toy_reading_en"):
        result = varied.result(model, "toy_reading_en", form)
        assert result is not None
        records, frame = RunFolder(varied.path).records(result.cell), varied.frames[result.cell.id]
        assert frame["right"].tolist() == [float(r.target) for r in records]
        assert frame["acc"].tolist() == [float(r.prediction == int(r.target)) for r in records]
