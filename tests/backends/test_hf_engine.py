"""Scores of the transformers backend on tiny models of several kinds, with random weights."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

from evalsuite.backends.hf import engine as engine_module  # noqa: E402
from evalsuite.backends.hf.engine import Engine  # noqa: E402
from evalsuite.backends.hf.forward import PathForward, predictions, visible  # noqa: E402
from evalsuite.backends.hf.loading import load  # noqa: E402
from evalsuite.backends.packing import PackLimits, Score, ScoreRequest, pack  # noqa: E402
from evalsuite.errors import BackendError, ContextLimitError  # noqa: E402
from tests.tiny_hf import CONTEXT, KINDS, VOCABULARY, WINDOW, write_model  # noqa: E402

CANNOT_SHARE = {"mamba"}


@dataclass(frozen=True)
class Case:
    """A model, with what is asked and what the engine answered to all of it at once."""

    name: str
    engine: Engine
    asked: list[ScoreRequest]
    together: list[Score]


def scores(engine: Engine, asked: Sequence[ScoreRequest]) -> list[Score]:
    found = dict(engine.scores(asked))
    return [found[index] for index in range(len(asked))]


def reference_rows(model: Any, tokens: Sequence[int]) -> Any:
    """The independent computation: transformers' plain forward over one request, log-softmax in float64."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([list(tokens)]), use_cache=False).logits[0]
    return torch.log_softmax(logits.double(), dim=-1).numpy()


def make_requests(model: Any) -> list[ScoreRequest]:
    """Requests that share beginnings, repeat, are prefixes of one another, and reach over the window to the limit."""
    draw = random.Random(3)

    def some(count: int) -> tuple[int, ...]:
        return tuple(draw.choices(range(3, VOCABULARY), k=count))

    trunk, answer = some(40), some(5)
    contexts = [trunk, trunk[:25] + some(6), trunk[:25] + some(1), trunk[:10], some(30), trunk[:1]]
    asked = [ScoreRequest(context + some(draw.randint(2, 5)), len(context)) for context in contexts]
    asked += [ScoreRequest(trunk + answer[:length], len(trunk)) for length in (5, 1, 3)]
    asked += [asked[1], asked[-1], ScoreRequest(some(20), 1)]
    likeliest = int(reference_rows(model, trunk)[-1].argmax())
    asked.append(ScoreRequest((*trunk, likeliest), len(trunk)))
    # The last token is never evaluated, so that a request may have one more than the context.
    asked.append(ScoreRequest(trunk + some(CONTEXT + 1 - len(trunk)), len(trunk)))
    draw.shuffle(asked)
    return asked


@pytest.fixture(scope="module", params=KINDS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    torch.set_num_threads(1)
    loaded = load(write_model(tmp_path_factory.mktemp("tiny") / request.param, request.param))
    engine = Engine(loaded.model, exact=loaded.exact)
    asked = make_requests(loaded.model)
    with pytest.MonkeyPatch.context() as patch:
        # Several batches, with a trunk between them.
        patch.setattr(engine_module, "_BATCH_TOKENS", 32)
        together = scores(engine, asked)
    yield Case(request.param, engine, asked, together)
    engine.close()


def assert_alike(found: Sequence[Score], expected: Sequence[Score]) -> None:
    for (ours, greedy), (theirs, theirs_greedy) in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=0, abs=1e-4)
        assert greedy == theirs_greedy


def test_scores_are_those_of_a_plain_forward_over_each_request(case: Case) -> None:
    for request, (logprobs, greedy) in zip(case.asked, case.together, strict=True):
        rows = reference_rows(case.engine.model, request.tokens[:-1])[request.scored_from - 1 :]
        targets = request.tokens[request.scored_from :]
        expected = [float(row[target]) for row, target in zip(rows, targets, strict=True)]
        assert logprobs == pytest.approx(expected, rel=0, abs=1e-4)
        assert greedy == all(int(row.argmax()) == target for row, target in zip(rows, targets, strict=True))


def test_the_requests_try_what_they_should(case: Case) -> None:
    flags = [greedy for _, greedy in case.together]
    assert 1 <= sum(flags) < len(flags)
    assert np.std([logprob for found, _ in case.together for logprob in found]) > 0.5
    assert case.engine.shares == (case.name not in CANNOT_SHARE)


def test_tokens_are_evaluated_once_where_they_can_be_shared(case: Case) -> None:
    before = case.engine.evaluated
    scores(case.engine, case.asked)
    share = case.name not in CANNOT_SHARE
    assert case.engine.evaluated - before == pack(case.asked, PackLimits(999, 999, 999), share=share).tokens


def test_a_score_alone_is_the_score_in_company_and_in_any_order(case: Case) -> None:
    assert_alike([scores(case.engine, [request])[0] for request in case.asked], case.together)
    order = random.Random(1).sample(range(len(case.asked)), len(case.asked))
    assert_alike(scores(case.engine, [case.asked[i] for i in order]), [case.together[i] for i in order])


def test_what_requests_begin_with_stays_for_the_next_ones(case: Case) -> None:
    examples = max((request.tokens for request in case.asked), key=len)[:30]
    parts = [[ScoreRequest((*examples, item, answer), 31) for answer in (5, 6)] for item in (40, 41, 42)]
    apart = []
    for part in parts:
        scores(case.engine, [ScoreRequest((9, 9, 9), 1)])  # leaves nothing of use
        apart.append(scores(case.engine, part))
    scores(case.engine, [ScoreRequest((9, 9, 9), 1)])
    before = case.engine.evaluated
    for part, expected in zip(parts, apart, strict=True):
        assert_alike(scores(case.engine, part), expected)
    if case.engine.shares:
        assert case.engine.evaluated - before == len(examples) + len(parts)


def test_a_request_that_is_longer_than_the_context_is_refused(case: Case) -> None:
    with pytest.raises(ContextLimitError, match=f"{CONTEXT + 1} tokens .* context of {CONTEXT} tokens"):
        scores(case.engine, [case.asked[0], ScoreRequest(tuple(range(3, CONTEXT + 5)), CONTEXT)])
    assert_alike(scores(case.engine, case.asked[:2]), case.together[:2])


def test_an_iterator_that_is_left_halfway_leaves_nothing_behind(case: Case) -> None:
    started = case.engine.scores(case.asked)
    next(started)
    started.close()  # type: ignore[attr-defined]
    assert_alike(scores(case.engine, case.asked[:3]), case.together[:3])


def test_many_rows_and_a_large_vocabulary_are_cut_into_batches(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_LOGIT_BYTES", 4 * VOCABULARY * 3)
    assert_alike(scores(case.engine, case.asked), case.together)


def test_a_context_may_fill_batches_that_predict_nothing(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    longest = max(case.asked, key=lambda request: request.scored_from)
    assert longest.scored_from > 24
    monkeypatch.setattr(engine_module, "_BATCH_TOKENS", 8)
    assert_alike(scores(case.engine, [longest]), [case.together[case.asked.index(longest)]])


def test_the_window_is_really_smaller_than_the_requests(tmp_path: Path) -> None:
    """Otherwise the models with a window would test nothing that plain attention does not."""
    tokens = list(range(20, 20 + CONTEXT))
    for kind in ("gemma3", "mistral"):
        model = load(write_model(tmp_path / kind, kind)).model
        narrow = reference_rows(model, tokens)
        model.config.sliding_window = 2 * CONTEXT
        difference = np.abs(narrow - reference_rows(model, tokens)).max(axis=1)
        assert difference[:WINDOW].max() < 1e-3
        assert difference[WINDOW + 1 :].min() > 0.01


def test_what_is_visible_is_found_by_walking_from_parent_to_parent() -> None:
    draw = random.Random(9)
    base = [tuple(draw.choices(range(3), k=draw.randint(3, 9))) for _ in range(60)]
    batches = pack([ScoreRequest(tokens, 1) for tokens in base], PackLimits(20, 9, 15)).batches
    assert any(batch.trunk for batch in batches)
    for batch in batches:
        for window in (None, 3):
            expected = np.zeros((len(batch.tokens), batch.trunk + len(batch.tokens)), dtype=bool)
            for token in range(len(batch.tokens)):
                place = batch.trunk + token
                while place >= 0:
                    position = place if place < batch.trunk else batch.positions[place - batch.trunk]
                    expected[token, place] = window is None or batch.positions[token] - position < window
                    place = int(batch.parents[place - batch.trunk]) if place >= batch.trunk else place - 1
            assert (visible(batch, window) == expected).all()


def test_a_model_that_computes_no_numbers_is_refused() -> None:
    (batch,) = pack([ScoreRequest((1, 2, 3), 1)], PackLimits(9, 9, 9)).batches
    logits = torch.zeros(2, 5)
    assert [logprob for _, logprob, _ in predictions(batch, logits)] == pytest.approx([-np.log(5)] * 2)
    for bad in (float("nan"), float("inf")):
        logits[1, 4] = bad
        with pytest.raises(BackendError, match="not a number"):
            predictions(batch, logits)


def test_an_architecture_that_takes_no_tree_mask_is_evaluated_one_by_one(tmp_path: Path, caplog: Any) -> None:
    """Here: attention that ignores the mask it is given, and is causal all the same."""
    loaded = load(write_model(tmp_path, "llama"))
    model = loaded.model
    inner = model.model.forward
    asked = make_requests(model)[:5]
    expected = scores(Engine(model, exact=True), asked)

    def forward(*args: Any, attention_mask: Any = None, **options: Any) -> Any:
        return inner(*args, **options)

    model.model.forward = forward
    engine = Engine(model, exact=True)
    assert not engine.shares
    assert isinstance(engine._forward, PathForward)
    assert "evaluated one by one" in caplog.text
    assert_alike(scores(engine, asked), expected)
