"""The hub code for data, run for real against a local stand-in of the hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.catalog.tasks import load_tasks
from tests.helpers import evalsuite
from tests.hub import Hub, environment, mirrored, serving

REVISION = load_tasks()["sib200_eu"].data.revision
REPO = "Davlan/sib200"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    rows = [{"index_id": 7, "category": "sports", "text": "Partida galdu dute."}]
    folder = tmp_path / "mirror" / REPO
    (folder / "eus_Latn").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "eus_Latn" / "test.parquet")
    with serving(Hub({REPO: mirrored(folder)}, {REPO: str(REVISION)})) as server:
        yield server


def test_items_come_from_the_hub_at_the_pinned_revision(tmp_path, hub):
    done = evalsuite("tasks", "show", "sib200_eu", "--json", **environment(tmp_path, hub.endpoint))
    assert done.returncode == 0, (done.stderr[-2000:], hub.asked)
    told = json.loads(done.stdout)
    assert told["data"]["found"] == "hub"
    assert [prompt["id"] for prompt in told["prompts"]] == ["7"]
    assert told["prompts"][0]["target"] == "kirola"
    assert any(f"/resolve/{REVISION}/eus_Latn/test.parquet" in path for path in hub.asked)


def test_a_hub_that_does_not_answer_is_told(tmp_path):
    done = evalsuite("tasks", "show", "sib200_eu", **environment(tmp_path, "http://127.0.0.1:9"))
    assert done.returncode == 2
    assert "could not be had from the hub" in done.stderr
    assert "--data" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plan_downloads_nothing(tmp_path, hub):
    ask = ["plan", "--model", "gemma3-270m", "--tasks", "sib200", "--langs", "eu", "--json"]
    done = evalsuite(*ask, EVALSUITE_CACHE=str(tmp_path / "cache"), **environment(tmp_path, hub.endpoint))
    assert done.returncode == 0, done.stderr
    (cell,) = json.loads(done.stdout)["cells"]
    assert (cell["data"], cell["items"]) == ("hub", 204)
    assert hub.asked == []
