"""Log-likelihoods of whole sentences, with both real models and through our own task, against independent computations."""

from __future__ import annotations

import numpy as np
import pytest

from evalsuite.backends.llamacpp.lm import LlamaCppLM
from evalsuite.catalog.data import DataFinder
from evalsuite.catalog.tasks import load_tasks
from evalsuite.harness import build_task
from evalsuite.records import PromptForm
from tests.real.test_equality import OneAtATime
from tests.real.test_logprobs import reference_logprobs

CODES = ("en", "eu", "ja")
ITEMS = (0, 41)


def records(backend, code):
    return build_task(load_tasks()[f"parity_{code}"], DataFinder(), PromptForm.NATIVE).score(backend, ITEMS)


@pytest.mark.parametrize("name", ["smollm2", "gemma3"])
def test_sentences_are_scored_from_the_begin_of_text_token_on(name, request, monkeypatch):
    """The independent computation is llama-cpp-python's own class, one sentence at a time in a cleared cache."""
    path = request.getfixturevalue(name)
    backend = LlamaCppLM(path)
    found = [record for code in CODES for record in records(backend, code)]
    tokens = [backend.tok_encode(record.context, add_special_tokens=False) for record in found]
    bos = backend.engine.bos
    assert bos is not None
    backend.close()
    alone = OneAtATime(path, monkeypatch)
    for record, own in zip(found, tokens, strict=True):
        logs = alone.token_logprobs([bos, *own], 1)
        assert record.answer_tokens == (len(own),) == logs.shape
        assert record.logprobs[0] == pytest.approx(float(np.sum(logs)), abs=1e-3 * len(own))


def test_float32_sentences_are_those_of_transformers(reference, smollm2_f32):
    backend = LlamaCppLM(smollm2_f32)
    for code in CODES:
        for record in records(backend, code):
            own = reference[0](record.context, add_special_tokens=False)["input_ids"]
            expected = reference_logprobs(reference, [reference[0].bos_token_id, *own], 1)
            assert record.answer_tokens == (len(own),)
            # The cache holds keys and values in 16 bits; that is all that is left.
            assert record.logprobs[0] == pytest.approx(sum(expected), abs=0.02 * len(own))
    backend.close()
