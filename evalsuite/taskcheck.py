"""Checks tasks before anything is measured with them: prompts, choices, chance levels, ids, and what languages share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from evalsuite.catalog.data import DataFinder
from evalsuite.errors import DataMissingError, EvalsuiteError
from evalsuite.harness import BuiltTask, Item, build_task
from evalsuite.itemcheck import Guess, guesses, is_odd, text_faults
from evalsuite.records import PromptForm, Task

__all__ = ["Checked", "Finding", "check_tasks"]

_MOST_ITEMS = 2000
"""Items of a task that are looked at; of a larger one every k-th."""
_SHOWN_ITEMS = 3
_CHANCE_OFF = 0.005
_CHANCE_LOOSE = 0.01
"""Between languages, and where a chance level is a share of the data of which a part is looked at."""
_NO_GOLD = frozenset({"generation"})
"""Families whose replies are judged by themselves: there is no right one."""
_EVEN_P = 1e-6
_TEMPLATE = re.compile(r"\{\{|\}\}|\{%|%\}")
_HOLE = re.compile(r"(?<!\w)(None|nan|NaN|<NA>)(?!\w)")


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be."""

    task: str
    code: str
    """What a task's `metadata.accept` names to say that it is known, and why it may stay."""
    text: str
    accepted: str | None = None
    """Why it may stay."""


@dataclass
class Checked:
    """What became of one task's check."""

    task: Task
    items: int | None = None
    """Items of the data; none where it is not at hand."""
    missing: str | None = None
    """Why the data is not at hand."""
    findings: list[Finding] = field(default_factory=list)
    golds: dict[str, int] = field(default_factory=dict)
    """Place of the right choice by item id."""
    ids: frozenset[str] = frozenset()
    guesses: list[Guess] = field(default_factory=list)
    """What guessers without a model get right."""

    @property
    def problems(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.accepted is None]


def check_tasks(
    tasks: Sequence[Task],
    finder: DataFinder,
    told: Callable[[Checked], None] = lambda _: None,
    *,
    unspaced: Collection[str] = (),
) -> list[Checked]:
    """Check tasks one by one, and then what the tasks of each parallel group share.

    Texts that one can mend, those of tasks that bring their own items, are also checked as texts (`evalsuite.itemcheck`).

    Args:
        tasks: What to check.
        finder: Reads the data; a task whose data is not at hand is checked no further.
        unspaced: Codes of languages that are written without spaces between words.
        told: Is told of every task that was looked at, before the groups are compared.
    """
    found = []
    for task in tasks:
        checked = Checked(task)
        try:
            _check(checked, finder, spaced=task.language not in unspaced)
        except DataMissingError as error:
            checked.missing = error.problem
        except EvalsuiteError as error:
            _add(checked, "build", str(error))
        except Exception as error:  # noqa: BLE001  # a task's templates and functions may raise anything
            _add(checked, "build", f"lm-eval cannot build or render it: {type(error).__name__}: {error}")
        found.append(checked)
        told(checked)
    groups: dict[str, list[Checked]] = {}
    for checked in found:
        if checked.task.parallel_group and checked.items:
            groups.setdefault(checked.task.parallel_group, []).append(checked)
    for members in groups.values():
        _check_group(members)
    return found


def _check(checked: Checked, finder: DataFinder, *, spaced: bool) -> None:
    task = finder.locate(checked.task)
    ids = finder.item_ids(task)
    checked.ids, repeated = frozenset(ids), len(ids) - len(set(ids))
    if repeated:
        _add(checked, "repeated-ids", f"{repeated} of {len(ids)} items have the id of another one")
    for wording in task.wordings:
        built = build_task(task, finder, PromptForm(wording))
        if wording == PromptForm.NATIVE:
            _check_items(checked, built, spaced=spaced)
        step = max(1, len(built) // _SHOWN_ITEMS)
        for prompt in built.prompts(range(0, len(built), step)[:_SHOWN_ITEMS]):
            for code, text in _faults(f"{prompt['context']}\n" + "\n".join(map(str, prompt["choices"]))):
                _add(checked, code, f"{wording}, item {prompt['id']}: {text}")


def _faults(text: str) -> Iterator[tuple[str, str]]:
    """Return what is wrong with a rendered prompt."""
    if not text.strip():
        yield "empty", "the prompt is empty, and so are its choices"
    template = _TEMPLATE.search(text)
    if template:
        yield "template", f"{template[0]!r} was not rendered"
    hole = _HOLE.search(text)
    if hole:
        yield "hole", f"{hole[0]!r} stands where a text should"
    for letter in dict.fromkeys(text):
        if is_odd(letter):
            yield "invisible", f"holds the character U+{ord(letter):04X}"


def _check_items(checked: Checked, built: BuiltTask, *, spaced: bool) -> None:
    checked.items = len(built)
    if not len(built):
        _add(checked, "no-items", "the data has no items")
        return
    items = built.items(range(0, len(built), max(1, -(-len(built) // _MOST_ITEMS))))
    if checked.task.items is not None and checked.task.items != len(built):
        _add(checked, "items", f"metadata.items is {checked.task.items}, the data has {len(built)}")
    empty = sum(not item.target.strip() for item in items) / len(items)
    # "Nothing" may be right (no names in a text): then it is what a guesser says, and the chance level is its share.
    known = checked.task.chance is not None and abs(checked.task.chance - empty) <= _CHANCE_LOOSE
    if empty and not known and checked.task.family not in _NO_GOLD:
        _add(checked, "no-target", f"{empty:.1%} of items have no right answer")
    if checked.task.output_type == "multiple_choice":
        _check_choices(checked, items)
        checked.guesses = guesses(items, spaced=spaced)
    if checked.task.data.kind == "shipped":
        for code, text in text_faults(checked.task, items, spaced=spaced):
            _add(checked, code, text)


def _check_choices(checked: Checked, items: Sequence[Item]) -> None:
    n = len(items)
    outside = [item.id for item in items if item.gold is None or not 0 <= item.gold < len(item.choices)]
    if outside:
        _add(
            checked, "gold-range", f"{len(outside)} of {n} items have a right choice out of range, such as {outside[0]}"
        )
    lonely = sum(len(item.choices) < 2 for item in items)
    if lonely:
        _add(checked, "one-choice", f"{lonely} of {n} items have one choice only")
    equal = sum(len(set(item.choices)) < len(item.choices) for item in items)
    if equal:
        _add(checked, "equal-choices", f"{equal} of {n} items offer one choice twice")
    # Where right answers are not even, always giving the most frequent one is the better guess.
    guessers = [
        sum(1 / len(item.choices) for item in items if item.choices) / n,
        Counter(item.gold for item in items).most_common(1)[0][1] / n,
    ]
    if checked.task.chance is not None and all(abs(chance - checked.task.chance) > _CHANCE_OFF for chance in guessers):
        told = f"a guesser gets {guessers[0]:.4f}, the most frequent place {guessers[1]:.4f}"
        _add(checked, "chance", f"metadata.chance is {checked.task.chance}, {told}")
    golds = {item.id: item.gold for item in items if item.gold is not None}
    checked.golds = golds
    if len({item.choices for item in items}) > 1:
        _check_places(checked, items)
    seen: dict[tuple[str, tuple[str, ...]], set[str]] = {}
    for item in items:
        if item.gold is not None and item.gold < len(item.choices):
            seen.setdefault((item.context, tuple(sorted(item.choices))), set()).add(item.choices[item.gold])
    torn = sum(len(right) > 1 for right in seen.values())
    if torn:
        _add(checked, "two-answers", f"{torn} prompts come with one right answer here and another there")


def _check_places(checked: Checked, items: Sequence[Item]) -> None:
    """Right choices must stand in every place about equally often; else a model that likes a place looks good or bad."""
    from scipy import stats

    by_count: dict[int, Counter[int]] = {}
    for item in items:
        if item.gold is not None and len(item.choices) > 1:
            by_count.setdefault(len(item.choices), Counter())[item.gold] += 1
    count, places = max(by_count.items(), key=lambda pair: pair[1].total(), default=(0, Counter()))
    if places.total() < 5 * count or not count:
        return
    p = float(stats.chisquare([places[place] for place in range(count)]).pvalue)
    if p < _EVEN_P:
        told = ", ".join(f"{places[place] / places.total():.0%}" for place in range(count))
        _add(checked, "gold-place", f"right choices are not evenly placed: {told} (chi-square p {p:.1g})")


def _check_group(members: Sequence[Checked]) -> None:
    """Hold each language of a parallel group against the one with the most items."""
    whole = max(members, key=lambda checked: len(checked.ids))
    for checked in members:
        if checked is whole:
            continue
        lost = len(checked.ids - whole.ids)
        if lost:
            _add(
                checked,
                "ids",
                f"{lost} of {len(checked.ids)} ids are not in {whole.task.name}, of the same parallel group",
            )
        shared = checked.golds.keys() & whole.golds.keys()
        differ = sum(checked.golds[name] != whole.golds[name] for name in shared)
        if differ:
            _add(
                checked,
                "gold-differs",
                f"{differ} of {len(shared)} items have another right choice than in {whole.task.name}",
            )
        if abs((checked.task.chance or 0.0) - (whole.task.chance or 0.0)) > _CHANCE_LOOSE:
            _add(
                checked,
                "chance-differs",
                f"the chance level is {checked.task.chance}, in {whole.task.name} {whole.task.chance}",
            )


def _add(checked: Checked, code: str, text: str) -> None:
    accepted: Mapping[str, str] = checked.task.accept
    finding = Finding(checked.task.name, code, text, accepted.get(code))
    if finding not in checked.findings:
        checked.findings.append(finding)
