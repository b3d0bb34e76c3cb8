"""One sitting of a profile: loads, rounds by turns, energy where there is a meter, threads, and the curve of contexts."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol, Self

from evalsuite.backends.llamacpp.stream import Stream, StreamedRequest, start_engine
from evalsuite.meters.source import Site
from evalsuite.profiling.curve import ContextCurve
from evalsuite.profiling.loads import time_load
from evalsuite.profiling.order import by_kind, longest_requests, repeats, round_of
from evalsuite.profiling.power import Power
from evalsuite.profiling.watch import Watch
from evalsuite.records import (
    BASELINE_PHASE,
    SERVING_PHASE,
    CurvePoint,
    Kind,
    ProfileCell,
    ProfileSettings,
    ProfileText,
    RequestRow,
    ThreadPoint,
)
from evalsuite.stats.energy import Rules

__all__ = ["Session", "serve_longest"]

_CELL_STEP = 256
_SPARE_CELLS = 8
_SETTLE_S = 0.3
"""Time for the parent to store what was sent, which must not disturb the next request."""
_THREAD_PREFILL = 256
_THREAD_STEPS = 24
_THREAD_REPEATS = 3

Send = Callable[..., None]


class _Job(Protocol):
    cell: ProfileCell
    model_path: Any
    texts: tuple[ProfileText, ...]
    long: str
    rounds_done: int
    lengths_done: tuple[int, ...]
    sitting: int
    stored: tuple[str, ...]


class Session:
    """Measures, and sends each part as soon as it is whole. Use as a context manager.

    Args:
        job: What to measure.
        send: Takes events.
        site: What the machine is read from.
    """

    def __init__(self, job: _Job, send: Send, site: Site | None = None) -> None:
        self._job, self._send = job, send
        self._settings: ProfileSettings = job.cell.settings
        self._languages = job.cell.languages
        self._texts = by_kind(job.texts)
        site = site or Site()
        self._watch = Watch(site, job.model_path)
        # Energy that is stored is whole, and what is read now would not belong to it.
        self._power = Power(site, ("none",) if "energy" in job.stored else self._settings.meters)
        self._stream: Stream | None = None
        self._took_s: dict[tuple[str, Kind], list[float]] = {}

    def __enter__(self) -> Self:
        self._watch.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._power.stop()
        self._watch.__exit__(*exc)
        if self._stream is not None:
            self._stream.close()

    @property
    def stream(self) -> Stream:
        """The loaded model."""
        assert self._stream is not None
        return self._stream

    def run(self) -> None:
        """Measure all that is not stored yet."""
        self._watch.begin_phase(BASELINE_PHASE)
        time.sleep(0.2)
        self._send_memory(self._watch.end_phase())
        self._load()
        self._warm_up()
        if "energy" not in self._job.stored:
            self._send("meters", found=[found.model_dump(mode="json") for found in self._power.open()])
        with_energy = self._power.update_hz is not None
        if with_energy:
            self._idle("before")
        self._rounds()
        if with_energy:
            self._energy()
            self._idle("after")
        self._send_power(self._power.stop())
        if with_energy:
            self._send("part", name="energy")
        if "threads" not in self._job.stored:
            self._threads()
        if "curve" not in self._job.stored:
            self._curve()

    # --- loading

    def _load(self) -> None:
        # What a library does once would else count for the cold load alone.
        start_engine()
        kinds = ("warm",) if "loads" in self._job.stored else ("cold", "warm")
        for kind in kinds:
            if self._stream is not None:
                self._stream.close()
                self._stream = None
            self._watch.begin_phase(f"loading, {kind}")
            load = time_load(kind, self._job.model_path, self._make_ready)
            self._send_memory(self._watch.end_phase())
            if "loads" not in self._job.stored:
                self._send("load", load=load.model_dump(mode="json"))
        self._send_facts()

    def _make_ready(self) -> None:
        self._stream = Stream(self._job.model_path, threads=self._job.cell.threads)
        self._stream.open_context(min(_CELL_STEP, self._stream.n_context_train))
        self._stream.fill(self._stream.prompt_tokens("a"), 0)

    def _send_facts(self) -> None:
        import llama_cpp

        self.stream.open_context(context_for(self.stream, self._job.texts, self._settings))
        flags = llama_cpp.llama_print_system_info().decode("utf-8", "replace").strip(" |")
        buffers = self.stream.buffers()
        self._send(
            "facts",
            engine=f"llama-cpp-python {llama_cpp.__version__}",
            engine_flags=flags,
            file_bytes=self._job.model_path.stat().st_size,
            context=self.stream.cells,
            buffers={kind: getattr(buffers, kind) for kind in ("model", "kv", "compute", "output")},
            # It belongs to the sitting that measures energy.
            **({} if "energy" in self._job.stored else {"clock_offset_s": time.time() - time.monotonic()}),
        )

    def _warm_up(self) -> None:
        """Serve one request of each kind in one language, and a short one in all others, untimed."""
        self._watch.begin_phase(SERVING_PHASE)
        first = self._languages[0]
        for (language, kind), texts in self._texts.items():
            if language == first or kind is Kind.CLASSIFICATION:
                self._serve(texts[0])
                self._send("beat")

    # --- requests

    def _serve(self, text: ProfileText) -> tuple[StreamedRequest, bool | None]:
        return serve(self.stream, text, self._settings)

    def _rounds(self) -> None:
        for number in range(self._job.rounds_done, self._settings.rounds):
            self._watch.begin_stretch()
            asked = round_of(self._texts, self._languages, self._settings, number)
            rows = []
            for text in asked:
                rows.append(self._row("latency", number, text))
                self._send("beat")
            stretch = self._watch.end_stretch("latency", number, self._job.sitting)
            self._send("round", number=number, rows=_dump(rows), stretches=_dump([stretch]))
            self._send_power(self._power.drain())
            time.sleep(_SETTLE_S)
        served = self._watch.end_phase(self.stream.cells)
        if self._job.rounds_done < self._settings.rounds:
            # Otherwise it is of the warm-up alone, and what is stored is of the requests.
            self._send_memory(served)

    def _row(self, block: str, number: int, text: ProfileText) -> RequestRow:
        served, right = self._serve(text)
        self._took_s.setdefault((text.language, text.kind), []).append(served.total_s)
        return RequestRow(
            block=block,
            round=number,
            sitting=self._job.sitting,
            language=text.language,
            kind=text.kind,
            id=text.id,
            start_ns=served.start_ns,
            end_ns=served.end_ns,
            tokenise_s=served.tokenise_s,
            prefill_s=served.prefill_s,
            ttft_s=served.ttft_s,
            steps_s=served.steps_s,
            total_s=served.total_s,
            prompt_tokens=served.prompt_tokens,
            prompt_chars=len(text.prompt),
            prompt_bytes=len(text.prompt.encode()),
            output_tokens=len(served.tokens),
            output_chars=len(served.text),
            output_bytes=len(served.text.encode()),
            output=served.text,
            right=right,
        )

    # --- energy

    def _idle(self, name: str) -> None:
        start = time.monotonic_ns()
        end = start + round(self._settings.idle_s * 1e9)
        while time.monotonic_ns() < end:
            time.sleep(min(1.0, max(0.0, (end - time.monotonic_ns()) / 1e9)))
            self._send("beat")
        self._send("idle", name=name, start_ns=start, end_ns=time.monotonic_ns())

    def _energy(self) -> None:
        """Ask many requests of one kind in a row: a block of each language, as long as a figure of energy needs."""
        draw = random.Random(f"{self._settings.seed}:energy")  # an order, not a secret
        for kind in self._settings.energy_kinds:
            count = repeats([self._typical(language, kind) for language in self._languages], self._least_s())
            for language in draw.sample(list(self._languages), len(self._languages)):
                self._watch.begin_stretch()
                texts = self._texts[language, kind]
                rows = []
                for place in range(count):
                    rows.append(self._row("energy", 0, texts[place % len(texts)]))
                    self._send("beat")
                stretch = self._watch.end_stretch("energy", 0, self._job.sitting, language=language, kind=kind)
                self._send("block", rows=_dump(rows), stretches=_dump([stretch]))
                self._send_power(self._power.drain())
                time.sleep(_SETTLE_S)

    def _typical(self, language: str, kind: Kind) -> float:
        """Return how long such a request takes, in seconds; asks one where none was asked in this sitting."""
        known = self._took_s.get((language, kind)) or [self._serve(self._texts[language, kind][0])[0].total_s]
        return statistics.median(known)

    def _least_s(self) -> float:
        """Return how long a block of energy lasts: as asked for, and as many updates of the source as a figure needs."""
        update_hz = self._power.update_hz
        assert update_hz is not None
        return max(self._settings.energy_s, Rules().min_updates / update_hz)

    # --- contexts and threads

    def _threads(self) -> None:
        prefill = min(_THREAD_PREFILL, self.stream.n_context_train - _THREAD_STEPS)
        if self._settings.threads_sweep and self.stream.cells < prefill + _THREAD_STEPS:
            # The requests that were served need not be as long.
            self.stream.open_context(prefill + _THREAD_STEPS)
        tokens = self._long_tokens(prefill)
        for threads in self._settings.threads_sweep:
            self.stream.set_threads(threads)
            self.stream.fill(tokens, 1)
            runs = [self.stream.fill(tokens, _THREAD_STEPS) for _ in range(_THREAD_REPEATS)]
            point = ThreadPoint(
                threads=threads,
                prefill_tokens=len(tokens),
                prefill_s=tuple(prefill for prefill, _ in runs),
                steps_s=tuple(step for _, steps in runs for step in steps),
            )
            self._send("threads", point=point.model_dump(mode="json"))
        self.stream.set_threads(self._job.cell.threads)
        self._send("part", name="threads")

    def _curve(self) -> None:
        curve = ContextCurve(self.stream, self._long_tokens, self._settings.curve_steps, lambda: self._send("beat"))
        for place, length in enumerate(self._settings.curve):
            if length in self._job.lengths_done:
                continue
            self._send("curve_begins", tokens=length)
            self._watch.begin_stretch()
            # Before the phase: what is copied over is held twice for a moment.
            reason = curve.open(length)
            self._watch.begin_phase(f"context of {length} tokens")
            point = CurvePoint(tokens=length, prefill_s=None, reason=reason) if reason else curve.point(length)
            stretch = self._watch.end_stretch("curve", place, self._job.sitting)
            memory = self._watch.end_phase(self.stream.cells or None)
            point = point.model_copy(update={"peak_rss": memory.peak_rss})
            self._send("curve", point=point.model_dump(mode="json"), stretches=_dump([stretch]))
            if point.reason is None:
                self._send_memory(memory)
                if length != self._settings.curve[-1]:
                    curve.keep()
        self._send("part", name="curve")

    def _long_tokens(self, count: int) -> list[int]:
        tokens = self.stream.prompt_tokens(self._job.long)
        return (tokens * (-(-count // len(tokens))))[:count]

    def _send_power(self, fields: dict[str, Any]) -> None:
        rows = [{**row, "sitting": self._job.sitting} for row in fields["rows"]]
        if fields["sources"]:
            self._send("power", sources=fields["sources"], rows=rows)

    def _send_memory(self, phase: Any) -> None:
        self._send("memory", phase=phase.model_dump(mode="json"))


def serve(stream: Stream, text: ProfileText, settings: ProfileSettings) -> tuple[StreamedRequest, bool | None]:
    """Serve one request; return what it took, and whether the right choice was made."""
    if text.kind is Kind.CLASSIFICATION:
        served, chosen = stream.choose(text.prompt, text.choices)
        return served, chosen == text.right
    if text.kind is Kind.ANSWER:
        return stream.write(text.prompt, settings.answer_tokens), None
    return stream.spell(text.prompt, text.answer), None


def context_for(stream: Stream, texts: Iterable[ProfileText], settings: ProfileSettings) -> int:
    """Return the cells that the longest request needs, rounded up as far as the model was trained for."""
    most = 0
    for text in texts:
        longest = max((len(stream.tokenize(choice)) for choice in text.choices), default=0)
        answer = settings.answer_tokens if text.kind is Kind.ANSWER else len(stream.tokenize(text.answer))
        most = max(most, len(stream.prompt_tokens(text.prompt)) + max(longest, answer))
    rounded = -(-(most + _SPARE_CELLS) // _CELL_STEP) * _CELL_STEP
    return max(most, min(rounded, stream.n_context_train))


def serve_longest(job: _Job) -> float:
    """Load the model, serve the longest requests twice; return the seconds of the second time.

    This is what runs under a memory limit, so it does what the measured phase did, and looks at nothing. The first time
    reads the weights from storage, which takes what it takes, with a limit or without.
    """
    settings = job.cell.settings
    stream = Stream(job.model_path, threads=job.cell.threads)
    stream.open_context(context_for(stream, job.texts, settings))
    seconds = 0.0
    for _ in range(2):
        start = time.monotonic()
        for text in longest_requests(job.texts):
            serve(stream, text, settings)
        seconds = time.monotonic() - start
    stream.close()
    return seconds


def _dump(rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [row.model_dump(mode="json") for row in rows]
