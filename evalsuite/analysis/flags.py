"""Flags on results that a broken prompt or a broken log-likelihood would look like, from the table of scores alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from evalsuite.analysis.rows import ALPHA, AnswerSpread, ScoreRow
from evalsuite.records import PromptForm
from evalsuite.stats.binomial import at_least
from evalsuite.stats.corrections import holm

__all__ = ["Flag", "FlagKind", "Seen", "find_flags", "items_needed"]

_NEARLY_ALL = 0.9
_FEWEST_ANSWERS = 20
"""Below this, answers may be alike by accident."""
_MOST_ITEMS = 10_000
"""No larger item count is looked at to find one that is enough."""

_Key = tuple[str, str, PromptForm]
"""Model, group, prompt form."""


class FlagKind(StrEnum):
    """What was seen, the gravest first. The last is a limit of the data and no suspicion."""

    MODEL_AT_CHANCE = "model_at_chance"
    """In no language of any of its groups is the model shown to be better than guessing."""
    AT_CHANCE = "at_chance"
    """In no language of one group is the model shown to be better than guessing."""
    SAME_ANSWER = "same_answer"
    """Nearly all items get one and the same option as their answer."""
    SAME_PLACE = "same_place"
    """Nearly all items get the option at one place as their answer, though the options differ."""
    TOO_FEW_ITEMS = "too_few_items"
    """Not shown to be better than guessing, but a model that clearly is would not have been shown to be, either."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a flag rests on in one cell; shares are 0 to 1, of items."""

    task: str
    group: str
    language: str
    items: int
    """Items with a score; for flags on answers, items with an answer."""
    score: float | None
    chance: float | None
    above_chance: bool | None
    """What the table of scores says of this language alone, uncorrected."""
    p_holm: float | None = None
    """One-sided p of guessing, corrected over the languages of the group; none for flags on answers."""
    answer: str | None = None
    """The option that nearly all items got; none for other flags."""
    place: int | None = None
    """The place, from 0, that nearly all items got; none for other flags."""
    share: float | None = None
    """Share of items that got it."""
    right_share: float | None = None
    """Share of items for which it is right."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One thing that must be looked at before a model's scores on a group are used."""

    kind: FlagKind
    model: str
    form: PromptForm
    groups: tuple[str, ...]
    """One group, but for `MODEL_AT_CHANCE`."""
    seen: tuple[Seen, ...]
    others: tuple[str, ...] | None = None
    """Other models that the same test shows to be better than guessing on these groups; none where no other model was
    tested on them, and for flags on answers."""
    items_needed: int | None = None
    """Items in each language that would be enough to tell; for `TOO_FEW_ITEMS` only."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages in which it was seen, in the order of the tables."""
        return tuple(dict.fromkeys(s.language for s in self.seen))


@dataclass(frozen=True, slots=True)
class _Test:
    """The test of guessing over all languages of one group."""

    seen: tuple[Seen, ...]
    shown: bool
    """Whether at least one language is shown to be better than guessing."""
    needed: int | None
    enough: bool


def find_flags(rows: Iterable[ScoreRow]) -> tuple[Flag, ...]:
    """Return the flags of a table of scores, the gravest first.

    Guessing is tested for each model × group × prompt form over the languages that have scores: an exact one-sided
    binomial test of each against the task's chance level, corrected by Holm over these languages. Groups without a
    chance level between 0 and 1, or with scores other than 0 and 1, are left out.
    """
    cells: dict[_Key, list[ScoreRow]] = {}
    for row in rows:
        if row.estimate.value is not None:
            cells.setdefault((row.model, row.group, row.form), []).append(row)
    tests = {key: _test(same) for key, same in cells.items() if all(_is_testable(r) for r in same)}
    found = [*_at_chance(tests), *(flag for key, same in cells.items() for flag in _answers(key, same))]
    order = list(FlagKind)
    return tuple(sorted(found, key=lambda flag: order.index(flag.kind)))


@lru_cache(maxsize=256)
def items_needed(chance: float, languages: int) -> int | None:
    """Return from how many items per language on the test of guessing can tell; none above 10 000.

    It can tell where it rejects guessing for a model that gets exactly the share right that a model at twice the chance
    level is expected to; halfway between chance and all right where that is less (chance above 1/3). The smallest p of
    several languages is compared with the first step of Holm's correction, as if one language alone were above chance.

    Args:
        chance: Expected score of a guesser, between 0 and 1.
        languages: Number of languages that are tested together.
    """
    import numpy as np

    n = np.arange(1, _MOST_ITEMS + 1)
    share = min(2 * chance, (1 + chance) / 2)
    # A whole number of items that rounding left just below itself must not lose one.
    right = np.floor(share * n + 1e-9)
    fails = np.flatnonzero(at_least(right, n, chance) * languages >= ALPHA)
    # Counts are whole, so that p jumps up and down with n: what counts is the last item count that cannot tell.
    needed = int(n[fails[-1]]) + 1 if fails.size else 1
    return needed if needed <= _MOST_ITEMS else None


def _is_testable(row: ScoreRow) -> bool:
    # A guesser's answers are independent, also where the items are not, so that clusters do not matter here.
    return row.chance is not None and 0 < row.chance < 1 and row.binary


def _test(rows: Sequence[ScoreRow]) -> _Test:
    levels = [(r.estimate.n, r.estimate.value or 0.0, r.chance or 0.0) for r in rows]
    corrected = holm([float(at_least(round(value * n), n, chance)) for n, value, chance in levels])
    needed = [(n, items_needed(chance, len(rows))) for n, _, chance in levels]
    known = [most for _, most in needed if most is not None]
    return _Test(
        seen=tuple(replace(_seen(row), p_holm=p) for row, p in zip(rows, corrected, strict=True)),
        shown=any(p is not None and p < ALPHA for p in corrected),
        needed=max(known) if len(known) == len(needed) else None,
        enough=any(most is not None and n >= most for n, most in needed),
    )


def _at_chance(tests: Mapping[_Key, _Test]) -> list[Flag]:
    flags = []
    for model, form in dict.fromkeys((model, form) for model, _, form in tests):
        own = {group: test for (m, group, f), test in tests.items() if (m, f) == (model, form)}
        unshown = {group: test for group, test in own.items() if not test.shown}
        suspect = tuple(group for group, test in unshown.items() if test.enough)
        # One flag for the whole model says more than one for each of its groups.
        whole = len(suspect) == len(own) > 1
        kind = FlagKind.MODEL_AT_CHANCE if whole else FlagKind.AT_CHANCE
        flags += [
            Flag(
                kind=kind,
                model=model,
                form=form,
                groups=groups,
                seen=tuple(seen for group in groups for seen in own[group].seen),
                others=_others(tests, model, groups),
            )
            for groups in ([suspect] if whole else [(group,) for group in suspect])
        ]
        flags += [
            Flag(FlagKind.TOO_FEW_ITEMS, model, form, (group,), test.seen, items_needed=test.needed)
            for group, test in unshown.items()
            if not test.enough
        ]
    return flags


def _others(tests: Mapping[_Key, _Test], model: str, groups: tuple[str, ...]) -> tuple[str, ...] | None:
    # What was not shown on too few items says nothing about the other model.
    told = [
        (m, t.shown) for (m, group, _), t in tests.items() if m != model and group in groups and (t.shown or t.enough)
    ]
    return tuple(dict.fromkeys(m for m, shown in told if shown)) if told else None


def _answers(key: _Key, rows: Sequence[ScoreRow]) -> list[Flag]:
    model, group, form = key
    found: dict[FlagKind, list[Seen]] = {FlagKind.SAME_ANSWER: [], FlagKind.SAME_PLACE: []}
    for row in rows:
        s = row.spread
        if s is None or s.n < _FEWEST_ANSWERS:
            continue
        # Where all items offer the same options the two are the same thing, and it is said once.
        if _is_constant(s, s.answer_share, s.answer_right):
            same = replace(_seen(row), answer=s.answer, share=s.answer_share, right_share=s.answer_right)
            found[FlagKind.SAME_ANSWER].append(replace(same, items=s.n))
        elif _is_constant(s, s.place_share, s.place_right):
            same = replace(_seen(row), place=s.place, share=s.place_share, right_share=s.place_right)
            found[FlagKind.SAME_PLACE].append(replace(same, items=s.n))
    return [Flag(kind, model, form, (group,), tuple(seen)) for kind, seen in found.items() if seen]


def _is_constant(spread: AnswerSpread, share: float, right: float | None) -> bool:
    # Right answers that nearly all are one option explain answers that are: a good model gives them too.
    if share < _NEARLY_ALL or right is None:
        return False
    return bool(at_least(round(share * spread.n), spread.n, right) < ALPHA)


def _seen(row: ScoreRow) -> Seen:
    return Seen(
        task=row.task,
        group=row.group,
        language=row.language,
        items=row.estimate.n,
        score=row.estimate.value,
        chance=row.chance,
        above_chance=row.above_chance,
    )
