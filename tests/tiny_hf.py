"""Writes tiny models in the hub's layout, with seeded random weights and a byte-level tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["CONTEXT", "KINDS", "VOCABULARY", "WINDOW", "write_model"]

CONTEXT = 64
WINDOW = 12
VOCABULARY = 300
_SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.25,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
}
_KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", {}),
    # Two kinds of layers, a mask for each.
    "gemma3": (
        "Gemma3TextConfig",
        {
            "sliding_window": WINDOW, "head_dim": 8, "query_pre_attn_scalar": 8,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        },
    ),
    # A window in all layers, one mask.
    "mistral": ("MistralConfig", {"sliding_window": WINDOW, "head_dim": 8}),
    "qwen2": ("Qwen2Config", {}),
    # Learned positions.
    "gpt2": ("GPT2Config", {"n_positions": CONTEXT, "n_embd": 32, "n_layer": 2, "n_head": 4}),
    # No attention: tokens cannot be shared.
    "mamba": ("MambaConfig", {"state_size": 4}),
}  # fmt: skip
KINDS = tuple(_KINDS)


def write_model(folder: Path, kind: str, *, adds_bos: bool = True, template: str | None = None) -> Path:
    """Write a causal language model and its tokenizer into `folder`, and return that."""
    import torch
    import transformers

    name, changes = _KINDS[kind]
    config = getattr(transformers, name)(**{**_SIZES, **changes})
    torch.manual_seed(7)
    model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    with torch.no_grad():
        # A wide spread of logits: some tokens are likely, and none is certain.
        for text, weights in model.named_parameters():
            if weights.ndim == 2 and "embed" not in text and "wte" not in text:
                weights.normal_(std=0.25)
    model.save_pretrained(folder)
    _tokenizer(adds_bos=adds_bos, template=template).save_pretrained(folder)
    return folder


def _tokenizer(*, adds_bos: bool, template: str | None) -> Any:
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [(a, b) for a in "Ġaeiou" for b in "lnrst"]
    words = ["<unk>", "<s>", "</s>", *alphabet, *(a + b for a, b in merges)]
    inner = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=merges, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    if adds_bos:
        inner.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
        )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>"
    )
    fast.chat_template = template
    return fast
