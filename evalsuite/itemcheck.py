"""Checks the items of a task as texts: doubles, answers given away, guessers that need no model, encoding and language."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from evalsuite.errors import InputError
from evalsuite.harness import Item
from evalsuite.records import Task
from evalsuite.texts.identify import OTHER, identify

__all__ = ["GUESSERS", "Guess", "guesses", "is_odd", "text_faults"]

_GUESSER_P = 0.01
"""A guesser is better than chance below this, divided by the number of guessers."""
_STEM = 5
"""Letters by which words are compared, so that endings do not matter."""
_SHORT_WORD = 3
_WRONG_LANGUAGE = 0.03
"""Share of texts that an identifier may take for another language: it errs on short ones (docs/texts.md)."""
_SHOWN = 5
_ENOUGH = 2000
"""Characters of a text from which its language can be told."""
_OFTEN_TAKEN_FOR = ("en", "es", "pt", "ca", "gl", "eu", "ja", "fr", "it")
_MOJIBAKE = re.compile("[ÃÂ][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€|ã[\u0080-\u00bf]")
"""UTF-8 that was read as Windows-1252 or Latin-1."""


@dataclass(frozen=True)
class Guess:
    """What a guesser without a model gets right."""

    name: str
    score: float
    """Share of items, ties shared; 0 to 1."""
    chance: float
    n: int
    p: float
    """One-sided exact binomial test of no more than chance; ties are rounded to whole items."""

    @property
    def better_than_chance(self) -> bool:
        return self.p < _GUESSER_P / len(GUESSERS)


def guesses(items: Sequence[Item], *, spaced: bool) -> list[Guess]:
    """Return what each guesser gets on items with several choices, of which one is known to be right.

    Args:
        items: Of one task.
        spaced: Whether the language writes spaces between words; without them, pairs of letters are compared.
    """
    from scipy import stats

    known = [item for item in items if item.gold is not None and 1 < len(item.choices) > item.gold]
    if not known:
        return []
    chance = sum(1 / len(item.choices) for item in known) / len(known)
    found = []
    for name, value in GUESSERS.items():
        score = sum(_share(item, value, spaced=spaced) for item in known)
        p = float(stats.binomtest(round(score), len(known), chance, alternative="greater").pvalue)
        found.append(Guess(name, score / len(known), chance, len(known), p))
    return found


def text_faults(task: Task, items: Sequence[Item], *, spaced: bool) -> Iterator[tuple[str, str]]:
    """Return what is wrong with a task's texts: a code, which `metadata.accept` may name, and what was found.

    For items that one can mend: the project's own, or a user's.
    """
    yield from _doubles(items)
    yield from _encoding(items)
    yield from _named_answers(items, spaced=spaced)
    for guess in guesses(items, spaced=spaced):
        if guess.better_than_chance:
            told = f"taking the option that is {guess.name} gets {guess.score:.0%} of {guess.n} items"
            yield "guesser", f"{told}, where chance is {guess.chance:.0%} (p {guess.p:.1g})"
    yield from _languages(task, items)


def _share(item: Item, value: Callable[[str, str, bool], float], *, spaced: bool) -> float:
    """Return the guesser's expected score on an item: equal options share it."""
    values = [value(choice, item.context, spaced) for choice in item.choices]
    best = [place for place, one in enumerate(values) if one == max(values)]
    return (item.gold in best) / len(best)


def _overlap(choice: str, context: str, spaced: bool) -> float:  # noqa: FBT001  # the guessers share a signature
    words = _words(choice, spaced=spaced)
    return len(words & _words(context, spaced=spaced)) / max(1, len(words))


GUESSERS: Mapping[str, Callable[[str, str, bool], float]] = {
    "the longest": lambda choice, _context, _spaced: len(choice),
    "the shortest": lambda choice, _context, _spaced: -len(choice),
    "most like the text": _overlap,
    "least like the text": lambda choice, context, spaced: -_overlap(choice, context, spaced),
}
"""By what they take: the length of an option, or the share of its words that stand in the prompt."""


@lru_cache(maxsize=64)  # a document is compared with each of its options
def _words(text: str, *, spaced: bool) -> frozenset[str]:
    text = text.casefold()
    if spaced:
        return frozenset(word[:_STEM] for word in re.findall(r"\w+", text) if len(word) > _SHORT_WORD)
    pairs = (text[place : place + 2] for place in range(len(text) - 1))
    return frozenset(pair for pair in pairs if pair.isalnum())


def _doubles(items: Sequence[Item]) -> Iterator[tuple[str, str]]:
    seen: dict[tuple[object, ...], str] = {}
    for item in items:
        key = tuple(" ".join(text.casefold().split()) for text in (item.context, *sorted(item.choices)))
        if key in seen:
            yield "double", f"items {seen[key]} and {item.id} ask the same"
        seen.setdefault(key, item.id)


def _encoding(items: Sequence[Item]) -> Iterator[tuple[str, str]]:
    for item in items:
        for text in (item.context, *item.choices, item.target):
            broken = _MOJIBAKE.search(text)
            if broken:
                yield "encoding", f"item {item.id}: {broken[0]!r} looks like text that was read in the wrong encoding"
            if unicodedata.normalize("NFC", text) != text:
                yield "encoding", f"item {item.id}: not in Unicode's normal form C: {text[:40]!r}"
            odd = next(filter(is_odd, text), None)
            if odd:
                yield "encoding", f"item {item.id}: holds the character U+{ord(odd):04X}"


def is_odd(letter: str) -> bool:
    """Return whether a character has no place in a prompt: invisible, private, unassigned, or standing for a lost one."""
    return letter not in "\n\t" and (unicodedata.category(letter) in {"Cc", "Cf", "Co", "Cn"} or letter == "\ufffd")


def _named_answers(items: Sequence[Item], *, spaced: bool) -> Iterator[tuple[str, str]]:
    """Where all items have the same choices, as categories, none of them may be named by the item itself."""
    if len({item.choices for item in items}) != 1:
        return
    # The frame of the prompt is in every item; what is in one of them only is the item's own text.
    frame = Counter(word for item in items for word in set(re.findall(r"\w+", item.context.casefold())))
    common = {word for word, count in frame.items() if count == len(items)} if len(items) > 1 else set()
    found = []
    for item in items:
        text = item.context.casefold()
        for choice in item.choices:
            name = choice.strip().casefold()
            if name in common or (spaced and len(name) < 2):
                continue
            if re.search(rf"(?<!\w){re.escape(name)}(?!\w)" if spaced else re.escape(name), text):
                found.append((item.id, choice.strip()))
    if found:
        shown = ", ".join(f"{name!r} in {id_}" for id_, name in found[:_SHOWN])
        yield "leak", f"{len({id_ for id_, _ in found})} of {len(items)} texts name a choice, such as {shown}"


def _languages(task: Task, items: Sequence[Item]) -> Iterator[tuple[str, str]]:
    """Each text must be in the task's language as far as an identifier can tell; a translation in its target language."""
    wanted = task.answer_language or task.language
    texts = [item.target if task.answer_language else _told(item) for item in items]
    try:
        found = identify(texts, tuple(dict.fromkeys((wanted, *_OFTEN_TAKEN_FOR))))
    except InputError:
        return  # a language that the identifier does not know
    judged = [hit for hit in found if hit.code is not None]
    wrong = [(item, hit) for item, hit in zip(items, found, strict=True) if hit.code not in (None, wanted)]
    if len(wrong) > max(1, _WRONG_LANGUAGE * len(judged)):
        shown = ", ".join(f"{item.id} ({'another' if hit.code == OTHER else hit.code})" for item, hit in wrong[:_SHOWN])
        yield "language", f"{len(wrong)} of {len(judged)} texts look like another language than {wanted}: {shown}"


def _told(item: Item) -> str:
    """Return an item's own running text: a sentence pair has no context, a category is no sentence."""
    return (item.context if item.context.strip() else " ".join(item.choices))[:_ENOUGH]
