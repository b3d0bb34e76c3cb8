"""Holds the garbage collector back while very many objects are made that stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["settled", "uncollected"]


@contextmanager
def uncollected() -> Iterator[None]:
    """Do not look for cycles of objects meanwhile. Each search walks over all items of a run, and finds nothing.

    What is not in a cycle is freed as ever. Use as a decorator or a context manager.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def settled() -> Iterator[None]:
    """Leave alone what exists already, and look for cycles among what is made meanwhile only."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
