"""A float32 copy of a GGUF file with exactly the weights that it stands for, made once and cached."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import llama_cpp

from evalsuite.backends.llamacpp.model import last_log, listen
from evalsuite.catalog.fetch import cache_dir
from evalsuite.catalog.gguf import check_gguf
from evalsuite.catalog.sources.file import file_sha256
from evalsuite.catalog.sources.transfer import require_space, storage_errors
from evalsuite.errors import BackendError

__all__ = ["dequantised"]

_ALL_F32 = 0
_SLACK = 1.02
"""Vocabulary and header, beside the weights."""


def dequantised(path: Path, *, threads: int) -> Path:
    """Return the float32 copy of a model file; it takes 4 bytes for each parameter in the cache folder.

    Args:
        path: GGUF file of any quantisation.
        threads: For the conversion.

    Raises:
        BackendError: llama.cpp cannot convert the file.
        FetchError: There is no room for the copy.
    """
    from filelock import FileLock

    info = check_gguf(path)
    if info.quantisation == "F32":
        return path
    root = cache_dir()
    folder = root / "dequantised"
    target = folder / f"{file_sha256(path, root)}.f32.gguf"
    if target.is_file():
        return target
    with storage_errors(root):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_suffix(".lock")):
            if not target.is_file():
                # What a killed process left: while the lock is held, nobody else is at work on it.
                for stale in folder.glob(f"{target.name}.*.part"):
                    stale.unlink(missing_ok=True)
                require_space(folder, round(4 * (info.parameters or 0) * _SLACK))
                _convert(path, target, threads)
    return target


def _convert(path: Path, target: Path, threads: int) -> None:
    listen()
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = _ALL_F32
    params.allow_requantize = True
    params.nthread = threads
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        status = llama_cpp.llama_model_quantize(str(path).encode(), str(part).encode(), ctypes.byref(params))
        if status != 0:
            raise BackendError(
                f"llama.cpp could not convert {path} to float32 (status {status}): {last_log()}",
                fix="leave `+dequantised` out for this model",
            )
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
