"""Has llama.cpp write a model file again with its weights in other types."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import llama_cpp

from evalsuite.backends.llamacpp.model import last_log, listen
from evalsuite.errors import BackendError

__all__ = ["write_quantised"]


def write_quantised(
    source: Path,
    target: Path,
    *,
    ftype: int,
    requantise: bool,
    threads: int,
    heard: Callable[[str], None] | None = None,
) -> None:
    """Write a GGUF file with the weights of another one, in the types of a quantisation.

    Args:
        source: GGUF file.
        target: File to write.
        ftype: llama.cpp's number of the quantisation.
        requantise: Whether the source may be quantised itself; llama.cpp refuses it otherwise.
        threads: Number of threads; the file is the same with any.
        heard: Is given every line that llama.cpp says; it names each tensor.

    Raises:
        BackendError: llama.cpp refuses; the message has its words.
    """
    listen(heard)
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = ftype
    params.allow_requantize = requantise
    params.nthread = threads
    status = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params))
    if status != 0:
        raise BackendError(f"{last_log()} (status {status})")
