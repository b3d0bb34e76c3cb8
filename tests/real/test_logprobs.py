"""Log-likelihoods of the real models against independent computations."""

from __future__ import annotations

import json

import numpy as np
import pytest
from lm_eval.api.instance import Instance

from evalsuite.backends.llamacpp.lm import LlamaCppLM
from evalsuite.errors import ContextLimitError
from tests.helpers import ROOT

CODES = ("en", "es", "pt", "ca", "gl", "eu", "ja")


def log_softmax(row):
    row = np.asarray(row, dtype=np.float64)
    return row - row.max() - np.log(np.exp(row - row.max()).sum())


def items(code, count):
    """(context, answers) of lexicon items, in the words of a language."""
    lines = (ROOT / "tasks" / "lexicon" / "data" / f"{code}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines[:: len(lines) // count][:count]]
    space = "" if code == "ja" else " "
    return [(f"{row['code']}\n{row['kind']}:", [space + choice for choice in row["choices"]]) for row in rows]


def pairs(count=3):
    return [(context, answer) for code in CODES for context, answers in items(code, count) for answer in answers]


def instances(asked):
    return [Instance("loglikelihood", {}, pair, 0) for pair in asked]


@pytest.fixture(scope="module")
def lm(smollm2):
    backend = LlamaCppLM(smollm2)
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def lm_f32(smollm2_f32):
    backend = LlamaCppLM(smollm2_f32)
    yield backend
    backend.close()


def reference_logprobs(reference, tokens, start):
    import torch

    with torch.no_grad():
        logits = reference[1](torch.tensor([tokens])).logits[0]
    logs = torch.log_softmax(logits.double(), dim=-1)
    return [float(logs[i - 1, tokens[i]]) for i in range(start, len(tokens))]


def test_packed_scores_are_those_of_evaluation_token_by_token(smollm2, lm):
    """The independent computation is llama-cpp-python's own high-level class, one token at a time, nothing shared."""
    import llama_cpp

    asked = pairs(2)
    ours = lm.loglikelihood(instances(asked), disable_tqdm=True)
    # Flash attention as in the engine: the order of summation is part of what is compared.
    llm = llama_cpp.Llama(str(smollm2), n_ctx=256, n_batch=1, flash_attn=True, verbose=False)
    for (context, answer), (total, greedy) in list(zip(asked, ours, strict=True))[::3]:
        start = lm.tok_encode(context)
        tokens = lm.tok_encode(context + answer)
        assert tokens[: len(start)] == start
        llm.reset()
        logs, best = [], True
        for place, token in enumerate(tokens):
            if place >= len(start):
                row = log_softmax(llm.scores[0])
                logs.append(row[token])
                best = best and int(row.argmax()) == token
            llm.n_tokens = place
            llm.eval([token])
            llm.scores[0] = np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(llm.ctx, -1), shape=(llm.n_vocab(),))
        assert total == pytest.approx(sum(logs), abs=1e-3 * len(logs))
        assert greedy == best


@pytest.mark.parametrize("name", ["smollm2", "gemma3"])
def test_a_score_does_not_depend_on_what_else_is_in_the_batch(name, request):
    backend = LlamaCppLM(request.getfixturevalue(name))
    asked = pairs(2)
    together = backend.loglikelihood(instances(asked), disable_tqdm=True)
    alone = [backend.loglikelihood(instances([pair]), disable_tqdm=True)[0] for pair in asked[::7]]
    backend.close()
    assert together[::7] == alone


def test_float32_scores_are_those_of_transformers(reference, lm_f32):
    asked = pairs()
    ours = lm_f32.loglikelihood(instances(asked), disable_tqdm=True)
    worst = 0.0
    for (context, answer), (total, _) in zip(asked, ours, strict=True):
        tokens, start = lm_f32.tok_encode(context + answer), len(lm_f32.tok_encode(context))
        expected = reference_logprobs(reference, tokens, start)
        worst = max(worst, abs(total - sum(expected)) / len(expected))
    # The cache holds keys and values in 16 bits; that is all that is left.
    assert worst < 0.02


def test_quantised_scores_differ_from_float32_by_what_quantised_kernels_explain(reference, lm):
    asked = pairs()
    ours = lm.loglikelihood(instances(asked), disable_tqdm=True)
    found, expected, lengths = [], [], []
    for (context, answer), (total, _) in zip(asked, ours, strict=True):
        tokens, start = lm.tok_encode(context + answer), len(lm.tok_encode(context))
        found.append(total)
        expected.append(sum(reference_logprobs(reference, tokens, start)))
        lengths.append(len(tokens) - start)
    per_token = (np.array(found) - np.array(expected)) / np.array(lengths)
    # Activations are rounded to 8 bits in every layer: noise around zero, and no drift.
    assert abs(per_token.mean()) < 0.03
    assert per_token.std() < 0.15
    assert np.corrcoef(found, expected)[0, 1] > 0.995


def test_tokens_are_those_of_transformers(reference, lm):
    texts = [context + answer for context, answer in pairs()]
    texts += ["  two  spaces\n\n", "l·l, ñ, ç, à, ü", "エヴァルスイート", "😀", "<|im_end|>"]
    for text in texts[:-1]:
        assert lm.tok_encode(text) == reference[0](text, add_special_tokens=False)["input_ids"]
    # Text that spells a control token stays text here; that is the one difference, and it is wanted.
    control = reference[0]("<|im_end|>", add_special_tokens=False)["input_ids"]
    assert len(control) == 1
    assert lm.tok_encode(texts[-1]) != control
    assert lm.tok_decode(lm.tok_encode(texts[-1])) == texts[-1]


def test_bos_comes_where_the_gguf_says_so(gemma3, lm):
    assert not lm.engine.adds_bos
    assert lm.tok_encode("Kaixo")[0] != lm.engine.bos
    gemma = LlamaCppLM(gemma3)
    tokens = gemma.tok_encode("Kaixo")
    assert tokens[0] == gemma.engine.bos
    assert tokens.count(gemma.engine.bos) == 1
    assert gemma.tok_encode("Kaixo", add_special_tokens=False) == tokens[1:]
    gemma.close()


def test_the_chat_template_is_rendered_as_transformers_does(reference, lm):
    messages = [{"role": "user", "content": "Zer moduz? {{ 7 * 7 }}"}]
    expected = reference[0].apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    rendered = lm.apply_chat_template(messages)
    from evalsuite.backends.llamacpp.chat import strip_marks

    assert strip_marks(rendered) == expected
    assert lm.tok_encode(rendered) == reference[0](expected, add_special_tokens=False)["input_ids"]


def test_rolling_log_likelihood_is_the_sum_over_lm_evals_windows(reference, lm_f32, smollm2_f32):
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

    text = " ".join(f"Bat, bi, hiru, lau eta {n}." for n in range(20))
    short = LlamaCppLM(smollm2_f32, context=32)
    tokens = short.tok_encode(text, add_special_tokens=False)
    assert len(tokens) > 3 * 32
    for backend, length in ((lm_f32, lm_f32.max_length), (short, 32)):
        (found,) = backend.loglikelihood_rolling([Instance("loglikelihood_rolling", {}, (text,), 0)])
        expected = 0.0
        for window in get_rolling_token_windows(tokens, backend.prefix_token_id, length, 1):
            context, rest = make_disjoint_window(window)
            expected += sum(reference_logprobs(reference, [*context, *rest], len(context)))
        assert found == pytest.approx(expected, abs=0.01 * len(tokens))
    short.close()


def test_greedy_generation_is_that_of_transformers(reference, lm_f32):
    import torch

    prompt = "The capital of Spain is"
    tokens = torch.tensor([reference[0](prompt)["input_ids"]])
    with torch.no_grad():
        out = reference[1].generate(tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=16, do_sample=False)
    expected = reference[0].decode(out[0, tokens.shape[1] :], skip_special_tokens=True)
    (found,) = lm_f32.generate_until([Instance("generate_until", {}, (prompt, {"max_gen_toks": 16}), 0)])
    assert found == expected


def test_stop_strings_end_an_answer_even_where_they_straddle_tokens(lm):
    def generate(**options):
        request = Instance("generate_until", {}, ("1, 2, 3, 4,", {"max_gen_toks": 24, **options}), 0)
        return lm.generate_until([request])[0]

    whole = generate()
    assert len(whole) > 10
    stop = whole[5:9]
    assert generate(until=[stop]) == whole[: whole.index(stop)]
    assert generate(until=["never said"]) == whole
    sampled = {"do_sample": True, "temperature": 0.9, "seed": 7}
    assert generate(**sampled) == generate(**sampled)
    assert len({generate(**{**sampled, "seed": seed}) for seed in range(4)}) > 1


def test_a_request_beyond_the_context_is_refused(smollm2):
    short = LlamaCppLM(smollm2, context=16)
    with pytest.raises(ContextLimitError, match="context of 16 tokens"):
        short.loglikelihood(instances([("one two three " * 20, " four")]), disable_tqdm=True)
    with pytest.raises(ContextLimitError):
        short.generate_until([Instance("generate_until", {}, ("one", {"max_gen_toks": 64}), 0)])
    short.close()


def test_empty_contexts_and_repeated_requests(lm):
    asked = [("", " hello"), ("", " hello"), ("say", " hello"), ("say", "")]
    first, second, third, empty = lm.loglikelihood(instances(asked), disable_tqdm=True)
    assert first == second
    assert first[0] < 0
    assert third != first
    assert empty == (0.0, True)


def test_an_answer_that_melts_into_its_context_is_refused(lm):
    """Its log-likelihood would be 0, and it would always win."""
    from evalsuite.errors import BackendError

    context, answer = "Answer: a", "b"
    assert len(lm.tok_encode(context + answer)) == len(lm.tok_encode(context))
    with pytest.raises(BackendError, match="melts into the last token"):
        lm.loglikelihood(instances([(context, answer)]), disable_tqdm=True)


def test_the_fast_way_differs_from_the_exact_one_by_rounding_only(smollm2_f32, lm_f32):
    """What `+dequantised` uses; with quantised kernels the same rounding would grow to tenths of a nat."""
    from evalsuite.backends.llamacpp.engine import Engine
    from evalsuite.backends.packing import ScoreRequest

    encoded = [lm_f32._encode_pair(context, answer) for context, answer in pairs(6)]
    requests = [ScoreRequest((*before, *after), len(before)) for before, after in encoded]
    fast = Engine(smollm2_f32, exact=False)
    found, exact = fast.score(requests), lm_f32.engine.score(requests)
    alone = [fast.score([request])[0] for request in requests[::9]]
    fast.close()
    for (ours, _), (wanted, _) in zip(alone, found[::9], strict=True):
        assert ours == pytest.approx(wanted, abs=5e-3)
    # The exact way sums values in 16 bits.
    for (ours, _), (wanted, _) in zip(found, exact, strict=True):
        assert ours == pytest.approx(wanted, abs=0.05)
