"""The GGUF header reader, against files written (and read) by the independent `gguf` package."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest

from evalsuite.catalog.gguf import check_gguf, inspect_gguf
from evalsuite.errors import ModelFileError

TOKENS = [f"token {i} ñ日本" for i in range(300)]


def write(path: Path, *, tensors: bool = True, file_type: int | None = 2, alignment: int | None = None) -> Path:
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("Tiny ñandú")
    writer.add_context_length(512)
    writer.add_vocab_size(7)  # The list of tokens wins over this.
    writer.add_token_list(TOKENS)
    writer.add_token_scores([0.5] * len(TOKENS))
    writer.add_token_types([1] * len(TOKENS))
    writer.add_add_bos_token(False)
    writer.add_chat_template("{% for m in messages %}{{ m.content }}{% endfor %}")
    writer.add_float32("llama.rope.freq_base", 10000.0)
    writer.add_uint64("llama.odd", 2**40)
    if file_type is not None:
        writer.add_file_type(file_type)
    if alignment is not None:
        writer.add_custom_alignment(alignment)
    if tensors:
        rng = np.random.default_rng(3)
        weights = rng.standard_normal((8, 64)).astype(np.float32)
        quantised = gguf.quants.quantize(weights, gguf.GGMLQuantizationType.Q4_0)
        writer.add_tensor("blk.0.attn_q.weight", quantised, raw_dtype=gguf.GGMLQuantizationType.Q4_0)
        writer.add_tensor("blk.0.ffn_up.weight", rng.standard_normal((3, 32)).astype(np.float16))
        writer.add_tensor("output_norm.weight", rng.standard_normal(5).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write(tmp_path / "tiny.gguf")


@pytest.mark.parametrize("alignment", [None, 8, 256])
def test_header_agrees_with_the_gguf_package(tmp_path: Path, alignment: int | None) -> None:
    path = write(tmp_path / "model.gguf", alignment=alignment)
    reader = gguf.GGUFReader(path)
    info = check_gguf(path)
    assert info.parameters == sum(int(t.n_elements) for t in reader.tensors) == 8 * 64 + 3 * 32 + 5
    assert info.tensor_count == len(reader.tensors) == 3
    assert info.architecture == reader.fields["general.architecture"].contents() == "llama"
    assert info.name == reader.fields["general.name"].contents() == "Tiny ñandú"
    assert info.context == reader.fields["llama.context_length"].contents() == 512
    assert info.vocab_size == len(reader.fields["tokenizer.ggml.tokens"].contents()) == 300
    assert info.chat_template == reader.fields["tokenizer.chat_template"].contents()
    assert info.add_bos is False
    assert info.quantisation == "Q4_0"
    assert info.file_bytes == path.stat().st_size
    assert inspect_gguf(path) == info


@pytest.mark.parametrize("alignment", [None, 8, 256])
def test_the_last_byte_of_the_last_tensor_is_the_limit(tmp_path: Path, alignment: int | None) -> None:
    path = write(tmp_path / "model.gguf", alignment=alignment)
    ends = [int(t.data_offset) + int(t.n_bytes) for t in gguf.GGUFReader(path).tensors]
    whole = path.read_bytes()
    path.write_bytes(whole[: max(ends)])
    check_gguf(path)
    path.write_bytes(whole[: max(ends) - 7])
    with pytest.raises(ModelFileError, match=f"7 bytes are missing .{max(ends) - 7} of {max(ends)}."):
        check_gguf(path)
    # The header is whole, so it can still be looked at.
    assert inspect_gguf(path).tensor_count == 3


def test_block_sizes_are_those_of_the_gguf_package(tmp_path: Path) -> None:
    for kind, (block, size) in gguf.GGML_QUANT_SIZES.items():
        path = tmp_path / f"{kind.name}.gguf"
        writer = gguf.GGUFWriter(str(path), "llama")
        # The shape is in bytes here.
        writer.add_tensor_info("x", (2, size), np.dtype(np.uint8), 2 * size, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        writer.close()
        header = path.read_bytes()
        start = -(-len(header) // 32) * 32
        path.write_bytes(header.ljust(start + 2 * size, b"\0"))
        assert check_gguf(path).parameters == 2 * block, kind.name
        assert check_gguf(path).quantisation == kind.name
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(ModelFileError, match="1 bytes are missing"):
            check_gguf(path)


def test_without_a_file_type_the_largest_share_names_the_quantisation(tmp_path: Path) -> None:
    assert inspect_gguf(write(tmp_path / "m.gguf", file_type=None)).quantisation == "Q4_0"


@pytest.mark.parametrize("file_type", [t for t in gguf.LlamaFileType if t is not gguf.LlamaFileType.GUESSED])
def test_file_types_have_the_names_of_the_gguf_package(tmp_path: Path, file_type: gguf.LlamaFileType) -> None:
    name = file_type.name.removeprefix("ALL_").removeprefix("MOSTLY_").removesuffix("_MOE")
    assert inspect_gguf(write(tmp_path / "m.gguf", file_type=int(file_type))).quantisation == name


def test_vocabulary_only(tmp_path: Path) -> None:
    path = write(tmp_path / "vocab.gguf", tensors=False)
    assert inspect_gguf(path).tensor_count == 0
    assert inspect_gguf(path).vocab_size == 300
    with pytest.raises(ModelFileError, match="holds a vocabulary and no tensors"):
        check_gguf(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty"),
        (b"\0" * 5000, "filled with zeros"),
        (b"PK\x03\x04" + b"x" * 100, "a zip archive"),
        (b"  \n<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", "git lfs pull"),
        (struct.pack("<Q", 20) + b'{"weight":{"dtype":1}', "a safetensors file"),
        (b"tjgg" + b"\1" * 50, "a ggjt file from before GGUF"),
        (b"\x1f\x8b\x08" + b"\1" * 50, "a gzip archive"),
        (b"GGU", "of an unknown kind"),
        (b"some text", "of an unknown kind"),
    ],
)
def test_what_is_no_gguf_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=told) as caught:
        check_gguf(path)
    assert "no GGUF file" in caught.value.problem and str(path) in caught.value.problem
    assert caught.value.fix


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.gguf"):
        with pytest.raises(ModelFileError, match="is no file"):
            check_gguf(path)


@pytest.mark.parametrize(
    ("version", "told"),
    [(1, "of version 1"), (4, "of version 4"), (0x03000000, "big-endian")],
)
def test_unsupported_versions(tiny: Path, version: int, told: str) -> None:
    data = bytearray(tiny.read_bytes())
    data[4:8] = struct.pack("<I", version)
    tiny.write_bytes(data)
    with pytest.raises(ModelFileError, match=told) as caught:
        check_gguf(tiny)
    assert "supported are versions 2 and 3" in caught.value.problem


def test_cut_within_the_header_at_any_place(tiny: Path) -> None:
    whole = tiny.read_bytes()
    header = min(int(t.data_offset) for t in gguf.GGUFReader(tiny).tensors) - gguf.GGUF_DEFAULT_ALIGNMENT
    for length in [*range(5, 400), *range(400, header, 97), header]:
        tiny.write_bytes(whole[:length])
        with pytest.raises(ModelFileError, match="cut off within its header"):
            inspect_gguf(tiny)


def test_cut_within_the_last_string_of_a_vocabulary(tmp_path: Path) -> None:
    path = tmp_path / "vocab.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_token_list(TOKENS)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    assert inspect_gguf(path).vocab_size == 300
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ModelFileError, match="cut off within its header"):
        inspect_gguf(path)


def test_absurd_counts_are_corrupt(tiny: Path) -> None:
    whole = tiny.read_bytes()
    for at, told in ((8, "tensors"), (16, "metadata keys"), (24, "metadata key of")):
        tiny.write_bytes(whole[:at] + struct.pack("<Q", 2**62) + whole[at + 8 :])
        with pytest.raises(ModelFileError, match=f"corrupt GGUF header: .*{told}"):
            check_gguf(tiny)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"general.name", b"general\xff\xfe\xfd\xfc\xfb", "metadata key is not UTF-8"),
        ("ñandú".encode(), b"\xff\xff\xff\xff\xff\xff\xff", "general.name is not UTF-8"),
        (b"general.name\x08\x00\x00\x00", b"general.name\x63\x00\x00\x00", "unknown type 99"),
        (b"output_norm.weight\x01\x00\x00\x00", b"output_norm.weight\x09\x00\x00\x00", "of 9 dimensions"),
        (struct.pack("<Q", 16) + b"token 7 ", struct.pack("<Q", 2**63) + b"token 7 ", "longer than"),
        (b"attn_q.weight" + struct.pack("<IQ", 2, 64), b"attn_q.weight" + struct.pack("<IQ", 2, 65), "no multiple of"),
        (b"attn_q.weight" + struct.pack("<IQ", 2, 64), b"attn_q.weight" + struct.pack("<IQ", 2, 0), "0 elements"),
    ],
)
def test_corrupt_headers(tiny: Path, old: bytes, new: bytes, told: str) -> None:
    data = tiny.read_bytes()
    assert data.count(old) == 1 and len(old) == len(new)
    tiny.write_bytes(data.replace(old, new))
    with pytest.raises(ModelFileError, match=f"corrupt GGUF header: .*{told}"):
        check_gguf(tiny)


def test_a_tensor_type_that_is_not_known_is_left_to_the_engine(tiny: Path) -> None:
    data = tiny.read_bytes()
    old = b"output_norm.weight" + struct.pack("<IQI", 1, 5, 0)
    assert old in data
    tiny.write_bytes(data.replace(old, b"output_norm.weight" + struct.pack("<IQI", 1, 5, 200)))
    assert check_gguf(tiny).parameters == 8 * 64 + 3 * 32 + 5
