"""Where items come from: shipped files, a mirror, the hub; and what is said when they cannot be had."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.catalog.data import DataFinder, mirror_from
from evalsuite.catalog.tasks import load_tasks
from evalsuite.errors import DataMissingError, InputError

TASKS = load_tasks()
SIB = TASKS["sib200_eu"]


@pytest.fixture
def mirror(tmp_path):
    """A stand-in with the documented columns of SIB-200."""
    rows = [
        {"index_id": 7, "category": "sports", "text": "Partida galdu dute."},
        {"index_id": 9, "category": "travel", "text": "Trena berandu dator."},
    ]
    path = tmp_path / "Davlan" / "sib200" / "eus_Latn" / "test.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return tmp_path


def test_a_mirror_is_read_before_the_hub(mirror):
    finder = DataFinder(mirror)
    located = finder.locate(SIB)
    assert located.data.found == "mirror"
    assert len(located.data.sha256 or "") == 64
    assert finder.item_ids(SIB) == ["7", "9"]


def test_shipped_items_need_neither(tmp_path):
    finder = DataFinder(tmp_path, offline=True)
    assert finder.locate(TASKS["labels_eu"]).data.found == "shipped"
    assert len(finder.item_ids(TASKS["labels_eu"])) == 120


def test_what_is_nowhere_is_told_with_the_ways_out(tmp_path):
    with pytest.raises(DataMissingError, match=r"Davlan/sib200 \(eus_Latn, test\) is not in") as told:
        DataFinder(tmp_path, offline=True).locate(SIB)
    assert "--data" in (told.value.fix or "")


def test_a_mirror_of_another_version_is_told(mirror):
    path = mirror / "Davlan" / "sib200" / "eus_Latn" / "test.parquet"
    pq.write_table(pa.table({"text": ["x"]}), path)
    with pytest.raises(DataMissingError, match="no id column 'index_id'; it has text"):
        DataFinder(mirror).item_ids(SIB)


def test_the_mirror_may_stand_in_the_environment(mirror, monkeypatch, tmp_path):
    monkeypatch.setenv("EVALSUITE_DATA", str(mirror))
    assert mirror_from(None) == mirror
    assert mirror_from(tmp_path) == tmp_path
    monkeypatch.setenv("EVALSUITE_DATA", str(mirror / "none"))
    with pytest.raises(InputError, match="EVALSUITE_DATA"):
        mirror_from(None)
    monkeypatch.delenv("EVALSUITE_DATA")
    assert mirror_from(None) is None
