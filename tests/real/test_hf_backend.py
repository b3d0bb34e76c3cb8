"""The transformers backend on the real models, against plain transformers and lm-eval's own `hf` backend."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from evalsuite.backends.hf.lm import TransformersLM
from tests.real.test_logprobs import instances, items, reference_logprobs

CODES = ("en", "eu", "ja")


def pairs(count=2):
    return [(context, answer) for code in CODES for context, answers in items(code, count) for answer in answers]


@pytest.fixture(scope="module", params=["smollm2", "gemma3"])
def lm(request):
    backend = TransformersLM(request.getfixturevalue(request.param))
    yield backend
    backend.close()


def test_scores_are_those_of_a_plain_forward_over_each_request(lm):
    """The reference is transformers' plain forward on the same weights, log-softmax in float64."""
    asked = pairs()
    ours = lm.loglikelihood(instances(asked), disable_tqdm=True)
    assert lm.engine.shares
    for pair, (total, _) in list(zip(asked, ours, strict=True))[::3]:
        context, answer = lm._encode_pair(*pair)
        expected = reference_logprobs((None, lm.engine.model), [*context, *answer], len(context))
        assert total == pytest.approx(sum(expected), abs=1e-4 * len(expected))


def test_a_score_alone_is_the_score_in_company(lm):
    asked = pairs()
    together = lm.loglikelihood(instances(asked), disable_tqdm=True)
    for index in range(0, len(asked), 5):
        ((alone, greedy),) = lm.loglikelihood(instances([asked[index]]), disable_tqdm=True)
        assert alone == pytest.approx(together[index][0], abs=1e-3)
        assert greedy == together[index][1]


def test_tokens_and_scores_are_those_of_lm_evals_hf_backend(lm):
    """The reference is lm-eval's `hf` model on the same weights: float32, its own batching and padding."""
    from lm_eval.models.huggingface import HFLM

    theirs = HFLM(pretrained=lm.engine.model, tokenizer=lm.tokenizer, device="cpu", batch_size=8)
    asked = [*pairs(), ("", "Kaixo mundua"), ("two  spaces  ", " and more")]
    for pair in asked:
        if pair[0]:
            assert lm._encode_pair(*pair) == theirs._encode_pair(*pair)
    ours = lm.loglikelihood(instances(asked), disable_tqdm=True)
    expected = theirs.loglikelihood(instances(asked), disable_tqdm=True)
    for (total, greedy), (reference, also) in zip(ours, expected, strict=True):
        assert total == pytest.approx(reference, abs=1e-3)
        assert greedy == also


def test_a_text_that_is_longer_than_the_window_and_the_batch(lm):
    """The reference is transformers' plain forward; Gemma's window is 512 tokens, and a batch holds as many."""
    text = " ".join(f"Line {n}: bat, bi, hiru, lau eta {n * n}." for n in range(60))
    start = lm.tok_encode(text)[:700]
    asked = [(start, lm.tok_encode(" yes", add_special_tokens=False)), (start[:600], start[600:610])]
    found = lm._loglikelihood_tokens([(("a", "b"), context, answer) for context, answer in asked])
    for (context, answer), (total, _) in zip(asked, found, strict=True):
        expected = reference_logprobs((None, lm.engine.model), [*context, *answer], len(context))
        assert total == pytest.approx(sum(expected), abs=1e-4 * len(expected))
