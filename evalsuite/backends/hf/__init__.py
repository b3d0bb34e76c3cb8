"""The transformers backend: causal language models on torch."""
