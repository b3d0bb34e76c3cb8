"""A second process for what a large run takes: a copy of this one makes some of it while this one makes the rest."""

from __future__ import annotations

import multiprocessing
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TypeVar

from evalsuite.machine import usable_cores

__all__ = ["LARGE", "LARGE_CELLS", "can_copy", "gains", "made_beside", "one_thread"]

LARGE, LARGE_CELLS = 200_000, 400
"""Items, or cells, of a run from which on a second process gains more than it costs."""

Made = TypeVar("Made")


def can_copy() -> bool:
    """Tell whether a copy of this process can work beside it: there is a core for it, and no thread that it would lack.

    A copy has one thread. What another thread held when it was made, such as a lock of a notebook's kernel, is never let go.
    """
    forks = "fork" in multiprocessing.get_all_start_methods()
    return forks and usable_cores().count > 1 and threading.active_count() == 1


def gains(items: int, cells: int) -> bool:
    """Tell whether a second process would gain time, and can be had."""
    return (items >= LARGE or cells >= LARGE_CELLS) and can_copy()


@contextmanager
def made_beside(make: Callable[[], Made], *, copy: bool) -> Iterator[Callable[[], Made]]:
    """Begin with `make` in a copy of this process; yield a function that waits for what it makes.

    The copy shares the memory of this process as long as neither writes to it. Where it dies (out of memory, say), the
    work is done here.

    Args:
        make: What to do; its result goes through a pipe.
        copy: Whether to; else the work is done here when the result is asked for.

    Raises:
        Exception: What `make` raised, when its result is asked for.
    """
    if not copy:
        yield make
        return
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(make, sender), daemon=True)
    with warnings.catch_warnings():
        # Newer versions of Python warn of any thread. Those that are left here are of libraries that expect copies.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    sender.close()

    def result() -> Made:
        try:
            made: Made | Exception = receiver.recv()
        except EOFError:
            return make()
        if isinstance(made, Exception):
            raise made
        return made

    try:
        yield result
    finally:
        process.kill()
        process.join()
        receiver.close()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let products of matrices use one thread meanwhile: two processes have no core to spare, and sums keep their order.

    Use as a decorator or a context manager.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


def _send(make: Callable[[], object], sender: Connection) -> None:
    try:
        sender.send(make())
    except Exception as error:  # noqa: BLE001  # whatever it is, the one who waits must be told
        sender.send(error)
