"""The run folder: what is written is read back, one writer at a time, newer and damaged folders are refused."""

from __future__ import annotations

import json

import pytest

from evalsuite.errors import StoreError
from evalsuite.records import SCHEMA_VERSION, CellStatus
from evalsuite.store import RunFolder, RunWriter
from tests.synthetic import build_run


@pytest.fixture
def run(tmp_path):
    return build_run(tmp_path / "run")


def folder(run) -> RunFolder:
    return RunFolder(run if not isinstance(run, RunFolder) else run.path)


def done(run_folder):
    return next(r.cell for r in run_folder.results() if r.status is CellStatus.DONE)


def test_records_survive_the_way_through_the_store(tmp_path, run):
    source = folder(run)
    cell = done(source)
    records = source.records(cell)
    assert records
    with RunWriter(tmp_path / "copy") as writer:
        writer.write_manifest(source.manifest)
        for index in range(cell.chunks):
            wanted = set(cell.chunk(index))
            part = [r for r in records if r.item_index in wanted]
            writer.write_chunk(cell, index, part, wall_s=0.5, tokens=10)
        assert writer.result(cell).status is CellStatus.PENDING
        before = writer.records(cell)
        result = writer.finish(cell, CellStatus.DONE)
    assert before == records
    assert RunFolder(tmp_path / "copy").records(cell) == records
    assert result.wall_s == pytest.approx(0.5 * cell.chunks)
    assert result.tokens == 10 * cell.chunks
    assert not list((tmp_path / "copy" / "cells" / cell.id).glob("chunk-*"))


def test_a_second_writer_is_refused(tmp_path):
    with RunWriter(tmp_path / "run"), pytest.raises(StoreError, match="in use by another"), RunWriter(tmp_path / "run"):
        pass
    with RunWriter(tmp_path / "run"):
        pass  # the lock was given back


def test_a_newer_folder_is_refused(run):
    path = folder(run).path / "manifest.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**data, "schema_version": SCHEMA_VERSION + 1, "evalsuite": "9.9"}), encoding="utf-8")
    with pytest.raises(StoreError, match="newer than this evalsuite") as told:
        _ = folder(run).manifest
    assert "9.9" in str(told.value.fix)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 1}', '{"created": "x"}'])
def test_a_damaged_manifest_is_refused(run, text):
    (folder(run).path / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError):
        _ = folder(run).manifest


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(StoreError, match="is no run folder"):
        _ = RunFolder(tmp_path).manifest


def test_damaged_records_are_told(run):
    run_folder = folder(run)
    cell = done(run_folder)
    (run_folder.path / "cells" / cell.id / "records.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(StoreError, match="damaged"):
        run_folder.records(cell)


def test_a_full_disk_is_told_and_leaves_the_folder_readable(run, monkeypatch):
    run_folder = folder(run)
    cell = done(run_folder)
    before = run_folder.records(cell)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("evalsuite.store.os.fsync", full)
    with RunWriter(run_folder.path) as writer, pytest.raises(StoreError, match="No space left on device") as told:
        writer.write_chunk(cell, 0, before[:1], wall_s=0, tokens=0)
    assert "what is stored is kept" in str(told.value.fix)
    assert run_folder.records(cell) == before
