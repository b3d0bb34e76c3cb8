"""What the validation of the statistics draws from, and how it prints rates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from scipy import stats

from evalsuite.stats import mcnemar_exact

Array = np.ndarray[Any, np.dtype[np.float64]]


class Bench:
    """How many samples, and where they come from."""

    def __init__(self, *, quick: bool) -> None:
        self._part = 10 if quick else 1
        self.rng = np.random.default_rng(20260101)

    def times(self, count: int) -> int:
        """Return how many samples to draw of a planned count."""
        return max(20, count // self._part)


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table under a heading."""
    print(f"\n**{title}**\n")
    print("| " + " | ".join(header) + " |")
    print("|" + " --- |" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


def covered(rate: float) -> str:
    """Return a coverage in per cent, marked where it is outside 94 to 96."""
    text = f"{100 * rate:.1f}"
    return f"**{text}**" if float(text) < 94 else f"*{text}*" if float(text) > 96 else text


def rate(value: float) -> str:
    """Return a rate in per cent."""
    return f"{100 * value:.1f}"


def holds(found: Any, truth: float) -> bool:
    """Return whether an interval holds the truth; one that is missing does not."""
    return found.low is not None and found.high is not None and found.low <= truth <= found.high


def pair_cells(first: float, second: float, phi: float) -> tuple[float, float, float, float]:
    """Return the shares of items right on both sides, the first only, the second only, neither."""
    both = first * second + phi * math.sqrt(first * (1 - first) * second * (1 - second))
    both = min(both, first, second)
    return both, first - both, second - both, 1 - first - second + both


def real_scores(bench: Bench) -> dict[str, tuple[Callable[[int, int], Array], float]]:
    """Return kinds of scores: how to draw samples × items, and their mean."""
    rng = bench.rng

    def sparse(zeros: float) -> Callable[[int, int], Array]:
        return lambda r, n: np.where(rng.random((r, n)) < zeros, 0.0, rng.beta(2, 2, (r, n)))

    return {
        "chrF-like, beta(4, 5)": (lambda r, n: rng.beta(4, 5, (r, n)), 4 / 9),
        "F1, 60 % zeros": (sparse(0.6), 0.2),
        "F1, 90 % zeros": (sparse(0.9), 0.05),
        "times, log-normal": (lambda r, n: rng.lognormal(0, 1, (r, n)), math.exp(0.5)),
    }


def cluster_sample(bench: Bench, m: int, size: int, p: float, icc: float) -> tuple[Array, list[int]]:
    """Return scores of 0 and 1 in clusters of unequal size, and the clusters."""
    sizes = 1 + bench.rng.poisson(size - 1, m)
    k = (1 - icc) / icc if icc else 0.0
    levels = bench.rng.beta(p * k, (1 - p) * k, m) if icc else np.full(m, p)
    names = np.repeat(np.arange(m), sizes)
    return (bench.rng.random(names.size) < levels[names]).astype(float), [int(i) for i in names]


def cluster_pair(bench: Bench, m: int, shares: tuple[float, float], apart: float) -> tuple[Array, Array, list[int]]:
    """Return two vectors of 0 and 1; `apart` is the part of the latent variance that each side shares in a cluster."""
    rng = bench.rng
    names = np.repeat(np.arange(m), 1 + rng.poisson(7, m))
    common, item = rng.normal(size=m)[names] * math.sqrt(0.2), rng.normal(size=names.size) * math.sqrt(0.2)
    own = [rng.normal(size=m)[names] * math.sqrt(apart) for _ in shares]
    rest = math.sqrt(0.6 - apart)
    limits = stats.norm.ppf(shares)
    a, b = (
        (common + item + o + rest * rng.normal(size=names.size) < x).astype(float)
        for o, x in zip(own, limits, strict=True)
    )
    return a, b, [int(i) for i in names]


def family(bench: Bench, real: int) -> tuple[list[float], Array]:
    """Return the p-values of 24 gaps, and which of them are nothing."""
    rng, n = bench.rng, 200
    easy = rng.normal(size=n)
    p, null = [], []
    for _ in range(4):
        reference = easy + rng.normal(size=n) < 0.3
        for _ in range(6):
            shift = 0.6 if len(p) < real else 0.0
            side = easy + rng.normal(size=n) + shift < 0.3
            p.append(mcnemar_exact(int((side & ~reference).sum()), int((~side & reference).sum())))
            null.append(shift == 0)
    return p, np.array(null)
