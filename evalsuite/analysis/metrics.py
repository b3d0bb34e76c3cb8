"""What each item would have scored under each way of turning log-probabilities into an answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["RAW_METRICS", "SCORINGS", "Choices", "Ragged", "predictions", "rescore", "right_choices"]

SCORINGS = ("acc", "acc_norm", "acc_bytes", "acc_mutual_info")

RAW_METRICS = ("bleu", "chrf", "chrf_pp", "ter")
"""Metrics of a sentence that go from 0 to 100, and are no share of anything."""
"""lm-eval's names: raw log-probability; per character; per UTF-8 byte; minus the log-probability without context."""


_PLACES = {str(place): place for place in range(10)}


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """Rows of unlike length, end to end."""

    flat: NDArray[Any]
    """All values, row by row."""
    counts: NDArray[np.intp]
    """Values of each row; n."""

    @classmethod
    def of(cls, rows: pa.Array | Sequence[Sequence[float]]) -> Ragged:
        """Return lists of numbers; an Arrow list that is null is empty."""
        if not isinstance(rows, pa.Array):
            flat = np.array([value for row in rows for value in row], dtype=np.float64)
            return cls(flat, np.array([len(row) for row in rows], dtype=np.intp))
        counts = pc.fill_null(pc.list_value_length(rows), 0).to_numpy(zero_copy_only=False)
        return cls(rows.flatten().to_numpy(zero_copy_only=False), counts.astype(np.intp))

    def padded(self, width: int, fill: float) -> NDArray[np.float64]:
        """Return the first `width` values of each row, n × `width`; what a row lacks is `fill`."""
        n = len(self.counts)
        if (self.counts == width).all():
            return np.asarray(self.flat.reshape(n, width), dtype=np.float64)
        out = np.full((n, width), fill)
        rows = np.repeat(np.arange(n), self.counts)
        places = np.arange(len(rows)) - np.repeat(self.counts.cumsum() - self.counts, self.counts)
        kept = places < width
        out[rows[kept], places[kept]] = self.flat[kept]
        return out

    def sums(self) -> NDArray[np.float64]:
        """Return the sum of each row; NaN where it is empty. Exact for whole numbers."""
        ends = np.concatenate([[0.0], self.flat.astype(np.float64).cumsum()])[self.counts.cumsum()]
        return np.where(self.counts > 0, np.diff(ends, prepend=0.0), np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """The choices of n items, the longest list of which has `width`, and which of them are right."""

    texts: NDArray[np.object_]
    """A tuple of texts per item; items with the same choices share it."""
    counts: NDArray[np.intp]
    chars: NDArray[np.float64]
    """Characters of each choice, n × width; 1 where an item has no such choice."""
    sizes: NDArray[np.float64]
    """The same in UTF-8 bytes."""
    right: NDArray[np.bool_]
    """n × width."""

    @classmethod
    def of(cls, choices: pa.Array | Sequence[Sequence[str]], targets: Sequence[str]) -> Choices:
        """Return choices, each text of which is looked at once.

        Args:
            choices: Choice texts per item.
            targets: The right choice per item, as `right_choices` reads it.
        """
        lists = choices if isinstance(choices, pa.Array) else pa.array(choices, pa.list_(pa.string()))
        known = pc.dictionary_encode(lists.flatten())
        lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
        codes = Ragged(known.indices.to_numpy(zero_copy_only=False), lengths.astype(np.intp))
        texts = _tuples(known.dictionary.to_pylist(), codes)
        width = int(codes.counts.max(initial=0))
        chars, sizes = (
            Ragged(measure(known.dictionary).to_numpy(zero_copy_only=False)[codes.flat], codes.counts).padded(width, 1)
            for measure in (pc.utf8_length, pc.binary_length)
        )
        return cls(texts, codes.counts, chars, sizes, _right(targets, texts, codes.counts, width))

    @property
    def one_right(self) -> NDArray[np.float64]:
        """Place of the right choice per item; NaN where there is none, or several."""
        single = self.right.sum(axis=1) == 1
        if not single.any():
            return np.full(len(single), np.nan)
        return np.where(single, self.right.argmax(axis=1), np.nan)

    def picked(self, logprobs: Ragged, prior_logprobs: Ragged) -> dict[str, NDArray[np.float64]]:
        """Return the place of the choice that each scoring picks, per item; NaN where a scoring cannot be had."""
        n, width = self.chars.shape
        out = {name: np.full(n, np.nan) for name in SCORINGS}
        # Items of one task may have unlike numbers of choices: what is not there gets -inf and is never picked.
        usable = (self.counts > 0) & (self.counts == logprobs.counts)
        if not usable.any():
            return out
        with_prior = usable & (self.counts == prior_logprobs.counts)
        ll = logprobs.padded(width, -np.inf)
        # lm-eval divides by the length of an empty choice too, and so gets -inf for it.
        with np.errstate(divide="ignore", invalid="ignore"):
            picks = {"acc": ll, "acc_norm": ll / self.chars, "acc_bytes": ll / self.sizes}
            if with_prior.any():
                picks["acc_mutual_info"] = ll - prior_logprobs.padded(width, 0.0)
        for name, values in picks.items():
            known = with_prior if name == "acc_mutual_info" else usable
            out[name] = np.where(known, values.argmax(axis=1), np.nan)
        return out

    def scored(self, logprobs: Ragged, prior_logprobs: Ragged) -> dict[str, NDArray[np.float64]]:
        """Return 1 or 0 per item and scoring; NaN where choices, log-probabilities or the right choice are missing."""
        told = self.right.any(axis=1)
        found: dict[str, NDArray[np.float64]] = {}
        for name, places in self.picked(logprobs, prior_logprobs).items():
            known = told & ~np.isnan(places)
            found[name] = np.full(len(places), np.nan)
            found[name][known] = self.right[known, places[known].astype(np.intp)]
        return found


def predictions(
    choices: Sequence[Sequence[str]],
    logprobs: Sequence[Sequence[float]],
    prior_logprobs: Sequence[Sequence[float]],
) -> dict[str, NDArray[np.float64]]:
    """Return the index of the choice that each scoring picks, per item; NaN where a scoring cannot be had.

    The definitions are lm-eval's (`ConfigurableTask.process_results`): lengths are of the choice text without the
    delimiter that precedes it, and the first choice wins a tie.

    Args:
        choices: Choice texts per item.
        logprobs: Log-likelihood of each choice given the context.
        prior_logprobs: Log-likelihood of each choice with no context; empty where it was not measured.
    """
    made = Choices.of(choices, [""] * len(choices))
    return made.picked(Ragged.of(logprobs), Ragged.of(prior_logprobs))


def right_choices(target: str, choices: Sequence[str]) -> frozenset[int]:
    """Return the indices of the right choices: an index, a JSON list of indices, or a choice's own text."""
    text = target.strip()
    if text in choices and not text.isdecimal():
        return frozenset({list(choices).index(text)})
    try:
        # Nearly all targets are one digit.
        value = _PLACES[text] if text in _PLACES else json.loads(text)
    except ValueError:
        return frozenset()
    found = value if isinstance(value, list) else [value]
    return frozenset(i for i in found if type(i) is int and 0 <= i < len(choices))


def _right(
    targets: Sequence[str], texts: NDArray[np.object_], counts: NDArray[np.intp], width: int
) -> NDArray[np.bool_]:
    """Return which choices are right, n × width: what `right_choices` says of each item."""
    right = np.zeros((len(texts), width), dtype=np.bool_)
    places = np.array([_PLACES.get(target, -1) for target in targets], dtype=np.intp)
    # Nearly all targets are one digit, which needs no look at the choices.
    told = np.flatnonzero((places >= 0) & (places < counts))
    right[told, places[told]] = True
    for i in np.flatnonzero(places < 0).tolist():
        right[i, sorted(right_choices(targets[i], texts[i]))] = True
    return right


def rescore(
    choices: Sequence[Sequence[str]],
    targets: Sequence[str],
    logprobs: Sequence[Sequence[float]],
    prior_logprobs: Sequence[Sequence[float]],
) -> dict[str, NDArray[np.float64]]:
    """Return 1 or 0 per item and scoring; NaN where choices, log-probabilities or the right choice are missing."""
    return Choices.of(choices, targets).scored(Ragged.of(logprobs), Ragged.of(prior_logprobs))


def _tuples(words: list[str], codes: Ragged) -> NDArray[np.object_]:
    """Return a tuple of words per row of their places; equal rows share one."""
    n = len(codes.counts)
    out = np.empty(n, dtype=object)
    width = int(codes.counts.max(initial=0))
    rows = codes.flat.reshape(n, -1) if n and (codes.counts == width).all() else None
    # Many tasks offer every item the same choices.
    if rows is not None and (rows == rows[:1]).all():
        same = tuple(words[code] for code in rows[0].tolist())
        out[:] = [same] * n
        return out
    alike: dict[tuple[str, ...], tuple[str, ...]] = {}
    flat = [words[code] for code in codes.flat.tolist()]
    ends = codes.counts.cumsum().tolist()
    for i, (size, end) in enumerate(zip(codes.counts.tolist(), ends, strict=True)):
        key = tuple(flat[end - size : end])
        out[i] = alike.setdefault(key, key)
    return out
