"""Profiles from end to end with a tiny model: everything is stored, a kill costs a round, and a failure costs its model."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
pytest.importorskip("gguf", reason="the gguf package, which writes the tiny models, is not installed")

from evalsuite.catalog.languages import load_languages
from evalsuite.catalog.profile_texts import load_profile_texts
from evalsuite.continuation import continued
from evalsuite.meters.memory_cap import CapResult
from evalsuite.profile_store import ProfileFolder, ProfileWriter
from evalsuite.profiler import ProfileInputs, ProfileSummary, _proof, run_profiles
from evalsuite.records import (
    BASELINE_PHASE,
    SERVING_PHASE,
    CellStatus,
    Kind,
    Limits,
    Manifest,
    ProfileCell,
    ProfileFacts,
    ProfileSettings,
    RequestRow,
    Skip,
    needed_memory,
)
from evalsuite.store import RunFolder, RunWriter
from tests import tiny_gguf
from tests.synthetic import Plan, build_run

CODES = ("es", "eu")
TEXTS = load_profile_texts([load_languages()[code] for code in CODES])
A_ROUND = 2 * (2 + 3)
"""Two languages, two messages and one request of each of the other kinds."""
MIB = 2**20


class Progress:
    """Keeps what it is told; calls a function when a round was stored."""

    def __init__(self, stored: Callable[[], object] = lambda: None) -> None:
        self.begun: tuple[int, int] | None = None
        self.models: list[str] = []
        self.served: list[int] = []
        self.notes: list[str] = []
        self._stored = stored

    def begin(self, profiles: int, requests: int) -> None:
        self.begun = (profiles, requests)

    def profile(self, model: str) -> None:
        self.models.append(model)

    def advance(self, items: int) -> None:
        self.served.append(items)
        self._stored()

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.write_llama(tmp_path_factory.mktemp("models") / "tiny.gguf", context=2048)


@pytest.fixture
def damaged(tmp_path: Path, tiny: Path) -> Path:
    """A model whose last weights were not downloaded."""
    path = tmp_path / "damaged.gguf"
    path.write_bytes(tiny.read_bytes()[:-4096])
    return path


def cell(name: str = "tiny", **settings: Any) -> ProfileCell:
    known = {
        "rounds": 2,
        "classifications": 2,
        "answer_tokens": 12,
        "curve": [16, 32],
        "curve_steps": 4,
        "meters": ["none"],
        "prove_memory": False,
        "cool_down_s": 0,
        **settings,
    }
    return ProfileCell(
        id=f"{name}.0123456789",
        model=name,
        model_sha256="a" * 64,
        languages=CODES,
        settings=ProfileSettings.model_validate(known),
        texts_sha256=TEXTS.sha256,
        device="d" * 16,
        threads=1,
        threads_reason="as asked for",
    )


def run(
    folder: Path, paths: dict[ProfileCell, Path], progress: Progress | None = None, **limits: float
) -> ProfileSummary:
    inputs = ProfileInputs(
        cells=tuple(paths),
        paths={one.model: path for one, path in paths.items()},
        texts=TEXTS.requests,
        long=TEXTS.long,
        limits=Limits.model_validate({"load_timeout_s": 60, "chunk_timeout_s": 60, **limits}),
    )
    with RunWriter(folder) as writer:
        summary = run_profiles(writer, inputs, progress or Progress())
    # Whatever came of it, no process is left behind.
    assert children() == []
    return summary


def children() -> list[psutil.Process]:
    """Return the processes that measure for this one."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "evalsuite.profiling.child" in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def stored(folder: Path, asked: ProfileCell) -> ProfileFolder:
    return ProfileFolder(RunFolder(folder), asked)


def outcome(row: RequestRow) -> tuple[Any, ...]:
    """What a request gave, without the times that it took."""
    return row.block, row.round, row.language, row.id, row.output, row.right, row.prompt_tokens, row.output_tokens


# --- a whole profile


@pytest.fixture(scope="module")
def whole(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ProfileCell, Progress]:
    """A profile that was measured without an interruption."""
    folder = tmp_path_factory.mktemp("run")
    asked, progress = cell(threads_sweep=[1, 2], grid="174"), Progress()
    summary = run(folder, {asked: tiny}, progress)
    assert summary == ProfileSummary(done=1)
    return folder, asked, progress


def test_all_parts_of_a_profile_are_stored(whole: tuple[Path, ProfileCell, Progress], tiny: Path) -> None:
    folder, asked, progress = whole
    facts = stored(folder, asked).facts
    assert (facts.status, facts.reason, facts.cell, facts.sittings) == (CellStatus.DONE, None, asked, 1)
    assert facts.rounds_done == 2
    assert facts.parts == ("loads", "threads", "curve")
    assert [load.kind for load in facts.loads] == ["cold", "warm"]
    assert all((load.seconds is None) == (load.reason is not None) for load in facts.loads)
    assert [point.threads for point in facts.thread_points] == [1, 2]
    assert [(point.tokens, len(point.steps_s), point.reason) for point in facts.curve] == [(16, 4, None), (32, 4, None)]
    # Keys and values × 2 layers × 2 heads of 16 numbers × 2 bytes, in the 256 tokens that llama.cpp's smallest cache has.
    assert [point.kv_bytes for point in facts.curve] == [pytest.approx(256 * 256, abs=0.005 * MIB)] * 2
    assert facts.engine.startswith("llama-cpp-python ")
    assert facts.engine_flags
    assert facts.file_bytes == tiny.stat().st_size
    assert (facts.meters, facts.sources, facts.idle, facts.memory_proof) == ((), (), (), None)
    assert (facts.cool_down, facts.clock_offset_s is None) == (None, False)
    assert facts.grid is not None
    assert facts.grid["g_per_kwh"] == 174
    assert progress.models == ["tiny"]
    assert progress.begun == (1, 2 * A_ROUND)
    assert progress.served == [A_ROUND, A_ROUND]
    assert (folder / "logs" / "profile-tiny.log").exists()


def test_the_context_has_room_for_the_longest_request(whole: tuple[Path, ProfileCell, Progress]) -> None:
    folder, asked, _ = whole
    facts, rows = stored(folder, asked).facts, stored(folder, asked).requests()
    assert facts.context is not None
    assert max(row.prompt_tokens + row.output_tokens for row in rows) <= facts.context <= 2048
    assert facts.context % 256 == 0
    assert sum(facts.buffers["kv"].values()) == pytest.approx(facts.context * 256, abs=0.005 * MIB)


def test_every_request_is_stored_with_what_it_took(whole: tuple[Path, ProfileCell, Progress]) -> None:
    folder, asked, _ = whole
    rows = stored(folder, asked).requests()
    texts = {(text.language, text.id): text for text in TEXTS.requests}
    assert len(rows) == 2 * A_ROUND
    assert [row.round for row in rows] == [0] * A_ROUND + [1] * A_ROUND
    assert {(row.block, row.sitting) for row in rows} == {("latency", 0)}
    for row in rows:
        text = texts[row.language, row.id]
        assert row.kind is text.kind
        assert (row.prompt_chars, row.prompt_bytes) == (len(text.prompt), len(text.prompt.encode()))
        assert (row.output_chars, row.output_bytes) == (len(row.output), len(row.output.encode()))
        assert len(row.steps_s) == row.output_tokens - 1
        assert row.total_s == pytest.approx((row.end_ns - row.start_ns) / 1e9)
        assert row.tokenise_s + row.prefill_s <= row.ttft_s + 1e-9
        assert row.ttft_s + sum(row.steps_s) <= row.total_s + 1e-9
        if row.kind is Kind.CLASSIFICATION:
            assert row.output in text.choices
            assert row.right == (text.choices.index(row.output) == text.right)
        else:
            assert row.right is None
        if row.kind in (Kind.READING, Kind.TRANSLATION):
            assert row.output == text.answer
        if row.kind is Kind.ANSWER:
            assert row.output_tokens == 12
    # One at a time.
    assert all(before.end_ns <= after.start_ns for before, after in itertools.pairwise(rows))


def test_both_languages_are_asked_the_same_by_turns(whole: tuple[Path, ProfileCell, Progress]) -> None:
    folder, asked, _ = whole
    rows = stored(folder, asked).requests()
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        assert first.id == second.id
        assert {first.language, second.language} == set(CODES)
    ids = [{row.id for row in rows if row.round == number} for number in (0, 1)]
    assert not ids[0] & ids[1]


def test_the_state_of_the_device_is_stored_with_every_round(whole: tuple[Path, ProfileCell, Progress]) -> None:
    folder, asked, _ = whole
    facts, rows = stored(folder, asked).facts, stored(folder, asked).requests()
    latency = [one for one in facts.stretches if one.block == "latency"]
    assert [(one.round, one.sitting) for one in latency] == [(0, 0), (1, 0)]
    assert [(one.block, one.round) for one in facts.stretches[2:]] == [("curve", 0), ("curve", 1)]
    for stretch in latency:
        within = [row for row in rows if row.round == stretch.round]
        assert stretch.start_ns <= min(row.start_ns for row in within)
        assert stretch.end_ns >= max(row.end_ns for row in within)


def test_memory_is_stored_by_phase(whole: tuple[Path, ProfileCell, Progress], tiny: Path) -> None:
    folder, asked, _ = whole
    facts = stored(folder, asked).facts
    phases = {phase.phase: phase for phase in facts.memory}
    assert list(phases) == [
        BASELINE_PHASE, "loading, cold", "loading, warm", SERVING_PHASE, "context of 16 tokens", "context of 32 tokens",
    ]  # fmt: skip
    serving = phases[SERVING_PHASE]
    assert serving.context == facts.context
    assert phases["context of 16 tokens"].context == 256
    if not Path("/proc/self/smaps").exists():
        pytest.skip("this system does not tell which files a process has mapped")
    assert serving.rss_anon is not None
    assert serving.weights_mapped is not None
    assert 0 < serving.weights_mapped <= tiny.stat().st_size + 2**16
    assert phases[BASELINE_PHASE].weights_mapped == 0, "nothing of it is mapped yet"
    needed, reason = needed_memory(facts)
    assert reason is None
    assert needed is not None
    rearranged = sum(size for device, size in facts.buffers["model"].items() if not device.endswith("_Mapped"))
    assert needed >= serving.rss_anon + serving.weights_mapped - rearranged


def test_a_profile_that_is_done_is_not_measured_again(
    whole: tuple[Path, ProfileCell, Progress], tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, asked, _ = whole
    before = {path: path.read_bytes() for path in stored(folder, asked).path.iterdir()}

    def no_child(*_: object) -> None:
        raise AssertionError("nothing is left to be measured")

    monkeypatch.setattr("evalsuite.profiler.ChildProcess", no_child)
    progress = Progress()
    assert run(folder, {asked: tiny}, progress) == ProfileSummary(already_done=1)
    assert {path: path.read_bytes() for path in stored(folder, asked).path.iterdir()} == before
    assert (progress.begun, progress.models) == ((0, 0), [])


# --- interruptions


def test_killed_in_the_middle_it_goes_on_with_the_next_round(tmp_path: Path, tiny: Path) -> None:
    # Long answers, so that the process is still at work when the first round has been stored.
    asked = cell(rounds=4, answer_tokens=300, curve=[16])
    killed: list[int] = []

    def kill() -> None:
        if not killed:
            (process,) = children()
            killed.append(process.pid)
            os.kill(process.pid, signal.SIGKILL)

    summary = run(tmp_path, {asked: tiny}, Progress(kill))
    assert (summary.done, summary.failed) == (0, 1)
    assert "SIGKILL" in summary.reasons[0] or "out of memory" in summary.reasons[0]
    facts, first = stored(tmp_path, asked).facts, stored(tmp_path, asked).requests()
    assert facts.status is CellStatus.FAILED
    assert facts.reason is not None
    assert "fix: " in facts.reason
    done = facts.rounds_done
    # One round, and what the process had sent before the signal reached it.
    assert 1 <= done < 4
    assert len(first) == done * A_ROUND

    progress = Progress()
    summary = run(tmp_path, {asked: tiny}, progress)
    assert summary == ProfileSummary(done=1)
    assert progress.begun == (1, (4 - done) * A_ROUND)
    facts, rows = stored(tmp_path, asked).facts, stored(tmp_path, asked).requests()
    assert (facts.status, facts.reason, facts.sittings, facts.rounds_done) == (CellStatus.DONE, None, 2, 4)
    assert rows[: len(first)] == first
    assert [row.round for row in rows[::A_ROUND]] == [0, 1, 2, 3]
    assert [row.sitting for row in rows] == [0] * len(first) + [1] * (len(rows) - len(first))
    assert [(one.round, one.sitting) for one in facts.stretches if one.block == "latency"] == [
        (number, 0 if number < done else 1) for number in range(4)
    ]
    # What a sitting measures anew stands there once.
    assert [load.kind for load in facts.loads] == ["cold", "warm"]
    assert [point.tokens for point in facts.curve] == [16]
    assert [phase.phase for phase in facts.memory] == [
        # What is not measured again stays.
        *("loading, cold", BASELINE_PHASE, "loading, warm", SERVING_PHASE, "context of 16 tokens")
    ]


def test_another_sitting_gives_the_same_answers(
    tmp_path: Path, tiny: Path, whole: tuple[Path, ProfileCell, Progress]
) -> None:
    """What is asked in a round does not depend on what was asked before; so neither do rounds after an interruption."""
    asked = cell(curve=[])

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, {asked: tiny}, Progress(interrupt))
    assert children() == []
    facts = stored(tmp_path, asked).facts
    assert (facts.status, facts.rounds_done) == (CellStatus.PENDING, 1)
    assert run(tmp_path, {asked: tiny}).done == 1
    folder, uncut, _ = whole
    assert list(map(outcome, stored(tmp_path, asked).requests())) == list(
        map(outcome, stored(folder, uncut).requests())
    )


def test_a_process_that_says_nothing_is_given_up(tmp_path: Path, tiny: Path) -> None:
    asked = cell()
    summary = run(tmp_path, {asked: tiny}, load_timeout_s=0.001)
    assert summary.failed == 1
    facts = stored(tmp_path, asked).facts
    assert facts.status is CellStatus.FAILED
    assert facts.reason is not None
    assert facts.reason.startswith("time-out: nothing came for 0.001 s (fix: ")


# --- failures


def test_a_model_that_cannot_be_loaded_fails_and_the_next_one_is_measured(
    tmp_path: Path, tiny: Path, damaged: Path
) -> None:
    bad, good = cell("bad"), cell("good", rounds=1, curve=[])
    progress = Progress()
    summary = run(tmp_path, {bad: damaged, good: tiny}, progress)
    assert (summary.done, summary.failed) == (1, 1)
    facts = stored(tmp_path, bad).facts
    assert facts.status is CellStatus.FAILED
    assert facts.reason is not None
    assert str(damaged) in facts.reason
    assert "fix: fetch or convert the model again" in facts.reason
    assert stored(tmp_path, bad).requests() == []
    assert summary.reasons == [f"bad: {facts.reason}"]
    assert f"failed: profile of bad: {facts.reason}" in progress.notes
    assert progress.models == ["bad", "good"]
    facts = stored(tmp_path, good).facts
    assert facts.status is CellStatus.DONE
    # It was waited, or it is told why not.
    assert facts.cool_down


def test_a_meter_that_is_not_there_fails_the_profile_before_any_round(tmp_path: Path, tiny: Path) -> None:
    asked = cell(meters=["replay:/no/such/curve.csv"])
    assert run(tmp_path, {asked: tiny}).failed == 1
    facts = stored(tmp_path, asked).facts
    assert facts.reason is not None
    assert "/no/such/curve.csv cannot be read" in facts.reason
    assert facts.rounds_done == 0


# --- energy


@pytest.fixture(scope="module")
def metered(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ProfileCell, str]:
    """A profile with a power meter, and the name of that."""
    folder = tmp_path_factory.mktemp("metered")
    curve = folder / "curve.csv"
    curve.write_text("t_s,power_w,energy_j\n0,2,0\n1000,2,2000\n", encoding="utf-8")
    meter = f"replay:{curve}?hz=500&scope=whole%20board"
    asked = cell(rounds=1, curve=[16], meters=[meter], energy_s=0.25, idle_s=0.1)
    assert run(folder / "run", {asked: tiny}) == ProfileSummary(done=1)
    return folder / "run", asked, meter


def test_a_meter_gives_its_looks(metered: tuple[Path, ProfileCell, str]) -> None:
    folder, asked, meter = metered
    facts, power = stored(folder, asked).facts, stored(folder, asked).power()
    assert facts.parts == ("loads", "energy", "threads", "curve")
    assert [(found.name, found.available) for found in facts.meters] == [(meter, True)]
    (source,) = facts.sources
    assert (source.id, source.scope) == (meter.partition("?")[0], "whole board")
    assert (source.primary, source.nominal_hz, source.failed_looks) == (True, 500.0, 0)
    assert {row.source for row in power} == {source.id}
    times = [row.t_ns for row in power]
    assert times == sorted(times)
    (before, after) = facts.idle
    assert times[0] <= before[0]
    assert times[-1] >= after[1]
    # 2 W from the moment at which it was opened on, a little before the first look.
    assert {row.power_w for row in power} == {2.0}
    assert power[-1].energy_j == pytest.approx(2.0 * (times[-1] - times[0]) / 1e9, abs=0.2)


def test_a_meter_makes_blocks_between_two_idle_stretches(metered: tuple[Path, ProfileCell, str]) -> None:
    folder, asked, _ = metered
    facts, rows = stored(folder, asked).facts, stored(folder, asked).requests()
    assert len([row for row in rows if row.block == "latency"]) == A_ROUND
    blocks = {code: [row for row in rows if (row.block, row.language) == ("energy", code)] for code in CODES}
    # As many of the same messages in each language, one language after the other, at least five.
    assert {row.kind for block in blocks.values() for row in block} == {Kind.CLASSIFICATION}
    assert [row.id for row in blocks["es"]] == [row.id for row in blocks["eu"]]
    assert len(blocks["es"]) >= 5
    assert len({row.id for row in blocks["es"]}) == min(len(blocks["es"]), 120)
    first, second = sorted(blocks.values(), key=lambda block: block[0].start_ns)
    assert first[-1].end_ns <= second[0].start_ns
    stretches = {(one.block, one.language): one for one in facts.stretches}
    assert set(stretches) - {("curve", None)} == {("latency", None), ("energy", "es"), ("energy", "eu")}
    for code, block in blocks.items():
        stretch = stretches["energy", code]
        assert stretch.kind is Kind.CLASSIFICATION
        assert stretch.start_ns <= block[0].start_ns <= block[-1].end_ns <= stretch.end_ns
    (before, after) = facts.idle
    assert before[1] <= min(row.start_ns for row in rows)
    assert after[0] >= max(row.end_ns for row in rows)
    assert all(end - start >= 0.1e9 for start, end in facts.idle)


def test_what_is_stored_is_not_measured_again_and_what_was_cut_off_is(
    metered: tuple[Path, ProfileCell, str], tmp_path: Path, tiny: Path
) -> None:
    folder, asked, _ = metered
    shutil.copytree(folder, tmp_path / "run")
    before = stored(tmp_path / "run", asked)
    rows, facts = before.requests(), before.facts
    with RunWriter(tmp_path / "run") as writer:
        # As it would be left by kills in the middle of the loads and in the middle of the contexts.
        parts = ("energy", "threads")
        ProfileWriter(writer, asked).update(status=CellStatus.FAILED, parts=parts, loads=facts.loads[:1])
    assert run(tmp_path / "run", {asked: tiny}).done == 1
    again = stored(tmp_path / "run", asked)
    assert again.requests() == rows
    assert (again.facts.idle, again.facts.stretches) == (facts.idle, facts.stretches)
    assert len(again.facts.sources) == 1
    # What was cut off is measured anew, and stands there once.
    assert [load.kind for load in again.facts.loads] == ["cold", "warm"]
    assert [point.tokens for point in again.facts.curve] == [16]
    assert sorted(again.facts.parts) == ["curve", "energy", "loads", "threads"]


# --- proof of memory


def test_the_need_for_memory_is_proven_or_it_is_told_why_not(tmp_path: Path, tiny: Path) -> None:
    asked = cell(rounds=1, curve=[], prove_memory=True)
    progress = Progress()
    assert run(tmp_path, {asked: tiny}, progress).done == 1
    facts = stored(tmp_path, asked).facts
    (needed, reason), proof = needed_memory(facts), facts.memory_proof
    assert proof is not None
    if needed is None:
        assert proof == {"reason": reason}
        return
    assert proof["needed_bytes"] == needed
    assert any(f"runs in {needed * 1.05 / MIB:.0f} MiB" in note for note in progress.notes)
    if "reason" in proof:
        assert proof["reason"]
        return
    assert proof["limit_bytes"] == round(needed * 1.05)
    assert proof["seconds_free"] > 0
    assert isinstance(proof["held"], bool)
    assert not proof["proven"] or (proof["held"] and proof["slower"] <= 0.05)


def capped(seconds: float | None, **fields: Any) -> CapResult:
    output = "a warning\n" + ("" if seconds is None else f'{{"event": "served", "seconds": {seconds}}}\n')
    known = {"method": "cgroup2", "held": True, "oom_killed": False, "peak_bytes": 90, "output": output}
    return CapResult(105, **{**known, **fields})


@pytest.mark.parametrize(
    ("limited", "slower", "proven"),
    [
        (capped(2.0), 0.0, True),
        (capped(2.08), 0.04, True),
        (capped(1.5), -0.25, True),
        (capped(2.2), 0.1, False),
        (capped(2.0, held=False), 0.0, False),
        (capped(None, held=False, oom_killed=True), None, False),
    ],
)
def test_a_limit_is_held_only_where_it_makes_nothing_slow(
    limited: CapResult, slower: float | None, proven: bool
) -> None:
    proof = _proof(capped(2.0), limited, 100)
    assert proof["slower"] == (None if slower is None else pytest.approx(slower))
    assert proof["proven"] is proven
    assert (proof["needed_bytes"], proof["limit_bytes"], proof["seconds_free"]) == (100, 105, 2.0)


def test_where_no_limit_can_be_set_the_reason_is_stored() -> None:
    none = CapResult(105, reason="no group can be made", fix="run as root")
    assert _proof(none, none, 100) == {"needed_bytes": 100, "reason": "no group can be made", "fix": "run as root"}


# --- the folder's manifest


def with_profiles(manifest: Manifest, **fields: Any) -> Manifest:
    return manifest.model_copy(update=fields)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A run that holds scores, and profiles of two models."""
    folder = build_run(tmp_path / "run", Plan(codes=("en",), models={"tiny": "Tiny"}, items=2, holes=False))
    with RunWriter(folder) as writer:
        writer.write_manifest(with_profiles(writer.manifest, profiles=(cell("a"), cell("b"))))
    return folder


def test_a_profile_that_is_asked_for_alone_leaves_the_scores(old: Path) -> None:
    before = RunFolder(old).manifest
    skip = Skip(model="c", task="profile", language="es", reason="no file", fix="fetch it")
    other = cell("a", rounds=9).model_copy(update={"id": "a.new"})
    sweep = before.sweep.model_copy(update={"tasks": (), "profile": ProfileSettings(rounds=9), "name": "profile-a"})
    alone = with_profiles(before, sweep=sweep, cells=(), tasks={}, skips=(skip,), profiles=(other,))
    found = continued(RunFolder(old), alone)
    assert found.cells == before.cells
    assert found.tasks == before.tasks
    assert (found.sweep.name, found.sweep.tasks) == (before.sweep.name, before.sweep.tasks)
    assert found.sweep.profile == ProfileSettings(rounds=9)
    # What is asked for anew takes the place of what was asked for before; other models stay.
    assert [one.id for one in found.profiles] == ["b.0123456789", "a.new"]
    assert found.skips == (*before.skips, skip)
    # Asked for once more, it is skipped for the same reason, which is told once.
    with RunWriter(old) as writer:
        writer.write_manifest(found)
    assert continued(RunFolder(old), alone).skips == found.skips


def test_scores_that_are_asked_for_alone_leave_the_profiles(old: Path) -> None:
    before = RunFolder(old).manifest
    found = continued(RunFolder(old), with_profiles(before, profiles=()))
    assert found.profiles == before.profiles


def test_facts_of_a_profile_are_pending_until_it_is_begun(tmp_path: Path) -> None:
    assert stored(tmp_path, cell()).facts == ProfileFacts(cell=cell(), status=CellStatus.PENDING, sittings=0)
