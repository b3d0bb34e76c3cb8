"""What became of generated answers: empty, looping, in another language, cut at the token limit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import ALPHA
from evalsuite.errors import InputError
from evalsuite.records import CellStatus, PromptForm, Task
from evalsuite.stats.intervals import Estimate, wilson
from evalsuite.stats.scores import mean_skewed
from evalsuite.store import RunFolder

if TYPE_CHECKING:
    from evalsuite.texts.identify import Verdict

__all__ = ["ReplyRow", "answer_language", "language_verdicts", "written_answers", "written_tasks"]


@dataclass(frozen=True, slots=True)
class ReplyRow:
    """The generated answers of one model to one task in one prompt form; shares are 0 to 1."""

    model: str
    task: str
    group: str
    language: str
    form: PromptForm
    expected: str
    """Code of the language that an answer should be in."""
    n: int
    """Answers."""
    empty: Estimate
    looping: Estimate
    wrong_language: Estimate
    """Of the answers whose language could be told."""
    not_told: Estimate
    """Share of answers whose language could not be told: empty, too short, or unsure."""
    tokens: Estimate
    """Mean tokens of an answer."""
    at_limit: Estimate
    """Share of answers with as many tokens as the task allows."""


def written_answers(run: Run) -> tuple[ReplyRow, ...]:
    """Return a row for every model × task × main prompt form with generated answers."""
    folder = RunFolder(run.path)
    return tuple(
        row
        for task in written_tasks(run)
        for model in run.models
        for form in run.forms
        if (row := _row(run, folder, task, model, form)) is not None
    )


def written_tasks(run: Run) -> Iterator[Task]:
    """Return the tasks whose answers are generated, in the order of every table."""
    return (task for task in run.ordered_tasks if task.output_type == "generate_until")


def answer_language(task: Task) -> str:
    """Return the code of the language that an answer to a task should be in."""
    return task.answer_language or task.language


def language_verdicts(texts: Sequence[str], expected: str, others: Sequence[str]) -> list[Verdict]:
    """Return whether each text is in the language that was wanted.

    Args:
        texts: What was written.
        expected: Code of the wanted language.
        others: Codes of languages that a text may be in instead.

    Raises:
        InputError: The identifier is not installed, or cannot tell such a language.
    """
    # Lazy: the identifier's model takes a while to load, and only runs with generated text need it.
    from evalsuite.texts.identify import fidelity

    languages = tuple(dict.fromkeys((expected, *others)))
    return [fidelity(text, expected, languages).verdict for text in texts]


def _row(run: Run, folder: RunFolder, task: Task, model: str, form: PromptForm) -> ReplyRow | None:
    from evalsuite.texts.replies import ReplyKind, classify

    result = run.result(model, task.name, form)
    if result is None or result.status is CellStatus.SKIPPED:
        return None
    stored = folder.table(result.cell, columns=("output", "answer_tokens", "arguments")).to_pydict()
    kept = [i for i, output in enumerate(stored["output"]) if output is not None]
    texts = [str(stored["output"][i]) for i in kept]
    if not texts:
        return None
    kinds = [classify(text) for text in texts]
    tokens = [sum(stored["answer_tokens"][i]) if stored["answer_tokens"][i] else None for i in kept]
    expected = answer_language(task)
    wrong, not_told = _languages(texts, expected, run.languages)
    known = np.array([t for t in tokens if t is not None], dtype=np.float64)
    return ReplyRow(
        model=model,
        task=task.name,
        group=run.group_of(task.name),
        language=task.language,
        form=form,
        expected=expected,
        n=len(texts),
        empty=_share([kind is ReplyKind.EMPTY for kind in kinds]),
        looping=_share([kind is ReplyKind.LOOPING for kind in kinds]),
        wrong_language=wrong,
        not_told=not_told,
        tokens=mean_skewed(known, level=1 - ALPHA) if known.size else _missing("no token counts"),
        at_limit=_at_limit(tokens, [_limit(stored["arguments"][i]) for i in kept]),
    )


def _languages(texts: Sequence[str], expected: str, others: Sequence[str]) -> tuple[Estimate, Estimate]:
    """Return the shares of answers in a wrong language and in one that cannot be told."""
    from evalsuite.texts.identify import Verdict

    try:
        verdicts = language_verdicts(texts, expected, others)
    except InputError as error:
        return _missing(error.problem), _missing(error.problem)
    told = [verdict is Verdict.WRONG for verdict in verdicts if verdict is not Verdict.UNKNOWN]
    wrong = _share(told) if told else _missing("of no answer could the language be told")
    return wrong, _share([verdict is Verdict.UNKNOWN for verdict in verdicts])


def _limit(arguments: str) -> int | None:
    """Return the most tokens that an answer could have had, from lm-eval's request arguments."""
    try:
        options = json.loads(arguments)[0][1]
    except (ValueError, LookupError, TypeError):
        return None
    limit = options.get("max_gen_toks") if isinstance(options, dict) else None
    return limit if isinstance(limit, int) else None


def _at_limit(tokens: Sequence[int | None], limits: Sequence[int | None]) -> Estimate:
    known = [(t, most) for t, most in zip(tokens, limits, strict=True) if t is not None and most is not None]
    if not known:
        return _missing("the token limit is not in the records")
    # Tokens are counted in the stored text: where it could be written with fewer, a cut answer is missed.
    return _share([t >= most for t, most in known])


def _share(hits: Sequence[bool]) -> Estimate:
    return wilson(sum(hits), len(hits), level=1 - ALPHA)


def _missing(reason: str) -> Estimate:
    return Estimate(None, None, None, 0, "", reason)
