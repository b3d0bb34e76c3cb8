"""The parent of profiles: starts a fresh process for each model, and stores what it sends as soon as it comes."""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from evalsuite.child import ChildProcess
from evalsuite.errors import StoreError
from evalsuite.estimates import grid_intensity
from evalsuite.meters.memory_cap import CapResult, try_cap
from evalsuite.meters.source import Site
from evalsuite.meters.thermal import cool_down, read_thermal
from evalsuite.profile_store import ProfileWriter
from evalsuite.profiling.child import ProfileJob
from evalsuite.profiling.loads import drop_from_memory
from evalsuite.records import (
    CellStatus,
    CurvePoint,
    Kind,
    Limits,
    Load,
    MemoryPhase,
    MeterFound,
    PowerRow,
    PowerSourceRow,
    ProfileCell,
    ProfileText,
    RequestRow,
    Stretch,
    ThreadPoint,
    needed_memory,
)
from evalsuite.store import RunWriter

__all__ = ["ProfileInputs", "ProfileProgress", "ProfileSummary", "run_profiles"]

_MARGIN = 1.05
"""A limit that is held is set this much above what was measured."""
_STAYED = 0.02
"""Share of the model file in the page cache above which a limit proves nothing."""
_AS_FAST = 0.05
"""How much slower a run under a limit may be."""


@dataclass(frozen=True)
class ProfileInputs:
    """What profiles are made from."""

    cells: tuple[ProfileCell, ...]
    paths: Mapping[str, Path]
    """Model file by name."""
    texts: tuple[ProfileText, ...]
    long: str
    limits: Limits


class ProfileProgress(Protocol):
    """Is told how profiles get on."""

    def begin(self, profiles: int, requests: int) -> None:
        """Told once, with what is still to do."""

    def profile(self, model: str) -> None:
        """A profile begins."""

    def advance(self, items: int) -> None:
        """Requests were served and stored."""

    def note(self, text: str) -> None:
        """Something worth a line happened."""


@dataclass
class ProfileSummary:
    """What came of it, in profiles."""

    done: int = 0
    failed: int = 0
    already_done: int = 0
    reasons: list[str] = field(default_factory=list)


def run_profiles(
    writer: RunWriter, inputs: ProfileInputs, progress: ProfileProgress, *, start_c: float | None = None
) -> ProfileSummary:
    """Measure what is not measured yet; every part is stored as soon as it is there.

    Args:
        writer: The run folder, locked.
        inputs: What to measure.
        progress: Is told how it gets on.
        start_c: Temperature of the device before other work was done, in °C; by default that of now.

    Raises:
        StoreError: The folder cannot be written.
    """
    summary = ProfileSummary()
    open_ones = []
    for cell in inputs.cells:
        profile = ProfileWriter(writer, cell)
        if profile.facts.cell != cell:
            # What does not change the measurement may be asked for otherwise, such as watts or a grid.
            profile.update(cell=cell, grid=_grid(cell))
        if profile.facts.status is CellStatus.DONE:
            summary.already_done += 1
        else:
            open_ones.append(profile)
    progress.begin(len(open_ones), sum(_requests_left(profile) for profile in open_ones))
    # Loaded before the first request, so that storing the first round takes no longer than the others.
    importlib.import_module("pyarrow.parquet")
    scored_before = start_c is not None
    start_c = read_thermal(Site()).hottest_c if start_c is None else start_c
    for place, profile in enumerate(open_ones):
        cell = profile.cell
        told = _cool(start_c, cell.settings.cool_down_s, progress) if place or scored_before else None
        progress.profile(cell.model)
        reason = _Sitting(writer, profile, inputs, progress, told).run()
        if reason is None:
            summary.done += 1
        else:
            summary.failed += 1
            summary.reasons.append(f"{cell.model}: {reason}")
            progress.note(f"failed: profile of {cell.model}: {reason}")
    return summary


def _grid(cell: ProfileCell) -> dict[str, Any] | None:
    return asdict(grid_intensity(cell.settings.grid)) if cell.settings.grid else None


def _requests_left(profile: ProfileWriter) -> int:
    settings, facts = profile.cell.settings, profile.facts
    of_kind = {Kind.CLASSIFICATION: settings.classifications}
    a_round = len(profile.cell.languages) * sum(of_kind.get(kind, 1) for kind in settings.kinds)
    return a_round * (settings.rounds - facts.rounds_done)


def _cool(start_c: float | None, most_s: float, progress: ProfileProgress) -> str:
    """Wait until the device is as cool as at the start; say what came of it."""
    if start_c is None:
        return "not waited: this system shows no temperature"
    progress.note(f"cooling down to {start_c:.0f} °C")
    ended = cool_down(lambda: read_thermal(Site()), time.sleep, start_c, timeout_s=most_s)
    if ended.to_c is None:
        return "not waited: the temperature cannot be read any more"
    told = (
        "cool again" if ended.outcome == "reached" else f"still at {ended.to_c:.0f} °C, {start_c:.0f} °C at the start,"
    )
    return f"{told} after {ended.waited_s:.0f} s"


class _Sitting:
    """One process of one profile, and what becomes of its events."""

    def __init__(
        self,
        writer: RunWriter,
        profile: ProfileWriter,
        inputs: ProfileInputs,
        progress: ProfileProgress,
        cooled: str | None,
    ) -> None:
        self._writer, self._profile, self._inputs, self._progress = writer, profile, inputs, progress
        self._path = inputs.paths[profile.cell.model]
        self._sources: dict[str, PowerSourceRow] = {}
        facts = profile.facts
        self._job = ProfileJob(
            cell=profile.cell,
            model_path=self._path,
            texts=tuple(text for text in inputs.texts if text.language in profile.cell.languages),
            long=inputs.long,
            rounds_done=facts.rounds_done,
            sitting=facts.sittings,
            lengths_done=tuple(point.tokens for point in facts.curve),
            stored=facts.parts,
        )
        profile.update(
            status=CellStatus.PENDING,
            reason=None,
            sittings=facts.sittings + 1,
            cool_down=cooled,
            grid=_grid(profile.cell),
            thread_points=facts.thread_points if "threads" in facts.parts else (),
            loads=facts.loads if "loads" in facts.parts else (),
            idle=facts.idle if "energy" in facts.parts else (),
        )

    def run(self) -> str | None:
        """Measure; return why it failed, or none."""
        limits = self._inputs.limits
        log = self._writer.log_path(f"profile-{self._profile.cell.model}")
        process = ChildProcess("evalsuite.profiling.child", self._job.model_dump_json().encode(), log)
        wait_s = limits.load_timeout_s
        length: int | None = None
        try:
            while True:
                event = process.next_event(wait_s)
                kind = event.pop("event")
                if kind == "finished":
                    break
                if kind in ("failed", "died", "silent"):
                    if length is not None:
                        # Another try would end alike: what could not be measured is a result.
                        self._profile.append(curve=[CurvePoint(tokens=length, prefill_s=None, reason=event["reason"])])
                    reason = event["reason"] + (f" (fix: {event['fix']})" if event.get("fix") else "")
                    self._profile.update(status=CellStatus.FAILED, reason=reason)
                    return str(reason)
                if kind == "facts":
                    wait_s = limits.chunk_timeout_s
                    self._refuse_another_build(event)
                if kind in ("curve_begins", "curve"):
                    length = event.get("tokens")
                self._take(kind, event)
        finally:
            process.stop()
        if self._profile.cell.settings.prove_memory:
            self._prove_memory()
        self._profile.update(status=CellStatus.DONE)
        return None

    def _take(self, kind: str, event: dict[str, Any]) -> None:
        """Store what one event holds; one that holds nothing only tells that the process is alive."""
        takers: dict[str, Callable[[dict[str, Any]], object]] = {
            "facts": lambda e: self._profile.update(**e),
            "load": self._take_load,
            "memory": self._take_memory,
            "meters": lambda e: self._profile.update(meters=tuple(map(MeterFound.model_validate, e["found"]))),
            "round": self._take_requests,
            "block": self._take_requests,
            "idle": lambda e: self._profile.append(idle=[(e["start_ns"], e["end_ns"])]),
            "power": self._take_power,
            "curve": self._take_point,
            "threads": lambda e: self._profile.append(thread_points=[ThreadPoint.model_validate(e["point"])]),
            "part": lambda e: self._profile.append(parts=[e["name"]]),
        }
        if kind in takers:
            takers[kind](event)

    def _take_memory(self, event: dict[str, Any]) -> None:
        """Store a phase; one that was measured in an earlier sitting gives way."""
        phase = MemoryPhase.model_validate(event["phase"])
        others = (known for known in self._profile.facts.memory if known.phase != phase.phase)
        self._profile.update(memory=(*others, phase))

    def _take_point(self, event: dict[str, Any]) -> None:
        self._profile.append(
            curve=[CurvePoint.model_validate(event["point"])],
            stretches=[Stretch.model_validate(stretch) for stretch in event["stretches"]],
        )

    def _take_load(self, event: dict[str, Any]) -> None:
        facts = self._profile.append(loads=[Load.model_validate(event["load"])])
        if len(facts.loads) > 1:
            self._profile.append(parts=["loads"])

    def _take_requests(self, event: dict[str, Any]) -> None:
        rows = [RequestRow.model_validate(row) for row in event["rows"]]
        self._profile.add_requests(rows)
        self._profile.append(stretches=[Stretch.model_validate(stretch) for stretch in event["stretches"]])
        if "number" in event:
            self._profile.update(rounds_done=event["number"] + 1)
            self._progress.advance(len(rows))

    def _take_power(self, event: dict[str, Any]) -> None:
        self._profile.add_power([PowerRow.model_validate(row) for row in event["rows"]])
        self._sources = self._sources or {source.id: source for source in self._profile.facts.sources}
        self._sources |= {source["id"]: PowerSourceRow.model_validate(source) for source in event["sources"]}
        self._profile.update(sources=tuple(self._sources.values()))

    def _refuse_another_build(self, event: dict[str, Any]) -> None:
        """Rounds of differently built engines must not be mixed."""
        facts = self._profile.facts
        for told, before in ((event["engine"], facts.engine), (event["engine_flags"], facts.engine_flags)):
            if facts.rounds_done and before and told != before:
                raise StoreError(
                    f"{self._profile.path} was measured with another build of the engine: {before}; now {told}",
                    fix="give another folder with --out; times of different builds are not mixed",
                )

    # --- proof of memory

    def _prove_memory(self) -> None:
        """Serve the longest requests once without a limit and once under one; store what came of it."""
        needed, reason = needed_memory(self._profile.facts)
        if needed is None:
            self._profile.update(memory_proof={"reason": reason})
            return
        self._progress.note(f"proving that {self._profile.cell.model} runs in {needed * _MARGIN / 2**20:.0f} MiB")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "job.json"
            path.write_text(self._job.model_copy(update={"only_serve": True}).model_dump_json(), encoding="utf-8")
            command = [sys.executable, "-m", "evalsuite.profiling.child", str(path)]
            free = self._serve(command, None)
            limited = self._serve(command, round(needed * _MARGIN)) if free.held else free
        self._profile.update(memory_proof=_proof(free, limited, needed))

    def _serve(self, command: Sequence[str], limit_bytes: int | None) -> CapResult:
        # A file that is in memory already counts for whoever read it first, which would hide the weights.
        left = drop_from_memory(self._path)
        if left is None or left > _STAYED:
            told = "cannot be told" if left is None else f"{100 * left:.0f} %"
            reason = (
                f"the model file could not be dropped from the page cache (left: {told}), so a limit would not count it"
            )
            return CapResult(limit_bytes or 0, reason=reason)
        # Without a limit: the same way of starting it, with more than there is.
        limits = self._inputs.limits
        return try_cap(command, limit_bytes or 2**50, timeout_s=limits.load_timeout_s)


def _proof(free: CapResult, limited: CapResult, needed: int) -> dict[str, Any]:
    if limited.method is None or not free.held:
        told = "out of time" if free.timed_out else f"exit code {free.exit_code}"
        reason = limited.reason or f"the same requests could not be served again without a limit ({told})"
        return {"needed_bytes": needed, "reason": reason, "fix": limited.fix}
    seconds = [_served_s(result) for result in (free, limited)]
    slower = None if None in seconds or not seconds[0] else seconds[1] / seconds[0] - 1  # type: ignore[operator]
    return {
        "needed_bytes": needed,
        "limit_bytes": limited.limit_bytes,
        "method": limited.method,
        "held": limited.held,
        "oom_killed": limited.oom_killed,
        "peak_bytes": limited.peak_bytes,
        "seconds_free": seconds[0],
        "seconds_limited": seconds[1],
        "slower": slower,
        "proven": bool(limited.held) and slower is not None and slower <= _AS_FAST,
        "note": limited.note,
    }


def _served_s(result: CapResult) -> float | None:
    """Return the seconds of serving from what the child printed."""
    import json

    for line in result.output.splitlines():
        if line.startswith('{"event": "served"'):
            return float(json.loads(line)["seconds"])
    return None
