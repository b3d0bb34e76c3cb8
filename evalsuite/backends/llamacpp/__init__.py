"""llama.cpp in process: GGUF models that score and generate for lm-eval."""
