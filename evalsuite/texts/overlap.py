"""How far an answer agrees with the right ones: exact match, token F1, and the F1 of extracted entities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evalsuite.errors import InputError
from evalsuite.texts.normalise import answer_key
from evalsuite.texts.norms import Norms

__all__ = ["EntityScores", "entity_scores", "exact_match", "key_tokens", "micro_f1", "token_f1"]


@dataclass(frozen=True, slots=True)
class EntityScores:
    """One item's extraction: true positives, false positives, false negatives, and their F1 (0 to 1)."""

    tp: int
    fp: int
    fn: int

    @property
    def f1(self) -> float:
        """2·tp / (2·tp + fp + fn); 1 if there was nothing to find and nothing was found."""
        return _f1(self.tp, self.fp, self.fn)


def key_tokens(text: str, norms: Norms) -> list[str]:
    """Return the tokens of an answer's key: words, or characters if the language has no spaces between words.

    Characters are the tokens of JSQuAD's F1 (Kurihara et al., 2022). MLQA's mixed segmentation splits Han characters
    only and would leave a run of kana as one token. Words in Latin letters within Japanese count by the letter.
    """
    key = answer_key(text, norms)
    return key.split() if norms.spaced else list(key)


def exact_match(prediction: str, golds: Sequence[str], norms: Norms) -> float:
    """Return 1.0 if the prediction's key is that of a right answer, else 0.0.

    Raises:
        InputError: There is no right answer.
    """
    _check(golds)
    key = answer_key(prediction, norms)
    return float(any(key == answer_key(gold, norms) for gold in golds))


def token_f1(prediction: str, golds: Sequence[str], norms: Norms) -> float:
    """Return the highest F1 (0 to 1) between the prediction's tokens and those of a right answer.

    Tokens are counted as multisets, as in SQuAD (Rajpurkar et al., 2016). If one side has no tokens, the score is 1 if
    the other has none either, else 0, as in SQuAD 2.0.

    Raises:
        InputError: There is no right answer.
    """
    _check(golds)
    given = Counter(key_tokens(prediction, norms))
    return max(_bag_f1(given, Counter(key_tokens(gold, norms))) for gold in golds)


def entity_scores(predicted: Iterable[tuple[str, str]], gold: Iterable[tuple[str, str]]) -> EntityScores:
    """Return how the (type, text) pairs that were found agree with the right ones.

    Pairs are compared as sets, as they are: a pair that is named twice counts once. Where case or articles shall not
    count, make keys of the texts first (`answer_key`).
    """
    found, right = set(predicted), set(gold)
    return EntityScores(tp=len(found & right), fp=len(found - right), fn=len(right - found))


def micro_f1(items: Iterable[EntityScores]) -> float:
    """Return the F1 over the counts of all items together (0 to 1); 1 if nothing was to be found and nothing was."""
    scores = list(items)
    return _f1(sum(s.tp for s in scores), sum(s.fp for s in scores), sum(s.fn for s in scores))


def _f1(tp: int, fp: int, fn: int) -> float:
    return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 1.0


def _bag_f1(given: Counter[str], right: Counter[str]) -> float:
    common = (given & right).total()
    return _f1(common, given.total() - common, right.total() - common)


def _check(golds: Sequence[str]) -> None:
    if isinstance(golds, str) or not golds:
        raise InputError(
            f"golds: {golds!r} is no list of right answers", fix="give at least one right answer, in a list"
        )
