"""Writes tiny GGUF models of every kind that llama.cpp tells apart, with seeded random weights."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

__all__ = [
    "BOS",
    "EOS",
    "VOCABULARY",
    "write_bert",
    "write_gemma3",
    "write_lfm2",
    "write_llama",
    "write_mamba",
    "write_pooled",
    "write_t5",
]

_WIDTH = 64
_HEADS = 4
_KV_HEADS = 2
_HEAD = _WIDTH // _HEADS
_FEED = 128
_LOGIT_SPREAD = 1.5
"""Standard deviation of the logits, in nats: some tokens are likely, and none is certain."""
_RESIDUAL = 0.7
"""Gain of what a layer adds to its input; layers that shout amplify every rounding."""


def _byte_symbols() -> list[str]:
    """Return the character that GPT-2's byte-level vocabularies write for each byte."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = itertools.count(256)
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


# Ġ is a space: some tokens begin a word, as in real vocabularies.
_MERGES = [(a, b) for a in "Ġaeiou" for b in "lnrst"] + [("Ġ", b) for b in "abcdfghmpw"] + [("t", "h"), ("q", "u")]
VOCABULARY = ["<s>", "</s>", *_byte_symbols(), *(a + b for a, b in _MERGES)]
BOS, EOS = 0, 1


class _Model:
    """A GGUF file while it is filled: header and vocabulary first, then weights, then `save`."""

    def __init__(self, path: Path, architecture: str, *, context: int, layers: int, seed: int, quant: str = "F32"):
        self.path = path
        self.layers = layers
        self._random = np.random.default_rng(seed)
        self._quant = gguf.GGMLQuantizationType[quant]
        self.writer: Any = gguf.GGUFWriter(path, architecture)
        self.writer.add_name(f"tiny {architecture}")
        self.writer.add_file_type(
            gguf.LlamaFileType.ALL_F32 if quant == "F32" else gguf.LlamaFileType[f"MOSTLY_{quant}"]
        )
        self.writer.add_context_length(context)
        self.writer.add_embedding_length(_WIDTH)
        self.writer.add_block_count(layers)
        self.writer.add_vocab_size(len(VOCABULARY))
        self.writer.add_tokenizer_model("gpt2")
        self.writer.add_tokenizer_pre("gpt-2")
        self.writer.add_token_list(VOCABULARY)
        control = {BOS, EOS}
        self.writer.add_token_types(
            [gguf.TokenType.CONTROL if i in control else gguf.TokenType.NORMAL for i in range(len(VOCABULARY))]
        )
        self.writer.add_token_merges([f"{a} {b}" for a, b in _MERGES])
        self.writer.add_bos_token_id(BOS)
        self.writer.add_eos_token_id(EOS)
        self.writer.add_add_bos_token(False)

    def attention(self, *, kv_heads: int | list[int] = _KV_HEADS) -> None:
        """Write the sizes of attention and feed-forward."""
        self.writer.add_head_count(_HEADS)
        self.writer.add_head_count_kv(kv_heads)
        self.writer.add_feed_forward_length(_FEED)
        self.writer.add_rope_dimension_count(_HEAD)

    def tensor(self, name: str, values: npt.ArrayLike) -> None:
        """Add a tensor as it is."""
        self.writer.add_tensor(name, np.asarray(values, dtype=np.float32))

    def matrix(self, name: str, outputs: int, inputs: int, *, gain: float = 1.0) -> None:
        """Add a random matrix; at gain 1 its products have the spread of its inputs.

        Rows that a quantised type cannot divide into its blocks stay float32, as in real files.
        """
        values = self._normal(outputs, inputs) * np.float32(gain / np.sqrt(inputs))
        if inputs % gguf.GGML_QUANT_SIZES[self._quant][0] or self._quant == gguf.GGMLQuantizationType.F32:
            self.tensor(f"{name}.weight", values)
        else:
            packed = gguf.quantize(values, self._quant)
            self.writer.add_tensor(f"{name}.weight", packed, raw_dtype=self._quant)

    def norm(self, name: str, size: int = _WIDTH, *, bias: bool = False) -> None:
        """Add the weights of a normalisation, all near 1."""
        self.tensor(f"{name}.weight", 1 + 0.1 * self._normal(size))
        if bias:
            self.tensor(f"{name}.bias", 0.1 * self._normal(size))

    def vector(self, name: str, size: int, *, mean: float = 0.0, spread: float = 0.1) -> None:
        """Add a random vector, such as a bias."""
        self.tensor(name, mean + spread * self._normal(size))

    def embeddings(self, *, output_norm: str = "output_norm") -> None:
        """Add the token embeddings and the head that computes logits."""
        # Rows of spread 1, and so not divided by the number of inputs.
        self.matrix("token_embd", len(VOCABULARY), _WIDTH, gain=np.sqrt(_WIDTH))
        self.norm(output_norm)
        self.matrix("output", len(VOCABULARY), _WIDTH, gain=_LOGIT_SPREAD)

    def projections(self, prefix: str, *, out: str = "attn_output", kv_heads: int = _KV_HEADS) -> None:
        """Add the four matrices of one attention layer."""
        # Larger queries make attention choose, where it would else be near an average of everything.
        self.matrix(f"{prefix}q", _WIDTH, _WIDTH, gain=1.5)
        self.matrix(f"{prefix}k", kv_heads * _HEAD, _WIDTH)
        self.matrix(f"{prefix}v", kv_heads * _HEAD, _WIDTH)
        self.matrix(out, _WIDTH, _WIDTH, gain=_RESIDUAL)

    def feed_forward(self, prefix: str, *, gate: bool = True) -> None:
        """Add the matrices of one feed-forward layer."""
        if gate:
            self.matrix(f"{prefix}ffn_gate", _FEED, _WIDTH)
        self.matrix(f"{prefix}ffn_up", _FEED, _WIDTH)
        self.matrix(f"{prefix}ffn_down", _WIDTH, _FEED, gain=_RESIDUAL)

    def save(self) -> Path:
        """Write the file and return its path."""
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()
        return self.path

    def _normal(self, *shape: int) -> npt.NDArray[np.float32]:
        return self._random.standard_normal(shape, dtype=np.float32)


def write_llama(path: Path, *, context: int = 64, seed: int = 0, quant: str = "F32") -> Path:
    """Write a decoder with plain attention.

    Args:
        path: File to write.
        context: Context that the model says it was trained for.
        seed: Another seed gives other weights.
        quant: Type of the matrices: "F32", "Q8_0" or "Q4_0".
    """
    return _llama(path, context=context, seed=seed, quant=quant).save()


def write_nan(path: Path) -> Path:
    """Write a decoder whose last weights are not numbers."""
    data = bytearray(write_llama(path).read_bytes())
    data[-4096:] = b"\xff" * 4096  # NaN as float32
    path.write_bytes(data)
    return path


def write_pooled(path: Path, *, pooling: str = "LAST", context: int = 64, seed: int = 0) -> Path:
    """Write a decoder that was made an embedding model: only the pooling type in its header tells.

    Args:
        path: File to write.
        pooling: "MEAN", "CLS", "LAST" or "RANK" (a model that ranks documents), or "NONE", which is a generator.
        context: Context that the model says it was trained for.
        seed: Another seed gives other weights.
    """
    model = _llama(path, context=context, seed=seed, quant="F32")
    model.writer.add_pooling_type(gguf.PoolingType[pooling])
    return model.save()


def _llama(path: Path, *, context: int, seed: int, quant: str) -> _Model:
    model = _Model(path, "llama", context=context, layers=2, seed=seed, quant=quant)
    model.attention()
    model.writer.add_layer_norm_rms_eps(1e-5)
    model.embeddings()
    for block in _blocks(model.layers):
        model.norm(f"{block}attn_norm")
        model.projections(f"{block}attn_", out=f"{block}attn_output")
        model.norm(f"{block}ffn_norm")
        model.feed_forward(block)
    return model


def write_gemma3(path: Path, *, context: int = 64, window: int = 16, seed: int = 0, quant: str = "F32") -> Path:
    """Write a decoder whose layers attend in turn to the last `window` tokens and to all."""
    model = _Model(path, "gemma3", context=context, layers=4, seed=seed, quant=quant)
    model.attention()
    model.writer.add_key_length(_HEAD)
    model.writer.add_value_length(_HEAD)
    model.writer.add_layer_norm_rms_eps(1e-6)
    model.writer.add_rope_freq_base(1e6)
    model.writer.add_sliding_window(window)
    model.writer.add_sliding_window_pattern(2)
    model.embeddings()
    for block in _blocks(model.layers):
        model.norm(f"{block}attn_norm")
        model.projections(f"{block}attn_", out=f"{block}attn_output")
        model.norm(f"{block}attn_q_norm", _HEAD)
        model.norm(f"{block}attn_k_norm", _HEAD)
        model.norm(f"{block}post_attention_norm")
        model.norm(f"{block}ffn_norm")
        model.feed_forward(block)
        model.norm(f"{block}post_ffw_norm")
    return model.save()


def write_mamba(path: Path, *, context: int = 64, seed: int = 0, quant: str = "F32") -> Path:
    """Write a decoder that keeps a state of fixed size and has no attention."""
    inner, state, kernel, rank = 2 * _WIDTH, 16, 4, 8
    model = _Model(path, "mamba", context=context, layers=2, seed=seed, quant=quant)
    model.writer.add_feed_forward_length(0)
    model.writer.add_head_count(0)
    model.writer.add_ssm_conv_kernel(kernel)
    model.writer.add_ssm_inner_size(inner)
    model.writer.add_ssm_state_size(state)
    model.writer.add_ssm_time_step_rank(rank)
    model.writer.add_layer_norm_rms_eps(1e-5)
    model.embeddings()
    for block in _blocks(model.layers):
        model.norm(f"{block}attn_norm")
        model.matrix(f"{block}ssm_in", 2 * inner, _WIDTH)
        model.matrix(f"{block}ssm_conv1d", inner, kernel)
        model.vector(f"{block}ssm_conv1d.bias", inner)
        model.matrix(f"{block}ssm_x", rank + 2 * state, inner, gain=2)
        model.matrix(f"{block}ssm_dt", inner, rank)
        # Steps of about 0.1, as trained models begin with: the state remembers tens of tokens.
        model.vector(f"{block}ssm_dt.bias", inner, mean=-2.0, spread=0.5)
        model.tensor(f"{block}ssm_a", np.tile(-np.arange(1, state + 1, dtype=np.float32), (inner, 1)))
        model.vector(f"{block}ssm_d", inner, mean=1.0)
        model.matrix(f"{block}ssm_out", _WIDTH, inner, gain=2)
    return model.save()


def write_lfm2(path: Path, *, context: int = 64, seed: int = 0, quant: str = "F32") -> Path:
    """Write a hybrid decoder: layers with a short convolution, which keeps a state, and layers with attention."""
    kernel, kv_heads = 3, [0, _KV_HEADS, 0, _KV_HEADS]
    model = _Model(path, "lfm2", context=context, layers=len(kv_heads), seed=seed, quant=quant)
    model.attention(kv_heads=kv_heads)
    model.writer.add_shortconv_l_cache(kernel)
    model.writer.add_layer_norm_rms_eps(1e-5)
    # This architecture calls the last normalisation by the name of the first.
    model.embeddings(output_norm="token_embd_norm")
    for block, heads in zip(_blocks(model.layers), kv_heads, strict=True):
        model.norm(f"{block}attn_norm")
        if heads:
            model.projections(f"{block}attn_", out=f"{block}attn_output", kv_heads=heads)
            model.norm(f"{block}attn_q_norm", _HEAD)
            model.norm(f"{block}attn_k_norm", _HEAD)
        else:
            model.matrix(f"{block}shortconv.conv", _WIDTH, kernel)
            model.matrix(f"{block}shortconv.in_proj", 3 * _WIDTH, _WIDTH)
            model.matrix(f"{block}shortconv.out_proj", _WIDTH, _WIDTH, gain=_RESIDUAL)
        model.norm(f"{block}ffn_norm")
        model.feed_forward(block)
    return model.save()


def write_bert(path: Path, *, context: int = 64, seed: int = 0, told: bool = True) -> Path:
    """Write an encoder: every token attends to all, and nothing computes logits.

    Args:
        path: File to write.
        context: Context that the model says it was trained for.
        seed: Another seed gives other weights.
        told: Whether the header says that attention is not causal and how to pool; a careless converter leaves it out.
    """
    model = _Model(path, "bert", context=context, layers=2, seed=seed)
    model.attention(kv_heads=_HEADS)
    model.writer.add_layer_norm_eps(1e-12)
    if told:
        model.writer.add_causal_attention(False)
        model.writer.add_pooling_type(gguf.PoolingType.MEAN)
    model.writer.add_token_type_count(2)
    model.matrix("token_embd", len(VOCABULARY), _WIDTH, gain=np.sqrt(_WIDTH))
    model.matrix("token_types", 2, _WIDTH)
    model.matrix("position_embd", context, _WIDTH)
    model.norm("token_embd_norm", bias=True)
    for block in _blocks(model.layers):
        model.projections(f"{block}attn_", out=f"{block}attn_output", kv_heads=_HEADS)
        model.norm(f"{block}attn_output_norm", bias=True)
        model.feed_forward(block, gate=False)
        model.norm(f"{block}layer_output_norm", bias=True)
    return model.save()


def write_t5(path: Path, *, context: int = 64, seed: int = 0, decoder: bool = True) -> Path:
    """Write an encoder-decoder, whose decoder attends to what the encoder made of another text.

    Args:
        path: File to write.
        context: Context that the model says it was trained for.
        seed: Another seed gives other weights.
        decoder: Without it, the encoder alone is written, as it is used for embeddings.
    """
    buckets = 32
    model = _Model(path, "t5" if decoder else "t5encoder", context=context, layers=1, seed=seed)
    model.attention(kv_heads=_HEADS)
    model.writer.add_key_length(_HEAD)
    model.writer.add_value_length(_HEAD)
    model.writer.add_layer_norm_rms_eps(1e-6)
    model.writer.add_relative_attn_buckets_count(buckets)
    model.embeddings(output_norm="enc.output_norm")
    sides = {"enc": ["attn_"]}
    if decoder:
        model.writer.add_decoder_start_token_id(BOS)
        model.norm("dec.output_norm")
        sides["dec"] = ["attn_", "cross_attn_"]
    for side, attentions in sides.items():
        for block in (f"{side}.{block}" for block in _blocks(model.layers)):
            for attention in attentions:
                model.norm(f"{block}{attention}norm")
                model.projections(block + attention, out=f"{block}{attention}o", kv_heads=_HEADS)
            model.matrix(f"{block}attn_rel_b", buckets, _HEADS)
            model.norm(f"{block}ffn_norm")
            model.feed_forward(block)
    return model.save()


def _blocks(layers: int) -> list[str]:
    return [f"blk.{layer}." for layer in range(layers)]
