"""Every kind of model that llama.cpp tells apart, tiny and with random weights, against evaluation token by token."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import log_softmax

llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
pytest.importorskip("gguf", reason="the gguf package, which writes the tiny models, is not installed")

from evalsuite.backends.llamacpp import engine as engine_module  # noqa: E402
from evalsuite.backends.llamacpp.engine import Engine  # noqa: E402
from evalsuite.backends.options import GenerateRequest, GenerationOptions  # noqa: E402
from evalsuite.backends.packing import PackLimits, ScoreRequest, pack  # noqa: E402
from evalsuite.errors import BackendError, ContextLimitError, ModelFileError  # noqa: E402
from tests import tiny_gguf  # noqa: E402

CONTEXT = 64
WINDOW = 16

WRITERS: dict[str, Callable[..., Path]] = {
    "llama": tiny_gguf.write_llama,
    "sliding-window": partial(tiny_gguf.write_gemma3, window=WINDOW),
    "recurrent": tiny_gguf.write_mamba,
    "hybrid": tiny_gguf.write_lfm2,
}
EXACT = {"llama", "sliding-window"}
"""Models whose scores must not depend on their neighbours by a single bit (docs/scoring.md)."""

Result = tuple[list[float], bool]


class TokenByToken:
    """The independent computation: llama.cpp's C interface, one token at a time, nothing shared, one sequence.

    A sliding-window model gets the small cache that drops old tokens, where the engine keeps them all.
    """

    def __init__(self, path: Path) -> None:
        llama_cpp.llama_backend_init()
        loading = llama_cpp.llama_model_default_params()
        loading.n_gpu_layers = 0
        loading.use_extra_bufts = False
        self._model: Any = llama_cpp.llama_model_load_from_file(str(path).encode(), loading)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = 4 * CONTEXT, 1, 1, 1
        params.n_threads = params.n_threads_batch = 1
        params.swa_full = False
        # As in the engine: without it, values are summed in other precision, and that alone makes 0.01 nat.
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        self._context: Any = llama_cpp.llama_init_from_model(self._model, params)
        self._size: int = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._model))

    def rows(self, tokens: Sequence[int]) -> npt.NDArray[np.float64]:
        """Return the log-probabilities of every token after each of `tokens` (tokens, vocabulary)."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        rows = []
        for token in tokens:
            one = (llama_cpp.llama_token * 1)(token)
            assert llama_cpp.llama_decode(self._context, llama_cpp.llama_batch_get_one(one, 1)) == 0
            logits = llama_cpp.llama_get_logits_ith(self._context, -1)
            rows.append(np.ctypeslib.as_array(logits, shape=(self._size,)).astype(np.float64))
        return np.asarray(log_softmax(np.array(rows), axis=1))

    def likeliest(self, tokens: Sequence[int], count: int) -> tuple[int, ...]:
        """Return the greedy continuation."""
        found: list[int] = []
        for _ in range(count):
            found.append(int(self.rows([*tokens, *found])[-1].argmax()))
        return tuple(found)

    def close(self) -> None:
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)


def make_requests(reference: TokenByToken) -> list[ScoreRequest]:
    """Requests that share beginnings, repeat, are prefixes of one another, and reach over the window to the limit."""
    draw = random.Random(3)

    def some(count: int) -> tuple[int, ...]:
        return tuple(draw.choices(range(2, len(tiny_gguf.VOCABULARY)), k=count))

    def ask(context: tuple[int, ...], answer: tuple[int, ...]) -> ScoreRequest:
        return ScoreRequest(context + answer, len(context))

    trunk, answer = some(40), some(5)
    contexts = [trunk, trunk[:25] + some(6), trunk[:25] + some(1), trunk[:10], some(30), trunk[:1]]
    asked = [ask(context, some(draw.randint(2, 5))) for context in contexts]
    asked += [ask(trunk, answer[:length]) for length in (5, 1, 3)]
    asked += [ask(context, some(1)) for context in contexts[:4]]
    asked += [asked[1], asked[-1]]
    greedy = reference.likeliest(trunk, 3)
    asked += [ask(trunk, greedy), ask(trunk, greedy[:1]), ask(trunk, (*greedy[:2], (greedy[2] + 1) % 200 + 2))]
    asked.append(ScoreRequest(some(20), 1))
    # The last token is never evaluated, so that a request may have one more than the context.
    asked.append(ask(trunk, some(CONTEXT + 1 - len(trunk))))
    draw.shuffle(asked)
    return asked


@dataclass(frozen=True)
class Case:
    """A model, with what is asked and what the engine answered to all of it at once."""

    name: str
    engine: Engine
    reference: TokenByToken
    asked: list[ScoreRequest]
    together: list[Result]

    @property
    def tolerance(self) -> float:
        """How far a score may be from the same one computed in other company, in nats a token."""
        return 0.0 if self.name in EXACT else 1e-4


@pytest.fixture(scope="module", params=[f"{name} {quant}" for quant in ("F32", "Q8_0", "Q4_0") for name in WRITERS])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    name, quant = request.param.split()
    path = WRITERS[name](tmp_path_factory.mktemp("tiny") / "model.gguf", context=CONTEXT, quant=quant)
    reference, engine = TokenByToken(path), Engine(path, threads=1)
    asked = make_requests(reference)
    with pytest.MonkeyPatch.context() as patch:
        # So small that prefixes are kept from batch to batch, and long requests are cut.
        patch.setattr(engine_module, "_BATCH_TOKENS", 16)
        limits = PackLimits(tokens=16, sequences=62, rows=16)
        assert any(batch.trunk for batch in pack(asked, limits, share=not engine.recurrent).batches)
        found = engine.score(asked)
    yield Case(name, engine, reference, asked, found)
    engine.close()
    reference.close()


def assert_alike(found: Sequence[Result], expected: Sequence[Result], tolerance: float) -> None:
    assert len(found) == len(expected)
    for (ours, greedy), (theirs, theirs_greedy) in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=0, abs=tolerance)
        assert greedy == theirs_greedy


def test_scores_are_those_of_evaluation_token_by_token(case: Case) -> None:
    for request, (logprobs, greedy) in zip(case.asked, case.together, strict=True):
        rows = case.reference.rows(request.tokens[:-1])[request.scored_from - 1 :]
        targets = request.tokens[request.scored_from :]
        expected = [float(row[target]) for row, target in zip(rows, targets, strict=True)]
        assert logprobs == pytest.approx(expected, rel=0, abs=1e-3)
        first, second = np.sort(rows, axis=1)[:, :-3:-1].T
        # Where two tokens are as likely as each other, either may come out as the likeliest.
        if (first - second).min() > 1e-3:
            assert greedy == all(int(row.argmax()) == target for row, target in zip(rows, targets, strict=True))


def test_the_requests_try_what_they_should(case: Case) -> None:
    """Both greedy flags occur, scores differ clearly, and most requests are longer than the window."""
    flags = [greedy for _, greedy in case.together]
    assert 2 <= sum(flags) < len(flags)
    logprobs = [logprob for found, _ in case.together for logprob in found]
    assert np.std(logprobs) > 1
    assert sum(len(request.tokens) > WINDOW + 4 for request in case.asked) > len(case.asked) / 2


def test_a_score_alone_is_the_score_in_company(case: Case) -> None:
    alone = [case.engine.score([request])[0] for request in case.asked]
    assert_alike(alone, case.together, case.tolerance)


def test_the_order_of_requests_does_not_matter(case: Case) -> None:
    for seed in range(3):
        order = random.Random(seed).sample(range(len(case.asked)), len(case.asked))
        found = case.engine.score([case.asked[i] for i in order])
        assert_alike(found, [case.together[i] for i in order], case.tolerance)


def test_scoring_twice_gives_the_same_bits(case: Case) -> None:
    """Nothing of an earlier call may linger in the cache or in the state."""
    assert case.engine.score(case.asked[:6]) == case.engine.score(case.asked[:6])


def test_what_requests_begin_with_stays_for_the_next_ones(case: Case) -> None:
    """The examples of a task are evaluated once, though its items are planned in parts; no bit tells the difference."""
    examples = max((request.tokens for request in case.asked), key=len)[:30]
    parts = [[ScoreRequest((*examples, item, answer), 31) for answer in (5, 6)] for item in (40, 41, 42)]
    apart = []
    for part in parts:
        case.engine.score([ScoreRequest((9, 9, 9), 1)])  # leaves nothing of use
        apart.append(case.engine.score(part))
    case.engine.score([ScoreRequest((9, 9, 9), 1)])
    before = case.engine.evaluated
    together = [case.engine.score(part) for part in parts]
    for found, expected in zip(together, apart, strict=True):
        assert_alike(found, expected, case.tolerance)
    if not case.engine.recurrent:
        assert case.engine.evaluated - before == len(examples) + len(parts)


def test_a_request_that_is_longer_than_the_context_is_refused(case: Case) -> None:
    tokens = tuple(range(2, 2 + CONTEXT + 20))
    with pytest.raises(ContextLimitError) as caught:
        case.engine.score([case.asked[0], ScoreRequest(tokens, CONTEXT)])
    message = str(caught.value)
    assert f" {CONTEXT} " in message
    # All tokens of the request, or those that would have to be evaluated.
    assert f" {len(tokens)} " in message or f" {len(tokens) - 1} " in message
    # The engine still works.
    assert_alike(case.engine.score(case.asked[:2]), case.together[:2], case.tolerance)


def test_the_window_is_really_smaller_than_the_requests(tmp_path: Path) -> None:
    """Otherwise the sliding-window model would test nothing that plain attention does not."""
    tokens = list(range(20, 20 + CONTEXT))
    rows = []
    for window in (WINDOW, 2 * CONTEXT):
        reference = TokenByToken(tiny_gguf.write_gemma3(tmp_path / f"{window}.gguf", context=CONTEXT, window=window))
        rows.append(reference.rows(tokens))
        reference.close()
    difference = np.abs(rows[0] - rows[1]).max(axis=1)
    assert difference[:WINDOW].max() < 1e-3
    assert difference[WINDOW + 1 :].min() > 0.01


def test_any_text_has_tokens(tmp_path: Path) -> None:
    engine = Engine(tiny_gguf.write_llama(tmp_path / "model.gguf"), threads=1)
    text = "Hola, the cañón·日本 😀\n\t"
    tokens = engine.tokenize(text)
    assert b"".join(engine.piece(token) for token in tokens).decode() == text
    assert len(tokens) < len(text.encode())
    engine.close()


def test_the_option_context_lowers_the_limit(tmp_path: Path) -> None:
    engine = Engine(tiny_gguf.write_llama(tmp_path / "model.gguf", context=CONTEXT), threads=1, context=24)
    assert len(engine.score([ScoreRequest(tuple(range(2, 27)), 20)])[0][0]) == 5
    with pytest.raises(ContextLimitError, match=r"\b24\b"):
        engine.score([ScoreRequest(tuple(range(2, 28)), 20)])
    engine.close()


@pytest.mark.parametrize(
    ("write", "options", "word"),
    [
        pytest.param(tiny_gguf.write_bert, {}, "encoder|embedding", id="encoder"),
        pytest.param(tiny_gguf.write_bert, {"told": False}, "encoder|embedding", id="encoder-bare-header"),
        pytest.param(tiny_gguf.write_t5, {"decoder": False}, "no decoder", id="encoder-t5"),
        pytest.param(tiny_gguf.write_t5, {}, "encoder", id="encoder-decoder"),
        pytest.param(tiny_gguf.write_pooled, {"pooling": "LAST"}, "embedding", id="embedding-last"),
        pytest.param(tiny_gguf.write_pooled, {"pooling": "MEAN"}, "embedding", id="embedding-mean"),
        pytest.param(tiny_gguf.write_pooled, {"pooling": "RANK"}, "embedding|rank", id="reranker"),
    ],
)
def test_a_model_that_writes_no_text_is_refused(
    tmp_path: Path, write: Callable[..., Path], options: dict[str, Any], word: str
) -> None:
    """What it is, and what to do; only loading is tried, because evaluation may end the process."""
    path = write(tmp_path / "model.gguf", **options)
    with pytest.raises(ModelFileError, match=word) as caught:
        Engine(path, threads=1).close()
    assert str(path) in caught.value.problem
    assert caught.value.fix


def test_a_generator_may_say_that_it_pools_nothing(tmp_path: Path) -> None:
    engine = Engine(tiny_gguf.write_pooled(tmp_path / "model.gguf", pooling="NONE"), threads=1)
    assert len(engine.score([ScoreRequest((2, 3, 4), 1)])[0][0]) == 2
    engine.close()


def test_a_model_that_computes_no_numbers_is_refused(tmp_path):
    engine = Engine(tiny_gguf.write_nan(tmp_path / "nan.gguf"), threads=1)
    with pytest.raises(BackendError, match="not a number"):
        engine.score([ScoreRequest((5, 6, 7, 8), 1)])
    engine.close()


def test_scoring_and_generation_take_turns_on_one_engine(tmp_path):
    """What was left halfway must not reach into what comes next."""
    engine = Engine(tiny_gguf.write_llama(tmp_path / "tiny.gguf", context=128), threads=1)
    requests = [ScoreRequest((5, 6, 7, n, 9), 3) for n in range(10, 30)]
    prompts = [GenerateRequest((5, 6, n), GenerationOptions(12)) for n in range(10, 30)]
    scores, texts = engine.score(requests), dict(engine.texts(prompts))
    for halfway in (engine.scores(requests), engine.texts(prompts)):
        next(halfway)
        assert isinstance(halfway, Generator)
        halfway.close()
        assert engine.score(requests) == scores
        assert dict(engine.texts(prompts)) == texts
    engine.close()
