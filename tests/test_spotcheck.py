"""Spot checks: which items are drawn, how they are scored again, what is refused, and what is stored."""

from __future__ import annotations

import hashlib
import json
import os

import pytest

from evalsuite.catalog.load import load_catalog
from evalsuite.driver import Site
from evalsuite.errors import FetchError, InputError, StoreError
from evalsuite.records import CellStatus, Limits, Model, Source
from evalsuite.spot_store import read_checks, write_check
from evalsuite.spotcheck import SpotInputs, done_cells, draw, model_at_hand, model_file, same_tasks, score_again
from evalsuite.store import RunFolder, RunWriter
from tests import tiny_gguf
from tests.helpers import evalsuite, write_sweep
from tests.synthetic import MODELS, Plan, build_run
from tests.synthetic_spot import BOARD, make_check, turned

SEED = 20260401


class Noted:
    """Progress that remembers."""

    def __init__(self):
        self.told = []

    def begin(self, cells, items):
        self.told.append(("begin", cells, items))

    def cell(self, cell):
        self.told.append(("cell", cell.task))

    def advance(self, items, tokens):
        self.told.append(("advance", items))

    def note(self, text):
        self.told.append(("note", text))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of the fake backend: four cells of 40 items."""
    folder = tmp_path_factory.mktemp("spot")
    done = evalsuite("run", write_sweep(folder), "--out", folder / "run", "--no-report")
    assert done.returncode == 0, done.stderr
    return RunFolder(folder / "run")


def inputs(run, path=None):
    manifest = run.manifest
    (model,) = manifest.models.values()
    return SpotInputs(
        models=manifest.models,
        paths={model.name: path or model.source.path},
        tasks=load_catalog().tasks,
        site=Site(None, offline=True),
        limits=Limits(),
    )


def ids(run, cell, drawn):
    by_index = {r.item_index: r.item_id for r in run.records(cell)}
    return [by_index[i] for i in drawn.item_indices]


def scored(run, cells, change=None):
    progress = Noted()
    with RunWriter(run.path) as writer:
        made, records = score_again(writer, [change(c) for c in cells] if change else cells, inputs(run), progress)
    return made, records, progress.told


# --- which items


def test_the_sample_is_seeded_and_the_same_in_every_language(run):
    cells = done_cells(run)
    drawn = draw(run, cells, 15, SEED)
    by_task = {c.task: ids(run, c, d) for c, d in zip(cells, drawn, strict=True)}
    assert {len(set(found)) for found in by_task.values()} == {15}
    assert by_task["labels_en"] == by_task["labels_eu"]
    assert by_task["lexicon_en"] == by_task["lexicon_eu"]
    assert draw(run, cells, 15, SEED) == drawn
    assert {d.item_indices for d in draw(run, cells, 15, 7)}.isdisjoint({d.item_indices for d in drawn})
    wider = draw(run, cells, 25, SEED)
    assert all(set(few.item_indices) < set(many.item_indices) for few, many in zip(drawn, wider, strict=True))


def test_only_items_that_the_run_has_scored_are_drawn(run):
    (cell, *_) = done_cells(run)
    (all_of_it,) = draw(run, [cell], 1000, SEED)
    assert all_of_it.item_indices == cell.item_indices
    assert len(cell.item_indices) == 40 < run.manifest.tasks[cell.task].items


def test_options_stay_but_no_more_threads_are_asked_for_than_there_are_cores(run):
    (cell, *_) = done_cells(run)
    wide = cell.model_copy(update={"options": {"threads": 999, "context": 512}})
    (drawn,) = draw(run, [wide], 5, SEED)
    assert 1 <= drawn.options["threads"] < 999
    assert drawn.options["context"] == 512
    assert drawn.id == cell.id


def test_cells_are_chosen_by_model_and_task_and_only_finished_ones(tmp_path):
    folder = RunFolder(build_run(tmp_path / "run", Plan(items=20, codes=("en", "eu", "gl", "ja"))))
    unfinished = {r.cell.id for r in folder.results() if r.status is not CellStatus.DONE}
    assert len(unfinished) == 2
    found = done_cells(folder)
    assert {c.id for c in folder.manifest.cells} - {c.id for c in found} == unfinished
    model = next(iter(MODELS))
    assert {(c.model, c.task) for c in done_cells(folder, [model], ["toy_topics_en"])} == {(model, "toy_topics_en")}
    with pytest.raises(InputError, match="no finished cells of the models and tasks"):
        done_cells(folder, [], None)


# --- scoring again


def test_the_same_items_get_the_same_records_again_and_the_run_is_left_alone(run):
    cells = done_cells(run)
    before = {
        p: p.read_bytes() for p in [run.path / "manifest.json", *(run.path / "cells").rglob("*.*")] if p.is_file()
    }
    drawn = draw(run, cells, 20, SEED)
    made, records, told = scored(run, drawn)
    assert [m.cell for m in made] == [c.id for c in cells]
    assert all((m.status, m.reason) == (CellStatus.DONE, None) and m.tokens > 0 for m in made)
    for cell, of_it in zip(cells, drawn, strict=True):
        stored = {r.item_index: r for r in run.records(cell)}
        assert [r.item_index for r in records[cell.id]] == list(of_it.item_indices)
        assert list(records[cell.id]) == [stored[i] for i in of_it.item_indices]
    assert told[0] == ("begin", 4, 80)
    assert sum(t[1] for t in told if t[0] == "advance") == 80
    assert [t[1] for t in told if t[0] == "cell"] == [c.task for c in cells]
    assert {p: p.read_bytes() for p in before} == before
    assert not (run.path / "spotchecks").exists()


def test_a_crash_costs_the_cell_that_it_happens_in(run):
    """The category's label is in the prompt of the Basque task only."""

    def crashing(cell):
        return cell.model_copy(update={"options": {"fail": "crash", "fail_on": "Kategoria:"}})

    made, records, told = scored(run, draw(run, done_cells(run), 20, SEED), crashing)
    tasks = {c.id: c.task for c in run.manifest.cells}
    failed = [m for m in made if m.status is CellStatus.FAILED]
    assert [tasks[m.cell] for m in failed] == ["labels_eu"]
    assert "the engine crashed (SIGSEGV) (fix: see logs/" in (failed[0].reason or "")
    assert {tasks[cell] for cell in records} == {"labels_en", "lexicon_en", "lexicon_eu"}
    assert [text for kind, *text in told if kind == "note"] == [[f"failed: fake × labels_eu: {failed[0].reason}"]]


def test_a_real_engine_gives_the_same_bits_again_in_other_company(tmp_path):
    pytest.importorskip("llama_cpp")
    path = tiny_gguf.write_llama(tmp_path / "tiny.gguf", context=512)
    sweep = write_sweep(tmp_path, models=[str(path)], tasks=["labels"], languages=["en"], limit=12)
    done = evalsuite("run", sweep, "--out", tmp_path / "run", "--no-report")
    assert done.returncode == 0, done.stderr
    folder = RunFolder(tmp_path / "run")
    (cell,) = folder.manifest.cells
    _, records, _ = scored(folder, draw(folder, [cell], 5, SEED))
    stored = {r.item_index: r for r in folder.records(cell)}
    assert len(records[cell.id]) == 5
    assert all(r.logprobs == stored[r.item_index].logprobs for r in records[cell.id])


# --- what is refused


def test_task_files_that_differ_are_refused_with_both_hashes(run):
    cells, tasks = done_cells(run), load_catalog().tasks
    assert set(same_tasks(cells, run.manifest.tasks, tasks)) == {"labels_en", "labels_eu", "lexicon_en", "lexicon_eu"}
    changed = {**tasks, "labels_eu": tasks["labels_eu"].model_copy(update={"sha256": "a" * 64})}
    with pytest.raises(InputError) as caught:
        same_tasks(cells, run.manifest.tasks, changed)
    assert f"labels_eu has sha256 {'a' * 64} here, and {tasks['labels_eu'].sha256} in the run" in caught.value.problem
    assert "labels_en" not in caught.value.problem
    assert "version of evalsuite" in (caught.value.fix or "")


def test_a_task_that_is_not_here_is_refused(run):
    tasks = {name: task for name, task in load_catalog().tasks.items() if name != "labels_en"}
    with pytest.raises(InputError, match="not on this device: labels_en") as caught:
        same_tasks(done_cells(run), run.manifest.tasks, tasks)
    assert "--include" in (caught.value.fix or "")


def test_a_model_file_that_differs_is_refused_with_both_hashes(run, tmp_path):
    (model,) = run.manifest.models.values()
    assert model_file(model, None, {}, offline=True) == model.source.path
    other = tmp_path / "other.bin"
    other.write_bytes(b"other weights")
    with pytest.raises(InputError) as caught:
        model_file(model, other, {}, offline=True)
    assert hashlib.sha256(b"other weights").hexdigest() in caught.value.problem
    assert str(model.sha256) in caught.value.problem
    assert "--model fake=PATH" in (caught.value.fix or "")


def test_a_file_that_rots_without_a_trace_is_found_out(run, tmp_path):
    (model,) = run.manifest.models.values()
    rotten = tmp_path / "rotten.bin"
    rotten.write_bytes(b"fake")
    state = rotten.stat()
    assert model_file(model, rotten, {}, offline=True) == rotten
    rotten.write_bytes(b"fakf")
    os.utime(rotten, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(InputError, match="has sha256"):
        model_file(model, rotten, {}, offline=True)


def test_the_file_may_lie_elsewhere_on_this_device(run, tmp_path):
    (model,) = run.manifest.models.values()
    moved = model.model_copy(update={"source": Source(kind="file", path=tmp_path / "far away.bin")})
    with pytest.raises(InputError, match=r"far away\.bin is not on this device") as caught:
        model_file(moved, None, {}, offline=True)
    assert "--model fake=PATH" in (caught.value.fix or "")
    copy = tmp_path / "copy.bin"
    copy.write_bytes(model.source.path.read_bytes())
    assert model_file(moved, copy, {}, offline=True) == copy
    dequantised = moved.model_copy(update={"name": "fake+dequantised"})
    assert model_file(dequantised, copy, {}, offline=True) == copy


def test_a_model_of_the_catalog_is_found_in_the_cache_under_either_of_its_names(tmp_path, monkeypatch):
    """The cache keeps a file by its hash, or by its source where the catalog knows no hash."""
    from evalsuite.catalog import fetch

    monkeypatch.setenv("EVALSUITE_CACHE", str(tmp_path))
    source = Source(kind="hf", repo="some/model", filename="m.gguf")
    known = Model(name="m", backend="llamacpp", title="M", licence="MIT", source=source)
    sha256 = hashlib.sha256(b"weights").hexdigest()
    # As the run stores it: with the hash and the commit that were found.
    measured = known.model_copy(
        update={"sha256": sha256, "source": source.model_copy(update={"revision": "c" * 40}), "name": "m+dequantised"}
    )
    assert model_at_hand(measured, None, {"m": known}) is None
    with pytest.raises(FetchError, match="--offline forbids"):
        model_file(measured, None, {"m": known}, offline=True)
    place = fetch._target(known, tmp_path)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"weights")
    state = place.stat()
    fetch._write_stamp(place, fetch._Stamp(sha256, state.st_size, state.st_mtime_ns, "c" * 40))
    assert model_file(measured, None, {"m": known}, offline=True) == place
    # A newer file under the same name is not the one.
    fetch._write_stamp(place, fetch._Stamp("d" * 64, state.st_size, state.st_mtime_ns, "e" * 40))
    assert model_at_hand(measured, None, {"m": known}) is None


# --- what is stored


@pytest.fixture
def synthetic(tmp_path):
    return build_run(tmp_path / "run", Plan(items=20, codes=("en", "eu"), holes=False))


def write(path, check):
    with RunWriter(path) as writer:
        return write_check(writer, check)


def test_a_check_comes_back_as_it_was_stored(synthetic):
    check = make_check(synthetic, lambda cell, r: turned(r))
    assert write(synthetic, check) == 0
    place = synthetic / "spotchecks"
    assert (place / f"{BOARD.fingerprint}.json").is_file()
    assert len(list(place.iterdir())) == 2
    (found,) = read_checks(RunFolder(synthetic))
    assert found.records == check.records
    assert found.check.model_copy(update={"records": None}) == check.check
    assert json.loads((place / f"{BOARD.fingerprint}.json").read_text(encoding="utf-8"))["device"]["cpu"] == BOARD.cpu


def test_a_check_is_replaced_when_it_is_made_again_and_other_devices_keep_theirs(synthetic):
    other = make_check(synthetic, device=BOARD.model_copy(update={"cpu": "Another Board"}))
    write(synthetic, make_check(synthetic, lambda cell, r: turned(r)))
    write(synthetic, other)
    new = make_check(synthetic, items=10, created="2026-06-01T00:00:00+00:00")
    assert write(synthetic, new) == 0
    found = {one.check.device.cpu: one for one in read_checks(RunFolder(synthetic))}
    assert found["Example Board 5"].records == new.records
    assert found["Another Board"].records == other.records
    assert len(list((synthetic / "spotchecks").iterdir())) == 4


@pytest.mark.parametrize(("update", "lost"), [({}, 0), ({"seed": 1}, 4), ({"versions": {"lm-eval": "9"}}, 4)])
def test_cells_that_are_not_checked_again_are_kept_where_they_were_checked_alike(synthetic, update, lost):
    _, second = MODELS
    whole = make_check(synthetic)
    write(synthetic, whole)
    again = make_check(synthetic, lambda cell, r: turned(r), **update)
    of_second = {c.id for c in RunFolder(synthetic).manifest.cells if c.model == second}
    part = type(again)(
        again.check.model_copy(update={"cells": tuple(c for c in again.check.cells if c.cell in of_second)}),
        {cell: records for cell, records in again.records.items() if cell in of_second},
    )
    assert write(synthetic, part) == lost
    (found,) = read_checks(RunFolder(synthetic))
    assert {c.cell for c in found.check.cells} == set(found.records)
    for cell, records in found.records.items():
        assert records == (again if cell in of_second else whole).records[cell]
    assert len(found.records) == 8 - lost


def test_a_kill_between_the_two_files_leaves_the_earlier_check_whole(synthetic, monkeypatch):
    earlier = make_check(synthetic)
    write(synthetic, earlier)
    real = RunWriter.write_file

    def killed(self, path, data):
        if path.suffix == ".json":
            raise KeyboardInterrupt
        real(self, path, data)

    monkeypatch.setattr(RunWriter, "write_file", killed)
    later = make_check(synthetic, lambda cell, r: turned(r), created="2026-06-01T00:00:00+00:00")
    with pytest.raises(KeyboardInterrupt):
        write(synthetic, later)
    (found,) = read_checks(RunFolder(synthetic))
    assert found.records == earlier.records
    monkeypatch.undo()
    write(synthetic, later)
    assert len(list((synthetic / "spotchecks").iterdir())) == 2


def test_a_damaged_check_is_told_and_can_be_made_again(synthetic):
    write(synthetic, make_check(synthetic))
    place = synthetic / "spotchecks"
    (table,) = place.glob("*.parquet")
    whole = table.read_bytes()
    table.write_bytes(whole[:100])
    with pytest.raises(StoreError, match="is damaged") as caught:
        read_checks(RunFolder(synthetic))
    assert "check again" in (caught.value.fix or "")
    (path,) = place.glob("*.json")
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**data, "records": "../../elsewhere.parquet"}), encoding="utf-8")
    with pytest.raises(StoreError, match="is damaged: records"):
        read_checks(RunFolder(synthetic))
    write(synthetic, make_check(synthetic))
    assert len(read_checks(RunFolder(synthetic))) == 1
