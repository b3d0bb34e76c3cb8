"""The profiles of a run folder: what is written is read back, and what is damaged is told with the file's name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.errors import StoreError
from evalsuite.profile_store import ProfileFolder, ProfileWriter
from evalsuite.records import (
    SCHEMA_VERSION,
    SERVING_PHASE,
    CellStatus,
    CurvePoint,
    Kind,
    Load,
    MemoryPhase,
    MeterFound,
    PowerRow,
    PowerSourceRow,
    ProfileCell,
    ProfileFacts,
    ProfileSettings,
    RequestRow,
    Stretch,
    ThreadPoint,
    needed_memory,
)
from evalsuite.store import RunFolder, RunWriter
from tests.synthetic import Plan, build_run

CELL = ProfileCell(
    id="tiny.0123456789",
    model="tiny",
    model_sha256="a" * 64,
    languages=("es", "eu"),
    settings=ProfileSettings(rounds=2, meters=("replay:x.csv",), threads_sweep=(1, 2), grid="ESP", watts=5.5),
    texts_sha256="b" * 64,
    device="c" * 16,
    threads=2,
    threads_reason="2 physical cores",
)


def request(place: int, **fields: Any) -> RequestRow:
    known = {
        "block": "latency", "round": 1, "sitting": 2, "language": "eu", "kind": Kind.READING, "id": f"reading-{place}",
        "start_ns": 26_000_000_000_123_456_789 // 1000 + place, "end_ns": 2**53 + 1 + place, "tokenise_s": 1e-4,
        "prefill_s": 0.1 + place, "ttft_s": 0.2 + place, "steps_s": (0.01, 1 / 3, 5e-324), "total_s": 1.25,
        "prompt_tokens": 140, "prompt_chars": 300, "prompt_bytes": 310, "output_tokens": 4, "output_chars": 5,
        "output_bytes": 9, "output": " añ日\n\ufffd", "right": None,
    }  # fmt: skip
    return RequestRow.model_validate(known | fields)


REQUESTS = [
    request(1),
    request(2, kind=Kind.CLASSIFICATION, right=True, block="energy"),
    request(3, kind=Kind.CLASSIFICATION, right=False, steps_s=(), output="", output_tokens=0),
    request(4, kind=Kind.ANSWER),
]
POWER = [
    PowerRow(source="rapl", t_ns=2**53 + 1, power_w=None, energy_j=0.25, rails_w={}, flags=()),
    PowerRow(source="rapl", t_ns=2**53 + 3, power_w=None, energy_j=0.5, flags=("counter_reset", "stale")),
    PowerRow(source="jetson", t_ns=5, power_w=4.122, energy_j=None, rails_w={"cpu": 1.167, "gpu": 0.109}),
]
FACTS: dict[str, Any] = {
    "status": CellStatus.FAILED,
    "reason": "the engine crashed (SIGSEGV)",
    "engine": "llama-cpp-python 0.3.36",
    "engine_flags": "AVX = 1",
    "file_bytes": 2**40,
    "context": 512,
    "sittings": 3,
    "rounds_done": 2,
    "parts": ("loads", "energy"),
    "loads": (Load(kind="cold", seconds=None, reason="no"), Load(kind="warm", seconds=1 / 3)),
    "buffers": {"model": {"CPU_Mapped": 450_888}, "kv": {"CPU": 2**20}},
    "memory": (MemoryPhase(phase="before the model", peak_rss=2**33, looks=3, since_start=True),),
    "curve": (
        CurvePoint(tokens=128, prefill_s=0.1, steps_s=(0.1, 0.2), kv_bytes=1, compute_bytes=2, peak_rss=3),
        CurvePoint(tokens=9000, prefill_s=None, reason="the model was trained for 8192"),
    ),
    "thread_points": (ThreadPoint(threads=2, prefill_tokens=256, prefill_s=(1.0, 2.0), steps_s=(0.1,)),),
    "stretches": (
        Stretch(
            block="energy", round=0, sitting=1, language="eu", kind=Kind.CLASSIFICATION, start_ns=1, end_ns=2**60,
            temperature_start_c=41.5, throttled=None, noisy=True, noise=("another process",), throttle_reasons=("hot",),
        ),
    ),
    "meters": (MeterFound(name="rapl", available=False, told="no such folder", fix="run as root"),),
    "sources": (
        PowerSourceRow(
            id="rapl", scope="package", label="measured", kind="counter", nominal_hz=10.0, quantum_j=6.1e-5, primary=True,
            failures=("a", "b"), failed_looks=9,
        ),
    ),
    "idle": ((1, 2**60), (2**60, 2**61)),
    "memory_proof": {"needed_bytes": 5, "proven": None, "note": None, "slower": 0.01},
    "cool_down": "cool again after 3 s",
    "grid": {"g_per_kwh": 174.0, "place": "Spain"},
    "clock_offset_s": 1.7e9,
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunWriter]:
    with RunWriter(tmp_path / "run") as writer:
        yield writer


@pytest.fixture
def profile(run: RunWriter) -> ProfileWriter:
    """A profile with some of everything."""
    found = ProfileWriter(run, CELL)
    found.add_requests(REQUESTS[:3])
    found.add_requests(REQUESTS[3:])
    found.add_power(POWER[:2])
    found.add_power(POWER[2:])
    found.update(**FACTS)
    return found


def read(run: RunWriter) -> ProfileFolder:
    """The same profile, as another process sees it."""
    return ProfileFolder(RunFolder(run.path), CELL)


# --- there and back


def test_nothing_is_there_before_anything_was_measured(run: RunWriter) -> None:
    empty = read(run)
    assert empty.facts == ProfileFacts(cell=CELL, status=CellStatus.PENDING, sittings=0)
    assert empty.requests() == []
    assert empty.power() == []


def test_all_facts_survive_the_way_through_the_store(run: RunWriter, profile: ProfileWriter) -> None:
    found = read(run).facts
    assert found == profile.facts == ProfileFacts(cell=CELL, **FACTS)
    # Every field was given a value that is not its default.
    blank = ProfileFacts(cell=CELL, status=CellStatus.PENDING)
    same = [name for name in ProfileFacts.model_fields if getattr(found, name) == getattr(blank, name)]
    assert same == ["cell"]


def test_all_rows_survive_the_way_through_the_store(run: RunWriter, profile: ProfileWriter) -> None:
    assert read(run).requests() == REQUESTS
    assert read(run).power() == POWER
    assert sorted(path.name for path in profile.path.iterdir()) == [
        *("power-00000.parquet", "power-00001.parquet", "profile.json"),
        *("requests-00000.parquet", "requests-00001.parquet"),
    ]


def test_every_field_of_a_row_has_a_column(run: RunWriter, profile: ProfileWriter) -> None:
    for kind, model in (("requests", RequestRow), ("power", PowerRow)):
        columns = pq.read_schema(profile.path / f"{kind}-00000.parquet").names
        assert sorted(columns) == sorted(model.model_fields)


def test_columns_without_any_value_stay_readable(run: RunWriter) -> None:
    """A file that holds no right answer, and one that holds some, have the same schema."""
    found = ProfileWriter(run, CELL)
    for asked in REQUESTS:
        found.add_requests([asked])
    for look in POWER:
        found.add_power([look])
    assert read(run).requests() == REQUESTS
    assert read(run).power() == POWER


def test_files_are_read_in_the_order_in_which_they_were_written(run: RunWriter) -> None:
    found = ProfileWriter(run, CELL)
    rows = [request(place) for place in range(12)]
    for row in rows:
        found.add_requests([row])
    assert read(run).requests() == rows


def test_no_look_at_a_source_makes_no_file(run: RunWriter) -> None:
    found = ProfileWriter(run, CELL)
    found.add_power([])
    assert not found.path.exists()


def test_more_is_added_to_what_is_there(run: RunWriter, profile: ProfileWriter) -> None:
    profile.append(parts=["curve"], idle=[(7, 8)])
    again = ProfileWriter(run, CELL)
    again.append(parts=["threads"])
    assert read(run).facts.parts == ("loads", "energy", "curve", "threads")
    assert read(run).facts.idle == (*FACTS["idle"], (7, 8))
    assert read(run).facts.reason == FACTS["reason"]
    again.add_requests([request(9)])
    assert read(run).requests() == [*REQUESTS, request(9)]


def test_two_profiles_of_a_run_are_kept_apart(run: RunWriter, profile: ProfileWriter) -> None:
    other = CELL.model_copy(update={"id": "tiny.9876543210"})
    assert ProfileFolder(run, other).requests() == []
    ProfileWriter(run, other).update(status=CellStatus.DONE)
    assert read(run).facts.status is CellStatus.FAILED


# --- damage


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"cell": {}, "status": "done"}', b"\xff\xfe"])
def test_damaged_facts_are_told(run: RunWriter, profile: ProfileWriter, text: str | bytes) -> None:
    path = profile.path / "profile.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(StoreError) as caught:
        _ = read(run).facts
    assert str(path) in caught.value.problem
    assert caught.value.fix


def test_facts_with_a_field_that_is_not_known_are_told(run: RunWriter, profile: ProfileWriter) -> None:
    path = profile.path / "profile.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "joules": 3}), encoding="utf-8")
    with pytest.raises(StoreError, match="Extra inputs") as caught:
        _ = read(run).facts
    # Tables without their facts would be added to, as if nothing had been measured yet.
    assert "delete that profile's folder" in str(caught.value.fix)


@pytest.mark.parametrize("kind", ["requests", "power"])
@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "other columns", "other values"])
def test_damaged_tables_are_told(run: RunWriter, profile: ProfileWriter, kind: str, damage: str) -> None:
    path = profile.path / f"{kind}-00001.parquet"
    whole = path.read_bytes()
    if damage == "other columns":
        pq.write_table(pa.table({"a": [1]}), path)
    elif damage == "other values":
        name = "kind" if kind == "requests" else "source"
        table = pq.read_table(path)
        column = pa.array([None if kind == "power" else "essay"] * table.num_rows, pa.string())
        pq.write_table(table.set_column(table.column_names.index(name), name, column), path)
    else:
        path.write_bytes({"cut": whole[:-20], "garbage": b"PAR1 not really", "empty": b""}[damage])
    with pytest.raises(StoreError) as caught:
        read(run).requests() if kind == "requests" else read(run).power()
    assert str(path) in caught.value.problem
    assert "delete that profile's folder" in str(caught.value.fix)
    # The other kind can still be read.
    assert (read(run).power() == POWER) if kind == "requests" else (read(run).requests() == REQUESTS)


def test_a_part_that_was_not_finished_is_not_read(run: RunWriter, profile: ProfileWriter) -> None:
    """A kill in the middle of writing leaves a file beside its place."""
    (profile.path / "requests-00002.parquet.part").write_bytes(b"PAR1")
    assert read(run).requests() == REQUESTS


# --- old folders


def test_a_folder_of_the_first_version_is_read(tmp_path: Path) -> None:
    """It knows no profiles: none in the plan, none in the sweep."""
    folder = build_run(tmp_path / "run", Plan(codes=("en",), models={"tiny": "Tiny"}, items=2, holes=False))
    path = folder / "manifest.json"
    new = json.loads(path.read_text(encoding="utf-8"))
    assert new["schema_version"] == SCHEMA_VERSION == 3
    old = {key: value for key, value in new.items() if key not in ("profiles", "devices", "notes")}
    old["sweep"] = {key: value for key, value in old["sweep"].items() if key != "profile"}
    path.write_text(json.dumps({**old, "schema_version": 1}), encoding="utf-8")
    found = RunFolder(folder).manifest
    assert found.schema_version == 3
    assert found.profiles == ()
    assert found.sweep.profile is None
    assert found.model_dump(mode="json") == new
    with RunWriter(folder) as writer:
        writer.write_manifest(found)
    assert json.loads(path.read_text(encoding="utf-8"))["schema_version"] == 3


# --- memory


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ({"rss_anon": 100, "weights_mapped": 40}, 140),
        ({"rss_anon": 100, "weights_mapped": 40, "rss_shmem": 5, "vram": 7}, 152),
        ({"rss_anon": 100, "weights_mapped": 0, "rss_file": 999, "peak_rss": 9999}, 100),
        ({"rss_anon": None, "weights_mapped": 40}, None),
        ({"rss_anon": 100, "weights_mapped": None, "rss_file": 40}, None),
        ({"rss_anon": 100, "weights_mapped": 40, "swap": 3}, None),
    ],
)
def test_needed_is_what_serving_cannot_give_back_and_the_weights(fields: dict[str, Any], needed: int | None) -> None:
    phases = (
        MemoryPhase(phase="loading, cold", rss_anon=5000, weights_mapped=5000),
        MemoryPhase(phase=SERVING_PHASE, **fields),
    )
    found, reason = needed_memory(ProfileFacts(cell=CELL, status=CellStatus.DONE, memory=phases))
    assert found == needed
    assert (reason is None) == (needed is not None)
    assert needed_memory(ProfileFacts(cell=CELL, status=CellStatus.DONE, memory=phases[:1]))[0] is None


@pytest.mark.parametrize(
    ("model", "vram", "needed", "told"),
    [
        ({"CPU_Mapped": 400}, None, 500, None),
        # Rearranged weights lie in anonymous memory; their pages of the file can be dropped.
        ({"CPU_Mapped": 400, "CPU_REPACK": 300}, None, 200, None),
        ({"CPU_Mapped": 100, "CUDA0": 300}, 350, 850, None),
        # Memory that nobody tells is not nothing.
        ({"CPU_Mapped": 100, "Vulkan0": 300}, None, None, "Vulkan0"),
        # Weights that were evicted are read again for each token.
        ({"CPU_Mapped": 900}, None, None, "44 %"),
    ],
)
def test_weights_that_are_elsewhere_or_were_evicted(
    model: dict[str, int], vram: int | None, needed: int | None, told: str | None
) -> None:
    serving = MemoryPhase(phase=SERVING_PHASE, rss_anon=100, weights_mapped=400, vram=vram)
    facts = ProfileFacts(cell=CELL, status=CellStatus.DONE, memory=(serving,), buffers={"model": model})
    found, reason = needed_memory(facts)
    assert found == needed
    assert reason is None if told is None else told in (reason or "")
