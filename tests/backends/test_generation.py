"""Continuous batching: an answer is the same alone and among others, whatever the order, the cache and the model."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

llama_cpp = pytest.importorskip("llama_cpp")
pytest.importorskip("lm_eval")

from evalsuite.backends.llamacpp import engine as engine_module  # noqa: E402
from evalsuite.backends.llamacpp import generation  # noqa: E402
from evalsuite.backends.llamacpp.engine import Engine  # noqa: E402
from evalsuite.backends.options import GenerateRequest, GenerationOptions  # noqa: E402
from evalsuite.backends.packing import Blocks  # noqa: E402
from evalsuite.errors import BackendError, ContextLimitError  # noqa: E402
from tests import tiny_gguf  # noqa: E402

WRITERS = {
    "plain": tiny_gguf.write_llama,
    "window": tiny_gguf.write_gemma3,
    "recurrent": tiny_gguf.write_mamba,
    "hybrid": tiny_gguf.write_lfm2,
}


@pytest.fixture(scope="module", params=list(WRITERS))
def engine(request, tmp_path_factory) -> Iterator[Engine]:
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    made = Engine(WRITERS[request.param](path, context=128, quant="Q8_0"), threads=1)
    yield made
    made.close()


@pytest.fixture
def plain(tmp_path) -> Iterator[Engine]:
    made = Engine(tiny_gguf.write_llama(tmp_path / "plain.gguf", context=128), threads=1)
    yield made
    made.close()


def prompts(count: int, common: int = 0, **fields) -> list[GenerateRequest]:
    rng = random.Random(5)
    beginning = tuple(rng.randrange(10, 200) for _ in range(common))
    return [
        GenerateRequest(
            (*beginning, *(rng.randrange(10, 200) for _ in range(rng.randrange(1, 50)))),
            GenerationOptions(limit=rng.randrange(1, 40), **fields),
        )
        for _ in range(count)
    ]


def texts(engine: Engine, asked: list[GenerateRequest]) -> list[bytes]:
    found = dict(engine.texts(asked))
    assert sorted(found) == list(range(len(asked)))
    return [found[index] for index in range(len(asked))]


@pytest.mark.parametrize("common", [0, 20])
def test_an_answer_is_the_same_alone_and_among_others(engine, common):
    asked = prompts(40, common)
    together = texts(engine, asked)
    assert len(set(together)) > 20
    assert [texts(engine, [request])[0] for request in asked[::5]] == together[::5]
    assert texts(engine, asked[::-1])[::-1] == together


def test_a_full_cache_is_put_in_order_and_answers_stay_the_same(plain, monkeypatch):
    asked = prompts(30, 12)
    together = texts(plain, asked)
    moves = []
    order = generation._Batcher._put_in_order

    def counted(batcher: generation._Batcher) -> None:
        moves.append(batcher)
        order(batcher)

    monkeypatch.setattr(generation._Batcher, "_put_in_order", counted)
    monkeypatch.setattr(generation, "_CACHE_BYTES", 200 * plain.cache_bytes_per_token)
    monkeypatch.setattr(generation, "_STEP_TOKENS", 32)
    monkeypatch.setattr(engine_module, "_EASY_BYTES", 0)
    small = Engine(plain.path, threads=1)
    assert texts(small, asked) == together
    small.close()
    assert len(moves) >= 3


def test_greedy_tokens_are_the_likeliest_one_after_the_other(plain):
    """The independent computation is llama-cpp-python's own class on the same file."""
    asked = prompts(6)
    path = plain.path
    llm = llama_cpp.Llama(str(path), n_ctx=128, n_batch=8, flash_attn=True, logits_all=True, verbose=False)
    for request, found in zip(asked, texts(plain, asked), strict=True):
        llm.reset()
        llm.eval(list(request.tokens))
        data = b""
        for _ in range(request.options.limit):
            row = np.sort(llm.scores[llm.n_tokens - 1])
            token = int(np.argmax(llm.scores[llm.n_tokens - 1]))
            assert row[-1] - row[-2] > 1e-4, "no tie, so that another kernel cannot choose otherwise"
            if plain.is_end(token):
                break
            data += plain.piece(token)
            llm.eval([token])
        assert found == data


def test_samples_depend_on_the_seed_and_the_prompt_alone(plain):
    asked = prompts(12, temperature=1.5, top_k=50, top_p=0.95, seed=3)
    together = texts(plain, asked)
    assert texts(plain, asked[4:6]) == together[4:6]
    assert texts(plain, prompts(12, temperature=1.5, top_k=50, top_p=0.95, seed=4)) != together
    copies = [GenerateRequest(asked[0].tokens, GenerationOptions(20, temperature=1.5), copy=n) for n in range(4)]
    assert len(set(texts(plain, copies))) == 4


def test_stop_strings_are_found_across_tokens_and_are_no_part_of_the_answer(plain):
    (request,) = prompts(1)
    request = GenerateRequest(request.tokens, GenerationOptions(40))
    whole = texts(plain, [request])[0].decode("utf-8", "ignore")
    stop = whole[3:7]
    stopped = GenerateRequest(request.tokens, GenerationOptions(40, ("never", stop)))
    assert texts(plain, [stopped])[0].decode() == whole[: whole.index(stop)]


def test_limits(plain):
    assert texts(plain, [GenerateRequest((5, 6), GenerationOptions(n)) for n in (0, 1)])[0] == b""
    assert list(plain.texts([])) == []
    with pytest.raises(ContextLimitError, match="request of 130 tokens"):
        plain.texts([GenerateRequest(tuple(range(10, 130)), GenerationOptions(10))])


def test_a_model_that_computes_no_numbers_writes_nothing(tmp_path):
    broken = Engine(tiny_gguf.write_nan(tmp_path / "nan.gguf"), threads=1)
    for temperature in (0.0, 1.0):
        with pytest.raises(BackendError, match="not a number"):
            list(broken.texts([GenerateRequest((5, 6, 7), GenerationOptions(4, temperature=temperature))]))
    broken.close()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, GenerationOptions()),
        ({"until": "\n", "max_new_tokens": 8}, GenerationOptions(8, ("\n",))),
        (
            {"until": ["a", ""], "max_gen_toks": None, "do_sample": False, "temperature": 0.7},
            GenerationOptions(256, ("a",)),
        ),
        ({"do_sample": True, "seed": 3, "top_k": 5}, GenerationOptions(temperature=1.0, seed=3, top_k=5)),
    ],
)
def test_options_of_lm_eval(given, wanted):
    assert GenerationOptions.parse(given) == wanted


@pytest.mark.parametrize(
    "given", [{"repetition_penalty": 1.2}, {"num_beams": 4}, {"seed": -1}, {"max_gen_toks": "many"}]
)
def test_options_that_are_not_understood_are_refused(given):
    with pytest.raises(BackendError, match="generation option"):
        GenerationOptions.parse(given)


def test_a_long_document_is_evaluated_once_and_answers_stay_the_same(plain, monkeypatch):
    monkeypatch.setattr(engine_module, "_DOCUMENT_TOKENS", 40)
    rng = random.Random(7)
    texts_of = [tuple(rng.randrange(10, 200) for _ in range(60)) for _ in range(2)]
    # Questions on two documents by turns, and one prompt on neither.
    options = GenerationOptions(limit=4)
    asked = [GenerateRequest((*texts_of[i % 2], 20 + i, 30 + i), options) for i in range(6)]
    asked.insert(3, GenerateRequest(tuple(rng.randrange(10, 200) for _ in range(50)), options))
    before = plain.evaluated
    together = texts(plain, asked)
    # Both documents, the prompt on neither, two tokens of each question, and at most three of each answer.
    assert plain.evaluated - before <= 2 * 60 + 50 + 6 * 2 + 7 * 3
    assert [texts(plain, [request])[0] for request in asked] == together


def test_prompts_on_one_document_are_one_group_and_all_others_the_last():
    size = engine_module._DOCUMENT_TOKENS
    first, second, lone = ((token,) * size for token in (1, 2, 3))
    starts = [first, (9, 9), second, first, lone, second, (9, 9)]
    asked = [GenerateRequest((*start, place), GenerationOptions(limit=1)) for place, start in enumerate(starts)]
    assert engine_module._by_document(asked, None) == [[0, 3], [2, 5], [1, 4, 6]]
    assert engine_module._by_document([], None) == []


def test_a_prompt_with_blocks_is_in_a_group_of_those_with_the_same_blocks():
    blocks = Blocks(size=4, least=8, left=2)
    # The third differs from the first in its last block, the fourth behind all blocks; the last has none.
    prompts = [(1,) * 8 + (2, 3), (5,) * 9, (1,) * 7 + (4, 2, 3), (1,) * 8 + (7, 7, 7), (1,) * 6]
    asked = [GenerateRequest(prompt, GenerationOptions(limit=1)) for prompt in prompts]
    assert [blocks.of(len(prompt)) for prompt in prompts] == [8, 4, 8, 8, 0]
    assert engine_module._by_document(asked, blocks) == [[0, 3], [1], [2], [4]]
