"""Engines that answer lm-eval requests, one file or folder each."""

from __future__ import annotations

import importlib
from typing import Any

from evalsuite.errors import BackendError, InputError, suggest

__all__ = ["BACKENDS", "backend_names", "backend_target", "load_backend"]

BACKENDS: dict[str, str] = {
    "llamacpp": "evalsuite.backends.llamacpp.lm:LlamaCppLM",
    "transformers": "evalsuite.backends.hf.lm:TransformersLM",
    "fake": "evalsuite.backends.fake:FakeLM",
}
"""Name → class of an lm-eval `TemplateLM`, made with a model file and its options. Loaded when it is used."""

_ENTRY_POINTS = "evalsuite.backends"
_INSTALL = {
    "llamacpp": "pip install llama-cpp-python (see docs/install.md)",
    "transformers": "pip install 'evalsuite[hf]' (see docs/transformers.md)",
}


def backend_names() -> tuple[str, ...]:
    """Return the names of all backends: ours, and those that other packages add."""
    return tuple(dict.fromkeys((*BACKENDS, *_entry_points())))


def backend_target(name: str) -> str:
    """Return where a backend's class is, `module:Class`, without importing it.

    Others can add theirs as entry points of the group `evalsuite.backends`.

    Raises:
        InputError: There is no backend of this name.
    """
    target = BACKENDS.get(name) or _entry_points().get(name)
    if target is None:
        fix = suggest(name, backend_names(), kind="backend", show="evalsuite doctor")
        raise InputError(f"unknown backend {name!r}", fix=fix)
    return target


def load_backend(name: str) -> Any:
    """Return the class of a backend.

    Raises:
        InputError: There is no backend of this name.
        BackendError: Its engine is not installed.
    """
    module, _, attribute = backend_target(name).partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise BackendError(
            f"the backend {name!r} needs a package that cannot be imported: {error}",
            fix=_INSTALL.get(name),
        ) from error


def _entry_points() -> dict[str, str]:
    from importlib.metadata import entry_points

    return {point.name: point.value for point in entry_points(group=_ENTRY_POINTS)}
