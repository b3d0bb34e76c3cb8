"""The planner against brute force: every request gets exactly its rows, no token twice, limits kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.backends.packing import Batch, Blocks, Packing, PackLimits, ScoreRequest, Trunk, pack

ROOMY = PackLimits(tokens=10_000, sequences=10_000, rows=10_000)
NOTHING = Trunk()


@st.composite
def requests(draw: st.DrawFn) -> list[ScoreRequest]:
    """Requests over a small vocabulary, so that they share beginnings, repeat, and are prefixes of one another."""
    made = []
    for _ in range(draw(st.integers(1, 14))):
        tokens = tuple(draw(st.lists(st.integers(0, 2), min_size=2, max_size=11)))
        made.append(ScoreRequest(tokens, draw(st.integers(1, len(tokens) - 1))))
    return made


some_blocks = st.none() | st.builds(Blocks, size=st.integers(1, 3), least=st.integers(1, 6), left=st.integers(1, 4))
limits = st.builds(PackLimits, tokens=st.integers(1, 20), sequences=st.integers(1, 6), rows=st.integers(1, 8))


def replay(packing: Packing, held: Trunk = NOTHING) -> Iterator[tuple[Batch, list[tuple[int, ...]], list[list[int]]]]:
    """Yield each batch with what every token of it attends to, and the cells that this is read from.

    This is a model of an engine's cache, written from its rules alone: a cell holds a token, its position and a set of
    sequences; new tokens take the cells behind the used ones; a token attends to all cells that share its sequences.
    """
    trunk: list[int] = list(held.tokens[: packing.begun])
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
    assert tuple(trunk) == packing.kept.tokens


@given(requests(), limits, st.booleans(), some_blocks)
@settings(deadline=None, max_examples=500)
def test_every_scored_token_is_predicted_from_exactly_its_own_past(made, given_limits, share, blocks):
    packing = pack(made, given_limits, share=share, blocks=blocks)
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
    assert earlier.kept == Trunk(next(iter(prefixes[alike - 1])) if alike else ())
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


def ways_of(packing: Packing, held: Trunk) -> list[tuple[tuple[int, ...], int]]:
    """Return what is evaluated: each text, and how many of its tokens were in blocks; a block counts as its last token."""
    found = []
    trunk = [min(depth + 1, held.blocked) for depth in range(packing.begun)]
    for batch, texts, cells in replay(packing, held):
        ways: list[int] = []
        for node, (text, parent) in enumerate(zip(texts, batch.parents.tolist(), strict=True)):
            past = 0 if parent < 0 else trunk[parent] if parent < batch.trunk else ways[parent - batch.trunk]
            ways.append(len(text) if batch.block else past)
            if batch.block:
                assert past == len(text) - 1, "what comes before a block is in blocks"
                assert cells[node] == list(range(len(text))), "a block lies at the cells of its positions"
            if not batch.block or (node + 1) % batch.block == 0:
                found.append((text, ways[-1]))
        if batch.block:
            assert len(batch.tokens) % batch.block == 0
            assert not len(batch.rows)
        trunk = (trunk + ways)[: batch.keep] if batch.keep > batch.trunk else trunk[: batch.keep]
    assert packing.kept.blocked == sum(way == depth + 1 for depth, way in enumerate(trunk))
    return found


@given(requests(), requests(), limits, st.builds(Blocks, st.integers(1, 3), st.integers(1, 6), st.integers(1, 4)))
@settings(deadline=None, max_examples=500)
def test_how_a_token_is_evaluated_depends_on_its_own_request_alone(first, second, given_limits, blocks):
    held = NOTHING
    for made in (first, second):
        wanted = set()
        for request in made:
            size = blocks.of(request.scored_from)
            assert size % blocks.size == 0
            assert size == 0 or (request.scored_from >= blocks.least and size <= request.scored_from - blocks.left)
            ends = [*range(blocks.size, size + 1, blocks.size), *range(size + 1, len(request.tokens))]
            wanted |= {(request.tokens[:end], min(size, end)) for end in ends}
        packing = pack(made, given_limits, blocks=blocks, held=held)
        found = ways_of(packing, held)
        assert len(found) == len(set(found)), "nothing is evaluated twice"
        before = {(held.tokens[:end], min(held.blocked, end)) for end in range(1, packing.begun + 1)}
        assert set(found) == wanted - before
        held = packing.kept


def test_the_questions_on_a_long_document_share_its_blocks():
    document = tuple(range(3000))
    made = [ScoreRequest((*document, 5000 + i, 6000 + j), 3001) for i in range(10) for j in range(4)]
    packing = pack(made, PackLimits(tokens=512, sequences=62, rows=512), blocks=Blocks(128, 1536, 128))
    in_blocks = [len(batch.tokens) for batch in packing.batches if batch.block]
    assert (packing.tokens, in_blocks) == (3010, [512] * 5 + [256])
    assert packing.kept == Trunk(document, 2816)
    short = pack([ScoreRequest((*document[:1500], 7), 1500)], ROOMY, blocks=Blocks(128, 1536, 128), held=packing.kept)
    assert short.begun == 0, "what was read in blocks is no beginning of what is not"


def test_examples_are_evaluated_once_for_a_whole_task_that_is_planned_in_parts():
    examples = tuple(range(300))
    made = [ScoreRequest((*examples, 1000 + i, answer), 301) for i in range(40) for answer in (1, 2)]
    small = PackLimits(tokens=64, sequences=16, rows=64)
    first = pack(made[:40], small)
    second = pack(made[40:], small, held=first.kept)
    assert first.kept.tokens == examples
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
