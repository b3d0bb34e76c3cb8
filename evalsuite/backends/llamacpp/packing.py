"""Plans which token is evaluated when: requests that share a beginning share its tokens (pure, no engine in it).

Every request is a path of tokens from a common root. Paths that begin alike run together in a tree, each tree token is
evaluated once, and every leaf of the tree is one sequence of the engine's cache. A request's last token is never
evaluated: nothing is predicted from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

__all__ = ["Batch", "PackLimits", "ScoreRequest", "pack"]


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
class PackLimits:
    """What one batch may hold."""

    tokens: int
    """Tree tokens, which are also cells of the cache."""
    sequences: int
    rows: int
    """Tokens whose logits are asked for; bounds the memory for logits."""


@dataclass(slots=True)
class Batch:
    """Tree tokens in an order in which every token comes after its parent."""

    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    sequences: list[list[int]] = field(default_factory=list)
    """Sequences that each token belongs to."""
    predicts: list[bool] = field(default_factory=list)
    """Whether logits are needed after this token."""
    requests: list[tuple[int, list[tuple[int, int]]]] = field(default_factory=list)
    """(index of the request, its (batch token, predicted token) pairs)."""
    n_sequences: int = 0


class _Tree:
    """A batch while it is filled."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.positions: list[int] = []
        self.parents: list[int] = []
        self.children: list[dict[int, int]] = []
        self.roots: dict[int, int] = {}
        self.predicts: set[int] = set()
        self.leaves: set[int] = set()
        self.requests: list[tuple[int, list[tuple[int, int]]]] = []

    def cost(self, request: ScoreRequest) -> tuple[int, int, int]:
        """Return how many tokens, sequences and rows `request` would add."""
        path = request.tokens[:-1]
        node, shared = self._walk(path)
        new_rows = sum(
            1
            for depth in range(request.scored_from - 1, len(path))
            if depth >= shared or node[depth] not in self.predicts
        )
        ends_on_leaf = shared > 0 and node[shared - 1] in self.leaves
        new_sequences = int(shared < len(path) and not ends_on_leaf)
        return len(path) - shared, new_sequences, new_rows

    def _walk(self, path: Sequence[int]) -> tuple[list[int], int]:
        nodes: list[int] = []
        level = self.roots
        for token in path:
            found = level.get(token)
            if found is None:
                break
            nodes.append(found)
            level = self.children[found]
        return nodes, len(nodes)

    def add(self, index: int, request: ScoreRequest) -> None:
        path = request.tokens[:-1]
        nodes, shared = self._walk(path)
        for depth in range(shared, len(path)):
            parent = nodes[-1] if nodes else -1
            node = len(self.tokens)
            self.tokens.append(path[depth])
            self.positions.append(depth)
            self.parents.append(parent)
            self.children.append({})
            (self.children[parent] if parent >= 0 else self.roots)[path[depth]] = node
            self.leaves.discard(parent)
            nodes.append(node)
        if shared < len(path):
            self.leaves.add(nodes[-1])
        pairs = [(nodes[i - 1], request.tokens[i]) for i in range(request.scored_from, len(request.tokens))]
        self.predicts.update(node for node, _ in pairs)
        self.requests.append((index, pairs))

    def batch(self) -> Batch:
        sequences: list[list[int]] = [[] for _ in self.tokens]
        for sequence, leaf in enumerate(sorted(self.leaves)):
            node = leaf
            while node >= 0:
                sequences[node].append(sequence)
                node = self.parents[node]
        # A node is made after its parent, so the order of making is an order to evaluate in.
        return Batch(
            tokens=self.tokens,
            positions=self.positions,
            sequences=sequences,
            predicts=[node in self.predicts for node in range(len(self.tokens))],
            requests=self.requests,
            n_sequences=len(self.leaves),
        )


def pack(requests: Sequence[ScoreRequest], limits: PackLimits, *, share: bool = True) -> Iterator[Batch]:
    """Yield batches that together answer all `requests`, in their order.

    Args:
        requests: What to score.
        limits: What one batch may hold. A request that is longer than `limits.tokens` by itself gets a batch of its own.
        share: Whether requests may share tokens; otherwise each gets a batch of its own (models with a recurrent state).
    """
    tree = _Tree()
    for index, request in enumerate(requests):
        tokens, sequences, rows = tree.cost(request)
        full = (
            len(tree.tokens) + tokens > limits.tokens
            or len(tree.leaves) + sequences > limits.sequences
            or len(tree.predicts) + rows > limits.rows
        )
        if tree.requests and (full or not share):
            yield tree.batch()
            tree = _Tree()
        tree.add(index, request)
    if tree.requests:
        yield tree.batch()
