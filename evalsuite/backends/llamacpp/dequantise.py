"""A float32 copy of a GGUF file with exactly the weights that it stands for, made once and cached."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from evalsuite.backends.llamacpp.requantise import write_quantised
from evalsuite.catalog.fetch import cache_dir
from evalsuite.catalog.gguf import check_gguf
from evalsuite.catalog.made import make_once
from evalsuite.catalog.sources.file import file_sha256
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
    info = check_gguf(path)
    if info.quantisation == "F32":
        return path
    root = cache_dir()
    target = root / "dequantised" / f"{file_sha256(path, root)}.f32.gguf"
    if not target.is_file():
        make_once(target, partial(_convert, path, threads), needed_bytes=round(4 * info.parameters * _SLACK))
    return target


def _convert(path: Path, threads: int, part: Path) -> None:
    try:
        write_quantised(path, part, ftype=_ALL_F32, requantise=True, threads=threads)
    except BackendError as error:
        raise BackendError(
            f"llama.cpp could not convert {path} to float32: {error.problem}",
            fix="leave `+dequantised` out for this model",
        ) from error
