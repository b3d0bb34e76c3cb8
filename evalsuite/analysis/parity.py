"""Information parity: how many bits a model needs for the same texts in each language, with the token tax beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalsuite.analysis.load import Run
from evalsuite.analysis.rows import ALPHA
from evalsuite.analysis.score_table import why_no_items
from evalsuite.records import CellStatus, PromptForm, Task
from evalsuite.stats.intervals import Estimate, ratio_of_means
from evalsuite.stats.scores import mean_skewed
from evalsuite.store import RunFolder

__all__ = ["ParityRow", "information_parity"]

_STORED = ("item_id", "logprobs", "answer_tokens", "context_chars", "context_bytes")
_UNCOUNTED = "the engine gave no token counts"


@dataclass(frozen=True, slots=True)
class ParityRow:
    """One model on the texts of one task. Of every figure, n is the number of texts behind it."""

    model: str
    task: str
    group: str
    language: str
    form: PromptForm
    reference: str | None
    """None: this is the reference language."""
    items: int
    """Texts with a log-likelihood."""
    bits_per_byte: Estimate
    """Bits of all texts ÷ their UTF-8 bytes. Not to be compared between scripts."""
    bits_per_char: Estimate
    """Bits of all texts ÷ their Unicode characters. Not to be compared between scripts."""
    bits_per_item: Estimate
    """Mean bits of a text."""
    tokens_per_item: Estimate
    """Mean tokens of a text, without the begin-of-text token."""
    parity: Estimate
    """Bits of the reference ÷ bits here, on the same texts: below 1 where the language costs the model more."""
    token_tax: Estimate
    """Tokens here ÷ tokens of the reference, on the same texts: above 1 where the language costs more."""
    reason: str | None
    """Why there are no bits."""


def information_parity(run: Run) -> tuple[ParityRow, ...]:
    """Return a row for every model × language × prompt form of the tasks whose texts are read and not answered.

    The bits of a text are −log2 P(text) = −(its log-likelihood in nats) ÷ ln 2, summed over its tokens, the first of
    which is predicted from the model's begin-of-text token. They are those of one way to cut the text into tokens, and
    so an upper bound of the text's own; being sums, they can be compared between models with unlike tokenizers.

    Parity of language L with the reference R, over the texts i that both have:

        parity(L) = Σᵢ bits(i in R) ÷ Σᵢ bits(i in L)

    Source: A. Tsvetkov and A. Kipnis (2024), Information Parity: Measuring and Predicting the Multilingual Capabilities
    of Language Models, Findings of EMNLP, 7971-7989. Their package averages the ratios of single texts; the ratio of
    the sums weighs a text by its content, and has the interval of `stats.intervals.ratio_of_means` (Cochran 1977).
    """
    folder = RunFolder(run.path)
    tasks = [
        task
        for group in run.groups
        for language in run.languages
        for task in run.manifest.tasks.values()
        if task.only_read and run.group_of(task.name) == group and task.language == language
    ]
    return tuple(
        _row(run, texts, (model, task, form), _reference(run, tasks, task))
        for model in run.models
        for form in run.forms
        for texts in [{task.name: _texts(run, folder, model, task, form) for task in tasks}]
        for task in tasks
        if run.result(model, task.name, form) or run.skip(model, task.name)
    )


def _row(
    run: Run, texts: dict[str, pd.DataFrame | None], key: tuple[str, Task, PromptForm], reference: Task | str
) -> ParityRow:
    model, task, form = key
    here = texts[task.name]
    why = why_no_items(run, model, task.name, form) if here is None else None
    return ParityRow(
        model=model,
        task=task.name,
        group=run.group_of(task.name),
        language=task.language,
        form=form,
        reference=run.reference_of(task.language),
        items=0 if here is None else len(here),
        bits_per_byte=_per(here, "bytes", why),
        bits_per_char=_per(here, "chars", why),
        bits_per_item=_mean(here, "bits", why),
        tokens_per_item=_mean(here, "tokens", why),
        parity=_against(reference, texts, here, "bits", why),
        token_tax=_against(reference, texts, here, "tokens", why),
        reason=why,
    )


def _texts(run: Run, folder: RunFolder, model: str, task: Task, form: PromptForm) -> pd.DataFrame | None:
    """Return bits, tokens, characters and bytes by item id; none where no text has a log-likelihood."""
    result = run.result(model, task.name, form)
    if result is None or result.status is CellStatus.SKIPPED:
        return None
    stored = folder.table(result.cell, columns=_STORED).to_pydict()
    known = [place for place, found in enumerate(stored["logprobs"]) if found]
    if not known:
        return None
    counted = [stored["answer_tokens"][place] for place in known]
    columns = {
        "bits": [-sum(stored["logprobs"][place]) / math.log(2) for place in known],
        "tokens": [sum(tokens) if tokens else math.nan for tokens in counted],
        "chars": [stored["context_chars"][place] for place in known],
        "bytes": [stored["context_bytes"][place] for place in known],
    }
    return pd.DataFrame(columns, index=[stored["item_id"][place] for place in known], dtype=np.float64)


def _reference(run: Run, tasks: list[Task], task: Task) -> Task | str:
    """Return the task that `task` is held against, or why there is none."""
    code = run.reference_of(task.language)
    if code is None:
        return "the reference language"
    there = [t for t in tasks if t.language == code and t.parallel_group and t.parallel_group == task.parallel_group]
    if len(there) == 1:
        return there[0]
    return "more than one task in the reference language" if there else "no reference"


def _per(here: pd.DataFrame | None, size: str, why: str | None) -> Estimate:
    if here is None:
        return _missing(why)
    return ratio_of_means(here["bits"].to_numpy(), here[size].to_numpy(), level=1 - ALPHA)


def _mean(here: pd.DataFrame | None, what: str, why: str | None) -> Estimate:
    values = np.empty(0) if here is None else here[what].dropna().to_numpy(dtype=np.float64)
    if not values.size:
        return _missing(why or _UNCOUNTED)
    return mean_skewed(values, level=1 - ALPHA)


def _against(
    reference: Task | str, texts: dict[str, pd.DataFrame | None], here: pd.DataFrame | None, what: str, why: str | None
) -> Estimate:
    """Return the parity of bits, or the token tax: one is reference ÷ language, the other language ÷ reference."""
    if here is None:
        return _missing(why)
    if isinstance(reference, str):
        return _missing(reference)
    there = texts[reference.name]
    if there is None:
        return _missing(f"no {what} in the reference language")
    sides = (there[what].dropna(), here[what].dropna())
    if not all(map(len, sides)):
        return _missing(_UNCOUNTED)
    return _of_same_texts(*(sides if what == "bits" else reversed(sides)))


def _of_same_texts(top: pd.Series, bottom: pd.Series) -> Estimate:
    """Return mean(top) ÷ mean(bottom) over the texts that both have, by id."""
    if top.index.has_duplicates or bottom.index.has_duplicates:
        return _missing("item ids are not unique, so items cannot be paired")
    joined = top.to_frame("top").merge(bottom.to_frame("bottom"), left_index=True, right_index=True)
    return ratio_of_means(joined["top"].to_numpy("float64"), joined["bottom"].to_numpy("float64"), level=1 - ALPHA)


def _missing(reason: str | None) -> Estimate:
    return Estimate(None, None, None, 0, "ratio", reason or "no items")
