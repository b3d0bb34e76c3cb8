"""Builds run folders with made-up profiles of a device: known times, a power curve with a closed form, known memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from evalsuite.profile_store import ProfileFolder, ProfileWriter
from evalsuite.records import (
    BASELINE_PHASE,
    SERVING_PHASE,
    CellStatus,
    CurvePoint,
    Device,
    Kind,
    Load,
    Manifest,
    MemoryPhase,
    MeterFound,
    Model,
    ModelRef,
    PowerRow,
    PowerSourceRow,
    ProfileCell,
    ProfileFacts,
    ProfileSettings,
    RequestRow,
    Source,
    Stretch,
    Sweep,
    ThreadPoint,
    digest,
)
from evalsuite.store import RunFolder, RunWriter
from tests.synthetic import MODELS, language

__all__ = ["NOISY", "THROTTLED", "DevicePlan", "Meter", "build_profiles", "idle_w", "joules", "stored", "work_w"]

NOISY, THROTTLED = 2, 5
"""Rounds that are disturbed where the plan does not say otherwise; their requests take three times as long."""
MIB = 2**20
_START_S = 100.0
_HZ = 2.0
"""How often the meter is looked at: once in every request of a block, and often enough for the curve."""

# Kind → prompt tokens and answer tokens in English, seconds of a whole request.
_SIZES = {
    Kind.CLASSIFICATION: (40, 3, 0.60),
    Kind.READING: (180, 12, 0.50),
    Kind.TRANSLATION: (60, 20, 0.40),
    Kind.ANSWER: (50, 64, 0.80),
}
_TOKEN_TAX = {"en": 1.0, "es": 1.25, "pt": 1.3, "ca": 1.35, "gl": 1.4, "eu": 1.6, "ja": 1.5}
_TIME_TAX = {"en": 1.0, "es": 1.3, "pt": 1.35, "ca": 1.4, "gl": 1.45, "eu": 1.9, "ja": 1.7}
_CHARS = {"en": 4.0, "es": 3.2, "pt": 3.1, "ca": 3.0, "gl": 2.9, "eu": 2.5, "ja": 1.3}
"""Characters of a token."""


@dataclass(frozen=True)
class Meter:
    """A power source whose energy between two times is known in closed form."""

    label: str = "measured"
    kind: Literal["sampler", "counter"] = "sampler"
    block_s: float = 70.0
    """Time in requests of the fastest language."""
    idle_s: float = 65.0
    samples: bool = True
    """Whether it gave any value."""
    sitting: int = 0
    """Which sitting it was read in."""
    failures: tuple[str, ...] = ()
    accuracy: float | None = 0.01


@dataclass(frozen=True)
class DevicePlan:
    """What to put into the profiles of a run folder; the defaults give every part of a report something to show."""

    codes: tuple[str, ...] = ("en", "es", "eu")
    models: dict[str, str] | None = None
    rounds: int = 10
    noisy: tuple[int, ...] = (NOISY,)
    throttled: tuple[int, ...] = (THROTTLED,)
    meter: Meter | None = Meter()
    meters: tuple[str, ...] = ("auto",)
    found: tuple[MeterFound, ...] = (
        MeterFound(name="rapl", available=False, told="no /sys/class/powercap", fix="use a plug with a meter"),
    )
    watts: float | None = None
    grid: dict[str, Any] | None = None
    row_hook: Callable[[RequestRow], RequestRow | None] | None = None
    """Changes requests before they are stored; none leaves one out."""
    facts: dict[str, Any] | None = None
    """Fields of `ProfileFacts` that take the place of the usual ones."""

    @property
    def titles(self) -> dict[str, str]:
        """Title of each model by its name."""
        return dict(MODELS) if self.models is None else self.models

    @property
    def settings(self) -> ProfileSettings:
        """What is asked for."""
        grid = None if self.grid is None else str(self.grid["g_per_kwh"])
        return ProfileSettings(rounds=self.rounds, meters=self.meters, watts=self.watts, grid=grid, curve=(128, 512))


def build_profiles(path: Path, plan: DevicePlan | None = None) -> Path:
    """Write a run folder with profiles, or add them to one that holds scores; return it."""
    plan = plan or DevicePlan()
    with RunWriter(path) as writer:
        manifest = writer.manifest if writer.exists else _manifest(plan)
        cells = tuple(_cell(plan, model, manifest.device.fingerprint) for model in plan.titles)
        sweep = manifest.sweep.model_copy(update={"profile": plan.settings})
        writer.write_manifest(manifest.model_copy(update={"profiles": cells, "sweep": sweep}))
        for place, cell in enumerate(cells):
            _Session(plan, place).write(ProfileWriter(writer, cell))
    return path


def stored(path: Path, model: str) -> tuple[ProfileFacts, list[RequestRow]]:
    """Return what a folder holds about a model, as it is stored."""
    folder = RunFolder(path)
    one = ProfileFolder(folder, next(cell for cell in folder.manifest.profiles if cell.model == model))
    return one.facts, one.requests()


# --- the power curve

_WORK = (5.0, 0.4, 7.3)
_IDLE = (2.0, 0.05, 11.0)
"""Mean watts, watts of the swing, and its period in seconds."""


def work_w(t_s: float) -> float:
    """Return the power at a time of work."""
    return _wave(_WORK, t_s)


def idle_w(t_s: float) -> float:
    """Return the power at a time without work."""
    return _wave(_IDLE, t_s)


def joules(start_s: float, end_s: float, *, idle: bool = False) -> float:
    """Return the exact energy between two times of work, or two without: mean·t - swing/ω·cos(ωt), from start to end."""
    mean, swing, period = _IDLE if idle else _WORK
    omega = 2 * math.pi / period
    return mean * (end_s - start_s) + swing / omega * (math.cos(omega * start_s) - math.cos(omega * end_s))


def _wave(wave: tuple[float, float, float], t_s: float) -> float:
    mean, swing, period = wave
    return mean + swing * math.sin(2 * math.pi * t_s / period)


# --- what is stored


def _manifest(plan: DevicePlan) -> Manifest:
    models = {
        name: Model(
            name=name, backend="llamacpp", title=title, licence="Apache-2.0", parameters=135_000_000 * (i + 1),
            quantisation="Q4_1", context=8192, bytes=98_000_000 * (i + 1), sha256=digest(name),
            source=Source(kind="file", path=Path(f"{name}.gguf")),
        )
        for i, (name, title) in enumerate(plan.titles.items())
    }  # fmt: skip
    return Manifest(
        created="2026-04-01T09:30:00Z",
        evalsuite="0.1.0",
        versions={"Python": "3.11.7", "llama-cpp-python": "0.3.36"},
        device=Device(
            cpu="Example CPU E-1000", architecture="aarch64", cores_physical=4, cores_logical=4, ram_bytes=8 * 2**30,
            os="Debian GNU/Linux 12", kernel="6.1.0", governor="ondemand",
        ),
        sweep=Sweep(
            name="example", title="What a kitchen board can do", models=tuple(ModelRef(name=m) for m in models),
            languages=plan.codes, profile=plan.settings,
        ),
        command="evalsuite profile example --out runs/example",
        models=models,
        tasks={},
        # The references are described even where they are not measured, as the planner does it.
        languages={code: language(code) for code in dict.fromkeys(("en", *plan.codes))},
    )  # fmt: skip


def _cell(plan: DevicePlan, model: str, device: str) -> ProfileCell:
    return ProfileCell(
        id=f"{model}.0123456789",
        model=model,
        model_sha256=digest(model),
        languages=plan.codes,
        settings=plan.settings,
        texts_sha256=digest("texts"),
        device=device,
        threads=4,
        threads_reason="4 physical cores",
    )


class _Session:
    """One model's measurement, on a clock of its own."""

    def __init__(self, plan: DevicePlan, place: int) -> None:
        self.plan, self.place = plan, place
        self.now_s = _START_S
        self.rng = np.random.default_rng(100 + place)
        self.stretches: list[Stretch] = []
        self.idle: list[tuple[int, int]] = []

    def write(self, profile: ProfileWriter) -> None:
        meter = self.plan.meter
        if meter is not None:
            self._rest(meter.idle_s)
        # The power steps up and down in pauses that no figure is made from.
        begun_s = self.now_s + 1
        self.now_s += 2
        for number in range(self.plan.rounds):
            profile.add_requests(self._kept(self._round(number)))
        if meter is not None:
            for block in self._blocks(profile.cell.settings, meter.block_s):
                profile.add_requests(self._kept(block))
        ended_s = self.now_s + 1
        self.now_s += 2
        if meter is not None:
            self._rest(meter.idle_s)
            profile.add_power(self._power(meter, begun_s, ended_s))
        profile.update(**(self._facts() | (self.plan.facts or {})))

    def _rest(self, seconds: float) -> None:
        self.idle.append((_ns(self.now_s), _ns(self.now_s + seconds)))
        self.now_s += seconds

    def _kept(self, rows: Iterator[RequestRow]) -> list[RequestRow]:
        hook = self.plan.row_hook
        changed = [hook(row) if hook else row for row in rows]
        return [row for row in changed if row is not None]

    def _round(self, number: int) -> Iterator[RequestRow]:
        noisy, throttled = number in self.plan.noisy, number in self.plan.throttled
        start = self.now_s
        for kind in Kind:
            count = 3 if kind is Kind.CLASSIFICATION else 1
            for place in range(number * count, (number + 1) * count):
                for code in self.rng.permutation(self.plan.codes).tolist():
                    yield self._request("latency", number, code, kind, place, 3.0 if noisy or throttled else 1.0)
        self._stretch(
            "latency", number, start,
            noisy=noisy, noise=("0.42 cores were busy with other processes",) if noisy else (),
            throttled=throttled, throttle_reasons=("the frequency limit fell",) if throttled else (),
        )  # fmt: skip

    def _blocks(self, settings: ProfileSettings, block_s: float) -> Iterator[Iterator[RequestRow]]:
        for kind in settings.energy_kinds:
            count = math.ceil(1.1 * block_s / (_SIZES[kind][2] * (1 + 0.5 * self.place)))
            for code in self.plan.codes:
                yield self._block(code, kind, count)

    def _block(self, code: str, kind: Kind, count: int) -> Iterator[RequestRow]:
        start = self.now_s
        for place in range(count):
            yield self._request("energy", 0, code, kind, place, 1.0)
        self._stretch("energy", 0, start, language=code, kind=kind, noisy=False, throttled=False)

    def _stretch(self, block: str, number: int, start_s: float, **fields: Any) -> None:
        self.stretches.append(
            Stretch(
                block=block, round=number, sitting=0, start_ns=_ns(start_s), end_ns=_ns(self.now_s),
                temperature_start_c=41.0, temperature_max_c=60.0 + number, **fields,
            )
        )  # fmt: skip

    def _request(self, block: str, number: int, code: str, kind: Kind, place: int, slower: float) -> RequestRow:
        prompt, answer, seconds = _SIZES[kind]
        item = place % 12 if kind is Kind.CLASSIFICATION else place % 5
        # How long a request is belongs to the request: that is what pairing is for.
        length = 1 + 0.08 * (item % 4)
        prompt_tokens = round(prompt * _TOKEN_TAX[code] * length)
        output_tokens = answer if kind in (Kind.CLASSIFICATION, Kind.ANSWER) else round(answer * _TOKEN_TAX[code])
        total = (
            seconds * (1 + 0.5 * self.place) * _TIME_TAX[code] * length * slower * float(self.rng.uniform(0.97, 1.03))
        )
        tokenise, prefill = 0.001, 0.6 * total - 0.001
        shares = self.rng.uniform(0.8, 1.2, output_tokens - 1)
        steps = tuple((0.4 * total * shares / shares.sum()).tolist())
        start = self.now_s
        self.now_s += total
        prompt_chars, output_chars = round(prompt_tokens * _CHARS[code]), round(output_tokens * _CHARS[code])
        return RequestRow(
            block=block, round=number, sitting=0, language=code, kind=kind, id=f"{kind.value}-{item:02d}",
            start_ns=_ns(start), end_ns=_ns(self.now_s), tokenise_s=tokenise, prefill_s=prefill,
            ttft_s=tokenise + prefill, steps_s=steps, total_s=total, prompt_tokens=prompt_tokens,
            prompt_chars=prompt_chars, prompt_bytes=prompt_chars + 7, output_tokens=output_tokens,
            output_chars=output_chars, output_bytes=output_chars + 1, output="…",
            right=place % 3 != 0 if kind is Kind.CLASSIFICATION else None,
        )  # fmt: skip

    def _power(self, meter: Meter, begun_s: float, ended_s: float) -> list[PowerRow]:
        if not meter.samples:
            return []
        rows = []
        for t_s in np.arange(_START_S - 1, self.now_s + 1, 1 / _HZ).tolist():
            working = begun_s <= t_s <= ended_s
            energy_j = None
            if meter.kind == "counter":
                before = joules(_START_S - 1, min(t_s, begun_s), idle=True)
                during = joules(begun_s, min(max(t_s, begun_s), ended_s))
                energy_j = before + during + joules(ended_s, max(t_s, ended_s), idle=True)
            power_w = (work_w(t_s) if working else idle_w(t_s)) if meter.kind == "sampler" else None
            rows.append(
                PowerRow(source="plug", sitting=meter.sitting, t_ns=_ns(t_s), power_w=power_w, energy_j=energy_j)
            )
        return rows

    def _facts(self) -> dict[str, Any]:
        meter, size = self.plan.meter, self.place + 1
        source = None if meter is None else PowerSourceRow(
            id="plug", scope="at the wall", label=meter.label, kind=meter.kind, nominal_hz=_HZ,
            accuracy=meter.accuracy, primary=True, failures=meter.failures, failed_looks=len(meter.failures),
        )  # fmt: skip
        return {
            "status": CellStatus.DONE,
            "engine": "llama-cpp-python 0.3.36",
            "file_bytes": 98_000_000 * size,
            "context": 768,
            "sittings": 1,
            "rounds_done": self.plan.rounds,
            "parts": ("loads", "energy", "threads", "curve"),
            "loads": (
                Load(kind="cold", seconds=None, reason="97 % of the file stayed in the page cache"),
                Load(kind="warm", seconds=0.25 * size),
            ),
            "buffers": {"kv": {"CPU": 18 * MIB * size, "GPU": 2 * MIB}, "compute": {"CPU": 30 * MIB}},
            "memory": (
                MemoryPhase(phase=BASELINE_PHASE, rss_anon=25 * MIB, peak_rss=60 * MIB),
                MemoryPhase(
                    phase=SERVING_PHASE, context=768, peak_rss=260 * MIB * size, rss_anon=110 * MIB * size,
                    rss_file=120 * MIB * size, rss_shmem=4 * MIB, weights_mapped=90 * MIB * size,
                ),
            ),
            "curve": (
                CurvePoint(tokens=128, prefill_s=0.5 * size, steps_s=(0.02, 0.04, 0.05), kv_bytes=4 * MIB, peak_rss=200 * MIB),
                CurvePoint(tokens=512, prefill_s=None, reason="the model was trained for 256 tokens"),
            ),
            "thread_points": (
                ThreadPoint(threads=1, prefill_tokens=256, prefill_s=(4.0, 4.2, 4.1), steps_s=(0.08, 0.1, 0.09)),
                ThreadPoint(threads=4, prefill_tokens=256, prefill_s=(1.0, 1.28, 1.1), steps_s=(0.03, 0.04, 0.05)),
            ),
            "stretches": tuple(self.stretches),
            "meters": self.plan.found,
            "sources": () if source is None else (source,),
            "idle": tuple(self.idle),
            "cool_down": "cool again after 30 s" if self.place else None,
            "grid": self.plan.grid,
        }  # fmt: skip


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
