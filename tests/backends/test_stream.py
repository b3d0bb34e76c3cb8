"""One request at a time: the same tokens as evaluation token by token, every step timed, from an empty cache each time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
gguf = pytest.importorskip("gguf", reason="the gguf package, which writes the tiny models, is not installed")

from evalsuite.backends.llamacpp import stream as stream_module  # noqa: E402
from evalsuite.backends.llamacpp.stream import Stream, StreamedRequest  # noqa: E402
from evalsuite.errors import BackendError, ContextLimitError, ModelFileError  # noqa: E402
from tests import tiny_gguf  # noqa: E402

CONTEXT = 4096
MIB = 2**20
CLEAR = 0.02
"""Logits nearer than this may change places: sums are made in another order, and keys and values are stored in 16 bits."""

WRITERS: dict[str, Callable[..., Path]] = {
    "llama": tiny_gguf.write_llama,
    "sliding-window": partial(tiny_gguf.write_gemma3, window=16),
    "recurrent": tiny_gguf.write_mamba,
    "hybrid": tiny_gguf.write_lfm2,
}
PROMPT = "Message: the order of last week has not come, where is it?\nCategory:"

Row = npt.NDArray[np.float64]


class TokenByToken:
    """The independent computation: llama.cpp's C interface, one token at a time, in a context of its own."""

    def __init__(self, path: Path) -> None:
        loading = llama_cpp.llama_model_default_params()
        loading.n_gpu_layers = 0
        self._model: Any = llama_cpp.llama_model_load_from_file(str(path).encode(), loading)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = 512, 1, 1, 1
        params.n_threads = params.n_threads_batch = 1
        self._context: Any = llama_cpp.llama_init_from_model(self._model, params)
        self._size: int = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._model))

    def logits(self, tokens: Sequence[int]) -> list[Row]:
        """Return the logits after each of `tokens`."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        rows = []
        for token in tokens:
            one = (llama_cpp.llama_token * 1)(token)
            assert llama_cpp.llama_decode(self._context, llama_cpp.llama_batch_get_one(one, 1)) == 0
            found = llama_cpp.llama_get_logits_ith(self._context, -1)
            rows.append(np.ctypeslib.as_array(found, shape=(self._size,)).astype(np.float64))
        return rows

    def close(self) -> None:
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)


@dataclass(frozen=True)
class Case:
    name: str
    path: Path
    stream: Stream
    reference: TokenByToken


@pytest.fixture(scope="module", params=WRITERS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    path = WRITERS[request.param](tmp_path_factory.mktemp("tiny") / "model.gguf", context=CONTEXT)
    reference, stream = TokenByToken(path), Stream(path, threads=1)
    stream.open_context(512)
    yield Case(request.param, path, stream, reference)
    stream.close()
    reference.close()


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[Stream]:
    """A model with plain attention that was trained for 512 tokens, with the whole of that as its context."""
    opened = Stream(tiny_gguf.write_llama(tmp_path / "model.gguf", context=512), threads=1)
    opened.open_context(512)
    yield opened
    opened.close()


def patch_header(path: Path, key: str, value: int) -> None:
    """Change a number of a GGUF's header in place."""
    reader = gguf.GGUFReader(path, "r+")
    found = reader.fields[key]
    found.parts[found.data[0]][0] = value
    reader.data.flush()


def evaluated(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Return a list that takes what is handed to llama.cpp, call by call."""
    calls: list[list[int]] = []
    plain = stream._evaluate

    def listen(tokens: Sequence[int]) -> Any:
        calls.append(list(tokens))
        return plain(tokens)

    monkeypatch.setattr(stream, "_evaluate", listen)
    return calls


def assert_greedy(reference: TokenByToken, prompt: Sequence[int], answer: Sequence[int]) -> None:
    """Each token is the likeliest after those before it, or as likely as that one within the rounding."""
    rows = reference.logits([*prompt, *answer[:-1]])[len(prompt) - 1 :]
    assert [float(row[token]) for row, token in zip(rows, answer, strict=True)] == pytest.approx(
        [float(row.max()) for row in rows], rel=0, abs=CLEAR
    )


# --- writing


def test_writing_is_greedy_and_of_the_wanted_length(case: Case) -> None:
    prompt = case.stream.prompt_tokens(PROMPT)
    for count in (1, 2, 40):
        served = case.stream.write(PROMPT, count)
        assert len(served.tokens) == count
        assert_greedy(case.reference, prompt, served.tokens)
    assert served.prompt_tokens == len(prompt) > 30
    assert len(set(served.tokens)) > 10


def test_a_prompt_of_several_batches_is_the_same_prompt(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "_BATCH_TOKENS", 16)
    cut = Stream(case.path, threads=1)
    cut.open_context(512)
    served = cut.write(PROMPT, 20)
    cut.close()
    assert served.prompt_tokens > 32
    assert_greedy(case.reference, case.stream.prompt_tokens(PROMPT), served.tokens)


def test_writing_goes_on_past_an_end_token(tmp_path: Path) -> None:
    """The end token is made one that the model is sure to write."""
    path = tiny_gguf.write_llama(tmp_path / "model.gguf", context=512)
    stream = Stream(path, threads=1)
    stream.open_context(256)
    before = stream.write(PROMPT, 12).tokens
    stream.close()
    patch_header(path, "tokenizer.ggml.eos_token_id", before[3])
    stream = Stream(path, threads=1)
    stream.open_context(256)
    assert stream.is_end(before[3])
    assert stream.write(PROMPT, 12).tokens == before
    stream.close()


def test_the_text_is_that_of_the_tokens(case: Case) -> None:
    served = case.stream.write(PROMPT, 30)
    assert served.text == b"".join(map(case.stream.piece, served.tokens)).decode("utf-8", "replace")


# --- spelling


@pytest.mark.parametrize("answer", [" on the first of March, at noon", " a", "明日の朝", "\nx"])
def test_spelling_evaluates_the_tokens_of_the_answer(
    stream: Stream, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    calls = evaluated(stream, monkeypatch)
    served = stream.spell(PROMPT, answer)
    tokens = stream.tokenize(answer)
    assert served.tokens == tuple(tokens)
    assert served.text == answer
    # Nothing is read from the last token, so that it is not evaluated; the same holds for every other answer.
    assert calls == [stream.prompt_tokens(PROMPT), *[[token] for token in tokens[:-1]]]


def test_an_answer_of_no_tokens_takes_no_steps(stream: Stream) -> None:
    served = stream.spell(PROMPT, "")
    assert (served.tokens, served.text, served.steps_s) == ((), "", ())
    assert served.ttft_s >= served.prefill_s > 0


def test_bos_begins_the_prompt_where_the_model_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny_gguf.write_llama(tmp_path / "model.gguf", context=512)
    patch_header(path, "tokenizer.ggml.add_bos_token", 1)
    stream = Stream(path, threads=1)
    stream.open_context(256)
    calls = evaluated(stream, monkeypatch)
    served = stream.spell("the", " order")
    plain = stream.tokenize("the")
    assert calls[0] == [tiny_gguf.BOS, *plain]
    assert tiny_gguf.BOS not in (*plain, *served.tokens)
    assert served.prompt_tokens == len(plain) + 1
    stream.close()


# --- choosing


def constrained(
    reference: TokenByToken, prompt: Sequence[int], options: Sequence[Sequence[int]]
) -> tuple[int, float, bool]:
    """Return the choice of a greedy search that may only go where an option goes, how clear it was, and if an end competed."""
    done: tuple[int, ...] = ()
    clear, ends = np.inf, False
    while True:
        row = reference.logits([*prompt, *done])[-1]
        ways: dict[int | None, float] = {}
        for option in options:
            if tuple(option[: len(done)]) == done:
                following = option[len(done)] if len(option) > len(done) else None
                ways[following] = float(row[tiny_gguf.EOS if following is None else following])
        best = max(ways, key=lambda way: ways[way])
        others = [score for way, score in ways.items() if way != best]
        clear = min([clear, *(ways[best] - score for score in others)])
        ends = ends or (None in ways and bool(others))
        if best is None:
            return [tuple(option) for option in options].index(done), clear, ends
        done = (*done, best)


FIXED = [
    ["a", "ab", "abc"],
    ["abc", "ab", "a", "abd"],
    [" order", " other", " oven"],
    ["order"],
    ["x", "y", "z"],
    ["請求", "請求書", "注文"],
]


def test_choosing_is_a_greedy_search_among_the_choices(case: Case) -> None:
    draw = random.Random(5)
    sets = [list(choices) for choices in FIXED]
    for _ in range(16):
        words = {"".join(draw.choices("bcdgx", k=draw.randint(1, 4))) for _ in range(draw.randint(2, 9))}
        sets.append(sorted(words | {word + draw.choice("bcd") for word in list(words)[:2]}))
    prompts = ["Category:", PROMPT]
    compared, ended, went_on, places = 0, 0, 0, set()
    for number, choices in enumerate(sets):
        prompt = prompts[number % 2]
        options = [case.stream.tokenize(choice) for choice in choices]
        right, clear, ends = constrained(case.reference, case.stream.prompt_tokens(prompt), options)
        served, found = case.stream.choose(prompt, choices)
        assert served.tokens == tuple(options[found])
        assert served.text == choices[found]
        if clear > CLEAR:
            assert found == right, choices
            compared += 1
            places.add(right)
            longer = any(other != choices[right] and other.startswith(choices[right]) for other in choices)
            ended += ends and longer
            went_on += ends and not longer
    # Most are clear enough, the answer is not always the first, and ends both won and lost.
    assert compared > 15
    assert len(places) > 3
    assert ended
    assert went_on


def test_a_choice_that_others_go_on_from_ends_after_its_last_token_was_evaluated(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only then is it known whether the end token is the likelier."""
    calls = evaluated(stream, monkeypatch)
    prompt = stream.prompt_tokens(PROMPT)
    b, c = stream.tokenize("b"), stream.tokenize("c")
    stream.choose(PROMPT, ["bc"])
    assert calls == [prompt, b]
    calls.clear()
    served, _ = stream.choose(PROMPT, ["b", "bc"])
    assert calls == [prompt, b]
    assert served.tokens in ((*b,), (*b, *c))


# --- times


@pytest.mark.parametrize(
    "ask",
    [
        lambda stream: stream.write(PROMPT, 17),
        lambda stream: stream.write(PROMPT, 1),
        lambda stream: stream.spell(PROMPT, " the twelfth of May"),
        lambda stream: stream.choose(PROMPT, ["bc", "bd", "b", "xyz"])[0],
    ],
)
def test_times_add_up(stream: Stream, ask: Callable[[Stream], StreamedRequest]) -> None:
    before = time.monotonic_ns()
    served = ask(stream)
    after = time.monotonic_ns()
    rounding = 1e-9
    assert before <= served.start_ns < served.end_ns <= after
    assert served.total_s == pytest.approx((served.end_ns - served.start_ns) / 1e9, abs=rounding)
    assert min(served.tokenise_s, served.prefill_s, *served.steps_s, 1.0) > 0
    assert served.ttft_s >= served.tokenise_s + served.prefill_s - rounding
    assert served.ttft_s + sum(served.steps_s) <= served.total_s + rounding
    assert len(served.steps_s) == len(served.tokens) - 1


def test_time_of_each_part_is_counted_where_it_is_spent(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that only evaluation moves on: 5 s for the prompt, 3 s for each token; 1 s for tokenising."""
    now_ns = [0]
    evaluate, tokenize = stream._evaluate, stream.tokenize

    def slow_evaluate(tokens: Sequence[int]) -> Any:
        now_ns[0] += (5 if len(tokens) > 1 else 3) * 10**9
        return evaluate(tokens)

    def slow_tokenize(text: str) -> list[int]:
        now_ns[0] += 10**9
        return tokenize(text)

    monkeypatch.setattr(time, "monotonic_ns", lambda: now_ns[0])
    monkeypatch.setattr(stream, "_evaluate", slow_evaluate)
    monkeypatch.setattr(stream, "tokenize", slow_tokenize)
    served = stream.write(PROMPT, 4)
    assert (served.tokenise_s, served.prefill_s, served.ttft_s) == (1.0, 5.0, 6.0)
    assert list(served.steps_s) == [3.0, 3.0, 3.0]
    assert served.total_s == 15.0
    prefill_s, steps_s = stream.fill([20, 21, 22], 2)
    assert (prefill_s, steps_s) == (5, [3, 3])


# --- the cache


def test_each_request_starts_from_an_empty_cache(case: Case) -> None:
    stream = case.stream
    first = stream.write(PROMPT, 25).tokens
    assert stream.write(PROMPT, 25).tokens == first
    stream.spell("Something else entirely.", " and its answer")
    stream.fill([30, 31, 32, 33], 5)
    chosen = stream.choose("Category:", ["b", "c", "d"])[1]
    assert stream.write(PROMPT, 25).tokens == first
    assert stream.choose("Category:", ["b", "c", "d"])[1] == chosen


def test_filling_a_context_takes_greedy_steps(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = case.stream.prompt_tokens(PROMPT)
    calls = evaluated(case.stream, monkeypatch)
    prefill_s, steps_s = case.stream.fill(tokens, 12)
    assert prefill_s > 0
    assert len(steps_s) == 12
    assert min(steps_s) > 0
    assert calls[0] == tokens
    assert [len(call) for call in calls[1:]] == [1] * 12
    assert_greedy(case.reference, tokens, [token for (token,) in calls[1:]])
    assert case.stream.fill(tokens, 0)[1] == []


def test_another_number_of_threads_counts_from_the_next_request_on(stream: Stream) -> None:
    tokens = stream.write(PROMPT, 10).tokens
    stream.set_threads(2)
    assert stream.threads == llama_cpp.llama_n_threads(stream._context) == 2
    assert stream.write(PROMPT, 10).tokens == tokens
    stream.open_context(256)
    assert llama_cpp.llama_n_threads_batch(stream._context) == 2


# --- limits


def test_a_longer_context_than_the_model_was_trained_for_is_refused(stream: Stream) -> None:
    with pytest.raises(ContextLimitError, match=r"513 tokens was asked for; model\.gguf was trained for 512") as caught:
        stream.open_context(513)
    assert caught.value.fix
    # The one that was open stays so.
    assert len(stream.write(PROMPT, 3).tokens) == 3


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        # 600 letters with no merge among them are 600 tokens, and one is to be written.
        (lambda stream: stream.write("x" * 600, 5), "601 tokens"),
        (lambda stream: stream.spell("x" * 600, "y"), "601 tokens"),
        (lambda stream: stream.choose("x" * 600, ["y", "z"]), "601 tokens"),
        # The 14th token of the answer is never evaluated, the 13th has no room.
        (lambda stream: stream.write("x" * 500, 14), "513 tokens"),
        (lambda stream: stream.spell("x" * 500, "y" * 14), "513 tokens"),
        (lambda stream: stream.fill([20] * 500, 13), "513 tokens"),
    ],
)
def test_a_request_that_is_longer_than_the_context_is_refused(
    stream: Stream, ask: Callable[[Stream], Any], told: str
) -> None:
    with pytest.raises(ContextLimitError, match=told) as caught:
        ask(stream)
    assert "512" in caught.value.problem
    assert caught.value.fix
    assert len(stream.write(PROMPT, 3).tokens) == 3


@pytest.mark.parametrize(
    "ask",
    [
        lambda stream: stream.write("x" * 500, 13),
        lambda stream: stream.spell("x" * 500, "y" * 13),
        lambda stream: stream.fill([20] * 500, 12),
    ],
)
def test_a_request_that_just_fits_is_served(stream: Stream, ask: Callable[[Stream], Any]) -> None:
    served = ask(stream)
    assert len(served.tokens if isinstance(served, StreamedRequest) else served[1]) >= 12


@pytest.mark.parametrize(
    "ask",
    [
        lambda stream: stream.write("a", 3),
        lambda stream: stream.spell("a", "b"),
        lambda stream: stream.choose("a", ["b", "c"]),
    ],
)
def test_without_a_context_nothing_is_served(stream: Stream, ask: Callable[[Stream], Any]) -> None:
    stream.close_context()
    assert stream.cells == 0
    with pytest.raises(BackendError, match="no context is open") as caught:
        ask(stream)
    assert not isinstance(caught.value, ContextLimitError)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF and then nothing of use")
    with pytest.raises(ModelFileError, match=r"broken\.gguf"):
        Stream(path, threads=1)


# --- memory

KEYS_AND_VALUES = {
    # Keys and values × layers that keep all tokens × 2 heads of 16 numbers × 2 bytes.
    "llama": 2 * 2 * 2 * 16 * 2,
    "sliding-window": 2 * 2 * 2 * 16 * 2,
    "recurrent": 0,
    "hybrid": 2 * 2 * 2 * 16 * 2,
}
STATE = {
    # Two layers keep the window of 16 tokens and a micro-batch of 512, rounded up to 256.
    "sliding-window": 768 * 2 * 2 * 2 * 16 * 2,
    # float32: the last 3 inputs of the convolution and a state of 16 numbers, for each of 128 channels, in 2 layers.
    "recurrent": 2 * 128 * (3 + 16) * 4,
    # The last 2 inputs of the convolution, for each of 64 channels, in 2 layers.
    "hybrid": 2 * 64 * 2 * 4,
}
TOLD_TO = 0.005 * MIB
"""llama.cpp tells sizes in MiB with two digits."""


def test_the_cache_has_the_size_that_its_numbers_take(case: Case) -> None:
    for cells in (4096, 1024):
        case.stream.open_context(cells)
        assert case.stream.cells == cells
        expected = cells * KEYS_AND_VALUES[case.name] + STATE.get(case.name, 0)
        found = case.stream.buffers()
        assert sum(found.kv.values()) == pytest.approx(expected, abs=2 * TOLD_TO)
        assert sum(found.compute.values()) > 0
    case.stream.open_context(512)


def test_the_weights_have_the_size_that_they_have_in_the_file(case: Case) -> None:
    weights = sum(int(tensor.n_bytes) for tensor in gguf.GGUFReader(case.path).tensors)
    told = sum(case.stream.buffers().model.values())
    # Mapped is all from the first weight to the last; between them are at most 31 bytes.
    assert weights - TOLD_TO <= told <= case.path.stat().st_size + TOLD_TO


def test_a_state_goes_over_into_a_larger_context(case: Case) -> None:
    """Reading a text in two contexts gives the steps of reading it in one; a recurrent state starts anew."""
    tokens = list(range(20, 60))
    case.stream.open_context(128)
    case.stream.fill(tokens[:25], 3)
    saved = case.stream.save()
    case.stream.open_context(512)
    restored = case.stream.restore(saved, 25)
    if case.name in ("recurrent", "hybrid"):
        assert not restored
        case.stream.clear()
        case.stream.extend(tokens[:25], 0)
    else:
        assert restored
    seconds, steps = case.stream.extend(tokens[25:], 4)
    assert seconds > 0
    assert len(steps) == 4
    carried = np.array(case.stream._evaluate([7]))
    case.stream.fill(tokens, 4)
    assert carried == pytest.approx(np.array(case.stream._evaluate([7])), abs=0.02)
