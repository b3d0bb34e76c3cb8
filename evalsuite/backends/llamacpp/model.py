"""One GGUF file loaded by llama.cpp: its vocabulary and its metadata, and a refusal of what is no language model."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llama_cpp

from evalsuite.errors import ModelFileError

__all__ = ["GGUFModel", "last_log", "listen", "told_sizes"]

_POOLING = {"1": "mean", "2": "first token", "3": "last token", "4": "rank"}


class _Log:
    """Keeps what llama.cpp says, so that a failure can be told in its words."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.sizes: list[str] = []
        self._text = ""
        self._heard: Callable[[str], None] | None = None
        self._callback = llama_cpp.llama_log_callback(self._take)

    def install(self, heard: Callable[[str], None] | None) -> None:
        self._heard = heard
        llama_cpp.llama_log_set(self._callback, ctypes.c_void_p(0))
        self.lines.clear()
        self.sizes.clear()

    def _take(self, level: int, text: bytes, _: Any) -> None:
        self._text += text.decode("utf-8", "replace")
        *done, self._text = self._text.split("\n")
        for line in done:
            if self._heard is not None:
                self._heard(line)
            # Levels: 2 info, 3 warning, 4 error, 5 continuation of the line before.
            if level in (3, 4) and line.strip():
                self.lines = [*self.lines[-19:], line.strip()]
            # Sizes of buffers are told nowhere else.
            elif "buffer size" in line:
                self.sizes.append(line.strip())


_LOG = _Log()


def listen(heard: Callable[[str], None] | None = None) -> None:
    """Take what llama.cpp says from now on, in place of its printing it.

    Args:
        heard: Is given every line as well.
    """
    _LOG.install(heard)


def told_sizes() -> list[str]:
    """Return the lines in which llama.cpp told the sizes of its buffers, since `listen`."""
    return list(_LOG.sizes)


def last_log() -> str:
    """Return the last complaints of llama.cpp."""
    return "; ".join(_LOG.lines[-3:]) or "it gave no reason"


class GGUFModel:
    """A loaded model, without a cache.

    Args:
        path: GGUF file.
        as_deployed: Whether to load it as llama.cpp does by itself, for measurements of a device: weights repacked for
            this processor, and layers on an accelerator where the build has one. Scores then depend on the device.

    Raises:
        ModelFileError: llama.cpp cannot load the file, or it is no model that continues text.
    """

    def __init__(self, path: Path, *, as_deployed: bool = False) -> None:
        listen()
        llama_cpp.llama_backend_init()
        params = llama_cpp.llama_model_default_params()
        if not as_deployed:
            params.n_gpu_layers = 0
            # Repacked weights are multiplied four rows at a time and round a remainder otherwise, so that a score would
            # depend on its neighbours in the batch (docs/scoring.md).
            params.use_extra_bufts = False
        self.path = path
        self.handle: Any = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        if not self.handle:
            raise _load_error(path)
        self._vocab: Any = llama_cpp.llama_model_get_vocab(self.handle)
        self.n_vocab: int = llama_cpp.llama_vocab_n_tokens(self._vocab)
        self.n_context_train: int = llama_cpp.llama_model_n_ctx_train(self.handle)
        self.recurrent: bool = bool(
            llama_cpp.llama_model_is_recurrent(self.handle) or llama_cpp.llama_model_is_hybrid(self.handle)
        )
        kind = self._refused_kind()
        if kind is not None:
            self.free()
            raise ModelFileError(
                f"{path}: this is {kind}, so it cannot score or write text",
                fix="give a causal language model; embedding and encoder models need another backend",
            )

    def free(self) -> None:
        """Give the memory back."""
        if self.handle is not None:
            llama_cpp.llama_model_free(self.handle)
            self.handle = None

    def _refused_kind(self) -> str | None:
        """Return what the file is, where that is no model that continues text; llama.cpp would crash or give nonsense."""
        architecture = self.metadata("general.architecture") or ""
        pooling = self.metadata(f"{architecture}.pooling_type")
        has_decoder = llama_cpp.llama_model_has_decoder(self.handle)
        checks = (
            (self.n_vocab == 0, "a model without a vocabulary"),
            (not has_decoder, f"a model with no decoder ({architecture}, an encoder)"),
            (llama_cpp.llama_model_has_encoder(self.handle), f"an encoder-decoder model ({architecture})"),
            (
                pooling not in (None, "0"),
                f"an embedding model ({architecture}, pooling: {_POOLING.get(pooling or '', pooling)})",
            ),
            (
                self.metadata(f"{architecture}.attention.causal") == "false",
                f"an encoder ({architecture}, attention in both directions)",
            ),
            (llama_cpp.llama_model_is_diffusion(self.handle), f"a diffusion model ({architecture})"),
        )
        told = next((told for wrong, told in checks if wrong), None)
        return told if told or self._has_cache() else f"an encoder ({architecture}, it keeps no cache)"

    def _has_cache(self) -> bool:
        """A context of a model that reads in both directions has no memory; some such files say so nowhere else."""
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = 64
        params.n_seq_max = 1
        context = llama_cpp.llama_init_from_model(self.handle, params)
        if not context:
            return True  # Told with its reason when a context is made in earnest.
        found = bool(llama_cpp.llama_get_memory(context))
        llama_cpp.llama_free(context)
        return found

    # --- vocabulary

    @property
    def bos(self) -> int | None:
        return _token(llama_cpp.llama_vocab_bos(self._vocab))

    @property
    def eos(self) -> int | None:
        return _token(llama_cpp.llama_vocab_eos(self._vocab))

    @property
    def adds_bos(self) -> bool:
        """Whether the GGUF says that a text begins with the BOS token."""
        return bool(llama_cpp.llama_vocab_get_add_bos(self._vocab)) and self.bos is not None

    def is_end(self, token: int) -> bool:
        """Return whether `token` ends a generation."""
        return bool(llama_cpp.llama_vocab_is_eog(self._vocab, token))

    def is_control(self, token: int) -> bool:
        """Return whether `token` is a control token, such as the markers of a chat template."""
        return bool(llama_cpp.llama_vocab_is_control(self._vocab, token))

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """Return the tokens of `text`, with no BOS added.

        Args:
            text: Any text.
            special: Whether the names of control tokens in `text` become those tokens.
        """
        data = text.encode()
        size = len(data) + 8
        buffer = (llama_cpp.llama_token * size)()
        count = llama_cpp.llama_tokenize(self._vocab, data, len(data), buffer, size, False, special)
        if count < 0:
            size = -count
            buffer = (llama_cpp.llama_token * size)()
            count = llama_cpp.llama_tokenize(self._vocab, data, len(data), buffer, size, False, special)
        return list(buffer[:count])

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """Return the bytes of one token; they need not be whole UTF-8 characters."""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, size, 0, special)
            if count >= 0:
                return buffer.raw[:count]
            size = -count

    def metadata(self, key: str) -> str | None:
        """Return a metadata value of the GGUF as text."""
        size = 1 << 16
        buffer = ctypes.create_string_buffer(size)
        count = llama_cpp.llama_model_meta_val_str(self.handle, key.encode(), buffer, size)
        return None if count < 0 else buffer.value.decode("utf-8", "replace")

    # --- sizes

    @property
    def most_cells(self) -> int | None:
        """The largest cache under which every request is computed alike; none where its size does not matter.

        LongRoPE (Phi 3.5, Phi 4 mini) has two sets of factors, and llama.cpp chooses by the size of the whole cache.
        """
        architecture = self.metadata("general.architecture") or ""
        told = self.metadata(f"{architecture}.rope.scaling.original_context_length")
        kind = self.metadata(f"{architecture}.rope.scaling.type")
        original = int(told) if told and told.isdigit() else 0
        return original if kind not in ("yarn", "linear") and 2048 <= original < self.n_context_train else None

    @property
    def cache_bytes_per_token(self) -> int:
        """Bytes that a token of a sequence takes in a cache of 16-bit keys and values; 0 where it cannot be told."""
        heads = llama_cpp.llama_model_n_head(self.handle)
        if heads == 0:
            return 0
        width = llama_cpp.llama_model_n_embd(self.handle) // heads
        architecture = self.metadata("general.architecture") or ""
        told = self.metadata(f"{architecture}.attention.key_length")
        width = int(told) if told and told.isdigit() else width
        return int(
            2 * 2 * llama_cpp.llama_model_n_layer(self.handle) * llama_cpp.llama_model_n_head_kv(self.handle) * width
        )


def _token(token: int) -> int | None:
    return None if token < 0 else int(token)


def _load_error(path: Path) -> ModelFileError:
    said = last_log()
    if "unknown model architecture" in said:
        name = said.split("unknown model architecture:")[-1].split(";")[0].strip().strip("'")
        return ModelFileError(
            f"{path}: the architecture '{name}' is unknown to llama.cpp (llama-cpp-python {llama_cpp.__version__})",
            fix="upgrade llama-cpp-python, or take a model of a supported architecture",
        )
    return ModelFileError(f"{path}: llama.cpp cannot load this file: {said}", fix="fetch or convert the model again")
