"""How much an answer depends on the order of the listed options: the same items, with their options turned in a circle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evalsuite.analysis.load import Run
from evalsuite.analysis.paired_items import numbers_by_item, shared_items
from evalsuite.analysis.rows import ALPHA
from evalsuite.analysis.score_table import score_of
from evalsuite.records import PromptForm, Task
from evalsuite.stats.corrections import holm
from evalsuite.stats.intervals import Estimate, wilson

__all__ = ["OrderRow", "PlaceUse", "option_orders"]


@dataclass(frozen=True, slots=True)
class PlaceUse:
    """How the answers to all orders of the options fall on their places."""

    n: int
    """Answers: items × orders."""
    place: int
    """The place, from 0, that is taken most often beyond its fair share."""
    letter: str
    """What stands there, where that is the same in all items; else the place, counted from 1."""
    share: float
    """Share of the answers that fall on it."""
    fair: float
    """The share that a model without a liking for places gives it: every option stands at every place once."""
    p: float
    """Of a chi-square test of the fair shares, before any correction."""


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One model on one task, with its options in several orders."""

    model: str
    task: str
    group: str
    language: str
    form: PromptForm
    """The form with the options in their own order."""
    scores: tuple[tuple[int, Estimate], ...]
    """Accuracy by order: the place, from 0, of the option that is listed first."""
    items: int
    """Items that all orders have, with a score."""
    spread: float | None
    """Highest accuracy minus lowest, over these items."""
    circular: Estimate
    """Share of items answered right in every order."""
    same_option: Estimate
    """Share of items in which one and the same option is taken in every order, wherever it stands."""
    places: PlaceUse | None
    p_holm: float | None
    """Of the use of places, corrected over all rows of this table."""
    reason: str | None
    """Why there is no `places`."""


def option_orders(run: Run) -> tuple[OrderRow, ...]:
    """Return a row for every model × task × prompt form whose listed options were put in more than one order.

    In order K the option at place p is the original option (p + K) modulo the item's number of options.

    Source of the share of items right in every order: Y. Liu et al. (2023), MMBench, arXiv 2307.06281, section 4.1
    (CircularEval).
    """
    found = [
        _row(run, model, task, form, turned)
        for task in run.ordered_tasks
        for model in run.models
        for form, turned in _asked(run, model, task.name).items()
        if len(turned) > 1
    ]
    corrected = holm([row.places.p if row.places else None for row in found])
    return tuple(replace(row, p_holm=p) for row, p in zip(found, corrected, strict=True))


def _asked(run: Run, model: str, task: str) -> dict[PromptForm, list[int]]:
    found: dict[PromptForm, list[int]] = {}
    for form in run.forms_of(model, task):
        found.setdefault(form.unturned, []).append(form.rotation)
    return found


def _row(run: Run, model: str, task: Task, form: PromptForm, turned: list[int]) -> OrderRow:
    forms = {k: PromptForm.make(form.wording, chat=form.chat, rotation=k) for k in turned}
    columns = [numbers_by_item(run, model, task.name, one) for one in forms.values()]
    known = [column for column in columns if column is not None]
    joined = shared_items(known) if len(known) == len(columns) else "not every order has scores"
    scored = None if isinstance(joined, str) else joined
    problem = joined if isinstance(joined, str) else None
    if scored is not None and not np.isin(scored.to_numpy(), (0.0, 1.0)).all():
        problem = "scores are not 0 or 1"
    circular = _missing(problem or "")
    if problem is None and scored is not None:
        circular = wilson(int(scored.all(axis=1).sum()), len(scored), level=1 - ALPHA)
    means = scored.mean() if scored is not None else None
    picked = _picked(run, model, task.name, forms)
    places, reason = _places(picked)
    return OrderRow(
        model=model,
        task=task.name,
        group=run.group_of(task.name),
        language=task.language,
        form=form,
        scores=tuple((k, score_of(run, model, task.name, one)) for k, one in forms.items()),
        items=0 if scored is None else len(scored),
        spread=None if means is None else float(means.max() - means.min()),
        circular=circular,
        same_option=_same_option(picked),
        places=places,
        p_holm=None,
        reason=reason,
    )


def _picked(run: Run, model: str, task: str, forms: Mapping[int, PromptForm]) -> pd.DataFrame | str:
    """Return a row per item and order with its answer, of items that were answered in each of their orders.

    An item of n options has n orders; an order beyond that repeats an earlier one and is left out.
    """
    parts = []
    for turn, form in forms.items():
        result = run.result(model, task, form)
        frame = run.frames.get(result.cell.id) if result else None
        if frame is None:
            return "not every order has answers"
        if frame["item_id"].duplicated().any():
            return "item ids are not unique, so items cannot be paired"
        answered = frame.loc[frame["prediction"].notna() & (frame["prediction"] < frame["n_choices"])]
        kept = answered.loc[answered["n_choices"] > turn, ["item_id", "n_choices", "prediction", "choices"]]
        parts.append(kept.assign(turn=turn))
    whole = pd.concat(parts, ignore_index=True)
    if whole.empty:
        return "answers are not choices"
    counts = whole.groupby("item_id")["turn"].transform("nunique")
    whole = whole.loc[counts == whole["n_choices"]].copy()
    if whole.empty:
        return "no item was answered in all of its orders"
    whole["place"] = whole["prediction"].astype(int)
    whole["option"] = (whole["place"] + whole["turn"]) % whole["n_choices"].astype(int)
    return whole


def _same_option(picked: pd.DataFrame | str) -> Estimate:
    if isinstance(picked, str):
        return _missing(picked)
    options = picked.groupby("item_id")["option"]
    alike = options.min() == options.max()
    return wilson(int(alike.sum()), len(alike), level=1 - ALPHA)


def _places(picked: pd.DataFrame | str) -> tuple[PlaceUse | None, str | None]:
    """Test whether answers fall on the places in their fair shares.

    Source: K. Pearson (1900), Phil. Mag. 50, 157-175. The answers to one item are no independent sample; a model that
    looks at options alone takes every place of an item exactly once, so the test errs on the side of no finding.
    """
    from scipy.special import chdtrc

    if isinstance(picked, str):
        return None, picked
    sizes = picked.drop_duplicates("item_id")["n_choices"].to_numpy(dtype=int)
    # Each item gives one answer to each of its places if places do not matter.
    fair = np.array([(sizes > place).sum() for place in range(int(sizes.max()))], dtype=np.float64)
    counted = np.bincount(picked["place"].to_numpy(dtype=int), minlength=len(fair)).astype(np.float64)
    place = int((counted / fair).argmax())
    total = float(counted.sum())
    letters = Counter(choices[place] for choices in picked["choices"] if len(choices) > place)
    letter = next(iter(letters)).strip() if len(letters) == 1 else str(place + 1)
    p = float(chdtrc(len(fair) - 1, ((counted - fair) ** 2 / fair).sum()))
    return PlaceUse(int(total), place, letter, counted[place] / total, fair[place] / total, p), None


def _missing(reason: str) -> Estimate:
    return Estimate(None, None, None, 0, "wilson", reason)
