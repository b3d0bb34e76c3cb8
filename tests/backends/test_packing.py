"""The planner against brute force: every request gets exactly its rows, no token twice, limits kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.backends.packing import Batch, Packing, PackLimits, ScoreRequest, pack

ROOMY = PackLimits(tokens=10_000, sequences=10_000, rows=10_000)


@st.composite
def requests(draw: st.DrawFn) -> list[ScoreRequest]:
    """Requests over a small vocabulary, so that they share beginnings, repeat, and are prefixes of one another."""
    made = []
    for _ in range(draw(st.integers(1, 14))):
        tokens = tuple(draw(st.lists(st.integers(0, 2), min_size=2, max_size=11)))
        made.append(ScoreRequest(tokens, draw(st.integers(1, len(tokens) - 1))))
    return made


limits = st.builds(PackLimits, tokens=st.integers(1, 20), sequences=st.integers(1, 6), rows=st.integers(1, 8))


def replay(
    packing: Packing, held: tuple[int, ...] = ()
) -> Iterator[tuple[Batch, list[tuple[int, ...]], list[list[int]]]]:
    """Yield each batch with what every token of it attends to, and the cells that this is read from.

    This is a model of an engine's cache, written from its rules alone: a cell holds a token, its position and a set of
    sequences; new tokens take the cells behind the used ones; a token attends to all cells that share its sequences.
    """
    trunk: list[int] = list(held[: packing.begun])
    for batch in packing.batches:
        assert batch.trunk == len(trunk), "what the engine keeps is what the next batch builds on"
        cells: list[tuple[int, int, set[int]]] = [(token, depth, set()) for depth, token in enumerate(trunk)]
        for first, end, length in batch.branches:
            assert length <= len(trunk)
            for _, depth, owners in cells[:length]:
                assert depth < length
                owners.update(range(first, end))
        texts, places = [], []
        for token, position, (first, end) in zip(batch.tokens, batch.positions, batch.sequences, strict=True):
            own = set(range(first, end))
            assert own
            seen = [i for i, (_, _, owners) in enumerate(cells) if own <= owners]
            # Nobody's token may be seen by a part of the sequences only.
            assert seen == [i for i, (_, _, owners) in enumerate(cells) if own & owners]
            assert [cells[i][1] for i in seen] == list(range(position)), "in order of depth, none missing"
            cells.append((int(token), int(position), own))
            texts.append((*(cells[i][0] for i in seen), int(token)))
            places.append([*seen, len(cells) - 1])
        yield batch, texts, places
        if batch.keep <= batch.trunk:
            trunk = trunk[: batch.keep]
        else:
            added = batch.keep - batch.trunk
            assert all(first <= batch.keep_sequence < end for first, end in batch.sequences[:added])
            assert list(batch.positions[:added]) == list(range(batch.trunk, batch.keep))
            trunk = trunk + [int(token) for token in batch.tokens[:added]]
    assert tuple(trunk) == packing.kept


@given(requests(), limits, st.booleans())
@settings(deadline=None, max_examples=400)
def test_every_scored_token_is_predicted_from_exactly_its_own_past(made, given_limits, share):
    packing = pack(made, given_limits, share=share)
    predicted: dict[int, tuple[tuple[int, ...], int]] = {}
    for batch, texts, _ in replay(packing):
        assert sorted(batch.rows) == list(batch.rows)
        for row, targets in zip(batch.rows, batch.targets, strict=True):
            for target, number in targets:
                assert number not in predicted
                predicted[number] = (texts[row], target)
    assert sorted(predicted) == list(range(packing.predictions))
    assert len(packing.requests) == len(made)
    for request, numbers in zip(made, packing.requests, strict=True):
        places = range(request.scored_from, len(request.tokens))
        assert [predicted[n] for n in numbers] == [(request.tokens[:i], request.tokens[i]) for i in places]


@given(requests(), requests(), limits)
@settings(deadline=None, max_examples=300)
def test_what_all_requests_begin_with_is_kept_for_the_next_ones(first, second, given_limits):
    earlier = pack(first, given_limits)
    prefixes = [{r.tokens[:end] for r in first if len(r.tokens) > end} for end in range(1, 12)]
    alike = next((depth for depth, found in enumerate(prefixes) if len(found) != 1), len(prefixes))
    assert earlier.kept == (next(iter(prefixes[alike - 1])) if alike else ())
    packing = pack(second, given_limits, held=earlier.kept)
    whole = pack(second, given_limits)
    assert packing.tokens == whole.tokens - packing.begun
    predicted: dict[int, tuple[tuple[int, ...], int]] = {}
    for batch, texts, _ in replay(packing, earlier.kept):
        for row, targets in zip(batch.rows, batch.targets, strict=True):
            predicted |= {number: (texts[row], target) for target, number in targets}
    for request, numbers in zip(second, packing.requests, strict=True):
        places = range(request.scored_from, len(request.tokens))
        assert [predicted[n] for n in numbers] == [(request.tokens[:i], request.tokens[i]) for i in places]


def test_examples_are_evaluated_once_for_a_whole_task_that_is_planned_in_parts():
    examples = tuple(range(300))
    made = [ScoreRequest((*examples, 1000 + i, answer), 301) for i in range(40) for answer in (1, 2)]
    small = PackLimits(tokens=64, sequences=16, rows=64)
    first = pack(made[:40], small)
    second = pack(made[40:], small, held=first.kept)
    assert first.kept == examples
    assert (first.tokens, second.tokens) == (320, 20)


@given(requests(), limits)
@settings(deadline=None, max_examples=300)
def test_every_distinct_prefix_is_evaluated_once_whatever_the_limits(made, given_limits):
    packing = pack(made, given_limits)
    seen = [text for _, texts, _ in replay(packing) for text in texts]
    prefixes = {request.tokens[:end] for request in made for end in range(1, len(request.tokens))}
    assert len(seen) == len(set(seen))
    assert set(seen) == prefixes
    assert packing.tokens == len(prefixes)
    rows = sum(len(batch.rows) for batch in packing.batches)
    assert rows == len({r.tokens[:end] for r in made for end in range(r.scored_from, len(r.tokens))})


@given(requests(), limits, st.booleans())
@settings(deadline=None, max_examples=300)
def test_limits_hold_and_cells_lie_in_the_order_of_depth(made, given_limits, share):
    packing = pack(made, given_limits, share=share)
    for batch, _, places in replay(packing):
        assert len(batch.tokens) <= given_limits.tokens
        assert batch.n_sequences <= given_limits.sequences
        assert len(batch.rows) <= given_limits.rows
        assert batch.trunk + len(batch.tokens) <= packing.cells
        assert all(cells == sorted(cells) for cells in places)
        for node, cells in enumerate(places):
            assert batch.parents[node] == (cells[-2] if len(cells) > 1 else -1)
    longest = max(len(r.tokens) - 1 for r in made)
    assert packing.cells <= longest + given_limits.tokens


@given(requests())
@settings(deadline=None, max_examples=200)
def test_tokens_that_need_logits_come_last(made):
    (batch,) = pack(made, ROOMY).batches
    below: dict[int, bool] = {}
    for node, parent in enumerate(batch.parents):
        below[node] = node in batch.rows or below.get(int(parent), False)
    flags = [below[node] for node in range(len(batch.tokens))]
    assert flags == sorted(flags)


def test_examples_that_all_items_share_are_evaluated_once():
    examples = tuple(range(300))
    items = [(1000 + i, 2000 + i) for i in range(40)]
    made = [ScoreRequest((*examples, *item, answer, 0), 302) for item in items for answer in (1, 2)]
    packing = pack(made, PackLimits(tokens=64, sequences=16, rows=64))
    assert packing.tokens == 300 + 40 * (2 + 2)
    assert sum(len(batch.tokens) for batch in packing.batches) == packing.tokens
    assert packing.cells <= 300 + 64


def test_a_passage_stays_while_its_questions_last():
    passages = [tuple(range(100 * p, 100 * p + 60)) for p in range(1, 5)]
    made = [ScoreRequest((*passage, q, a, 0), 61) for passage in passages for q in range(7) for a in (7, 8, 9)]
    # The questions of a passage come far apart.
    shuffled = sorted(made, key=lambda request: (request.tokens[60], request.tokens[0]))
    packing = pack(shuffled, PackLimits(tokens=50, sequences=8, rows=50))
    assert packing.tokens == 4 * (60 + 7 * (1 + 3))
    assert packing.cells <= 62 + 50


def test_one_row_of_logits_serves_all_answers_of_one_token():
    made = [ScoreRequest((5, 6, answer), 2) for answer in range(10, 17)]
    (batch,) = pack(made, ROOMY).batches
    assert list(batch.tokens) == [5, 6]
    assert list(batch.rows) == [1]
    assert [target for target, _ in batch.targets[0]] == list(range(10, 17))


def test_equal_requests_are_one():
    made = [ScoreRequest((1, 2, 3), 1), ScoreRequest((1, 2, 3), 1), ScoreRequest((1, 2, 3), 2)]
    packing = pack(made, ROOMY)
    assert packing.predictions == 2
    assert packing.requests == [[0, 1], [0, 1], [1]]


def test_nothing_is_shared_where_the_model_cannot():
    made = [ScoreRequest((1, 2, 3), 2), ScoreRequest((1, 2, 4), 2), ScoreRequest((1, 2, 3), 2)]
    packing = pack(made, ROOMY, share=False)
    assert [list(batch.tokens) for batch in packing.batches] == [[1, 2], [1, 2]]
    assert packing.requests == [[0], [1], [0]]


def test_nothing_to_do():
    packing = pack([], ROOMY)
    assert (packing.batches, packing.requests, packing.cells) == ([], [], 0)


@pytest.mark.parametrize(("tokens", "start"), [((1,), 1), ((1, 2), 0), ((1, 2), 2), ((), 0)])
def test_a_request_with_nothing_before_or_nothing_scored_is_refused(tokens, start):
    with pytest.raises(ValueError, match="at least one token before"):
        ScoreRequest(tokens, start)
