"""The token tree of many requests: what they begin alike with stands in it once (pure, no engine in it)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["Blocks", "ScoreRequest", "TokenTree", "grow"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Tokens of which those from `scored_from` on are scored, each given all before it.

    Raises:
        ValueError: Nothing comes before the first scored token, or nothing is scored.
    """

    tokens: tuple[int, ...]
    scored_from: int

    def __post_init__(self) -> None:
        if not 0 < self.scored_from < len(self.tokens):
            raise ValueError(
                f"a request needs at least one token before the scored ones and one scored; "
                f"it has {len(self.tokens)} tokens, scored from {self.scored_from}"
            )


@dataclass(frozen=True, slots=True)
class Blocks:
    """The beginning of a long request goes in blocks of equal size, each of which is evaluated with nothing beside it.

    How much of a request does depends on its own length alone, so that its company changes nothing.
    """

    size: int
    """Tokens of a block."""
    least: int
    """Tokens before the scored ones from which on a request has blocks."""
    left: int
    """Tokens before the scored ones that are in no block, at least: what a document's questions differ in, and more."""

    def of(self, before: int) -> int:
        """Return how many tokens lie in blocks, of a request with so many `before` the scored ones."""
        return 0 if before < self.least else max(0, before - self.left) // self.size * self.size


@dataclass(frozen=True)
class TokenTree:
    """A forest of tokens, depth first: a token's descendants follow it without a gap.

    Nodes are numbered in that order; arrays of nodes have shape (nodes,). A *prediction* is a node and a token whose
    probability after it is wanted; equal predictions of several requests are one.
    """

    tokens: Ints
    positions: Ints
    """Depth of each node, from 0."""
    parents: Ints
    """Node before each node; −1 at the beginning of a request."""
    ends: Ints
    """The first node that is no descendant."""
    predicting: Ints
    """Nodes after which logits are needed, ascending."""
    targets: list[list[tuple[int, int]]]
    """(predicted token, number of the prediction) for each of `predicting`."""
    requests: list[list[int]]
    """For each request, the numbers of its predictions, in the order of its scored tokens."""
    predictions: int
    """How many there are."""
    blocked: npt.NDArray[np.bool_]
    """Whether each node lies in a block. A block is a path without a branch, and something always follows it."""

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(slots=True)
class _Edge:
    """Tokens in a row without a branch: `tokens[start:end]` of the request that first had them."""

    tokens: tuple[int, ...]
    start: int
    end: int
    children: dict[Hashable, _Edge] = field(default_factory=dict)
    wanted: dict[int, dict[int, int]] = field(default_factory=dict)
    """Depth → predicted token → number of the prediction."""
    block: bool = False

    def split(self, depth: int) -> None:
        """Cut the edge in two; what is from `depth` on becomes its only child."""
        lower = _Edge(self.tokens, depth, self.end, self.children)
        lower.wanted = {d: targets for d, targets in self.wanted.items() if d >= depth}
        self.wanted = {d: targets for d, targets in self.wanted.items() if d < depth}
        self.children = {self.tokens[depth]: lower}
        self.end = depth


def grow(requests: Sequence[ScoreRequest], *, share: bool = True, blocks: Blocks | None = None) -> TokenTree:
    """Return the tree of all `requests`, branches in the order in which they first come.

    A request's last token is not in it: nothing is predicted from it.

    Args:
        requests: What to score.
        share: Whether different requests may share tokens. Equal ones always do.
        blocks: Which beginnings go in blocks; requests that may not share have none. A block is shared as a whole.
    """
    roots: dict[Hashable, _Edge] = {}
    numbers: list[list[int]] = []
    count = 0
    for request in requests:
        edges = _insert(roots, request, share=share, blocks=blocks if share else None)
        own: list[int] = []
        place = 0
        for index in range(request.scored_from, len(request.tokens)):
            while edges[place].end < index:
                place += 1
            targets = edges[place].wanted.setdefault(index - 1, {})
            number = targets.setdefault(request.tokens[index], count)
            count += number == count
            own.append(number)
        numbers.append(own)
    return _flatten(roots, numbers, count)


def _insert(roots: dict[Hashable, _Edge], request: ScoreRequest, *, share: bool, blocks: Blocks | None) -> list[_Edge]:
    """Put a request's tokens into the tree; return the edges that spell them."""
    path = request.tokens[:-1]
    level, edges, depth = roots, [], 0
    if blocks is not None:
        for end in range(blocks.size, blocks.of(request.scored_from) + 1, blocks.size):
            # Its name is all of its tokens: what is read token by token is never taken for a block, nor cut out of one.
            edge = level.setdefault(path[depth:end], _Edge(path, depth, end, block=True))
            edges.append(edge)
            level, depth = edge.children, end
    key: Hashable = path[depth] if share else request
    while depth < len(path):
        found = level.get(key)
        if found is None:
            level[key] = edge = _Edge(path, depth, len(path))
        else:
            edge = found
            common = _common(edge.tokens, path, depth, min(edge.end, len(path)))
            # A request that ends within an edge needs no cut: what follows is no business of its own.
            if common < edge.end and common < len(path):
                edge.split(common)
        edges.append(edge)
        depth = edge.end
        level = edge.children
        if depth < len(path):
            key = path[depth]
    return edges


def _common(left: tuple[int, ...], right: tuple[int, ...], start: int, end: int) -> int:
    """Return up to where `left[start:end]` and `right[start:end]` are equal; the first tokens are known to be."""
    if left[start:end] == right[start:end]:
        return end
    low, high = start, end
    while high - low > 1:
        middle = (low + high) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle
    return low


def _flatten(roots: dict[Hashable, _Edge], numbers: list[list[int]], count: int) -> TokenTree:
    tokens: list[int] = []
    positions: list[int] = []
    parents: list[int] = []
    opened: list[tuple[int, int]] = []
    spans: list[tuple[int, int, int]] = []
    predicting: list[int] = []
    targets: list[list[tuple[int, int]]] = []
    blocked: list[bool] = []
    # Entries are (edge, node before it), or (None, its span) once all below an edge is done.
    todo: list[tuple[_Edge | None, int]] = [(edge, -1) for edge in reversed(roots.values())]
    while todo:
        edge, before = todo.pop()
        if edge is None:
            first, size = opened[before]
            spans.append((first, size, len(tokens)))
            continue
        first, size = len(tokens), edge.end - edge.start
        tokens += edge.tokens[edge.start : edge.end]
        positions += range(edge.start, edge.end)
        blocked += [edge.block] * size
        parents += [before, *range(first, first + size - 1)]
        for depth in sorted(edge.wanted):
            predicting.append(first + depth - edge.start)
            targets.append(list(edge.wanted[depth].items()))
        opened.append((first, size))
        todo.append((None, len(opened) - 1))
        todo += [(child, first + size - 1) for child in reversed(edge.children.values())]
    ends = np.empty(len(tokens), dtype=np.int64)
    for first, size, end in spans:
        ends[first : first + size] = end
    return TokenTree(
        tokens=np.asarray(tokens, dtype=np.int64),
        positions=np.asarray(positions, dtype=np.int64),
        parents=np.asarray(parents, dtype=np.int64),
        ends=ends,
        predicting=np.asarray(predicting, dtype=np.int64),
        targets=targets,
        requests=numbers,
        predictions=count,
        blocked=np.asarray(blocked, dtype=np.bool_),
    )
