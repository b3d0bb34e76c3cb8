"""Reads a power source at its own pace in a thread of its own, and keeps what it said and where it failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from evalsuite.meters.source import MeterError, PowerSample, PowerSource

__all__ = ["Failure", "Sampler"]

_LONGEST_BACK_OFF_NS = 5_000_000_000


@dataclass(frozen=True, slots=True)
class Failure:
    """One look at a source that gave nothing."""

    t_ns: int
    """When, on the monotonic clock."""
    message: str


class Sampler:
    """Asks a source for its power `nominal_hz` times a second, from `start` to `stop`.

    Times are planned on a grid from the first look on, so that a slow look delays no other one; looks whose time has
    passed are left out. A source that fails is asked less and less often, but every 5 s (or at its own pace, where that
    is slower) until it answers again. There is a look before `start` returns and one after `stop` is called, so that
    whatever is measured between the two lies between two samples.

    The source is not closed: whoever opened it does that.

    Args:
        source: An open source; only the thread reads it.
        clock_ns: The monotonic clock that the source stamps its samples with.
        patience_s: Longest time that `start` and `stop` wait for a source that hangs.

    Raises:
        ValueError: The source's `nominal_hz` is not above 0.
    """

    def __init__(
        self, source: PowerSource, clock_ns: Callable[[], int] = time.monotonic_ns, *, patience_s: float = 5.0
    ) -> None:
        if not source.info.nominal_hz > 0:
            raise ValueError(f"nominal_hz {source.info.nominal_hz} of {source.info.id} is not above 0")
        self._source = source
        self._clock_ns = clock_ns
        self._patience_s = patience_s
        self._period_ns = max(1, round(1e9 / source.info.nominal_hz))
        self._lock = threading.Lock()
        self._samples: list[PowerSample] = []
        self._failures: list[Failure] = []
        self._cpu_s = 0.0
        self._abandoned = False
        self._looked = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def cpu_s(self) -> float:
        """Processor time of the sampling thread up to its last look, in seconds.

        Commands that a source runs are processes of their own, and not in it.
        """
        with self._lock:
            return self._cpu_s

    def start(self) -> None:
        """Start sampling; return after the first look, or after `patience_s`.

        Raises:
            RuntimeError: It was started before.
        """
        if self._thread is not None:
            raise RuntimeError("a sampler can be started once")
        self._thread = threading.Thread(target=self._run, name=f"sampler {self._source.info.id}", daemon=True)
        self._thread.start()
        self._looked.wait(self._patience_s)

    def drain(self) -> tuple[list[PowerSample], list[Failure]]:
        """Return samples and failures that came since the last call, and forget them."""
        with self._lock:
            samples, self._samples = self._samples, []
            failures, self._failures = self._failures, []
        return samples, failures

    def stop(self) -> tuple[list[PowerSample], list[Failure]]:
        """Stop sampling; return what was not drained yet.

        A source that hangs is left behind after `patience_s`, which is then the last failure; the thread is a daemon, so
        that it does not keep the program from ending, and what it may still read is dropped.
        """
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(self._patience_s)
            with self._lock:
                if self._thread.is_alive() and not self._abandoned:
                    self._abandoned = True
                    message = f"{self._source.info.id} did not answer for {self._patience_s:g} s, and was given up"
                    self._failures.append(Failure(self._clock_ns(), message))
        return self.drain()

    def _run(self) -> None:
        started_ns = self._clock_ns()
        failed, step, last = 0, 0, False
        while True:
            failed = 0 if self._look() else failed + 1
            self._looked.set()
            if last:
                return
            now_ns = self._clock_ns()
            step = _next_step(step, now_ns - started_ns, self._period_ns, failed)
            wait_s = (started_ns + step * self._period_ns - now_ns) / 1e9
            last = self._stopping.wait(max(0.0, wait_s))

    def _look(self) -> bool:
        """Read once; return whether there was an answer."""
        sample: PowerSample | None = None
        message = ""
        try:
            sample = self._source.read()
        except MeterError as error:
            message = error.problem
        except Exception as error:  # noqa: BLE001 - a defect of one source must not end a measurement unseen
            message = f"{type(error).__name__}: {error}"
        with self._lock:
            if not self._abandoned:
                self._cpu_s = time.thread_time()
                if sample is not None:
                    self._samples.append(sample)
                else:
                    self._failures.append(Failure(self._clock_ns(), message))
        return sample is not None


def _next_step(step: int, elapsed_ns: int, period_ns: int, failed: int) -> int:
    """Return the step of the grid for the next look.

    Args:
        step: That of the last look.
        elapsed_ns: Time since step 0.
        period_ns: Time between two steps.
        failed: Looks that failed since the last answer.
    """
    following = max(step + 1, -(-elapsed_ns // period_ns))
    if not failed:
        return following
    # Doubled with each failure; the exponent is bounded, as no source is asked more than 2^40 times in 5 s.
    pause_ns = min(period_ns << min(failed, 40), _LONGEST_BACK_OFF_NS)
    return max(following, (elapsed_ns + pause_ns) // period_ns)
