"""The part of the report that shows single items: what was put to the models, and what they answered, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import escape

from evalsuite.analysis.item_answers import ItemAnswer, ItemSide
from evalsuite.analysis.item_sample import GroupSample, SampledItem, sample_items
from evalsuite.analysis.load import Run
from evalsuite.records import Task
from evalsuite.report.excerpts import Excerpt, excerpt, visible
from evalsuite.report.names import LanguageName, Names, Series
from evalsuite.report.text import Text

__all__ = ["Card", "ItemGroup", "ItemsSection", "ShownAnswer", "ShownSide", "build_items"]

_BUDGET = 500_000
"""Bytes of all cards, so that a report stays small enough to be sent."""
_PER_CARD, _PER_SIDE, _PER_ANSWER, _PER_LOST, _PER_OPTION, _PER_FOLD = 130, 280, 115, 60, 60, 270
"""Bytes of the markup around texts, at most; a test holds them against what the template makes."""
_SURE = 0.8
"""A wrong answer with at least this confidence is looked for as confident and wrong."""
_SHORT = {"shown": 240, "whole": 1200}
"""Of options and answers."""
_ISOLATE, _END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
_PRINTED = 6
"""Cards of a group that are printed; the style sheet hides the others."""


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """One model's answer, as text."""

    series: Series
    answer: Excerpt | None
    verdict: str
    """`right`, `wrong`, `part`, `unscored`, or `missing`: the end of a string's key."""
    score: str
    confidence: str
    sure: bool
    """Whether it is wrong with a confidence of at least 0.8."""
    lost: bool
    """Whether it is wrong, and right in the reference language."""
    reason: str

    @property
    def marks(self) -> str:
        """Classes: what the style sheet shows, and what the script looks for."""
        return self.verdict[0] + " s" * self.sure + " l" * self.lost


@dataclass(frozen=True, slots=True)
class ShownSide:
    """One item in one language."""

    language: LanguageName
    reference: str
    """Code of the language that it is held against, or nothing."""
    task: str
    """Name of the task where the group has several in a language, or nothing."""
    answers_in: str
    """Code of the language that answers are in."""
    context: Excerpt | None
    options: tuple[tuple[Excerpt, bool], ...]
    """Each with whether it is right; empty where all items of the task have the same."""
    right: Excerpt | None
    """The right answer, where options are not listed."""
    answers: tuple[ShownAnswer, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One item in all languages."""

    title: str
    sides: tuple[ShownSide, ...]


@dataclass(frozen=True, slots=True)
class ItemGroup:
    """The items of one task group."""

    title: str
    cards: tuple[Card, ...]
    total: int
    for_losses: int
    """Cards that were drawn since something was lost."""
    source: str
    licence: str
    withheld: str
    """Why texts are left out: the end of a string's key, or nothing."""
    options: tuple[tuple[LanguageName, str], ...]
    """Options that all items of a task have, by language."""

    @property
    def printed(self) -> int:
        """Cards that are printed."""
        return min(_PRINTED, len(self.cards))


@dataclass(frozen=True, slots=True)
class ItemsSection:
    """All groups, and what can be chosen among their items."""

    groups: tuple[ItemGroup, ...]
    form: str
    """Name of the prompt form, where the run has several; or nothing."""
    shortened: bool
    """Whether there are fewer cards than there were to be, so that the file stays small."""
    asked: int
    """Items of each group that there were to be at most."""
    languages: tuple[LanguageName, ...]
    series: tuple[Series, ...]
    sure: str

    @property
    def shown(self) -> int:
        """Cards."""
        return sum(len(group.cards) for group in self.groups)

    @property
    def total(self) -> int:
        """Items that are stored."""
        return sum(group.total for group in self.groups)

    @property
    def scored_partly(self) -> bool:
        """Whether an answer has a score between right and wrong."""
        return any(a.verdict == "part" for g in self.groups for c in g.cards for s in c.sides for a in s.answers)


def build_items(run: Run, names: Names, text: Text, *, limit: int | None = None) -> ItemsSection | None:
    """Return the items to show; none where the run has none, or none are wanted.

    Args:
        run: The run.
        names: Names of everything in it.
        text: Wording and formats.
        limit: Items of each group; by default as `sample_items` has it.

    Raises:
        StoreError: The stored items are damaged.
    """
    samples = [sample for sample in sample_items(run, limit) if sample.items]
    if not samples:
        return None
    builder = _Builder(run, names, text)
    groups: list[ItemGroup] = []
    left = _BUDGET
    for i, sample in enumerate(samples):
        # What one group does not need is shared among those that follow.
        group, taken = builder.group(sample, left // (len(samples) - i))
        left -= taken
        groups.append(group)
    used = {side.language for sample in samples for item in sample.items for side in item.sides}
    return ItemsSection(
        groups=tuple(groups),
        form=names.form(samples[0].form) if len(run.forms) > 1 else "",
        shortened=any(len(g.cards) < len(s.items) for g, s in zip(groups, samples, strict=True)),
        asked=max(len(sample.items) for sample in samples),
        languages=tuple(names.language(code) for code in run.languages if code in used),
        series=tuple(names.series_of(model, samples[0].form) for model in run.models),
        sure=text.percent_sign(text.number(100 * _SURE, 0)),
    )


class _Builder:
    def __init__(self, run: Run, names: Names, text: Text) -> None:
        self._run, self._names, self._text = run, names, text

    def group(self, sample: GroupSample, budget: int) -> tuple[ItemGroup, int]:
        """Return a group with as many cards as fit, in the order of the data, and the bytes that they take."""
        alike = {task.name: options for task in sample.tasks if (options := self._alike(task, sample))}
        cards: list[tuple[int, int, Card]] = []
        taken = sum(len(" · ".join(options).encode()) * 2 + _PER_SIDE for options in alike.values())
        for rank, item in enumerate(sample.items):
            card = self._card(item, sample, alike)
            taken += _size(card)
            if taken > budget:
                taken -= _size(card)
                break
            cards.append((item.place, rank, card))
        several = len({task.language for task in sample.tasks}) < len(sample.tasks)
        group = ItemGroup(
            title=sample.group,
            cards=tuple(card for _, _, card in sorted(cards, key=lambda one: one[:2])),
            total=sample.total,
            for_losses=min(sample.for_losses, len(cards)),
            source=_unique(task.source for task in sample.tasks),
            licence=_unique(task.licence for task in sample.tasks),
            withheld=str(sample.withheld or ""),
            options=tuple(
                (self._names.language(task.language), visible(" · ".join(alike[task.name])))
                for task in sample.tasks
                if task.name in alike and not several
            ),
        )
        return group, taken

    def _alike(self, task: Task, sample: GroupSample) -> tuple[str, ...]:
        """Return the options of a task whose items all have the same; nothing for others, and where texts are withheld."""
        if sample.withheld:
            return ()
        offered = {
            side.choices for item in sample.items for side in item.sides if side.task == task.name and side.choices
        }
        # One item alone does not tell.
        return next(iter(offered)) if len(offered) == 1 and len(sample.items) > 1 else ()

    def _card(self, item: SampledItem, sample: GroupSample, alike: dict[str, tuple[str, ...]]) -> Card:
        tasks = {task.name: task for task in sample.tasks}
        codes = [side.language for side in item.sides]
        return Card(
            # Isolated, so that its direction is its own.
            self._text("items.item", id=f"{_ISOLATE}{visible(item.id)[:120]}{_END}"),
            tuple(
                self._side(side, tasks[side.task], sample, alike, several=codes.count(side.language) > 1)
                for side in item.sides
            ),
        )

    def _side(
        self, side: ItemSide, task: Task, sample: GroupSample, alike: dict[str, tuple[str, ...]], *, several: bool
    ) -> ShownSide:
        listed = bool(side.choices) and side.task not in alike
        return ShownSide(
            language=self._names.language(side.language),
            reference=side.reference or "",
            task=side.task if several else "",
            answers_in=task.answer_language or side.language,
            context=None if sample.withheld else excerpt(side.context),
            options=tuple((excerpt(choice, **_SHORT), i in side.right) for i, choice in enumerate(side.choices))
            if listed
            else (),
            right=None if listed else self._right(side, sample),
            answers=tuple(self._answer(answer, side, sample) for answer in side.answers),
        )

    def _right(self, side: ItemSide, sample: GroupSample) -> Excerpt | None:
        if sample.withheld:
            places = [self._text("items.option", n=place + 1) for place in side.right]
            return Excerpt(self._text.join(places)) if places else None
        told = [side.choices[place] for place in side.right] if side.choices else [side.target]
        joined = " / ".join(one for one in told if one.strip())
        return excerpt(joined, **_SHORT) if joined else None

    def _answer(self, answer: ItemAnswer, side: ItemSide, sample: GroupSample) -> ShownAnswer:
        part = answer.score is not None and answer.right is None
        verdict = {True: "right", False: "wrong", None: "part" if part else "unscored"}[answer.right]
        sure = answer.right is False and answer.confidence is not None and answer.confidence >= _SURE
        return ShownAnswer(
            series=self._names.series_of(answer.model, sample.form),
            answer=self._said(answer, side),
            verdict=verdict if answer.asked else "missing",
            score=self._text.number(answer.score, 2) if part else "",
            confidence="" if answer.confidence is None else self._share(answer.confidence),
            sure=sure,
            lost=answer.lost,
            reason=self._text.reason(answer.reason) if answer.reason else "",
        )

    def _share(self, value: float) -> str:
        # A share of 99.6% is not all.
        low, high = (0.01, 0.99) if 0 < value < 1 else (0, 1)
        return self._text.percent_sign(self._text.number(100 * min(max(value, low), high), 0))

    def _said(self, answer: ItemAnswer, side: ItemSide) -> Excerpt | None:
        if answer.output is not None:
            return excerpt(answer.output.strip("\n"), **_SHORT)
        if answer.picked is None:
            return None
        if not side.choices:
            return Excerpt(self._text("items.option", n=answer.picked + 1))
        return excerpt(side.choices[answer.picked], **_SHORT)


def _size(card: Card) -> int:
    """Return the bytes that a card takes in the page, at most."""
    total = _PER_CARD + _weight(card.title)
    for side in card.sides:
        total += _PER_SIDE + _weight(side.language.shown) + _weight(side.task)
        total += sum(_PER_OPTION + _bytes(option) for option, _ in side.options)
        total += sum(_bytes(one) for one in (side.context, side.right) if one is not None)
        for answer in side.answers:
            fixed = _PER_ANSWER // 2 if answer.verdict == "missing" else _PER_ANSWER
            total += fixed + _PER_LOST * answer.lost + _weight(answer.series.label) + _weight(answer.reason)
            total += _bytes(answer.answer) if answer.answer else 0
    return total


def _bytes(found: Excerpt) -> int:
    folded = _PER_FOLD if found.tail else 0
    return folded + _weight(found.head) + _weight(found.middle) + _weight(found.tail)


def _weight(text: str) -> int:
    return len(str(escape(text)).encode())


def _unique(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(visible(value) for value in values))
