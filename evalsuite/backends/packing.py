"""Plans which token is evaluated when: a token tree is cut into batches, and what later ones build on is kept.

Pure: no engine in it. Every tree token is evaluated exactly once. Batches follow the tree depth first; between two of
them an engine keeps the tokens that come before the next one (the *trunk*), and forgets all others. So an instruction or
examples that all items share, or a passage of several questions, stay in the cache as long as they are of use, and the
cache holds no more than one path and one batch. What all requests begin with outlasts them: the next packing of the same
task goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalsuite.backends.tree import Blocks, Ints, ScoreRequest, TokenTree, grow

__all__ = [
    "Batch",
    "Blocks",
    "PackLimits",
    "Packing",
    "Prediction",
    "Score",
    "ScoreRequest",
    "Trunk",
    "answers",
    "pack",
]

Prediction = tuple[int, float, bool]
"""(number of the prediction, log-probability in nats, whether no token is likelier)."""
Score = tuple[list[float], bool]
"""(log-probability of every scored token in nats, whether all of them are the likeliest)."""


@dataclass(frozen=True, slots=True)
class PackLimits:
    """What one batch may hold; all at least 1."""

    tokens: int
    """Tree tokens that it adds to the trunk."""
    sequences: int
    """Leaves: branches that end within the batch."""
    rows: int
    """Tokens after which logits are needed."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """A path that is in an engine's cache."""

    tokens: tuple[int, ...] = ()
    blocked: int = 0
    """So many of its first tokens were evaluated in blocks."""


_NO_TRUNK = Trunk()


@dataclass(frozen=True)
class Batch:
    """Tree tokens to be evaluated together, in an order in which every token comes after the one before it.

    Each leaf of the batch is a sequence, numbered from 0. What a token belongs to is a range of sequences.
    """

    trunk: int
    """Tokens that must be in the cache already: the first `trunk` of a path that is kept."""
    tokens: Ints
    """(tokens,)"""
    positions: Ints
    """(tokens,)"""
    parents: Ints
    """(tokens,) Where the token before each one is: below `trunk` in the trunk, from there on in this batch; −1 is none."""
    sequences: Ints
    """(tokens, 2) First and one past the last sequence of each token."""
    branches: list[tuple[int, int, int]]
    """(first sequence, one past the last, length): these sequences begin with so many tokens of the trunk."""
    rows: Ints
    """(rows,) Tokens of the batch after which logits are needed, ascending."""
    targets: list[list[tuple[int, int]]]
    """For each of `rows`: (predicted token, number of the prediction)."""
    keep: int
    """Length of the trunk of the next batch. Beyond `trunk`, it is continued by the first tokens of this batch."""
    keep_sequence: int
    """A sequence that these belong to."""
    block: int
    """The tokens must be evaluated in pieces of this size; 0 where pieces are free."""

    @property
    def n_sequences(self) -> int:
        """How many sequences the batch has."""
        return int(self.sequences[:, 1].max())


@dataclass(frozen=True)
class Packing:
    """All batches for some requests, and where each request finds its results."""

    batches: list[Batch]
    requests: list[list[int]]
    """For each request, the numbers of its predictions, in the order of its scored tokens."""
    predictions: int
    tokens: int
    """Tree tokens in all."""
    cells: int
    """The most tokens that are in the cache at once."""
    begun: int = 0
    """Tokens of `held` that the first batch builds on; the engine must drop the others."""
    kept: Trunk = _NO_TRUNK
    """What is the trunk when all is done: what all requests begin with."""


def pack(
    requests: Sequence[ScoreRequest],
    limits: PackLimits,
    *,
    share: bool = True,
    blocks: Blocks | None = None,
    held: Trunk = _NO_TRUNK,
) -> Packing:
    """Return batches that together answer all `requests`.

    Args:
        requests: What to score. Equal ones are answered by the same predictions.
        limits: What one batch may hold; a request that is longer is spread over several. A block is never cut.
        share: Whether different requests may share tokens (a model with a recurrent state cannot).
        blocks: Which beginnings go in blocks.
        held: The trunk that an engine has from before; what the first request begins alike is not evaluated again.
    """
    tree = grow(requests, share=share, blocks=blocks)
    size = blocks.size if blocks else 0
    begun, kept = (_begun(tree, held, size), _common_beginning(tree)) if share else (0, 0)
    batches = list(_batches(tree, limits, begun, kept, share=share, block=size))
    return Packing(
        batches=batches,
        requests=tree.requests,
        predictions=tree.predictions,
        tokens=len(tree) - begun,
        cells=max((b.trunk + len(b.tokens) for b in batches), default=0),
        begun=begun,
        kept=Trunk(tuple(tree.tokens[:kept].tolist()), int(tree.blocked[:kept].sum())),
    )


def _begun(tree: TokenTree, held: Trunk, block: int) -> int:
    """Return how many of the tokens of `held` the tree begins with, up to the first whose logits are needed."""
    most = min(len(held.tokens), int(tree.predicting[0])) if len(tree) else 0
    other = tree.tokens[:most] != held.tokens[:most]
    other |= tree.blocked[:most] != (np.arange(most) < held.blocked)
    differs = np.flatnonzero(other)
    # Depth first, so the first tokens are a path as long as each is at its own depth.
    begun = int(differs[0]) if len(differs) else most
    return begun // block * block if begun < len(tree) and tree.blocked[begun] else begun


def _common_beginning(tree: TokenTree) -> int:
    """Return how many tokens every request begins with, as far as it goes: those that nothing comes beside."""
    beside = (tree.ends < len(tree)) | (tree.positions != np.arange(len(tree)))
    return int(np.argmax(beside)) if beside.any() else len(tree)


def answers(packing: Packing, evaluate: Callable[[Batch], Iterable[Prediction]]) -> Iterator[tuple[int, Score]]:
    """Have all batches evaluated in their order; yield (index of a request, its score) as soon as it is known.

    Args:
        packing: From `pack`.
        evaluate: An engine: returns the predictions of one batch.
    """
    logprobs: list[float] = [0.0] * packing.predictions
    likeliest: list[bool] = [False] * packing.predictions
    batch_of = [0] * packing.predictions
    for place, batch in enumerate(packing.batches):
        for targets in batch.targets:
            for _, number in targets:
                batch_of[number] = place
    finished: list[list[int]] = [[] for _ in packing.batches]
    for index, numbers in enumerate(packing.requests):
        finished[max(batch_of[number] for number in numbers)].append(index)
    for batch, done in zip(packing.batches, finished, strict=True):
        for number, logprob, best in evaluate(batch):
            logprobs[number], likeliest[number] = logprob, best
        for index in done:
            numbers = packing.requests[index]
            yield index, ([logprobs[n] for n in numbers], all(likeliest[n] for n in numbers))


def _batches(tree: TokenTree, limits: PackLimits, start: int, kept: int, *, share: bool, block: int) -> Iterator[Batch]:
    count = len(tree)
    # Cumulative counts, so that what a stretch of nodes would cost is a difference.
    is_row = np.zeros(count, dtype=np.int64)
    is_row[tree.predicting] = 1
    rows_before = np.concatenate(([0], np.cumsum(is_row)))
    ends_branch = np.ones(count, dtype=np.int64)
    ends_branch[:-1] = tree.parents[1:] != np.arange(count - 1)
    branches_before = np.concatenate(([0], np.cumsum(ends_branch)))
    blocked = np.flatnonzero(tree.blocked)
    while start < count:
        if tree.blocked[start]:
            stop = _blocks_end(tree, start, max(1, limits.tokens // block) * block)
            yield _batch(tree, start, stop, is_row, kept, block=block)
            start = stop
            continue
        most = min(count, start + limits.tokens, *blocked[np.searchsorted(blocked, start) :][:1].tolist())
        most = min(most, int(np.searchsorted(rows_before, rows_before[start] + limits.rows, side="right")) - 1)
        # The last node of a batch is always a leaf of it, whether its branch ends there or not.
        sequences = branches_before[start] + limits.sequences - 1
        most = min(most, int(np.searchsorted(branches_before, sequences, side="right")))
        if not share:
            most = min(most, int(tree.ends[_top(tree, start)]))
        stop = _cut(tree, start, max(most, start + 1))
        yield _batch(tree, start, stop, is_row, kept)
        start = stop


def _blocks_end(tree: TokenTree, start: int, most: int) -> int:
    """Return the end of a batch of blocks from `start` on, which follow each other on one path, `most` tokens at most."""
    blocked, positions = tree.blocked[start : start + most], tree.positions[start : start + most]
    # Depth first, so nodes are a path as long as each is one deeper than the one before it.
    goes_on = blocked & (positions == positions[0] + np.arange(len(positions)))
    return start + (len(goes_on) if goes_on.all() else int(np.argmin(goes_on)))


def _top(tree: TokenTree, node: int) -> int:
    return node - int(tree.positions[node])


def _cut(tree: TokenTree, start: int, most: int) -> int:
    """Return the last end ≤ `most` of a batch from `start` that leaves a trunk without gaps.

    The next batch's trunk must be a piece of this batch's trunk, or continue the whole of it: in the cache, tokens lie in
    the order of their depth, and stay where they are. The sums of attention depend on that order.
    """
    if most >= len(tree):
        return len(tree)
    parents = tree.parents[start + 1 : most + 1]
    back_in_trunk = parents < start
    if not back_in_trunk.any():
        return most
    # Once the tree went back into the trunk, the only good ends are where it does so again.
    return most - int(np.argmax(back_in_trunk[::-1]))


def _batch(tree: TokenTree, start: int, stop: int, is_row: Ints, at_end: int, *, block: int = 0) -> Batch:
    count = stop - start
    trunk = int(tree.positions[start])
    parents, ends = tree.parents[start:stop], np.minimum(tree.ends[start:stop], stop) - start
    leaf = np.ones(count, dtype=np.int64)
    leaf[:-1] = parents[1:] != np.arange(start, stop - 1)
    leaves_before = np.concatenate(([0], np.cumsum(leaf)))
    sequences = np.stack((leaves_before[:-1], leaves_before[ends]), axis=1)
    keep = int(tree.positions[stop]) if stop < len(tree) else at_end
    kept = _kept(tree, start, keep, stop) if keep > trunk else np.zeros(0, dtype=np.int64)
    # First what the next batch builds on, so that the trunk has no gaps; last everything from the first logits on, so
    # that few micro-batches need them: with a large vocabulary the output layer costs as much as the rest.
    rank = np.ones(count, dtype=np.int64)
    rank[_below_rows(ends, is_row[start:stop])] = 2
    rank[kept - start] = 0
    order = np.argsort(rank, kind="stable")
    place = np.empty(count, dtype=np.int64)
    place[order] = np.arange(count)
    # A parent in the trunk is found by its depth; the trunk is a path.
    inside = parents >= start
    local = np.where(inside, trunk + place[np.where(inside, parents - start, 0)], tree.positions[start:stop] - 1)
    tops = np.flatnonzero(~inside)
    row_nodes = np.flatnonzero(is_row[start:stop])
    by_place = np.argsort(place[row_nodes])
    first_row = int(np.searchsorted(tree.predicting, start))
    return Batch(
        trunk=trunk,
        tokens=tree.tokens[start:stop][order],
        positions=tree.positions[start:stop][order],
        parents=local[order],
        sequences=sequences[order],
        branches=[(int(sequences[t, 0]), int(sequences[t, 1]), int(tree.positions[start + t])) for t in tops],
        rows=place[row_nodes][by_place],
        targets=[tree.targets[first_row + i] for i in by_place],
        keep=keep,
        keep_sequence=int(sequences[kept[-1] - start, 0]) if len(kept) else 0,
        block=block,
    )


def _kept(tree: TokenTree, start: int, keep: int, stop: int) -> Ints:
    """Return the nodes of the batch that come before node `stop`, top down; at the end, what all requests begin with."""
    if stop == len(tree):
        return np.arange(start, keep)
    path = []
    node = int(tree.parents[stop])
    while node >= start:
        path.append(node)
        node = int(tree.parents[node])
    return np.asarray(path[::-1], dtype=np.int64)


def _below_rows(ends: Ints, is_row: Ints) -> npt.NDArray[np.bool_]:
    """Return for each node of a batch whether logits are needed after it or after a node above it."""
    change = np.zeros(len(is_row) + 1, dtype=np.int64)
    nodes = np.flatnonzero(is_row)
    np.add.at(change, nodes, 1)
    np.add.at(change, ends[nodes], -1)
    return np.cumsum(change[:-1]) > 0
