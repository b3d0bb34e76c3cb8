"""What a GGUF file's header says of the model, and whether the file is whole; read without an engine."""

from __future__ import annotations

import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from evalsuite.errors import ModelFileError
from evalsuite.records import StoredAs

__all__ = ["FILE_TYPES", "GgufInfo", "check_gguf", "inspect_gguf"]

_T = TypeVar("_T")
_MAGIC: Final = b"GGUF"
_VERSIONS: Final = (2, 3)
_DEFAULT_ALIGNMENT: Final = 32
# Far above any real model; a count beyond it means that the bytes are not what they seem.
_MOST_TENSORS: Final = 1 << 20
_MOST_KEYS: Final = 1 << 20
_LONGEST_NAME: Final = 1 << 16
_LONGEST_STRING: Final = 1 << 30
_LONGEST_ARRAY: Final = 1 << 36
_MOST_DIMENSIONS: Final = 4
_DEEPEST_ARRAY: Final = 4
_FETCH_AGAIN: Final = "get the file again, or name another one"

_STRING: Final = 8
_ARRAY: Final = 9
# Value type -> struct code of the scalar types.
_SCALARS: Final = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip

# ggml tensor type -> name, elements in a block, bytes of a block.
_TENSOR_TYPES: Final[dict[int, tuple[str, int, int]]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip

FILE_TYPES: Final = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS",
    20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M",
    28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
    39: "NVFP4", 40: "Q1_0",
}  # fmt: skip
"""`general.file_type` → the name that people use for the mix; the numbers are llama.cpp's own for what it writes."""

# First bytes of what people mistake for a GGUF file, or get instead of one.
_LOOKALIKES: Final = (
    (b"PK\x03\x04", "a zip archive (a wheel, or a PyTorch checkpoint)", "unpack it, or name the .gguf file"),
    (b"version https://git-lfs", "a git-lfs pointer, not the file itself", "run `git lfs pull`, or download the file"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"lmgg", "a ggml file from before GGUF", "convert the model again with a current llama.cpp"),
    (b"tjgg", "a ggjt file from before GGUF", "convert the model again with a current llama.cpp"),
    (b"fmgg", "a ggmf file from before GGUF", "convert the model again with a current llama.cpp"),
    (b"\x80\x02", "a Python pickle (a PyTorch checkpoint)", "convert it with llama.cpp's convert_hf_to_gguf.py"),
)


@dataclass(frozen=True)
class GgufInfo:
    """What the header says; none where it does not say it."""

    architecture: str | None
    name: str | None
    parameters: int
    """Elements of all tensors in the file."""
    quantisation: str | None
    context: int | None
    """Context length that the model was trained for, in tokens."""
    vocab_size: int | None
    tensor_count: int
    chat_template: str | None
    add_bos: bool | None
    file_bytes: int
    stored_as: tuple[StoredAs, ...]
    """Tensors by the type that they are stored in, most weights first."""


@dataclass(frozen=True)
class _Tensor:
    name: str
    elements: int
    type_name: str | None
    """None for a type that this module does not know; the engine may."""
    kind: int
    """Its type as the file numbers it."""
    bytes: int | None
    """Size of its data; none for a type that is not known."""
    end: int
    """Where its data end, counted from the start of all data; where they start, if the type is not known."""


@dataclass(frozen=True)
class _Header:
    values: dict[str, Any]
    array_lengths: dict[str, int]
    tensors: tuple[_Tensor, ...]
    data_start: int


class _CutOffError(Exception):
    """The header goes on beyond the end of the file."""


class _CorruptError(Exception):
    """The header holds what no writer writes."""


class _UnsupportedError(Exception):
    """A GGUF file that llama.cpp does not read any more, or not yet."""


def inspect_gguf(path: Path) -> GgufInfo:
    """Read the header of a GGUF file; only a header that cannot be read is an error."""
    return _summary(_read_header(path), path.stat().st_size)


def check_gguf(path: Path) -> GgufInfo:
    """Refuse a file that no engine could load: no GGUF, cut off, corrupt or without tensors."""
    header = _read_header(path)
    file_bytes = path.stat().st_size
    if not header.tensors:
        raise ModelFileError(
            f"{path} holds a vocabulary and no tensors: it is no model",
            fix="name the model's own file, not its vocabulary",
        )
    needed = header.data_start + max(tensor.end for tensor in header.tensors)
    if needed > file_bytes:
        raise ModelFileError(
            f"{path} is cut off: {needed - file_bytes} bytes are missing ({file_bytes} of {needed})",
            fix=_FETCH_AGAIN,
        )
    return _summary(header, file_bytes)


def _summary(header: _Header, file_bytes: int) -> GgufInfo:
    values = header.values
    architecture = _typed(values.get("general.architecture"), str)
    vocab = header.array_lengths.get("tokenizer.ggml.tokens") or _typed(values.get(f"{architecture}.vocab_size"), int)
    return GgufInfo(
        architecture=architecture,
        name=_typed(values.get("general.name"), str),
        parameters=sum(tensor.elements for tensor in header.tensors),
        quantisation=_quantisation(header),
        context=_typed(values.get(f"{architecture}.context_length"), int),
        vocab_size=vocab,
        tensor_count=len(header.tensors),
        chat_template=_typed(values.get("tokenizer.chat_template"), str),
        add_bos=_typed(values.get("tokenizer.ggml.add_bos_token"), bool),
        file_bytes=file_bytes,
        stored_as=_stored_as(header),
    )


def _stored_as(header: _Header) -> tuple[StoredAs, ...]:
    by_kind: dict[int, list[_Tensor]] = {}
    for tensor in header.tensors:
        by_kind.setdefault(tensor.kind, []).append(tensor)
    found = [
        StoredAs(
            type=same[0].type_name or str(kind),
            tensors=len(same),
            weights=sum(tensor.elements for tensor in same),
            bytes=None if same[0].bytes is None else sum(tensor.bytes or 0 for tensor in same),
        )
        for kind, same in by_kind.items()
    ]
    return tuple(sorted(found, key=lambda one: -one.weights))


def _typed(value: Any, kind: type[_T]) -> _T | None:
    return value if type(value) is kind else None


def _quantisation(header: _Header) -> str | None:
    stated = FILE_TYPES.get(header.values.get("general.file_type", -1))
    if stated is not None:
        return stated
    share: dict[str, int] = {}
    for tensor in header.tensors:
        if tensor.type_name is not None:
            share[tensor.type_name] = share.get(tensor.type_name, 0) + tensor.elements
    return max(share, key=lambda name: share[name]) if share else None


def _read_header(path: Path) -> _Header:
    try:
        with path.open("rb") as file:
            start = file.read(64)
            if not start.startswith(_MAGIC):
                raise _no_gguf(path, start)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                return _Reader(view).header()
    except (FileNotFoundError, IsADirectoryError) as problem:
        raise ModelFileError(f"{path} is no file", fix="check the path") from problem
    except OSError as problem:
        raise ModelFileError(f"{path} cannot be read: {os.strerror(problem.errno or 0)}") from problem
    except _CutOffError as problem:
        raise ModelFileError(f"{path} is cut off within its header", fix=_FETCH_AGAIN) from problem
    except _UnsupportedError as problem:
        raise ModelFileError(
            f"{path} is {problem}; supported are versions {_VERSIONS[0]} and {_VERSIONS[1]}, little-endian",
            fix="convert the model again with a current llama.cpp",
        ) from problem
    except _CorruptError as problem:
        raise ModelFileError(f"{path} has a corrupt GGUF header: {problem}", fix=_FETCH_AGAIN) from problem


def _no_gguf(path: Path, start: bytes) -> ModelFileError:
    look, fix = "of an unknown kind", "name a .gguf file"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        look, fix = "empty", _FETCH_AGAIN
    elif not start.strip(b"\0"):
        look, fix = "filled with zeros (a download that was never finished)", _FETCH_AGAIN
    elif text.startswith((b"<!doctype", b"<html", b"<?xml")):
        look, fix = "a web page (an error page or a login, saved in place of the file)", "download the file again"
    elif len(start) > 9 and start[8:10] == b'{"' and int.from_bytes(start[:8], "little") < 1 << 32:
        look, fix = "a safetensors file", "convert it with llama.cpp's convert_hf_to_gguf.py"
    else:
        for magic, name, advice in _LOOKALIKES:
            if start.startswith(magic):
                look, fix = name, advice
    return ModelFileError(f"{path} is no GGUF file: it is {look}", fix=fix)


class _Reader:
    """A cursor over the mapped file; arrays are stepped over, not read."""

    def __init__(self, view: mmap.mmap) -> None:
        self._view = view
        self._size = len(view)
        self._at = len(_MAGIC)

    def header(self) -> _Header:
        version = self._number("I")
        if version not in _VERSIONS:
            swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
            what = "a big-endian GGUF file" if swapped in _VERSIONS else f"a GGUF file of version {version}"
            raise _UnsupportedError(what)
        tensors, keys = self._count(_MOST_TENSORS, "tensors"), self._count(_MOST_KEYS, "metadata keys")
        values: dict[str, Any] = {}
        lengths: dict[str, int] = {}
        for _ in range(keys):
            key = self._name("metadata key")
            kind = self._number("I")
            if kind == _ARRAY:
                lengths[key] = self._skip_array()
            elif kind == _STRING:
                values[key] = self._text(_LONGEST_STRING, key)
            else:
                values[key] = self._number(self._code(kind))
        alignment = values.get("general.alignment", _DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or alignment <= 0 or alignment % 8:
            raise _CorruptError(f"an alignment of {alignment}")
        found = tuple(self._tensor() for _ in range(tensors))
        return _Header(values, lengths, found, -(-self._at // alignment) * alignment)

    def _tensor(self) -> _Tensor:
        name = self._name("tensor name")
        dimensions = self._number("I")
        if not 0 < dimensions <= _MOST_DIMENSIONS:
            raise _CorruptError(f"tensor {name!r} of {dimensions} dimensions")
        shape = [self._number("Q") for _ in range(dimensions)]
        kind, offset = self._number("I"), self._number("Q")
        elements = 1
        for length in shape:
            elements *= length
        if not 0 < elements < 1 << 50 or offset >= 1 << 50:
            raise _CorruptError(f"tensor {name!r} of {elements} elements at offset {offset}")
        if kind not in _TENSOR_TYPES:
            return _Tensor(name, elements, None, kind, None, offset)
        type_name, per_block, block_bytes = _TENSOR_TYPES[kind]
        if shape[0] % per_block:
            raise _CorruptError(f"tensor {name!r}: {shape[0]} is no multiple of {type_name}'s {per_block}")
        size = elements // per_block * block_bytes
        return _Tensor(name, elements, type_name, kind, size, offset + size)

    def _skip_array(self, depth: int = 1) -> int:
        kind, length = self._number("I"), self._number("Q")
        if kind == _ARRAY:
            if depth == _DEEPEST_ARRAY or length > _MOST_KEYS:
                raise _CorruptError("arrays nested too deep")
            for _ in range(length):
                self._skip_array(depth + 1)
        elif kind == _STRING:
            self._skip_strings(length)
        else:
            self._move(length * struct.calcsize(self._code(kind)))
        return int(length)

    def _skip_strings(self, count: int) -> None:
        # A vocabulary has hundreds of thousands of these: all in locals, and the unpacking itself finds the end.
        view, at, size = self._view, self._at, self._size
        unpack = struct.Struct("<Q").unpack_from
        try:
            for _ in range(count):
                at += 8 + unpack(view, at)[0]
        except (struct.error, IndexError, OverflowError) as problem:
            raise self._beyond(at) from problem
        if at > size:
            raise self._beyond(at)
        self._at = at

    def _beyond(self, at: int) -> Exception:
        if at > self._size + _LONGEST_STRING:
            return _CorruptError("a string that is longer than any file")
        return _CutOffError()

    def _code(self, kind: int) -> str:
        if kind not in _SCALARS:
            raise _CorruptError(f"a value of the unknown type {kind}")
        return _SCALARS[kind]

    def _number(self, code: str) -> Any:
        start = self._at
        self._move(struct.calcsize(code))
        return struct.unpack_from("<" + code, self._view, start)[0]

    def _count(self, most: int, what: str) -> int:
        count = int(self._number("Q"))
        if count > most:
            raise _CorruptError(f"{count} {what}")
        return count

    def _name(self, what: str) -> str:
        return self._text(_LONGEST_NAME, what)

    def _text(self, longest: int, what: str) -> str:
        length = int(self._number("Q"))
        if length > longest:
            raise _CorruptError(f"{what} of {length} bytes")
        start = self._at
        self._move(length)
        try:
            return self._view[start : self._at].decode("utf-8")
        except UnicodeDecodeError as problem:
            raise _CorruptError(f"{what} is not UTF-8 text") from problem

    def _move(self, length: int) -> None:
        if length > _LONGEST_ARRAY:
            raise _CorruptError(f"a value of {length} bytes")
        if self._at + length > self._size:
            raise _CutOffError
        self._at += length
