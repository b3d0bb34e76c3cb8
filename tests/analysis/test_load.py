"""Loading a run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalsuite.analysis import Run, load_run
from evalsuite.analysis.load import ITEM_COLUMNS, clusters_of
from evalsuite.errors import StoreError
from evalsuite.records import Cell, CellStatus, PromptForm
from evalsuite.store import RunFolder
from tests.synthetic import CODES, Plan, build_run, task
from tests.synthetic_forms import Forms, build_forms


def test_items_are_tidy(run: Run) -> None:
    assert tuple(run.items.columns) == ITEM_COLUMNS
    # 2 models x (7 + 6 tasks) x 60 items, less the failed cell (60) and what is pending (40).
    assert len(run.items) == 2 * 13 * 60 - 60 - 40
    assert set(run.items["language"]) == set(CODES)
    first = RunFolder(run.path).records(run.manifest.cells[0])[5]
    row = run.frames[run.manifest.cells[0].id].iloc[5]
    assert (row["item_id"], row["score"], row["context_tokens"]) == (first.item_id, first.score, first.context_tokens)
    assert (row["n_choices"], row["answer_tokens"], row["group"]) == (7, 7.0, "toy_topics")


def test_text_columns_stay_on_disk(run_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    table = RunFolder.table

    def spy(self: RunFolder, cell: Cell, columns: Any = None) -> Any:
        asked.append(columns)
        return table(self, cell, columns)

    monkeypatch.setattr(RunFolder, "table", spy)
    load_run(run_path)
    assert asked
    assert all(columns and not {"doc", "arguments", "context"} & set(columns) for columns in asked)


def test_languages_begin_with_the_reference(tmp_path: Path) -> None:
    plan = Plan(codes=("eu", "ja", "en"), items=4, holes=False)
    run = load_run(build_run(tmp_path / "a", plan))
    assert run.languages == ("en", "eu", "ja")
    run = load_run(build_run(tmp_path / "b", Plan(codes=("eu", "ja", "en"), items=4, holes=False, reference="ja")))
    assert run.languages == ("ja", "eu", "en")
    assert run.reference_of("en") == "ja"
    assert run.reference_of("ja") is None


def test_results_are_in_the_order_of_the_plan(run: Run) -> None:
    assert [r.cell.id for r in run.results] == [c.id for c in run.manifest.cells]
    assert {r.status for r in run.results} == {CellStatus.DONE, CellStatus.FAILED, CellStatus.PENDING}


def test_a_run_without_items_loads(tmp_path: Path) -> None:
    path = build_run(tmp_path / "run", Plan(items=3, codes=("en",), holes=False))
    for folder in (path / "cells").iterdir():
        for file in folder.iterdir():
            file.unlink()
    run = load_run(path)
    assert len(run.items) == 0
    assert {r.status for r in run.results} == {CellStatus.PENDING}


def test_a_manifest_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    path = build_run(tmp_path / "run", Plan(items=3, codes=("en",), holes=False))
    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    del manifest["tasks"]["toy_topics_en"]
    (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(StoreError, match="names the task 'toy_topics_en'"):
        load_run(path)


def test_no_folder_is_an_error_with_a_fix(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="fix:"):
        load_run(tmp_path / "nowhere")


def test_generators_depend_on_seed_and_key_alone(run: Run) -> None:
    assert run.rng("a", "b").random() == run.rng("a", "b").random()
    assert run.rng("a", "b").random() != run.rng("a", "c").random()


def test_of_the_item_only_what_it_shares_is_read(varied: Run, run: Run) -> None:
    assert list(varied.items["cluster"])[:9] == ["d0"] * 4 + ["d1"] * 4 + ["d2"]
    assert run.items["cluster"].isna().all()


def test_clusters_are_read_where_they_are() -> None:
    one = task("a", "en", None, cluster_column="document")
    assert clusters_of(one, ['{"document": 3}', '{"document": "x"}', "{}", "[]"]) == ["3", "x", None, None]


def test_main_forms_are_those_of_the_sweep_in_order(tmp_path: Path) -> None:
    forms = (PromptForm("english"), PromptForm("chat"), PromptForm("native"))
    plan = Forms(items=4, codes=("en",), main=forms, orders=2)
    run = load_run(build_forms(tmp_path / "run", plan))
    assert run.forms == ("native", "english", "chat")
    assert len({cell.prompt_form for cell in run.manifest.cells}) > len(run.forms)
