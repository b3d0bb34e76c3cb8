"""The sampling thread on a virtual clock: when it looks, what it keeps, and that nothing can hold it up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from evalsuite.meters.sampler import Failure, Sampler
from evalsuite.meters.source import MeterError, PowerSample, SourceInfo
from evalsuite.records import ReadingLabel

SECOND = 1_000_000_000
ENOUGH_S = 30.0
"""Longest wait for another thread; reached only where a test fails."""


class VirtualTime:
    """A clock that moves only when a source takes time, or the sampler waits; at its end it calls for a stop."""

    def __init__(self, end_s: float) -> None:
        self.now_ns = 50 * SECOND
        self.end_ns = self.now_ns + round(end_s * SECOND)

    def __call__(self) -> int:
        return self.now_ns

    def take(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND)

    def wait(self, seconds: float) -> bool:
        """Stand in for the wait of the stop event."""
        until_ns = self.now_ns + round(seconds * SECOND)
        self.now_ns = min(until_ns, self.end_ns)
        return until_ns > self.end_ns


class Source:
    """Answers what a function makes of the number of the look."""

    def __init__(self, clock: Callable[[], int], hz: float, answer: Callable[[int], float] = lambda look: 5.0) -> None:
        self.info = SourceInfo("fake", "test bench", ReadingLabel.MEASURED, "sampler", hz)
        self._clock, self._answer = clock, answer
        self.looks = 0
        self.closed = False

    def read(self) -> PowerSample:
        self.looks += 1
        t_ns = self._clock()
        return PowerSample(t_ns, power_w=self._answer(self.looks))

    def close(self) -> None:
        self.closed = True


def run(source: Source, clock: VirtualTime, monkeypatch) -> tuple[Sampler, list[PowerSample], list[Failure]]:
    """Sample until the virtual time is over."""
    sampler = Sampler(source, clock, patience_s=ENOUGH_S)
    monkeypatch.setattr(sampler._stopping, "wait", clock.wait)
    sampler.start()
    return sampler, *sampler.stop()


def seconds(entries: list[PowerSample] | list[Failure]) -> list[float]:
    return [round(entry.t_ns / SECOND - 50, 6) for entry in entries]


def test_looks_lie_on_a_grid_that_slow_answers_do_not_shift(monkeypatch) -> None:
    clock = VirtualTime(1.05)

    def slow(look: int) -> float:
        clock.take(0.03)
        return float(look)

    _, samples, failures = run(Source(clock, 10, slow), clock, monkeypatch)
    assert seconds(samples) == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.05]
    assert [sample.power_w for sample in samples] == list(range(1, 13))
    assert failures == []


def test_looks_whose_time_has_passed_are_left_out(monkeypatch) -> None:
    clock = VirtualTime(0.75)

    def once_slow(look: int) -> float:
        clock.take(0.35 if look == 2 else 0)
        return 5.0

    _, samples, _ = run(Source(clock, 10, once_slow), clock, monkeypatch)
    assert seconds(samples) == [0, 0.1, 0.5, 0.6, 0.7, 0.75]


def test_an_hour_at_a_rate_that_is_no_round_number_does_not_drift(monkeypatch) -> None:
    clock = VirtualTime(3600.01)
    _, samples, _ = run(Source(clock, 3), clock, monkeypatch)
    assert len(samples) == 3600 * 3 + 2  # both ends of the hour, and the look after the stop
    # A third of a second is cut to a nanosecond: at most half of one is lost with each step.
    assert samples[3600 * 3].t_ns - samples[0].t_ns == pytest.approx(3600 * SECOND, abs=3600 * 3 / 2)


def test_a_failing_source_is_asked_less_and_less_often_and_taken_up_again(monkeypatch) -> None:
    clock = VirtualTime(30)

    def answer(look: int) -> float:
        if 3 <= look <= 9:
            raise MeterError(f"no answer {look}", fix="plug it in")
        return 5.0

    _, samples, failures = run(Source(clock, 2, answer), clock, monkeypatch)
    # Pauses of 1, 2 and 4 s, then 5 s at most.
    assert seconds(failures) == [1.0, 2.0, 4.0, 8.0, 13.0, 18.0, 23.0]
    assert failures[0].message == "no answer 3"
    assert seconds(samples)[:5] == [0, 0.5, 28.0, 28.5, 29.0]


def test_a_slow_source_that_fails_is_not_asked_more_often_than_it_is_worth(monkeypatch) -> None:
    clock = VirtualTime(25)

    def never(look: int) -> float:
        raise MeterError("no answer")

    _, samples, failures = run(Source(clock, 0.1, never), clock, monkeypatch)
    assert (samples, seconds(failures)) == ([], [0, 10, 20, 25])


def test_a_defect_of_a_source_is_a_failure_and_not_the_end(monkeypatch) -> None:
    clock = VirtualTime(0.45)

    def answer(look: int) -> float:
        return 1 / (look - 2)

    _, samples, failures = run(Source(clock, 10, answer), clock, monkeypatch)
    assert [failure.message for failure in failures] == ["ZeroDivisionError: division by zero"]
    assert seconds(samples) == [0, 0.3, 0.4, 0.45]


def test_there_is_a_sample_before_start_returns_and_one_after_stop_is_called() -> None:
    never = threading.Event()

    def late(look: int) -> float:
        never.wait(0.02)  # long enough for `start` to return, if it did not wait
        return 5.0

    sampler = Sampler(Source(time.monotonic_ns, 0.001, late), patience_s=ENOUGH_S)
    before_ns = time.monotonic_ns()
    sampler.start()
    started_ns = time.monotonic_ns()
    first, _ = sampler.drain()
    stopped_ns = time.monotonic_ns()
    rest, failures = sampler.stop()
    assert [before_ns <= sample.t_ns <= started_ns for sample in first] == [True]
    assert [sample.t_ns >= stopped_ns for sample in rest] == [True]
    assert failures == []


def test_draining_takes_each_sample_once() -> None:
    enough = threading.Event()

    def answer(look: int) -> float:
        if look == 5:
            enough.set()
        return float(look)

    source = Source(time.monotonic_ns, 500, answer)
    sampler = Sampler(source, patience_s=ENOUGH_S)
    sampler.start()
    assert enough.wait(ENOUGH_S)
    samples = sampler.drain()[0] + sampler.drain()[0] + sampler.stop()[0] + sampler.stop()[0]
    assert [sample.power_w for sample in samples] == [float(look) for look in range(1, source.looks + 1)]
    assert sampler.drain() == ([], [])
    assert not source.closed


def test_a_source_that_hangs_holds_up_neither_start_nor_stop() -> None:
    answers = threading.Event()

    def hang(look: int) -> float:
        assert answers.wait(ENOUGH_S)
        return 5.0

    sampler = Sampler(Source(time.monotonic_ns, 10, hang), patience_s=0.02)
    sampler.start()
    samples, failures = sampler.stop()
    assert samples == []
    assert [failure.message for failure in failures] == ["fake did not answer for 0.02 s, and was given up"]
    assert sampler.stop() == ([], [])
    thread = sampler._thread
    assert thread is not None
    assert thread.daemon
    answers.set()
    thread.join(ENOUGH_S)
    assert not thread.is_alive()
    assert sampler.drain() == ([], []), "what comes after the end is dropped"


def test_its_own_processor_time_is_counted(monkeypatch) -> None:
    clock = VirtualTime(0.45)
    spent: list[float] = []

    def busy(look: int) -> float:
        start = time.thread_time()
        while time.thread_time() - start < 0.004:
            pass
        spent.append(time.thread_time() - start)
        return 5.0

    sampler, samples, _ = run(Source(clock, 10, busy), clock, monkeypatch)
    assert len(samples) == len(spent) == 6
    assert sampler.cpu_s >= sum(spent)


def test_a_sampler_is_started_once_and_may_be_stopped_unstarted() -> None:
    sampler = Sampler(Source(time.monotonic_ns, 10), patience_s=ENOUGH_S)
    assert sampler.stop() == ([], [])
    sampler.start()
    with pytest.raises(RuntimeError, match="once"):
        sampler.start()
    assert len(sampler.stop()[0]) > 0


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nominal_hz 0 of fake"):
        Sampler(Source(time.monotonic_ns, 0))
