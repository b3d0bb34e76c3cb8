"""Which items are shown, and what is told of them: against the stored records, read in another way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from evalsuite.analysis import Run, load_run
from evalsuite.analysis.item_sample import MOST_ITEMS, USUAL_ITEMS, _choose, sample_items
from evalsuite.analysis.item_texts import Withheld, why_withheld
from evalsuite.catalog.load import load_catalog
from evalsuite.records import Cell, CellStatus, PromptForm, Record
from evalsuite.store import RunFolder
from tests.synthetic import MODELS, Plan, build_run, task


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    def told(cell: Cell, record: Record) -> Record:
        return record.model_copy(update={"context": f"{cell.language} {record.item_id}", "item_index": record.item_index})

    return load_run(build_run(tmp_path_factory.mktemp("runs") / "run", Plan(record_hook=told)))


def _records(run: Run, model: str, task: str) -> dict[str, Record]:
    folder = RunFolder(run.path)
    (cell,) = [c for c in folder.manifest.cells if (c.model, c.task) == (model, task)]
    return {record.item_id: record for record in folder.records(cell)}


def test_every_answer_is_that_of_its_record(run: Run) -> None:
    groups = sample_items(run)
    assert [g.group for g in groups] == ["toy_topics", "toy_facts"]
    seen = 0
    for group in groups:
        assert (len(group.items), group.total) == (USUAL_ITEMS, 60)
        for item in group.items:
            assert len({side.language for side in item.sides}) == len(item.sides)
            for side in item.sides:
                assert side.id == item.id
                assert [a.model for a in side.answers] == list(MODELS)
                for answer in side.answers:
                    stored = _records(run, answer.model, side.task).get(item.id)
                    assert answer.asked == (stored is not None)
                    if stored is None:
                        continue
                    seen += 1
                    assert side.context == f"{side.language} {item.id}"
                    assert side.choices == stored.choices
                    assert side.right == (int(stored.target),)
                    assert answer.picked == stored.prediction
                    assert answer.right == (stored.score == 1)
                    # Independently of the analysis: shares of what the task's metric compares.
                    values = [
                        value / (len(choice) if "facts" in side.task else 1)
                        for value, choice in zip(stored.logprobs, stored.choices, strict=True)
                    ]
                    whole = sum(math.exp(value) for value in values)
                    assert stored.prediction is not None
                    assert answer.confidence == pytest.approx(math.exp(values[stored.prediction]) / whole)
    assert seen > 500


def test_what_was_lost_is_right_in_the_reference_and_wrong_here(run: Run) -> None:
    for group in sample_items(run):
        for item in group.items:
            by_language = {side.language: side for side in item.sides}
            for side in item.sides:
                assert side.reference == (None if side.language == "en" else "en")
                for here, there in zip(side.answers, by_language["en"].answers, strict=True):
                    assert here.lost == (side.language != "en" and here.right is False and there.right is True)


def test_every_language_and_model_that_lost_something_has_it_among_the_items(run: Run) -> None:
    for group in sample_items(run, 14):
        lost: dict[tuple[str, str], set[str]] = {}
        for model in run.models:
            english = _records(run, model, f"{group.group}_en")
            for code in run.languages[1:]:
                if (group.group, code) == ("toy_facts", "eu"):
                    continue
                here = _records(run, model, f"{group.group}_{code}")
                lost[code, model] = {i for i, r in here.items() if r.score == 0 and english[i].score == 1}
        assert sum(bool(items) for items in lost.values()) >= 9
        shown = {item.id for item in group.items}
        assert all(not items or items & shown for items in lost.values())
        assert len(group.items) == 14


def test_the_first_items_are_drawn_for_what_was_lost_and_the_rest_by_chance() -> None:
    lost = np.zeros((3, 50), dtype=bool)
    lost[0, [7]] = lost[1, [7, 8]] = lost[2, [30, 31, 32]] = True
    chosen, for_losses = _choose(lost, 10, np.random.default_rng(1))
    assert len(set(chosen.tolist())) == 10
    assert (lost[:, chosen[:for_losses]].sum(axis=1) >= [1, 2, 2]).all()
    assert 4 <= for_losses <= 5
    # Each of the others is as likely as any.
    counts = np.zeros(50)
    for seed in range(400):
        chosen, n = _choose(lost, 10, np.random.default_rng(seed))
        counts[chosen[n:]] += 1
    plain = np.delete(counts, [7, 8, 30, 31, 32])
    assert plain.min() > 0.5 * plain.mean()
    assert plain.max() < 1.5 * plain.mean()


def test_where_there_is_no_room_for_all_the_items_that_serve_most_come_first() -> None:
    lost = np.zeros((6, 20), dtype=bool)
    lost[:5, 3] = True
    lost[5, 4] = True
    lost[np.arange(5), np.arange(5) + 10] = True
    chosen, for_losses = _choose(lost, 2, np.random.default_rng(0))
    assert set(chosen.tolist()) == {3, 4}
    assert for_losses == 2


def test_no_item_is_lost_where_there_is_no_reference(tmp_path: Path) -> None:
    run = load_run(build_run(tmp_path / "run", Plan(items=30, codes=("en",), holes=False)))
    for group in sample_items(run, 5):
        assert group.for_losses == 0
        assert len(group.items) == 5


def test_the_same_run_gives_the_same_items_and_another_seed_others(run: Run, tmp_path: Path) -> None:
    ids = [[item.id for item in group.items] for group in sample_items(run)]
    assert ids == [[item.id for item in group.items] for group in sample_items(load_run(run.path))]
    folder = build_run(tmp_path / "run")
    manifest = RunFolder(folder).manifest
    sweep = manifest.sweep.model_copy(update={"seed": manifest.sweep.seed + 1})
    (folder / "manifest.json").write_text(manifest.model_copy(update={"sweep": sweep}).model_dump_json())
    assert ids != [[item.id for item in group.items] for group in sample_items(load_run(folder))]


def test_a_smaller_sample_is_the_beginning_where_nothing_was_lost(tmp_path: Path) -> None:
    run = load_run(build_run(tmp_path / "run", Plan(items=30, codes=("en",), holes=False)))
    few, many = ([item.id for item in sample_items(run, n)[0].items] for n in (5, 12))
    assert many[:5] == few


def test_many_groups_share_the_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    assert USUAL_ITEMS * 10 == MOST_ITEMS
    monkeypatch.setattr("evalsuite.analysis.item_sample.MOST_ITEMS", 20)
    assert [len(group.items) for group in sample_items(run)] == [10, 10]
    # Who asks for a number gets it.
    assert [len(group.items) for group in sample_items(run, 30)] == [30, 30]
    assert sample_items(run, 0) == ()


def test_what_is_missing_has_its_reason(run: Run) -> None:
    topics, facts = sample_items(run)
    reasons = {
        (side.task, answer.model): answer.reason
        for group in (topics, facts)
        for item in group.items
        for side in item.sides
        for answer in side.answers
        if not answer.asked
    }
    failed = [reason for (name, _), reason in reasons.items() if name == "toy_facts_ja"]
    assert failed
    assert all(reason is not None and reason.startswith("failed: the engine crashed") for reason in failed)
    # A cell of which a part is stored: the others are simply not there yet.
    pending = [
        answer
        for item in topics.items
        for side in item.sides
        for answer in side.answers
        if (side.language, answer.model) == ("gl", max(MODELS))
    ]
    assert {(answer.asked, answer.reason) for answer in pending} == {(True, None), (False, None)}
    assert not any(side.task == "toy_facts_eu" for item in facts.items for side in item.sides)


def test_ids_that_repeat_are_left_out(tmp_path: Path) -> None:
    def doubled(cell: Cell, record: Record) -> Record:
        return record.model_copy(update={"item_id": "same" if record.item_index < 4 else record.item_id})

    run = load_run(build_run(tmp_path / "run", Plan(items=12, codes=("en", "eu"), holes=False, record_hook=doubled)))
    for group in sample_items(run):
        assert group.total == 8
        assert {item.id for item in group.items} == {f"id-{i}" for i in range(4, 12)}


def test_written_answers_are_their_text(tmp_path: Path) -> None:
    def written(cell: Cell, record: Record) -> Record:
        return record.model_copy(
            update={
                "choices": (), "logprobs": (), "prior_logprobs": (), "greedy": (), "prediction": None,
                "target": "the right one", "output": f"{cell.model} says {record.item_index}", "score": 0.25,
            }
        )  # fmt: skip

    folder = build_run(tmp_path / "run", Plan(items=6, codes=("en", "eu"), holes=False, record_hook=written))
    _change_tasks(folder, output_type="generate_until")
    for group in sample_items(load_run(folder)):
        for item in group.items:
            for side in item.sides:
                assert side.target == "the right one"
                for answer in side.answers:
                    assert answer.output == f"{answer.model} says {item.place}"
                    assert (answer.score, answer.right, answer.confidence) == (0.25, None, None)


def _change_tasks(folder: Path, **changes: Any) -> None:
    manifest = RunFolder(folder).manifest
    tasks = {name: one.model_copy(update=changes) for name, one in manifest.tasks.items()}
    (folder / "manifest.json").write_text(manifest.model_copy(update={"tasks": tasks}).model_dump_json())


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (("Apache-2.0", "CC-BY-SA-4.0"), None),
        (("unicode-3.0",), None),
        (("CC-BY-2.0-FR",), None),
        (("CC-BY-NC-4.0",), Withheld.TERMS),
        (("CC-BY-NC-ND-4.0",), Withheld.TERMS),
        (("CC-BY-SA-4.0; for evaluation only, not for training",), Withheld.TERMS),
        (("CC-BY-4.0 (labels), Twitter terms (texts)",), Withheld.TERMS),
        (("on request, for research",), Withheld.TERMS),
        (("MIT", "unknown"), Withheld.UNKNOWN),
        (("other, see the data's card",), Withheld.UNKNOWN),
        (("",), Withheld.UNKNOWN),
        (("the user's own",), Withheld.OWN),
        (("unknown", "the user's own", "CC-BY-NC-4.0"), Withheld.OWN),
    ],
)
def test_texts_are_shown_only_under_licences_that_are_known_to_allow_it(
    licences: Sequence[str], expected: Withheld | None
) -> None:
    tasks = [task(f"t{i}", "en", None, licence=licence) for i, licence in enumerate(licences)]
    assert why_withheld(tasks) is expected


def test_what_ships_with_the_project_may_be_shown() -> None:
    shipped = [one for one in load_catalog().tasks.values() if one.data.kind == "shipped"]
    assert len(shipped) > 50
    assert why_withheld(shipped) is None


def test_texts_that_are_withheld_are_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = build_run(tmp_path / "run", Plan(items=10, codes=("en", "eu"), holes=False))
    _change_tasks(folder, licence="unknown")
    run = load_run(folder)
    read = _watch(monkeypatch)
    for group in sample_items(run):
        assert group.withheld is Withheld.UNKNOWN
        for item in group.items:
            for side in item.sides:
                assert (side.context, side.choices, side.target) == ("", (), "")
                assert all(answer.picked is not None and answer.output is None for answer in side.answers)
    assert {column for _, columns in read for column in columns} == {"logprobs"}


def test_only_what_is_needed_is_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    read = _watch(monkeypatch)
    sample_items(load_run(run.path), 3)
    asked = [columns for _, columns in read if "item_id" not in columns]
    done = [r for r in run.results if r.status is not CellStatus.FAILED]
    assert {column for columns in asked for column in columns} == {"logprobs", "context"}
    # Once for each task, and once more where a cell lacks an item.
    assert sum("context" in columns for columns in asked) <= len({r.cell.task for r in done}) + 1
    assert sum("logprobs" in columns for columns in asked) <= len(done)


def _watch(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...]]]:
    read: list[tuple[str, tuple[str, ...]]] = []
    table = RunFolder.table

    def watched(self: RunFolder, cell: Cell, columns: Sequence[str] | None = None) -> pa.Table:
        assert columns is not None
        read.append((cell.id, tuple(columns)))
        return table(self, cell, columns)

    monkeypatch.setattr(RunFolder, "table", watched)
    return read


def test_of_several_prompt_forms_the_first_is_shown(tmp_path: Path) -> None:
    plan = Plan(items=6, codes=("en", "eu"), holes=False, forms=(PromptForm.NATIVE, PromptForm.CHAT))
    run = load_run(build_run(tmp_path / "run", plan))
    assert {group.form for group in sample_items(run)} == {run.forms[0]}
