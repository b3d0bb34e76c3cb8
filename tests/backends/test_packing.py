"""The planner against brute force: every request gets exactly its rows, no token twice, limits kept."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.backends.llamacpp.packing import Batch, PackLimits, ScoreRequest, pack

ROOMY = PackLimits(tokens=10_000, sequences=10_000, rows=10_000)


@st.composite
def requests(draw: st.DrawFn) -> list[ScoreRequest]:
    """Requests over a small vocabulary, so that they share beginnings, repeat, and are prefixes of one another."""
    made = []
    for _ in range(draw(st.integers(1, 12))):
        tokens = tuple(draw(st.lists(st.integers(0, 2), min_size=2, max_size=9)))
        made.append(ScoreRequest(tokens, draw(st.integers(1, len(tokens) - 1))))
    return made


def path_of(batch: Batch, node: int) -> tuple[int, ...]:
    """The tokens that `node` attends to, by the engine's rule: those of its sequences at lower positions."""
    own = set(batch.sequences[node])
    seen = [
        n for n in range(node + 1) if own <= set(batch.sequences[n]) and batch.positions[n] <= batch.positions[node]
    ]
    return tuple(batch.tokens[n] for n in sorted(seen, key=lambda n: batch.positions[n]))


@given(requests(), st.integers(8, 20), st.integers(1, 6), st.integers(8, 16))
@settings(deadline=None, max_examples=300)
def test_every_scored_token_is_predicted_from_exactly_its_own_past(made, tokens, sequences, rows):
    answered = {}
    for batch in pack(made, PackLimits(tokens, sequences, rows)):
        for index, pairs in batch.requests:
            assert index not in answered
            request = made[index]
            answered[index] = pairs
            assert [target for _, target in pairs] == list(request.tokens[request.scored_from :])
            for place, (node, _) in enumerate(pairs, start=request.scored_from):
                assert path_of(batch, node) == request.tokens[:place]
                assert batch.predicts[node]
    assert sorted(answered) == list(range(len(made)))


@given(requests())
@settings(deadline=None, max_examples=200)
def test_with_room_for_all_every_distinct_prefix_is_evaluated_once(made):
    (batch,) = pack(made, ROOMY)
    prefixes = {request.tokens[:end] for request in made for end in range(1, len(request.tokens))}
    assert len(batch.tokens) == len(prefixes)
    assert {path_of(batch, node) for node in range(len(batch.tokens))} == prefixes
    wanted = {r.tokens[:end] for r in made for end in range(r.scored_from, len(r.tokens))}
    assert sum(batch.predicts) == len(wanted)
    leaves = prefixes - {p[:-1] for p in prefixes}
    assert batch.n_sequences == len(leaves)


@given(requests(), st.integers(8, 20), st.integers(1, 6), st.integers(8, 16))
@settings(deadline=None, max_examples=200)
def test_limits_hold_and_parents_come_first(made, tokens, sequences, rows):
    for batch in pack(made, PackLimits(tokens, sequences, rows)):
        assert len(batch.tokens) <= tokens
        assert batch.n_sequences <= sequences
        assert sum(batch.predicts) <= rows
        for sequence in range(batch.n_sequences):
            positions = [p for p, s in zip(batch.positions, batch.sequences, strict=True) if sequence in s]
            assert positions == list(range(len(positions)))


def test_a_request_that_is_longer_than_a_batch_gets_its_own():
    long = ScoreRequest(tuple(range(50)), 49)
    short = ScoreRequest((1, 2), 1)
    batches = list(pack([short, long, short], PackLimits(tokens=10, sequences=4, rows=4)))
    assert [[i for i, _ in b.requests] for b in batches] == [[0], [1], [2]]


def test_nothing_is_shared_where_the_model_cannot():
    made = [ScoreRequest((1, 2, 3), 2), ScoreRequest((1, 2, 4), 2)]
    batches = list(pack(made, ROOMY, share=False))
    assert [len(b.tokens) for b in batches] == [2, 2]


@pytest.mark.parametrize(("tokens", "start"), [((1,), 1), ((1, 2), 0), ((1, 2), 2), ((), 0)])
def test_a_request_with_nothing_before_or_nothing_scored_is_refused(tokens, start):
    with pytest.raises(ValueError, match="at least one token before"):
        ScoreRequest(tokens, start)
